/* Which replica a request goes to.
 *
 * "Outstanding" is what a gateway can count: requests (or their prompt and output tokens) that were
 * sent to a replica and have not ended, waiting and running alike; charged when routed, released
 * when they end. Least-outstanding policies divide by the weight of the replica's pool, as nginx's
 * least_conn does; all but the random ones break ties by the lowest replica number. Output lengths
 * are taken as known (a perfect predictor).
 *
 * A policy chooses among a range of replicas: the whole fleet, or one pool under "weighted", which
 * first gives each pool its share of a class. The router owns its state; choosing allocates
 * nothing. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_H
#define TOKENYARD_MODELS_FLEET_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/config.h"

struct router_config {
    struct config_variant policy; /* of router_policies */
};

/* Parameters of "weighted". */
struct router_weighted_config {
    struct config_list shares; /* struct router_share */
    int within;                /* enum, into router_range_names: the policy inside a pool */
};

/* What share of a class a pool gets. Classes without any share are spread by replica count. */
struct router_share {
    const char *class_name;
    const char *pool;
    double weight;
};

/* For a scenario's "router" member, and for `tokenyard list`: policies end with name NULL. */
extern const struct config_variant_type router_policies[];

struct router_pool {
    const char *name;
    uint32_t replicas;
    double weight;
};

struct router_fleet {
    const struct router_pool *pools; /* replicas are numbered pool by pool */
    uint32_t pool_count;
    const char *const *class_names;
    uint32_t class_count;
    uint64_t seed, replication;
};

/* Do its shares name classes and pools that there are? Only the names in fleet are looked at. The
 * error's JSON pointer starts at the router. */
bool router_check(const struct router_config *config, const struct router_fleet *fleet,
                  struct error *error);

struct router;

/* For a config that router_check accepts. NULL when out of memory. */
struct router *router_create(const struct router_config *config, const struct router_fleet *fleet,
                             struct error *error);
void router_destroy(struct router *router); /* NULL is allowed */

/* The replica for a request, charged with it from now on. */
uint32_t router_choose(struct router *router, uint32_t class_index, uint32_t prompt_tok,
                       uint32_t output_tok);
/* The request ended there. */
void router_release(struct router *router, uint32_t replica, uint32_t prompt_tok,
                    uint32_t output_tok);

#endif
