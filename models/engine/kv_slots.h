/* What KV memory is taken for: slots (one token each) that nobody else can have, and those of them
 * that hold a token of an answer under way. The difference is what paging saves: reserved slots
 * that are not used yet or never will be, and what rounding leaves (the PagedAttention paper,
 * section 3.1 and figure 2).
 *
 * Counted over the iterations that decode, and only where a scenario asks for it (report_kv_slots):
 * sums in closed form over a run, so that they do not depend on how runs are cut. */
#ifndef TOKENYARD_MODELS_ENGINE_KV_SLOTS_H
#define TOKENYARD_MODELS_ENGINE_KV_SLOTS_H

#include "models/engine/engine.h"

/* The current run's iterations, of continuous batching, are about to be counted as ended. */
void kv_slots_count(struct engine *engine);

/* Adds `iterations` of them that take so many blocks, hold so many tokens in the first and
 * `step_tok` more in each after it. */
void kv_slots_add(struct engine *engine, uint64_t iterations, int64_t blocks, int64_t held_tok,
                  int64_t step_tok);

#endif
