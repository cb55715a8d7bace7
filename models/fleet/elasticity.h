/* A fleet whose replicas come and go: what a simulation is told of it, and what it tells.
 *
 * The control plane (models/elastic/control_plane.h) says which replicas exist; this side carries
 * it out. Replicas that may ever exist are numbered from the start; those that do not exist are
 * closed to routers. A request for which no replica is there waits at the gateway, in order of
 * arrival, until one comes up (as behind Knative's activator); it is sent at the very tick.
 *
 * Requests on a replica that drains or dies are treated as the pool's interruption policy says
 * (models/elastic/elastic_settings.h). Each is accounted for: it goes on elsewhere (moved), or is
 * lost to its client, who has it counted as rejected, or tries again by its own rule. A request
 * keeps its arrival time and its first token wherever it goes on.
 *
 * A simulation without such a spec costs nothing more. */
#ifndef TOKENYARD_MODELS_FLEET_ELASTICITY_H
#define TOKENYARD_MODELS_FLEET_ELASTICITY_H

#include <stdbool.h>
#include <stdint.h>

#include "models/elastic/control_plane.h"
#include "models/money/usage.h"

/* What one pool's nodes are. */
struct elastic_pool_spec {
    const struct elastic_settings *settings; /* NULL: all its replicas exist always */
    uint32_t initial;                        /* replicas at time 0 */
    enum purchase_option bought_as;          /* nodes that are not on Spot */
    uint32_t replicas_per_node, instances_per_node, gpus_per_node;
    double usd_per_hour;       /* of a node, on demand, where it is of no market */
    struct usage_market usage; /* likewise, for bills */
    struct start_up_context start_up;
    double kv_bytes_per_tok, network_gb_s; /* of a replica; for copies of KV caches */
    const uint32_t *markets;               /* [market_count], into the spec's */
    const char *const *market_names;       /* [market_count] */
    uint32_t market_count;
};

struct elastic_spec {
    const struct elastic_pool_spec *pools; /* [pools of the simulation] */
    struct market_spec *const *markets;    /* [market_count] */
    uint32_t market_count;
    const struct usage_market *market_usage; /* [market_count]: for bills */
    const struct plane_rebalance *rebalance; /* NULL: no node changes sides */
    double budget_usd_per_hour;              /* INFINITY: none */
    int64_t start_unix_s;                    /* the date of time 0 */
    const char *const *tenants;              /* [class_count] */
};

/* What became of the requests of replicas that went. */
struct elastic_requests {
    uint64_t held;                        /* waited at the gateway, for want of a replica */
    double held_s;                        /* summed over them, until they were sent */
    uint64_t moved;                       /* went on elsewhere; each time counts */
    uint64_t migrated;                    /* of these, those whose KV cache was copied in time */
    uint64_t lost;                        /* attempts that ended with an error for their client */
    uint64_t checkpoints, answered_again; /* of batch jobs; answers that were lost unsaved */
    uint64_t lost_kv_tok;                 /* tokens of KV cache that went with their replicas */
};

struct elastic_result {
    struct plane_totals *pools; /* [pools of the simulation]; their time_stats end at the end */
    struct spend_limit spend;
    struct elastic_requests requests;
    struct usage usage;
};

/* The pool for a control plane, but for its name and replicas, which are the caller's. */
struct plane_pool elastic_plane_pool(const struct elastic_pool_spec *given);

void elastic_result_free(struct elastic_result *result); /* NULL is allowed; frees it, too */

#endif
