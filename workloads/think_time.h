/* How long a client waits between the end of one request and sending its next. */
#ifndef TOKENYARD_WORKLOADS_THINK_TIME_H
#define TOKENYARD_WORKLOADS_THINK_TIME_H

#include <gsl/gsl_rng.h>

#include "sim/config.h"
#include "workloads/place.h"

enum think_kind { THINK_CONSTANT, THINK_UNIFORM, THINK_EXPONENTIAL, THINK_LOGNORMAL };

/* Each kind of think time uses what it needs. */
struct think_time {
    double think_s; /* constant: the time; exponential and lognormal: the mean */
    double cv;      /* lognormal: standard deviation over mean */
    double min_s, max_s;
};

extern const struct config_variant_type think_variants[]; /* by enum think_kind */

/* Members of a table: a think time, nothing where the scenario says nothing. */
#define THINK_FIELD(type, member, text)                                                            \
    {                                                                                              \
        .name = "think", .kind = CONFIG_VARIANT, .offset = offsetof(type, member), .doc = text,    \
        .preset = "{\"kind\": \"constant\", \"think_s\": 0}", .selector = "kind",                  \
        .variants = think_variants                                                                 \
    }

/* place: of the object that has the member "think". */
bool think_time_check(const struct config_variant *config, const struct place *place,
                      struct error *error);

/* When a client whose request ended at now_s sends its next: think_s after that, and at least one
 * clock tick, so that it is strictly later. */
double think_time_next_s(const struct config_variant *config, double now_s, gsl_rng *rng);

#endif
