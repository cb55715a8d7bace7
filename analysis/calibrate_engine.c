#include "analysis/calibrate_engine.h"

#include <gsl/gsl_blas.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>
#include <string.h>

/* --- what is fitted --- */

#define CONSTANT(member, is_scale, of_prompts, mean, deviation, least, most)                       \
    {                                                                                              \
        .name = #member, .offset = offsetof(struct step_constants, member), .scale = is_scale,     \
        .prefill = of_prompts, .usual = mean, .spread = deviation, .min = least, .max = most       \
    }
#define SCALE(member, deviation)            CONSTANT(member, true, false, 1, deviation, 0.4, 2.5)
#define SCALE_OF_PROMPTS(member, deviation) CONSTANT(member, true, true, 1, deviation, 0.4, 2.5)
#define TIME(member, mean, deviation, least, most)                                                 \
    CONSTANT(member, false, false, mean, deviation, least, most)
#define TIME_OF_PROMPTS(member, mean, deviation, least, most)                                      \
    CONSTANT(member, false, true, mean, deviation, least, most)

/* Priors: kernel tables are right to some ten percent; a step costs the host about half a
 * millisecond; norms and the like cost some microseconds a layer, and CUDA graphs and fusion save
 * launches that the tables count; a request's way in and out takes some tens of milliseconds (first
 * values: quick fits to Llama-3.1-70B servers). */
const struct fit_constant fit_constants[FIT_CONSTANTS_MAX] = {
    SCALE(gemm_small, 0.15),
    SCALE_OF_PROMPTS(gemm_large, 0.2),
    SCALE(decode_attention, 0.3),
    SCALE_OF_PROMPTS(prefill_attention, 0.3),
    SCALE(all_reduce, 0.3),
    SCALE(experts, 0.3),
    TIME(step_s, 0.5e-3, 0.7e-3, 0, 20e-3),
    TIME(layer_s, 3e-6, 6e-6, -25e-6, 100e-6),
    TIME(expert_layer_s, 10e-6, 15e-6, -25e-6, 200e-6),
    TIME(sequence_s, 3e-6, 10e-6, 0, 200e-6),
    TIME_OF_PROMPTS(prefill_step_s, 3e-3, 6e-3, 0, 50e-3),
    TIME_OF_PROMPTS(prefill_token_s, 0.3e-6, 1e-6, 0, 20e-6),
    TIME(request_s, 20e-3, 15e-3, 0, 500e-3),
};

static double *constant_at(struct step_constants *constants, size_t index)
{
    return (double *)((char *)constants + fit_constants[index].offset);
}

double fit_constant_value(const struct step_constants *constants, size_t index)
{
    return *(const double *)((const char *)constants + fit_constants[index].offset);
}

struct step_constants fit_usual_constants(void)
{
    struct step_constants constants = {.element_wise = 1, .long_all_reduce = 1};
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++)
        *constant_at(&constants, i) = fit_constants[i].usual;
    return constants;
}

/* A constant in units of its prior: 0 is where the fit began, 1 a standard deviation more. */
struct prior {
    double mean, spread;
};

static double from_unit(const struct fit_constant *constant, struct prior prior, double unit)
{
    double moved = unit * prior.spread;
    double value = constant->scale ? prior.mean * exp(moved) : prior.mean + moved;
    return fmin(constant->max, fmax(constant->min, value));
}

/* --- residuals --- */

/* How far apart a perfect model and a measurement would be: repeat noise (TPOT 0.3 %, TTFT 1.7 % in
 * the median, ten times that at p90) and what no public row records. */
#define TPOT_SCATTER     0.03
#define TPOT_SCATTER_LAB 0.06
#define TTFT_SCATTER     0.08

struct fit_problem {
    struct predictor *predictor;
    struct engine_calibration *entry;
    struct prior priors[FIT_CONSTANTS_MAX];
    const struct measured_point *points;
    size_t count;
    const struct engine_fit_options *options;
    struct prediction *predictions; /* [count] */
    struct error *error;
    bool failed;
};

static bool is_laboratory(const struct measured_point *point)
{
    return strncmp(point->origin, "infx", 4) != 0;
}

/* Two residuals a point (0 where it has none), then one for each constant's prior. */
static size_t residual_count(const struct fit_problem *problem)
{
    return 2 * problem->count + FIT_CONSTANTS_MAX;
}

/* Square root of Cauchy's loss: like r near 0, growing with the logarithm far out. */
static double softened(double residual)
{
    const double knee = 2;
    double loss = knee * knee * log1p(residual * residual / (knee * knee));
    return copysign(sqrt(loss), residual);
}

static double log_ratio(double predicted, double measured)
{
    return predicted > 0 && measured > 0 ? log(predicted / measured) : 0;
}

static void point_residuals(const struct measured_point *point, const struct prediction *prediction,
                            double *tpot, double *ttft)
{
    *tpot = *ttft = 0;
    if (prediction->state != PREDICTION_DONE)
        return;
    bool laboratory = is_laboratory(point);
    *tpot = softened(log_ratio(prediction->tpot_ms, point->tpot_ms) /
                     (laboratory ? TPOT_SCATTER_LAB : TPOT_SCATTER));
    if (!laboratory && !strstr(point->flag, "queue_dominated"))
        *ttft = softened(log_ratio(prediction->ttft_ms, point->ttft_ms) / TTFT_SCATTER);
}

static bool any_pending(const struct fit_problem *problem)
{
    for (size_t i = 0; i < problem->count; i++)
        if (problem->predictions[i].state == PREDICTION_PENDING)
            return true;
    return false;
}

static bool predict_at(struct fit_problem *problem, const gsl_vector *units)
{
    struct step_constants constants = problem->entry->constants;
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++)
        *constant_at(&constants, i) =
            from_unit(&fit_constants[i], problem->priors[i], gsl_vector_get(units, i));
    problem->entry->constants = constants;
    const struct predict_options options = {.threads = problem->options->threads,
                                            .proceed = problem->options->proceed,
                                            .context = problem->options->context};
    if (!predict_points(problem->predictor, problem->points, problem->count, &options,
                        problem->predictions, problem->error))
        problem->failed = true;
    else if (any_pending(problem))
        problem->failed = !error_set(problem->error, ERROR_INTERRUPTED, "interrupted in a fit");
    return !problem->failed;
}

static int residuals_at(const gsl_vector *units, void *context, gsl_vector *residuals)
{
    struct fit_problem *problem = context;
    if (!predict_at(problem, units))
        return GSL_FAILURE;
    for (size_t i = 0; i < problem->count; i++) {
        double tpot, ttft;
        point_residuals(&problem->points[i], &problem->predictions[i], &tpot, &ttft);
        gsl_vector_set(residuals, 2 * i, tpot);
        gsl_vector_set(residuals, 2 * i + 1, ttft);
    }
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++)
        gsl_vector_set(residuals, 2 * problem->count + i, gsl_vector_get(units, i));
    return GSL_SUCCESS;
}

/* Differences over a step that is large against the jumps of a simulated schedule. */
static int jacobian_at(const gsl_vector *units, void *context, gsl_matrix *jacobian)
{
    const double step = 0.15;
    struct fit_problem *problem = context;
    size_t rows = residual_count(problem);
    gsl_vector *moved = gsl_vector_alloc(units->size), *here = gsl_vector_alloc(rows),
               *there = gsl_vector_alloc(rows);
    int status = residuals_at(units, context, here);
    for (size_t i = 0; i < FIT_CONSTANTS_MAX && status == GSL_SUCCESS; i++) {
        gsl_vector_memcpy(moved, units);
        gsl_vector_set(moved, i, gsl_vector_get(units, i) + step);
        status = residuals_at(moved, context, there);
        gsl_vector_sub(there, here);
        gsl_vector_scale(there, 1 / step);
        gsl_matrix_set_col(jacobian, i, there);
    }
    gsl_vector_free(moved);
    gsl_vector_free(here);
    gsl_vector_free(there);
    return status;
}

/* --- the fit --- */

static void take_errors(const gsl_matrix *jacobian, struct fit_problem *problem,
                        struct engine_fit *fit)
{
    struct engine_calibration *entry = problem->entry;
    gsl_matrix *covariance = gsl_matrix_alloc(FIT_CONSTANTS_MAX, FIT_CONSTANTS_MAX);
    gsl_multifit_nlinear_covar(jacobian, 0, covariance);
    double freedom = fmax(1, 2.0 * (double)fit->covered - FIT_CONSTANTS_MAX);
    double inflate = sqrt(fmax(1, 2 * fit->cost / freedom));
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++) {
        double value = *constant_at(&entry->constants, i);
        double unit = sqrt(gsl_matrix_get(covariance, i, i)) * inflate * problem->priors[i].spread;
        fit->errors[i] = fit_constants[i].scale ? value * unit : unit;
        *constant_at(&entry->standard_error, i) = fit->errors[i];
    }
    gsl_matrix_free(covariance);
}

static bool minimise(struct fit_problem *problem, gsl_vector *units, struct engine_fit *fit)
{
    gsl_multifit_nlinear_parameters parameters = gsl_multifit_nlinear_default_parameters();
    gsl_multifit_nlinear_fdf system = {.f = residuals_at,
                                       .df = jacobian_at,
                                       .n = residual_count(problem),
                                       .p = FIT_CONSTANTS_MAX,
                                       .params = problem};
    gsl_multifit_nlinear_workspace *work =
        gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &parameters, system.n, system.p);
    int info = 0;
    if (gsl_multifit_nlinear_init(units, &system, work) == GSL_SUCCESS)
        gsl_multifit_nlinear_driver((size_t)problem->options->iterations, 1e-3, 1e-3, 1e-4, NULL,
                                    NULL, &info, work);
    gsl_vector_memcpy(units, work->x);
    gsl_blas_ddot(work->f, work->f, &fit->cost);
    fit->cost /= 2;
    fit->iterations = (int)gsl_multifit_nlinear_niter(work);
    if (!problem->failed && predict_at(problem, units)) {
        fit->covered = 0;
        for (size_t i = 0; i < problem->count; i++)
            fit->covered += problem->predictions[i].state == PREDICTION_DONE;
        take_errors(gsl_multifit_nlinear_jac(work), problem, fit);
    }
    gsl_multifit_nlinear_free(work);
    return !problem->failed;
}

/* A time that begins far above what is usual is known no better than to a half. */
static void set_priors(struct fit_problem *problem)
{
    struct step_constants *begin = &problem->entry->constants;
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++) {
        double mean = *constant_at(begin, i), spread = fit_constants[i].spread;
        if (fit_constants[i].prefill)
            spread *= problem->options->prefill_spread;
        problem->priors[i] =
            (struct prior){mean, fit_constants[i].scale ? spread : fmax(spread, mean / 2)};
    }
}

bool engine_fit_run(struct predictor *predictor, struct engine_calibration *entry,
                    const struct measured_point *points, size_t count,
                    const struct engine_fit_options *options, struct engine_fit *fit,
                    struct error *error)
{
    struct arena *arena = arena_create();
    struct fit_problem problem = {.predictor = predictor,
                                  .entry = entry,
                                  .points = points,
                                  .count = count,
                                  .options = options,
                                  .predictions = ARENA_ARRAY(arena, count, struct prediction),
                                  .error = error};
    *fit = (struct engine_fit){.points = count};
    set_priors(&problem);
    gsl_vector *units = gsl_vector_calloc(FIT_CONSTANTS_MAX);
    bool done = minimise(&problem, units, fit);
    gsl_vector_free(units);
    arena_destroy(arena);
    return done;
}
