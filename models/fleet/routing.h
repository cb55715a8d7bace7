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

/* The request as its router sees it: with what the arrival says of its prefix, while that lasts. */
struct router_request routing_request(const struct simulation *sim, const struct request *request,
                                      const struct arrival *arrival);

#define ROUTING_ALL (-1) /* otherwise roles are a bit for each enum pool_role */

/* A router over the pools with such roles, which may ask the engines. stream: of its random
 * numbers; NULL: "fleet/router". NULL when out of memory. */
struct router *routing_create(struct simulation *sim, const struct router_config *config, int roles,
                              const char *stream);

#endif
