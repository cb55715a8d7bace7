/* What markets and budgets do to the nodes of a control plane, case by case; test_storms.c has all
 * of them at once. */
#include "tests/models/plane_support.h"

/* As many replicas as requests wait, asked every 15 s; fewer after 300 s. */
#define BY_WAITING                                                                                 \
    "'scaler': {'policy': 'hpa', 'metrics': [{'metric': 'waiting', "                               \
    "'target_type': 'average_value', 'target': 1}]}, 'start_up': {'kind': 'instant'}"

#define ON_SPOT                                                                                    \
    "{'min_replicas': 1, 'max_replicas': 3, 'purchase': {'strategy': 'diversified'}, " BY_WAITING  \
    "}"

static const uint32_t first_market[] = {0};
static const char *const first_name[] = {"zone"};

static void start_in_market(struct test_plane *test, const char *settings, const char *market)
{
    test_plane_prepare(test, settings, 1, 1, INFINITY);
    test->spec.markets = test_markets(test->arena, market);
    test->spec.market_count = 1;
    test->pool.markets = first_market;
    test->pool.market_names = first_name;
    test->pool.market_count = 1;
    usage_add_market(&test->usage, &(struct usage_market){.name = "own", .sku = "node"});
    test_plane_go(test);
}

/* There are three places, but for half a minute only one. Who asks for more when the end of that is
 * in sight already, but not its beginning over, would hold too many in between. */
Test(plane_markets, a_dip_shorter_than_the_notice_leaves_no_room)
{
    static const char record[] = "offset_s,zone\n0,3\n300,1\n330,3\n9000,3\n";
    char path[128], market[512];
    test_write_file("dip.csv", record, strlen(record), path, sizeof path);
    snprintf(market, sizeof market,
             "{'markets': [{'name': 'zone', 'notice_s': 120, 'on_demand_usd_per_hour': 3, "
             "'capacity': {'kind': 'recorded', 'path': '%s'}}]}",
             path);
    struct test_plane test = {0};
    start_in_market(&test, ON_SPOT, market);
    test_plane_run(&test, 211);
    test.metrics.waiting = 3;
    test_plane_run(&test, 299);
    cr_assert_eq(test_plane_open(&test), 1);
    test_plane_run(&test, 400);
    cr_assert_eq(test_plane_open(&test), 3);
    cr_assert(plane_keeps_capacity(test.plane));
    test_plane_end(&test, 400);
    usage_free(&test.usage);
}

/* Its notice would come with the node, and the next order with the notice. */
Test(plane_markets, nodes_that_live_shorter_than_their_notice_are_refused)
{
    struct test_plane test = {.metrics.waiting = 1};
    start_in_market(&test, ON_SPOT,
                    "{'markets': [{'name': 'zone', 'notice_s': 120, 'max_lifetime_s': 60, "
                    "'on_demand_usd_per_hour': 3}]}");
    test_plane_run(&test, 3600);
    cr_assert_eq(plane_totals_of(test.plane, 0)->nodes_started, 1);
    cr_assert_gt(plane_totals_of(test.plane, 0)->nodes_refused, 10);
    test_plane_end(&test, 3600);
    usage_free(&test.usage);
}

/* Two nodes, of which the second came at 15 s and goes when nothing has waited for 300 s. It is
 * paid for 600 s, and so long the budget has no room for another. */
Test(plane_markets, what_is_paid_for_is_held_of_the_budget_and_no_longer)
{
    struct test_plane test = {.metrics.waiting = 2};
    test_plane_start(
        &test, "{'min_replicas': 1, 'max_replicas': 2, 'billing_minimum_s': 600, " BY_WAITING "}",
        1, 1, 25);
    test_plane_run(&test, 20);
    cr_assert_eq(test_plane_open(&test), 2);
    test.metrics.waiting = 0;
    test_plane_run(&test, 350);
    cr_assert_eq(test_plane_open(&test), 1);
    test.metrics.waiting = 2;
    test_plane_run(&test, 614);
    cr_assert_eq(test_plane_open(&test), 1);
    cr_assert_eq(plane_spend(test.plane)->rate.value, 20);
    test_plane_run(&test, 616);
    cr_assert_eq(test_plane_open(&test), 2);
    cr_assert_eq(plane_spend(test.plane)->rate.max, 20);
    test_plane_end(&test, 700);
    usage_free(&test.usage);
}
