#include "workloads/think_time.h"

#include <gsl/gsl_randist.h>
#include <math.h>

#include "sim/clock.h"
#include "sim/random.h"

#define SECONDS(member, text)                                                                      \
    {                                                                                              \
        .name = #member, .kind = CONFIG_NUMBER, .offset = offsetof(struct think_time, member),     \
        .doc = text, .min = 0, .max = CLOCK_MAX_S                                                  \
    }

static const struct config_type constant_type = {
    .name = "constant_think",
    .doc = "always the same",
    .size = sizeof(struct think_time),
    .fields =
        (const struct config_field[]){SECONDS(think_s, "from an end to the next request"), {0}},
};

static const struct config_type uniform_type = {
    .name = "uniform_think",
    .doc = "between two bounds",
    .size = sizeof(struct think_time),
    .fields =
        (const struct config_field[]){SECONDS(min_s, "shortest"), SECONDS(max_s, "longest"), {0}},
};

static const struct config_type exponential_type = {
    .name = "exponential_think",
    .doc = "exponentially distributed",
    .size = sizeof(struct think_time),
    .fields = (const struct config_field[]){SECONDS(think_s, "mean"), {0}},
};

static const struct config_type lognormal_type = {
    .name = "lognormal_think",
    .doc = "most short, some very long",
    .size = sizeof(struct think_time),
    .fields = (const struct config_field[]){SECONDS(think_s, "mean"),
                                            {.name = "cv",
                                             .kind = CONFIG_NUMBER,
                                             .offset = offsetof(struct think_time, cv),
                                             .doc = "standard deviation over mean",
                                             .min = 0,
                                             .max = 100,
                                             .above_min = true},
                                            {0}},
};

const struct config_variant_type think_variants[] = {
    [THINK_CONSTANT] = {"constant", "always the same", &constant_type},
    [THINK_UNIFORM] = {"uniform", "between two bounds", &uniform_type},
    [THINK_EXPONENTIAL] = {"exponential", "exponentially distributed", &exponential_type},
    [THINK_LOGNORMAL] = {"lognormal", "most short, some very long", &lognormal_type},
    {0},
};

bool think_time_check(const struct config_variant *config, const struct place *place,
                      struct error *error)
{
    const struct think_time *think = config->value;
    if (config->index != THINK_UNIFORM || think->min_s <= think->max_s)
        return true;
    struct place own = place_key(place, "think"), at = place_key(&own, "max_s");
    return place_error(&at, error, "max_s %g is less than min_s %g", think->max_s, think->min_s);
}

static double draw_s(const struct config_variant *config, gsl_rng *rng)
{
    const struct think_time *think = config->value;
    switch ((enum think_kind)config->index) {
    case THINK_CONSTANT:
        break;
    case THINK_UNIFORM:
        return think->min_s + (think->max_s - think->min_s) * gsl_rng_uniform(rng);
    case THINK_EXPONENTIAL:
        return -think->think_s * log(random_open_unit(rng));
    case THINK_LOGNORMAL: {
        double variance = log1p(think->cv * think->cv); /* of the logarithm */
        return think->think_s * gsl_ran_lognormal(rng, -variance / 2, sqrt(variance));
    }
    }
    return think->think_s;
}

/* Beyond 2^13 s seconds in a double are coarser than ticks: the next double is then the least
 * later time. */
double think_time_next_s(const struct config_variant *config, double now_s, gsl_rng *rng)
{
    double wait_s = fmax(draw_s(config, rng), 1 / TICKS_PER_S);
    return fmax(now_s + wait_s, nextafter(now_s, INFINITY));
}
