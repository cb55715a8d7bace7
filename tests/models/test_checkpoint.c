/* Intervals between checkpoints: answers by hand, and against the minimum that a search finds. */
#include <math.h>

#include "models/elastic/checkpoint.h"
#include "models/elastic/duration.h"
#include "sim/random.h"
#include "tests/models/settings_support.h"

static struct arena *arena;

static void open_all(void)
{
    arena = arena_create();
}

static void close_all(void)
{
    arena_destroy(arena);
}

TestSuite(checkpoint, .init = open_all, .fini = close_all);

SETTINGS_READER(read_checkpoints, struct checkpoint_settings, checkpoint_config_type,
                checkpoint_check, arena)

/* sqrt(2 * 300 * 86400) = 7200: five minutes each two hours, at one failure a day. */
Test(checkpoint, young_by_hand)
{
    cr_expect_float_eq(checkpoint_young_s(300, 86400), 7200, 1e-9);
    cr_expect_float_eq(checkpoint_young_s(50, 10000), 1000, 1e-9);
    cr_expect_eq(checkpoint_young_s(0, 86400), 0);
}

/* d = 200, M = 10000: root = sqrt(d / 2M) = 0.1, 2000 (1 + 0.1/3 + 0.01/9) - 200 = 1868.89. */
Test(checkpoint, daly_by_hand)
{
    cr_expect_float_eq(checkpoint_daly_s(200, 10000), 1868.8888888888889, 1e-9);
    cr_expect_eq(checkpoint_daly_s(2000, 1000), 1000);
    cr_expect_eq(checkpoint_daly_s(9000, 1000), 1000);
}

/* M e^(R/M) (e^((t+d)/M) - 1) T/t with M = 1000, R = 0, t + d = 1000 ln 2: 1000 per segment. */
Test(checkpoint, run_time_by_hand)
{
    double interval_s = 1000 * log(2) - 100;
    cr_expect_float_eq(checkpoint_run_time_s(10 * interval_s, interval_s, 100, 0, 1000), 10000,
                       1e-6);
    cr_expect_float_eq(checkpoint_run_time_s(10 * interval_s, interval_s, 100, 1000 * log(3), 1000),
                       30000, 1e-6);
}

Test(checkpoint, without_failures_only_checkpoints_cost)
{
    cr_expect_float_eq(checkpoint_run_time_s(1000, 100, 5, 60, INFINITY), 1050, 1e-9);
    cr_expect_float_eq(checkpoint_overhead(100, 5, 60, INFINITY), 0.05, 1e-12);
    cr_expect_float_eq(checkpoint_overhead(100, 5, 60, 1e15), 0.05, 1e-9);
}

/* The interval that the complete formula is least at, by golden section. */
static double best_interval_s(double cost_s, double mtbf_s)
{
    const double shrink = (sqrt(5) - 1) / 2;
    double low = 1e-3 * cost_s, high = 10 * checkpoint_young_s(cost_s, mtbf_s);
    for (int i = 0; i < 200; i++) {
        double a = high - shrink * (high - low), b = low + shrink * (high - low);
        if (checkpoint_overhead(a, cost_s, 0, mtbf_s) < checkpoint_overhead(b, cost_s, 0, mtbf_s))
            high = b;
        else
            low = a;
    }
    return low;
}

Test(checkpoint, daly_is_next_to_the_minimum_and_nearer_than_young)
{
    const double cost_s = 300;
    for (double mtbf_s = 900; mtbf_s < 1e7; mtbf_s *= 2) {
        double best_s = best_interval_s(cost_s, mtbf_s);
        double daly_s = checkpoint_daly_s(cost_s, mtbf_s);
        double young_s = checkpoint_young_s(cost_s, mtbf_s);
        cr_expect_float_eq(daly_s / best_s, 1, 0.01, "mtbf %g: %g, best %g", mtbf_s, daly_s,
                           best_s);
        cr_expect_lt(fabs(daly_s - best_s), fabs(young_s - best_s));
    }
}

/* Plays one segment after the other, with failures at random: also during restarts. */
static double play_s(double work_s, double interval_s, double cost_s, double restart_s,
                     double mtbf_s, gsl_rng *rng)
{
    double time_s = 0, done_s = 0;
    double need_s = interval_s + cost_s;
    while (done_s < work_s) {
        double life_s = -mtbf_s * log(random_open_unit(rng));
        if (life_s >= need_s) {
            time_s += need_s;
            done_s += interval_s;
            need_s = interval_s + cost_s;
        } else {
            time_s += life_s;
            need_s = restart_s + interval_s + cost_s;
        }
    }
    return time_s;
}

Test(checkpoint, the_complete_formula_is_what_plays_out)
{
    gsl_rng *rng = random_stream(1, 0, "test/checkpoint");
    double total_s = 0;
    enum { RUNS = 2000 };
    for (int i = 0; i < RUNS; i++)
        total_s += play_s(100000, 1000, 100, 50, 5000, rng);
    gsl_rng_free(rng);
    double expected_s = checkpoint_run_time_s(100000, 1000, 100, 50, 5000);
    cr_expect_float_eq(total_s / RUNS / expected_s, 1, 0.004, "%g, not %g", total_s / RUNS,
                       expected_s);
}

Test(checkpoint, what_is_saved_is_whole_intervals)
{
    cr_expect_eq(checkpoint_saved_s(3599, 1200), 2400);
    cr_expect_eq(checkpoint_saved_s(3600, 1200), 3600);
    cr_expect_eq(checkpoint_saved_s(1199, 1200), 0);
    cr_expect_eq(checkpoint_saved_s(1199, 0), 1199);
    cr_expect_eq(checkpoint_saved_s(1199, INFINITY), 0);
}

Test(checkpoint, rules_of_a_scenario)
{
    struct checkpoint_settings settings;
    struct error error = {0};
    cr_assert(read_checkpoints("{'cost_s': 200}", &settings, &error));
    cr_expect_float_eq(checkpoint_interval_s(&settings, 10000), 1868.8888888888889, 1e-9);
    cr_expect_eq(checkpoint_interval_s(&settings, INFINITY), INFINITY);
    cr_assert(read_checkpoints("{'rule': 'young', 'cost_s': 200}", &settings, &error));
    cr_expect_float_eq(checkpoint_interval_s(&settings, 10000), 2000, 1e-9);
    cr_assert(read_checkpoints("{'rule': 'fixed', 'interval_s': 600}", &settings, &error));
    cr_expect_eq(checkpoint_interval_s(&settings, 10000), 600);
}

Test(checkpoint, an_interval_goes_with_the_rule_fixed)
{
    struct checkpoint_settings settings;
    const char *wrong[] = {"{'rule': 'fixed'}", "{'rule': 'daly', 'interval_s': 600}"};
    for (size_t i = 0; i < 2; i++) {
        struct error error = {0};
        cr_assert_not(read_checkpoints(wrong[i], &settings, &error));
        cr_expect_str_eq(error.json_path, "/interval_s");
        cr_expect_neq(error.hint[0], '\0');
    }
}
