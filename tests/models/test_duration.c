/* Moments and quantiles of each kind against closed forms, and what can be wrong with one. */
#include <math.h>

#include "models/elastic/duration.h"
#include "sim/random.h"
#include "tests/models/settings_support.h"

enum { DRAWS = 200000 };

struct holder {
    struct config_variant time;
};

static const struct config_type holder_type = {
    .name = "holder",
    .size = sizeof(struct holder),
    .fields =
        (const struct config_field[]){DURATION_FIELD("time", struct holder, time, "a time"), {0}},
};

static struct arena *arena;
static gsl_rng *rng;

static void open_all(void)
{
    arena = arena_create();
    rng = random_stream(1, 0, "test/duration");
}

static void close_all(void)
{
    gsl_rng_free(rng);
    arena_destroy(arena);
}

TestSuite(duration, .init = open_all, .fini = close_all);

static bool holder_check(const struct holder *holder, const struct place *place,
                         struct error *error)
{
    return duration_check(&holder->time, place, "time", error);
}

SETTINGS_READER(read_holder, struct holder, holder_type, holder_check, arena)

struct moments {
    double mean, sd, min, max;
    double below; /* share of the draws that are at most `mark` */
};

static struct moments draw_moments(const char *text, double mark)
{
    struct holder holder;
    struct error error = {0};
    cr_assert(read_holder(text, &holder, &error), "%s", test_error_text(&error));
    double sum = 0, squares = 0, below = 0;
    struct moments m = {.min = INFINITY, .max = -INFINITY};
    for (int i = 0; i < DRAWS; i++) {
        double x = duration_draw_s(&holder.time, rng);
        sum += x;
        squares += x * x;
        below += x <= mark;
        m.min = fmin(m.min, x);
        m.max = fmax(m.max, x);
    }
    m.mean = sum / DRAWS;
    m.sd = sqrt(squares / DRAWS - m.mean * m.mean);
    m.below = below / DRAWS;
    return m;
}

Test(duration, constant)
{
    struct moments m = draw_moments("{'time': {'kind': 'constant', 's': 12.5}}", 12);
    cr_expect_eq(m.min, 12.5);
    cr_expect_eq(m.max, 12.5);
}

Test(duration, uniform)
{
    struct moments m = draw_moments("{'time': {'kind': 'uniform', 'min_s': 10, 'max_s': 40}}", 16);
    cr_expect_float_eq(m.mean, 25, 0.1);
    cr_expect_float_eq(m.sd, 30 / sqrt(12), 0.05);
    cr_expect_float_eq(m.below, 0.2, 0.005);
    cr_expect(m.min >= 10 && m.max <= 40);
}

/* The mean of a lognormal is exp(mu + sigma^2 / 2). */
Test(duration, lognormal)
{
    const char *text = "{'time': {'kind': 'lognormal', 'median_s': 60, 'p95_s': 180}}";
    double sigma = log(3) / 1.6448536269514722;
    struct moments m = draw_moments(text, 180);
    cr_expect_float_eq(m.below, 0.95, 0.002);
    cr_expect_float_eq(m.mean, 60 * exp(sigma * sigma / 2), 0.5);
    cr_expect_float_eq(draw_moments(text, 60).below, 0.5, 0.005);
}

Test(duration, gamma)
{
    struct moments m = draw_moments("{'time': {'kind': 'gamma', 'mean_s': 30, 'cv': 0.5}}", 0);
    cr_expect_float_eq(m.mean, 30, 0.15);
    cr_expect_float_eq(m.sd, 15, 0.15);
}

Test(duration, quantiles)
{
    const char *text = "{'time': {'kind': 'quantiles', 'knots': [{'p': 0, 's': 10}, "
                       "{'p': 0.5, 's': 20}, {'p': 0.5, 's': 40}, {'p': 1, 's': 100}]}}";
    struct moments m = draw_moments(text, 70);
    cr_expect_float_eq(m.below, 0.75, 0.005);
    cr_expect_float_eq(m.mean, 0.5 * 15 + 0.5 * 70, 0.3);
    cr_expect_float_eq(draw_moments(text, 30).below, 0.5, 0.005, "nothing between 20 and 40");
    cr_expect(m.min >= 10 && m.max <= 100);
}

Test(duration, of_no_time_and_of_ages)
{
    cr_expect_eq(draw_moments("{'time': {'kind': 'lognormal', 'median_s': 0, 'p95_s': 0}}", 0).max,
                 0);
    const char *ages = "{'time': {'kind': 'lognormal', 'median_s': 1, 'p95_s': 2592000}}";
    cr_expect_leq(draw_moments(ages, 0).max, DURATION_MAX_S);
}

static void refuse(const char *text, const char *json_path)
{
    struct holder holder;
    struct error error = {0};
    cr_assert_not(read_holder(text, &holder, &error), "%s", text);
    cr_expect_eq(error.code, ERROR_BAD_INPUT);
    cr_expect_str_eq(error.json_path, json_path);
}

Test(duration, what_contradicts_itself_is_refused)
{
    refuse("{'time': {'kind': 'uniform', 'min_s': 2, 'max_s': 1}}", "/time/max_s");
    refuse("{'time': {'kind': 'lognormal', 'median_s': 2, 'p95_s': 1}}", "/time/p95_s");
    refuse("{'time': {'kind': 'lognormal', 'median_s': 0, 'p95_s': 1}}", "/time/median_s");
    refuse("{'time': {'kind': 'constant', 's': -1}}", "/time/s");
    refuse("{'time': {'kind': 'gamma', 'mean_s': 1, 'cv': 0}}", "/time/cv");
    refuse("{'time': {'kind': 'quantiles', 'knots': [{'p': 0, 's': 1}, {'p': 0.9, 's': 2}]}}",
           "/time/knots/1");
    refuse("{'time': {'kind': 'quantiles', 'knots': [{'p': 0, 's': 3}, {'p': 1, 's': 2}]}}",
           "/time/knots/1");
}
