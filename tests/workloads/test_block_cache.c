#include <criterion/criterion.h>

#include "workloads/block_cache.h"

static size_t use(struct block_cache *cache, size_t count, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t ids[] = {a, b, c};
    return block_cache_use(cache, ids, count);
}

Test(block_cache, hits_are_leading_blocks)
{
    struct block_cache *cache = block_cache_create(SIZE_MAX);
    cr_expect_eq(use(cache, 3, 1, 2, 3), 0);
    cr_expect_eq(use(cache, 3, 1, 2, 3), 3);
    cr_expect_eq(use(cache, 3, 1, 9, 3), 1, "block 3 does not count behind an absent one");
    cr_expect_eq(use(cache, 0, 0, 0, 0), 0);
    cr_expect_eq(block_cache_held(cache), 4);
    block_cache_destroy(cache);
}

Test(block_cache, tails_go_first)
{
    struct block_cache *cache = block_cache_create(3);
    use(cache, 3, 1, 2, 3);
    use(cache, 1, 4, 0, 0); /* evicts 3, the tail */
    cr_expect_eq(block_cache_held(cache), 3);
    cr_expect_eq(use(cache, 3, 1, 2, 3), 2);
    block_cache_destroy(cache);
}

Test(block_cache, a_request_larger_than_the_cache_keeps_its_root)
{
    struct block_cache *cache = block_cache_create(2);
    use(cache, 3, 1, 2, 3);
    cr_expect_eq(block_cache_held(cache), 2);
    cr_expect_eq(use(cache, 3, 1, 2, 3), 2);
    block_cache_destroy(cache);
}
