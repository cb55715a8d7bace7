/* KV blocks that a preempted request finds again: those that nobody has taken since.
 *
 * Free blocks form a queue. Who needs a block takes the first; who leaves puts its blocks at the
 * end, the last of its tokens first, with what they hold (vLLM, vllm/v1/core/block_pool.py and
 * kv_cache_manager.py, free(), with prefix caching, which is on unless switched off). So what a
 * preempted request left is eaten up from its last token, and what is left when it comes back is
 * the beginning of its prompt.
 *
 * The queue is never walked. Blocks are numbered as they are put at its end; `freed_blocks` is the
 * next number, and that of the first in the queue lies as far before it as there are free blocks.
 * A request that waits for its return keeps the numbers of its full blocks. When it takes some out
 * of the middle, those of others before them would move; but there are no such others: whoever is
 * preempted, is so because all blocks that were free before are needed at once.
 *
 * So it is while requests do not name what they share; when they do, prefix_cache.h has the queue,
 * with what is kept in it.
 *
 * Only who is preempted under ADMIT_PREEMPT finds blocks again. SGLang's radix tree may still have
 * the prompt of a request that it retracted (ADMIT_ESTIMATE): not modelled, it is recomputed whole.
 * Who speculates needs several blocks at once, and may be preempted though a few are free; and what
 * it holds ahead counts as taken when its next iteration begins. So the order in which blocks are
 * forgotten differs by a few of them from vLLM's.
 * What no engine combines: where prompts go first, blocks that stalled decodes will need are
 * counted as taken, but are in the queue with what they hold until the decodes go on; and prompts
 * that wait for a fuller batch are tried with what they would find, and leave it where it is. */
#ifndef TOKENYARD_MODELS_ENGINE_KEPT_BLOCKS_H
#define TOKENYARD_MODELS_ENGINE_KEPT_BLOCKS_H

#include "models/engine/prefixes.h"
#include "models/engine/queues.h"

static inline void give_back_blocks(struct engine *engine, int64_t blocks)
{
    engine->used_blocks -= blocks;
    engine->freed_blocks += blocks;
}

/* The request ends, with the KV of so many tokens. */
static inline void leave_blocks(struct engine *engine, const struct request *request,
                                int64_t tokens)
{
    give_back_blocks(engine, engine->prefixes ? prefixes_end(engine, request, tokens)
                                              : blocks_for(engine, tokens));
}

/* It is given up half done; returns the blocks that nobody uses any more, still to be given back.
 */
static inline int64_t drop_blocks(struct engine *engine, const struct request *request,
                                  int64_t tokens)
{
    return engine->prefixes ? prefixes_drop(engine, request, tokens) : blocks_for(engine, tokens);
}

/* It is preempted. */
static inline void keep_blocks(struct engine *engine, struct request *request, int64_t tokens)
{
    const struct engine_config *config = engine->config;
    if (engine->prefixes) {
        give_back_blocks(engine, prefixes_preempt(engine, request, tokens));
        return;
    }
    give_back_blocks(engine, blocks_for(engine, tokens));
    if (!config->keeps_blocks || config->admission != ADMIT_PREEMPT)
        return;
    request->kept_end = engine->freed_blocks;
    request->kept_blocks = (uint32_t)(tokens / config->block_tok);
}

/* How many of its blocks a request finds again, if it is let in when so many blocks are queued. */
static inline int64_t kept_blocks_left(const struct engine *engine, const struct request *request,
                                       int64_t queued_blocks)
{
    int64_t left = request->kept_end - (engine->freed_blocks - queued_blocks);
    if (left <= 0)
        return 0;
    return left < request->kept_blocks ? left : request->kept_blocks;
}

#endif
