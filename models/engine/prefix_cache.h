/* The KV cache of one replica as a cache of prefixes: what is in which blocks, for requests that
 * share the beginnings of their prompts.
 *
 * The replica counts its blocks (engine.h); this knows what is in them. Blocks in use are those of
 * running requests: named ones, which all that need them share and which count once, and a
 * request's own, which nobody else can find (its last tokens, and what it answers). All others are
 * in one queue, as in vLLM (vllm/v1/core/block_pool.py and kv_cache_manager.py, with
 * enable_prefix_caching): who needs blocks takes them from its head, and what was in them is
 * forgotten; who leaves puts its blocks at its end, last token first; what was forgotten by nobody
 * is found again, taken out of the middle. So the queue is in order of last use, tails before
 * roots, with the blocks that hold nothing to be found in their places.
 *
 * Names are the ids of prefix_ids.h. An id has the KV blocks that end within its stretch of tokens,
 * any number of them, and is forgotten whole when the first is taken (vLLM would still find the
 * others of the stretch: with ids of a KV block each it is vLLM to the block). Only whole KV blocks
 * are found, and at least the last token of a prompt is computed. An id that is computed again
 * though it is there (the last of a prompt that is found whole) is not kept twice, as in SGLang's
 * radix cache.
 *
 * Cost: O(1) per id and request. Memory: 32 bytes for each id in the cache, and up to 64 in its
 * table. Growing ends the process when out of memory. */
#ifndef TOKENYARD_MODELS_ENGINE_PREFIX_CACHE_H
#define TOKENYARD_MODELS_ENGINE_PREFIX_CACHE_H

#include "models/engine/prefix_ids.h"

/* Who wants to know what a replica holds (vLLM's KV events, BlockStored and BlockRemoved). An id is
 * removed after it was stored, and before it is stored again. Stored ids are told at once, removed
 * ones when the replica next lets a request in or stores something, so that the times do not depend
 * on how its runs of iterations were cut. Nobody listening costs nothing. */
struct prefix_listener {
    void *context;
    void (*stored)(void *context, uint64_t id);
    void (*removed)(void *context, uint64_t id);
};

struct prefix_cache;

/* All blocks are free, and hold nothing. */
struct prefix_cache *prefix_cache_create(int64_t blocks, uint32_t block_tok);
void prefix_cache_destroy(struct prefix_cache *cache); /* NULL is allowed */

/* All is forgotten, whoever uses it, and the listener is told of it: as it was when created. */
void prefix_cache_clear(struct prefix_cache *cache, int64_t blocks);

/* From now on; the listener must outlive the cache. NULL: nobody. */
void prefix_cache_listen(struct prefix_cache *cache, const struct prefix_listener *listener);

/* The beginning of a request's tokens that is there. */
struct prefix_match {
    uint32_t ids;   /* of the prompt, from the first on; the last may be of no use, as above */
    uint32_t held;  /* those that save computing */
    int64_t tok;    /* that need not be computed: whole KV blocks */
    int64_t queued; /* their blocks that nobody uses now */
    bool kept;      /* what the request left behind is among them */
};

/* most_tok: at least the last token of what has to be prefilled is computed. */
struct prefix_match prefix_cache_find(const struct prefix_cache *cache,
                                      const struct prefix_list *list, int64_t most_tok);

/* Blocks that were taken from the queue's head: at most `left` stay in it. */
void prefix_cache_evict(struct prefix_cache *cache, int64_t left);

/* A request is let in, and uses what was just found: match->queued blocks leave the queue. */
void prefix_cache_hold(struct prefix_cache *cache, struct prefix_list *list,
                       const struct prefix_match *match);

/* The request's first so many tokens are in blocks that it holds or that are its own; these get
 * their names. Returns the blocks that it gives back, because others have computed the same: it
 * uses theirs. */
int64_t prefix_cache_store(struct prefix_cache *cache, struct prefix_list *list, int64_t tok);

/* The request leaves, with the KV of so many tokens. Returns the blocks that nobody uses any more.
 * A preempted one may find its own again, until it is let in or forgotten. */
int64_t prefix_cache_release(struct prefix_cache *cache, struct prefix_list *list, int64_t tok);
int64_t prefix_cache_preempt(struct prefix_cache *cache, struct prefix_list *list, int64_t tok);

/* Blocks that were taken and hold nothing: the first to be taken again. Only after
 * prefix_cache_evict. */
void prefix_cache_put_back(struct prefix_cache *cache, int64_t blocks);

/* Blocks in the queue, for checks. */
int64_t prefix_cache_queued(const struct prefix_cache *cache);

#endif
