/* Random roles for the pools of a random fleet, and all that goes with them. */
#ifndef TOKENYARD_TESTS_MODELS_DRAW_ROLES_H
#define TOKENYARD_TESTS_MODELS_DRAW_ROLES_H

#include <gsl/gsl_rng.h>
#include <math.h>

#include "models/fleet/simulation.h"

/* 256 bytes of KV cache per token, over four layers. */
static const struct llm role_llm = {
    .name = "tiny", .layers = 4, .hidden = 64, .heads = 4, .kv_heads = 2, .head_dim = 8};

/* What a drawn configuration points into. */
struct drawn_roles {
    struct gpu gpu;
    struct decide_by_length length;
    struct decide_by_load load;
    struct mixed_pool_config mixed_pool;
    struct disaggregation_config config;
};

static inline uint32_t role_draw(gsl_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)gsl_rng_uniform_int(rng, high - low + 1);
}

/* A node holds a few GPUs; a cache of 100 tokens takes from nothing to some iterations. */
static inline struct gpu draw_role_gpu(gsl_rng *rng)
{
    double gb_s = 1e-3 * pow(10, 4 * gsl_rng_uniform(rng) - 2);
    return (struct gpu){.name = "toy",
                        .gpus_per_node = role_draw(rng, 1, 4),
                        .nics_per_node = role_draw(rng, 0, 1) ? 1 : INT64_MIN,
                        .link_gb_s = gb_s * role_draw(rng, 1, 10),
                        .node_link_gb_s = gb_s,
                        .pcie_gb_s = gb_s * role_draw(rng, 1, 4),
                        .link_latency_us = role_draw(rng, 0, 5),
                        .node_link_latency_us = role_draw(rng, 0, 500)};
}

static inline struct config_variant draw_decider(gsl_rng *rng, struct drawn_roles *drawn)
{
    drawn->length.above_tok = role_draw(rng, 0, 20);
    drawn->load = (struct decide_by_load){.above_tok = role_draw(rng, 0, 10),
                                          .max_waiting = role_draw(rng, 1, 3)};
    switch (role_draw(rng, 0, 6)) {
    case 0:
        return (struct config_variant){DECIDE_NEVER, NULL};
    case 1:
        return (struct config_variant){DECIDE_PROMPT_LENGTH, &drawn->length};
    case 2:
        return (struct config_variant){DECIDE_LOAD_AWARE, &drawn->load};
    default:
        return (struct config_variant){DECIDE_ALWAYS, NULL};
    }
}

/* One pool at least prefills, one at least decodes. */
static inline void draw_pool_roles(gsl_rng *rng, struct drawn_roles *drawn, struct pool_spec *pools,
                                   size_t count)
{
    static const enum pool_role roles[] = {ROLE_PREFILL, ROLE_DECODE, ROLE_MIXED};
    bool swap = role_draw(rng, 0, 1);
    for (size_t i = 0; i < count; i++) {
        pools[i].role = i < 2 ? roles[swap ? 1 - i : i] : roles[role_draw(rng, 0, 2)];
        pools[i].port = (struct kv_port){.gpu = &drawn->gpu,
                                         .llm = &role_llm,
                                         .tensor_parallel = 1 << role_draw(rng, 0, 2),
                                         .pipeline_parallel = role_draw(rng, 1, 2)};
    }
}

/* In place, for two pools or more. plain_policies: of router_policies, that need no parameters. */
static inline void draw_roles(gsl_rng *rng, struct drawn_roles *drawn, struct pool_spec *pools,
                              size_t count, uint32_t plain_policies)
{
    *drawn = (struct drawn_roles){.gpu = draw_role_gpu(rng)};
    draw_pool_roles(rng, drawn, pools, count);
    drawn->mixed_pool.prompt_queue_tok = role_draw(rng, 1, 200);
    drawn->config = (struct disaggregation_config){
        .decider = draw_decider(rng, drawn),
        .decode_router.policy = {(int)role_draw(rng, 0, plain_policies - 1), NULL},
        .mixed_pool = role_draw(rng, 0, 2) ? NULL : &drawn->mixed_pool,
        .first_token = (int)role_draw(rng, 0, 1),
        .transfer = {.mode = (int)role_draw(rng, 0, 1),
                     .gb_s = role_draw(rng, 0, 3) ? NAN : 1e-3,
                     .node_gb_s = role_draw(rng, 0, 3) ? NAN : 1e-3,
                     .latency_s = role_draw(rng, 0, 3) ? NAN : 1e-3 * role_draw(rng, 0, 2),
                     .efficiency = role_draw(rng, 0, 1) ? 1 : 0.5,
                     .share_nodes = role_draw(rng, 0, 1)}};
}

#endif
