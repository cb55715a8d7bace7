#include <criterion/criterion.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

#include "workloads/fit.h"

enum { N = 20001 };

/* Quantiles at (i + 1/2) / N: a sample without luck, whose fit must be its distribution. */
static double middle(size_t i)
{
    return ((double)i + 0.5) / N;
}

static void expect_close(double actual, double expected, double relative)
{
    cr_expect_leq(fabs(actual - expected), relative * fabs(expected), "%.9g is not %.9g", actual,
                  expected);
}

Test(fit, recovers_the_distribution_of_a_perfect_sample)
{
    static double sample[N];
    struct renewal_fit fit;
    for (size_t i = 0; i < N; i++)
        sample[i] = gsl_cdf_gamma_Pinv(middle(i), 0.5, 3);
    fit_renewal(RENEWAL_GAMMA, sample, N, &fit);
    expect_close(fit.shape, 0.5, 1e-3);
    expect_close(fit.scale_s, 3, 2e-3);
    cr_expect_lt(fit.ks, 1e-3);

    for (size_t i = 0; i < N; i++)
        sample[i] = gsl_cdf_weibull_Pinv(middle(i), 2, 0.7);
    fit_renewal(RENEWAL_WEIBULL, sample, N, &fit);
    expect_close(fit.shape, 0.7, 1e-3);
    expect_close(fit.scale_s, 2, 1e-3);
    cr_expect_lt(fit.ks, 1e-3);

    for (size_t i = 0; i < N; i++)
        sample[i] = gsl_cdf_exponential_Pinv(middle(i), 0.25);
    fit_renewal(RENEWAL_EXPONENTIAL, sample, N, &fit);
    expect_close(fit.scale_s, 0.25, 1e-3);
    expect_close(fit.aic, 2 - 2 * N * (-log(0.25) - 1), 1e-3);
    cr_expect_lt(fit.ks, 1e-3);
}

/* At the maximum the slope of the likelihood is 0: no neighbour may be better. */
Test(fit, is_at_the_maximum_of_the_likelihood)
{
    static const double sample[] = {0.01, 0.02, 0.02, 0.5, 0.7, 1.1, 4.0, 9.0};
    enum { COUNT = sizeof sample / sizeof sample[0] };
    struct renewal_fit fit;
    fit_renewal(RENEWAL_GAMMA, sample, COUNT, &fit);
    double best = -INFINITY, best_shape = 0, best_scale = 0;
    for (double shape = 0.2; shape < 1; shape += 0.001)
        for (double scale = 1; scale < 8; scale += 0.01) {
            double sum = 0;
            for (size_t i = 0; i < COUNT; i++)
                sum += (shape - 1) * log(sample[i]) - sample[i] / scale - shape * log(scale) -
                       lgamma(shape);
            if (sum > best) {
                best = sum;
                best_shape = shape;
                best_scale = scale;
            }
        }
    cr_expect_leq(fabs(fit.shape - best_shape), 0.001);
    cr_expect_leq(fabs(fit.scale_s - best_scale), 0.01);
    expect_close(fit.aic, 4 - 2 * best, 1e-5);
}

/* One value off by so much that its step is the distance, worked out by hand. */
Test(fit, distance_is_the_largest_step)
{
    static const double sample[] = {1, 1, 1, 5};
    struct renewal_fit fit;
    fit_renewal(RENEWAL_EXPONENTIAL, sample, 4, &fit);
    cr_expect_eq(fit.scale_s, 2);
    expect_close(fit.ks, fmax(1 - exp(-0.5), 0.75 - (1 - exp(-0.5))), 1e-12);
}

Test(fit, lognormal_of_whole_numbers)
{
    static const uint32_t sample[] = {1, 10, 100};
    struct lognormal_fit fit;
    fit_lognormal(sample, 3, &fit);
    expect_close(fit.mu, log(10), 1e-12);
    expect_close(fit.sigma, log(10) * sqrt(2.0 / 3), 1e-12);
    double at_1 = gsl_cdf_ugaussian_P((log(1.5) - fit.mu) / fit.sigma);
    double below_100 = gsl_cdf_ugaussian_P((log(99.5) - fit.mu) / fit.sigma);
    cr_expect_geq(fit.ks, fabs(1.0 / 3 - at_1) - 1e-12);
    cr_expect_geq(fit.ks, fabs(2.0 / 3 - below_100) - 1e-12);
}

Test(fit, does_not_exist_for_a_constant)
{
    static const double constant[] = {2, 2, 2};
    static const uint32_t tokens[] = {7, 7};
    struct renewal_fit fit;
    struct lognormal_fit lognormal;
    for (int kind = 0; kind < RENEWAL_COUNT; kind++) {
        fit_renewal((enum renewal)kind, constant, 3, &fit);
        cr_expect(isnan(fit.shape) && isnan(fit.aic));
        fit_renewal((enum renewal)kind, constant, 0, &fit);
        cr_expect(isnan(fit.shape) && isnan(fit.aic));
    }
    fit_lognormal(tokens, 2, &lognormal);
    cr_expect(isnan(lognormal.mu));
}
