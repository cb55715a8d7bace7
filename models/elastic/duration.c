#include "models/elastic/duration.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>

#include "sim/random.h"
#include "workloads/inverse_cdf.h"

/* Of the standard normal: the 95th percentile. */
#define SCORE_P95 1.6448536269514722
#define KNOTS_MAX 10000

#define SECONDS(member, text)                                                                      \
    {                                                                                              \
        .name = #member, .kind = CONFIG_NUMBER, .offset = offsetof(struct duration, member),       \
        .doc = text, .min = 0, .max = DURATION_MAX_S                                               \
    }

static const struct config_type constant_type = {
    .name = "constant_duration",
    .doc = "always the same",
    .size = sizeof(struct duration),
    .fields = (const struct config_field[]){SECONDS(s, "seconds"), {0}},
};

static const struct config_type uniform_type = {
    .name = "uniform_duration",
    .doc = "between two bounds",
    .size = sizeof(struct duration),
    .fields =
        (const struct config_field[]){SECONDS(min_s, "shortest"), SECONDS(max_s, "longest"), {0}},
};

static const struct config_type lognormal_type = {
    .name = "lognormal_duration",
    .doc = "most near the median, some much longer",
    .size = sizeof(struct duration),
    .fields = (const struct config_field[]){SECONDS(median_s, "half of them are shorter"),
                                            SECONDS(p95_s, "19 of 20 are shorter"),
                                            {0}},
};

static const struct config_type gamma_type = {
    .name = "gamma_duration",
    .doc = "gamma distributed; with cv 1 exponentially",
    .size = sizeof(struct duration),
    .fields = (const struct config_field[]){SECONDS(mean_s, "mean"),
                                            {.name = "cv",
                                             .kind = CONFIG_NUMBER,
                                             .offset = offsetof(struct duration, cv),
                                             .doc = "standard deviation over mean",
                                             .min = 0.001,
                                             .max = 100},
                                            {0}},
};

static const struct config_type knot_type = {
    .name = "duration_knot",
    .doc = "a share p takes at most this long",
    .size = sizeof(struct inverse_cdf_knot),
    .fields = (const struct config_field[]){{.name = "p",
                                             .kind = CONFIG_NUMBER,
                                             .offset = offsetof(struct inverse_cdf_knot, p),
                                             .doc = "share, 0 to 1",
                                             .min = 0,
                                             .max = 1},
                                            {.name = "s",
                                             .kind = CONFIG_NUMBER,
                                             .offset = offsetof(struct inverse_cdf_knot, x),
                                             .doc = "seconds",
                                             .min = 0,
                                             .max = DURATION_MAX_S},
                                            {0}},
};

static const struct config_type quantiles_type = {
    .name = "quantiles_duration",
    .doc = "measured quantiles, straight between them",
    .size = sizeof(struct duration_quantiles),
    .fields =
        (const struct config_field[]){
            {.name = "knots",
             .kind = CONFIG_LIST,
             .offset = offsetof(struct duration_quantiles, knots),
             .doc = "from p = 0 to p = 1; p and s never decrease",
             .min = 2,
             .max = KNOTS_MAX,
             .element = &(const struct config_field){.kind = CONFIG_OBJECT, .object = &knot_type}},
            {0}},
};

const struct config_variant_type duration_variants[] = {
    [DURATION_CONSTANT] = {"constant", "always the same", &constant_type},
    [DURATION_UNIFORM] = {"uniform", "between two bounds", &uniform_type},
    [DURATION_LOGNORMAL] = {"lognormal", "by median and 95th percentile", &lognormal_type},
    [DURATION_GAMMA] = {"gamma", "by mean and cv", &gamma_type},
    [DURATION_QUANTILES] = {"quantiles", "measured, as an inverse CDF", &quantiles_type},
    {0},
};

/* The later member must not be less than the earlier. */
static bool ordered_check(const struct place *own, const char *low_name, double low,
                          const char *high_name, double high, struct error *error)
{
    if (low <= high)
        return true;
    struct place at = place_key(own, high_name);
    return place_error(&at, error, "%s %g is less than %s %g", high_name, high, low_name, low);
}

static bool lognormal_check(const struct duration *duration, const struct place *own,
                            struct error *error)
{
    if (duration->median_s == 0 && duration->p95_s > 0) {
        struct place at = place_key(own, "median_s");
        place_error(&at, error, "no lognormal time has the median 0");
        return error_hint(error, "give a median above 0, or the kind constant");
    }
    return ordered_check(own, "median_s", duration->median_s, "p95_s", duration->p95_s, error);
}

static bool quantiles_check(const struct duration_quantiles *quantiles, const struct place *own,
                            struct error *error)
{
    size_t which;
    const char *flaw = inverse_cdf_flaw(quantiles->knots.items, quantiles->knots.count, &which);
    if (!flaw)
        return true;
    struct place list = place_key(own, "knots"), at = place_index(&list, which);
    return place_error(&at, error, "this knot %s", flaw);
}

bool duration_check(const struct config_variant *config, const struct place *place, const char *key,
                    struct error *error)
{
    struct place own = place_key(place, key);
    const struct duration *duration = config->value;
    if (config->index == DURATION_UNIFORM)
        return ordered_check(&own, "min_s", duration->min_s, "max_s", duration->max_s, error);
    if (config->index == DURATION_LOGNORMAL)
        return lognormal_check(duration, &own, error);
    if (config->index == DURATION_QUANTILES)
        return quantiles_check(config->value, &own, error);
    return true;
}

double duration_lognormal_s(double median_s, double p95_s, gsl_rng *rng)
{
    if (median_s == 0)
        return 0;
    double sigma = log(p95_s / median_s) / SCORE_P95;
    double time_s = median_s * exp(sigma * gsl_cdf_ugaussian_Pinv(random_open_unit(rng)));
    return fmin(time_s, DURATION_MAX_S);
}

static double quantiles_draw_s(const struct duration_quantiles *quantiles, gsl_rng *rng)
{
    const struct inverse_cdf_knot *knot = quantiles->knots.items;
    double u = random_open_unit(rng);
    while (knot[1].p <= u) /* the last p is 1, above every u */
        knot++;
    return knot->x + (knot[1].x - knot->x) * (u - knot->p) / (knot[1].p - knot->p);
}

static double draw_s(const struct config_variant *config, gsl_rng *rng)
{
    const struct duration *duration = config->value;
    switch ((enum duration_kind)config->index) {
    case DURATION_CONSTANT:
        break;
    case DURATION_UNIFORM:
        return duration->min_s + (duration->max_s - duration->min_s) * random_open_unit(rng);
    case DURATION_LOGNORMAL:
        return duration_lognormal_s(duration->median_s, duration->p95_s, rng);
    case DURATION_GAMMA: {
        double variance = duration->cv * duration->cv; /* of the time over its mean */
        return gsl_ran_gamma(rng, 1 / variance, variance * duration->mean_s);
    }
    case DURATION_QUANTILES:
        return quantiles_draw_s(config->value, rng);
    }
    return duration->s;
}

double duration_draw_s(const struct config_variant *config, gsl_rng *rng)
{
    return fmin(draw_s(config, rng), DURATION_MAX_S);
}

tick_t duration_draw(const struct config_variant *config, gsl_rng *rng)
{
    return tick_from_s(duration_draw_s(config, rng));
}
