/* How a routing policy is written; for models/fleet/router*.c only.
 *
 * A policy at work is a chooser: it picks among the replicas of some pools. The router makes one
 * for each set of pools that some model may go to; a policy that picks a pool makes further ones,
 * one for each pool. Within a router, replicas are numbered by "slots", pool by pool, without gaps.
 *
 * Replicas come and go. A chooser's list has the slots that are available, so that a policy which
 * reads it afresh for each request need not know; one that keeps more than that by slot hears of
 * each change (availability_changed). At open all are available.
 *
 * Who adds a policy writes a struct router_policy, whose chooser is the first member of a struct of
 * its own, and adds a row to ROUTER_POLICIES. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_POLICY_H
#define TOKENYARD_MODELS_FLEET_ROUTER_POLICY_H

#include <gsl/gsl_rng.h>

#include "models/fleet/router.h"
#include "models/fleet/router_settings.h"

/* What was sent to a replica and has not ended. */
struct router_load {
    uint64_t requests;
    uint64_t tokens; /* prompt and output */
    uint64_t prompt_tok;
};

struct router_slot {
    struct router_load load;
    double inverse_weight;
    uint32_t pool;
    uint32_t replica; /* number in the fleet */
    bool available;
};

/* The policies that need no parameters, so that they can be named by "within", come first. */
#define ROUTER_SIMPLE_POLICIES(ROW)                                                                \
    ROW(round_robin, "each replica in turn", NULL)                                                 \
    ROW(random, "a replica drawn uniformly", NULL)                                                 \
    ROW(least_outstanding_requests, "the replica with the fewest unfinished requests, by weight",  \
        NULL)                                                                                      \
    ROW(least_outstanding_tokens,                                                                  \
        "the replica with the fewest tokens of unfinished requests, by weight", NULL)              \
    ROW(power_of_two_choices, "the less loaded of two replicas drawn at random", NULL)

#define ROUTER_POLICIES(ROW)                                                                       \
    ROUTER_SIMPLE_POLICIES(ROW)                                                                    \
    ROW(weighted, "pools by given shares of each class, then a policy within the pool",            \
        &router_weighted_type)                                                                     \
    ROW(replanned, "pools by shares that are planned anew on a timer, from what was observed",     \
        &router_replanned_type)                                                                    \
    ROW(by_length, "pools by the length of the request", &router_length_type)                      \
    ROW(session, "the replica that has the session, by a hash ring", &router_session_type)         \
    ROW(slo_aware, "a replica that is predicted to keep the class's SLO, or else the least bad",   \
        &router_slo_type)                                                                          \
    ROW(cheapest, "the cheapest pool that is predicted to keep the class's SLO",                   \
        &router_cheapest_type)                                                                     \
    ROW(prefix_affinity, "where the prompt's prefix was sent before, combined with load",          \
        &router_prefix_type)                                                                       \
    ROW(kv_aware, "where the prompt's prefix is, as told by cache events, combined with load",     \
        &router_kv_type)

/* A replica's prefix cache holds a block from then on, or no more. */
struct cache_change {
    tick_t when;
    uint64_t id;
    uint32_t slot;
    bool stored;
};

struct chooser;

struct router_policy {
    size_t size; /* of its chooser */
    /* NULL: nothing to check. */
    bool (*check)(const void *config, const struct router_fleet *fleet, struct error *error);
    /* Sets up what is its own (zeroed; the chooser is ready). NULL: nothing. false: no memory. */
    bool (*open)(struct chooser *chooser, const void *config);
    void (*close)(struct chooser *chooser); /* also after an open that failed. NULL: nothing */
    /* A slot of chooser->slots, which has some; ROUTER_NO_REPLICA when none of them will do. */
    uint32_t (*choose)(struct chooser *chooser, const struct router_request *request);
    /* The load of one of its slots is another now. NULL: it does not care. */
    void (*load_changed)(struct chooser *chooser, uint32_t slot);
    /* One of its slots has come into chooser->slots, or has left it. NULL: it does not care. */
    void (*availability_changed)(struct chooser *chooser, uint32_t slot);
    /* A prefix cache has changed. NULL: the policy does not listen. */
    void (*cache_changed)(struct chooser *chooser, const struct cache_change *change);
};

#define AS_DECLARATION(name, doc, type) extern const struct router_policy router_##name;
ROUTER_POLICIES(AS_DECLARATION)
#undef AS_DECLARATION

struct chooser {
    const struct router_policy *policy;
    struct router *router;
    const uint32_t *pools; /* that it chooses among, rising; owned */
    uint32_t pool_count;
    uint32_t *slots; /* their available replicas, rising; owned */
    uint32_t slot_count;
    uint32_t all_slots; /* how many there are, available or not */
};

struct chooser_list {
    struct chooser **items;
    uint32_t count;
};

struct router {
    struct router_fleet fleet;    /* as given; names live on, the arrays do not */
    struct router_pool *pools;    /* [fleet.pool_count] */
    struct router_bounds *bounds; /* [fleet.class_count] */
    struct router_slot *slots;
    uint32_t slot_count;
    uint32_t *slot_of;   /* by replica in the fleet */
    uint32_t *available; /* [pool_count]: how many of its replicas are */
    gsl_rng *rng;
    struct chooser **by_model; /* [model_count]; models with the same pools share theirs */
    uint32_t model_count;
    struct chooser_list *choosers;  /* [pool_count]: who chooses there, those within others first */
    struct chooser_list *watchers;  /* [pool_count]: who is told of loads there */
    struct chooser_list *listeners; /* [pool_count]: who is told of caches there */
};

/* A policy at work on these pools. NULL when out of memory. */
struct chooser *chooser_create(struct router *router, const struct router_policy *policy,
                               const void *config, const uint32_t *pools, uint32_t pool_count);
void chooser_destroy(struct chooser *chooser); /* NULL is allowed */

static inline uint32_t chooser_choose(struct chooser *chooser, const struct router_request *request)
{
    return chooser->policy->choose(chooser, request);
}

/* The place among the chooser's pools of the one with that name; its pool_count when it has none.
 */
uint32_t chooser_place(const struct chooser *chooser, const char *pool_name);

/* Tokens that were sent to a pool's available replicas and have not ended. */
uint64_t router_outstanding_tok(const struct router *router, uint32_t pool);

/* --- "within": the policy among the replicas of a chosen pool --- */

/* One chooser for each pool of the outer one, with a policy of router_within_names. NULL when out
 * of memory. */
struct chooser **choosers_within(struct chooser *outer, int within);
void choosers_destroy(struct chooser **choosers, uint32_t count); /* NULL is allowed */

/* One chooser of all replicas of the outer one. NULL when out of memory. */
struct chooser *chooser_like(struct chooser *outer, int within);

/* --- names --- */

/* Index of the name, or the fleet's count. */
uint32_t router_find_class(const struct router_fleet *fleet, const char *name);
uint32_t router_find_pool(const struct router_fleet *fleet, const char *name);

/* The error of a name that names nothing: key "pool" or "class" of element `index` of `list`. */
bool router_refuse_name(const char *list, size_t index, const char *key, const char *name,
                        struct error *error);

#endif
