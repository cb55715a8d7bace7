/* What holds for every scaler, whatever the pool does: random pools under drawn settings. */
#include <gsl/gsl_rng.h>

#include "sim/random.h"
#include "tests/models/scaler_support.h"

static const char *const drawn[] = {
    "'fixed'",
    "{'policy': 'hpa', 'scale_to_zero': true, 'metrics': [{'metric': 'running', 'target': 10},"
    " {'metric': 'waiting', 'source': 'object', 'target': 1}]}",
    "{'policy': 'hpa', 'scale_to_zero': true, 'sync_s': 7, 'metrics': [{'metric': 'outstanding',"
    " 'source': 'external', 'target_type': 'value', 'target': 20}, {'metric': 'kv_used_percent',"
    " 'target': 60, 'window_s': 100}], 'behavior': {'scale_up': {'stabilization_window_s': 30},"
    " 'scale_down': {'stabilization_window_s': 0, 'select_policy': 'min', 'policies': ["
    " {'type': 'pods', 'value': 2, 'period_s': 100}, {'type': 'percent', 'value': 30,"
    " 'period_s': 20}]}}}",
    "{'policy': 'keda', 'triggers': [{'metric': 'waiting', 'threshold': 5},"
    " {'metric': 'utilisation_percent', 'threshold': 70, 'metric_type': 'value'}]}",
    "{'policy': 'keda', 'polling_interval_s': 11, 'cooldown_period_s': 40, 'triggers': ["
    " {'metric': 'requests_per_s', 'threshold': 3, 'window_s': 60, 'activation_threshold': 1}],"
    " 'behavior': {}}",
    "{'policy': 'target_tracking', 'metric': 'utilisation_percent', 'target': 60, 'period_s': 20}",
    "{'policy': 'target_tracking', 'metric': 'outstanding', 'aggregate': 'average', 'target': 12,"
    " 'disable_scale_in': true}",
    "{'policy': 'step', 'policies': [{'metric': 'waiting', 'comparison': 'at_least',"
    " 'threshold': 20, 'steps': [{'lower': 0, 'upper': 30, 'adjustment': 1}, {'lower': 30,"
    " 'adjustment': 4}]}, {'metric': 'waiting', 'comparison': 'at_most', 'threshold': 5,"
    " 'adjustment_type': 'percent_change_in_capacity', 'periods': 3, 'steps': [{'upper': 0,"
    " 'adjustment': -25}]}]}",
    "{'policy': 'schedule', 'actions': [{'time': '00:10', 'min_replicas': 3},"
    " {'time': '00:30', 'max_replicas': 2, 'desired_replicas': 1}]}",
    "{'policy': 'queue_depth', 'target': 15, 'latency_below_s': 2}",
    "{'policy': 'slo', 'objectives': [{'metric': 'ttft_s', 'bound': 1}, {'metric':"
    " 'slo_missed_percent', 'bound': 5, 'window_s': 300}]}",
    "{'policy': 'predictive', 'per_replica': 2, 'period_s': 1200}",
    "'knative'",
    "{'policy': 'combine', 'parts': [{'policy': 'hpa', 'scale_to_zero': true, 'metrics': ["
    " {'metric': 'running', 'source': 'external', 'target': 10}]}, 'knative',"
    " {'policy': 'schedule', 'actions': [{'time': '00:20', 'min_replicas': 2,"
    " 'max_replicas': 6}]}]}",
};

enum { DRAWN = sizeof drawn / sizeof drawn[0] };

/* Time passes, replicas start late or fail, and load comes and goes. */
static void disturb(struct world *world, gsl_rng *rng, double passed_s)
{
    struct scaler_metrics *pool = &world->pool;
    int64_t desired = pool->desired;
    pool->ready_s += (double)pool->ready * passed_s;
    pool->busy_s += (double)pool->ready * passed_s * gsl_rng_uniform(rng);
    pool->ready = (int64_t)gsl_rng_uniform_int(rng, (unsigned long)desired + 1);
    int64_t missing = desired - pool->ready;
    pool->unready = (int64_t)gsl_rng_uniform_int(rng, (unsigned long)missing + 1);
    pool->pending = missing - pool->unready;
    uint64_t load = gsl_rng_uniform_int(rng, 3) * gsl_rng_uniform_int(rng, 60);
    pool->held = pool->ready == 0 ? load : 0;
    pool->waiting = pool->ready == 0 ? 0 : load;
    pool->running = (uint64_t)pool->ready * gsl_rng_uniform_int(rng, 30);
    pool->kv_used = (double)pool->ready * gsl_rng_uniform(rng);
    pool->arrived += load;
    pool->ended += load;
    pool->missed_slo += load / 3;
    if (load % 2 == 0)
        scaler_observe(&pool->ttft, SCALER_TTFT_S, gsl_rng_uniform(rng) * 2);
    if (load % 3 == 0)
        scaler_observe(&pool->e2e, SCALER_E2E_S, gsl_rng_uniform(rng) * 5);
}

static void expect_invariants(const char *scaler, uint64_t seed)
{
    gsl_rng *rng = random_stream(seed, 0, "test/scaler");
    struct world world = make_world(scaler, 0, 9, 3), twin = make_world(scaler, 0, 9, 3);
    world.slow = true;
    double last_s = 0;
    for (int i = 0; i < 400 && scaler_next(world.scaler) != TICK_NEVER; i++) {
        double now_s = next_s(&world);
        disturb(&world, rng, now_s - last_s);
        last_s = now_s;
        twin.pool = world.pool;
        int64_t desired = decide_next(&world);
        cr_assert(desired >= 0 && desired <= 9, "%s asks for %d", scaler, (int)desired);
        cr_assert_gt(next_s(&world), now_s);
        cr_assert_not_null(world.why);
        cr_assert_eq(decide_next(&twin), desired, "%s is not the same twice", scaler);
        cr_assert_eq(scaler_next(twin.scaler), scaler_next(world.scaler));
    }
    end_world(&world);
    end_world(&twin);
    gsl_rng_free(rng);
}

Test(scaler_properties, decisions_stay_within_limits_and_depend_on_what_was_shown_alone)
{
    for (uint64_t seed = 0; seed < 10; seed++)
        for (int i = 0; i < DRAWN; i++)
            expect_invariants(drawn[i], seed);
}

/* The last that may begin is nothing special. */
Test(scaler_properties, the_end_of_the_clock)
{
    for (int i = 0; i < DRAWN; i++) {
        struct world world = make_world(drawn[i], 0, 9, 3);
        world.pool.waiting = 100;
        for (double end_s = CLOCK_MAX_S - 2; end_s <= CLOCK_MAX_S; end_s++) {
            tick_t end = tick_from_s(end_s);
            if (scaler_next(world.scaler) <= end)
                scaler_decide(world.scaler, &world.pool, end);
            cr_expect_gt(scaler_next(world.scaler), end);
        }
        end_world(&world);
    }
}

/* Replicas after some time with a constant load, from the same start. */
static int64_t after_constant_load(const char *scaler, uint64_t load, double until_s)
{
    struct world world = make_world(scaler, 0, 50, 4);
    world.slow = true; /* 4 stay ready, so that what is shown stays the same */
    double last_s = 0;
    while (next_s(&world) <= until_s) {
        double passed_s = next_s(&world) - last_s;
        last_s = next_s(&world);
        world.pool.ready_s += 4 * passed_s;
        world.pool.busy_s += 4 * passed_s * (double)load / 200;
        world.pool.arrived += load * (uint64_t)(passed_s / 10);
        world.pool.waiting = load / 2;
        world.pool.running = load;
        world.pool.kv_used = 4 * (double)load / 200;
        scaler_observe(&world.pool.ttft, SCALER_TTFT_S, (double)load / 50);
        world.pool.ended += 200;
        world.pool.missed_slo += load;
        decide_next(&world);
    }
    int64_t desired = world.pool.desired;
    end_world(&world);
    return desired;
}

/* More load never asks for fewer replicas. */
Test(scaler_properties, more_load_never_asks_for_less)
{
    for (int i = 0; i < DRAWN; i++) {
        int64_t before = 0;
        for (uint64_t load = 0; load <= 200; load += 5) {
            int64_t desired = after_constant_load(drawn[i], load, 900);
            cr_expect(desired >= before, "%s: %d for less than %d, %d for it", drawn[i],
                      (int)before, (int)load, (int)desired);
            before = desired;
        }
    }
}

#define HPA_AT(source) "{'policy': 'hpa', 'metrics': [{'metric': 'running', 'source': " source "}]}"

/* A metric that is exactly at its target changes nothing, for as long as it takes. */
Test(scaler_properties, nothing_changes_at_the_target)
{
    static const char *const at_40[] = {
        HPA_AT("'pods', 'target': 10"),
        HPA_AT("'external', 'target': 10"),
        HPA_AT("'object', 'target_type': 'value', 'target': 40"),
        "{'policy': 'keda', 'triggers': [{'metric': 'running', 'threshold': 10}]}",
        "{'policy': 'target_tracking', 'metric': 'running', 'aggregate': 'average', 'target': 10}",
        "{'policy': 'knative', 'target': 10, 'target_utilisation_percent': 100}",
    };
    for (int i = 0; i < 6; i++) {
        struct world world = make_world(at_40[i], 1, 50, 4);
        world.pool.running = 40;
        cr_expect_eq(run_to(&world, 7200), 4, "%s: %d", at_40[i], (int)world.pool.desired);
        end_world(&world);
    }
}

/* --- what is read --- */

#define VALUE_OF(metric)                                                                           \
    "{'policy': 'hpa', 'sync_s': 10, 'tolerance': 0, 'metrics': [{'source': 'external',"           \
    " 'target': 1, " metric "}], 'behavior': {'scale_up': {'policies': [{'type': 'pods',"          \
    " 'value': 100000, 'period_s': 1}]}, 'scale_down': {'stabilization_window_s': 0}}}"

/* An HPA that asks for as many replicas as the metric's value shows it. */
Test(scaler_properties, rates_are_taken_over_their_windows)
{
    struct world since = make_world(VALUE_OF("'metric': 'requests_per_s'"), 1, 100000, 1);
    struct world window =
        make_world(VALUE_OF("'metric': 'requests_per_s', 'window_s': 30"), 1, 100000, 1);
    const struct {
        uint64_t arrived;
        int64_t since, window;
    } at[] = {{100, 10, 10}, {300, 20, 15}, {600, 30, 20}, {600, 1, 17}, {600, 1, 10}, {600, 1, 1}};
    for (int i = 0; i < 6; i++) { /* 0 where nothing came, but one replica stays */
        since.pool.arrived = window.pool.arrived = at[i].arrived;
        cr_expect_eq(decide_next(&since), at[i].since, "%d", (int)since.pool.desired);
        cr_expect_eq(decide_next(&window), at[i].window, "%d", (int)window.pool.desired);
    }
    end_world(&since);
    end_world(&window);
}

/* Four replicas with 3 requests running each: 12 in all, 3 on average. */
Test(scaler_properties, aggregates_go_over_the_ready_replicas)
{
    const struct {
        const char *scaler;
        int64_t expected;
    } cases[] = {{VALUE_OF("'metric': 'running'"), 12},
                 {VALUE_OF("'metric': 'running', 'aggregate': 'average'"), 3},
                 {VALUE_OF("'metric': 'kv_used_percent'"), 50},
                 {VALUE_OF("'metric': 'kv_used_percent', 'aggregate': 'sum'"), 200},
                 {VALUE_OF("'metric': 'outstanding'"), 17},
                 {VALUE_OF("'metric': 'slo_missed_percent'"), 8}};
    for (int i = 0; i < 6; i++) {
        struct world world = make_world(cases[i].scaler, 1, 1000, 4);
        world.pool.running = 12;
        world.pool.waiting = 5;
        world.pool.kv_used = 2;
        world.pool.ended = 50;
        world.pool.missed_slo = 4;
        cr_expect_eq(decide_next(&world), cases[i].expected, "%s: %d", cases[i].scaler,
                     (int)world.pool.desired);
        end_world(&world);
    }
}

/* As histogram_quantile: 10 in (5, 7.5] and 10 in (20, 40]: the 50th percentile is 7.5, the 75th
 * 30; what lies beyond the last bound, 2560, shows as that. */
Test(scaler_properties, percentiles_come_from_the_buckets_of_vllm)
{
    const struct {
        const char *scaler;
        int64_t expected;
    } cases[] = {{VALUE_OF("'metric': 'ttft_s', 'percentile': 50"), 8},
                 {VALUE_OF("'metric': 'ttft_s', 'percentile': 75"), 30},
                 {VALUE_OF("'metric': 'ttft_s', 'percentile': 100"), 40}};
    for (int i = 0; i < 3; i++) {
        struct world world = make_world(cases[i].scaler, 1, 10000, 1);
        for (int k = 0; k < 10; k++) {
            scaler_observe(&world.pool.ttft, SCALER_TTFT_S, 6);
            scaler_observe(&world.pool.ttft, SCALER_TTFT_S, 21);
        }
        cr_expect_eq(decide_next(&world), cases[i].expected);
        for (int k = 0; k < 1000; k++)
            scaler_observe(&world.pool.ttft, SCALER_TTFT_S, 1e6);
        cr_expect_eq(decide_next(&world), 2560); /* the first twenty are no longer in the window */
        end_world(&world);
    }
}
