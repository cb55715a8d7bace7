/* Prefix caching, from the engine's side: what requests share, and the tiers below the GPU.
 *
 * Off (engine->prefixes NULL) until the owner says that requests name what they share
 * (engine_share_prefixes); before that a request finds only what the workload says (cached_tok), or
 * what it left itself (kept_blocks.h).
 *
 * Names are given when blocks are scheduled, not when they are computed, so that requests let in
 * together share (vLLM, KVCacheManager.allocate_slots). Each request lets go of its blocks at its
 * end; those of a handed-over request are in the queue from then on, but count as used until
 * engine_release. The answer of a session's turn gets its names at the end, too: nobody can ask for
 * them earlier. What comes with remote_kv is the request's own until it ends.
 *
 * What is not on the GPU is looked for in the host's memory and in a remote store (kv_store.h), id
 * by id, until neither has the next. It is loaded before the rest is prefilled, while others go on
 * (vLLM's OffloadingConnector and LMCache's asynchronous loading: WAITING_FOR_REMOTE_KVS in
 * vllm/v1/core/sched/scheduler.py). Such a request takes the blocks of its whole prompt, so that it
 * can go on for certain, but no place in the batch; when its blocks are here it is let in before
 * all that wait. Each replica has a link of its own to either tier, first come, first served; both
 * work at the same time. Copying to the tiers takes no time. */
#ifndef TOKENYARD_MODELS_ENGINE_PREFIXES_H
#define TOKENYARD_MODELS_ENGINE_PREFIXES_H

#include "models/engine/engine.h"
#include "models/engine/kv_store.h"
#include "models/engine/prefix_cache.h"

struct engine_prefixes {
    struct prefix_cache *cache;
    struct prefix_ids *ids;                /* of the owner */
    struct kv_store *stores[PREFIX_TIERS]; /* NULL: there is none; TIER_GPU: never */
    bool shared[PREFIX_TIERS];             /* the owner's, with other replicas */
    tick_t link_free[PREFIX_TIERS];        /* when the link has brought all that was asked for */
    struct prefix_totals totals;
};

/* --- for the owner --- */

/* From now on requests may have lists of `ids` (request->prefix), and who submits one without may
 * find nothing. remote: a store shared with other replicas; NULL: its own, if it has one. Only for
 * an engine that keeps blocks. */
void engine_share_prefixes(struct engine *engine, struct prefix_ids *ids, struct kv_store *remote);

/* --- for the engine --- */

/* What a request need not compute if it is let in now. */
struct prefix_found {
    int64_t tok;
    int64_t shared_blocks;     /* of its blocks: those that others use now */
    struct prefix_match match; /* where engine->prefixes is there */
};

void prefixes_destroy(struct engine_prefixes *prefixes); /* NULL is allowed */

/* The machine is lost, and all that was on it: GPU and host memory. What is remote stays. */
void prefixes_lose(struct engine *engine);
/* The request is not on the engine any more, and what it used there is lost. */
void prefixes_lose_list(struct engine *engine, const struct request *request);

struct prefix_found prefixes_find(const struct engine *engine, const struct request *request);

/* The request is let in: it uses what was found. Returns the blocks that this takes. */
int64_t prefixes_take(struct engine *engine, struct request *request,
                      const struct prefix_found *found);

/* Brings the queue of free blocks to what is left, but for so many that the decodes are about to
 * take. To be called before something is found or named. */
void prefixes_trim(struct engine *engine, int64_t decode_blocks);

/* request->computed has grown, and the blocks count as used. Returns those that it gives back,
 * because others have computed the same. */
int64_t prefixes_name(struct engine *engine, const struct request *request);

/* The prompt is in the cache. */
void prefixes_prompt_complete(struct engine *engine, const struct request *request);

/* It leaves the engine with the KV of so many tokens: at its end; preempted, it may find them
 * again; or given up half done. They return the blocks that nobody uses any more. */
int64_t prefixes_end(struct engine *engine, const struct request *request, int64_t tok);
int64_t prefixes_preempt(struct engine *engine, const struct request *request, int64_t tok);
int64_t prefixes_drop(struct engine *engine, const struct request *request, int64_t tok);

/* Blocks of a request whose KV cache was to come with remote_kv. (Its list may be in use where it
 * is prefilled.) */
void prefixes_drop_unnamed(struct engine *engine, int64_t blocks);

#endif
