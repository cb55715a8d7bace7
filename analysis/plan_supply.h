/* What Spot markets really supply: how much of the time the k-th node is there, and at what price.
 *
 * Found by running the control plane (markets, purchase policy, start-up, interruptions) with a
 * pool that wants a number of nodes on Spot, and no requests: many replications in little time.
 * Deterministic; the markets' draws are those that a simulation of the same seed and replication
 * sees. */
#ifndef TOKENYARD_ANALYSIS_PLAN_SUPPLY_H
#define TOKENYARD_ANALYSIS_PLAN_SUPPLY_H

#include "models/fleet/elasticity.h"
#include "sim/arena.h"
#include "sim/error.h"

struct plan_supply_question {
    struct elastic_pool_spec pool; /* its settings' counts and shares are set here */
    const char *name;              /* of the pool: its random streams go by it */
    struct market_spec *const *markets;
    const struct usage_market *market_usage;
    uint32_t market_count;
    const double *on_demand_usd; /* [market_count + 1]: of an instance, per hour; the last one's, of
                                  * no market, does not matter */
    int64_t start_unix_s;
    uint64_t seed;
    double horizon_s;
    int64_t nodes; /* wanted on Spot */
    int64_t replications;
    double confidence;
};

struct plan_supply {
    int64_t nodes;
    double *there;   /* [nodes]: share of the time that more than k of them serve; falls with k */
    double mean_usd; /* paid for a node-hour; NaN: there never was one */
    /* Likewise in the dearest clock hour; not passed in `confidence` of the replications. */
    double high_usd;
    double interruptions_per_node_hour;
};

/* Memory is from the arena. */
bool plan_supply_measure(const struct plan_supply_question *question, struct arena *arena,
                         struct plan_supply *supply, struct error *error);

/* Share of the time that one of the first `nodes` nodes serves, on average; 1 for none. */
double plan_supply_available(const struct plan_supply *supply, int64_t nodes);

/* Nodes on Spot that are worth having where on_demand_usd buys one that is always there: the next
 * one would cost more for the time that it serves. */
int64_t plan_supply_worth(const struct plan_supply *supply, double on_demand_usd);

#endif
