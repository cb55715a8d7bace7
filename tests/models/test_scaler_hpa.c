/* The HorizontalPodAutoscaler, against sequences computed by hand from its documentation and the
 * rules of its controller. */
#include "tests/models/scaler_support.h"

/* "If the current metric value is 200m, and the desired value is 100m, the number of replicas will
 * be doubled, since 200.0 / 100.0 == 2.0. If the current value is instead 50m, you'll halve the
 * number of replicas, since 50.0 / 100.0 == 0.5." (Kubernetes documentation, "Algorithm details")
 */
#define RUNNING_PER_POD_10 "{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10}]}"

Test(scaler_hpa, doubles_at_twice_the_target)
{
    struct world world = make_world(RUNNING_PER_POD_10, 1, 100, 4);
    world.pool.running = 80; /* 20 per pod: ratio 2 */
    cr_expect_eq(next_s(&world), 15);
    cr_expect_eq(decide_next(&world), 8);
    cr_expect_str_eq(world.why, "metrics above target");
    end_world(&world);
}

Test(scaler_hpa, halves_at_half_the_target_once_300_s_allow)
{
    struct world world = make_world(RUNNING_PER_POD_10, 1, 100, 8);
    world.pool.running = 40; /* 5 per pod: ratio 0.5, so 4 */
    cr_expect_eq(decide_next(&world), 8);
    cr_expect_str_eq(world.why, "stabilised: held by a recent recommendation");
    /* The first sync, at 15 s, noted the 8 that there were. Without a behavior what is exactly 300
     * s old still counts, so that 315 s holds, and 330 s is the first to see only fours. */
    cr_expect_eq(run_to(&world, 315), 8);
    cr_expect_eq(run_to(&world, 330), 4);
    end_world(&world);
}

Test(scaler_hpa, a_behavior_forgets_what_is_exactly_as_old_as_its_window)
{
    struct world world = make_world(
        "{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10}], 'behavior': {}}", 1,
        100, 8);
    world.pool.running = 40;
    cr_expect_eq(run_to(&world, 300), 8);
    cr_expect_eq(run_to(&world, 315), 4);
    end_world(&world);
}

Test(scaler_hpa, tolerates_a_tenth_either_way)
{
    struct world world = make_world(RUNNING_PER_POD_10, 1, 1000, 10);
    world.pool.running = 110; /* ratio 1.1, the edge */
    cr_expect_eq(decide_next(&world), 10);
    world.pool.running = 111; /* 11.1 per pod: ceil(1.11 x 10) */
    cr_expect_eq(decide_next(&world), 12);
    end_world(&world);
    world = make_world(RUNNING_PER_POD_10, 1, 1000, 10);
    world.pool.running = 90; /* ratio 0.9, the edge */
    cr_expect_eq(run_to(&world, 1000), 10);
    world.pool.running = 89; /* ceil(0.89 x 10) = 9, after the window */
    cr_expect_eq(run_to(&world, 1400), 9);
    end_world(&world);
}

Test(scaler_hpa, each_direction_may_have_a_tolerance_of_its_own)
{
    struct world world =
        make_world("{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10}],"
                   " 'behavior': {'scale_up': {'tolerance': 0},"
                   "              'scale_down': {'tolerance': 0.5, 'stabilization_window_s': 0}}}",
                   1, 1000, 10);
    world.pool.running = 101;
    cr_expect_eq(decide_next(&world), 11);
    world.pool.running = 60; /* 60 / 11 = 5.45: ratio 0.545, tolerated */
    cr_expect_eq(decide_next(&world), 11);
    world.pool.running = 54; /* 4.909: ratio 0.4909: ceil(0.4909 x 11 = 5.3999) */
    cr_expect_eq(decide_next(&world), 6);
    end_world(&world);
}

/* Without a behavior the controller goes to twice as many, or to four: max(2 x current, 4). */
Test(scaler_hpa, without_a_behavior_it_grows_to_twice_as_many_or_four)
{
    struct world world = make_world(RUNNING_PER_POD_10, 1, 1000, 1);
    world.pool.running = 5000;
    const int64_t expected[] = {4, 8, 16, 32};
    for (int i = 0; i < 4; i++)
        cr_expect_eq(decide_next(&world), expected[i]);
    end_world(&world);
}

/* The default behavior: the larger of 4 pods and 100 % in 15 s. */
Test(scaler_hpa, by_default_behavior_it_adds_four_or_doubles)
{
    struct world world = make_world(
        "{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10}], 'behavior': {}}", 1,
        1000, 1);
    world.pool.running = 5000;
    const int64_t expected[] = {5, 10, 20, 40};
    for (int i = 0; i < 4; i++)
        cr_expect_eq(decide_next(&world), expected[i]);
    end_world(&world);
}

/* "Pods 4 per 60 s, Percent 10 per 60 s" of the documentation's example of scaling down: from 80 on
 * the percentage gives more (8, then 7 of 72, 7.2 cut off: 72 x 0.9 = 64.8 -> 64), and below 40 the
 * four pods do. One step a minute. */
Test(scaler_hpa, scale_down_policies_of_the_documentation)
{
    struct world world =
        make_world("{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10}],"
                   " 'behavior': {'scale_down': {'stabilization_window_s': 0, 'policies': ["
                   "  {'type': 'pods', 'value': 4, 'period_s': 60},"
                   "  {'type': 'percent', 'value': 10, 'period_s': 60}]}}}",
                   1, 100, 80);
    const int64_t expected[] = {72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16, 12, 8, 4, 1};
    cr_expect_eq(run_to(&world, 15), 72); /* at once: nothing was removed in the minute before */
    for (int i = 1; i < 16; i++) {
        cr_expect_eq(run_to(&world, i * 60.0), expected[i - 1], "held until %d", i * 60);
        cr_expect_eq(run_to(&world, i * 60.0 + 15), expected[i], "after %d minutes", i);
    }
    end_world(&world);
}

/* 10 % of 11 is 1.1, rounded up: 13, and in the next period 10 % of 13 are 1.3: 15. */
Test(scaler_hpa, a_percentage_up_is_rounded_up)
{
    struct world world = make_world(
        "{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10}], 'behavior':"
        " {'scale_up': {'policies': [{'type': 'percent', 'value': 10, 'period_s': 15}]}}}",
        1, 100, 11);
    world.pool.running = 5000;
    cr_expect_eq(decide_next(&world), 13);
    cr_expect_eq(decide_next(&world), 15);
    end_world(&world);
}

/* selectPolicy Min takes the policy that changes least; Disabled none. */
Test(scaler_hpa, selects_the_least_change_or_none)
{
    struct world world =
        make_world("{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10}],"
                   " 'behavior': {'scale_up': {'select_policy': 'min', 'policies': ["
                   "  {'type': 'pods', 'value': 3, 'period_s': 30},"
                   "  {'type': 'percent', 'value': 100, 'period_s': 15}]},"
                   "  'scale_down': {'select_policy': 'disabled', 'stabilization_window_s': 0}}}",
                   1, 100, 2);
    world.pool.running = 500;
    cr_expect_eq(decide_next(&world), 4); /* 100 % is 2, less than 3 pods */
    /* Of the 30 s, 2 pods are used: 4 - 2 + 3 = 5; 100 % of 4 in the 15 s is 8. */
    cr_expect_eq(decide_next(&world), 5);
    /* 2 of 30 s ago are forgotten, 1 is not: 5 - 1 + 3 = 7. */
    cr_expect_eq(decide_next(&world), 7);
    world.pool.running = 0;
    cr_expect_eq(run_to(&world, 1000), 7);
    cr_expect_str_eq(world.why, "held by the limits of change");
    end_world(&world);
}

/* A window of 45 s before scaling up: the lowest of the recommendations in it. */
Test(scaler_hpa, stabilises_upwards_too_if_asked)
{
    struct world world =
        make_world("{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10}],"
                   " 'behavior': {'scale_up': {'stabilization_window_s': 45}}}",
                   1, 100, 4);
    world.pool.running = 80; /* recommends 8 from 15 s on; at 15 s the 4 there were are noted */
    cr_expect_eq(run_to(&world, 45), 4);
    cr_expect_eq(run_to(&world, 60), 8);
    end_world(&world);
}

/* --- pods that are not ready --- */

/* 2 ready at 30 each, target 10: ratio 3. One more runs without metrics and two do not run: in
 * scaling up all three count as 0: 60 / 5 = 12, ratio 1.2, ceil(1.2 x 5) = 6, not ceil(3 x 2). */
Test(scaler_hpa, pods_to_come_damp_scaling_up)
{
    struct world world = make_world(RUNNING_PER_POD_10, 1, 100, 5);
    world.pool.ready = 2;
    world.pool.unready = 1;
    world.pool.pending = 2;
    world.pool.running = 60;
    cr_expect_eq(decide_next(&world), 6);
    end_world(&world);
}

/* 2 ready at 26 and 3 pending: 52 / 5 = 10.4, which is tolerated; ceil(2.6 x 2) would be 6. */
Test(scaler_hpa, pods_to_come_may_be_enough)
{
    struct world world = make_world(RUNNING_PER_POD_10, 1, 100, 5);
    world.pool.ready = 2;
    world.pool.pending = 3;
    world.pool.running = 52;
    cr_expect_eq(decide_next(&world), 5);
    end_world(&world);
}

/* With 4 pending, 60 / 7 = 8.57: the direction would turn, so nothing happens. */
Test(scaler_hpa, pods_to_come_never_turn_the_direction)
{
    struct world world = make_world(RUNNING_PER_POD_10, 1, 100, 7);
    world.slow = true;
    world.pool.ready = 2;
    world.pool.unready = 1;
    world.pool.pending = 4;
    world.pool.running = 60;
    cr_expect_eq(run_to(&world, 1000), 7);
    end_world(&world);
}

/* Scaling down, pods without metrics count at the target, and pending ones not at all:
 * 4 ready at 2 and 2 unready at 10: 28 / 6 = 4.666, ratio 0.4666; ceil(0.4666 x 6) = 3. Counting
 * the ready alone it would be ceil(0.2 x 4) = 1. */
Test(scaler_hpa, pods_without_metrics_damp_scaling_down)
{
    struct world world =
        make_world("{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10}],"
                   " 'behavior': {'scale_down': {'stabilization_window_s': 0}}}",
                   1, 100, 8);
    world.pool.ready = 4;
    world.pool.unready = 2;
    world.pool.pending = 2;
    world.pool.running = 8;
    cr_expect_eq(decide_next(&world), 3);
    end_world(&world);
}

Test(scaler_hpa, without_any_ready_pod_nothing_is_known)
{
    struct world world = make_world(RUNNING_PER_POD_10, 1, 100, 3);
    world.slow = true;
    world.pool.ready = 0;
    world.pool.pending = 3;
    cr_expect_eq(run_to(&world, 3600), 3);
    cr_expect_str_eq(world.why, "a metric is missing");
    end_world(&world);
}

/* --- kinds of targets --- */

/* Value: the whole metric over the target, times the pods. 90 waiting for a target of 30: ratio 3,
 * 3 x 4 = 12. AverageValue: 90 / 30 = 3, whatever there is. */
Test(scaler_hpa, value_and_average_value_differ)
{
    struct world world =
        make_world("{'policy': 'hpa', 'metrics': [{'metric': 'waiting', 'source': 'external',"
                   " 'target_type': 'value', 'target': 30}], 'behavior': {'scale_up':"
                   " {'policies': [{'type': 'pods', 'value': 100, 'period_s': 15}]}}}",
                   1, 100, 4);
    world.pool.waiting = 90;
    cr_expect_eq(decide_next(&world), 12);
    end_world(&world);
    world = make_world("{'policy': 'hpa', 'metrics': [{'metric': 'waiting', 'source': 'external',"
                       " 'target_type': 'average_value', 'target': 30}]}",
                       1, 100, 2);
    world.pool.waiting = 90;
    cr_expect_eq(decide_next(&world), 3);
    end_world(&world);
}

/* A resource's utilisation is cut to whole percent: 4 replicas, busy 77.9 % of the time: 77, over a
 * target of 70 it is 1.1, tolerated; 78.0 % is 1.114: ceil(1.114 x 4) = 5. */
Test(scaler_hpa, utilization_is_in_whole_percent)
{
    struct world world =
        make_world("{'policy': 'hpa', 'metrics': [{'metric': 'utilisation_percent',"
                   " 'source': 'resource', 'target_type': 'utilization', 'target': 70}]}",
                   1, 100, 4);
    world.pool.ready_s = 4 * 15;
    world.pool.busy_s = 4 * 15 * 0.779;
    cr_expect_eq(decide_next(&world), 4);
    world.pool.ready_s += 4 * 15;
    world.pool.busy_s += 4 * 15 * 0.78001;
    cr_expect_eq(decide_next(&world), 5);
    end_world(&world);
}

#define TWO_METRICS                                                                                \
    "{'policy': 'hpa', 'metrics': ["                                                               \
    " {'metric': 'running', 'source': 'external', 'target': 10},"                                  \
    " {'metric': 'ttft_s', 'source': 'external', 'target_type': 'value', 'target': 1}]}"

/* The larger proposal wins; one without a value does not hinder scaling up, but scaling down. */
Test(scaler_hpa, a_missing_metric_blocks_scaling_down_alone)
{
    struct world world = make_world(TWO_METRICS, 1, 100, 4);
    world.pool.running = 60; /* no request has seen its first token: no TTFT */
    cr_expect_eq(decide_next(&world), 6);
    world.pool.running = 10;
    cr_expect_eq(run_to(&world, 600), 6);
    cr_expect_str_eq(world.why, "a metric is missing");
    for (int i = 0; i < 100; i++) { /* in the bucket from 0.25 to 0.5 s: 0.3 x 6 = 1.8 or so */
        scaler_observe(&world.pool.ttft, SCALER_TTFT_S, 0.3);
        decide_next(&world);
    }
    cr_expect_lt(world.pool.desired, 6);
    end_world(&world);
}

/* --- zero --- */

Test(scaler_hpa, leaves_a_pool_at_zero_alone)
{
    struct world world = make_world(
        "{'policy': 'hpa', 'metrics': [{'metric': 'waiting', 'source': 'external', 'target': 1}]}",
        1, 10, 0);
    world.pool.held = 1000;
    cr_expect_eq(run_to(&world, 1000), 0);
    end_world(&world);
}

Test(scaler_hpa, with_the_feature_gate_it_goes_to_zero_and_back)
{
    struct world world =
        make_world("{'policy': 'hpa', 'scale_to_zero': true, 'metrics': [{'metric': 'outstanding',"
                   " 'source': 'external', 'target': 10}]}",
                   0, 10, 2);
    cr_expect_eq(run_to(&world, 330), 0);
    world.pool.held = 25;
    cr_expect_eq(run_to(&world, 345), 3);
    end_world(&world);
}

/* From zero a value asks for as much as it is of its target. */
Test(scaler_hpa, a_value_wakes_a_pool_too)
{
    struct world world =
        make_world("{'policy': 'hpa', 'scale_to_zero': true, 'metrics': [{'metric': 'outstanding',"
                   " 'source': 'object', 'target_type': 'value', 'target': 10}]}",
                   0, 10, 0);
    world.pool.held = 25;
    cr_expect_eq(decide_next(&world), 3);
    end_world(&world);
}

/* What replicas show is absent without them, not 0. */
Test(scaler_hpa, a_metric_that_is_gone_is_missing)
{
    struct world world =
        make_world("{'policy': 'hpa', 'metrics': [{'metric': 'waiting_in_replicas',"
                   " 'source': 'external', 'target': 10}]}",
                   1, 10, 3);
    world.slow = true;
    world.pool.ready = 0;
    world.pool.pending = 3;
    cr_expect_eq(run_to(&world, 3600), 3);
    end_world(&world);
}

Test(scaler_hpa, is_brought_within_its_limits_first)
{
    struct world world = make_world(RUNNING_PER_POD_10, 3, 5, 1);
    cr_expect_eq(decide_next(&world), 3);
    world.pool.desired = 9;
    cr_expect_eq(decide_next(&world), 5);
    end_world(&world);
}

/* --- settings --- */

Test(scaler_hpa, settings_that_make_no_sense)
{
    expect_scaler_refused(RUNNING_PER_POD_10, 5, 3, "", "min_replicas, 5, is above");
    expect_scaler_refused(RUNNING_PER_POD_10, 0, 3, "/scale_to_zero", "does not scale to zero");
    expect_scaler_refused("{'policy': 'hpa', 'scale_to_zero': true,"
                          " 'metrics': [{'metric': 'running', 'target': 10}]}",
                          0, 3, "/metrics", "at zero replicas");
    expect_scaler_refused("{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10,"
                          " 'target_type': 'value'}]}",
                          1, 3, "/metrics/0/target_type", "can only be averaged");
    expect_scaler_refused("{'policy': 'hpa', 'metrics': [{'metric': 'running', 'target': 10,"
                          " 'aggregate': 'sum'}]}",
                          1, 3, "/metrics/0/aggregate", "averaged");
}
