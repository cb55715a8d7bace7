/* Which pool and replica a request goes to.
 *
 * "Outstanding" is what a gateway can count: requests (or their prompt and output tokens) that were
 * sent to a replica and have not ended, waiting and running alike; charged when routed, released
 * when they end. Least-outstanding policies divide by the pool's weight, as nginx's least_conn
 * does, and break ties by lowest replica number. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_H
#define TOKENYARD_MODELS_FLEET_ROUTER_H

#include "sim/config.h"

/* weighted: what share of a class a pool gets. Classes without a share go by the fallback rule. */
struct router_share {
    const char *class_name;
    const char *pool;
    double weight;
};

struct router_config {
    struct config_variant policy; /* of router_policies */
};

extern const struct config_variant_type router_policies[];
extern const struct config_type router_config_type;

#endif
