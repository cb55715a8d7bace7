/* Stages that each serve whoever comes, behind the calls of engine.h: no rounds, no micro-batches.
 *
 * A request goes through stages that together have all layers, each its own way: where several
 * stages have the next layer, to the one that is furthest behind its share of the tokens and has
 * room for it (Helix, Mei et al., ASPLOS 2025, section 5: interleaved weighted round robin by the
 * flow, nodes masked whose KV cache is full). It keeps its way for all its tokens, since that is
 * where its KV cache is. A stage that is free takes all that wait for it as one batch: every
 * decode, and prompts, each whole, up to max_num_batched_tokens; then sends each on. So batches
 * form by themselves: who is held up by a prompt goes on together with those behind.
 *
 * Memory for the whole answer is reserved on all stages of the way when a request is let in: nobody
 * is preempted. Queue order is the engine's; nothing is cached, handed over or fast-forwarded.
 * Cost: an event for each batch of each stage, and one for each token on its way to the next stage.
 */
#ifndef TOKENYARD_MODELS_ENGINE_STAGE_QUEUES_H
#define TOKENYARD_MODELS_ENGINE_STAGE_QUEUES_H

#include "models/engine/engine.h"

struct stage_queues;

/* NULL when out of memory. */
struct stage_queues *stage_queues_create(const struct engine_config *config);
void stage_queues_destroy(struct stage_queues *queues); /* NULL is allowed */

/* To be called at engine->next. */
void stage_queues_boundary(struct engine *engine);

#endif
