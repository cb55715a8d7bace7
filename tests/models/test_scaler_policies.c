/* The queue controller, SLO-driven and predictive scaling, Knative, fixed pools, and several at
 * once. */
#include <math.h>

#include "models/elastic/holt_winters.h"
#include "tests/models/scaler_support.h"

/* --- fixed --- */

Test(scaler_fixed, stays_what_it_is)
{
    struct world world = make_world("'fixed'", 1, 9, 4);
    cr_expect_eq(decide_next(&world), 4);
    cr_expect_eq(scaler_next(world.scaler), TICK_NEVER);
    end_world(&world);
    world = make_world("{'policy': 'fixed', 'replicas': 6}", 1, 9, 4);
    cr_expect_eq(decide_next(&world), 6);
    end_world(&world);
    expect_scaler_refused("{'policy': 'fixed', 'replicas': 10}", 1, 9, "/replicas", "that many");
}

/* --- queue_depth --- */

#define QUEUE "{'policy': 'queue_depth', 'latency_below_s': 0.1}"

/* +2 above 50, and no more for 300 s; -1 below 5, and no more for 900 s. */
Test(scaler_queue_depth, adds_two_and_removes_one)
{
    struct world world = make_world(QUEUE, 1, 20, 2);
    world.pool.waiting = 50;
    cr_expect_eq(run_to(&world, 300), 2);
    world.pool.waiting = 51;
    cr_expect_eq(run_to(&world, 360), 4);
    cr_expect_eq(run_to(&world, 600), 4);
    cr_expect_eq(run_to(&world, 660), 6);
    world.pool.waiting = 4;
    cr_expect_eq(run_to(&world, 900), 6); /* what was added is warming up */
    cr_expect_eq(run_to(&world, 960), 5);
    cr_expect_eq(run_to(&world, 960 + 840), 5);
    cr_expect_eq(run_to(&world, 960 + 900), 4);
    end_world(&world);
}

/* The claim: a replica whose answers take 120 ms is never "below 100 ms", and nothing scales in. */
Test(scaler_queue_depth, a_latency_gate_below_the_latency_never_scales_in)
{
    struct world world = make_world(QUEUE, 1, 20, 6);
    while (next_s(&world) < 86400) {
        scaler_observe(&world.pool.e2e, SCALER_E2E_S, 0.5);
        decide_next(&world);
    }
    cr_expect_eq(world.pool.desired, 6);
    run_to(&world, 90000); /* without any answer there is none that is slow */
    cr_expect_lt(world.pool.desired, 6);
    end_world(&world);
}

/* A target of 10 each: 95 waiting need ceil(9.5). */
Test(scaler_queue_depth, a_target_asks_for_the_queue_divided_by_it)
{
    struct world world =
        make_world("{'policy': 'queue_depth', 'target': 10, 'high': 1000}", 1, 20, 2);
    world.pool.waiting = 95;
    cr_expect_eq(decide_next(&world), 10);
    end_world(&world);
    /* A short queue removes nothing that the target asks for. */
    world = make_world("{'policy': 'queue_depth', 'target': 1}", 1, 20, 4);
    world.pool.waiting = 4;
    cr_expect_eq(decide_next(&world), 4);
    end_world(&world);
    expect_scaler_refused("{'policy': 'queue_depth', 'high': 5, 'low': 6}", 1, 9, "/low",
                          "above high");
}

/* --- slo --- */

#define TTFT_1S "{'policy': 'slo', 'objectives': [{'metric': 'ttft_s', 'bound': 1}]}"

static void observe_ttft(struct world *world, double ttft_s, int count)
{
    for (int i = 0; i < count; i++)
        scaler_observe(&world->pool.ttft, SCALER_TTFT_S, ttft_s);
}

/* All of ten within (1, 2.5]: the 90th percentile is 1 + 0.9 x 1.5 = 2.35; 2.35 / 0.8 is above the
 * growth of 2. All within (0.75, 1]: 0.975, which is within the bound. */
Test(scaler_slo, grows_with_the_pressure_and_within_the_growth)
{
    struct world world = make_world(TTFT_1S, 1, 100, 3);
    observe_ttft(&world, 1, 10);
    cr_expect_eq(decide_next(&world), 3);
    observe_ttft(&world, 2, 10);
    cr_expect_eq(decide_next(&world), 6);
    end_world(&world);
    /* 9 of 100 beyond: 91 at most 1, the rest in (1, 2.5]; the 92nd percentile is 1 + 1.5/9
     * = 1.1667; 3 x 1.1667 / 0.8 = 4.375. */
    world = make_world("{'policy': 'slo', 'objectives': [{'metric': 'ttft_s', 'percentile': 92,"
                       " 'bound': 1}]}",
                       1, 100, 3);
    observe_ttft(&world, 0.9, 91);
    observe_ttft(&world, 2, 9);
    cr_expect_eq(decide_next(&world), 5);
    end_world(&world);
}

Test(scaler_slo, removes_one_at_a_time_far_below)
{
    struct world world = make_world(TTFT_1S, 1, 100, 6);
    while (next_s(&world) <= 630) {
        observe_ttft(&world, 0.03, 10);
        decide_next(&world);
    }
    cr_expect_eq(world.pool.desired, 3); /* at 30, 330 and 630 s */
    end_world(&world);
}

Test(scaler_slo, wakes_for_requests_and_waits_for_values)
{
    struct world world = make_world(TTFT_1S, 0, 100, 0);
    cr_expect_eq(decide_next(&world), 0);
    world.pool.held = 7;
    cr_expect_eq(decide_next(&world), 1);
    cr_expect_eq(run_to(&world, 3600), 1); /* nothing has had its first token yet */
    world.pool.held = 0;
    cr_expect_eq(run_to(&world, 4000), 0);
    end_world(&world);
    world = make_world(TTFT_1S, 0, 100, 3);
    world.pool.running = 5;
    cr_expect_eq(run_to(&world, 3600), 3);
    end_world(&world);
}

Test(scaler_slo, settings_that_make_no_sense)
{
    expect_scaler_refused("{'policy': 'slo', 'objectives': [{'metric': 'waiting', 'bound': 1}]}", 1,
                          9, "/objectives/0/metric", "neither a latency");
    expect_scaler_refused("{'policy': 'slo', 'scale_in_below': 0.9, 'objectives': [{'metric':"
                          " 'ttft_s', 'bound': 1}]}",
                          1, 9, "/scale_in_below", "scaled in again");
}

/* --- predictive --- */

/* Hand computation with a season of 2, alpha 0.5, beta 0.5, gamma 0.5. First season 10, 20: level
 * 15, trend 0, season -5, 5. Then 14: level 0.5 (14 + 5) + 0.5 (15) = 17; trend 0.5 (2) = 1; season
 * 0.5 (14 - 17) + 0.5 (-5) = -4. Ahead 1: 17 + 1 + 5 = 23; ahead 2: 17 + 2 - 4 = 15. */
Test(holt_winters, three_steps_by_hand)
{
    struct holt_winters forecast = {.alpha = 0.5, .beta = 0.5, .gamma = 0.5};
    cr_assert(holt_winters_open(&forecast, 2));
    holt_winters_observe(&forecast, 10);
    cr_expect(isnan(holt_winters_ahead(&forecast, 1)));
    holt_winters_observe(&forecast, 20);
    cr_expect_eq(holt_winters_ahead(&forecast, 1), 10);
    cr_expect_eq(holt_winters_ahead(&forecast, 2), 20);
    holt_winters_observe(&forecast, 14);
    cr_expect_eq(holt_winters_ahead(&forecast, 1), 23);
    cr_expect_eq(holt_winters_ahead(&forecast, 2), 15);
    holt_winters_close(&forecast);
}

/* Requests per s: 40 from 09:00 to 17:00, 4 else. */
static double office_load(double hour)
{
    hour = fmod(hour, 24);
    return hour >= 9 && hour < 17 ? 40 : 4;
}

static void run_office(struct world *world, double until_s)
{
    double last_s = 0;
    while (next_s(world) <= until_s) {
        double now_s = next_s(world);
        world->pool.arrived += (uint64_t)(office_load(last_s / 3600) * (now_s - last_s) + 0.5);
        last_s = now_s;
        decide_next(world);
    }
}

#define FORECAST "{'policy': 'predictive', 'per_replica': 5, 'period_s': 600, 'lead_s': 1200}"

/* The first day nothing is forecast. On the second, 20 minutes before nine there are the eight that
 * 40 requests per s need at 5 each; at five they are no longer needed. */
Test(scaler_predictive, is_ready_before_the_load_comes)
{
    struct world world = make_world(FORECAST, 1, 20, 3);
    run_office(&world, 86400 - 600);
    cr_expect_eq(world.pool.desired, 3);
    cr_expect_str_eq(world.why, "no season seen yet");
    end_world(&world);
    const struct {
        double hour;
        int64_t expected;
    } of_day[] = {{8.5, 1}, {8.7, 8}, {12, 8}, {16.9, 8}, {17, 1}, {20, 1}};
    for (int i = 0; i < 6; i++) {
        world = make_world(FORECAST, 1, 20, 3);
        run_office(&world, (24 + of_day[i].hour) * 3600);
        cr_expect_eq(world.pool.desired, of_day[i].expected, "%g: %d", of_day[i].hour,
                     (int)world.pool.desired);
        end_world(&world);
    }
    expect_scaler_refused("{'policy': 'predictive', 'per_replica': 5, 'period_s': 700}", 1, 9,
                          "/period_s", "does not divide");
}

/* --- knative --- */

/* 70 of 100 are aimed at: 700 at once need 10. Averages over 30 samples of 2 s: after one sample of
 * 700 the stable window holds only that, so it is at once 10; with one ready, 10 is over twice the
 * ready one, a panic. */
Test(scaler_knative, concurrency_over_the_target)
{
    struct world world = make_world("'knative'", 0, 100, 1);
    world.pool.running = 700;
    cr_expect_eq(decide_next(&world), 10);
    cr_expect_str_eq(world.why, "panic");
    world.pool.running = 140; /* needs 2; but it does not scale in while it panics */
    cr_expect_eq(run_to(&world, 62), 10);
    /* The panic window, 6 s, asked for twice what is ready at 2 s for the last time (10 ready since
     * then), so at 64 s the panic is over; the stable window holds 30 samples of 140: needs 2, but
     * no less than half of what is ready at once. */
    cr_expect_eq(run_to(&world, 64), 5);
    cr_expect_str_eq(world.why, "stable");
    cr_expect_eq(run_to(&world, 68), 2);
    end_world(&world);
}

/* From nothing in the last 60 s it takes 30 s more to zero; from zero the first request wakes it.
 */
Test(scaler_knative, goes_to_zero_after_a_grace_period)
{
    struct world world = make_world("'knative'", 0, 100, 1);
    world.pool.running = 10;
    cr_expect_eq(run_to(&world, 10), 1);
    world.pool.running = 0;
    cr_expect_eq(run_to(&world, 98),
                 1); /* the 10 are in the window until 68 s; at 70 s it is idle */
    cr_expect_eq(run_to(&world, 100), 0);
    world.pool.held = 1;
    cr_expect_eq(run_to(&world, 102), 1);
    end_world(&world);
}

/* --- combine --- */

#define BY_QUEUE "{'policy': 'keda', 'triggers': [{'metric': 'waiting', 'threshold': 10}]}"

Test(scaler_combine, the_one_that_asks_for_most_wins)
{
    struct world world = make_world("{'policy': 'combine', 'parts': [" BY_QUEUE
                                    ", {'policy': 'fixed', 'replicas': 3}]}",
                                    0, 20, 0);
    cr_expect_eq(decide_next(&world), 3);
    world.pool.waiting = 50;
    cr_expect_eq(run_to(&world, 15), 5);
    world.pool.waiting = 0;
    cr_expect_eq(run_to(&world, 3600), 3);
    end_world(&world);
}

/* The bounds of a schedule hold for the others; what it asks for, only at its moment. */
Test(scaler_combine, a_schedule_bounds_the_others)
{
    struct world world = make_world(
        "{'policy': 'combine', 'parts': [" BY_QUEUE ", {'policy': 'schedule', 'actions': ["
        " {'time': '01:00', 'min_replicas': 4, 'max_replicas': 6, 'desired_replicas': 6},"
        " {'time': '02:00', 'min_replicas': 0, 'max_replicas': 2}]}]}",
        0, 20, 2);
    cr_expect_eq(run_to(&world, 3599), 0);
    cr_expect_eq(run_to(&world, 3600), 6);
    cr_expect_eq(run_to(&world, 7199), 4);
    world.pool.waiting = 500;
    cr_expect_eq(run_to(&world, 7200), 2);
    end_world(&world);
}

/* At the schedule's maximum nothing is added, and so no cooldown begins: the next alarm removes. */
Test(scaler_combine, parts_know_the_bounds_of_the_schedule)
{
    struct world world =
        make_world("{'policy': 'combine', 'parts': [{'policy': 'schedule', 'actions': ["
                   " {'time': '00:00', 'max_replicas': 2}]}, {'policy': 'step', 'policies': ["
                   " {'metric': 'waiting', 'comparison': 'above', 'threshold': 50,"
                   "  'steps': [{'lower': 0, 'adjustment': 1}]},"
                   " {'metric': 'waiting', 'comparison': 'below', 'threshold': 50,"
                   "  'steps': [{'upper': 0, 'adjustment': -1}]}]}]}",
                   0, 20, 2);
    world.pool.waiting = 100;
    cr_expect_eq(run_to(&world, 60), 2);
    world.pool.waiting = 0;
    cr_expect_eq(run_to(&world, 120), 1);
    end_world(&world);
}

Test(scaler_combine, the_pointer_of_an_error_goes_to_the_part)
{
    expect_scaler_refused(
        "{'policy': 'combine', 'parts': ['fixed', {'policy': 'queue_depth', 'low': 60}]}", 1, 9,
        "/parts/1/low", "above high");
}
