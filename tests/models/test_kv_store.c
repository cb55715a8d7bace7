/* A tier's store against the cache that trace statistics are made with. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "models/engine/kv_store.h"
#include "sim/random.h"
#include "workloads/block_cache.h"

/* A list of ids, made as the fleet makes it. */
static uint32_t list_of(struct prefix_ids *pool, const uint64_t *ids, uint32_t count)
{
    struct arrival arrival = {.prompt_tok = count * 10,
                              .output_tok = 1,
                              .block_tok = 10,
                              .blocks = count,
                              .hash_ids = ids};
    return prefix_ids_take(pool, &arrival, 16);
}

static uint32_t leading(const struct kv_store *store, const uint64_t *ids, uint32_t count)
{
    uint32_t hits = 0;
    while (hits < count && kv_store_has(store, ids[hits]))
        hits++;
    return hits;
}

/* Prefixes of random paths in a tree of five children each. */
static uint32_t draw_path(gsl_rng *rng, uint64_t *ids)
{
    uint32_t count = 1 + (uint32_t)gsl_rng_uniform_int(rng, 8);
    uint64_t node = 0;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = node = node * 5 + 1 + gsl_rng_uniform_int(rng, 5);
    return count;
}

Test(kv_store, hits_and_forgets_as_the_statistics_of_traces_do)
{
    gsl_rng *rng = random_stream(1, 0, "test/kv_store");
    for (int64_t capacity = 1; capacity < 600; capacity = capacity * 2 + 1) {
        struct block_cache *expected = block_cache_create((size_t)capacity);
        struct kv_store *store = kv_store_create(capacity);
        struct prefix_ids pool;
        prefix_ids_init(&pool);
        for (int i = 0; i < 3000; i++) {
            uint64_t ids[8];
            uint32_t count = draw_path(rng, ids);
            uint32_t list = list_of(&pool, ids, count);
            uint32_t hits = leading(store, ids, count);
            kv_store_use(store, prefix_list_of(&pool, list), count, 1);
            cr_assert_eq(hits, block_cache_use(expected, ids, count));
            prefix_ids_give_back(&pool, list);
        }
        prefix_ids_free(&pool);
        kv_store_destroy(store);
        block_cache_destroy(expected);
    }
    gsl_rng_free(rng);
}

Test(kv_store, weighs_ids_by_their_tokens)
{
    struct prefix_ids pool;
    prefix_ids_init(&pool);
    struct kv_store *store = kv_store_create(25); /* two of 10 tokens */
    uint64_t ids[] = {1, 2, 3};
    uint32_t list = list_of(&pool, ids, 3);
    kv_store_use(store, prefix_list_of(&pool, list), 3, 10);
    cr_expect(kv_store_has(store, 1));
    cr_expect(kv_store_has(store, 2));
    cr_expect_not(kv_store_has(store, 3), "the tail goes first");
    kv_store_destroy(store);
    prefix_ids_free(&pool);
}
