/* Scheduling rules at random, in all combinations, also in those that no engine has. */
#ifndef TOKENYARD_TESTS_MODELS_ENGINE_RULES_H
#define TOKENYARD_TESTS_MODELS_ENGINE_RULES_H

#include <gsl/gsl_rng.h>

#include "models/engine/engine.h"

/* Of a prompt; half of them have nothing in the cache, some all. */
static inline uint32_t draw_cached_tok(gsl_rng *rng, uint32_t prompt_tok)
{
    return gsl_rng_uniform_int(rng, 2) ? 0 : (uint32_t)gsl_rng_uniform_int(rng, prompt_tok + 1);
}

/* Classes of all kinds, more than any test has. */
enum { RULE_CLASSES = 4 };
static const struct class_traits rule_traits[RULE_CLASSES] = {
    {.priority = 1, .tenant = 1, .tenant_weight = 1, .deadline = (tick_t)1 << 32},
    {.priority = 0, .tenant = 0, .tenant_weight = 2.5, .deadline = (tick_t)1 << 28},
    {.priority = 1, .tenant = 2, .tenant_weight = 0.7, .deadline = TICK_NEVER},
    {.priority = -3, .tenant = 1, .tenant_weight = 1, .deadline = (tick_t)1 << 31}};

static inline uint32_t rule_between(gsl_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)gsl_rng_uniform_int(rng, high - low + 1);
}

static inline void draw_order(gsl_rng *rng, struct engine_config *engine)
{
    engine->traits = rule_traits;
    engine->classes = RULE_CLASSES;
    engine->queue_order = (enum queue_order)rule_between(rng, 0, ORDER_COUNT - 1);
    engine->output_prediction = (struct output_prediction){
        .kind = (enum output_prediction_kind)rule_between(rng, 0, PREDICT_BUCKETS),
        .sigma = 0.5 * rule_between(rng, 0, 3),
        .bucket_tok = rule_between(rng, 1, 20),
        .accuracy = 0.25 * rule_between(rng, 0, 4)};
}

/* Of the KV cache: stretches, watermarks, swapping. */
static inline void draw_memory_rules(gsl_rng *rng, struct engine_config *engine)
{
    if (rule_between(rng, 0, 4) == 0) {
        engine->kv_allocation = (enum kv_allocation)rule_between(rng, 1, KV_CONTIGUOUS_EXACT);
        engine->admission = ADMIT_NO_EVICT;
        if (engine->kv_allocation == KV_CONTIGUOUS_MAX)
            engine->max_model_tok =
                rule_between(rng, 1, (uint32_t)(engine->kv_blocks * engine->block_tok));
    }
    engine->counts_slots = rule_between(rng, 0, 3) == 0;
    if (engine->admission != ADMIT_PREEMPT)
        return;
    if (rule_between(rng, 0, 3) == 0)
        engine->watermark_blocks = rule_between(rng, 1, 3);
    if (rule_between(rng, 0, 2) == 0) {
        engine->swap_blocks = rule_between(rng, 1, rule_between(rng, 1, 200));
        engine->swap_block_time = fine_from_s(0.0009765625 / 16) * rule_between(rng, 0, 3);
    }
}

/* Of an engine that is complete otherwise: batches that are served to their end. */
static inline void draw_static_batching(gsl_rng *rng, struct engine_config *engine)
{
    engine->batching = (struct batching){
        .kind = (enum batching_kind)rule_between(rng, BATCHING_NONE, BATCHING_DYNAMIC),
        .max_batch = rule_between(rng, 1, 8),
        .window = tick_from_s(0.0009765625) * rule_between(rng, 0, 60) / 2,
        .returned_early = rule_between(rng, 0, 1)};
    if (engine->batching.kind == BATCHING_STATIC)
        engine->batching.window = TICK_NEVER;
    if (engine->batching.kind == BATCHING_NONE)
        engine->batching = (struct batching){.kind = BATCHING_NONE, .max_batch = 1};
    else
        engine->queue_order = ORDER_FCFS;
    engine->admission = ADMIT_PREEMPT;
    engine->watermark_blocks = engine->swap_blocks = 0;
    engine->batch_wait_iterations = 0;
}

/* Of an engine that is complete otherwise. */
static inline void draw_engine_rules(gsl_rng *rng, struct engine_config *engine)
{
    engine->prefill = (enum engine_prefill)rule_between(rng, 0, PREFILL_DECODE_FIRST);
    engine->decode_first_wait = rule_between(rng, 0, 2)
                                    ? tick_from_s(0.0009765625) * rule_between(rng, 0, 200) / 2
                                    : TICK_NEVER;
    engine->admission = (enum engine_admission)gsl_rng_uniform_int(rng, ADMIT_ESTIMATE + 1);
    engine->keeps_blocks = gsl_rng_uniform_int(rng, 2);
    engine->output_share = (struct output_share){
        .start = (int64_t)(1 + gsl_rng_uniform_int(rng, 10)) * OUTPUT_SHARE_ONE / 10,
        .least = (int64_t)gsl_rng_uniform_int(rng, 2) * OUTPUT_SHARE_ONE / 10,
        .step = (int64_t)gsl_rng_uniform_int(rng, 2) * OUTPUT_SHARE_ONE / 50};
    engine->answer_cap_tok = rule_between(rng, 0, 1) ? rule_between(rng, 1, 40) : 0;
    unsigned long budget = (unsigned long)engine->max_batch_tokens;
    if (engine->prefill != PREFILL_MIXED) { /* decodes need no part of it */
        engine->max_batch_tokens = (int64_t)(1 + gsl_rng_uniform_int(rng, budget));
    } else if (gsl_rng_uniform_int(rng, 2)) {
        engine->batch_wait_iterations = (int64_t)(1 + gsl_rng_uniform_int(rng, 20));
        engine->batch_wait_tok = (int64_t)(1 + gsl_rng_uniform_int(rng, budget));
    }
    if (engine->batch_wait_iterations == 0 && rule_between(rng, 0, 1))
        draw_order(rng, engine);
    draw_memory_rules(rng, engine);
}

/* Of an engine whose rules were drawn: any number of drafts, any acceptance, in one of three. */
static inline void draw_speculation(gsl_rng *rng, struct engine_config *engine)
{
    if (rule_between(rng, 0, 2) > 0 || engine->kv_allocation != KV_PAGED)
        return;
    int64_t drafts = rule_between(rng, 1, 6);
    uint64_t accepted = gsl_rng_uniform_int(rng, (unsigned long)drafts * PACE_ONE + 1);
    if (rule_between(rng, 0, 3) == 0) /* whole tokens */
        accepted &= ~(PACE_ONE - 1);
    uint64_t per_turn = PACE_ONE + accepted;
    engine->speculation =
        (struct speculation){.pace = {.per_turn = per_turn},
                             .draft_tok = drafts,
                             .ahead_tok = drafts + 1 - (int64_t)(per_turn >> PACE_BITS),
                             .most_decodes = INT64_MAX};
    engine->max_batch_tokens += drafts * engine->max_sequences;
}

#endif
