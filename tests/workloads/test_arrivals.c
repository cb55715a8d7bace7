#include "tests/workloads/workload_support.h"

#define LENGTHS                                                                                    \
    "'prompt_tok': {'kind': 'constant', 'tok': 10}, 'output_tok': {'kind': 'constant', 'tok': 10}"

static struct arrival *arrive(const char *arrivals, const char *more, uint64_t seed, size_t max,
                              size_t *count)
{
    char json[4096];
    snprintf(json, sizeof json, "{'generator': {'arrivals': %s, " LENGTHS "}%s}", arrivals, more);
    return test_arrivals(json, seed, max, count);
}

enum { MANY = 100000 };

static struct test_moments intervals_of(const char *arrivals)
{
    size_t count;
    struct arrival *all = arrive(arrivals, "", 3, MANY, &count);
    cr_assert_eq(count, MANY);
    struct test_moments moments = test_intervals(all, count);
    free(all);
    return moments;
}

Test(arrivals, renewal_processes_have_their_rate_and_cv)
{
    const struct {
        const char *arrivals;
        double rate_per_s, cv, tolerance;
    } cases[] = {
        {"{'kind': 'poisson', 'rate_per_s': 20}", 20, 1, 0.01},
        {"{'kind': 'gamma', 'rate_per_s': 20, 'cv': 2}", 20, 2, 0.03},
        {"{'kind': 'gamma', 'rate_per_s': 0.05, 'cv': 0.3}", 0.05, 0.3, 0.01},
        {"{'kind': 'gamma', 'rate_per_s': 5, 'shape': 0.25}", 5, 2, 0.03},
        {"{'kind': 'weibull', 'rate_per_s': 20, 'cv': 2}", 20, 2, 0.04},
        {"{'kind': 'weibull', 'rate_per_s': 20, 'cv': 0.5}", 20, 0.5, 0.01},
        {"{'kind': 'weibull', 'rate_per_s': 20, 'shape': 1}", 20, 1, 0.01},
        {"{'kind': 'deterministic', 'rate_per_s': 20}", 20, 0, 1e-9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_moments moments = intervals_of(cases[i].arrivals);
        cr_assert_float_eq(moments.mean * cases[i].rate_per_s, 1, 0.02, "%s: mean %g",
                           cases[i].arrivals, moments.mean);
        cr_assert_float_eq(moments.cv, cases[i].cv, cases[i].tolerance + 0.01 * cases[i].cv,
                           "%s: cv %g", cases[i].arrivals, moments.cv);
    }
}

/* A bursty process begun with an ordinary interval would show far more than rate * t at first:
 * (cv^2 - 1) / 2 = 12 arrivals more in the long run. */
Test(arrivals, rate_holds_from_the_start)
{
    const char *const bursty[] = {
        "{'kind': 'gamma', 'rate_per_s': 2, 'cv': 5}",
        "{'kind': 'weibull', 'rate_per_s': 2, 'cv': 5}",
        "{'kind': 'on_off', 'on_rate_per_s': 8, 'mean_on_s': 5, 'mean_off_s': 15, 'off_cv': 2}",
        ("{'kind': 'clients', 'rate_per_s': 2, 'count': 3, 'zipf_exponent': 1,"
         " 'cv': [{'p': 0, 'cv': 4}, {'p': 1, 'cv': 5}]}"),
    };
    enum { RUNS = 4000 };
    for (size_t i = 0; i < sizeof bursty / sizeof *bursty; i++) {
        double counts[RUNS];
        for (size_t run = 0; run < RUNS; run++) {
            size_t count;
            free(arrive(bursty[i], ", 'duration_s': 5", run, 10000, &count));
            counts[run] = (double)count;
        }
        struct test_moments moments = test_moments_of(counts, RUNS);
        double error = moments.cv * moments.mean / sqrt(RUNS);
        cr_assert_float_eq(moments.mean, 10, 3 * error, "%s: %g +- %g", bursty[i], moments.mean,
                           error);
    }
}

Test(arrivals, deterministic_bursts)
{
    size_t count;
    struct arrival *all =
        arrive("{'kind': 'deterministic', 'interval_s': 2.5, 'burst': 3}", "", 1, 7, &count);
    const double expected_s[] = {0, 0, 0, 2.5, 2.5, 2.5, 5};
    for (size_t i = 0; i < 7; i++)
        cr_assert_eq(all[i].time_s, expected_s[i]);
    free(all);
}

Test(arrivals, on_off_has_its_bursts_and_silences)
{
    size_t count;
    struct arrival *all = arrive("{'kind': 'on_off', 'on_rate_per_s': 100, 'mean_on_s': 4,"
                                 " 'mean_off_s': 16}",
                                 "", 5, MANY, &count);
    double silence_s = 0;
    size_t bursts = 1;
    for (size_t i = 1; i < count; i++)
        if (all[i].time_s - all[i - 1].time_s > 0.2) { /* 20 mean intervals of a burst */
            silence_s += all[i].time_s - all[i - 1].time_s;
            bursts++;
        }
    double span_s = all[count - 1].time_s - all[0].time_s;
    cr_assert_float_eq((double)count / span_s, 20, 2, "rate %g", (double)count / span_s);
    cr_assert_float_eq(silence_s / (double)bursts, 16, 1.5);
    cr_assert_float_eq((double)count / (double)bursts, 400, 40);
    free(all);
}

/* The variance of counts in windows much longer than a stay, over their mean, of an on/off process
 * with exponential stays: 1 + 2 r1^2 a b / (a + b)^3 / rate, with a, b the rates of leaving on and
 * off (Fischer and Meier-Hellstern, "The Markov-modulated Poisson process cookbook", 1993). */
Test(arrivals, on_off_dispersion)
{
    size_t count;
    struct arrival *all =
        arrive("{'kind': 'on_off', 'on_rate_per_s': 20, 'mean_on_s': 1, 'mean_off_s': 1}", "", 11,
               4 * MANY, &count);
    enum { WINDOWS = 390 };
    const double window_s = 100;
    double counts[WINDOWS] = {0};
    for (size_t i = 0; i < count; i++)
        if (all[i].time_s < WINDOWS * window_s)
            counts[(size_t)(all[i].time_s / window_s)]++;
    struct test_moments moments = test_moments_of(counts, WINDOWS);
    double dispersion = moments.cv * moments.cv * moments.mean;
    cr_assert_float_eq(dispersion, 1 + 2 * 400 * 1 / 8.0 / 10, 2, "%g", dispersion);
    free(all);
}

/* The sum of many small regular clients is nearly Poisson; where one dominates, its regularity
 * shows. */
Test(arrivals, superposed_clients)
{
    struct test_moments even =
        intervals_of("{'kind': 'clients', 'rate_per_s': 10, 'count': 1000, 'zipf_exponent': 0,"
                     " 'cv': [{'p': 0, 'cv': 0.2}, {'p': 1, 'cv': 0.3}]}");
    struct test_moments skewed =
        intervals_of("{'kind': 'clients', 'rate_per_s': 10, 'count': 1000, 'top_share': 0.9,"
                     " 'cv': [{'p': 0, 'cv': 0.2}, {'p': 1, 'cv': 0.3}]}");
    cr_assert_float_eq(even.mean, 0.1, 0.001);
    cr_assert_float_eq(skewed.mean, 0.1, 0.001);
    cr_assert_float_eq(even.cv, 1, 0.03, "%g", even.cv);
    cr_assert_lt(skewed.cv, 0.6, "%g", skewed.cv);
}

/* Of two nearly regular clients, how often two arrivals of the faster one follow each other. */
static double undisturbed_share(const char *skew, double fast_period_s)
{
    char json[512];
    snprintf(json, sizeof json,
             "{'kind': 'clients', 'rate_per_s': 1, 'count': 2, %s,"
             " 'cv': [{'p': 0, 'cv': 0.001}, {'p': 1, 'cv': 0.001}]}",
             skew);
    size_t count, whole = 0;
    struct arrival *all = arrive(json, "", 2, 20000, &count);
    for (size_t i = 1; i < count; i++)
        whole += fabs(all[i].time_s - all[i - 1].time_s - fast_period_s) < 0.005 * fast_period_s;
    free(all);
    return (double)whole / (double)count;
}

/* Rates 2/3 and 1/3: of three gaps one. Rates 0.8 and 0.2: of five gaps three. */
Test(arrivals, client_rates_are_skewed_as_asked)
{
    cr_assert_float_eq(undisturbed_share("'zipf_exponent': 1", 1.5), 1 / 3.0, 0.02);
    cr_assert_float_eq(undisturbed_share("'top_share': 0.8", 1.25), 3 / 5.0, 0.02);
}

/* --- a day's rhythm --- */

static void count_hours(const char *diurnal, const char *arrivals, double counts[24], int days)
{
    char json[4096];
    snprintf(json, sizeof json,
             "{'generator': {'arrivals': %s, 'diurnal': %s, " LENGTHS "}, 'duration_s': %d}",
             arrivals, diurnal, days * 86400);
    size_t count;
    struct arrival *all = test_arrivals(json, 9, 4000000, &count);
    for (int hour = 0; hour < 24; hour++)
        counts[hour] = 0;
    for (size_t i = 0; i < count; i++)
        counts[(size_t)(all[i].time_s / 3600) % 24]++;
    free(all);
}

#define DAY                                                                                        \
    "{'kind': 'hourly', 'hourly': "                                                                \
    "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,24], 'start_hour': %g}"

static double day_rate(int hour)
{
    return (hour == 23 ? 24 : hour) * 24 / 277.0;
}

Test(arrivals, diurnal_rates_follow_the_profile)
{
    const double start_hours[] = {0, 6.5};
    for (size_t i = 0; i < 2; i++) {
        char diurnal[512];
        snprintf(diurnal, sizeof diurnal, DAY, start_hours[i]);
        double counts[24];
        count_hours(diurnal, "{'kind': 'deterministic', 'rate_per_s': 2}", counts, 3);
        for (int hour = 0; hour < 24; hour++) {
            double rate = i == 0 ? day_rate(hour)
                                 : (day_rate((hour + 6) % 24) + day_rate((hour + 7) % 24)) / 2;
            cr_assert_float_eq(counts[hour], 3 * 7200 * rate, 7, "hour %d: %g", hour, counts[hour]);
        }
    }
}

/* Two weeks from Saturday noon on: half a day off, a day off, and five days at 7/5 of the mean. */
Test(arrivals, days_of_the_week_differ)
{
    size_t count;
    struct arrival *all = test_arrivals(
        "{'generator': {'arrivals': {'kind': 'deterministic', 'rate_per_s': 0.1}, 'diurnal':"
        " {'kind': 'hourly', 'hourly': [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"
        " 'days': [1,1,1,1,1,0,0], 'start_hour': 132}, " LENGTHS "}, 'duration_s': 1209600}",
        9, 200000, &count);
    double by_half_day[28] = {0};
    for (size_t i = 0; i < count; i++)
        by_half_day[(size_t)(all[i].time_s / 43200)]++;
    for (int half = 0; half < 28; half++)
        cr_assert_float_eq(by_half_day[half], half % 14 < 3 || half % 14 == 13 ? 0 : 4320 * 1.4, 2,
                           "half day %d: %g", half, by_half_day[half]);
    free(all);
}

Test(arrivals, named_rhythms_keep_the_mean)
{
    double counts[24], sum = 0;
    count_hours("'servegen-reasoning'", "{'kind': 'poisson', 'rate_per_s': 2}", counts, 4);
    for (int hour = 0; hour < 24; hour++)
        sum += counts[hour];
    cr_assert_float_eq(sum / (4 * 86400), 2, 0.01);
    cr_assert_float_eq(counts[2] / 4 / 7200, 2.034, 0.05);
    cr_assert_float_eq(counts[12] / 4 / 7200, 0.447, 0.02);
}
