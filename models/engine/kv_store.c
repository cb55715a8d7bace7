#include "models/engine/kv_store.h"

#include <stdlib.h>
#include <string.h>

#include "models/engine/stretch_queue.h"
#include "sim/arena.h"

/* What a replica used at the tick `since`. */
struct kv_use {
    uint32_t replica, first, count, weight; /* of store->ids */
};

struct kv_store {
    struct stretch_queue queue; /* all of its stretches are named, and in the queue */
    int64_t capacity;
    tick_t since;
    struct kv_use *uses; /* by replica */
    uint32_t use_count, use_capacity;
    uint64_t *ids;
    uint32_t id_count, id_capacity;
};

struct kv_store *kv_store_create(int64_t capacity)
{
    struct kv_store *store = calloc(1, sizeof *store);
    if (!store)
        out_of_memory();
    store->capacity = capacity;
    stretch_queue_init(&store->queue);
    return store;
}

void kv_store_destroy(struct kv_store *store)
{
    if (!store)
        return;
    stretch_queue_free(&store->queue);
    free(store->uses);
    free(store->ids);
    free(store);
}

bool kv_store_has(const struct kv_store *store, uint64_t id)
{
    return stretch_find(&store->queue, id) != STRETCH_NONE;
}

static void make_most_recent(struct kv_store *store, uint64_t id, uint32_t weight)
{
    struct stretch_queue *queue = &store->queue;
    uint32_t stretch = stretch_find(queue, id);
    if (stretch == STRETCH_NONE)
        stretch = stretch_add(queue, STRETCH_NAMED, id, weight);
    else
        stretch_unlink(queue, stretch);
    stretch_append(queue, stretch);
}

static void evict_oldest(struct kv_store *store)
{
    uint32_t oldest = stretch_head(&store->queue);
    stretch_unlink(&store->queue, oldest);
    stretch_drop(&store->queue, oldest);
}

static void use_ids(struct kv_store *store, const uint64_t *ids, uint32_t count, uint32_t weight)
{
    for (uint32_t i = count; i > 0; i--) {
        make_most_recent(store, ids[i - 1], weight);
        while (store->queue.blocks > store->capacity)
            evict_oldest(store);
    }
}

void kv_store_use(struct kv_store *store, const struct prefix_list *list, uint32_t count,
                  uint32_t weight)
{
    use_ids(store, list->ids, count, weight);
}

/* --- shared --- */

void kv_store_settle(struct kv_store *store, tick_t now)
{
    if (store->use_count == 0 || store->since == now)
        return;
    for (uint32_t i = 0; i < store->use_count; i++) {
        const struct kv_use *use = &store->uses[i];
        use_ids(store, store->ids + use->first, use->count, use->weight);
    }
    store->use_count = store->id_count = 0;
}

static void *room_for(void *items, uint32_t needed, uint32_t *capacity, size_t size)
{
    if (needed <= *capacity)
        return items;
    *capacity = 2 * needed;
    void *larger = realloc(items, *capacity * size);
    if (!larger)
        out_of_memory();
    return larger;
}

void kv_store_use_at(struct kv_store *store, tick_t now, uint32_t replica,
                     const struct prefix_list *list, uint32_t count, uint32_t weight)
{
    if (count == 0)
        return;
    kv_store_settle(store, now);
    store->since = now;
    store->ids =
        room_for(store->ids, store->id_count + count, &store->id_capacity, sizeof *store->ids);
    store->uses =
        room_for(store->uses, store->use_count + 1, &store->use_capacity, sizeof *store->uses);
    uint32_t at = store->use_count++;
    for (; at > 0 && store->uses[at - 1].replica > replica; at--)
        store->uses[at] = store->uses[at - 1];
    store->uses[at] = (struct kv_use){replica, store->id_count, count, weight};
    memcpy(store->ids + store->id_count, list->ids, count * sizeof *list->ids);
    store->id_count += count;
}
