/* The cache of one replica by hand. (Against lists that are walked: test_engine_reference.c.) */
#include <criterion/criterion.h>

#include "models/engine/prefix_cache.h"

enum { BLOCK = 4, EVENTS_MAX = 64 };

struct event {
    uint64_t id;
    bool stored;
};

struct fixture {
    struct prefix_cache *cache;
    struct prefix_ids pool;
    struct event events[EVENTS_MAX];
    uint32_t count;
};

static void hear(struct fixture *fixture, uint64_t id, bool stored)
{
    fixture->events[fixture->count++] = (struct event){id, stored};
}

static void hear_stored(void *context, uint64_t id)
{
    hear(context, id, true);
}

static void hear_removed(void *context, uint64_t id)
{
    hear(context, id, false);
}

static struct fixture make(int64_t blocks)
{
    struct fixture fixture = {.cache = prefix_cache_create(blocks, BLOCK)};
    prefix_ids_init(&fixture.pool);
    return fixture;
}

static void clear(struct fixture *fixture)
{
    prefix_cache_destroy(fixture->cache);
    prefix_ids_free(&fixture->pool);
}

/* A request whose ids name a KV block each. */
static struct prefix_list *request(struct fixture *fixture, uint32_t prompt_tok,
                                   const uint64_t *ids)
{
    struct arrival arrival = {.prompt_tok = prompt_tok,
                              .output_tok = 1,
                              .session = ARRIVAL_NO_ID,
                              .block_tok = BLOCK,
                              .blocks = (prompt_tok + BLOCK - 1) / BLOCK,
                              .hash_ids = ids};
    return prefix_list_of(&fixture->pool, prefix_ids_take(&fixture->pool, &arrival, BLOCK));
}

/* Lets it in and computes all of it; returns the tokens that it found. `free`: blocks that are left
 * before, and after. */
static int64_t run(struct fixture *fixture, struct prefix_list *list, int64_t *free)
{
    prefix_cache_evict(fixture->cache, *free);
    struct prefix_match match =
        prefix_cache_find(fixture->cache, list, (int64_t)list->prompt_tok - 1);
    prefix_cache_hold(fixture->cache, list, &match);
    int64_t blocks = (list->prompt_tok + BLOCK - 1) / BLOCK - match.tok / BLOCK;
    *free -= match.queued + blocks;
    prefix_cache_evict(fixture->cache, *free);
    *free += prefix_cache_store(fixture->cache, list, list->prompt_tok);
    return match.tok;
}

static void leave(struct fixture *fixture, struct prefix_list *list, int64_t *free)
{
    *free += prefix_cache_release(fixture->cache, list, list->prompt_tok);
    cr_assert_eq(prefix_cache_queued(fixture->cache), *free);
}

static const uint64_t abc[] = {1, 2, 3}, abd[] = {1, 2, 4}, xyz[] = {7, 8, 9};

Test(prefix_cache, blocks_that_several_use_count_once)
{
    struct fixture fixture = make(10);
    int64_t free = 10;
    struct prefix_list *first = request(&fixture, 12, abc);
    cr_expect_eq(run(&fixture, first, &free), 0);
    cr_expect_eq(free, 7);
    struct prefix_list *second = request(&fixture, 12, abd);
    cr_expect_eq(run(&fixture, second, &free), 8);
    cr_expect_eq(free, 6, "two of three blocks are the first one's");
    leave(&fixture, first, &free);
    cr_expect_eq(free, 7, "the second still uses two of them");
    leave(&fixture, second, &free);
    cr_expect_eq(free, 10);
    clear(&fixture);
}

Test(prefix_cache, the_last_token_is_computed_and_its_block_not_kept_twice)
{
    struct fixture fixture = make(10);
    int64_t free = 10;
    struct prefix_list *first = request(&fixture, 12, abc), *again = request(&fixture, 12, abc);
    run(&fixture, first, &free);
    cr_expect_eq(run(&fixture, again, &free), 8);
    cr_expect_eq(free, 7);
    leave(&fixture, again, &free);
    leave(&fixture, first, &free);
    cr_expect_eq(free, 10);
    clear(&fixture);
}

Test(prefix_cache, tails_are_forgotten_first)
{
    struct fixture fixture = make(5);
    int64_t free = 5;
    struct prefix_list *first = request(&fixture, 12, abc);
    run(&fixture, first, &free);
    leave(&fixture, first, &free);
    struct prefix_list *other = request(&fixture, 12, xyz); /* takes two that held nothing, and 3 */
    run(&fixture, other, &free);
    leave(&fixture, other, &free);
    struct prefix_list *again = request(&fixture, 12, abc);
    cr_expect_eq(prefix_cache_find(fixture.cache, again, 11).ids, 2);
    clear(&fixture);
}

Test(prefix_cache, a_preempted_request_finds_what_nobody_else_could)
{
    struct fixture fixture = make(8);
    int64_t free = 8;
    struct prefix_list *list = request(&fixture, 14, (const uint64_t[]){1, 2, 3, 99});
    run(&fixture, list, &free);
    free -= 1; /* it has answered 8 tokens: 21 are in the cache */
    free -= 1;
    prefix_cache_evict(fixture.cache, free);
    free += prefix_cache_preempt(fixture.cache, list, 21);
    cr_expect_eq(free, 8);
    struct prefix_match match = prefix_cache_find(fixture.cache, list, 21);
    cr_expect(match.kept);
    cr_expect_eq(match.tok, 20, "five full blocks");
    prefix_cache_evict(fixture.cache, 4); /* two that held nothing, the sixth, and the fifth */
    cr_expect_eq(prefix_cache_find(fixture.cache, list, 21).tok, 16);
    clear(&fixture);
}

Test(prefix_cache, tells_what_it_stores_and_forgets)
{
    struct fixture fixture = make(4);
    const struct prefix_listener listener = {&fixture, hear_stored, hear_removed};
    prefix_cache_listen(fixture.cache, &listener);
    int64_t free = 4;
    struct prefix_list *first = request(&fixture, 12, abc);
    run(&fixture, first, &free);
    leave(&fixture, first, &free);
    prefix_cache_evict(fixture.cache, 2);
    cr_expect_eq(fixture.count, 3, "removed ids are told with the next request");
    struct prefix_list *again = request(&fixture, 12, abc);
    run(&fixture, again, &free);
    const struct event expected[] = {{1, true}, {2, true}, {3, true}, {3, false}, {3, true}};
    cr_assert_eq(fixture.count, 5);
    for (int i = 0; i < 5; i++)
        cr_expect(fixture.events[i].id == expected[i].id &&
                      fixture.events[i].stored == expected[i].stored,
                  "event %d", i);
    clear(&fixture);
}
