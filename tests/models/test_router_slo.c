/* Policies that predict: which replica keeps the SLO, and at what price. */
#include "tests/models/router_support.h"

/* One cheap, slow GPU and one dear and fast one. A prompt of 1,000 takes 0.5 s or 0.05 s. */
static const struct router_pool pools[] = {{.name = "slow",
                                            .first_replica = 0,
                                            .replicas = 2,
                                            .weight = 1,
                                            .usd_per_hour = 1,
                                            .speed = {0.04, 0.0001, 0, 0.0005},
                                            .kv_tok = 50000,
                                            .max_sequences = 64},
                                           {.name = "fast",
                                            .first_replica = 2,
                                            .replicas = 1,
                                            .weight = 1,
                                            .usd_per_hour = 4,
                                            .speed = {0.01, 0.0001, 0, 0.00005},
                                            .kv_tok = 50000,
                                            .max_sequences = 64}};
enum { FAST = 2, STRICT = 0, LOOSE = 1, FREE = 2 };
static const char *const class_names[] = {"strict", "loose", "free"};
static const struct router_bounds bounds[] = {
    {0.3, INFINITY, INFINITY}, {1.2, INFINITY, INFINITY}, {INFINITY, INFINITY, INFINITY}};
static const struct router_fleet fleet = {.pools = pools,
                                          .pool_count = 2,
                                          .class_names = class_names,
                                          .bounds = bounds,
                                          .class_count = 3,
                                          .seed = 1};

static uint32_t choose_at(struct router *router, uint32_t class_index, double now_s)
{
    struct router_request request = {.now = tick_from_s(now_s),
                                     .class_index = class_index,
                                     .prompt_tok = 1000,
                                     .output_tok = 10,
                                     .session = ROUTER_NO_SESSION};
    return router_choose(router, &request);
}

Test(router_cheapest, the_cheap_pool_while_it_keeps_the_slo)
{
    struct router_cheapest_config config = {.margin = 1};
    struct router *router = make_router("cheapest", &config, &fleet);
    cr_expect_eq(choose_at(router, STRICT, 0), FAST, "0.5 s are too long");
    cr_expect_eq(choose_at(router, LOOSE, 0), 0u);
    cr_expect_eq(choose_at(router, LOOSE, 0), 1u);
    cr_expect_eq(choose_at(router, LOOSE, 0), 0u, "behind one prompt: 1.04 s");
    cr_expect_eq(choose_at(router, LOOSE, 0), 1u);
    cr_expect_eq(choose_at(router, LOOSE, 0), FAST, "behind two: 1.54 s");
    cr_expect_eq(choose_at(router, LOOSE, 1), 0u, "they are done by then");
    router_destroy(router);
}

Test(router_cheapest, a_margin_makes_it_dearer)
{
    struct router_cheapest_config config = {.margin = 0.4};
    struct router *router = make_router("cheapest", &config, &fleet);
    cr_expect_eq(choose_at(router, LOOSE, 0), FAST, "0.54 s of 0.48 s");
    router_destroy(router);
}

/* Four times the price, ten times the prefill and four times the decoding: cheaper by request. */
Test(router_cheapest, the_price_of_a_request)
{
    struct router_cheapest_config config = {.margin = 1, .price = PRICE_PER_REQUEST};
    struct router *router = make_router("cheapest", &config, &fleet);
    cr_expect_eq(choose_at(router, LOOSE, 0), FAST);
    router_destroy(router);
}

Test(router_slo_aware, most_headroom_spreads_and_least_packs)
{
    struct router_slo_config config = {.margin = 1, .headroom = HEADROOM_MOST};
    struct router *router = make_router("slo_aware", &config, &fleet);
    cr_expect_eq(choose_at(router, LOOSE, 0), FAST);
    router_destroy(router);
    config.headroom = HEADROOM_LEAST;
    router = make_router("slo_aware", &config, &fleet);
    cr_expect_eq(choose_at(router, LOOSE, 0), 0u);
    cr_expect_eq(choose_at(router, LOOSE, 0), 0u, "1.04 s of 1.2 s is the least that keeps it");
    cr_expect_eq(choose_at(router, LOOSE, 0), 1u);
    cr_expect_eq(choose_at(router, STRICT, 0), FAST);
    router_destroy(router);
}

/* When nobody keeps it, the one that misses it least: the fast one, until its queue is longer. */
Test(router_slo_aware, the_least_bad)
{
    struct router_slo_config config = {.margin = 1, .headroom = HEADROOM_LEAST};
    struct router *router = make_router("slo_aware", &config, &fleet);
    int to_fast = 0;
    for (int i = 0; i < 40; i++)
        to_fast += choose_at(router, STRICT, 0) == FAST;
    cr_expect(to_fast > 25 && to_fast < 40, "%d of 40", to_fast);
    router_destroy(router);
}

/* TPOT: at 10 ms and 0.1 ms for each other sequence, a bound of 12 ms is reached with 21. */
Test(router_slo_aware, a_batch_that_is_too_large_for_the_tpot)
{
    struct router_bounds tpot = {INFINITY, 0.012, INFINITY};
    struct router_fleet quick = fleet;
    quick.pools = &pools[1];
    struct router_pool two[] = {pools[1], pools[1]};
    two[0].first_replica = 0, two[1].first_replica = 1;
    quick.pools = two;
    quick.bounds = &tpot;
    quick.class_count = 1;
    struct router_slo_config config = {.margin = 1, .headroom = HEADROOM_LEAST};
    struct router *router = make_router("slo_aware", &config, &quick);
    int to_first = 0;
    for (int i = 0; i < 24; i++) {
        struct router_request request = {
            .prompt_tok = 1, .output_tok = 500, .session = ROUTER_NO_SESSION};
        to_first += router_choose(router, &request) == 0;
    }
    cr_expect(to_first >= 18 && to_first <= 21, "%d of 24 packed into the first", to_first);
    router_destroy(router);
}

Test(router_slo_aware, without_bounds_the_fastest_answer)
{
    struct router_slo_config config = {.margin = 1};
    struct router *router = make_router("slo_aware", &config, &fleet);
    cr_expect_eq(choose_at(router, FREE, 0), FAST);
    router_destroy(router);
}
