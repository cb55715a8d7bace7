/* Nodes that change sides between a prefill and a decode pool: who wants how many when, and what is
 * billed to whom. */
#include "tests/models/plane_support.h"

enum { PREFILL, DECODE, SLOTS = TEST_REPLICAS / 2 };

/* Two pools of four replicas. Prompts queue, and half of the KV caches are empty: at 180 s a
 * replica of DECODE is to go over. Replicas warm up for 40 s. */
struct sides {
    struct test_plane test;
    struct plane_pool pools[2];
    struct plane_rebalance rebalance;
    struct rebalance_settings settings;
    uint64_t queue;
    double kv_used;
};

static const uint32_t first_market[] = {0};
static const char *const market_names[] = {"zone"};

static void see(void *context, uint32_t pool, struct scaler_metrics *out)
{
    const struct sides *sides = context;
    out->waiting = pool == PREFILL ? sides->queue : 0;
    out->kv_used = pool == DECODE ? sides->kv_used : 0;
}

static void read_settings(struct sides *sides)
{
    struct json_document *document = quoted_json("{}");
    struct error error = {0};
    cr_assert(config_read(&rebalance_settings_type, document, json_root(document), "",
                          sides->test.arena, &sides->settings, &error));
    json_free(document);
}

static void prepare(struct sides *sides, const char *json, uint32_t per_node)
{
    struct test_plane *test = &sides->test;
    test_plane_prepare(test, json, 4, per_node, INFINITY);
    read_settings(sides);
    test->pool.slots = SLOTS;
    sides->pools[PREFILL] = sides->pools[DECODE] = test->pool;
    sides->pools[DECODE].first_replica = SLOTS;
    usage_add_pool(&test->usage, &(struct usage_pool){"decode", "model", per_node});
    usage_add_market(&test->usage, &(struct usage_market){.name = "decode", .sku = "node"});
    sides->rebalance = (struct plane_rebalance){&sides->settings, PREFILL, DECODE};
    test->spec.pools = sides->pools;
    test->spec.pool_count = 2;
    test->spec.rebalance = &sides->rebalance;
    test->spec.actions.context = test; /* the first member */
    test->spec.actions.metrics = see;
    sides->queue = 8;
    sides->kv_used = 0.5;
}

#define BOUNDS(min, max)                                                                           \
    "{'min_replicas': " min ", 'max_replicas': " max ", 'start_up': {'kind': 'instant', "          \
    "'warm_up': {'kind': 'constant', 's': 40}}}"

static int open_of(const struct sides *sides, int pool)
{
    int open = 0;
    for (int i = 0; i < SLOTS; i++)
        open += sides->test.up[pool * SLOTS + i];
    return open;
}

static double wanted(const struct sides *sides, uint32_t pool)
{
    return plane_totals_of(sides->test.plane, pool)->wanted.value;
}

/* The draining replica is told to be empty. */
static void empty(struct sides *sides, double now_s)
{
    for (uint32_t i = 0; i < TEST_REPLICAS; i++) {
        if (!sides->test.draining[i])
            continue;
        sides->test.draining[i] = false;
        plane_emptied(sides->test.plane, i, tick_from_s(now_s));
    }
}

static double billed_s(const struct usage *usage)
{
    double sum_s = 0;
    for (size_t i = 0; i < usage->node_count; i++)
        sum_s += tick_to_s(usage->nodes[i].end - usage->nodes[i].billed_from);
    return sum_s;
}

static const struct node_usage *find_node(const struct usage *usage, uint32_t pool, double from_s)
{
    for (size_t i = 0; i < usage->node_count; i++)
        if (usage->nodes[i].pool == pool && usage->nodes[i].billed_from == tick_from_s(from_s))
            return &usage->nodes[i];
    cr_assert_fail("no node of pool %u from %g s on", pool, from_s);
    return NULL;
}

/* At 180 s it drains, at 200 s it is empty, at 240 s it is ready on the other side. */
Test(plane_rebalance, a_node_drains_here_and_comes_up_there)
{
    struct sides sides = {.test.busy = true};
    prepare(&sides, BOUNDS("1", "8"), 1);
    test_plane_go(&sides.test);
    test_plane_run(&sides.test, 199);
    cr_assert_eq(open_of(&sides, DECODE), 3);
    cr_assert_eq(wanted(&sides, DECODE), 3);
    cr_assert_eq(wanted(&sides, PREFILL), 4);
    empty(&sides, 200);
    cr_assert_eq(wanted(&sides, PREFILL), 5);
    test_plane_run(&sides.test, 239);
    cr_assert_eq(open_of(&sides, PREFILL), 4);
    test_plane_run(&sides.test, 240);
    cr_assert_eq(open_of(&sides, PREFILL), 5);
    cr_assert_eq(plane_totals_of(sides.test.plane, DECODE)->nodes_moved_out, 1);
    cr_assert_eq(plane_totals_of(sides.test.plane, PREFILL)->nodes_moved_in, 1);
    cr_assert_eq(plane_totals_of(sides.test.plane, PREFILL)->nodes_ordered, 4);
    test_plane_end(&sides.test, 300);
    usage_free(&sides.test.usage);
}

Test(plane_rebalance, it_is_billed_on_as_one_life)
{
    struct sides sides = {.test.busy = true};
    prepare(&sides, BOUNDS("1", "8"), 1);
    test_plane_go(&sides.test);
    test_plane_run(&sides.test, 199);
    empty(&sides, 200);
    test_plane_run(&sides.test, 299);
    double usd = plane_totals_of(sides.test.plane, PREFILL)->cost_usd;
    test_plane_end(&sides.test, 300);
    cr_assert_eq(usd, 0); /* counted at the end of lives */
    const struct node_usage *was = &sides.test.usage.nodes[0];
    cr_assert_eq(was->pool, DECODE);
    cr_assert_eq(was->why, NODE_END_MOVED);
    cr_assert_eq(was->drain, tick_from_s(180));
    cr_assert_eq(was->end, tick_from_s(200));
    const struct node_usage *is = find_node(&sides.test.usage, PREFILL, 200);
    cr_assert_eq(is->requested, tick_from_s(200));
    cr_assert_eq(is->ready, tick_from_s(240));
    cr_assert_eq(is->carried, tick_from_s(200));
    cr_assert_eq(is->end, tick_from_s(300));
    cr_assert_eq(billed_s(&sides.test.usage), 8 * 300);
    usage_free(&sides.test.usage);
}

/* The first arrives at 220 s. There the next interval begins: 400 s. */
Test(plane_rebalance, one_at_a_time_while_both_keep_their_bounds)
{
    struct sides sides = {0};
    prepare(&sides, BOUNDS("2", "8"), 1);
    test_plane_go(&sides.test);
    test_plane_run(&sides.test, 220);
    cr_assert_eq(open_of(&sides, PREFILL), 5);
    test_plane_run(&sides.test, 390);
    cr_assert_eq(open_of(&sides, DECODE), 3);
    test_plane_run(&sides.test, 420);
    cr_assert_eq(open_of(&sides, DECODE), 2);
    test_plane_run(&sides.test, 5000);
    cr_assert_eq(open_of(&sides, DECODE), 2); /* its minimum */
    cr_assert_eq(open_of(&sides, PREFILL), 6);
    sides.queue = 0;
    sides.kv_used = 1.9; /* of two replicas' */
    test_plane_run(&sides.test, 50000);
    cr_assert_gt(open_of(&sides, DECODE), 2);
    cr_assert_eq(open_of(&sides, DECODE) + open_of(&sides, PREFILL), 8);
    test_plane_end(&sides.test, 50000);
    cr_assert_float_eq(billed_s(&sides.test.usage), 8 * 50000, 1e-6);
    usage_free(&sides.test.usage);
}

Test(plane_rebalance, a_pool_that_is_full_gets_none)
{
    struct sides sides = {0};
    prepare(&sides, BOUNDS("1", "4"), 1);
    test_plane_go(&sides.test);
    test_plane_run(&sides.test, 2000);
    cr_assert_eq(open_of(&sides, DECODE), 4);
    test_plane_end(&sides.test, 2000);
    usage_free(&sides.test.usage);
}

Test(plane_rebalance, a_node_goes_with_all_its_replicas)
{
    struct sides sides = {0};
    prepare(&sides, BOUNDS("1", "8"), 2);
    test_plane_go(&sides.test);
    test_plane_run(&sides.test, 220);
    cr_assert_eq(open_of(&sides, DECODE), 2);
    cr_assert_eq(open_of(&sides, PREFILL), 6);
    test_plane_end(&sides.test, 300);
    cr_assert_eq(billed_s(&sides.test.usage), 4 * 300);
    usage_free(&sides.test.usage);
}

/* All nodes are told at 190 s that they will be taken at 195 s, the one on its way among them: now
 * both pools order what they want. */
Test(plane_rebalance, a_node_that_is_lost_on_its_way_is_replaced_on_the_other_side)
{
    struct sides sides = {.test.busy = true};
    prepare(&sides,
            "{'min_replicas': 1, 'max_replicas': 8, 'purchase': {'spot_percent_above_base': 100}, "
            "'start_up': {'kind': 'instant'}}",
            1);
    sides.test.usage.market_count = 0; /* those of the spec come before the pools' own */
    usage_add_market(&sides.test.usage, &(struct usage_market){.name = "zone", .sku = "node"});
    usage_add_market(&sides.test.usage, &(struct usage_market){.name = "pool", .sku = "node"});
    usage_add_market(&sides.test.usage, &(struct usage_market){.name = "decode", .sku = "node"});
    sides.test.spec.markets = test_markets(
        sides.test.arena, "{'markets': [{'name': 'zone', 'on_demand_usd_per_hour': 3, "
                          "'notice_s': 5, 'price': {'kind': 'fixed', 'usd_per_hour': 1}, "
                          "'max_lifetime_s': 195}]}");
    sides.test.spec.market_count = 1;
    for (int i = 0; i < 2; i++) {
        sides.pools[i].markets = first_market;
        sides.pools[i].market_names = market_names;
        sides.pools[i].market_count = 1;
    }
    test_plane_go(&sides.test);
    test_plane_run(&sides.test, 189);
    cr_assert_eq(wanted(&sides, PREFILL) + wanted(&sides, DECODE), 7);
    test_plane_run(&sides.test, 190);
    cr_assert_eq(wanted(&sides, PREFILL), 5);
    cr_assert_eq(wanted(&sides, DECODE), 3);
    test_plane_run(&sides.test, 200);
    cr_assert_eq(open_of(&sides, PREFILL), 5);
    cr_assert_eq(open_of(&sides, DECODE), 3);
    cr_assert_eq(plane_totals_of(sides.test.plane, DECODE)->nodes_moved_out, 0);
    test_plane_end(&sides.test, 200);
    usage_free(&sides.test.usage);
}
