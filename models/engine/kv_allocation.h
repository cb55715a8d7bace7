/* How much of the KV cache a request takes: what "kv_allocation" of a scenario's engine says.
 *
 * paged            blocks, one by one, as tokens are computed (PagedAttention, Kwon et al., SOSP
 *                  2023; all engines of today)
 * contiguous_max   one stretch for the longest sequence there may be, max_model_len (Orca and
 *                  FasterTransformer)
 * contiguous_pow2  one stretch for the prompt and its answer, the latter rounded up to a power of
 *                  two
 * contiguous_exact one stretch for the prompt and its answer, as if it were known
 *
 * The last three are the baselines "Orca (Max)", "(Pow2)" and "(Oracle)" of the PagedAttention
 * paper (section 6.1). A stretch is reserved when a request is let in and given back when it ends,
 * so nobody is preempted. Stretches are taken to fit wherever enough is free: what the paper calls
 * external fragmentation, the holes of its buddy allocator, is left out, so they come off better
 * here than there. */
#ifndef TOKENYARD_MODELS_ENGINE_KV_ALLOCATION_H
#define TOKENYARD_MODELS_ENGINE_KV_ALLOCATION_H

#include "models/engine/engine.h"

static inline int64_t int64_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t int64_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t next_power_of_two(int64_t value)
{
    int64_t power = 1;
    while (power < value)
        power *= 2;
    return power;
}

/* Blocks for the whole life of a request that may emit so much. */
static inline int64_t kv_reserved_blocks(const struct engine_config *config, int64_t prompt_tok,
                                         int64_t output_tok)
{
    int64_t tokens = prompt_tok + output_tok;
    if (config->kv_allocation == KV_CONTIGUOUS_MAX)
        tokens = config->max_model_tok;
    else if (config->kv_allocation == KV_CONTIGUOUS_POW2)
        tokens = int64_min(prompt_tok + next_power_of_two(output_tok), config->max_model_tok);
    return ((uint32_t)tokens + config->block_tok - 1) / config->block_tok;
}

#endif
