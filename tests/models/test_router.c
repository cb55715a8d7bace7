/* Which replica a request goes to, policy by policy. */
#include "tests/models/router_support.h"

/* Two pools: replicas 0 to 3, and 4 and 5, which count for twice as much. */
enum { REPLICAS = 6, CLASSES = 2 };

static const struct router_pool pools[] = {
    {.name = "a", .first_replica = 0, .replicas = 4, .weight = 1},
    {.name = "b", .first_replica = 4, .replicas = 2, .weight = 2}};
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

static struct router *make_plain(const char *name)
{
    return make_router(name, NULL, &fleet);
}

static struct router *make_weighted(struct router_share *shares, size_t count)
{
    struct router_weighted_config weighted = {.shares = {.items = shares, .count = count},
                                              .within = policy("round_robin")};
    return make_router("weighted", &weighted, &fleet);
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
    } cases[] = {{{"z", "a", 1}, "/shares/1/class", "\"classes\""},
                 {{"x", "c", 1}, "/shares/1/pool", "\"pools\""}};
    for (size_t i = 0; i < 2; i++) {
        struct router_share shares[] = {{"x", "a", 1}, cases[i].share};
        struct router_weighted_config weighted = {.shares = {.items = shares, .count = 2}};
        expect_refused("weighted", &weighted, &fleet, cases[i].path, cases[i].hint);
    }
}

/* Model 0 is served by pools a and c, model 1 by b and c; c alone gets both. */
static const struct router_pool model_pools[] = {
    {.name = "a", .first_replica = 0, .replicas = 2, .weight = 1, .models = 1},
    {.name = "b", .first_replica = 2, .replicas = 2, .weight = 1, .models = 2},
    {.name = "c", .first_replica = 4, .replicas = 1, .weight = 1}};
static const struct router_fleet two_models = {.pools = model_pools,
                                               .pool_count = 3,
                                               .class_names = class_names,
                                               .class_count = CLASSES,
                                               .model_count = 2,
                                               .seed = 1};

static uint32_t choose_for_model(struct router *router, uint32_t model)
{
    struct router_request request = {
        .model = model, .prompt_tok = 1, .output_tok = 1, .session = ROUTER_NO_SESSION};
    return router_choose(router, &request);
}

/* Every policy that can do without parameters. */
Test(router, a_request_goes_to_pools_that_serve_its_model)
{
    for (const char *const *name = router_within_names; *name; name++) {
        struct router *router = make_router(*name, NULL, &two_models);
        bool shared[2] = {false};
        for (int i = 0; i < 200; i++) {
            uint32_t model = (uint32_t)i % 2;
            uint32_t replica = choose_for_model(router, model);
            cr_assert(replica == 4 || replica / 2 == model, "%s: %u", *name, replica);
            shared[model] |= replica == 4;
        }
        cr_expect(shared[0] && shared[1], "%s leaves out what both may use", *name);
        router_destroy(router);
    }
}

/* What one model's requests load is loaded for the other's, too. */
Test(router, models_share_loads)
{
    struct router *router = make_router("least_outstanding_requests", NULL, &two_models);
    for (int i = 0; i < 9; i++) /* 0, 1 and 4 have three each */
        choose_for_model(router, 0);
    for (int i = 0; i < 6; i++)
        cr_assert_neq(choose_for_model(router, 1), 4u);
    router_destroy(router);
}

Test(router, shares_are_of_pools_that_serve_the_model)
{
    struct router_share shares[] = {{"x", "a", 8}, {"x", "b", 1}, {"x", "c", 1}};
    struct router_weighted_config weighted = {.shares = {.items = shares, .count = 3}};
    struct router *router = make_router("weighted", &weighted, &two_models);
    int to_c = 0;
    for (int i = 0; i < 100; i++)
        to_c += choose_for_model(router, 1) == 4;
    cr_expect_eq(to_c, 50, "b and c share equally, %d went to c", to_c);
    router_destroy(router);
}

/* A router of some pools of a fleet speaks of replicas by their numbers in the fleet. */
Test(router, part_of_a_fleet)
{
    struct router_fleet part = two_models;
    part.pool_count = 2;
    part.model_count = 1;
    struct router_pool open_pools[] = {model_pools[1], model_pools[2]};
    open_pools[0].models = 0;
    part.pools = open_pools;
    struct router *router = make_router("least_outstanding_requests", NULL, &part);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(choose_for_model(router, 0), 2 + i);
    router_release(router, 3, 1, 1);
    cr_assert_eq(choose_for_model(router, 0), 3u);
    router_destroy(router);
}
