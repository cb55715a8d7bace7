/* Policies that pick a pool: by length, and by shares that are planned on a timer. */
#include "tests/models/router_support.h"

/* A small GPU's pool with three replicas, and a large one that prefills ten times as fast and
 * decodes four times as fast. */
static const struct router_pool pools[] = {{.name = "small",
                                            .first_replica = 0,
                                            .replicas = 3,
                                            .weight = 1,
                                            .speed = {0.04, 0, 0, 0.0002},
                                            .kv_tok = 20000,
                                            .max_sequences = 256},
                                           {.name = "large",
                                            .first_replica = 3,
                                            .replicas = 1,
                                            .weight = 1,
                                            .speed = {0.01, 0, 0, 0.00002},
                                            .kv_tok = 20000,
                                            .max_sequences = 256}};
enum { LARGE = 3, CHATTY = 0, READING = 1 };
static const char *const class_names[] = {"chatty", "reading"};
static const struct router_fleet fleet = {
    .pools = pools, .pool_count = 2, .class_names = class_names, .class_count = 2, .seed = 1};

static uint32_t choose(struct router *router, uint32_t prompt_tok, uint32_t output_tok)
{
    struct router_request request = {
        .prompt_tok = prompt_tok, .output_tok = output_tok, .session = ROUTER_NO_SESSION};
    return router_choose(router, &request);
}

/* --- by_length --- */

static struct router_length_rule rules[] = {{1000, "small"}, {INT64_MIN, "large"}};

static struct router_length_config length_config(int length, double overflow_at)
{
    return (struct router_length_config){
        .rules = {.items = rules, .count = 2}, .length = length, .overflow_at = overflow_at};
}

Test(router_by_length, the_prompt_or_the_total_decides)
{
    struct router_length_config config = length_config(LENGTH_PROMPT, NAN);
    struct router *router = make_router("by_length", &config, &fleet);
    cr_expect_lt(choose(router, 1000, 5000), LARGE);
    cr_expect_eq(choose(router, 1001, 1), LARGE);
    router_destroy(router);
    config.length = LENGTH_TOTAL;
    router = make_router("by_length", &config, &fleet);
    cr_expect_lt(choose(router, 999, 1), LARGE);
    cr_expect_eq(choose(router, 999, 2), LARGE);
    router_destroy(router);
}

/* Three caches of 20,000 tokens are full with sixty requests of 1,000, and with as many more twice
 * so; then what is long goes on to the large one, for there is nothing behind it. */
Test(router_by_length, a_full_pool_overflows_to_the_longer_ones)
{
    struct router_length_config config = length_config(LENGTH_PROMPT, 1);
    struct router *router = make_router("by_length", &config, &fleet);
    for (int i = 0; i < 61; i++)
        cr_assert_lt(choose(router, 900, 100), LARGE, "request %d", i);
    cr_assert_eq(choose(router, 900, 100), LARGE);
    router_release(router, 0, 900, 100);
    cr_assert_lt(choose(router, 900, 100), LARGE);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(choose(router, 1900, 100), LARGE);
    cr_assert_lt(choose(router, 900, 100), LARGE, "all are full: the first choice stands");
    router_destroy(router);
}

Test(router_by_length, refuses_rules_that_leave_gaps)
{
    struct {
        struct router_length_rule rules[3];
        size_t count;
        const char *path, *hint;
    } cases[] = {
        {{{1000, "small"}}, 1, "/rules/0/up_to_tok", "last rule"},
        {{{INT64_MIN, "small"}, {INT64_MIN, "large"}}, 2, "/rules/0/up_to_tok", "rise"},
        {{{9, "small"}, {9, "large"}, {INT64_MIN, "large"}}, 3, "/rules/1/up_to_tok", "rise"},
        {{{9, "tiny"}, {INT64_MIN, "large"}}, 2, "/rules/0/pool", "\"pools\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct router_length_config config = {
            .rules = {.items = cases[i].rules, .count = cases[i].count}};
        expect_refused("by_length", &config, &fleet, cases[i].path, cases[i].hint);
    }
}

/* --- replanned --- */

/* Counts who goes to the large GPU in ten seconds of two classes, at equal rates. */
static void ten_seconds(struct router *router, double from_s, int to_large[2])
{
    to_large[CHATTY] = to_large[READING] = 0;
    for (int i = 0; i < 100; i++) {
        struct router_request request = {.now = tick_from_s(from_s + 0.1 * i),
                                         .class_index = (uint32_t)i % 2,
                                         .prompt_tok = i % 2 == READING ? 2000 : 100,
                                         .output_tok = i % 2 == READING ? 10 : 200,
                                         .session = ROUTER_NO_SESSION};
        uint32_t replica = router_choose(router, &request);
        to_large[i % 2] += replica == LARGE;
        router_release(router, replica, request.prompt_tok, request.output_tok);
    }
}

/* Chatty: 66 of 20,000 tokens run at a time, so 0.02 + 200 x 0.04 / 66.7 = 0.14 s of a small
 * replica, 0.002 + 0.03 = 0.032 s of a large one. Reading: 0.4 + 10 x 0.04 / 9.95 = 0.44 s and 0.04
 * + 0.01 = 0.05 s. All reading goes to the large one (50 x 0.05 = 2.5 s), which then is less busy
 * than the small ones with all that is chatty (50 x 0.14 / 3 = 2.3 s each) only a little. */
Test(router_replanned, plans_for_what_was_observed)
{
    struct router_replanned_config config = {.interval_s = 10};
    struct router *router = make_router("replanned", &config, &fleet);
    int to_large[2];
    ten_seconds(router, 0, to_large);
    cr_expect_eq(to_large[CHATTY], 12, "by replicas at first: a quarter, %d", to_large[CHATTY]);
    cr_expect_eq(to_large[READING], 12, "by replicas at first: a quarter, %d", to_large[READING]);
    ten_seconds(router, 10, to_large);
    cr_expect_geq(to_large[READING], 47, "%d of 50 long prompts", to_large[READING]);
    cr_expect_leq(to_large[CHATTY], 3, "%d of 50 long answers", to_large[CHATTY]);
    router_destroy(router);
}

/* Six hundred chats come at once; a quarter goes to the large one, where 66 fit. If they are still
 * there (those of the small ones are not) when the next plan is made, it gets less. */
Test(router_replanned, what_waits_counts_against_a_pool)
{
    struct router_replanned_config config = {.interval_s = 10};
    int to_large[2][2];
    for (int waits = 0; waits < 2; waits++) {
        struct router *router = make_router("replanned", &config, &fleet);
        for (int i = 0; i < 600; i++) {
            uint32_t replica = choose(router, 100, 200);
            if (replica != LARGE || !waits)
                router_release(router, replica, 100, 200);
        }
        ten_seconds(router, 10, to_large[waits]);
        router_destroy(router);
    }
    cr_expect_lt(to_large[1][CHATTY], to_large[0][CHATTY] - 3, "%d of 50, or %d of 50",
                 to_large[1][CHATTY], to_large[0][CHATTY]);
}
