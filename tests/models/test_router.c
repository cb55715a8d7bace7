/* Which replica a request goes to, policy by policy. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/fleet/router.h"
#include "models/fleet/router_settings.h"

/* Two pools: replicas 0 to 3, and 4 and 5, which count for twice as much. */
enum { REPLICAS = 6, CLASSES = 2 };

static const struct router_pool pools[] = {{"a", 0, 4, 1}, {"b", 4, 2, 2}};
static const char *const class_names[CLASSES] = {"x", "y"};
static const struct router_fleet fleet = {
    .pools = pools, .pool_count = 2, .class_names = class_names, .class_count = CLASSES, .seed = 1};

static uint32_t choose(struct router *router, uint32_t class_index, uint32_t prompt_tok,
                       uint32_t output_tok)
{
    struct router_request request = {.class_index = class_index,
                                     .prompt_tok = prompt_tok,
                                     .output_tok = output_tok,
                                     .session = ROUTER_NO_SESSION};
    return router_choose(router, &request);
}

static int policy(const char *name)
{
    int index = 0;
    while (strcmp(router_policies[index].name, name) != 0)
        index++;
    return index;
}

static struct router *make_plain(const char *name)
{
    struct router_config config = {.policy = {.index = policy(name)}};
    struct router *router = router_create(&config, &fleet, NULL);
    cr_assert_not_null(router);
    return router;
}

static struct router *make_weighted(struct router_share *shares, size_t count)
{
    struct router_weighted_config weighted = {.shares = {.items = shares, .count = count},
                                              .within = policy("round_robin")};
    struct router_config config = {.policy = {.index = policy("weighted"), .value = &weighted}};
    struct router *router = router_create(&config, &fleet, NULL);
    cr_assert_not_null(router);
    return router;
}

Test(router, round_robin_takes_each_in_turn)
{
    struct router *router = make_plain("round_robin");
    for (uint32_t i = 0; i < 3 * REPLICAS; i++)
        cr_assert_eq(choose(router, 0, 1, 1), i % REPLICAS);
    router_destroy(router);
}

Test(router, random_is_even)
{
    enum { DRAWS = 60000 };
    struct router *router = make_plain("random");
    int counts[REPLICAS] = {0};
    for (int i = 0; i < DRAWS; i++)
        counts[choose(router, 0, 1, 1)]++;
    for (int i = 0; i < REPLICAS; i++) /* five standard deviations */
        cr_assert_float_eq(counts[i], DRAWS / REPLICAS, 5 * sqrt(DRAWS * 5.0 / 36));
    router_destroy(router);
}

/* One each, then the ones of weight 2 have half the load of the others: they take a second one. */
Test(router, least_requests_divides_by_weight)
{
    static const uint32_t expected[] = {0, 1, 2, 3, 4, 5, 4, 5, 0, 1, 2, 3, 4, 5, 4, 5};
    struct router *router = make_plain("least_outstanding_requests");
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        uint32_t chosen = choose(router, 0, 1000 * (uint32_t)i + 1, 1);
        cr_assert_eq(chosen, expected[i], "request %zu went to %u", i, chosen);
    }
    router_release(router, 3, 1, 1);
    cr_assert_eq(choose(router, 0, 1, 1), 3);
    router_destroy(router);
}

Test(router, least_tokens_counts_prompt_and_output)
{
    struct router *router = make_plain("least_outstanding_tokens");
    cr_assert_eq(choose(router, 0, 60, 40), 0);
    for (uint32_t i = 1; i < REPLICAS; i++)
        cr_assert_eq(choose(router, 0, 100, 101), i);
    cr_assert_eq(choose(router, 0, 1, 1), 0, "100 tokens are the least");
    cr_assert_eq(choose(router, 0, 1, 1), 4, "201 tokens at twice the weight");
    router_release(router, 0, 60, 40);
    cr_assert_eq(choose(router, 0, 1, 1), 0);
    router_destroy(router);
}

/* Never the most loaded of all: one of the two drawn is another. The others are equal and get the
 * same: no replica, and so no pool, is favoured by its place in the file. */
Test(router, power_of_two_avoids_the_most_loaded)
{
    struct router *router = make_plain("power_of_two_choices");
    int counts[REPLICAS] = {0};
    for (int i = 0; i < 6000; i++) {
        uint32_t chosen = choose(router, 0, 1, 1);
        counts[chosen]++;
        if (chosen != 2)
            router_release(router, chosen, 1, 1);
    }
    cr_assert_eq(counts[2], 1, "all others are empty again, %d went there", counts[2]);
    for (int i = 0; i < REPLICAS; i++)
        cr_assert(i == 2 || (counts[i] > 1050 && counts[i] < 1350), "%d to replica %d", counts[i],
                  i);
    router_destroy(router);
}

/* After any number of requests, each pool has had its share of each class to within one. */
Test(router, shares_are_kept_at_every_moment)
{
    struct router_share shares[] = {{"x", "a", 7}, {"x", "b", 3}, {"y", "b", 1}};
    struct router *router = make_weighted(shares, 3);
    int to_b = 0;
    for (int i = 1; i <= 1000; i++) {
        to_b += choose(router, 0, 1, 1) >= 4;
        cr_assert_leq(fabs(to_b - 0.3 * i), 1, "%d of %d", to_b, i);
        cr_assert_geq(choose(router, 1, 1, 1), 4u, "y has no share in a");
    }
    router_destroy(router);
}

Test(router, a_class_without_shares_goes_by_replicas)
{
    struct router_share shares[] = {{"x", "a", 1}, {"y", "a", 0}};
    struct router *router = make_weighted(shares, 2);
    int counts[REPLICAS] = {0};
    for (int i = 0; i < 600; i++)
        counts[choose(router, 1, 1, 1)]++;
    for (int i = 0; i < REPLICAS; i++)
        cr_assert_eq(counts[i], 100);
    router_destroy(router);
}

Test(router, refuses_shares_of_what_is_not_there)
{
    static const struct {
        struct router_share share;
        const char *path, *hint;
    } cases[] = {{{"z", "a", 1}, "class", "\"classes\""}, {{"x", "c", 1}, "pool", "\"pools\""}};
    for (size_t i = 0; i < 2; i++) {
        struct router_share shares[] = {{"x", "a", 1}, cases[i].share};
        struct router_weighted_config weighted = {.shares = {.items = shares, .count = 2}};
        struct router_config config = {.policy = {.index = policy("weighted"), .value = &weighted}};
        struct error error = {0};
        cr_assert_not(router_check(&config, &fleet, &error));
        cr_expect(strstr(error.json_path, cases[i].path), "%s", error.json_path);
        cr_expect(strstr(error.hint, cases[i].hint), "%s", error.hint);
    }
}
