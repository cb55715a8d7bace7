#include <criterion/criterion.h>

#include "models/engine/prefix_ids.h"

static const uint64_t hashes[] = {7, 8, 9, 10};

static struct arrival hashed(uint32_t stream)
{
    return (struct arrival){.prompt_tok = 1300,
                            .output_tok = 5,
                            .stream = stream,
                            .session = ARRIVAL_NO_ID,
                            .block_tok = 512,
                            .blocks = 3,
                            .hash_ids = hashes};
}

static struct arrival turn(uint32_t session, uint32_t prompt_tok, uint32_t output_tok)
{
    return (struct arrival){.prompt_tok = prompt_tok, .output_tok = output_tok, .session = session};
}

Test(prefix_ids, takes_a_traces_ids_and_knows_that_the_last_is_partial)
{
    struct prefix_ids pool;
    prefix_ids_init(&pool);
    struct arrival arrival = hashed(0);
    const struct prefix_list *list = prefix_list_of(&pool, prefix_ids_take(&pool, &arrival, 16));
    cr_expect_eq(list->count, 3);
    cr_expect_eq(list->prompt_ids, 3);
    cr_expect_eq(list->ids[0], 7);
    cr_expect_eq(list->ids[2], 9);
    cr_expect_eq(prefix_end_tok(list, 1), 1024);
    cr_expect_eq(prefix_end_tok(list, 2), 1300);
    prefix_ids_free(&pool);
}

Test(prefix_ids, a_prompt_that_was_cut_has_fewer_ids_than_the_trace_gave)
{
    struct prefix_ids pool;
    prefix_ids_init(&pool);
    struct arrival arrival = hashed(0);
    arrival.prompt_tok = 600;
    const struct prefix_list *list = prefix_list_of(&pool, prefix_ids_take(&pool, &arrival, 16));
    cr_expect_eq(list->count, 2);
    prefix_ids_free(&pool);
}

Test(prefix_ids, streams_do_not_share_the_ids_that_they_both_count_from_zero)
{
    struct prefix_ids pool;
    prefix_ids_init(&pool);
    struct arrival one = hashed(1), two = hashed(2);
    uint32_t a = prefix_ids_take(&pool, &one, 16), b = prefix_ids_take(&pool, &two, 16);
    cr_expect_neq(prefix_list_of(&pool, a)->ids[0], prefix_list_of(&pool, b)->ids[0]);
    prefix_ids_free(&pool);
}

Test(prefix_ids, a_later_turn_repeats_the_ids_of_prompt_and_answer)
{
    struct prefix_ids pool;
    prefix_ids_init(&pool);
    struct arrival first = turn(3, 40, 25), second = turn(3, 90, 10), other = turn(4, 90, 10);
    uint32_t a = prefix_ids_take(&pool, &first, 16), b = prefix_ids_take(&pool, &second, 16),
             c = prefix_ids_take(&pool, &other, 16);
    const struct prefix_list *list = prefix_list_of(&pool, a);
    cr_expect_eq(list->prompt_ids, 2, "only whole stretches");
    cr_expect_eq(list->count, 4, "64 of 65 tokens are in the cache in the end");
    for (uint32_t i = 0; i < list->count; i++) {
        cr_expect_eq(list->ids[i], prefix_list_of(&pool, b)->ids[i]);
        cr_expect_neq(list->ids[i], prefix_list_of(&pool, c)->ids[i]);
    }
    prefix_ids_free(&pool);
}

Test(prefix_ids, lists_given_back_are_used_again)
{
    struct prefix_ids pool;
    prefix_ids_init(&pool);
    struct arrival arrival = turn(0, 4000, 100);
    uint32_t kept = prefix_ids_take(&pool, &arrival, 16);
    uint64_t id = prefix_list_of(&pool, kept)->ids[17];
    prefix_ids_give_back(&pool, prefix_ids_take(&pool, &arrival, 16));
    uint32_t used = pool.used;
    for (uint32_t i = 0; i < 1000; i++) {
        arrival = turn(i, 4000 + i, 100);
        prefix_ids_give_back(&pool, prefix_ids_take(&pool, &arrival, 16));
    }
    cr_expect_eq(pool.used, used);
    cr_expect_eq(prefix_list_of(&pool, kept)->ids[17], id);
    prefix_ids_free(&pool);
}

Test(prefix_ids, says_who_shares_nothing)
{
    struct prefix_ids pool;
    prefix_ids_init(&pool);
    struct arrival alone = turn(ARRIVAL_NO_ID, 4000, 100);
    cr_expect_not(prefix_ids_given(&alone));
    cr_expect_eq(prefix_list_of(&pool, prefix_ids_take(&pool, &alone, 16))->count, 0);
    prefix_ids_free(&pool);
}
