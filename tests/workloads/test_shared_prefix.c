#include <criterion/criterion.h>

#include "tests/workloads/workload_support.h"

enum { TAKEN = 20000, PROMPTS = 4 };

#define PREFIX "'shared_prefix': {'prompts': 4, 'prompt_tok': 100, 'zipf': 1, 'block_tok': 16}, "
#define OPEN_LOOP                                                                                  \
    "{" PREFIX "'generator': {'arrivals': {'kind': 'poisson', 'rate_per_s': 10}, "                 \
    "'prompt_tok': {'kind': 'constant', 'tok': 50}, 'output_tok': {'kind': 'constant', 'tok': "    \
    "5}}}"

static struct arrival take(struct source *source)
{
    double time_s;
    struct arrival arrival;
    cr_assert_eq(source_peek(source, &time_s, NULL), SOURCE_READY);
    source_take(source, &arrival);
    return arrival;
}

Test(shared_prefix, prompts_begin_with_whole_named_blocks)
{
    struct test_workload workload = test_workload_open(OPEN_LOOP, 1);
    struct arrival arrival = take(workload.source);
    cr_expect_eq(arrival.prompt_tok, 150);
    cr_expect_eq(arrival.block_tok, 16);
    cr_expect_eq(arrival.blocks, 6, "of 100 tokens, 96 are in whole blocks");
    test_workload_close(&workload);
}

Test(shared_prefix, the_first_are_more_popular)
{
    struct test_workload workload = test_workload_open(OPEN_LOOP, 1);
    uint64_t first_ids[PROMPTS] = {0};
    uint32_t counts[PROMPTS] = {0};
    for (int i = 0; i < TAKEN; i++) {
        uint64_t id = take(workload.source).hash_ids[0];
        uint32_t k = 0;
        while (k < PROMPTS && counts[k] > 0 && first_ids[k] != id)
            k++;
        cr_assert_lt(k, PROMPTS, "more than four system prompts");
        first_ids[k] = id;
        counts[k]++;
    }
    double most = 0, least = TAKEN;
    for (int k = 0; k < PROMPTS; k++) {
        most = fmax(most, counts[k]);
        least = fmin(least, counts[k]);
    }
    /* 1 + 1/2 + 1/3 + 1/4 = 25/12 */
    cr_expect_float_eq(most / TAKEN, 12.0 / 25, 0.02);
    cr_expect_float_eq(least / TAKEN, 3.0 / 25, 0.02);
    test_workload_close(&workload);
}

Test(shared_prefix, the_turns_of_a_session_have_the_same)
{
    struct test_workload workload = test_workload_open(
        "{" PREFIX "'generator': {'arrivals': {'kind': 'chat', 'starts': {'kind': 'users', "
        "'users': 1}, 'turns': {'kind': 'geometric', 'mean': 20}, "
        "'think': {'kind': 'constant', 'think_s': 1}}, "
        "'prompt_tok': {'kind': 'constant', 'tok': 50}, 'output_tok': {'kind': 'constant', 'tok': "
        "5}}}",
        1);
    struct arrival before = take(workload.source);
    uint64_t id = before.hash_ids[0];
    int turns = 0;
    for (int i = 0; i < 200; i++) {
        source_ended(workload.source, &(struct arrival_end){before.stream, before.client,
                                                            before.output_tok, before.time_s + 1});
        struct arrival arrival = take(workload.source);
        if (arrival.session == before.session) {
            cr_assert_eq(arrival.hash_ids[0], id);
            turns++;
        }
        id = arrival.hash_ids[0];
        before = arrival;
    }
    cr_expect_gt(turns, 50);
    test_workload_close(&workload);
}

Test(shared_prefix, is_refused_for_a_trace)
{
    struct test_workload workload =
        test_workload_try("{" PREFIX "'trace': {'path': 'trace.csv'}}", 1, 0);
    cr_expect_null(workload.source);
    cr_expect(strstr(workload.error.json_path, "shared_prefix"), "%s", workload.error.json_path);
    test_workload_close(&workload);
}
