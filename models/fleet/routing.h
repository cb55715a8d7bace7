/* What a simulation tells its router: pools with estimates of their speed, bounds of classes, and
 * requests as a gateway sees them. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTING_H
#define TOKENYARD_MODELS_FLEET_ROUTING_H

#include "models/fleet/simulation.h"

/* An estimate from the step time of the engine: straight lines through small batches and a full
 * one. */
struct router_speed routing_speed(const struct engine_config *engine);

struct simulation; /* models/fleet/simulation_parts.h */

/* What the routers are told that the request will answer. */
uint32_t routing_predict(const struct simulation *sim, const struct request *request);

/* The request as its router sees it. */
struct router_request routing_request(const struct simulation *sim, const struct request *request,
                                      uint32_t session);

#define ROUTING_ALL (-1) /* otherwise roles are a bit for each enum pool_role */

/* A router over the pools with such roles, which may ask the engines. stream: of its random
 * numbers; NULL: "fleet/router". NULL when out of memory. */
struct router *routing_create(struct simulation *sim, const struct router_config *config, int roles,
                              const char *stream);

/* The replica shares prefixes from now on: the router that sends it requests hears what its cache
 * stores and removes, if its policy listens. */
void routing_listen(struct simulation *sim, uint32_t replica);

#endif
