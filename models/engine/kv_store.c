#include "models/engine/kv_store.h"

#include <stdlib.h>

#include "models/engine/stretch_queue.h"
#include "sim/arena.h"

struct kv_store {
    struct stretch_queue queue; /* all of its stretches are named, and in the queue */
    int64_t capacity;
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

void kv_store_use(struct kv_store *store, const struct prefix_list *list, uint32_t count,
                  uint32_t weight)
{
    for (uint32_t i = count; i > 0; i--) {
        make_most_recent(store, list->ids[i - 1], weight);
        while (store->queue.blocks > store->capacity)
            evict_oldest(store);
    }
}
