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

/* Any number of drafts, any acceptance, in one of three engines whose rules were drawn. */
static inline void draw_speculation(gsl_rng *rng, struct engine_config *engine)
{
    if (gsl_rng_uniform_int(rng, 3) > 0)
        return;
    int64_t drafts = (int64_t)(1 + gsl_rng_uniform_int(rng, 6));
    uint64_t accepted = gsl_rng_uniform_int(rng, (unsigned long)drafts * PACE_ONE + 1);
    if (gsl_rng_uniform_int(rng, 4) == 0) /* whole tokens */
        accepted &= ~(PACE_ONE - 1);
    uint64_t per_turn = PACE_ONE + accepted;
    engine->speculation =
        (struct speculation){.pace = {.per_turn = per_turn},
                             .draft_tok = drafts,
                             .ahead_tok = drafts + 1 - (int64_t)(per_turn >> PACE_BITS),
                             .most_decodes = INT64_MAX};
    engine->max_batch_tokens += drafts * engine->max_sequences;
}

/* Of an engine that is complete otherwise. */
static inline void draw_engine_rules(gsl_rng *rng, struct engine_config *engine)
{
    engine->prefill = gsl_rng_uniform_int(rng, 2) ? PREFILL_MIXED : PREFILL_FIRST;
    engine->admission = (enum engine_admission)gsl_rng_uniform_int(rng, ADMIT_ESTIMATE + 1);
    engine->keeps_blocks = gsl_rng_uniform_int(rng, 2);
    engine->output_share = (struct output_share){
        .start = (int64_t)(1 + gsl_rng_uniform_int(rng, 10)) * OUTPUT_SHARE_ONE / 10,
        .least = (int64_t)gsl_rng_uniform_int(rng, 2) * OUTPUT_SHARE_ONE / 10,
        .step = (int64_t)gsl_rng_uniform_int(rng, 2) * OUTPUT_SHARE_ONE / 50};
    unsigned long budget = (unsigned long)engine->max_batch_tokens;
    if (engine->prefill == PREFILL_FIRST) { /* decodes need no part of it */
        engine->max_batch_tokens = (int64_t)(1 + gsl_rng_uniform_int(rng, budget));
    } else if (gsl_rng_uniform_int(rng, 2)) {
        engine->batch_wait_iterations = (int64_t)(1 + gsl_rng_uniform_int(rng, 20));
        engine->batch_wait_tok = (int64_t)(1 + gsl_rng_uniform_int(rng, budget));
    }
}

#endif
