#include "workloads/lifetimes.h"

#include <gsl/gsl_multimin.h>
#include <math.h>
#include <string.h>

#include "sim/clock.h"
#include "workloads/csv_rows.h"

const char *const lifetime_law_names[] = {"exponential", "weibull", NULL};

/* --- reading --- */

struct row {
    const char *cloud, *zone, *gpu;
    int64_t gpus, terminated;
    double alive_s, ended_s;
    long line;
};

#define AT(member) offsetof(struct row, member)

static const struct csv_field fields[] = {
    {"cloud", CSV_TEXT, AT(cloud), true, 0, 0},
    {"zone", CSV_TEXT, AT(zone), true, 0, 0},
    {"gpu", CSV_TEXT, AT(gpu), true, 0, 0},
    {"gpus", CSV_COUNT, AT(gpus), true, 0, 1e6},
    {"last_seen_alive_s", CSV_NUMBER, AT(alive_s), false, 0, CLOCK_MAX_S},
    {"end_observed_s", CSV_NUMBER, AT(ended_s), false, 0, CLOCK_MAX_S},
    {"terminated", CSV_COUNT, AT(terminated), false, 0, 1},
    {0}};

static const struct csv_row_type row_type = {sizeof(struct row), AT(line), fields};

static bool is_chosen(const struct lifetimes_options *options, const struct row *row)
{
    return (!options->cloud || strcmp(options->cloud, row->cloud) == 0) &&
           (!options->zone || strcmp(options->zone, row->zone) == 0) &&
           (!options->gpu || strcmp(options->gpu, row->gpu) == 0) &&
           (options->gpus == INT64_MIN || options->gpus == row->gpus);
}

static struct lifetime lifetime_of(const struct row *row, double max_lifetime_s)
{
    bool interrupted = row->terminated && row->ended_s < max_lifetime_s;
    if (interrupted)
        return (struct lifetime){row->alive_s, row->ended_s};
    return (struct lifetime){fmin(row->alive_s, max_lifetime_s), INFINITY};
}

static bool check_row(const struct lifetimes_options *options, const struct row *row,
                      struct error *error)
{
    if (!row->terminated || row->ended_s > row->alive_s)
        return true;
    return error_at(error, ERROR_BAD_INPUT, options->path, row->line, NULL,
                    "end_observed_s, %.10g, is not after last_seen_alive_s, %.10g", row->ended_s,
                    row->alive_s);
}

bool lifetimes_read(const struct lifetimes_options *options, struct arena *arena,
                    struct lifetimes *lifetimes, struct error *error)
{
    struct csv_rows rows;
    if (!csv_rows_read(options->path, &row_type, arena, &rows, error))
        return false;
    *lifetimes = (struct lifetimes){.items = ARENA_ARRAY(arena, rows.count, struct lifetime)};
    for (size_t i = 0; i < rows.count; i++) {
        const struct row *row = (const struct row *)rows.items + i;
        if (!check_row(options, row, error))
            return false;
        if (!is_chosen(options, row))
            continue;
        struct lifetime lifetime = lifetime_of(row, options->max_lifetime_s);
        lifetimes->items[lifetimes->count++] = lifetime;
        lifetimes->ended += isfinite(lifetime.ended_s);
    }
    if (lifetimes->count > 0)
        return true;
    error_at(error, ERROR_BAD_INPUT, options->path, 0, NULL,
             "none of its %zu instances is of the cloud, zone, gpu and gpus chosen", rows.count);
    return error_hint(error, "the choice is compared with the file's columns letter by letter");
}

/* --- fitting --- */

/* Beyond these a shape is no estimate, but a likelihood that rises for ever. */
#define LOG_SHAPE_MAX 4.0

/* ln(S(alive) - S(ended)), by the cumulative hazards at both ends. */
static double log_probability(const struct lifetime *lifetime, double shape, double scale_s)
{
    double alive = pow(lifetime->alive_s / scale_s, shape);
    if (isinf(lifetime->ended_s))
        return -alive;
    double ended = pow(lifetime->ended_s / scale_s, shape);
    return -alive + log(-expm1(alive - ended));
}

/* x: ln scale, and where it is free, ln shape. */
static double log_shape_of(const gsl_vector *x)
{
    return x->size > 1 ? gsl_vector_get(x, 1) : 0;
}

static double minus_log_likelihood(const gsl_vector *x, void *of_lifetimes)
{
    const struct lifetimes *lifetimes = of_lifetimes;
    const double impossible = 1e100;
    double scale_s = exp(gsl_vector_get(x, 0)), shape = exp(log_shape_of(x)), sum = 0;
    for (size_t i = 0; i < lifetimes->count; i++)
        sum += log_probability(&lifetimes->items[i], shape, scale_s);
    return isfinite(sum) && fabs(log_shape_of(x)) <= LOG_SHAPE_MAX ? -sum : impossible;
}

/* The exponential's estimate if ends were known: all the time lived, over the ends. */
static double rough_scale_s(const struct lifetimes *lifetimes)
{
    double lived_s = 0;
    for (size_t i = 0; i < lifetimes->count; i++) {
        const struct lifetime *lifetime = &lifetimes->items[i];
        lived_s += isinf(lifetime->ended_s) ? lifetime->alive_s
                                            : (lifetime->alive_s + lifetime->ended_s) / 2;
    }
    return lived_s / (double)lifetimes->ended;
}

/* A law is not settled by ends that all fall before the first poll that saw anyone alive, as any
 * shorter life explains them better; nor two unknowns by one point in time. */
static bool settles(const struct lifetimes *lifetimes, enum lifetime_law law)
{
    double longest_alive_s = 0, first_s = INFINITY, last_s = 0;
    for (size_t i = 0; i < lifetimes->count; i++) {
        const struct lifetime *lifetime = &lifetimes->items[i];
        double alive_s = lifetime->alive_s, ended_s = lifetime->ended_s;
        longest_alive_s = fmax(longest_alive_s, alive_s);
        first_s = fmin(first_s, alive_s > 0 ? alive_s : ended_s);
        last_s = fmax(last_s, isfinite(ended_s) ? ended_s : alive_s);
    }
    return lifetimes->ended > 0 && longest_alive_s > 0 &&
           (law == LIFETIME_EXPONENTIAL || first_s < last_s);
}

/* Walks the simplex down until it is small; false where it does not become so. */
static bool minimise(gsl_multimin_fminimizer *minimiser)
{
    enum { ROUNDS_MAX = 2000 };
    const double small = 1e-6; /* of the logarithms */
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (gsl_multimin_fminimizer_iterate(minimiser) != GSL_SUCCESS)
            return false;
        if (gsl_multimin_fminimizer_size(minimiser) < small)
            return true;
    }
    return false;
}

bool lifetimes_fit(enum lifetime_law law, const struct lifetimes *lifetimes,
                   struct lifetime_fit *fit)
{
    size_t unknowns = law == LIFETIME_WEIBULL ? 2 : 1;
    if (!settles(lifetimes, law))
        return false;
    gsl_vector *start = gsl_vector_calloc(unknowns), *steps = gsl_vector_alloc(unknowns);
    gsl_multimin_fminimizer *minimiser =
        gsl_multimin_fminimizer_alloc(gsl_multimin_fminimizer_nmsimplex2, unknowns);
    if (!start || !steps || !minimiser)
        out_of_memory();
    gsl_multimin_function function = {minus_log_likelihood, unknowns, (void *)lifetimes};
    gsl_vector_set(start, 0, log(rough_scale_s(lifetimes)));
    gsl_vector_set_all(steps, 0.5);
    gsl_multimin_fminimizer_set(minimiser, &function, start, steps);
    bool found = minimise(minimiser);
    const gsl_vector *best = gsl_multimin_fminimizer_x(minimiser);
    *fit = (struct lifetime_fit){exp(log_shape_of(best)), exp(gsl_vector_get(best, 0)),
                                 -gsl_multimin_fminimizer_minimum(minimiser)};
    found = found && fabs(log_shape_of(best)) < LOG_SHAPE_MAX - 0.01;
    gsl_multimin_fminimizer_free(minimiser);
    gsl_vector_free(start);
    gsl_vector_free(steps);
    return found;
}
