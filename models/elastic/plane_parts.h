/* The insides of a control plane, shared by the files that make it up: control_plane.c (time),
 * plane_nodes.c (life of nodes), plane_replicas.c (life of replicas on them), plane_markets.c (what
 * markets do to nodes), plane_reconcile.c (from wanted replicas to orders), plane_rebalance.c
 * (nodes that change sides). Nobody else includes this. */
#ifndef TOKENYARD_MODELS_ELASTIC_PLANE_PARTS_H
#define TOKENYARD_MODELS_ELASTIC_PLANE_PARTS_H

#include <gsl/gsl_rng.h>

#include "models/elastic/control_plane.h"
#include "models/elastic/failures.h"
#include "models/elastic/purchase.h"
#include "sim/event_queue.h"

#define NODE_NONE   UINT32_MAX
#define POOL_NONE   UINT32_MAX
#define MARKET_NONE UINT32_MAX

enum node_state {
    NODE_GONE, /* its record may be used again */
    NODE_REQUESTED,
    NODE_PROVISIONING,
    NODE_BOOTING,
    NODE_PULLING, /* the image */
    NODE_UP,
    NODE_PAID /* it is gone, but billed on: minimum and granularity */
};

struct node {
    uint32_t pool, market; /* MARKET_NONE: on demand, where no market is given */
    bool spot;
    bool leaving; /* it drains or has a notice: nothing new is put on it, and nobody counts on it */
    bool warned;  /* it has had its notice */
    bool placed;  /* it takes a place of its market; one that has none is asked for in vain */
    uint32_t heir;     /* the pool that gets it once it is empty; POOL_NONE: it ends */
    int64_t inherited; /* replicas that the heir will want because of that */
    enum node_state state;
    tick_t stage_end; /* of the state, or TICK_NEVER */
    struct node_stages stages;
    tick_t notice, taken; /* by its market; TICK_NEVER */
    tick_t fails;
    tick_t requested;
    tick_t billed_from;      /* when its meter began, in whatever pool */
    double usd_per_hour;     /* of the node; held of the budget */
    tick_t priced;           /* while billed: its cost is counted up to then */
    uint32_t hosted;         /* replicas that have a place on it */
    uint32_t loading;        /* of these, those that load their weights */
    uint64_t serial;         /* in the order of requests */
    struct node_usage usage; /* once billed */
};

enum replica_state {
    REPLICA_FREE,
    REPLICA_PLACED, /* its node is not up yet */
    REPLICA_LOADING,
    REPLICA_WARMING,
    REPLICA_READY,
    REPLICA_DRAINING
};

struct plane_replica {
    enum replica_state state;
    uint32_t node;
    tick_t stage_end; /* of LOADING, WARMING; of DRAINING: its deadline */
    tick_t warm_up;
    tick_t wanted; /* when it was given its place */
};

struct elastic_pool {
    const struct plane_pool *spec;
    struct scaler *scaler;     /* NULL: a fixed pool */
    struct purchase *purchase; /* likewise */
    struct purchase_market
        *offers; /* [offer_count]: its markets, as the purchase policy sees them */
    struct purchase_order *orders; /* of one decision */
    uint32_t offer_count;
    int64_t wanted; /* replicas, as the scaler says */
    tick_t look;    /* when it is to be reconciled although nothing happens */
    bool dirty;     /* to be reconciled */
    bool refused;   /* the budget did, when it was last reconciled */
    gsl_rng *start_up, *failures;
    struct plane_totals totals;
};

/* From then on there are so many Spot nodes to be had. */
struct capacity_step {
    tick_t from;
    int64_t nodes;
};

/* A market, seen now and seen at the end of its notice: what it will take is known by then. */
struct plane_market {
    struct market *present, *ahead;
    tick_t notice;
    struct capacity_step *coming; /* after now, up to the end of the notice; by time */
    uint32_t coming_count, coming_capacity;
    int64_t held; /* Spot nodes that have a place and are not gone */
    int64_t kept; /* of these, those without a notice */
    int64_t on_demand_held;
    struct time_stat in_use; /* held */
    tick_t last_refusal, last_on_demand_refusal, last_interruption, last_ready;
    int64_t interruptions;
    gsl_rng *victims;
};

struct plane {
    const struct plane_spec *spec;
    struct error *error;
    struct elastic_pool *pools;     /* [spec->pool_count] */
    struct plane_market *markets;   /* [spec->market_count] */
    struct plane_replica *replicas; /* [replica_count], by their number in the fleet */
    uint32_t *pool_of;              /* [replica_count] */
    uint32_t replica_count;
    struct node *nodes;
    uint32_t node_count, node_capacity;
    uint32_t moving; /* nodes and replicas that are in a stage, drain, or have a notice */
    uint64_t next_serial;
    struct rebalance rebalance; /* where the spec has one */
    uint32_t mover;             /* the last node that changed sides, or is about to; or NODE_NONE */
    uint64_t mover_serial;      /* of it: its record may be another node's by now */
    struct spend_limit spend;
    struct event_queue timers;
    tick_t now;
    const char *ended_record; /* the market whose record ended, and the run did not; NULL: none */
    bool starting;            /* the initial nodes are ordered: they are there at once */
};

/* Actors of the timers; in this order at one tick. */
enum timer_priority {
    TIMER_MARKET,
    TIMER_NODE,
    TIMER_REPLICA,
    TIMER_PURCHASE,
    TIMER_SCALER,
    TIMER_REBALANCE
};

static inline uint32_t timer_of_market(const struct plane *plane, uint32_t market)
{
    (void)plane;
    return market;
}

static inline uint32_t timer_of_pool(const struct plane *plane, uint32_t pool, bool purchase)
{
    return plane->spec->market_count + 2 * pool + purchase;
}

static inline uint32_t timer_of_rebalance(const struct plane *plane)
{
    return timer_of_pool(plane, plane->spec->pool_count, false);
}

static inline uint32_t timer_of_replica(const struct plane *plane, uint32_t replica)
{
    return timer_of_rebalance(plane) + 1 + replica;
}

static inline uint32_t timer_of_node(const struct plane *plane, uint32_t node)
{
    return timer_of_replica(plane, plane->replica_count) + node;
}

static inline const struct plane_pool *pool_spec_of(const struct plane *plane, uint32_t pool)
{
    return plane->pools[pool].spec;
}

/* --- plane_nodes.c --- */

/* Requests a node; false where the budget refuses it. Ends the simulation when out of memory. */
bool node_order(struct plane *plane, uint32_t pool, uint32_t market, bool spot);
void node_timer(struct plane *plane, uint32_t number);
/* It takes no more replicas; those it has drain, and with the last of them it ends. */
void node_release(struct plane *plane, uint32_t number);
/* Its market will take it at that time. */
void node_give_notice(struct plane *plane, uint32_t number, tick_t taken);
/* It is gone from now on, with all that is on it. */
void node_terminate(struct plane *plane, uint32_t number, enum departure why);
/* When a replica that drains from now on is ended. */
tick_t plane_drain_deadline(const struct plane *plane, uint32_t pool);
/* It is another pool's from now on, empty as it is: one record of its use ends, and one begins. */
void node_change_pool(struct plane *plane, uint32_t number, uint32_t pool);
/* A replica has left it: with the last one it ends, or goes to its heir. */
void node_emptied(struct plane *plane, uint32_t number);
/* USD per hour of such a node now. */
double node_price(const struct plane *plane, uint32_t pool, uint32_t market, bool spot);
/* Prices have changed. Before they count, the dearest are given back until the budget is kept. */
void nodes_reprice(struct plane *plane);
/* The end of the simulation: all that live are billed until now. */
void nodes_finish(struct plane *plane);

/* --- plane_replicas.c --- */

void replica_place(struct plane *plane, uint32_t replica, uint32_t node);
/* Its node is up. */
void replica_load(struct plane *plane, uint32_t replica);
void replica_timer(struct plane *plane, uint32_t replica);
void replica_drain(struct plane *plane, uint32_t replica, enum departure why, tick_t deadline);
void replica_end(struct plane *plane, uint32_t replica, enum departure why);
/* A draining replica has no requests left. */
void replica_emptied(struct plane *plane, uint32_t replica);
/* The first free slot of a pool, or its end. */
uint32_t replica_free_slot(const struct plane *plane, uint32_t pool);

/* --- plane_markets.c --- */

bool markets_create(struct plane *plane);
void markets_destroy(struct plane *plane);
/* How many more nodes are to be had. */
int64_t market_room(const struct plane *plane, uint32_t market, bool spot);
/* The node was asked for, and takes a place; does the market grant it (draws)?; it does not; it was
 * told that it will go; it is gone. */
void market_take(struct plane *plane, uint32_t node);
bool market_grant(struct plane *plane, uint32_t node);
void market_refused(struct plane *plane, uint32_t node);
void market_warned(struct plane *plane, uint32_t node);
void market_gone(struct plane *plane, uint32_t node);
void market_publish_price(struct plane *plane, uint32_t market);
void market_schedule(struct plane *plane, uint32_t market);
void market_timer(struct plane *plane, uint32_t market);

/* --- plane_reconcile.c --- */

bool reconcile_create(struct plane *plane, struct elastic_pool *pool);
void reconcile_destroy(struct elastic_pool *pool);
/* Of two that may be given back: is it the first that should be? */
bool node_goes_before(const struct node *a, const struct node *b);
/* From what the pool's scaler wants to nodes and replicas. */
void reconcile(struct plane *plane, uint32_t pool);
/* The pool is to be reconciled at that tick. */
void look_again(struct plane *plane, uint32_t pool, tick_t when);
/* All that a fixed pool ever has. */
void reconcile_fixed(struct plane *plane, uint32_t pool);
/* The counts of replicas in what a metrics server sees. */
void count_replicas(const struct plane *plane, uint32_t pool, struct scaler_metrics *metrics);

/* More or fewer replicas are ready, or wanted. */
static inline void note_readiness(struct plane *plane, struct elastic_pool *pool)
{
    struct plane_totals *totals = &pool->totals;
    time_stat_set(&totals->any, plane->now, totals->ready.value > 0);
    time_stat_set(&totals->enough, plane->now, totals->ready.value >= totals->wanted.value);
}

/* Does the replica count on being there? (Neither free nor draining.) */
static inline bool replica_counts(const struct plane_replica *replica)
{
    return replica->state != REPLICA_FREE && replica->state != REPLICA_DRAINING;
}

/* --- plane_rebalance.c --- */

void rebalance_begin(struct plane *plane);
void rebalance_timer(struct plane *plane);
/* A node with an heir is empty. */
void rebalance_adopt(struct plane *plane, uint32_t node);
/* A node that may have an heir will be gone instead. */
void rebalance_lose(struct plane *plane, uint32_t node);

/* --- control_plane.c --- */

/* What a metrics server sees of the pool now. */
struct scaler_metrics plane_metrics(const struct plane *plane, uint32_t pool);
/* The pool wants so many replicas from now on. */
void pool_want(struct plane *plane, uint32_t pool, int64_t replicas);

gsl_rng *plane_stream(const struct plane *plane, const char *purpose, const char *name);

#endif
