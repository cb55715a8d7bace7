/* When requests arrive, in open loop: point processes that do not listen to the system.
 *
 * Each kind has a file of its own, arrivals_*.c: what a scenario may say, and how it draws. All of
 * them but the deterministic one are in equilibrium at time 0 (workloads/interval.h), so that the
 * mean rate holds from the start. Memory belongs to the arena; a draw costs O(1), of superposed
 * clients O(log clients). */
#ifndef TOKENYARD_WORKLOADS_ARRIVALS_H
#define TOKENYARD_WORKLOADS_ARRIVALS_H

#include <gsl/gsl_rng.h>

#include "sim/config.h"
#include "workloads/place.h"

enum arrivals_kind {
    ARRIVALS_POISSON,
    ARRIVALS_GAMMA,
    ARRIVALS_WEIBULL,
    ARRIVALS_ON_OFF,
    ARRIVALS_DETERMINISTIC,
    ARRIVALS_CLIENTS,
    ARRIVALS_OPEN_KINDS
};

struct arrivals_poisson {
    double rate_per_s;
};

/* gamma and weibull. Either cv or shape; the other is NaN. */
struct arrivals_renewal {
    double rate_per_s;
    double cv, shape;
};

/* A source that is on and off in turns: Poisson at one rate, then at the other. Stays are gamma
 * distributed; with cv 1 exponentially, which makes it a Markov-modulated Poisson process. */
struct arrivals_on_off {
    double on_rate_per_s, off_rate_per_s;
    double mean_on_s, mean_off_s;
    double on_cv, off_cv;
};

/* Either rate_per_s or interval_s; the other is NaN. */
struct arrivals_deterministic {
    double rate_per_s, interval_s;
    int64_t burst;
};

/* Many clients of unequal rates, each a renewal process of its own. */
struct arrivals_clients {
    double rate_per_s; /* of all together */
    int64_t count;
    double zipf_exponent, top_share; /* one of them; the other is NaN */
    int law;                         /* 0 gamma, 1 weibull */
    struct config_list cv;           /* of struct inverse_cdf_knot */
};

extern const struct config_type arrivals_poisson_type;
extern const struct config_type arrivals_gamma_type;
extern const struct config_type arrivals_weibull_type;
extern const struct config_type arrivals_on_off_type;
extern const struct config_type arrivals_deterministic_type;
extern const struct config_type arrivals_clients_type;

/* The first variants of a member that may be any of them. */
#define ARRIVALS_OPEN_VARIANTS                                                                     \
    [ARRIVALS_POISSON] = {"poisson", "independent, at a constant rate", &arrivals_poisson_type},   \
    [ARRIVALS_GAMMA] = {"gamma", "renewal, gamma intervals", &arrivals_gamma_type},                \
    [ARRIVALS_WEIBULL] = {"weibull", "renewal, Weibull intervals", &arrivals_weibull_type},        \
    [ARRIVALS_ON_OFF] = {"on_off", "bursts and silences (Markov-modulated)",                       \
                         &arrivals_on_off_type},                                                   \
    [ARRIVALS_DETERMINISTIC] = {"deterministic", "at equal distances",                             \
                                &arrivals_deterministic_type},                                     \
    [ARRIVALS_CLIENTS] = {"clients", "clients of unequal rates, superposed",                       \
                          &arrivals_clients_type}

/* Everything a process needs to draw. */
struct arrivals {
    const struct arrivals_ops *ops;
    gsl_rng *rng; /* the caller's */
};

struct arrivals_ops {
    void (*start)(struct arrivals *arrivals);    /* back to time 0 */
    double (*next_s)(struct arrivals *arrivals); /* never less than the one before */
    void (*destroy)(struct arrivals *arrivals);  /* what the arena does not free; may be NULL */
};

/* Requests per second in the long run. NaN or infinite where the settings contradict each other,
 * which arrivals_create refuses. */
double arrivals_mean_rate_per_s(const struct config_variant *config);

/* All rates are multiplied by rate_factor; the stays of on_off keep their lengths. Call
 * arrivals_start, with the random stream rewound, before drawing. NULL on error; place is that of
 * the settings. */
struct arrivals *arrivals_create(const struct config_variant *config, double rate_factor,
                                 gsl_rng *rng, struct arena *arena, const struct place *place,
                                 struct error *error);

static inline void arrivals_start(struct arrivals *arrivals)
{
    arrivals->ops->start(arrivals);
}

static inline double arrivals_next_s(struct arrivals *arrivals)
{
    return arrivals->ops->next_s(arrivals);
}

static inline void arrivals_destroy(struct arrivals *arrivals)
{
    if (arrivals && arrivals->ops->destroy)
        arrivals->ops->destroy(arrivals);
}

#endif
