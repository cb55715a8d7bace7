/* KEDA, against sequences computed by hand from its documentation and its executor's rules. */
#include "tests/models/scaler_support.h"

#define QUEUE_10 "{'metric': 'waiting', 'threshold': 10}"

Test(scaler_keda, polls_every_30_s_and_asks_the_hpa_every_15_s)
{
    struct world world = make_world(
        "{'policy': 'keda', 'polling_interval_s': 40, 'triggers': [" QUEUE_10 "]}", 0, 10, 1);
    const double expected_s[] = {15, 30, 40, 45, 60, 75, 80};
    for (int i = 0; i < 7; i++) {
        cr_expect_eq(next_s(&world), expected_s[i]);
        decide_next(&world);
    }
    end_world(&world);
}

/* 0 -> 1 is KEDA's, at its poll; 1 -> N is the HPA's, at its next sync: 250 waiting at 10 each ask
 * for 25, and the HPA goes from 1 to 4, 8, 16 and 25. */
Test(scaler_keda, wakes_one_replica_and_the_hpa_does_the_rest)
{
    struct world world = make_world("{'policy': 'keda', 'triggers': [" QUEUE_10 "]}", 0, 100, 0);
    cr_expect_eq(run_to(&world, 30), 0);
    world.pool.held = 250;
    cr_expect_eq(run_to(&world, 45), 0); /* the HPA is off at zero */
    cr_expect_eq(run_to(&world, 60), 1);
    const int64_t expected[] = {4, 8, 16, 25};
    for (int i = 0; i < 4; i++)
        cr_expect_eq(run_to(&world, 75 + 15 * i), expected[i]);
    end_world(&world);
}

/* It goes to the minimum, not to 1, where there is one and the pool was idle below it. */
Test(scaler_keda, idle_replicas_lie_below_the_minimum)
{
    struct world world =
        make_world("{'policy': 'keda', 'idle_replicas': 0, 'triggers': [" QUEUE_10 "]}", 3, 100, 3);
    cr_expect_eq(run_to(&world, 15), 3);
    cr_expect_eq(run_to(&world, 30), 0); /* no trigger was ever active: no cooldown */
    world.pool.held = 1;
    cr_expect_eq(run_to(&world, 45), 0);
    cr_expect_eq(run_to(&world, 60), 3);
    end_world(&world);
}

/* The cooldown is for zero only. A queue of 60 falls to 5 at 100 s: the HPA goes from 6 to 1 when
 * its own 300 s have passed, cooldown or not. Then the queue is empty: the last active poll was at
 * 600 s, so 870 s is too early and 900 s is not. */
Test(scaler_keda, the_cooldown_applies_to_zero_alone)
{
    struct world world = make_world("{'policy': 'keda', 'triggers': [" QUEUE_10 "]}", 0, 100, 6);
    world.pool.waiting = 60;
    cr_expect_eq(run_to(&world, 100), 6);
    world.pool.waiting = 5;
    /* The last 6 was recommended at 90 s; at 390 s it is exactly 300 s old, and still counts. */
    cr_expect_eq(run_to(&world, 390), 6);
    cr_expect_eq(run_to(&world, 405), 1);
    cr_expect_eq(run_to(&world, 600), 1);
    world.pool.waiting = 0;
    cr_expect_eq(run_to(&world, 870), 1);
    cr_expect_eq(run_to(&world, 900), 0);
    cr_expect_str_eq(world.why, "no trigger was active for the cooldown");
    end_world(&world);
}

Test(scaler_keda, an_initial_cooldown_holds_what_was_never_active)
{
    struct world world = make_world(
        "{'policy': 'keda', 'initial_cooldown_period_s': 120, 'triggers': [" QUEUE_10 "]}", 0, 100,
        2);
    cr_expect_eq(run_to(&world, 105), 2);
    cr_expect_eq(run_to(&world, 120), 0);
    end_world(&world);
}

/* Active is above the activation threshold, not at it. */
Test(scaler_keda, activation_is_strictly_above)
{
    struct world world =
        make_world("{'policy': 'keda', 'triggers': [{'metric': 'waiting', 'threshold': 10,"
                   " 'activation_threshold': 5}]}",
                   0, 100, 0);
    world.pool.held = 5;
    cr_expect_eq(run_to(&world, 300), 0);
    world.pool.held = 6;
    cr_expect_eq(run_to(&world, 330), 1);
    end_world(&world);
}

/* Threshold 10, activation 50, 40 in the queue: "the scaler is not active and it'll be scaled to
 * zero even the HPA requires 4 instances" (KEDA documentation, "Activating and scaling
 * thresholds"). */
Test(scaler_keda, activation_goes_before_the_threshold)
{
    struct world world =
        make_world("{'policy': 'keda', 'triggers': [{'metric': 'waiting', 'threshold': 10,"
                   " 'activation_threshold': 50}]}",
                   0, 100, 2);
    world.pool.waiting = 40;
    cr_expect_eq(run_to(&world, 15), 4);
    cr_expect_eq(run_to(&world, 30), 0);
    end_world(&world);
}

/* A minimum above zero is never left, and the HPA scales to it. */
Test(scaler_keda, keeps_a_minimum)
{
    struct world world = make_world("{'policy': 'keda', 'triggers': [" QUEUE_10 "]}", 2, 100, 5);
    cr_expect_eq(run_to(&world, 3600), 2);
    end_world(&world);
    world = make_world("{'policy': 'keda', 'polling_interval_s': 5, 'triggers': [" QUEUE_10 "]}", 2,
                       100, 1);
    cr_expect_eq(run_to(&world, 5), 2); /* at the poll, before the HPA is asked */
    end_world(&world);
}

/* --- the trap: utilisation as an average value --- */

#define UTILISATION_70(more)                                                                       \
    "{'policy': 'keda', 'triggers': [{'metric': 'utilisation_percent', 'threshold': 70" more "}]}"

/* Replicas after an hour in which those that were ready were busy all the time. */
static int64_t after_a_busy_hour(struct world *world)
{
    double last_s = 0;
    while (next_s(world) <= 3600) {
        double passed_s = (next_s(world) - last_s) * (double)world->pool.ready;
        last_s = next_s(world);
        world->pool.ready_s += passed_s;
        world->pool.busy_s += passed_s;
        world->pool.waiting = 1000;
        decide_next(world);
    }
    return world->pool.desired;
}

/* avg() of a percentage is 100 at most, and desired = ceil(100 / 70) = 2, however many there are
 * and however long the queue. */
Test(scaler_keda, a_utilisation_trigger_never_asks_for_more_than_two)
{
    for (int64_t replicas = 1; replicas < 5; replicas++) {
        struct world world = make_world(UTILISATION_70(""), 1, 20, replicas);
        cr_expect_eq(after_a_busy_hour(&world), 2);
        end_world(&world);
    }
}

/* As a value the ratio 100 / 70 applies to the replicas there are; as sum() the replicas add up. */
Test(scaler_keda, as_a_value_or_a_sum_it_does)
{
    struct world world = make_world(UTILISATION_70(", 'metric_type': 'value'"), 1, 20, 1);
    cr_expect_eq(after_a_busy_hour(&world), 20);
    end_world(&world);
    world = make_world(UTILISATION_70(", 'aggregate': 'sum'"), 1, 20, 1);
    cr_expect_eq(after_a_busy_hour(&world), 20);
    end_world(&world);
}

/* At zero replicas there is no series, the query is 0, and nothing is ever active. */
Test(scaler_keda, a_utilisation_trigger_cannot_wake_from_zero)
{
    struct world world = make_world(UTILISATION_70(", 'activation_threshold': 5"), 0, 20, 0);
    world.pool.held = 1000;
    cr_expect_eq(run_to(&world, 86400), 0);
    end_world(&world);
}

/* Nor can the engines' own queue length: only what the gateway holds is there without them. */
Test(scaler_keda, nor_can_the_queue_of_replicas_that_are_not_there)
{
    struct world world = make_world(
        "{'policy': 'keda', 'triggers': [{'metric': 'waiting_in_replicas', 'threshold': 1}]}", 0,
        20, 0);
    world.pool.held = 1000;
    cr_expect_eq(run_to(&world, 86400), 0);
    end_world(&world);
}

/* --- a ScaledObject as people write it --- */

/* min 0, max 20, polled every 15 s; up 4 pods per 60 s after 30 s, down 25 % per 60 s after 600 s.
 * Down: 20 x 0.75 = 15, 11.25 -> 11, 8.25 -> 8, 6, 4.5 -> 4, 3, 2.25 -> 2, 1.5 -> 1: the first
 * after 600 s, the seven others a minute apart. The queue is empty from the start, so that the last
 * active poll is long past when 1 is reached; a trigger that stays active keeps it from zero until
 * then. */
Test(scaler_keda, scales_in_by_a_quarter_a_minute_after_ten)
{
    struct world world = make_world(
        "{'policy': 'keda', 'polling_interval_s': 15, 'triggers': ["
        "  {'metric': 'waiting', 'threshold': 100},"
        "  {'metric': 'utilisation_percent', 'threshold': 70, 'activation_threshold': 5}],"
        " 'behavior': {'scale_up': {'stabilization_window_s': 30,"
        "   'policies': [{'type': 'pods', 'value': 4, 'period_s': 60}]},"
        "  'scale_down': {'stabilization_window_s': 600,"
        "   'policies': [{'type': 'percent', 'value': 25, 'period_s': 60}]}}}",
        0, 20, 20);
    world.pool.waiting = 1; /* active, and asks for 1 */
    /* The controller's first sync, at 15 s, notes the 20 there are. */
    cr_expect_eq(run_to(&world, 600), 20);
    const int64_t expected[] = {15, 11, 8, 6, 4, 3, 2, 1};
    for (int i = 0; i < 8; i++) {
        cr_expect_eq(run_to(&world, 615 + 60 * i), expected[i]);
        cr_expect_eq(run_to(&world, 615 + 60 * i + 45), expected[i]);
    }
    cr_expect_eq(run_to(&world, 1200), 1);
    world.pool.waiting = 0;
    cr_expect_eq(run_to(&world, 1485), 1);
    cr_expect_eq(run_to(&world, 1500), 0); /* 300 s after the last active poll */
    end_world(&world);
}

Test(scaler_keda, settings_that_fight)
{
    expect_scaler_refused("{'policy': 'keda', 'idle_replicas': 2, 'triggers': [" QUEUE_10 "]}", 2,
                          10, "/idle_replicas", "must be below min_replicas");
    expect_scaler_refused("{'policy': 'keda', 'idle_replicas': 0, 'triggers': [" QUEUE_10 "]}", 0,
                          10, "/idle_replicas", "must be below min_replicas");
    expect_scaler_refused("{'policy': 'keda', 'idle_replicas': 1, 'triggers': [" QUEUE_10 "]}", 3,
                          10, "/idle_replicas", "HPA would scale");
    expect_scaler_refused("{'policy': 'keda', 'triggers': [{'metric': 'utilisation_percent',"
                          " 'threshold': 70, 'metric_type': 'utilization'}]}",
                          0, 10, "/triggers", "wake the pool from zero");
    expect_scaler_refused("{'policy': 'keda', 'triggers': [" QUEUE_10 "]}", 0, 0, "",
                          "max_replicas is 0");
}
