#include <gsl/gsl_cdf.h>

#include "tests/workloads/workload_support.h"
#include "workloads/rank_correlation.h"

enum { DRAWS = 40000 };

static struct arrival *draw(const char *prompt, const char *output, double rank_correlation)
{
    char json[4096];
    snprintf(json, sizeof json,
             "{'generator': {'arrivals': {'kind': 'poisson', 'rate_per_s': 10},"
             " 'prompt_tok': %s, 'output_tok': %s, 'rank_correlation': %.17g}}",
             prompt, output, rank_correlation);
    size_t count;
    struct arrival *arrivals = test_arrivals(json, 7, DRAWS, &count);
    cr_assert_eq(count, DRAWS);
    return arrivals;
}

#define ONE "{'kind': 'constant', 'tok': 1}"

static int by_prompt(const void *a, const void *b)
{
    uint32_t x = ((const struct arrival *)a)->prompt_tok,
             y = ((const struct arrival *)b)->prompt_tok;
    return (x > y) - (x < y);
}

/* Kolmogorov-Smirnov distance of the prompts from a CDF, read half a token above each value. */
static double prompt_ks(struct arrival *arrivals, double (*cdf)(double tok))
{
    qsort(arrivals, DRAWS, sizeof *arrivals, by_prompt);
    double distance = 0;
    for (size_t i = 1; i < DRAWS; i++)
        if (arrivals[i].prompt_tok != arrivals[i - 1].prompt_tok)
            distance =
                fmax(distance, fabs((double)i / DRAWS - cdf(arrivals[i - 1].prompt_tok + 0.5)));
    return distance;
}

#define KS_LIMIT (1.63 / sqrt(DRAWS)) /* 1 % level */

Test(lengths, constant)
{
    struct arrival *arrivals = draw("{'kind': 'constant', 'tok': 512}", ONE, 0);
    for (size_t i = 0; i < DRAWS; i++)
        cr_assert(arrivals[i].prompt_tok == 512 && arrivals[i].output_tok == 1);
    free(arrivals);
}

Test(lengths, uniform_takes_every_value_equally_often)
{
    struct arrival *arrivals = draw("{'kind': 'uniform', 'min_tok': 3, 'max_tok': 6}", ONE, 0);
    size_t seen[8] = {0};
    for (size_t i = 0; i < DRAWS; i++)
        seen[arrivals[i].prompt_tok]++;
    for (size_t tok = 3; tok <= 6; tok++)
        cr_assert_float_eq((double)seen[tok] / DRAWS, 0.25, 0.01);
    free(arrivals);
}

static double lognormal_cdf(double tok)
{
    return gsl_cdf_ugaussian_P((log(tok) - 6) / 1.2);
}

Test(lengths, lognormal_by_mu_and_sigma)
{
    struct arrival *arrivals = draw("{'kind': 'lognormal', 'mu': 6, 'sigma': 1.2}", ONE, 0);
    cr_assert_lt(prompt_ks(arrivals, lognormal_cdf), KS_LIMIT);
    free(arrivals);
}

Test(lengths, lognormal_by_mean_and_cv)
{
    struct arrival *arrivals = draw("{'kind': 'lognormal', 'mean_tok': 1000, 'cv': 0.5}", ONE, 0);
    double tok[DRAWS];
    for (size_t i = 0; i < DRAWS; i++)
        tok[i] = arrivals[i].prompt_tok;
    struct test_moments moments = test_moments_of(tok, DRAWS);
    cr_assert_float_eq(moments.mean, 1000, 10);
    cr_assert_float_eq(moments.cv, 0.5, 0.01);
    free(arrivals);
}

static double mixture_cdf(double tok)
{
    return 0.25 * gsl_cdf_ugaussian_P((log(tok) - 4) / 0.05) +
           0.75 * gsl_cdf_ugaussian_P((log(tok) - 7) / 0.8);
}

Test(lengths, mixture_with_a_spike)
{
    struct arrival *arrivals = draw("{'kind': 'mixture', 'components': ["
                                    "{'weight': 1, 'mu': 4, 'sigma': 0.05},"
                                    "{'weight': 3, 'mu': 7, 'sigma': 0.8}]}",
                                    ONE, 0);
    cr_assert_lt(prompt_ks(arrivals, mixture_cdf), KS_LIMIT);
    free(arrivals);
}

static double table_cdf(double tok)
{
    return tok < 100 ? 0 : tok < 300 ? 0.5 * (tok - 100) / 200 : tok < 800 ? 0.5 : 1;
}

Test(lengths, table_with_a_jump)
{
    struct arrival *arrivals = draw("{'kind': 'table', 'knots': [{'p': 0, 'tok': 100},"
                                    "{'p': 0.5, 'tok': 300}, {'p': 0.5, 'tok': 800},"
                                    "{'p': 1, 'tok': 800}]}",
                                    ONE, 0);
    cr_assert_lt(prompt_ks(arrivals, table_cdf), KS_LIMIT);
    free(arrivals);
}

Test(lengths, bounds_move_what_is_outside)
{
    struct arrival *arrivals = draw(
        "{'kind': 'lognormal', 'mu': 6, 'sigma': 1.2, 'min_tok': 200, 'max_tok': 900}", ONE, 0);
    size_t at_min = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        cr_assert(arrivals[i].prompt_tok >= 200 && arrivals[i].prompt_tok <= 900);
        at_min += arrivals[i].prompt_tok == 200;
    }
    cr_assert_float_eq((double)at_min / DRAWS, lognormal_cdf(200.5), 0.01);
    free(arrivals);
}

static double spearman(const struct arrival *arrivals)
{
    uint32_t *x = calloc(DRAWS, sizeof *x), *y = calloc(DRAWS, sizeof *y);
    for (size_t i = 0; i < DRAWS; i++) {
        x[i] = arrivals[i].prompt_tok;
        y[i] = arrivals[i].output_tok;
    }
    double result = rank_spearman(x, y, DRAWS);
    free(x);
    free(y);
    return result;
}

#define LONG  "{'kind': 'lognormal', 'mu': 7, 'sigma': 1}"
#define SHORT "{'kind': 'lognormal', 'mu': 5, 'sigma': 1.5, 'max_tok': 3000}"

Test(lengths, rank_correlation_is_reached)
{
    const double wanted[] = {-1, -0.6, 0, 0.07, 0.5, 1};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct arrival *arrivals = draw(LONG, SHORT, wanted[i]);
        cr_assert_float_eq(spearman(arrivals), wanted[i], 0.015, "wanted %g", wanted[i]);
        free(arrivals);
    }
}

Test(lengths, correlation_and_outputs_leave_prompts_and_arrivals_alone)
{
    struct arrival *independent = draw(LONG, SHORT, 0);
    struct arrival *correlated = draw(LONG, SHORT, 0.5);
    struct arrival *other = draw(LONG, "{'kind': 'uniform', 'min_tok': 1, 'max_tok': 9}", 0);
    for (size_t i = 0; i < DRAWS; i++) {
        cr_assert_eq(independent[i].time_s, correlated[i].time_s);
        cr_assert_eq(independent[i].time_s, other[i].time_s);
        cr_assert_eq(independent[i].prompt_tok, correlated[i].prompt_tok);
        cr_assert_eq(independent[i].prompt_tok, other[i].prompt_tok);
    }
    free(independent);
    free(correlated);
    free(other);
}
