#include "models/fleet/route.h"

#include <stdlib.h>

static bool takes(int roles, const struct pool_spec *pool)
{
    return (roles & (1 << pool->role)) != 0;
}

struct router *route_router(const struct simulation_spec *spec, const struct router_config *config,
                            int roles, struct error *error)
{
    struct router_pool *pools = calloc(spec->pool_count, sizeof *pools);
    const char **names = calloc(spec->class_count, sizeof *names);
    struct router *router = NULL;
    if (pools && names) {
        uint32_t count = 0;
        for (size_t i = 0; i < spec->pool_count; i++)
            if (takes(roles, &spec->pools[i]))
                pools[count++] = (struct router_pool){spec->pools[i].name, spec->pools[i].replicas,
                                                      spec->pools[i].weight};
        for (size_t i = 0; i < spec->class_count; i++)
            names[i] = spec->classes[i].name;
        struct router_fleet fleet = {.pools = pools,
                                     .pool_count = count,
                                     .class_names = names,
                                     .class_count = (uint32_t)spec->class_count,
                                     .seed = spec->seed,
                                     .replication = spec->replication};
        router = router_create(config, &fleet, error);
    } else {
        error_set(error, ERROR_FAILED, "out of memory");
    }
    free(pools);
    free(names);
    return router;
}

static bool number_replicas(struct route *route, const struct simulation_spec *spec, int roles)
{
    uint32_t replicas = 0;
    for (size_t i = 0; i < spec->pool_count; i++)
        replicas += spec->pools[i].replicas;
    route->replica_of = calloc(replicas, sizeof *route->replica_of);
    route->index_of = calloc(replicas, sizeof *route->index_of);
    if (!route->replica_of || !route->index_of)
        return false;
    uint32_t index = 0, replica = 0;
    for (size_t pool = 0; pool < spec->pool_count; pool++) {
        bool taken = takes(roles, &spec->pools[pool]);
        for (uint32_t i = 0; i < spec->pools[pool].replicas; i++, replica++)
            if (taken) {
                route->index_of[replica] = index;
                route->replica_of[index++] = replica;
            }
    }
    return true;
}

bool route_init(struct route *route, const struct simulation_spec *spec,
                const struct router_config *config, int roles, struct error *error)
{
    *route = (struct route){.router = route_router(spec, config, roles, error)};
    if (!route->router)
        return false;
    return number_replicas(route, spec, roles) || error_set(error, ERROR_FAILED, "out of memory");
}

void route_free(struct route *route)
{
    router_destroy(route->router);
    free(route->replica_of);
    free(route->index_of);
    *route = (struct route){0};
}

uint32_t route_choose(struct route *route, const struct request *request)
{
    return route->replica_of[router_choose(route->router, request->class_index, request->prompt_tok,
                                           request->output_tok)];
}

void route_release(struct route *route, uint32_t replica, const struct request *request)
{
    router_release(route->router, route->index_of[replica], request->prompt_tok,
                   request->output_tok);
}
