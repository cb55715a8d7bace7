/* The "plan" member of a scenario: what may be rented, and what is asked of the fleet.
 *
 * Read by scenario_plan_type as part of the scenario; scenario_plan_check then sees to what no
 * single field can tell. Where throughputs are given, the scenario needs no model and no workload:
 * the plan is then a problem on paper. */
#ifndef TOKENYARD_SCENARIOS_PLAN_CONFIG_H
#define TOKENYARD_SCENARIOS_PLAN_CONFIG_H

#include "models/elastic/elastic_settings.h"
#include "sim/config.h"

#define PLAN_NODES_MAX 1000 /* on Spot, of one kind */

/* One thing that can be rented: an instance type of the catalogue, or single GPUs. */
struct scenario_offer {
    const char *instance; /* either this ... */
    const char *gpu;      /* ... or this */
    int64_t available;    /* instances, or GPUs; INT64_MIN: as many as the budget pays for */
    double usd_per_hour;  /* of one instance or GPU; NaN: the instance's in the catalogue */
    struct elastic_settings *elastic; /* its markets, and how nodes live there; NULL: on demand */
};

/* Ways of deploying the model that are tried on every offer. */
struct scenario_layouts {
    struct config_list tensor_parallel;   /* int64_t */
    struct config_list pipeline_parallel; /* int64_t */
    struct config_list weights;           /* int, enum precision */
    int expert_weights;                   /* likewise; -1: as weights */
    int kv;                               /* enum precision */
};

/* How requests are cut into classes, where the scenario has no classes of its own. */
struct scenario_cut {
    int64_t prompt_bins, output_bins; /* of about equally many requests each, unless ... */
    struct config_list prompt_edges, output_edges; /* ... given: int64_t, each starts a bin */
};

struct scenario_demand {
    const char *name;
    double requests;
};

struct scenario_given_config {
    const char *name;
    const char *offer; /* the instance or GPU of one of the offers */
    int64_t gpus;
    struct config_list requests_per_s; /* double, in the order of the demand; 0: cannot serve */
};

/* Throughputs that need not be measured. */
struct scenario_given {
    struct config_list demand;  /* struct scenario_demand */
    struct config_list configs; /* struct scenario_given_config */
};

struct scenario_plan {
    double budget_usd_h;
    int objective;             /* enum plan_objective, in analysis/plan_milp.h */
    double within_s;           /* NaN: the time span of the sampled requests */
    struct config_list offers; /* struct scenario_offer */
    struct scenario_layouts layouts;
    struct scenario_cut cut;
    int64_t sample_requests;  /* taken from the workload, for classes and demand */
    int64_t measure_requests; /* simulated, at least, to measure one throughput */
    double time_limit_s, mip_gap;
    double confidence;    /* of a plan with markets: share of its replications that must hold ... */
    int64_t replications; /* ... of so many */
    struct scenario_given *given; /* NULL: measured by simulation */
};

extern const struct config_type scenario_plan_type;

/* document: the scenario, whose "/plan" was read into plan. */
bool scenario_plan_check(const struct scenario_plan *plan, const struct json_document *document,
                         struct error *error);

/* Is an offer sold in markets, so that Spot is a choice? */
static inline bool scenario_offer_has_markets(const struct scenario_offer *offer)
{
    return offer->elastic && offer->elastic->markets.count > 0;
}

bool scenario_plan_has_markets(const struct scenario_plan *plan);

/* The instance or GPU that an offer names. */
const char *scenario_offer_name(const struct scenario_offer *offer);

#endif
