#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/histogram.h"
#include "sim/random.h"

static struct histogram *new_histogram(void)
{
    struct histogram *histogram = malloc(sizeof *histogram);
    histogram_clear(histogram);
    return histogram;
}

/* Any magnitude is as likely as any other. */
static int64_t random_below_power(gsl_rng *rng, unsigned int most_bits)
{
    uint64_t bits = (uint64_t)gsl_rng_get(rng) << 32 | gsl_rng_get(rng);
    unsigned int width = (unsigned int)gsl_rng_uniform_int(rng, most_bits + 1);
    return width == 0 ? 0 : (int64_t)(bits >> (64 - width));
}

static void expect_equal(const struct histogram *a, const struct histogram *b)
{
    cr_assert_eq(a->count, b->count);
    cr_assert_eq(a->min, b->min);
    cr_assert_eq(a->max, b->max);
    cr_assert(memcmp(a->bucket, b->bucket, sizeof a->bucket) == 0);
    double sum_a = (double)a->sum, sum_b = (double)b->sum;
    cr_assert_leq(fabs(sum_a - sum_b), 1e-9 * sum_b + (double)(1 << FINE_SHIFT) * (double)b->count);
}

Test(histogram, buckets_follow_each_other_without_gap_or_overlap)
{
    cr_expect_eq(histogram_bucket_start(0), 0);
    for (uint32_t i = 1; i < HISTOGRAM_BUCKETS; i++) {
        tick_t start = histogram_bucket_start(i);
        cr_assert_eq(histogram_index(start), i);
        cr_assert_eq(histogram_index(start - 1), i - 1);
    }
    cr_expect_eq(histogram_index(INT64_MAX), HISTOGRAM_BUCKETS - 1);
    cr_expect_eq(histogram_index(-1), 0);
}

static int by_value(const void *a, const void *b)
{
    tick_t x = *(const tick_t *)a, y = *(const tick_t *)b;
    return (x > y) - (x < y);
}

Test(histogram, quantiles_are_within_a_thousandth_of_the_recorded_value)
{
    enum { VALUES = 5000 };
    static tick_t value[VALUES];
    struct histogram *histogram = new_histogram();
    gsl_rng *rng = random_stream(1, 0, "values");
    for (int i = 0; i < VALUES; i++) {
        value[i] = random_below_power(rng, 63);
        histogram_add(histogram, value[i], 1);
    }
    qsort(value, VALUES, sizeof value[0], by_value);
    const double unit_s = ldexp(1, -30);
    for (int permille = 0; permille <= 1000; permille++) {
        int rank = (permille * VALUES + 999) / 1000;
        double exact_s = tick_to_s(value[rank > 0 ? rank - 1 : 0]);
        double got_s = histogram_quantile_s(histogram, permille / 1000.0);
        cr_assert_leq(fabs(got_s - exact_s), ldexp(exact_s, -(HISTOGRAM_BITS + 1)) + unit_s / 2,
                      "p%g: %g s, exact %g s", permille / 10.0, got_s, exact_s);
    }
    gsl_rng_free(rng);
    free(histogram);
}

Test(histogram, quantiles_take_the_nearest_rank)
{
    struct histogram *histogram = new_histogram();
    for (int i = 1; i <= 100; i++)
        histogram_add(histogram, tick_from_s(i), 1);
    for (int percent = 1; percent <= 100; percent++)
        cr_expect_eq(round(histogram_quantile_s(histogram, percent / 100.0)), percent);
    cr_expect_eq(round(histogram_quantile_s(histogram, 0)), 1);
    free(histogram);
}

Test(histogram, quantiles_of_one_value_are_that_value)
{
    struct histogram *histogram = new_histogram();
    histogram_add(histogram, tick_from_s(1.2345), 7);
    cr_expect_eq(histogram_quantile_s(histogram, 0.5), tick_to_s(tick_from_s(1.2345)));
    cr_expect_float_eq(histogram_mean_s(histogram), 1.2345, 1e-11);
    free(histogram);
}

Test(histogram, an_empty_one_has_no_quantile_and_no_mean)
{
    struct histogram *histogram = new_histogram();
    cr_expect(isnan(histogram_quantile_s(histogram, 0.5)));
    cr_expect(isnan(histogram_mean_s(histogram)));
    free(histogram);
}

Test(histogram, merging_equals_adding_all)
{
    struct histogram *parts[2] = {new_histogram(), new_histogram()}, *all = new_histogram();
    gsl_rng *rng = random_stream(2, 0, "values");
    for (int i = 0; i < 10000; i++) {
        tick_t value = random_below_power(rng, 50);
        uint64_t count = 1 + gsl_rng_uniform_int(rng, 3);
        histogram_add(parts[i % 2], value, count);
        histogram_add(all, value, count);
    }
    struct histogram *merged = new_histogram();
    histogram_merge(merged, parts[0]);
    histogram_merge(merged, parts[1]);
    expect_equal(merged, all);
    gsl_rng_free(rng);
    free(parts[0]);
    free(parts[1]);
    free(merged);
    free(all);
}

static void add_singly(struct histogram *histogram, fine_t first, fine_t step, uint64_t steps,
                       uint64_t count)
{
    for (uint64_t i = 0; i < steps; i++)
        histogram_add(histogram, (first + step * (fine_t)i) >> FINE_SHIFT, count);
}

/* A first value that is often at, just below or just above the start of a bucket. */
static fine_t random_first(gsl_rng *rng)
{
    if (gsl_rng_uniform_int(rng, 2) == 0)
        return random_below_power(rng, 63);
    tick_t start =
        histogram_bucket_start(histogram_index(random_below_power(rng, 62 - FINE_SHIFT)));
    fine_t edge = (start << FINE_SHIFT) + (fine_t)gsl_rng_uniform_int(rng, 3) - 1;
    return edge > 0 ? edge : 0;
}

Test(histogram, a_run_equals_its_values_added_singly)
{
    struct histogram *runs = new_histogram(), *singly = new_histogram();
    gsl_rng *rng = random_stream(3, 0, "runs");
    for (int round = 0; round < 4000; round++) {
        histogram_clear(runs);
        histogram_clear(singly);
        fine_t first = random_first(rng);
        fine_t step = gsl_rng_uniform_int(rng, 8) ? random_below_power(rng, 63) : 0;
        uint64_t steps = gsl_rng_uniform_int(rng, 400);
        uint64_t fitting = step ? (uint64_t)((INT64_MAX - first) / step) + 1 : steps;
        if (steps > fitting)
            steps = fitting;
        uint64_t count = 1 + gsl_rng_uniform_int(rng, 300);
        histogram_add_run(runs, first, step, steps, count);
        add_singly(singly, first, step, steps, count);
        expect_equal(runs, singly);
    }
    gsl_rng_free(rng);
    free(runs);
    free(singly);
}

Test(histogram, runs_that_step_from_edge_to_edge_equal_single_values)
{
    struct histogram *runs = new_histogram(), *singly = new_histogram();
    const fine_t width = (fine_t)1 << (HISTOGRAM_UNIT_SHIFT + FINE_SHIFT);
    const fine_t steps_of[] = {width, width - 1, width + 1, width / 2, 2 * width, 1, INT64_MAX};
    for (size_t i = 0; i < sizeof steps_of / sizeof steps_of[0]; i++) {
        uint64_t steps = steps_of[i] == INT64_MAX ? 2 : 3000;
        histogram_add_run(runs, 0, steps_of[i], steps, 1);
        add_singly(singly, 0, steps_of[i], steps, 1);
        expect_equal(runs, singly);
    }
    free(runs);
    free(singly);
}

Test(histogram, a_run_of_a_trillion_values_is_counted_at_once)
{
    struct histogram *histogram = new_histogram();
    const uint64_t steps = 1000000000000;
    histogram_add_run(histogram, fine_from_s(0.010), 1, steps, 64);
    cr_expect_eq(histogram->count, 64 * steps);
    uint64_t in_buckets = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        in_buckets += histogram->bucket[i];
    cr_expect_eq(in_buckets, histogram->count);
    cr_expect_float_eq(histogram_quantile_s(histogram, 0.5), 0.010 + 0.5e12 / FINE_PER_S, 1e-5);
    free(histogram);
}

Test(histogram, an_empty_run_changes_nothing)
{
    struct histogram *histogram = new_histogram(), *empty = new_histogram();
    histogram_add_run(histogram, 5, 5, 0, 3);
    histogram_add_run(histogram, 5, 5, 3, 0);
    expect_equal(histogram, empty);
    free(histogram);
    free(empty);
}
