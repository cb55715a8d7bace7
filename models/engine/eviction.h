/* Engines that come and go, and requests that go on elsewhere.
 *
 * A replica whose machine is taken away dies in the middle of an iteration (engine_evict): what the
 * iterations that ended before gave counts, the running one is lost, and so is all KV cache, in
 * host memory, too. One that is to be removed is drained (engine_withdraw), or its decodes leave it
 * with their KV cache (engine_extract), while the notice lasts (as SpotServe recovers
 * requests within the grace period: Miao et al., ASPLOS 2024). Whoever has begun goes on elsewhere
 * as one that was preempted does there (engine_resume): prompt and what was answered are
 * recomputed, then the answer goes on, and the gap between its tokens is counted where it ends.
 *
 * Every kind of engine can be evicted, drained and resumed on. What is told apart:
 * - Batches whose answers are returned together (batching.returned_early false): nobody has had
 *   anything of them, so that they are answered from the start, with a first token anew.
 * - Requests that were handed over, or extracted: the owner alone knows them. Their blocks die with
 *   the engine, and must not be released any more.
 * - Requests that were cancelled while they ran: they are listed, request->cancelled says so, and
 *   they have ended.
 *
 * As with all calls from outside, at one tick these come before the engine's boundary, and what the
 * last boundary left has been taken up. Cost: O(requests that are there, and those sorted). */
#ifndef TOKENYARD_MODELS_ENGINE_EVICTION_H
#define TOKENYARD_MODELS_ENGINE_EVICTION_H

#include "models/engine/engine.h"

/* A request that was taken out. Its record is as that of one that waits nowhere: what it has
 * answered so far, when, and when it was first scheduled are true, nothing of it is computed. Its
 * cache may still be at its source, if it was being fetched (PLACE_FETCHING). */
struct evicted {
    tick_t arrival;
    uint32_t request;
    uint32_t kv_tok;          /* tokens of its KV cache that were here and are lost */
    enum request_place place; /* where it was */
};

/* In order of arrival, and of equals by number. A list that is used again and again; all 0: empty.
 * Growing ends the process when out of memory. */
struct eviction {
    struct evicted *requests;
    uint32_t count, capacity;
};

void eviction_free(struct eviction *eviction);

/* For owners who add requests that were in no engine, or in another. */
void eviction_add(struct eviction *eviction, const struct evicted *evicted);
void eviction_sort(struct eviction *eviction);
/* The request waits nowhere. */
void request_set_free(struct request *request);

/* The engine dies now, at any tick that is not past engine->next, and is empty and idle from then
 * on; its totals stay. `out`: all that were here, in place of what it listed before. Who was
 * admitted into the running iteration counts as begun, and its time as busy. */
void engine_evict(struct engine *engine, tick_t now, struct eviction *out);

/* Takes out who waits and has not begun here; the others go on to their end. They may be submitted
 * elsewhere (engine_resume), those with remote_kv with the same cache. */
void engine_withdraw(struct engine *engine, tick_t now, struct eviction *out);

/* An engine that is empty comes back as a new machine: nothing is cached, no adapter is there, no
 * tenant has been served. Stores that replicas share, and remote ones, stay as they are, and so do
 * the totals. */
void engine_restart(struct engine *engine, tick_t now);

/* A running request whose prompt is complete leaves at the end of the current iteration, with its
 * KV cache. true: at the next boundary it will be in engine->handed, its blocks held until
 * engine_release; or in engine->ended, if that was its end or it is cancelled in the meantime.
 * false: it does not decode, or in batches that are served to their end or stages that each serve
 * whoever comes, from which nothing can be taken: nothing happens. To go on elsewhere with its
 * cache it gets remote_kv before it is submitted, as after a handoff. */
bool engine_extract(struct engine *engine, uint32_t request, tick_t now);

/* Can somebody be extracted, or come with its cache? Then pauses are kept, too. */
bool engine_can_extract(const struct engine_config *config);

/* --- on another engine, or on the same once it is restarted --- */

/* As engine_accepts, of a request that has begun elsewhere. */
bool engine_accepts_resumed(const struct engine_config *config, const struct request *request);

/* Submits a request that was taken out, withdrawn or extracted, and keeps when it was first
 * scheduled. Not one that was cancelled, nor one with handoff that has answered something: it
 * decodes where it is recomputed. A tenant is charged for what is computed here (ORDER_FAIR); what
 * is recomputed of a prompt after its first token is not copied to lower tiers again. */
void engine_resume(struct engine *engine, uint32_t request, tick_t now);

/* --- pauses --- */

/* The next iteration begins not before `until`, as while a checkpoint is written. Its batch is
 * formed before the pause, which counts as part of it, and as busy. Only where engine_can_extract,
 * and for at most ENGINE_PAUSE_MAX_S. */
#define ENGINE_PAUSE_MAX_S 1024
void engine_pause(struct engine *engine, tick_t now, tick_t until);

#endif
