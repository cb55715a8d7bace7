/* "stages" of a pool: a replica as a list of pipeline stages on hardware of their own. */
#ifndef TOKENYARD_SCENARIOS_STAGE_CONFIG_H
#define TOKENYARD_SCENARIOS_STAGE_CONFIG_H

#include "models/steptime/layer_time.h"
#include "sim/config.h"

struct scenario_stage {
    const char *gpu;      /* NULL: the instance's */
    const char *instance; /* NULL: not rented as a whole */
    int64_t tensor_parallel, layers;
    int64_t first_layer; /* INT64_MIN: where the stage before ends */
    double share;
    double link_gb_s, link_latency_us; /* to the next stage; NaN: what nodes have */
    struct layer_time *layer_time;     /* NULL: by the pool's step_time */
};

extern const struct config_field scenario_stage_element; /* struct scenario_stage */

#endif
