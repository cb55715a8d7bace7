#include "workloads/interval.h"

#include <gsl/gsl_randist.h>
#include <math.h>

#include "sim/random.h"

struct interval interval_exponential(double mean_s)
{
    return (struct interval){INTERVAL_EXPONENTIAL, mean_s, 1};
}

struct interval interval_of_shape(enum interval_law law, double mean_s, double shape)
{
    double mean_of_unit_scale = law == INTERVAL_WEIBULL ? tgamma(1 + 1 / shape) : shape;
    return (struct interval){law, mean_s / mean_of_unit_scale, shape};
}

/* cv^2 = G(1 + 2/k) / G(1 + 1/k)^2 - 1 falls as the shape k grows. */
static double weibull_cv(double shape)
{
    return sqrt(expm1(lgamma(1 + 2 / shape) - 2 * lgamma(1 + 1 / shape)));
}

/* By bisection on the logarithm of the shape, to the last bits. */
static double weibull_shape(double cv)
{
    double low = log(0.05), high = log(1e4);
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (weibull_cv(exp(middle)) > cv)
            low = middle;
        else
            high = middle;
    }
    return exp((low + high) / 2);
}

struct interval interval_of_cv(enum interval_law law, double mean_s, double cv)
{
    if (law == INTERVAL_EXPONENTIAL)
        return interval_exponential(mean_s);
    double shape = law == INTERVAL_WEIBULL ? weibull_shape(cv) : 1 / (cv * cv);
    return interval_of_shape(law, mean_s, shape);
}

double interval_draw_s(const struct interval *interval, gsl_rng *rng)
{
    switch (interval->law) {
    case INTERVAL_EXPONENTIAL:
        return -interval->scale_s * log(random_open_unit(rng));
    case INTERVAL_GAMMA:
        return gsl_ran_gamma(rng, interval->shape, interval->scale_s);
    case INTERVAL_WEIBULL:
        return gsl_ran_weibull(rng, interval->scale_s, interval->shape);
    }
    return 0;
}

/* Intervals drawn in proportion to their length: a gamma's have one more in the shape; of a
 * Weibull's, the power k of the scaled length is gamma distributed with shape 1 + 1/k. */
static double draw_length_biased_s(const struct interval *interval, gsl_rng *rng)
{
    if (interval->law == INTERVAL_GAMMA)
        return gsl_ran_gamma(rng, interval->shape + 1, interval->scale_s);
    double power = gsl_ran_gamma(rng, 1 + 1 / interval->shape, 1);
    return interval->scale_s * pow(power, 1 / interval->shape);
}

double interval_draw_first_s(const struct interval *interval, gsl_rng *rng)
{
    if (interval->law == INTERVAL_EXPONENTIAL)
        return interval_draw_s(interval, rng);
    return random_open_unit(rng) * draw_length_biased_s(interval, rng);
}
