/* A router over some of a fleet's pools, those of given roles, that speaks in the fleet's numbers
 * of replicas. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTE_H
#define TOKENYARD_MODELS_FLEET_ROUTE_H

#include "models/fleet/simulation.h"

enum { ROUTE_ALL = -1 }; /* roles: a bit for each enum pool_role, or all */

/* A router over the pools with such roles. NULL when out of memory. */
struct router *route_router(const struct simulation_spec *spec, const struct router_config *config,
                            int roles, struct error *error);

struct route {
    struct router *router;
    uint32_t *replica_of; /* [replicas of these pools]: in the fleet */
    uint32_t *index_of;   /* [replicas of the fleet]: among these */
};

/* There must be a pool with such a role. false when out of memory. */
bool route_init(struct route *route, const struct simulation_spec *spec,
                const struct router_config *config, int roles, struct error *error);
void route_free(struct route *route); /* of zeros, too */

/* The replica for a request, charged with it until it is released. */
uint32_t route_choose(struct route *route, const struct request *request);
void route_release(struct route *route, uint32_t replica, const struct request *request);

#endif
