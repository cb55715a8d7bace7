/* The scenario file: everything a run or a plan is told, in one readable JSON file with comments.
 *
 * scenario_read resolves it: field tables give defaults and bounds, names are looked up in the
 * catalogue, memory is checked, step times are compiled. What comes out can be simulated any number
 * of times, also in parallel: it is immutable, and everything hangs off one arena. */
#ifndef TOKENYARD_SCENARIOS_SCENARIO_H
#define TOKENYARD_SCENARIOS_SCENARIO_H

#include "models/fleet/deployment.h"
#include "models/fleet/simulation.h"
#include "models/money/carbon.h"
#include "models/money/money_config.h"
#include "scenarios/compare_config.h"
#include "scenarios/plan_config.h"
#include "scenarios/stage_config.h"
#include "sim/config.h"
#include "workloads/workload.h"

struct scenario_deadline {
    double ttft_s, e2e_s; /* NaN: none */
    bool drop_expired;
};

/* One request class as the file says it; bounds are [min, max] lists, null for an open end. */
struct scenario_class {
    const char *name;
    const char *stream;            /* NULL: any */
    struct config_list prompt_tok; /* int64_t[2], or empty */
    struct config_list output_tok;
    const char *model; /* NULL: the scenario's */
    int64_t priority;
    const char *tenant; /* NULL: its own */
    double tenant_weight;
    struct scenario_deadline *deadline; /* NULL: none */
    struct client_settings *client;     /* NULL: they wait for ever */
};

struct scenario_pool {
    const char *name;
    const char *model;    /* NULL: the scenario's */
    const char *gpu;      /* NULL: the instance's */
    const char *instance; /* NULL: not rented as a whole */
    int64_t replicas;
    int64_t tensor_parallel, pipeline_parallel;
    struct config_list stages; /* struct scenario_stage; empty: those two */
    int pipelining;            /* enum pipelining */
    int64_t micro_batches;     /* INT64_MIN: the engine's own rule */
    int64_t attention_data_parallel, expert_parallel;
    int role;                /* enum pool_role */
    int weights, kv;         /* enum precision */
    int expert_weights;      /* likewise; -1: as weights */
    double network_rtt_ms;   /* between clients and the pool */
    double usd_per_gpu_hour; /* NaN: from the instance, or the cheapest with this GPU */
    double weight;
    int bought_as;                    /* enum purchase_option; nodes that are not on Spot */
    struct elastic_settings *elastic; /* NULL: its replicas exist always */
    struct engine_settings engine;    /* the scenario's, where the pool says nothing else */
    struct config_variant step_time;
};

struct scenario_budget {
    double usd_per_hour;
};

struct scenario_slo {
    const char *class_name; /* NULL: every class */
    double ttft_s, tpot_s, e2e_s;
    double percentile;
};

struct scenario_output {
    bool requests; /* requests.h5 */
    bool trace;    /* trace.json for Perfetto */
    bool plots;
    double timeline_interval_s; /* NaN: chosen while the run goes */
};

/* The file's own words, with defaults filled in. */
struct scenario_config {
    const char *schema; /* "$schema": for editors only */
    const char *name, *description;
    int64_t seed;
    const char *start_time;         /* the date of time 0 */
    const char *model;              /* NULL only where a plan needs none */
    void *workload;                 /* of workload_config_type; NULL likewise */
    struct config_list classes;     /* struct scenario_class */
    struct client_settings *client; /* NULL: clients wait for ever */
    struct engine_settings engine;
    struct config_list pools;       /* struct scenario_pool */
    struct config_list markets;     /* struct market_settings */
    struct scenario_budget *budget; /* NULL: none */
    struct money_config *money;     /* NULL: no bill is made */
    struct carbon_settings *carbon; /* NULL: what it emits is not counted */
    struct router_config router;
    struct disaggregation_config *disaggregation; /* NULL: defaults, where a pool has a role */
    struct rebalance_settings *rebalance;         /* NULL: replicas keep their roles */
    struct config_list slo;                       /* struct scenario_slo */
    double horizon_s;                             /* NaN: until all requests have ended */
    double warmup_s;
    struct scenario_output output;
    struct hardware_entries *hardware; /* GPUs and instances of its own; NULL: none */
    struct scenario_plan *plan;        /* NULL: no search is described */
    struct scenario_compare *compare;  /* NULL: no comparison is */
};

extern const struct config_type scenario_config_type;

struct scenario_model {
    const char *name; /* as the scenario calls it */
    const struct llm *llm;
};

/* What a pool's hardware costs. */
struct scenario_price {
    double usd_per_hour; /* of the whole pool */
    int64_t instances;   /* rented; 0 when priced by the GPU */
    const char *source;  /* where the price comes from, with its date */
};

struct scenario {
    struct scenario_config config;
    const char *path;
    const char *folder; /* relative paths in the file are relative to it */
    const char *catalog_folder;
    struct json_document *document;
    struct arena *arena;
    struct hardware *hardware;       /* the catalogue's, with the scenario's own */
    struct calibration *calibration; /* kernel curves and engine constants of these GPUs */
    const struct llm *llm;           /* of config.model; NULL when that is */
    struct scenario_model *models;   /* all that pools serve or requests ask for */
    const char **model_names;        /* of them */
    size_t model_count;
    uint32_t *pool_models;          /* [pools of config]: into models */
    struct deployment *deployments; /* [pool_count] */
    struct scenario_price *prices;  /* [pool_count] */
    struct pool_spec *pools;        /* [pool_count], ready for simulation_spec */
    size_t pool_count;
    struct elastic_pool_spec *elastic_pools; /* [pool_count] */
    struct market_spec *const *markets;      /* [market_count] */
    struct usage_market *market_usage;       /* likewise */
    uint32_t market_count;
    const struct elastic_spec *elastic; /* NULL: nothing comes or goes, or is billed by the hour */
    const struct disaggregation_config *disaggregation; /* NULL: no pool has a role */
    struct class_rule *classes; /* the file's, and a last one that matches the rest */
    size_t class_count;
    struct class_traits *traits; /* [class_count] */
    uint32_t *class_models;      /* [class_count]: into models */
    struct client_rule *clients; /* [class_count]; NULL: nobody gives up */
    struct slo_rule *slos;
    size_t slo_count;
};

/* Reads and resolves; sets are "--set" assignments, applied in order. NULL on error. */
struct scenario *scenario_read(const char *path, const char *const *sets, size_t set_count,
                               struct error *error);
void scenario_free(struct scenario *scenario); /* NULL is allowed */

/* The workload as a source the caller destroys before the scenario is freed. NULL on error, which
 * an endless workload is where the scenario has no horizon. */
struct source *scenario_open_source(const struct scenario *scenario, uint64_t replication,
                                    struct error *error);

/* Everything of the spec but its source, stepwise and observer. */
struct simulation_spec scenario_spec(const struct scenario *scenario, uint64_t replication);

/* Makes the files that a scenario names (its traces, its model) be found from wherever the scenario
 * will lie, instead of relative to this folder. A file that is not there keeps its name. */
void scenario_make_paths_absolute(cJSON *root, const char *folder);

/* The scenario as resolved, with absolute paths: what --print-config and the manifest show. The
 * caller deletes it. */
cJSON *scenario_to_json(const struct scenario *scenario);

#endif
