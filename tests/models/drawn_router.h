/* A router drawn at random, of the policies with parameters, for tests on any policy. */
#ifndef TOKENYARD_TESTS_MODELS_DRAWN_ROUTER_H
#define TOKENYARD_TESTS_MODELS_DRAWN_ROUTER_H

#include <gsl/gsl_rng.h>

#include "tests/models/router_support.h"

/* The parameters of each; pointers go into it: draw in place. */
struct drawn_router {
    struct router_replanned_config replanned;
    struct router_length_config by_length;
    struct router_length_rule rules[3];
    struct router_session_config session;
    struct router_slo_config slo_aware;
    struct router_cheapest_config cheapest;
    struct router_prefix_config prefix_affinity;
    struct router_kv_config kv_aware;
    struct scoring_llm_d llm_d;
    struct scoring_dynamo dynamo;
    struct scoring_sglang sglang;
};

static inline uint32_t below(gsl_rng *rng, uint32_t n)
{
    return (uint32_t)gsl_rng_uniform_int(rng, n);
}

static inline void draw_rules(gsl_rng *rng, const char *const *pools, size_t pool_count,
                              struct drawn_router *drawn)
{
    uint32_t count = 1 + below(rng, 3);
    int64_t up_to_tok = 0;
    for (uint32_t i = 0; i < count; i++) {
        up_to_tok += 1 + below(rng, 30);
        drawn->rules[i] = (struct router_length_rule){i + 1 < count ? up_to_tok : INT64_MIN,
                                                      pools[below(rng, (uint32_t)pool_count)]};
    }
    drawn->by_length = (struct router_length_config){
        .length = (int)below(rng, 2),
        .rules = {.items = drawn->rules, .count = count},
        .overflow_at = below(rng, 2) ? NAN : 2 * gsl_rng_uniform_pos(rng),
        .within = (int)below(rng, 5)};
}

static inline struct config_variant draw_scoring(gsl_rng *rng, struct drawn_router *drawn)
{
    void *values[] = {&drawn->llm_d, &drawn->dynamo, &drawn->sglang};
    drawn->llm_d = (struct scoring_llm_d){3, 2, 2};
    drawn->dynamo = (struct scoring_dynamo){2 * gsl_rng_uniform(rng), below(rng, 2)};
    drawn->sglang = (struct scoring_sglang){0.3, below(rng, 8), 1.5};
    int index = (int)below(rng, 3);
    return (struct config_variant){.index = index, .value = values[index]};
}

/* Times are of the order of an iteration, scale_s. */
static inline struct config_variant draw_other_policy(gsl_rng *rng, const char *const *pools,
                                                      size_t pool_count, double scale_s,
                                                      struct drawn_router *drawn)
{
    static const char *const names[] = {"replanned", "by_length",       "session", "slo_aware",
                                        "cheapest",  "prefix_affinity", "kv_aware"};
    void *values[] = {&drawn->replanned, &drawn->by_length, &drawn->session,
                      &drawn->slo_aware, &drawn->cheapest,  &drawn->prefix_affinity,
                      &drawn->kv_aware};
    drawn->replanned = (struct router_replanned_config){10 * scale_s, (int)below(rng, 5)};
    draw_rules(rng, pools, pool_count, drawn);
    drawn->session = (struct router_session_config){.virtual_nodes = 1 + below(rng, 40),
                                                    .load_bound = below(rng, 2) ? NAN : 1.25,
                                                    .fallback = (int)below(rng, 5)};
    drawn->slo_aware = (struct router_slo_config){1, (int)below(rng, 2)};
    drawn->cheapest = (struct router_cheapest_config){1, (int)below(rng, 2)};
    double interval_s = below(rng, 2) ? NAN : scale_s * below(rng, 3);
    drawn->prefix_affinity =
        (struct router_prefix_config){.scoring = draw_scoring(rng, drawn),
                                      .load_interval_s = interval_s,
                                      .capacity_tok = below(rng, 2) ? INT64_MIN : 64,
                                      .max_prefix_tok = below(rng, 2) ? INT64_MIN : 16};
    drawn->kv_aware = (struct router_kv_config){.scoring = drawn->prefix_affinity.scoring,
                                                .load_interval_s = interval_s,
                                                .event_delay_s = scale_s * below(rng, 3)};
    uint32_t index = below(rng, sizeof names / sizeof *names);
    return (struct config_variant){.index = policy(names[index]), .value = values[index]};
}

#endif
