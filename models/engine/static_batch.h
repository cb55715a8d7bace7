/* Batches that are formed once and served to their end: "none", "static" and "dynamic" of
 * models/engine/batching.h, behind the calls of engine.h.
 *
 * Prompts are padded to the longest and computed in one iteration (in as many passes as the token
 * budget asks for). Then every place of the batch decodes until the longest answer is done: also a
 * place whose answer is complete, or whose request was cancelled. Answers are returned with the
 * batch, as Orca's authors describe FasterTransformer (section 3, "early-finished and late-joining
 * requests": "the engine does not return until all requests have finished"), or, returned_early,
 * each when it is done. The first token counts as emitted when it is computed, as if it were
 * streamed.
 *
 * KV memory is reserved for the padded whole: for each place the longest prompt and the longest
 * answer, by models/engine/kv_allocation.h. Who would not fit waits for the next batch.
 *
 * Nothing is preempted or cached; requests are not handed over. Cost: a few operations for each
 * request and each length of an answer; an idle engine looks at all that wait when one arrives. */
#ifndef TOKENYARD_MODELS_ENGINE_STATIC_BATCH_H
#define TOKENYARD_MODELS_ENGINE_STATIC_BATCH_H

#include "models/engine/engine.h"

bool static_batch_accepts(const struct engine_config *config, uint32_t prompt_tok,
                          uint32_t output_tok);

/* A request was queued: an idle engine may have to begin. */
void static_batch_arrived(struct engine *engine, tick_t now);

/* To be called at engine->next. */
void static_batch_boundary(struct engine *engine);

/* The current run's iterations are over: for engine_settle. */
void static_batch_end_iterations(struct engine *engine);

#endif
