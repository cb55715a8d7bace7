/* Energy and carbon beside money: what the machines of a run drew, and what that emitted.
 *
 *     GPUs       idle power while they are there, up to TDP while their replica computes
 *     computers  GPUs and their share of the host: host_share more
 *     building   computers times the PUE: cooling and losses
 *     emissions  of the grid where the building stands, by its average intensity
 *     embodied   emissions of making the machines, shared out over their life (optional)
 *
 * Averages in time: neither the grid's hours nor a GPU's clocks are followed. What emits is counted
 * by place, whatever certificates a provider has bought. Facts come from
 * models/catalog/carbon.json; they are owned by the arena they were read into. */
#ifndef TOKENYARD_MODELS_MONEY_CARBON_H
#define TOKENYARD_MODELS_MONEY_CARBON_H

#include "models/money/usage.h"
#include "sim/config.h"

/* Average emissions of electricity where a provider's region is. */
struct grid_region {
    const char *provider, *region; /* both "any": for what is not listed */
    const char *location;
    double g_per_kwh; /* of CO2 equivalent */
    int64_t year;     /* that it is the average of */
    const char *source, *known;
};

struct facility {
    const char *provider; /* "any": who is not listed */
    double pue;           /* power usage effectiveness */
    const char *as_of;
    const char *source, *known;
};

struct embodied_carbon {
    const char *gpu; /* "any": what is not listed */
    double kg;       /* of making one, with its share of the baseboard */
    const char *source, *known;
};

struct carbon_facts {
    struct config_list regions;    /* struct grid_region */
    struct config_list facilities; /* struct facility */
    struct config_list embodied;   /* struct embodied_carbon */
};

/* Each list has an entry "any". NULL on error. */
const struct carbon_facts *carbon_facts_read(const char *path, struct arena *arena,
                                             struct error *error);

/* What a scenario may say; NaN: by the facts. */
struct carbon_settings {
    double pue, g_per_kwh;
    double host_share;     /* power of the rest of a machine over that of its GPUs */
    bool embodied;         /* count the making of the machines, too */
    double host_kg;        /* embodied in the rest of a machine, per GPU */
    double lifetime_years; /* over which what is embodied is shared out */
};

extern const struct config_type carbon_config_type; /* struct carbon_settings */

/* A place as settings and facts have it. */
struct carbon_site {
    double pue, g_per_kwh;
    const struct facility *facility;  /* NULL: the settings say it */
    const struct grid_region *region; /* NULL: the settings say it */
};

/* provider and region may be "" or unknown: the entries "any". Names compare without case. */
struct carbon_site carbon_site_of(const struct carbon_settings *settings,
                                  const struct carbon_facts *facts, const char *provider,
                                  const char *region);

/* Electrical power of a pool's GPUs, watts; NaN where it is not known, and so are the results. */
struct pool_power {
    const char *gpu;
    double gpu_idle_w;                     /* of one GPU */
    double replica_idle_w, replica_busy_w; /* of all GPUs of a replica */
};

struct energy {
    double gpu_kwh, computer_kwh, building_kwh;
    double operational_kg; /* CO2 equivalent of building_kwh */
    double embodied_kg;    /* 0 unless the settings ask for it */
};

/* kWh of so many GPUs over gpu_s GPU-seconds of presence and busy_s replica-seconds of work. */
double energy_gpu_kwh(const struct pool_power *power, double gpu_s, double busy_s);

/* Adds b to a. */
void energy_add(struct energy *a, const struct energy *b);

/* Of each pool of a run, into energy[usage->pool_count]. Nodes draw power from the start of
 * billing to their end, whether they compute or not; a pool's busy time is shared out to its
 * markets by the time in which its nodes served there. */
void carbon_of_usage(const struct carbon_settings *settings, const struct carbon_facts *facts,
                     const struct usage *usage, const struct pool_power *pools,
                     struct energy *energy);

#endif
