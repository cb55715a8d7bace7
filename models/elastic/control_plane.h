/* The control plane: which instances exist when, and which of them take requests.
 *
 * Words. A replica is one engine; replicas of a pool are numbered slots, of which some are in use.
 * A node is what is rented at once: an instance that holds replicas_per_node replicas, or the
 * instances of one replica that is larger. A market is a place where a pool's nodes are had.
 *
 * Life of a node: requested -> (refused, or) provisioning -> booting -> pulling the image -> up ->
 * draining -> shutting down -> gone. Life of a replica on it: waiting for the node -> loading
 * weights -> warming up -> ready -> draining -> free. It is billed from the end of provisioning to
 * its end.
 *
 * For each elastic pool a scaler says how many replicas it wants, at its own times. The plane then
 * (1) takes replicas away, those that are not ready first, then those that leave a node empty
 * soonest, then the newest; (2) lets the purchase policy order and give back nodes, within the
 * hourly budget; (3) starts replicas on nodes with room, the fullest first. Where the purchase
 * policy holds more nodes than the replicas need (over-provisioning, stand-ins), all places of the
 * extra ones are used.
 *
 * Spot nodes go when their market's capacity falls below what is held there (which of them is
 * drawn), or when the life that was drawn for them ends; they are told a market's notice before.
 * A node with a notice counts as gone to the purchase policy, so its replacement is ordered at
 * once. Nodes fail without notice.
 *
 * A prefill and a decode pool of the same hardware may swap nodes (struct plane_rebalance): a node
 * drains in the one and comes up in the other, without being given back in between.
 *
 * The plane knows nothing of requests: it orders its owner about (struct plane_actions) and is told
 * when a draining replica is empty. Everything happens in plane_advance, at plane_next, and in
 * plane_emptied. Deterministic: random streams by name, ties by number. */
#ifndef TOKENYARD_MODELS_ELASTIC_CONTROL_PLANE_H
#define TOKENYARD_MODELS_ELASTIC_CONTROL_PLANE_H

#include <stdbool.h>
#include <stdint.h>

#include "models/elastic/elastic_settings.h"
#include "models/elastic/market.h"
#include "models/elastic/rebalance.h"
#include "models/elastic/scaler.h"
#include "models/elastic/spend_limit.h"
#include "models/elastic/start_up.h"
#include "models/money/usage.h"
#include "sim/clock.h"
#include "sim/error.h"

/* Why a replica goes. */
enum departure {
    DEPARTURE_DRAIN,     /* scaled in: it has until the deadline */
    DEPARTURE_NOTICE,    /* its node will be taken at the deadline */
    DEPARTURE_TAKEN,     /* its node was taken by its market, now */
    DEPARTURE_FAILED,    /* its node failed, now */
    DEPARTURE_TIMED_OUT, /* it was not empty at the end of its drain */
    DEPARTURE_BUDGET     /* given back at once to keep the budget */
};

/* What the owner does when told. */
struct plane_actions {
    void *context;
    /* What a metrics server sees of the pool now; replica counts are the plane's own. */
    void (*metrics)(void *context, uint32_t pool, struct scaler_metrics *out);
    /* The replica takes requests from now on. It is as new. */
    void (*up)(void *context, uint32_t replica, tick_t now);
    /* It takes no more. Returns whether it has none; otherwise the owner calls plane_emptied, once,
     * when it has none left. At the deadline it is told `down`. */
    bool (*drain)(void *context, uint32_t replica, enum departure why, tick_t now, tick_t deadline);
    /* It is no more. What it still had is lost. */
    void (*down)(void *context, uint32_t replica, enum departure why, tick_t now);
};

struct plane_pool {
    const char *name;
    const struct elastic_settings *settings; /* NULL: its replicas are there from first to last */
    uint32_t first_replica, slots;  /* slots: at most so many replicas; the fixed ones of a fixed
                                     * pool */
    uint32_t initial;               /* replicas at time 0, ready */
    enum purchase_option bought_as; /* nodes that are not on Spot */
    uint32_t replicas_per_node, instances_per_node;
    uint32_t gpus_per_node;
    struct start_up_context start_up;
    const uint32_t *markets; /* [market_count], into the spec's; none: on demand, without limit */
    const char *const *market_names; /* [market_count] */
    uint32_t market_count;
    double on_demand_usd_per_hour; /* of a node where no market is given */
};

/* Two pools whose nodes are alike, bought in the same markets, with scalers that stay as they are
 * told: their nodes change sides. */
struct plane_rebalance {
    const struct rebalance_settings *settings;
    uint32_t prefill, decode; /* pools */
};

struct plane_spec {
    const struct plane_pool *pools;
    uint32_t pool_count;
    struct market_spec *const *markets;
    uint32_t market_count;
    const struct plane_rebalance *rebalance; /* NULL: no node changes sides */
    double budget_usd_per_hour;              /* INFINITY: none */
    int64_t start_unix_s;                    /* the date of time 0 */
    uint64_t seed, replication;
    /* Filled with the lives of nodes and Spot prices. Its pools are those above; its markets are
     * the markets above, then one of each pool, for nodes of no market. */
    struct usage *usage;
    struct plane_actions actions;
};

/* What happened in one pool. */
struct plane_totals {
    uint64_t nodes_ordered, nodes_refused, nodes_started; /* started: billed */
    uint64_t interruptions, failures;                     /* nodes; an interruption had its end */
    uint64_t notices;
    uint64_t nodes_moved_out, nodes_moved_in; /* to the other pool of a rebalance; from it */
    uint64_t replicas_started, replicas_drained, replicas_lost;
    uint64_t scale_outs, scale_ins; /* decisions that changed the wanted number */
    uint64_t budget_refusals, budget_shed;
    double cost_usd;          /* prices over the lives of nodes; no minimums, no rounding */
    uint64_t cold_starts;     /* replicas that became ready after time 0 ... */
    double cold_start_s;      /* ... and summed over them, the time from wanted to ready */
    struct time_stat wanted;  /* replicas that the scaler wants */
    struct time_stat ready;   /* that take requests */
    struct time_stat any;     /* 1 while any is ready */
    struct time_stat enough;  /* 1 while at least as many are as the scaler wants */
    struct time_stat serving; /* likewise, and those that drain */
    struct time_stat nodes;   /* that are billed */
    struct time_stat spot;    /* of them */
};

/* A pool as it is now. */
struct plane_view {
    double wanted, ready;               /* replicas */
    double spot_nodes, on_demand_nodes; /* billed */
    double spot_capacity;               /* nodes, of its markets; INFINITY: without limit */
    double usd_per_hour;
};

struct plane;

/* NULL on error. The spec, and all that it points to, must outlive the plane. */
struct plane *plane_create(const struct plane_spec *spec, struct error *error);
void plane_destroy(struct plane *plane); /* NULL is allowed */

/* The initial replicas come up: the first call, at time 0. */
void plane_start(struct plane *plane);

/* When plane_advance is due; TICK_NEVER when nothing will happen any more. */
tick_t plane_next(const struct plane *plane);
void plane_advance(struct plane *plane, tick_t now);

/* A draining replica has no requests left. */
void plane_emptied(struct plane *plane, uint32_t replica, tick_t now);

/* Is anything on its way that is not merely the next look of a scaler: a node or replica that
 * starts, drains or is to be taken? */
bool plane_is_moving(const struct plane *plane);

/* The market whose record has ended, but may not: the run should stop with an error. NULL: none. */
const char *plane_ended_record(const struct plane *plane);

/* The simulation ends: nodes that live are billed until now. */
void plane_finish(struct plane *plane, tick_t now);

const struct plane_totals *plane_totals_of(const struct plane *plane, uint32_t pool);
struct plane_view plane_look(const struct plane *plane, uint32_t pool);
const struct spend_limit *plane_spend(const struct plane *plane);
/* Does no market have more nodes than its capacity? Always. */
bool plane_keeps_capacity(const struct plane *plane);

#endif
