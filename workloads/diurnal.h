/* The rhythm of a day or a week laid over any arrival process, by time-rescaling.
 *
 * The process runs in its own, even time; an arrival at s is shown at the time t at which the
 * integral of the rhythm over [0, t] reaches s. Whatever the process, its rate then follows the
 * rhythm exactly, and a Poisson process becomes a Poisson process of varying rate (Cinlar,
 * "Introduction to Stochastic Processes", 1975, section 4.7). The rhythm is constant within an
 * hour and has mean 1 over its length, so that the mean rate stays what it was; on_off stays
 * stretch and shrink with it. Where days differ, hours count from Monday's midnight. */
#ifndef TOKENYARD_WORKLOADS_DIURNAL_H
#define TOKENYARD_WORKLOADS_DIURNAL_H

#include "sim/config.h"
#include "workloads/place.h"

#define DIURNAL_HOURS 24
#define DIURNAL_DAYS  7

extern const struct config_variant_type diurnal_variants[];

/* What every variant holds first. */
struct diurnal_config {
    double start_hour;         /* local time at time 0 of the simulation */
    struct config_list days;   /* of double, from Monday on; empty: all are the same */
    struct config_list hourly; /* of double; only "hourly" has it */
};

struct diurnal {
    double rate[DIURNAL_DAYS * DIURNAL_HOURS]; /* relative, mean 1 */
    double start_s;                            /* of the week, at time 0 */
    uint64_t hour;                             /* counted from the Monday before time 0 */
    double from_s, own_s; /* the hour's start, as shown and in the process's own time */
};

bool diurnal_create(struct diurnal *diurnal, const struct config_variant *config,
                    const struct place *place, struct error *error);
void diurnal_rewind(struct diurnal *diurnal);

/* The time at which an arrival at own_s is shown; own_s must not be less than last time. */
double diurnal_time_s(struct diurnal *diurnal, double own_s);

#endif
