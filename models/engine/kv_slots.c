#include "models/engine/kv_slots.h"

#include "models/engine/decodes.h"

/* 0 + 1 + ... + (count - 1) */
static uint64_t sum_below(uint64_t count)
{
    return count < 2 ? 0 : count * (count - 1) / 2;
}

void kv_slots_add(struct engine *engine, uint64_t iterations, int64_t blocks, int64_t held_tok,
                  int64_t step_tok)
{
    struct engine_totals *totals = &engine->totals;
    totals->slots_taken += iterations * (uint64_t)blocks * engine->config->block_tok;
    totals->slots_held +=
        iterations * (uint64_t)held_tok + sum_below(iterations) * (uint64_t)step_tok;
}

/* Blocks that the decodes take in the run, each counted once for every iteration that has it. */
static uint64_t block_iterations_taken(const struct engine *engine)
{
    uint64_t iterations = engine->run.iterations, sum = 0;
    uint32_t block_tok = engine->config->block_tok, slot = engine->block_phase;
    for (uint64_t first = 0; first < block_tok && first < iterations; first++) {
        uint64_t left = iterations - first; /* which the first block of this phase is taken for */
        uint64_t times = (left + block_tok - 1) / block_tok;
        sum += engine->block_slots[slot] * (times * left - block_tok * sum_below(times));
        if (++slot == block_tok)
            slot = 0;
    }
    return sum;
}

/* Of prompts that are under way. */
static int64_t prompts_tok(const struct engine *engine)
{
    bool partial_runs = false;
    int64_t tokens = 0;
    for (uint32_t i = 0; i < engine->run.chunks; i++) {
        tokens += request_of(engine, engine->chunk_requests[i])->computed;
        partial_runs |= engine->chunk_requests[i] == engine->partial;
    }
    if (engine->partial != REQUEST_NONE && !partial_runs)
        tokens += request_of(engine, engine->partial)->computed;
    return tokens;
}

void kv_slots_count(struct engine *engine)
{
    uint32_t decodes = engine->run.decodes;
    kv_slots_add(engine, engine->run.iterations, blocks_taken(engine),
                 engine->context_tok + decodes + prompts_tok(engine), decodes);
    if (engine->config->kv_allocation == KV_PAGED)
        engine->totals.slots_taken += block_iterations_taken(engine) * engine->config->block_tok;
}
