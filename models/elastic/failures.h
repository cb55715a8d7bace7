/* Machines that break on their own: when, and how long until that is noticed.
 *
 * Failures are exponential (without memory), of each GPU and of what else an instance is made of;
 * the first of them ends the node. A pool without the member "failures" has none. */
#ifndef TOKENYARD_MODELS_ELASTIC_FAILURES_H
#define TOKENYARD_MODELS_ELASTIC_FAILURES_H

#include <gsl/gsl_rng.h>

#include "sim/clock.h"
#include "sim/config.h"
#include "workloads/place.h"

struct failure_settings {
    double gpu_mtbf_h;      /* hours of one GPU between its failures; INFINITY-like: null, never */
    double instance_mtbf_h; /* hours of one instance, its GPUs left out; null: never */
    struct config_variant detection; /* a duration */
};

extern const struct config_type failure_config_type; /* struct failure_settings */

bool failure_check(const struct failure_settings *settings, const struct place *place,
                   struct error *error);

/* Mean seconds until a node of so many instances and GPUs (of all of them) fails; INFINITY: never.
 */
double failure_mtbf_s(const struct failure_settings *settings, int64_t instances, int64_t gpus);

/* From being there until it fails; TICK_NEVER: not within the time a clock can tell. settings may
 * be NULL: never. */
tick_t failure_draw(const struct failure_settings *settings, int64_t instances, int64_t gpus,
                    gsl_rng *rng);

/* From the failure until the control plane knows of it and may ask for another node. */
tick_t failure_draw_detection(const struct failure_settings *settings, gsl_rng *rng);

#endif
