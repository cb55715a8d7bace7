/* Purchase strategies at work in a control plane: what they ask for, and what markets make of it.
 */
#include "tests/models/plane_support.h"

static const struct config_field element = {.kind = CONFIG_OBJECT, .object = &market_config_type};
static const struct config_field list_fields[] = {
    {.name = "markets", .kind = CONFIG_LIST, .offset = 0, .element = &element}, {0}};
static const struct config_type list_type = {
    .name = "test", .size = sizeof(struct config_list), .fields = list_fields};

static const uint32_t all_markets[] = {0, 1, 2};
static const char *const market_names[] = {"a", "b", "c"};

/* Three markets with so many Spot nodes, at 1 USD on Spot and 3 USD on demand. */
static void add_markets(struct test_plane *test, int a, int b, int c)
{
    const int nodes[] = {a, b, c};
    const char *text = "{'markets': [";
    for (int i = 0; i < 3; i++)
        text = arena_printf(test->arena,
                            "%s%s{'name': '%s', 'on_demand_usd_per_hour': 3, 'notice_s': 120, "
                            "'price': {'kind': 'fixed', 'usd_per_hour': 1}, "
                            "'capacity': {'kind': 'fixed', 'nodes': %d}}",
                            text, i > 0 ? "," : "", market_names[i], nodes[i]);
    struct json_document *document = quoted_json(arena_printf(test->arena, "%s]}", text));
    struct config_list list;
    cr_assert(config_read(&list_type, document, json_root(document), "", test->arena, &list,
                          &test->error),
              "%s: %s", test->error.json_path, test->error.message);
    const struct market_context context = {
        .document = document, .pointer = "/markets", .horizon_s = NAN};
    test->spec.markets = markets_resolve(&list, &context, test->arena, &test->error);
    cr_assert(test->spec.markets, "%s", test->error.message);
    json_free(document);
    test->spec.market_count = 3;
    test->pool.markets = all_markets;
    test->pool.market_names = market_names;
    test->pool.market_count = 3;
    test->usage.market_count = 0; /* those of the spec come before the pool's own */
    for (int i = 0; i < 3; i++)
        usage_add_market(&test->usage, &(struct usage_market){.name = market_names[i], .sku = "n"});
    usage_add_market(&test->usage, &(struct usage_market){.name = "pool", .sku = "node"});
}

#define FIVE(strategy)                                                                             \
    "{'min_replicas': 5, 'max_replicas': 5, 'purchase': {'strategy': " strategy "}, "              \
    "'start_up': {'kind': 'instant', 'boot': {'kind': 'constant', 's': 100}}}"

/* Nodes that live at that second, of a kind. */
static int nodes_at(const struct test_plane *test, double time_s, bool spot)
{
    tick_t at = tick_from_s(time_s);
    int count = 0;
    for (size_t i = 0; i < test->usage.node_count; i++) {
        const struct node_usage *node = &test->usage.nodes[i];
        count +=
            (node->purchase == PURCHASE_SPOT) == spot && node->billed_from <= at && node->end > at;
    }
    return count;
}

/* SpotHedge asks without looking. It is refused what there is not. */
Test(plane_purchases, a_market_gives_no_more_than_it_has)
{
    struct test_plane test = {0};
    test_plane_prepare(&test, FIVE("'spot_hedge'"), 5, 1, INFINITY);
    add_markets(&test, 2, 1, 1);
    test_plane_go(&test);
    cr_assert(plane_keeps_capacity(test.plane));
    test_plane_run(&test, 2000);
    cr_assert(plane_keeps_capacity(test.plane));
    cr_assert_gt(plane_totals_of(test.plane, 0)->nodes_refused, 10); /* one a minute, and more */
    test_plane_end(&test, 2000);
    cr_assert_eq(nodes_at(&test, 1999, true), 4);
    cr_assert_eq(nodes_at(&test, 1999, false), 1); /* stands in for the fifth */
    usage_free(&test.usage);
}

/* On demand goes when Spot has become ready, not at some later occasion. */
Test(plane_purchases, stand_ins_go_once_spot_is_ready)
{
    struct test_plane test = {0};
    test_plane_prepare(&test, FIVE("'spot_hedge'"), 0, 1, INFINITY);
    add_markets(&test, 9, 9, 9);
    test_plane_go(&test);
    test_plane_run(&test, 2000);
    test_plane_end(&test, 2000);
    cr_assert_eq(nodes_at(&test, 50, true), 5);
    cr_assert_eq(nodes_at(&test, 50, false), 5);
    cr_assert_eq(nodes_at(&test, 101, true), 5);
    cr_assert_eq(nodes_at(&test, 101, false), 0);
    usage_free(&test.usage);
}

/* The fleet begins with five nodes that are ready. */
Test(plane_purchases, nothing_stands_in_at_time_0)
{
    struct test_plane test = {0};
    test_plane_prepare(&test, FIVE("'spot_hedge'"), 5, 1, INFINITY);
    add_markets(&test, 2, 2, 2);
    test_plane_go(&test);
    cr_assert_eq(plane_totals_of(test.plane, 0)->nodes_started, 5);
    test_plane_run(&test, 1000);
    test_plane_end(&test, 1000);
    cr_assert_eq(test.usage.node_count, 5);
    cr_assert_eq(nodes_at(&test, 0, true), 5);
    usage_free(&test.usage);
}

Test(plane_purchases, fallback_waits_and_steps_back)
{
    struct test_plane test = {0};
    test_plane_prepare(&test, FIVE("{'policy': 'on_demand_fallback', 'after_s': 400}"), 5, 1,
                       INFINITY);
    add_markets(&test, 1, 1, 1);
    test_plane_go(&test);
    test_plane_run(&test, 2000);
    test_plane_end(&test, 2000);
    cr_assert_eq(nodes_at(&test, 399, false), 0);
    cr_assert_eq(nodes_at(&test, 401, false), 2);
    cr_assert_eq(nodes_at(&test, 1999, true), 3);
    usage_free(&test.usage);
}

/* One market has two nodes, all of them five. */
Test(plane_purchases, who_looks_further_gets_more)
{
    static const char *const settings[] = {FIVE("'single'"), FIVE("'lowest_price'"),
                                           FIVE("'diversified'"),
                                           FIVE("'price_capacity_optimized'")};
    for (int i = 0; i < 4; i++) {
        struct test_plane test = {0};
        test_plane_prepare(&test, settings[i], 5, 1, INFINITY);
        add_markets(&test, 2, 2, 1);
        test_plane_go(&test);
        cr_assert_eq(test_plane_open(&test), i == 0 ? 2 : 5);
        test_plane_end(&test, 100);
        usage_free(&test.usage);
    }
}
