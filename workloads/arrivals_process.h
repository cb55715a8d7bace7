/* What a kind of arrival process is made of: private to the files that implement one each. */
#ifndef TOKENYARD_WORKLOADS_ARRIVALS_PROCESS_H
#define TOKENYARD_WORKLOADS_ARRIVALS_PROCESS_H

#include "sim/clock.h"
#include "workloads/arrivals.h"
#include "workloads/interval.h"

/* config: the struct of the kind's config_type. */
struct arrival_process {
    double (*rate_per_s)(const void *config);
    /* All rates times factor. NULL when out of memory. */
    struct arrivals *(*create)(const void *config, double factor, struct arena *arena);
    /* NULL: nothing to check. */
    bool (*check)(const void *config, double factor, const struct place *place,
                  struct error *error);
};

extern const struct arrival_process arrivals_poisson, arrivals_gamma, arrivals_weibull,
    arrivals_on_off, arrivals_deterministic, arrivals_clients;

#define ARRIVALS_RATE_MAX_PER_S 1e9

#define ARRIVALS_NUMBER(type, member, text)                                                        \
    .name = #member, .kind = CONFIG_NUMBER, .offset = offsetof(type, member), .doc = text
#define ARRIVALS_RATE(type)                                                                        \
    {                                                                                              \
        ARRIVALS_NUMBER(type, rate_per_s, "mean requests per second"),                             \
            .min = 0, .max = ARRIVALS_RATE_MAX_PER_S, .above_min = true                            \
    }
#define ARRIVALS_CV_BOUNDS .min = 0.001, .max = INTERVAL_CV_MAX

#endif
