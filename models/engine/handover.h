/* Requests that come to an engine or leave it half done.
 *
 * Prefill here, decode there: a request with `handoff` leaves when its prompt is complete and its
 * first token emitted. It appears in engine->handed, and its KV blocks stay in use until the owner
 * gives them back with engine_release: when its cache has been copied.
 *
 * A request with `remote_kv` waits in the queue as any other. When it is let in it takes its place
 * and the blocks of its context, and appears in engine->fetches; the owner brings the cache and
 * says so with engine_fetched; from the next boundary on it decodes (vLLM's KV connectors:
 * WAITING_FOR_REMOTE_KVS in vllm/v1/core/sched/scheduler.py). It is never preempted before. Should
 * it be later, it is recomputed here.
 *
 * Cancelling takes a request out at once, or, while it is part of an iteration, at its end. */
#ifndef TOKENYARD_MODELS_ENGINE_HANDOVER_H
#define TOKENYARD_MODELS_ENGINE_HANDOVER_H

#include "models/engine/engine.h"

/* --- for the owner, at any tick that is not past engine->next --- */

/* The KV cache of a request of engine->fetches is here. */
void engine_fetched(struct engine *engine, uint32_t request, tick_t now);

/* So many blocks of requests that were handed over are not needed any more. */
void engine_release(struct engine *engine, int64_t blocks, tick_t now);

/* true: the request is out. false: it will be in engine->ended at the next boundary, cancelled or,
 * if that boundary was its end anyhow, completed. Not for requests that were handed over. */
bool engine_cancel(struct engine *engine, uint32_t request, tick_t now);

/* --- for the engine --- */

/* The prompt of a running request is complete; its first token was emitted at engine->boundary. */
void hand_over(struct engine *engine, uint32_t request);

/* A request with remote_kv was taken from the queue; returns the blocks that it takes. */
int64_t fetch_begin(struct engine *engine, uint32_t request);
/* Those whose cache is here begin to decode. */
void fetch_join(struct engine *engine);

/* At a boundary, after what ended there: takes out who was cancelled or extracted. */
void take_out_cancelled(struct engine *engine);

/* Somebody may be let in now who could not before, or need not be waited for any more. */
void engine_wake(struct engine *engine, tick_t now);

#endif
