/* Target tracking and step scaling, against the examples of AWS's documentation and sequences
 * computed by hand. */
#include "tests/models/scaler_support.h"

#define KV_50 "{'policy': 'target_tracking', 'metric': 'kv_used_percent', 'target': 50}"

/* Each replica uses so much of its KV cache. */
static void use_kv(struct world *world, double percent)
{
    world->pool.kv_used = percent / 100 * (double)world->pool.ready;
}

Test(scaler_target_tracking, scales_out_in_proportion_after_three_periods)
{
    struct world world = make_world(KV_50, 1, 100, 10);
    use_kv(&world, 74);
    cr_expect_eq(run_to(&world, 120), 10);
    cr_expect_eq(run_to(&world, 180), 15); /* ceil(10 x 74 / 50 = 14.8) */
    end_world(&world);
}

/* One period at the target in between, and the three begin again. */
Test(scaler_target_tracking, the_periods_must_be_in_a_row)
{
    struct world world = make_world(KV_50, 1, 100, 10);
    use_kv(&world, 74);
    run_to(&world, 120);
    use_kv(&world, 50);
    run_to(&world, 180);
    use_kv(&world, 74);
    cr_expect_eq(run_to(&world, 300), 10);
    cr_expect_eq(run_to(&world, 360), 15);
    end_world(&world);
}

/* Within the cooldown capacity counts from before the first step: at 80 % it is ceil(10 x 1.6) =
 * 16, one more than the 15 there are; not ceil(15 x 1.6) = 24. After the cooldown it is 26. */
Test(scaler_target_tracking, what_was_just_added_counts_as_added)
{
    struct world world = make_world(KV_50, 1, 100, 10);
    use_kv(&world, 74);
    run_to(&world, 180);
    use_kv(&world, 80);
    cr_expect_eq(run_to(&world, 240), 16);
    use_kv(&world, 80);
    cr_expect_eq(run_to(&world, 480), 16);
    cr_expect_eq(run_to(&world, 540), 26); /* 240 + 300: ceil(16 x 1.6 = 25.6) */
    end_world(&world);
}

/* The alarm for scaling in: below 45 for 15 minutes. 44 % of 10 is ceil(8.8) = 9; 46 % is left. */
Test(scaler_target_tracking, scales_in_when_well_below_for_a_quarter_of_an_hour)
{
    struct world world = make_world(KV_50, 1, 100, 10);
    use_kv(&world, 46);
    cr_expect_eq(run_to(&world, 3600), 10);
    use_kv(&world, 20);
    cr_expect_eq(run_to(&world, 3600 + 840), 10);
    cr_expect_eq(run_to(&world, 3600 + 900), 4);
    /* Scaling in again waits for 300 s. */
    use_kv(&world, 20);
    cr_expect_eq(run_to(&world, 4500 + 240), 4);
    cr_expect_str_eq(world.why, "cooling down");
    cr_expect_eq(run_to(&world, 4500 + 300), 2); /* ceil(4 x 0.4 = 1.6) */
    end_world(&world);
}

Test(scaler_target_tracking, may_be_told_not_to_scale_in)
{
    struct world world = make_world("{'policy': 'target_tracking', 'metric': 'kv_used_percent',"
                                    " 'target': 50, 'disable_scale_in': true}",
                                    1, 100, 10);
    cr_expect_eq(run_to(&world, 86400), 10);
    end_world(&world);
}

/* "It does not perform scale in because it does not interpret insufficient data as low
 * utilization." */
Test(scaler_target_tracking, does_not_act_on_insufficient_data)
{
    struct world world =
        make_world("{'policy': 'target_tracking', 'metric': 'ttft_s', 'target': 1}", 1, 100, 10);
    cr_expect_eq(run_to(&world, 86400), 10);
    end_world(&world);
}

/* --- steps --- */

#define AWS_STEPS                                                                                  \
    "{'policy': 'step', 'policies': ["                                                             \
    " {'metric': 'waiting', 'comparison': 'at_least', 'threshold': 50,"                            \
    "  'adjustment_type': 'percent_change_in_capacity', 'steps': ["                                \
    "   {'lower': 0, 'upper': 10, 'adjustment': 0}, {'lower': 10, 'upper': 20, 'adjustment': 10}," \
    "   {'lower': 20, 'adjustment': 30}]},"                                                        \
    " {'metric': 'waiting', 'comparison': 'below', 'threshold': 50,"                               \
    "  'adjustment_type': 'percent_change_in_capacity', 'steps': ["                                \
    "   {'lower': -10, 'upper': 0, 'adjustment': 0},"                                              \
    "   {'lower': -20, 'upper': -10, 'adjustment': -10}, {'upper': -20, 'adjustment': -30}]}]}"

/* The example of "Step and simple scaling policies for Amazon EC2 Auto Scaling": at 60, 10 % of 10
 * add 1; at 70, 30 % of 11 = 3.3, cut to 3; at 40, 10 % of 14 = 1.4, cut to 1; at 30, 30 % of 13 =
 * 3.9, cut to 3. */
Test(scaler_step, the_example_of_the_documentation)
{
    struct world world = make_world(AWS_STEPS, 1, 100, 10);
    const struct {
        uint64_t waiting;
        int64_t expected;
    } steps[] = {{59, 10}, {60, 11}, {70, 14}, {41, 14}, {40, 13}, {30, 10}, {31, 9}};
    for (int i = 0; i < 7; i++) {
        world.pool.waiting = steps[i].waiting;
        cr_expect_eq(run_to(&world, 60 + 300 * i), steps[i].expected, "step %d: %d", i,
                     (int)world.pool.desired);
        world.pool.waiting = 50; /* at rest until the cooldown is over */
        run_to(&world, 300 * (i + 1));
    }
    end_world(&world);
}

/* "If the alarm triggers again during the cooldown period but at a more aggressive step adjustment
 * of 3, the previous increase of 2 is considered part of the current capacity. Therefore, only 1 is
 * added." (Application Auto Scaling, "Cooldown period") */
Test(scaler_step, within_the_cooldown_only_the_difference_is_added)
{
    struct world world =
        make_world("{'policy': 'step', 'policies': [{'metric': 'waiting', 'comparison': 'above',"
                   " 'threshold': 100, 'steps': [{'lower': 0, 'upper': 50, 'adjustment': 2},"
                   " {'lower': 50, 'adjustment': 3}]}]}",
                   1, 100, 10);
    world.pool.waiting = 120;
    cr_expect_eq(run_to(&world, 60), 12);
    cr_expect_eq(run_to(&world, 120), 12);
    world.pool.waiting = 150;
    cr_expect_eq(run_to(&world, 180), 13);
    cr_expect_eq(run_to(&world, 420), 13);
    cr_expect_eq(run_to(&world, 480), 16); /* 180 + 300 */
    end_world(&world);
}

/* 25 % of 4 is 1, but 2 are asked for at least (StepScalingPolicyConfiguration). A percentage below
 * one replica is one. */
Test(scaler_step, a_percentage_has_a_least_magnitude)
{
    struct world world =
        make_world("{'policy': 'step', 'policies': [{'metric': 'waiting', 'comparison': 'above',"
                   " 'threshold': 1, 'adjustment_type': 'percent_change_in_capacity',"
                   " 'min_adjustment_magnitude': 2, 'steps': [{'lower': 0, 'adjustment': 25}]}]}",
                   1, 100, 4);
    world.pool.waiting = 10;
    cr_expect_eq(decide_next(&world), 6);
    end_world(&world);
    world =
        make_world("{'policy': 'step', 'policies': [{'metric': 'waiting', 'comparison': 'above',"
                   " 'threshold': 1, 'adjustment_type': 'percent_change_in_capacity',"
                   " 'steps': [{'lower': 0, 'adjustment': 25}]}]}",
                   1, 100, 2);
    world.pool.waiting = 10;
    cr_expect_eq(decide_next(&world), 3);
    end_world(&world);
}

Test(scaler_step, an_exact_capacity_and_the_largest_of_several)
{
    struct world world = make_world(
        "{'policy': 'step', 'policies': ["
        " {'metric': 'waiting', 'comparison': 'above', 'threshold': 1,"
        "  'adjustment_type': 'exact_capacity', 'steps': [{'lower': 0, 'adjustment': 7}]},"
        " {'metric': 'running', 'comparison': 'above', 'threshold': 1, 'periods': 2,"
        "  'steps': [{'lower': 0, 'adjustment': 8}]}]}",
        0, 100, 0);
    world.pool.held = 10; /* from zero: what target tracking cannot do */
    cr_expect_eq(decide_next(&world), 7);
    world.pool.running = 5;
    cr_expect_eq(run_to(&world, 300), 8);  /* within the cooldown from 0: 0 + 8 */
    cr_expect_eq(run_to(&world, 480), 16); /* it began again at 180 s, with the second period */
    end_world(&world);
}

#define ONE_STEP(comparison, threshold, steps)                                                     \
    "{'metric': 'waiting', 'comparison': '" comparison "', 'threshold': " threshold                \
    ", 'steps': [" steps "]}"

#define ONE_POLICY(steps) "{'policy': 'step', 'policies': [" ONE_STEP("above", "50", steps) "]}"

Test(scaler_step, steps_that_do_not_fit_together)
{
    expect_scaler_refused(ONE_POLICY("{'adjustment': 1}"), 1, 9, "/policies/0/steps",
                          "needs a lower or an upper bound");
    expect_scaler_refused(ONE_POLICY("{'lower': 5, 'upper': 5, 'adjustment': 1}"), 1, 9,
                          "/policies/0/steps", "below its upper bound");
    expect_scaler_refused(
        ONE_POLICY("{'lower': 0, 'upper': 10, 'adjustment': 1}, {'lower': 9, 'adjustment': 2}"), 1,
        9, "/policies/0/steps", "overlap");
    expect_scaler_refused(
        ONE_POLICY("{'lower': 0, 'upper': 10, 'adjustment': 1}, {'lower': 11, 'adjustment': 2}"), 1,
        9, "/policies/0/steps", "gap");
    expect_scaler_refused(ONE_POLICY("{'lower': 0, 'upper': 10, 'adjustment': 1}"), 1, 9,
                          "/policies/0/steps", "no open step");
    expect_scaler_refused(
        "{'policy': 'step', 'policies': [" ONE_STEP(
            "at_least", "50",
            "{'lower': 0, 'adjustment': 1}") "," ONE_STEP("below", "60",
                                                          "{'upper': 0, 'adjustment': -1}") "]}",
        1, 9, "/policies/1/threshold", "can be on at once");
    expect_scaler_refused("{'policy': 'step', 'policies': [{'metric': 'waiting', 'comparison':"
                          " 'above', 'threshold': 1, 'min_adjustment_magnitude': 2,"
                          " 'steps': [{'lower': 0, 'adjustment': 1}]}]}",
                          1, 9, "/policies/0/min_adjustment_magnitude", "percentages");
}
