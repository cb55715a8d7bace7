/* Rules that few engines have: orders other than fcfs, decodes before prompts, swapping, capped
 * answers, batches that are served to their end, adapters. The code that every request passes
 * through looks at engine->has_extras alone, and comes here where it is set. */
#ifndef TOKENYARD_MODELS_ENGINE_EXTRAS_H
#define TOKENYARD_MODELS_ENGINE_EXTRAS_H

#include "models/engine/engine.h"

bool extras_at_work(const struct engine_config *config);

/* A request arrives now: queues it, and ends the run early if that may change the batch. */
void extras_submit(struct engine *engine, uint32_t request, tick_t now);

/* What comes before prompts: those that were swapped, and under PREFILL_DECODE_FIRST the decodes.
 * Returns whether prompts may join the iteration. */
bool extras_before_prompts(struct engine *engine);

/* A request has joined the decodes (1), or leaves them (-1). */
void extras_count_decode(struct engine *engine, const struct request *request, int change);

/* The decodes of the current run are about to advance by its iterations. */
uint64_t extras_advance_decodes(struct engine *engine);

/* Changes a run that was planned without extras, and engine->next with it. */
void extras_adjust_run(struct engine *engine);

#endif
