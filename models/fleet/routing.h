/* What a simulation tells its router: pools with estimates of their speed, bounds of classes, and
 * requests as a gateway sees them. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTING_H
#define TOKENYARD_MODELS_FLEET_ROUTING_H

#include "models/fleet/simulation.h"

/* An estimate from the step time of the engine: straight lines through small batches and a full
 * one. */
struct router_speed routing_speed(const struct engine_config *engine);

/* Replicas of the pool are numbered from first_replica. */
struct router_pool routing_pool(const struct pool_spec *pool, uint32_t first_replica);

struct simulation; /* models/fleet/simulation_parts.h */

/* The router of all pools, which may ask the engines. NULL when out of memory. */
struct router *routing_create(struct simulation *sim);

#endif
