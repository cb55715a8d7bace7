#include "workloads/block_cache.h"

#include <stdlib.h>

#define uthash_fatal(message) out_of_memory()
#include <uthash.h>

#include "sim/arena.h"

struct block {
    uint64_t id;
    UT_hash_handle hh;
};

/* uthash keeps entries in the order they were added: taking one out and adding it again makes it
 * the most recent, and the first is the next to go. */
struct block_cache {
    struct block *oldest;
    size_t capacity;
};

struct block_cache *block_cache_create(size_t capacity)
{
    struct block_cache *cache = calloc(1, sizeof *cache);
    if (cache)
        cache->capacity = capacity;
    return cache;
}

static struct block *find(struct block_cache *cache, uint64_t id)
{
    struct block *block;
    HASH_FIND(hh, cache->oldest, &id, sizeof id, block);
    return block;
}

static void evict_oldest(struct block_cache *cache)
{
    struct block *block = cache->oldest;
    HASH_DEL(cache->oldest, block);
    free(block);
}

static void make_most_recent(struct block_cache *cache, uint64_t id)
{
    struct block *block = find(cache, id);
    if (block)
        HASH_DEL(cache->oldest, block);
    else if (!(block = malloc(sizeof *block)))
        out_of_memory();
    block->id = id;
    HASH_ADD(hh, cache->oldest, id, sizeof id, block);
    if (HASH_COUNT(cache->oldest) > cache->capacity)
        evict_oldest(cache);
}

size_t block_cache_use(struct block_cache *cache, const uint64_t *ids, size_t count)
{
    size_t hits = 0;
    while (hits < count && find(cache, ids[hits]))
        hits++;
    for (size_t i = count; i > 0; i--)
        make_most_recent(cache, ids[i - 1]);
    return hits;
}

size_t block_cache_held(const struct block_cache *cache)
{
    return HASH_COUNT(cache->oldest);
}

void block_cache_destroy(struct block_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        evict_oldest(cache);
    free(cache);
}
