/* Requests whose KV is on the way from a tier below the GPU: see prefixes.h. */
#ifndef TOKENYARD_MODELS_ENGINE_LOADING_H
#define TOKENYARD_MODELS_ENGINE_LOADING_H

#include "models/engine/prefixes.h"

/* A request was taken from the queue, and found so much on the GPU. Is there more of it in the
 * other tiers? Then it is loaded, and the blocks of its whole prompt are in use; returns these. 0:
 * there is nothing. */
int64_t loading_begin(struct engine *engine, uint32_t request, const struct prefix_found *found);

/* At a boundary: what has come until then waits for its turn. */
void loading_end(struct engine *engine);

/* It is the turn of one whose KV is here; returns the blocks that it gives back for now. */
int64_t loading_admit(struct engine *engine, uint32_t request);

/* One that is being loaded, or waits for its turn, goes. */
void loading_cancel(struct engine *engine, uint32_t request);

/* When the next one's KV will be there; TICK_NEVER: none is on the way. */
tick_t loading_next(const struct engine *engine);

#endif
