#include "models/engine/prefixes.h"

#include <assert.h>
#include <stdlib.h>

#include "models/engine/queues.h"
#include "models/engine/stretch_queue.h"
#include "sim/arena.h"

void engine_share_prefixes(struct engine *engine, struct prefix_ids *ids, struct kv_store *remote)
{
    const struct engine_config *config = engine->config;
    struct engine_prefixes *prefixes = calloc(1, sizeof *prefixes);
    if (!prefixes)
        out_of_memory();
    assert(config->keeps_blocks && !engine->prefixes);
    prefixes->cache = prefix_cache_create(config->kv_blocks, config->block_tok);
    prefixes->ids = ids;
    prefixes->stores[TIER_REMOTE] = remote;
    prefixes->shared[TIER_REMOTE] = remote != NULL;
    for (int tier = TIER_HOST; tier < PREFIX_TIERS; tier++)
        if (!prefixes->stores[tier] && config->prefix.tiers[tier].capacity > 0)
            prefixes->stores[tier] = kv_store_create(config->prefix.tiers[tier].capacity);
    engine->prefixes = prefixes;
}

void prefixes_destroy(struct engine_prefixes *prefixes)
{
    if (!prefixes)
        return;
    prefix_cache_destroy(prefixes->cache);
    for (int tier = TIER_HOST; tier < PREFIX_TIERS; tier++)
        if (!prefixes->shared[tier])
            kv_store_destroy(prefixes->stores[tier]);
    free(prefixes);
}

void prefixes_lose(struct engine *engine)
{
    struct engine_prefixes *prefixes = engine->prefixes;
    struct kv_store **host = &prefixes->stores[TIER_HOST];
    prefix_cache_clear(prefixes->cache, engine->config->kv_blocks);
    if (*host) {
        kv_store_destroy(*host);
        *host = kv_store_create(engine->config->prefix.tiers[TIER_HOST].capacity);
    }
    for (int tier = TIER_HOST; tier < PREFIX_TIERS; tier++)
        prefixes->link_free[tier] = 0;
}

void prefixes_lose_list(struct engine *engine, const struct request *request)
{
    if (request->prefix == PREFIX_NONE)
        return;
    struct prefix_list *list = prefix_list_of(engine->prefixes->ids, request->prefix);
    list->held = 0;
    list->kept = STRETCH_NONE;
}

/* Requests that came before the engine shared prefixes have no list: `nothing` stands for it. */
static struct prefix_list *list_of(const struct engine *engine, const struct request *request,
                                   struct prefix_list *nothing)
{
    return request->prefix == PREFIX_NONE ? nothing
                                          : prefix_list_of(engine->prefixes->ids, request->prefix);
}

void prefixes_trim(struct engine *engine, int64_t decode_blocks)
{
    /* What was handed over is in the queue already, with what it holds. */
    int64_t left = free_blocks(engine) + engine->held_blocks - decode_blocks;
    prefix_cache_evict(engine->prefixes->cache, left > 0 ? left : 0);
}

/* --- let in --- */

struct prefix_found prefixes_find(const struct engine *engine, const struct request *request)
{
    struct prefix_list nothing = {0};
    const struct prefix_list *list = list_of(engine, request, &nothing);
    struct prefix_match match =
        prefix_cache_find(engine->prefixes->cache, list, prefill_length(request) - 1);
    if (request->cached_tok > match.tok)
        return (struct prefix_found){.tok = request->cached_tok};
    return (struct prefix_found){.tok = match.tok,
                                 .shared_blocks = blocks_for(engine, match.tok) - match.queued,
                                 .match = match};
}

int64_t prefixes_take(struct engine *engine, struct request *request,
                      const struct prefix_found *found)
{
    struct prefix_list nothing = {0};
    prefix_cache_hold(engine->prefixes->cache, list_of(engine, request, &nothing), &found->match);
    request->computed = (uint32_t)found->tok;
    return blocks_for(engine, found->tok) - found->shared_blocks;
}

int64_t prefixes_name(struct engine *engine, const struct request *request)
{
    struct prefix_list nothing = {0};
    return prefix_cache_store(engine->prefixes->cache, list_of(engine, request, &nothing),
                              request->computed);
}

/* --- the tiers --- */

static void copy_to_stores(struct engine *engine, const struct request *request,
                           const struct prefix_list *list, uint32_t ids)
{
    for (int tier = TIER_HOST; tier < PREFIX_TIERS; tier++) {
        struct kv_store *store = engine->prefixes->stores[tier];
        uint32_t weight = engine->config->prefix.tiers[tier].counts_ids ? 1 : list->block_tok;
        if (!store)
            continue;
        if (engine->prefixes->shared[tier])
            kv_store_use_at(store, engine->boundary, request->replica, list, ids, weight);
        else
            kv_store_use(store, list, ids, weight);
    }
}

void prefixes_prompt_complete(struct engine *engine, const struct request *request)
{
    struct prefix_list nothing = {0};
    const struct prefix_list *list = list_of(engine, request, &nothing);
    copy_to_stores(engine, request, list, list->prompt_ids);
}

/* --- gone --- */

/* What was answered can be found from now on. Returns blocks that others have, too. */
static int64_t name_answer(struct engine *engine, const struct request *request,
                           struct prefix_list *list, int64_t tok)
{
    prefixes_trim(engine, 0);
    int64_t given = prefix_cache_store(engine->prefixes->cache, list, tok);
    if (list->count > list->prompt_ids)
        copy_to_stores(engine, request, list, list->held);
    return given;
}

int64_t prefixes_end(struct engine *engine, const struct request *request, int64_t tok)
{
    struct prefix_list nothing = {0};
    struct prefix_list *list = list_of(engine, request, &nothing);
    int64_t given = list->held < list->count ? name_answer(engine, request, list, tok) : 0;
    return given + prefix_cache_release(engine->prefixes->cache, list, tok);
}

int64_t prefixes_drop(struct engine *engine, const struct request *request, int64_t tok)
{
    struct prefix_list nothing = {0};
    return prefix_cache_release(engine->prefixes->cache, list_of(engine, request, &nothing), tok);
}

void prefixes_drop_unnamed(struct engine *engine, int64_t blocks)
{
    prefixes_trim(engine, 0);
    prefix_cache_put_back(engine->prefixes->cache, blocks);
}

int64_t prefixes_preempt(struct engine *engine, const struct request *request, int64_t tok)
{
    struct prefix_list nothing = {0};
    struct prefix_list *list = list_of(engine, request, &nothing);
    if (engine->config->admission != ADMIT_PREEMPT || request->prefix == PREFIX_NONE)
        return prefix_cache_release(engine->prefixes->cache, list, tok);
    return prefix_cache_preempt(engine->prefixes->cache, list, tok);
}
