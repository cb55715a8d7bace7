/* Which replica a request goes to.
 *
 * A router serves the pools it is given: a whole fleet, or some pools of one (those that decode,
 * say); replicas bear their number in the fleet. A request goes only to pools that serve its model.
 * Each policy is a row of one table, in a file of its own (models/fleet/router_*.c); some choose a
 * pool and leave the replica in it to another policy, named by "within".
 *
 * "Outstanding" is what a gateway can count: requests (or their prompt and output tokens) that were
 * sent to a replica and have not ended, waiting and running alike; charged when routed, released
 * when they end. Least-outstanding policies divide by the weight of the replica's pool, as nginx's
 * least_conn does; all but the random ones break ties by the lowest replica number. Output lengths
 * are what the caller says: the true ones, or a prediction (models/engine/output_prediction.h).
 *
 * The router owns its state and copies what it needs of the fleet, but for names. Choosing
 * allocates nothing, but for tables of prefixes that grow until they have seen enough. Time comes
 * with each request and never goes back: what a policy does on a timer it does at the first choice
 * after it, so that it needs no event of its own. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_H
#define TOKENYARD_MODELS_FLEET_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/clock.h"
#include "sim/config.h"

struct router_config {
    struct config_variant policy; /* of router_policies */
};

/* For a scenario's "router" member, and for `tokenyard list`: policies end with name NULL. */
extern const struct config_variant_type router_policies[];

/* What a replica's iteration takes, as a gateway would estimate it: a sum of four shares. */
struct router_speed {
    double iteration_s, per_sequence_s, per_context_tok_s, per_prompt_tok_s;
};

#define ROUTER_MODELS_MAX 64

struct router_pool {
    const char *name;
    uint32_t first_replica; /* its replicas are numbered from here */
    uint32_t replicas;
    double weight;
    uint64_t models; /* bit m: it serves model m; 0: all of them */
    /* Of one replica, for policies that predict latency or compare prices. */
    struct router_speed speed;
    double overhead_s; /* a request's way in and out, part of its TTFT */
    int64_t kv_tok;    /* tokens that its KV cache holds */
    int64_t max_sequences;
    double usd_per_hour;
};

/* What a replica's engine says of itself when asked (vLLM's /metrics). */
struct router_metrics {
    uint32_t waiting, running;
    double kv_used; /* share of its KV blocks */
};

/* For policies that poll. ask NULL: they go by what they sent. */
struct router_poll {
    void *context;
    struct router_metrics (*ask)(void *context, uint32_t replica);
};

/* What a class's requests should keep; INFINITY where nothing is asked. */
struct router_bounds {
    double ttft_s, tpot_s, e2e_s;
};

struct router_fleet {
    const struct router_pool *pools; /* rising first_replica */
    uint32_t pool_count;
    const char *const *class_names;
    const struct router_bounds *bounds; /* [class_count]; NULL: none */
    uint32_t class_count;
    const uint32_t *class_models; /* [class_count]: what each asks for; NULL: not known */
    uint32_t model_count;         /* 0 is 1 */
    struct router_poll poll;
    const char *stream; /* name of its random stream; NULL: "fleet/router" */
    uint64_t seed, replication;
};

/* Do its names of classes and pools name what there is, and pools that serve what classes ask for?
 * Only the names and models in fleet are looked at. The error's JSON pointer starts at the router.
 */
bool router_check(const struct router_config *config, const struct router_fleet *fleet,
                  struct error *error);

struct router;

/* For a config that router_check accepts. NULL when out of memory. */
struct router *router_create(const struct router_config *config, const struct router_fleet *fleet,
                             struct error *error);
void router_destroy(struct router *router); /* NULL is allowed */

/* What a gateway sees of a request. */
struct router_request {
    tick_t now;
    uint32_t class_index;
    uint32_t model; /* below the fleet's model_count */
    uint32_t prompt_tok, output_tok;
    uint32_t session;    /* ROUTER_NO_SESSION when not known */
    uint32_t block_tok;  /* tokens per prefix block */
    uint32_t id_count;   /* of the prompt's blocks; each id names the whole prefix up to its end */
    const uint64_t *ids; /* looked at during the call only */
};

#define ROUTER_NO_SESSION UINT32_MAX

#define ROUTER_NO_REPLICA UINT32_MAX

/* The replica for a request, charged with it from now on. ROUTER_NO_REPLICA, and nobody is charged,
 * when no available replica that the policy may send it to serves its model: ask again once one has
 * come. */
uint32_t router_choose(struct router *router, const struct router_request *request);
/* A request goes to this replica, available or not, without being asked about: it was moved there,
 * say. As if it had been chosen, but that the policy learns of the load alone (no prefixes, no
 * turns). */
void router_charge(struct router *router, uint32_t replica, uint32_t prompt_tok,
                   uint32_t output_tok);
/* The request ended there, or was taken away. Also of replicas that are not available. */
void router_release(struct router *router, uint32_t replica, uint32_t prompt_tok,
                    uint32_t output_tok);

/* Replicas come and go; all are available at first. One that is not gets no new requests and its
 * load counts nowhere; those that it has go on to be charged until they are released. What a policy
 * knows of it (prefixes, prompts that wait there) is forgotten when it goes: it comes back empty.
 * Saying again what is so already does nothing. While all are available everything is as if nobody
 * had ever been gone, but for turns. Costs O(replicas), and for policies that know of prefixes what
 * they know. */
void router_set_available(struct router *router, uint32_t replica, bool available);

/* Does the policy listen to what happens in the replicas' prefix caches? Only then need it be
 * told. */
bool router_listens(const struct router *router);
/* The replica's prefix cache holds the block from now on, or no more. Times never go back. */
void router_stored(struct router *router, uint32_t replica, uint64_t id, tick_t now);
void router_removed(struct router *router, uint32_t replica, uint64_t id, tick_t now);

#endif
