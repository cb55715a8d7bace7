/* How long Spot instances lived: a file of observations, and the law that makes them likeliest.
 *
 * Instances are polled, so an end is only known to lie between the last time one was seen alive and
 * the first time it was seen gone (interval censoring); one that outlived its campaign is known to
 * have lived that long at least (right censoring). Both enter the likelihood as what they are: as
 * S(alive) - S(ended), and as S(alive), S being the law's survival function (Klein and
 * Moeschberger, Survival Analysis, 2nd edition, section 3.5). Dropping the survivors, or taking an
 * end for the middle of its interval, would make lives of under a polling interval look alike.
 *
 * Files are CSV: last_seen_alive_s, end_observed_s, terminated (1: it ended; 0: it was alive when
 * the log ended), and optionally cloud, zone, gpu, gpus to choose by. */
#ifndef TOKENYARD_WORKLOADS_LIFETIMES_H
#define TOKENYARD_WORKLOADS_LIFETIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/arena.h"
#include "sim/error.h"

struct lifetime {
    double alive_s; /* it lived at least so long */
    double ended_s; /* and at most so long; INFINITY: it was not seen to end */
};

struct lifetimes {
    struct lifetime *items;
    size_t count, ended;
};

struct lifetimes_options {
    const char *path;
    const char *cloud, *zone, *gpu; /* NULL: any */
    int64_t gpus;                   /* of an instance; INT64_MIN: any */
    /* Ends seen from this age on are the provider's limit, and not an interruption: such a life is
     * known to have lasted that long at least. INFINITY: there is none. */
    double max_lifetime_s;
};

/* Fails when the file is wrong, or nothing in it is as chosen. Taken from the arena. */
bool lifetimes_read(const struct lifetimes_options *options, struct arena *arena,
                    struct lifetimes *lifetimes, struct error *error);

enum lifetime_law { LIFETIME_EXPONENTIAL, LIFETIME_WEIBULL };

extern const char *const lifetime_law_names[]; /* "exponential", "weibull"; ends with NULL */

/* S(t) = exp(-(t / scale_s)^shape): the exponential has shape 1. */
struct lifetime_fit {
    double shape, scale_s;
    double log_likelihood;
};

/* Maximum likelihood. False where there is no one maximum: nothing ended; nobody was ever seen
 * alive after the start; or (Weibull) all lives are the same as far as the polls can tell. */
bool lifetimes_fit(enum lifetime_law law, const struct lifetimes *lifetimes,
                   struct lifetime_fit *fit);

#endif
