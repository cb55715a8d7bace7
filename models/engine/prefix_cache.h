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
 * though it is there (the last of a prompt that is found whole) stays the request's own.
 *
 * Cost: O(1) per id and request. Memory: 32 bytes for each stretch in the cache, 8 in its table.
 * Growing ends the process when out of memory. */
#ifndef TOKENYARD_MODELS_ENGINE_PREFIX_CACHE_H
#define TOKENYARD_MODELS_ENGINE_PREFIX_CACHE_H

#include "models/engine/prefix_ids.h"

/* Who wants to know what a replica holds (vLLM's KV events, BlockStored and BlockRemoved). An id is
 * removed after it was stored, and before it is stored again. Stored ids are told at once, removed
 * ones when the next request is let in or leaves, so that the times do not depend on how runs of
 * iterations were cut. The whole costs nothing while nobody listens. */
struct prefix_listener {
    void *context;
    void (*stored)(void *context, uint64_t id);
    void (*removed)(void *context, uint64_t id);
};

struct prefix_cache;

/* All blocks are free, and hold nothing. */
struct prefix_cache *prefix_cache_create(int64_t blocks, uint32_t block_tok);
void prefix_cache_destroy(struct prefix_cache *cache); /* NULL is allowed */

/* From now on; the listener must outlive the cache. NULL: nobody. */
void prefix_cache_listen(struct prefix_cache *cache, const struct prefix_listener *listener);

/* The beginning of a request's tokens that is there. */
struct prefix_match {
    uint32_t ids;      /* found, from the first on */
    uint32_t tok;      /* that need not be computed: whole KV blocks */
    int64_t in_use;    /* of their blocks: those that others use now */
    uint32_t kept_tok; /* of tok: its own, from before a preemption */
};

struct prefix_match prefix_cache_find(const struct prefix_cache *cache,
                                      const struct prefix_list *list);

#endif
