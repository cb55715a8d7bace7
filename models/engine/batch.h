/* Who is part of the next iteration, by continuous batching. */
#ifndef TOKENYARD_MODELS_ENGINE_BATCH_H
#define TOKENYARD_MODELS_ENGINE_BATCH_H

#include "models/engine/preemption.h"

/* Fills in who runs at engine->boundary: decodes, chunks, prefill_tok, waits and preempted of
 * engine->run. Returns the number of prompts that will be complete. Nobody is admitted into an
 * iteration that preempted. */
int64_t batch_form(struct engine *engine);

/* The commonest case: the decodes go on, and there is nobody else. */
static inline bool batch_is_decodes(const struct engine *engine)
{
    return engine->waiting == 0 && engine->partial == REQUEST_NONE &&
           engine->fetched.head == REQUEST_NONE && engine->swapped.head == REQUEST_NONE &&
           engine->loaded.head == REQUEST_NONE && !decodes_lack_blocks(engine);
}

/* Could a request that has just arrived, and is first in the queue, be admitted at a boundary of
 * the current run? Only a "no" is certain. */
bool batch_may_admit(const struct engine *engine, uint32_t request);

#endif
