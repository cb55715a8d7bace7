#include "workloads/fit.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_roots.h>
#include <gsl/gsl_sf_psi.h>
#include <math.h>
#include <stdbool.h>

const char *const renewal_names[RENEWAL_COUNT] = {"exponential", "gamma", "weibull"};

struct sample {
    const double *sorted;
    size_t count;
    double mean, mean_log;
};

static struct sample summarise(const double *sorted, size_t count)
{
    struct sample sample = {sorted, count, 0, 0};
    for (size_t i = 0; i < count; i++) {
        sample.mean += sorted[i];
        sample.mean_log += log(sorted[i]);
    }
    sample.mean /= (double)count;
    sample.mean_log /= (double)count;
    return sample;
}

/* Solves equation(ln shape) = 0, which falls or rises once through zero; NaN if it does not. */
static double solve_shape(double (*equation)(double log_shape, void *sample), struct sample *sample)
{
    enum { ROUNDS_MAX = 200 };
    double low = log(1e-4), high = log(1e4);
    if (!(equation(low, sample) * equation(high, sample) < 0))
        return NAN;
    gsl_function function = {equation, sample};
    gsl_root_fsolver *solver = gsl_root_fsolver_alloc(gsl_root_fsolver_brent);
    if (!solver)
        return NAN;
    gsl_root_fsolver_set(solver, &function, low, high);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        gsl_root_fsolver_iterate(solver);
        low = gsl_root_fsolver_x_lower(solver);
        high = gsl_root_fsolver_x_upper(solver);
        if (gsl_root_test_interval(low, high, 1e-12, 0) == GSL_SUCCESS)
            break;
    }
    double root = gsl_root_fsolver_root(solver);
    gsl_root_fsolver_free(solver);
    return exp(root);
}

/* ln k - psi(k) = ln(mean) - mean(ln x): Choi and Wette, Technometrics 11 (1969). */
static double gamma_equation(double log_shape, void *of_sample)
{
    const struct sample *sample = of_sample;
    return log_shape - gsl_sf_psi(exp(log_shape)) - (log(sample->mean) - sample->mean_log);
}

/* sum x^k ln x / sum x^k - 1/k = mean(ln x): Cohen, Technometrics 7 (1965). Taken relative to the
 * largest value, so that no power overflows. */
static double weibull_equation(double log_shape, void *of_sample)
{
    const struct sample *sample = of_sample;
    double shape = exp(log_shape), log_largest = log(sample->sorted[sample->count - 1]);
    double powers = 0, weighted = 0;
    for (size_t i = 0; i < sample->count; i++) {
        double log_x = log(sample->sorted[i]) - log_largest;
        double power = exp(shape * log_x);
        powers += power;
        weighted += power * log_x;
    }
    return weighted / powers - 1 / shape - (sample->mean_log - log_largest);
}

static double weibull_scale(const struct sample *sample, double shape)
{
    double largest = sample->sorted[sample->count - 1], powers = 0;
    for (size_t i = 0; i < sample->count; i++)
        powers += pow(sample->sorted[i] / largest, shape);
    return largest * pow(powers / (double)sample->count, 1 / shape);
}

static void solve(enum renewal kind, struct sample *sample, struct renewal_fit *fit)
{
    switch (kind) {
    case RENEWAL_EXPONENTIAL:
        fit->shape = 1;
        fit->scale_s = sample->mean;
        break;
    case RENEWAL_GAMMA:
        fit->shape = solve_shape(gamma_equation, sample);
        fit->scale_s = sample->mean / fit->shape;
        break;
    case RENEWAL_WEIBULL:
        fit->shape = solve_shape(weibull_equation, sample);
        fit->scale_s = weibull_scale(sample, fit->shape);
        break;
    case RENEWAL_COUNT:
        break;
    }
}

/* Mean log likelihood per sample, at the maximum. */
static double log_likelihood(enum renewal kind, const struct sample *sample,
                             const struct renewal_fit *fit)
{
    double shape = fit->shape, log_scale = log(fit->scale_s);
    if (kind == RENEWAL_WEIBULL) /* the mean of (x / scale)^shape is 1 at the maximum */
        return log(shape) - shape * log_scale + (shape - 1) * sample->mean_log - 1;
    return (shape - 1) * sample->mean_log - sample->mean / fit->scale_s - shape * log_scale -
           lgamma(shape);
}

static double distribution(enum renewal kind, const struct renewal_fit *fit, double x_s)
{
    switch (kind) {
    case RENEWAL_EXPONENTIAL:
        return -expm1(-x_s / fit->scale_s);
    case RENEWAL_GAMMA:
        return gsl_cdf_gamma_P(x_s, fit->shape, fit->scale_s);
    case RENEWAL_WEIBULL:
        return -expm1(-pow(x_s / fit->scale_s, fit->shape));
    case RENEWAL_COUNT:
        break;
    }
    return NAN;
}

static double renewal_distance(enum renewal kind, const struct sample *sample,
                               const struct renewal_fit *fit)
{
    double distance = 0, n = (double)sample->count;
    for (size_t i = 0; i < sample->count; i++) {
        double p = distribution(kind, fit, sample->sorted[i]);
        distance = fmax(distance, fmax(p - (double)i / n, (double)(i + 1) / n - p));
    }
    return distance;
}

void fit_renewal(enum renewal kind, const double *sorted_s, size_t count, struct renewal_fit *fit)
{
    *fit = (struct renewal_fit){NAN, NAN, NAN, NAN};
    if (count < 2 || sorted_s[0] == sorted_s[count - 1])
        return;
    struct sample sample = summarise(sorted_s, count);
    solve(kind, &sample, fit);
    if (!isfinite(fit->shape) || !isfinite(fit->scale_s))
        return;
    int parameters = kind == RENEWAL_EXPONENTIAL ? 1 : 2;
    fit->ks = renewal_distance(kind, &sample, fit);
    fit->aic = 2 * parameters - 2 * (double)count * log_likelihood(kind, &sample, fit);
}

static double lognormal_at(const struct lognormal_fit *fit, double x)
{
    return gsl_cdf_ugaussian_P((log(x) - fit->mu) / fit->sigma);
}

static double lognormal_distance(const uint32_t *sorted, size_t count,
                                 const struct lognormal_fit *fit)
{
    double distance = 0, n = (double)count;
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && sorted[next] == sorted[first];)
            next++;
        double x = sorted[first];
        double below = fabs((double)first / n - lognormal_at(fit, x - 0.5));
        double above = fabs((double)next / n - lognormal_at(fit, x + 0.5));
        distance = fmax(distance, fmax(below, above));
    }
    return distance;
}

void fit_lognormal(const uint32_t *sorted, size_t count, struct lognormal_fit *fit)
{
    *fit = (struct lognormal_fit){NAN, NAN, NAN};
    if (count < 2 || sorted[0] == sorted[count - 1])
        return;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += log(sorted[i]);
    fit->mu = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += pow(log(sorted[i]) - fit->mu, 2);
    fit->sigma = sqrt(squares / (double)count);
    fit->ks = lognormal_distance(sorted, count, fit);
}
