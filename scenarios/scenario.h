/* The scenario file: everything a run or a plan is told, in one readable JSON file with comments.
 *
 * scenario_read resolves it: field tables give defaults and bounds, names are looked up in the catalogue,
 * memory is checked, step times are compiled. What comes out can be simulated at once, any
 * number of times, also in parallel. */
#ifndef TOKENYARD_SCENARIOS_SCENARIO_H
#define TOKENYARD_SCENARIOS_SCENARIO_H

#include "models/fleet/simulation.h"
#include "models/llm/memory.h"
#include "models/steptime/steptime.h"
#include "sim/config.h"

/* One pool as the file says it. */
struct scenario_pool {
    const char *name;
    const char *gpu;      /* NULL: the instance's */
    const char *instance; /* NULL: priced by usd_per_gpu_hour, or the cheapest instance with this GPU */
    int64_t replicas;
    int64_t tensor_parallel, pipeline_parallel;
    int weights, kv; /* enum precision */
    double usd_per_gpu_hour; /* NaN: from the instance */
    double weight;
    struct engine_settings *engine; /* NULL: the scenario's */
    struct config_variant step_time;    /* "roofline", or "given" with constants */
};

struct scenario_output {
    bool requests;               /* requests.h5 */
    bool trace;                  /* trace.json for Perfetto */
    bool plots;
    double timeline_interval_s;  /* NaN: chosen so that there are 200 to 400 rows */
};

/* The file's own words, with defaults filled in. */
struct scenario_config {
    const char *name, *description;
    int64_t seed;
    const char *model;
    void *workload; /* workload_config_type */
    struct config_list classes; /* struct scenario_class */
    struct config_list pools;   /* struct scenario_pool */
    struct engine_settings *engine;
    struct router_config router;
    struct config_list slo;     /* struct scenario_slo */
    double horizon_s, warmup_s; /* NaN horizon: until all requests have ended */
    struct scenario_output output;
    struct scenario_hardware *hardware; /* GPUs and instances of this scenario's own; NULL: none */
    struct scenario_plan *plan;         /* NULL: no search is described */
};

#endif
