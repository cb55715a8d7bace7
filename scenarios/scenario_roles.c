#include "scenarios/scenario_roles.h"

#include <stdio.h>

static bool check_used(const struct scenario *scenario, struct error *error)
{
    if (!scenario->config.disaggregation || scenario->pool_count == 0)
        return true;
    error_at(error, ERROR_BAD_INPUT, NULL, 0, "/disaggregation",
             "it changes nothing: no pool has a role");
    return error_hint(error, "give pools the \"role\" \"prefill\" or \"decode\"; to compare with "
                             "pools that do both, set the \"decider\" to \"never\"");
}

/* Of each model the prefill and the decode side would need pools of their own. */
static bool check_models(const struct scenario *scenario, struct error *error)
{
    if (scenario->model_count < 2)
        return true;
    error_at(error, ERROR_BAD_INPUT, NULL, 0, "/pools", "pools with roles serve one model");
    return error_hint(error, "simulate each model by itself, or leave the roles out");
}

bool scenario_roles_resolve(struct scenario *scenario, struct error *error)
{
    size_t count = scenario->pool_count;
    struct pool_part *parts = ARENA_ARRAY(scenario->arena, count, struct pool_part);
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct pool_part){.name = scenario->pools[i].name,
                                      .role = scenario->pools[i].role,
                                      .port = scenario->pools[i].port,
                                      .batching = scenario->pools[i].engine->batching.kind};
    if (!disaggregation_wanted(parts, count))
        return check_used(scenario, error);
    scenario->disaggregation = scenario->config.disaggregation
                                   ? scenario->config.disaggregation
                                   : disaggregation_defaults(scenario->arena);
    return check_models(scenario, error) &&
           disaggregation_check(scenario->disaggregation, parts, count, error);
}

/* The router whose object is at `pointer` serves the pools with such roles. */
static bool check_router(const struct scenario *scenario, const struct router_config *router,
                         int roles, const char *pointer, struct error *error)
{
    struct router_pool *pools =
        ARENA_ARRAY(scenario->arena, scenario->pool_count, struct router_pool);
    uint32_t count = 0;
    for (size_t i = 0; i < scenario->pool_count; i++)
        if ((roles & (1 << scenario->pools[i].role)) != 0)
            pools[count++] = (struct router_pool){
                .name = scenario->pools[i].name, .models = (uint64_t)1 << scenario->pools[i].model};
    const char **classes = ARENA_ARRAY(scenario->arena, scenario->class_count, const char *);
    for (size_t i = 0; i < scenario->class_count; i++)
        classes[i] = scenario->classes[i].name;
    struct router_fleet fleet = {.pools = pools,
                                 .pool_count = count,
                                 .class_names = classes,
                                 .class_count = (uint32_t)scenario->class_count,
                                 .class_models = scenario->class_models,
                                 .model_count = (uint32_t)scenario->model_count};
    struct error found = {0};
    if (router_check(router, &fleet, &found))
        return true;
    error_at(error, found.code, NULL, 0,
             arena_printf(scenario->arena, "%s%s", pointer, found.json_path), "%s", found.message);
    return error_hint(error, "%s", found.hint);
}

bool scenario_routers_check(const struct scenario *scenario, struct error *error)
{
    const struct scenario_config *config = &scenario->config;
    if (scenario->pool_count == 0) /* what a plan finds gets a router of its own */
        return true;
    if (!scenario->disaggregation)
        return check_router(scenario, &config->router, -1, "/router", error);
    return check_router(scenario, &config->router, 1 << ROLE_PREFILL, "/router", error) &&
           check_router(scenario, &scenario->disaggregation->decode_router,
                        1 << ROLE_DECODE | 1 << ROLE_MIXED, "/disaggregation/decode_router", error);
}
