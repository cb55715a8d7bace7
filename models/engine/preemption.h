/* Who gives way when KV blocks run out: the latest admitted, or, in order of priority, the last in
 * that order. It gives back its blocks, waits, and is recomputed, but for what it finds again
 * (kept_blocks.h).
 *
 * Or it is swapped: its blocks are copied to host memory and back (vLLM V0, --preemption-mode swap
 * with --swap-space; vllm/core/scheduler.py, _swap_out and _schedule_swapped). Who was swapped
 * comes back before anybody is let in, first out, first in, when its blocks and the one it needs
 * next are free beyond the watermark, in an iteration that preempts nobody. The copies take their
 * time over PCIe before the iteration. A prompt that is partly prefilled is recomputed, and so is
 * whoever finds no room in host memory, where vLLM V0 gives up. */
#ifndef TOKENYARD_MODELS_ENGINE_PREEMPTION_H
#define TOKENYARD_MODELS_ENGINE_PREEMPTION_H

#include "models/engine/decodes.h"

static inline bool decodes_lack_blocks(const struct engine *engine)
{
    return next_blocks(engine) > free_blocks(engine);
}

/* The request that is partly prefilled. */
void preempt_partial(struct engine *engine);

/* Who is next to give way. */
static inline uint32_t preemption_victim(const struct engine *engine)
{
    return engine->config->queue_order == ORDER_PRIORITY ? queue_order_last_running(engine)
                                                         : engine->running.tail;
}
void preempt(struct engine *engine, uint32_t request);

/* Preempts the latest until every decode has the block it needs next. */
void make_room_for_decodes(struct engine *engine);

/* Brings back those that were swapped, as far as they fit. */
void swap_in(struct engine *engine);

#endif
