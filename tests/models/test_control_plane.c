#include "tests/models/plane_support.h"

/* Targets come from schedules: a scaler that says when and how many. */
#define INSTANT "'start_up': {'kind': 'instant'}"

Test(control_plane, initial_replicas_are_there_at_once)
{
    struct test_plane test = {0};
    test_plane_start(&test, "{'min_replicas': 3, 'max_replicas': 3}", 3, 1, INFINITY);
    cr_assert_eq(test_plane_open(&test), 3);
    test_plane_end(&test, 3600);
    cr_assert_eq(test.usage.node_count, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(test.usage.nodes[i].billed_from, 0);
        cr_assert_eq(test.usage.nodes[i].ready, 0);
        cr_assert_eq(test.usage.nodes[i].end, tick_from_s(3600));
        cr_assert_eq(test.usage.nodes[i].why, NODE_END_HORIZON);
    }
    usage_free(&test.usage);
}

Test(control_plane, replicas_share_nodes)
{
    struct test_plane test = {0};
    test_plane_start(&test, "{'min_replicas': 9, 'max_replicas': 9}", 9, 8, INFINITY);
    cr_assert_eq(test_plane_open(&test), 9);
    test_plane_end(&test, 1);
    cr_assert_eq(test.usage.node_count, 2);
    usage_free(&test.usage);
}

/* An HPA on waiting requests, one per replica: 6 that wait ask for 6 replicas at its first look,
 * after 15 s. Each comes up provision + boot + weights + warm-up = 10 + 20 + 30 + 40 s later, and
 * is billed from the end of provisioning. */
#define HPA                                                                                        \
    "'scaler': {'policy': 'hpa', 'metrics': [{'metric': 'waiting', "                               \
    "'target_type': 'average_value', 'target': 1}]}"

Test(control_plane, new_replicas_take_their_stages_and_are_billed_from_provisioning_on)
{
    struct test_plane test = {.metrics.waiting = 4};
    test_plane_start(&test,
                     "{'min_replicas': 2, 'max_replicas': 6, " HPA
                     ", 'start_up': {'kind': 'instant', "
                     "'provision': {'kind': 'constant', 's': 10}, "
                     "'boot': {'kind': 'constant', 's': 20}, "
                     "'warm_up': {'kind': 'constant', 's': 40}}}",
                     2, 1, INFINITY);
    test_plane_run(&test, 15 + 69.9);
    cr_assert_eq(test_plane_open(&test), 2);
    test_plane_run(&test, 15 + 70);
    cr_assert_eq(test_plane_open(&test), 4);
    test_plane_end(&test, 1000);
    cr_assert_eq(test.usage.node_count, 4);
    cr_assert_eq(test.usage.nodes[3].requested, tick_from_s(15));
    cr_assert_eq(test.usage.nodes[3].billed_from, tick_from_s(25));
    cr_assert_eq(test.usage.nodes[3].ready, tick_from_s(85));
    usage_free(&test.usage);
}

/* 35 USD an hour buy three nodes at 10, whatever is wanted. */
Test(control_plane, the_budget_is_never_passed)
{
    struct test_plane test = {.metrics.waiting = 6};
    test_plane_start(&test, "{'min_replicas': 2, 'max_replicas': 6, " HPA ", " INSTANT "}", 2, 1,
                     35);
    test_plane_run(&test, 600);
    cr_assert_eq(test_plane_open(&test), 3);
    cr_assert_gt(plane_totals_of(test.plane, 0)->budget_refusals, 0);
    cr_assert_leq(plane_spend(test.plane)->rate.max, 35);
    test_plane_end(&test, 600);
    usage_free(&test.usage);
}

/* Nothing waits: the HPA wants its minimum once its window of 300 s has passed. Draining replicas
 * that are busy are ended at their limit. */
Test(control_plane, replicas_drain_until_they_are_empty_or_their_time_is_over)
{
    struct test_plane test = {.busy = true};
    test_plane_start(&test,
                     "{'min_replicas': 1, 'max_replicas': 6, " HPA
                     ", 'start_up': {'kind': 'instant', 'drain_limit_s': 30}}",
                     3, 1, INFINITY);
    test_plane_run(&test, 1);
    cr_assert_eq(test_plane_open(&test), 3);
    while (test.drains == 0)
        plane_advance(test.plane, plane_next(test.plane));
    cr_assert_eq(test.drains, 2);
    cr_assert(test.draining[1] && test.draining[2]);
    plane_emptied(test.plane, 1, plane_next(test.plane) - 1);
    test.draining[1] = false;
    test_plane_run(&test, 1000);
    cr_assert_eq(test.downs, 1);
    cr_assert_eq(test_plane_open(&test), 1);
    test_plane_end(&test, 1000);
    cr_assert_eq(test.usage.node_count, 3);
    usage_free(&test.usage);
}

Test(control_plane, nodes_that_fail_are_replaced)
{
    struct test_plane test = {0};
    test_plane_start(&test,
                     "{'min_replicas': 4, 'max_replicas': 4, " INSTANT
                     ", 'failures': {'gpu_mtbf_h': null, 'instance_mtbf_h': 1}}",
                     4, 1, INFINITY);
    test_plane_run(&test, 100 * 3600);
    const struct plane_totals *totals = plane_totals_of(test.plane, 0);
    cr_assert_geq(totals->failures, 300);
    cr_assert_leq(totals->failures, 500);
    cr_assert_eq((uint64_t)test.downs, totals->failures);
    test_plane_end(&test, 100 * 3600);
    usage_free(&test.usage);
}
