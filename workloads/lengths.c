/* Mixtures of lognormals (one alone is a mixture of one) have no inverse in closed form, and need
 * none: the forward CDF is evaluated at points x that every component spaces evenly on its own
 * normal score, 0.02 standard deviations apart, and the pairs (F(x), x) are the knots. Between two
 * of them a straight line is within (0.02 sigma)^2 / 8 of the curve, relative: 0.02 % at sigma = 2.
 * The outermost 1e-9 of probability is cut off. */
#include "workloads/lengths.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCORE_MAX        6.0
#define SCORE_STEPS      601
#define SCORE_STEP       (2 * SCORE_MAX / (SCORE_STEPS - 1))
#define COMPONENTS_MAX   64
#define TABLE_KNOTS_MAX  100000
#define BOUND(lo, hi)    .min = (lo), .max = (hi)
#define TOKENS(at, text) .kind = CONFIG_INT, .offset = (at), .doc = text, BOUND(1, LENGTH_MAX_TOK)

static const struct config_type constant_type = {
    .name = "constant_length",
    .doc = "every request the same",
    .size = sizeof(struct length_constant),
    .fields =
        (const struct config_field[]){
            {.name = "tok", TOKENS(offsetof(struct length_constant, tok), "tokens")}, {0}},
};

static const struct config_type uniform_type = {
    .name = "uniform_length",
    .doc = "every whole number between two bounds, equally often",
    .size = sizeof(struct length_uniform),
    .fields =
        (const struct config_field[]){
            {.name = "min_tok", TOKENS(offsetof(struct length_uniform, min_tok), "shortest")},
            {.name = "max_tok", TOKENS(offsetof(struct length_uniform, max_tok), "longest")},
            {0}},
};

#define BOUNDS_FIELDS(type)                                                                        \
    {.name = "min_tok",                                                                            \
     TOKENS(offsetof(type, bounds.min_tok), "shorter lengths become this"),                        \
     .preset = "1"},                                                                               \
    {                                                                                              \
        .name = "max_tok", TOKENS(offsetof(type, bounds.max_tok), "longer lengths become this"),   \
        .optional = true                                                                           \
    }

#define SHAPE(member, text)                                                                        \
    .kind = CONFIG_NUMBER, .offset = offsetof(struct length_lognormal, member), .doc = text,       \
    .optional = true

#define LOGNORMAL_FIELDS                                                                           \
    {.name = "mean_tok",                                                                           \
     SHAPE(mean_tok, "mean; with cv"),                                                             \
     BOUND(0, LENGTH_MAX_TOK),                                                                     \
     .above_min = true},                                                                           \
        {.name = "cv", SHAPE(cv, "standard deviation over mean"), BOUND(0, 100)},                  \
        {.name = "mu",                                                                             \
         SHAPE(mu, "mean of the logarithm; with sigma, instead of mean_tok and cv"),               \
         BOUND(-20, 20)},                                                                          \
    {                                                                                              \
        .name = "sigma", SHAPE(sigma, "standard deviation of the logarithm"), BOUND(0, 10)         \
    }

static const struct config_type lognormal_type = {
    .name = "lognormal_length",
    .doc = "lognormal",
    .size = sizeof(struct length_lognormal),
    .fields = (const struct config_field[]){LOGNORMAL_FIELDS,
                                            BOUNDS_FIELDS(struct length_lognormal),
                                            {0}},
};

static const struct config_type component_type = {
    .name = "lognormal_component",
    .doc = "one part of a mixture",
    .size = sizeof(struct length_lognormal),
    .fields =
        (const struct config_field[]){
            {.name = "weight",
             .kind = CONFIG_NUMBER,
             .offset = offsetof(struct length_lognormal, weight),
             .doc = "share of the requests; all shares are divided by their sum",
             BOUND(0, 1e9),
             .above_min = true},
            LOGNORMAL_FIELDS,
            {0}},
};

static const struct config_type mixture_type = {
    .name = "lognormal_mixture_length",
    .doc = "mixture of lognormals",
    .size = sizeof(struct length_mixture),
    .fields =
        (const struct config_field[]){
            {.name = "components",
             .kind = CONFIG_LIST,
             .offset = offsetof(struct length_mixture, components),
             .doc = "the parts",
             BOUND(1, COMPONENTS_MAX),
             .element =
                 &(const struct config_field){.kind = CONFIG_OBJECT, .object = &component_type}},
            BOUNDS_FIELDS(struct length_mixture),
            {0}},
};

static const struct config_type knot_type = {
    .name = "length_knot",
    .doc = "a share p of the requests has at most this many tokens",
    .size = sizeof(struct inverse_cdf_knot),
    .fields = (const struct config_field[]){{.name = "p",
                                             .kind = CONFIG_NUMBER,
                                             .offset = offsetof(struct inverse_cdf_knot, p),
                                             .doc = "share of the requests",
                                             BOUND(0, 1)},
                                            {.name = "tok",
                                             .kind = CONFIG_NUMBER,
                                             .offset = offsetof(struct inverse_cdf_knot, x),
                                             .doc = "tokens",
                                             BOUND(1, LENGTH_MAX_TOK)},
                                            {0}},
};

static const struct config_type table_type = {
    .name = "table_length",
    .doc = "an inverse CDF, straight between its knots",
    .size = sizeof(struct length_table),
    .fields =
        (const struct config_field[]){
            {.name = "knots",
             .kind = CONFIG_LIST,
             .offset = offsetof(struct length_table, knots),
             .doc = "from p = 0 to p = 1; p and tok never decrease; equal p make a jump, "
                    "equal tok a spike",
             BOUND(2, TABLE_KNOTS_MAX),
             .element = &(const struct config_field){.kind = CONFIG_OBJECT, .object = &knot_type}},
            BOUNDS_FIELDS(struct length_table),
            {0}},
};

const struct config_variant_type length_variants[] = {
    [LENGTH_CONSTANT] = {"constant", "every request the same", &constant_type},
    [LENGTH_UNIFORM] = {"uniform", "whole numbers between two bounds", &uniform_type},
    [LENGTH_LOGNORMAL] = {"lognormal", "by mean and cv, or by mu and sigma", &lognormal_type},
    [LENGTH_MIXTURE] = {"mixture", "of lognormals", &mixture_type},
    [LENGTH_TABLE] = {"table", "a measured distribution, as an inverse CDF", &table_type},
    {0},
};

static bool bounds_check(const struct length_bounds *bounds, const struct place *place,
                         struct error *error)
{
    if (bounds->max_tok == INT64_MIN || bounds->min_tok <= bounds->max_tok)
        return true;
    struct place at = place_key(place, "max_tok");
    return place_error(&at, error, "max_tok %lld is less than min_tok %lld",
                       (long long)bounds->max_tok, (long long)bounds->min_tok);
}

static void bounds_apply(const struct length_bounds *bounds, struct inverse_cdf_knot *knots,
                         size_t count)
{
    double max = bounds->max_tok == INT64_MIN ? LENGTH_MAX_TOK : (double)bounds->max_tok;
    for (size_t i = 0; i < count; i++)
        knots[i].x = fmin(fmax(knots[i].x, (double)bounds->min_tok), max);
}

/* Two knots: a straight line from x0 to x1. */
static struct inverse_cdf_knot *line_knots(double x0, double x1, struct arena *arena, size_t *count)
{
    struct inverse_cdf_knot *knots = ARENA_ARRAY(arena, 2, struct inverse_cdf_knot);
    knots[0] = (struct inverse_cdf_knot){0, x0};
    knots[1] = (struct inverse_cdf_knot){1, x1};
    *count = 2;
    return knots;
}

static struct inverse_cdf_knot *constant_knots(const struct length_constant *constant,
                                               struct arena *arena, size_t *count)
{
    return line_knots((double)constant->tok, (double)constant->tok, arena, count);
}

/* Rounding gives every whole number an equal stretch of the line, the two ends included. */
static struct inverse_cdf_knot *uniform_knots(const struct length_uniform *uniform,
                                              struct arena *arena, size_t *count,
                                              const struct place *place, struct error *error)
{
    const struct length_bounds bounds = {uniform->min_tok, uniform->max_tok};
    if (!bounds_check(&bounds, place, error))
        return NULL;
    return line_knots((double)uniform->min_tok - 0.5, (double)uniform->max_tok + 0.5, arena, count);
}

/* Fills mu and sigma where mean_tok and cv were given. */
static bool lognormal_resolve(struct length_lognormal *part, const struct place *place,
                              struct error *error)
{
    bool by_logarithm = !isnan(part->mu) && !isnan(part->sigma);
    bool by_mean = !isnan(part->mean_tok) && !isnan(part->cv);
    if (by_logarithm == by_mean || isnan(part->mu) != isnan(part->sigma) ||
        isnan(part->mean_tok) != isnan(part->cv)) {
        place_error(place, error, "a lognormal length takes one pair of numbers");
        return error_hint(error, "give mean_tok and cv, or mu and sigma");
    }
    if (by_mean) {
        double variance = log1p(part->cv * part->cv);
        part->sigma = sqrt(variance);
        part->mu = log(part->mean_tok) - variance / 2;
    }
    return true;
}

static double mixture_cdf(const struct length_lognormal *parts, size_t count, double x)
{
    double p = 0, weights = 0;
    for (size_t i = 0; i < count; i++) {
        double distance = log(x) - parts[i].mu;
        double below = parts[i].sigma > 0 ? gsl_cdf_ugaussian_P(distance / parts[i].sigma)
                                          : (distance >= 0 ? 1 : 0);
        p += parts[i].weight * below;
        weights += parts[i].weight;
    }
    return p / weights;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Places where the mixture's CDF is worth knowing, in order. A component without spread (sigma 0)
 * needs the place just below its jump too. */
static double *mixture_places(const struct length_lognormal *parts, size_t count,
                              struct arena *arena)
{
    double *x = ARENA_ARRAY(arena, count * SCORE_STEPS, double);
    for (size_t i = 0; i < count; i++)
        for (size_t step = 0; step < SCORE_STEPS; step++) {
            double score = (double)step * SCORE_STEP - SCORE_MAX;
            double place = exp(parts[i].mu + parts[i].sigma * score);
            x[i * SCORE_STEPS + step] =
                parts[i].sigma == 0 && score < 0 ? nextafter(place, 0) : place;
        }
    qsort(x, count * SCORE_STEPS, sizeof *x, compare_doubles);
    return x;
}

static struct inverse_cdf_knot *mixture_knots(const struct length_lognormal *parts,
                                              size_t part_count, struct arena *arena, size_t *count)
{
    const double *x = mixture_places(parts, part_count, arena);
    *count = part_count * SCORE_STEPS;
    struct inverse_cdf_knot *knots = ARENA_ARRAY(arena, *count, struct inverse_cdf_knot);
    for (size_t i = 0; i < *count; i++)
        knots[i] = (struct inverse_cdf_knot){mixture_cdf(parts, part_count, x[i]), x[i]};
    for (size_t i = 1; i < *count; i++) /* against rounding in the sums */
        knots[i].p = fmax(knots[i].p, knots[i - 1].p);
    knots[0].p = 0;
    knots[*count - 1].p = 1;
    return knots;
}

static struct inverse_cdf_knot *lognormal_knots(const struct length_lognormal *lognormal,
                                                struct arena *arena, size_t *count,
                                                const struct place *place, struct error *error)
{
    struct length_lognormal part = *lognormal;
    part.weight = 1;
    if (!lognormal_resolve(&part, place, error) || !bounds_check(&part.bounds, place, error))
        return NULL;
    struct inverse_cdf_knot *knots = mixture_knots(&part, 1, arena, count);
    bounds_apply(&part.bounds, knots, *count);
    return knots;
}

static struct inverse_cdf_knot *mixture_read(const struct length_mixture *mixture,
                                             struct arena *arena, size_t *count,
                                             const struct place *place, struct error *error)
{
    size_t part_count = mixture->components.count;
    struct length_lognormal *parts = ARENA_ARRAY(arena, part_count, struct length_lognormal);
    struct place list = place_key(place, "components");
    for (size_t i = 0; i < part_count; i++) {
        struct place at = place_index(&list, i);
        parts[i] = ((const struct length_lognormal *)mixture->components.items)[i];
        if (!lognormal_resolve(&parts[i], &at, error))
            return NULL;
    }
    if (!bounds_check(&mixture->bounds, place, error))
        return NULL;
    struct inverse_cdf_knot *knots = mixture_knots(parts, part_count, arena, count);
    bounds_apply(&mixture->bounds, knots, *count);
    return knots;
}

static struct inverse_cdf_knot *table_knots(const struct length_table *table, struct arena *arena,
                                            size_t *count, const struct place *place,
                                            struct error *error)
{
    *count = table->knots.count;
    struct inverse_cdf_knot *knots = ARENA_ARRAY(arena, *count, struct inverse_cdf_knot);
    memcpy(knots, table->knots.items, *count * sizeof *knots);
    size_t which;
    const char *flaw = inverse_cdf_flaw(knots, *count, &which);
    if (flaw) {
        struct place list = place_key(place, "knots");
        struct place at = place_index(&list, which);
        place_error(&at, error, "this knot %s", flaw);
        return NULL;
    }
    if (!bounds_check(&table->bounds, place, error))
        return NULL;
    bounds_apply(&table->bounds, knots, *count);
    return knots;
}

/* The knots of a distribution's inverse CDF, in the arena; NULL on error. */
static const struct inverse_cdf_knot *knots_of(const struct config_variant *config,
                                               struct arena *arena, size_t *count,
                                               const struct place *place, struct error *error)
{
    switch ((enum length_kind)config->index) {
    case LENGTH_CONSTANT:
        return constant_knots(config->value, arena, count);
    case LENGTH_UNIFORM:
        return uniform_knots(config->value, arena, count, place, error);
    case LENGTH_LOGNORMAL:
        return lognormal_knots(config->value, arena, count, place, error);
    case LENGTH_MIXTURE:
        return mixture_read(config->value, arena, count, place, error);
    case LENGTH_TABLE:
        return table_knots(config->value, arena, count, place, error);
    }
    return NULL;
}

bool length_compile(struct inverse_cdf *cdf, const struct config_variant *config,
                    struct arena *arena, const struct place *place, const char *key,
                    struct error *error)
{
    struct place at = place_key(place, key);
    size_t count;
    const struct inverse_cdf_knot *knots = knots_of(config, arena, &count, &at, error);
    if (!knots)
        return false;
    inverse_cdf_build(cdf, knots, count, arena);
    return true;
}

bool length_pair_open(struct length_pair *pair, const struct length_pair_config *config,
                      const struct stream_seed *seed, struct arena *arena,
                      const struct place *place, struct error *error)
{
    pair->rho = 2 * sin(M_PI * config->rank_correlation / 6);
    pair->rho_rest = sqrt(fmax(0, 1 - pair->rho * pair->rho));
    pair->normal = config->rank_correlation == 0 ? NULL : normal_create(arena);
    return length_compile(&pair->prompt, &config->prompt, arena, place, "prompt_tok", error) &&
           length_compile(&pair->output, &config->output, arena, place, "output_tok", error) &&
           stream_rng_open(&pair->prompt_rng, seed, "prompt", error) &&
           stream_rng_open(&pair->output_rng, seed, "output", error);
}

void length_pair_rewind(struct length_pair *pair)
{
    stream_rng_rewind(&pair->prompt_rng);
    stream_rng_rewind(&pair->output_rng);
}

void length_pair_close(struct length_pair *pair)
{
    stream_rng_close(&pair->prompt_rng);
    stream_rng_close(&pair->output_rng);
}
