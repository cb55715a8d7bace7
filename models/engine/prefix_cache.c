/* The queue of free blocks is one of stretches: each id's, and between them those without a name,
 * which grow together at the end. So all of a request's own blocks are one stretch, whatever its
 * length, and taking n blocks from the head costs as many steps as ids are forgotten.
 *
 * Blocks are taken late: the replica counts those that its decodes take, and only when somebody
 * looks or comes back the queue is brought to what is left (prefix_cache_evict). Taking from the
 * head and adding to the end can change places, so that is the same as taking them one by one. */
#include "models/engine/prefix_cache.h"

#include <assert.h>
#include <stdlib.h>

#include "models/engine/stretch_queue.h"
#include "sim/arena.h"

#define STRETCH_MAX ((int64_t)UINT32_MAX)

struct prefix_cache {
    struct stretch_queue queue;
    uint32_t block_tok;
    uint64_t preempted; /* so far: the ids of stretches that are kept */
    const struct prefix_listener *listener;
    uint32_t gone_head, gone_tail; /* removed ids that are still to be told; linked by next */
};

/* At the end of the queue, blocks of which nothing can be found. */
static void append_unnamed(struct prefix_cache *cache, int64_t blocks)
{
    struct stretch_queue *queue = &cache->queue;
    struct stretch *last = stretch_of(queue, stretch_tail(queue));
    if (queue->blocks > 0 && last->kind == STRETCH_UNNAMED &&
        last->blocks + blocks <= STRETCH_MAX) {
        last->blocks += (uint32_t)blocks;
        queue->blocks += blocks;
        return;
    }
    for (; blocks > 0; blocks -= STRETCH_MAX) {
        uint32_t part = (uint32_t)(blocks < STRETCH_MAX ? blocks : STRETCH_MAX);
        stretch_append(queue, stretch_add(queue, STRETCH_UNNAMED, 0, part));
    }
}

static void begin_empty(struct prefix_cache *cache, int64_t blocks)
{
    stretch_queue_init(&cache->queue);
    stretch_append(&cache->queue, stretch_add(&cache->queue, STRETCH_UNNAMED, 0, (uint32_t)blocks));
}

struct prefix_cache *prefix_cache_create(int64_t blocks, uint32_t block_tok)
{
    struct prefix_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        out_of_memory();
    cache->block_tok = block_tok;
    begin_empty(cache, blocks);
    return cache;
}

void prefix_cache_destroy(struct prefix_cache *cache)
{
    if (!cache)
        return;
    stretch_queue_free(&cache->queue);
    free(cache);
}

int64_t prefix_cache_queued(const struct prefix_cache *cache)
{
    return cache->queue.blocks;
}

/* --- the listener --- */

void prefix_cache_listen(struct prefix_cache *cache, const struct prefix_listener *listener)
{
    cache->listener = listener;
}

static void remember_gone(struct prefix_cache *cache, uint64_t id)
{
    uint32_t gone = stretch_add(&cache->queue, STRETCH_UNNAMED, id, 0);
    stretch_of(&cache->queue, gone)->next = STRETCH_NONE;
    if (cache->gone_head == STRETCH_NONE)
        cache->gone_head = gone;
    else
        stretch_of(&cache->queue, cache->gone_tail)->next = gone;
    cache->gone_tail = gone;
}

static void tell_gone(struct prefix_cache *cache)
{
    while (cache->gone_head != STRETCH_NONE) {
        uint32_t gone = cache->gone_head;
        const struct stretch *stretch = stretch_of(&cache->queue, gone);
        cache->gone_head = stretch->next;
        cache->listener->removed(cache->listener->context, stretch->id);
        stretch_drop(&cache->queue, gone);
    }
}

static void tell_all_gone(struct prefix_cache *cache)
{
    tell_gone(cache);
    for (uint32_t i = 1; i < cache->queue.count; i++) {
        const struct stretch *stretch = stretch_of(&cache->queue, i);
        if (stretch->kind == STRETCH_NAMED)
            cache->listener->removed(cache->listener->context, stretch->id);
    }
}

void prefix_cache_clear(struct prefix_cache *cache, int64_t blocks)
{
    if (cache->listener)
        tell_all_gone(cache);
    stretch_queue_free(&cache->queue);
    begin_empty(cache, blocks);
}

static void forget(struct prefix_cache *cache, uint32_t stretch)
{
    if (cache->listener)
        remember_gone(cache, stretch_of(&cache->queue, stretch)->id);
    stretch_unname(&cache->queue, stretch);
}

/* --- what is found --- */

/* KV blocks that end within the id's stretch of tokens. */
static uint32_t blocks_of(const struct prefix_cache *cache, const struct prefix_list *list,
                          uint32_t id)
{
    uint32_t start_tok = id == 0 ? 0 : prefix_end_tok(list, id - 1);
    return prefix_end_tok(list, id) / cache->block_tok - start_tok / cache->block_tok;
}

/* Blocks of the first so many ids. */
static int64_t leading_blocks(const struct prefix_cache *cache, const struct prefix_list *list,
                              uint32_t ids)
{
    return ids == 0 ? 0 : prefix_end_tok(list, ids - 1) / cache->block_tok;
}

/* The stretch that has the id's tokens; a shorter prompt may have left less under its name. */
static uint32_t find_whole(const struct prefix_cache *cache, const struct prefix_list *list,
                           uint32_t id)
{
    uint32_t found = stretch_find(&cache->queue, list->ids[id]);
    bool whole = found != STRETCH_NONE &&
                 stretch_of(&cache->queue, found)->blocks == blocks_of(cache, list, id);
    return whole ? found : STRETCH_NONE;
}

static int64_t queued_blocks(const struct stretch *stretch)
{
    return stretch->users == 0 ? stretch->blocks : 0;
}

/* What the request left behind, if some of it is there still. */
static const struct stretch *kept_stretch(const struct prefix_cache *cache,
                                          const struct prefix_list *list)
{
    if (list->kept == STRETCH_NONE)
        return NULL;
    const struct stretch *kept = stretch_of(&cache->queue, list->kept);
    return kept->kind == STRETCH_KEPT && kept->id == list->kept_id ? kept : NULL;
}

struct prefix_match prefix_cache_find(const struct prefix_cache *cache,
                                      const struct prefix_list *list, int64_t most_tok)
{
    struct prefix_match match = {0};
    for (uint32_t id = 0; id < list->count; id++) {
        uint32_t found = find_whole(cache, list, id);
        if (found == STRETCH_NONE)
            break;
        match.ids += id < list->prompt_ids;
        if (prefix_end_tok(list, id) > most_tok)
            continue;
        match.held++;
        match.queued += queued_blocks(stretch_of(&cache->queue, found));
    }
    int64_t blocks = leading_blocks(cache, list, match.held);
    const struct stretch *kept = kept_stretch(cache, list);
    if (kept && match.held == list->kept_from) {
        match.kept = true;
        match.queued += kept->blocks;
        blocks += kept->blocks;
    }
    match.tok = blocks * cache->block_tok;
    return match;
}

/* --- what is taken --- */

void prefix_cache_evict(struct prefix_cache *cache, int64_t left)
{
    struct stretch_queue *queue = &cache->queue;
    while (queue->blocks > left) {
        uint32_t head = stretch_head(queue);
        if (stretch_of(queue, head)->kind == STRETCH_NAMED)
            forget(cache, head);
        struct stretch *first = stretch_of(queue, head);
        int64_t excess = queue->blocks - left;
        if (first->blocks > excess) {
            first->blocks -= (uint32_t)excess;
            queue->blocks = left;
            return;
        }
        stretch_unlink(queue, head);
        stretch_drop(queue, head);
    }
}

void prefix_cache_put_back(struct prefix_cache *cache, int64_t blocks)
{
    if (blocks > 0)
        stretch_prepend(&cache->queue,
                        stretch_add(&cache->queue, STRETCH_UNNAMED, 0, (uint32_t)blocks));
}

static void use(struct prefix_cache *cache, uint32_t stretch)
{
    if (stretch_of(&cache->queue, stretch)->users++ == 0)
        stretch_unlink(&cache->queue, stretch);
}

void prefix_cache_hold(struct prefix_cache *cache, struct prefix_list *list,
                       const struct prefix_match *match)
{
    assert(list->held == 0);
    tell_gone(cache);
    for (; list->held < match->held; list->held++)
        use(cache, stretch_find(&cache->queue, list->ids[list->held]));
    if (match->kept) {
        stretch_unlink(&cache->queue, list->kept);
        stretch_drop(&cache->queue, list->kept);
    } else if (kept_stretch(cache, list)) {
        stretch_unname(&cache->queue, list->kept);
    }
    list->kept = STRETCH_NONE;
}

/* --- what is stored --- */

static void name_own(struct prefix_cache *cache, uint64_t id, uint32_t blocks)
{
    uint32_t added = stretch_add(&cache->queue, STRETCH_NAMED, id, blocks);
    stretch_of(&cache->queue, added)->users = 1;
    if (cache->listener)
        cache->listener->stored(cache->listener->context, id);
}

/* Returns the blocks that are given back instead of the others' that are used. */
static int64_t use_others(struct prefix_cache *cache, uint32_t others)
{
    const struct stretch *stretch = stretch_of(&cache->queue, others);
    uint32_t blocks = stretch->blocks;
    int64_t given = blocks - queued_blocks(stretch);
    use(cache, others);
    prefix_cache_put_back(cache, blocks);
    return given;
}

int64_t prefix_cache_store(struct prefix_cache *cache, struct prefix_list *list, int64_t tok)
{
    int64_t given = 0;
    tell_gone(cache);
    for (; list->held < list->count && prefix_end_tok(list, list->held) <= tok; list->held++) {
        uint64_t id = list->ids[list->held];
        uint32_t found = stretch_find(&cache->queue, id);
        if (found != STRETCH_NONE && find_whole(cache, list, list->held) != STRETCH_NONE) {
            given += use_others(cache, found);
            continue;
        }
        if (found != STRETCH_NONE) { /* of another length */
            if (stretch_of(&cache->queue, found)->users > 0)
                return given;
            forget(cache, found);
            tell_gone(cache);
        }
        name_own(cache, id, blocks_of(cache, list, list->held));
    }
    return given;
}

/* --- who leaves --- */

static void append_kept(struct prefix_cache *cache, struct prefix_list *list, int64_t blocks)
{
    if (blocks == 0)
        return;
    list->kept_id = ++cache->preempted;
    list->kept_from = list->held;
    list->kept = stretch_add(&cache->queue, STRETCH_KEPT, list->kept_id, (uint32_t)blocks);
    stretch_append(&cache->queue, list->kept);
}

/* Last token first. Returns their blocks that nobody else uses. */
static int64_t leave_held(struct prefix_cache *cache, struct prefix_list *list)
{
    int64_t left = 0;
    for (; list->held > 0; list->held--) {
        uint32_t held = stretch_find(&cache->queue, list->ids[list->held - 1]);
        struct stretch *stretch = stretch_of(&cache->queue, held);
        if (--stretch->users > 0)
            continue;
        left += stretch->blocks;
        stretch_append(&cache->queue, held);
    }
    return left;
}

static int64_t own_blocks(const struct prefix_cache *cache, const struct prefix_list *list,
                          int64_t tok)
{
    int64_t blocks = (tok + cache->block_tok - 1) / cache->block_tok;
    return blocks - leading_blocks(cache, list, list->held);
}

int64_t prefix_cache_release(struct prefix_cache *cache, struct prefix_list *list, int64_t tok)
{
    int64_t own = own_blocks(cache, list, tok);
    append_unnamed(cache, own);
    return own + leave_held(cache, list);
}

int64_t prefix_cache_preempt(struct prefix_cache *cache, struct prefix_list *list, int64_t tok)
{
    int64_t own = own_blocks(cache, list, tok);
    int64_t partial = tok % cache->block_tok > 0 && own > 0;
    append_unnamed(cache, partial);
    append_kept(cache, list, own - partial);
    return own + leave_held(cache, list);
}
