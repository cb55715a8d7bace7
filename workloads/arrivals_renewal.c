/* Renewal processes: independent intervals between arrivals. Poisson, gamma, Weibull. */
#include <math.h>

#include "workloads/arrivals_process.h"

#define SHAPE_BOUNDS .min = 0.05, .max = 1e6

struct renewal {
    struct arrivals base;
    struct interval interval;
    double now_s; /* of the last arrival; NaN before the first */
};

const struct config_type arrivals_poisson_type = {
    .name = "poisson_arrivals",
    .doc = "independent arrivals at a constant rate",
    .size = sizeof(struct arrivals_poisson),
    .fields = (const struct config_field[]){ARRIVALS_RATE(struct arrivals_poisson), {0}},
};

static const struct config_field renewal_fields[] = {
    ARRIVALS_RATE(struct arrivals_renewal),
    {ARRIVALS_NUMBER(struct arrivals_renewal, cv, "standard deviation over mean of the intervals"),
     ARRIVALS_CV_BOUNDS, .optional = true},
    {ARRIVALS_NUMBER(struct arrivals_renewal, shape, "of the distribution, instead of cv"),
     SHAPE_BOUNDS, .optional = true},
    {0}};

const struct config_type arrivals_gamma_type = {
    .name = "gamma_arrivals",
    .doc = "renewal process with gamma distributed intervals",
    .size = sizeof(struct arrivals_renewal),
    .fields = renewal_fields,
};

const struct config_type arrivals_weibull_type = {
    .name = "weibull_arrivals",
    .doc = "renewal process with Weibull distributed intervals",
    .size = sizeof(struct arrivals_renewal),
    .fields = renewal_fields,
};

static void renewal_start(struct arrivals *arrivals)
{
    ((struct renewal *)arrivals)->now_s = NAN;
}

static double renewal_next_s(struct arrivals *arrivals)
{
    struct renewal *renewal = (struct renewal *)arrivals;
    renewal->now_s = isnan(renewal->now_s)
                         ? interval_draw_first_s(&renewal->interval, arrivals->rng)
                         : renewal->now_s + interval_draw_s(&renewal->interval, arrivals->rng);
    return renewal->now_s;
}

static const struct arrivals_ops renewal_ops = {.start = renewal_start, .next_s = renewal_next_s};

static struct arrivals *renewal_create(struct interval interval, struct arena *arena)
{
    struct renewal *renewal = ARENA_NEW(arena, struct renewal);
    *renewal = (struct renewal){.base.ops = &renewal_ops, .interval = interval};
    return &renewal->base;
}

static double poisson_rate(const void *config)
{
    return ((const struct arrivals_poisson *)config)->rate_per_s;
}

static struct arrivals *poisson_create(const void *config, double factor, struct arena *arena)
{
    return renewal_create(interval_exponential(1 / (poisson_rate(config) * factor)), arena);
}

static bool renewal_check(const void *config, double factor, const struct place *place,
                          struct error *error)
{
    (void)factor;
    const struct arrivals_renewal *renewal = config;
    if (isnan(renewal->cv) != isnan(renewal->shape))
        return true;
    place_error(place, error, "give either \"cv\" or \"shape\"");
    return error_hint(error, "cv is the standard deviation over the mean of the times between "
                             "arrivals: 1 is as irregular as Poisson, more is burstier");
}

static double renewal_rate(const void *config)
{
    return ((const struct arrivals_renewal *)config)->rate_per_s;
}

static struct arrivals *renewal_create_of(enum interval_law law, const void *config, double factor,
                                          struct arena *arena)
{
    const struct arrivals_renewal *renewal = config;
    double mean_s = 1 / (renewal->rate_per_s * factor);
    return renewal_create(isnan(renewal->shape) ? interval_of_cv(law, mean_s, renewal->cv)
                                                : interval_of_shape(law, mean_s, renewal->shape),
                          arena);
}

static struct arrivals *gamma_create(const void *config, double factor, struct arena *arena)
{
    return renewal_create_of(INTERVAL_GAMMA, config, factor, arena);
}

static struct arrivals *weibull_create(const void *config, double factor, struct arena *arena)
{
    return renewal_create_of(INTERVAL_WEIBULL, config, factor, arena);
}

const struct arrival_process arrivals_poisson = {poisson_rate, poisson_create, NULL};
const struct arrival_process arrivals_gamma = {renewal_rate, gamma_create, renewal_check};
const struct arrival_process arrivals_weibull = {renewal_rate, weibull_create, renewal_check};
