/* Who gives way when KV blocks run out: the latest admitted. It gives back its blocks, waits, and
 * is recomputed, but for what it finds again (kept_blocks.h). */
#ifndef TOKENYARD_MODELS_ENGINE_PREEMPTION_H
#define TOKENYARD_MODELS_ENGINE_PREEMPTION_H

#include "models/engine/decodes.h"

static inline bool decodes_lack_blocks(const struct engine *engine)
{
    return next_blocks(engine) > free_blocks(engine);
}

/* The request that is partly prefilled. */
void preempt_partial(struct engine *engine);

/* Preempts the latest until every decode has the block it needs next. */
void make_room_for_decodes(struct engine *engine);

#endif
