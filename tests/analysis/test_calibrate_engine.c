/* Fits of engine constants in a world that is known: what was "measured" are predictions made with
 * constants of ours. Servers and rows are invented. */
#include "analysis/calibrate_engine.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/calibrate_engines.h"
#include "tests/models/support.h"
#include "tests/support.h"

/* --- the world --- */

enum { ROWS = 12 };

static const struct {
    const char *model, *system, *group;
    int64_t isl, osl, concurrency, tp;
} servers[ROWS] = {
    {"Llama-3.1-8B", "h100_sxm", "a", 1000, 100, 1, 1},
    {"Llama-3.1-8B", "h100_sxm", "a", 1000, 100, 8, 1},
    {"Llama-3.1-8B", "h100_sxm", "a", 200, 100, 64, 1},
    {"Llama-3.1-8B", "h200_sxm", "b", 6000, 50, 4, 1},
    {"Llama-3.1-8B", "h200_sxm", "b", 6000, 50, 16, 1},
    {"Llama-3.1-8B", "h200_sxm", "b", 100, 100, 128, 1},
    {"Llama-3.1-70B", "h100_sxm", "c", 1000, 60, 4, 4},
    {"Llama-3.1-70B", "h100_sxm", "c", 1000, 60, 32, 4},
    {"Llama-3.1-70B", "h100_sxm", "c", 4000, 60, 8, 8},
    {"Llama-3.1-70B", "b200_sxm", "d", 500, 60, 2, 2},
    {"Llama-3.1-70B", "b200_sxm", "d", 500, 60, 64, 2},
    {"Llama-3.1-70B", "b200_sxm", "d", 2000, 60, 16, 8},
};

struct world {
    struct predictor *predictor;
    struct engine_calibration *entry; /* vLLM in 16 bits: all rows */
    struct measured_point points[ROWS];
    struct engine_fit fit;
};

static struct measured_point invented(int i)
{
    return (struct measured_point){.id = "",
                                   .origin = "infx_invented",
                                   .measured = "",
                                   .model = servers[i].model,
                                   .model_path = "",
                                   .arch = "dense",
                                   .system = servers[i].system,
                                   .backend = "vllm",
                                   .backend_version = "",
                                   .precision = "bf16",
                                   .gemm_quant = "",
                                   .moe_quant = "",
                                   .flag = "",
                                   .group = servers[i].group,
                                   .isl = servers[i].isl,
                                   .osl = servers[i].osl,
                                   .len_ratio_min = 0.8,
                                   .concurrency = servers[i].concurrency,
                                   .tp = servers[i].tp,
                                   .pp = 1,
                                   .attn_dp = 1,
                                   .moe_tp = 1,
                                   .moe_ep = 1,
                                   .ttft_ms = NAN,
                                   .tpot_ms = NAN};
}

static struct step_constants the_truth(void)
{
    struct step_constants truth = fit_usual_constants();
    truth.gemm_small = 1.12;
    truth.decode_attention = 1.1;
    truth.step_s = 0.9e-3;
    truth.sequence_s = 7e-6;
    truth.prefill_step_s = 5e-3;
    return truth;
}

static struct predictor *shipped_predictor(void)
{
    struct error error = {0};
    struct arena *arena = arena_create();
    struct predictor *predictor = predictor_create(catalog_path(arena, &error), &error);
    cr_assert(predictor, "%s", test_error_text(&error));
    arena_destroy(arena);
    return predictor;
}

static struct engine_calibration *find_entry(struct predictor *predictor)
{
    return (struct engine_calibration *)calibration_engine(predictor->calibration, "vllm",
                                                           PRECISION_BF16);
}

static void predict(const struct world *world, const struct step_constants *constants,
                    struct prediction *predictions)
{
    const struct predict_options options = {.threads = 2};
    struct error error = {0};
    world->entry->constants = *constants;
    cr_assert(predict_points(world->predictor, world->points, ROWS, &options, predictions, &error));
    for (int i = 0; i < ROWS; i++)
        cr_assert_eq(predictions[i].state, PREDICTION_DONE, "%s", predictions[i].reason);
}

static struct world make_world(struct step_constants truth)
{
    struct world world = {.predictor = shipped_predictor()};
    world.entry = find_entry(world.predictor);
    struct prediction predictions[ROWS];
    for (int i = 0; i < ROWS; i++)
        world.points[i] = invented(i);
    predict(&world, &truth, predictions);
    for (int i = 0; i < ROWS; i++) {
        world.points[i].ttft_ms = predictions[i].ttft_ms;
        world.points[i].tpot_ms = predictions[i].tpot_ms;
    }
    return world;
}

static bool run_fit(struct world *world, size_t count, size_t threads, struct error *error)
{
    const struct engine_fit_options options = {
        .threads = threads, .iterations = 30, .prefill_spread = 1};
    *error = (struct error){0};
    world->entry->constants = fit_usual_constants();
    return engine_fit_run(world->predictor, world->entry, world->points, count, &options,
                          &world->fit, error);
}

static void fit(struct world *world, size_t threads)
{
    struct error error;
    cr_assert(run_fit(world, ROWS, threads, &error), "%s", test_error_text(&error));
    cr_assert_eq(world->fit.points, ROWS);
    cr_assert_eq(world->fit.covered, ROWS);
}

static void assert_within_bounds(const struct world *world)
{
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++) {
        double value = fit_constant_value(&world->entry->constants, i);
        cr_expect(value >= fit_constants[i].min && value <= fit_constants[i].max, "%s: %g",
                  fit_constants[i].name, value);
        cr_expect(isfinite(world->fit.errors[i]) && world->fit.errors[i] > 0, "%s +- %g",
                  fit_constants[i].name, world->fit.errors[i]);
        cr_expect_eq(world->fit.errors[i], fit_constant_value(&world->entry->standard_error, i));
    }
}

/* --- one fit --- */

Test(calibrate_engine, each_constant_is_fitted_once)
{
    size_t seen = 0;
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++) {
        cr_expect_eq(fit_constants[i].offset % sizeof(double), 0);
        seen |= (size_t)1 << fit_constants[i].offset / sizeof(double);
        cr_expect(fit_constants[i].min < fit_constants[i].usual &&
                      fit_constants[i].usual < fit_constants[i].max,
                  "%s", fit_constants[i].name);
    }
    cr_expect_eq(seen, ((size_t)1 << FIT_CONSTANTS_MAX) - 1);
}

Test(calibrate_engine, known_constants_are_found_again)
{
    struct step_constants truth = the_truth();
    struct world world = make_world(truth);
    fit(&world, 2);
    struct step_constants fitted = world.entry->constants;
    struct prediction predictions[ROWS];
    predict(&world, &fitted, predictions);
    for (int i = 0; i < ROWS; i++) {
        double tpot = predictions[i].tpot_ms / world.points[i].tpot_ms;
        double ttft = predictions[i].ttft_ms / world.points[i].ttft_ms;
        cr_expect_float_eq(tpot, 1, 0.005, "row %d: TPOT x %g", i, tpot);
        cr_expect_float_eq(ttft, 1, 0.03, "row %d: TTFT x %g", i, ttft);
    }
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++)
        cr_expect_float_eq(fit_constant_value(&fitted, i), fit_constant_value(&truth, i),
                           3 * world.fit.errors[i], "%s: %g +- %g, not %g", fit_constants[i].name,
                           fit_constant_value(&fitted, i), world.fit.errors[i],
                           fit_constant_value(&truth, i));
    /* What the rows depend on is known better than before they were seen. */
    cr_expect_lt(world.fit.errors[0], 0.6 * fit_constants[0].spread);
    assert_within_bounds(&world);
    predictor_destroy(world.predictor);
}

/* Dense models say nothing of experts: those constants stay where they are usual, and as unsure. */
Test(calibrate_engine, what_rows_do_not_tell_stays_usual)
{
    struct world world = make_world(the_truth());
    fit(&world, 2);
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++)
        if (strncmp(fit_constants[i].name, "expert", 6) == 0) {
            double usual = fit_constants[i].usual, spread = fit_constants[i].spread;
            cr_expect_float_eq(fit_constant_value(&world.entry->constants, i), usual, 1e-6 * usual);
            cr_expect_geq(world.fit.errors[i], 0.999 * spread);
        }
    predictor_destroy(world.predictor);
}

Test(calibrate_engine, usual_measurements_leave_the_usual_constants)
{
    struct step_constants usual = fit_usual_constants();
    struct world world = make_world(usual);
    fit(&world, 2);
    cr_expect_lt(world.fit.cost, 1e-6);
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++)
        cr_expect_float_eq(fit_constant_value(&world.entry->constants, i),
                           fit_constant_value(&usual, i), 1e-3 * fit_constants[i].spread, "%s",
                           fit_constants[i].name);
    predictor_destroy(world.predictor);
}

Test(calibrate_engine, one_row_that_is_far_off_does_not_bend_the_others)
{
    struct world world = make_world(the_truth());
    world.points[4].tpot_ms *= 3;
    world.points[4].ttft_ms *= 3;
    fit(&world, 2);
    struct step_constants fitted = world.entry->constants;
    struct prediction predictions[ROWS];
    predict(&world, &fitted, predictions);
    for (int i = 0; i < ROWS; i++)
        if (i != 4) {
            double tpot = predictions[i].tpot_ms / world.points[i].tpot_ms;
            cr_expect_float_eq(tpot, 1, 0.02, "row %d: TPOT x %g", i, tpot);
        }
    predictor_destroy(world.predictor);
}

Test(calibrate_engine, constants_stay_within_bounds_whatever_was_measured)
{
    static const double factors[] = {0.1, 20};
    for (size_t f = 0; f < 2; f++) {
        struct world world = make_world(fit_usual_constants());
        for (int i = 0; i < ROWS; i++) {
            world.points[i].tpot_ms *= factors[f];
            world.points[i].ttft_ms *= factors[f];
        }
        fit(&world, 2);
        assert_within_bounds(&world);
        predictor_destroy(world.predictor);
    }
}

Test(calibrate_engine, threads_change_nothing)
{
    struct world world = make_world(the_truth());
    fit(&world, 1);
    struct step_constants alone = world.entry->constants;
    struct engine_fit alone_fit = world.fit;
    fit(&world, 2);
    cr_expect_eq(memcmp(&alone, &world.entry->constants, sizeof alone), 0);
    cr_expect_eq(memcmp(&alone_fit, &world.fit, sizeof alone_fit), 0);
    predictor_destroy(world.predictor);
}

Test(calibrate_engine, rows_that_cannot_be_simulated_teach_nothing)
{
    struct world world = make_world(the_truth());
    for (int i = 0; i < ROWS; i++)
        world.points[i].model = "unheard-of";
    struct error error;
    struct step_constants usual = fit_usual_constants();
    for (size_t count = 0; count <= ROWS; count += ROWS) {
        cr_assert(run_fit(&world, count, 1, &error), "%s", test_error_text(&error));
        cr_expect_eq(world.fit.covered, 0);
        cr_expect_eq(memcmp(&world.entry->constants, &usual, sizeof usual), 0);
        assert_within_bounds(&world);
    }
    predictor_destroy(world.predictor);
}

static bool stop_third(void *context, size_t done, size_t count)
{
    (void)done, (void)count;
    return ++*(int *)context < 3;
}

Test(calibrate_engine, a_fit_can_be_stopped)
{
    struct world world = make_world(the_truth());
    int asked = 0;
    const struct engine_fit_options options = {
        .threads = 1, .iterations = 12, .proceed = stop_third, .context = &asked};
    struct error error = {0};
    cr_assert_not(engine_fit_run(world.predictor, world.entry, world.points, ROWS, &options,
                                 &world.fit, &error));
    cr_expect_eq(error.code, ERROR_INTERRUPTED);
    predictor_destroy(world.predictor);
}

/* --- all engines --- */

static const char *write_points(const char *name, const struct measured_point *points, size_t count)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    FILE *out = fopen(path, "w");
    cr_assert(out);
    points_put_header(out);
    fputc('\n', out);
    for (size_t i = 0; i < count; i++) {
        points_put_row(&points[i], out);
        fputc('\n', out);
    }
    fclose(out);
    return path;
}

struct fitted {
    struct arena *arena;
    struct calibration *calibration;
};

/* Fits to the same file so many times over, and reads what was written; its report is not looked
 * at. */
static struct fitted calibrate(const char *path, size_t times, bool fit_only)
{
    const char *files[] = {path, path};
    struct fitted fitted = {.arena = arena_create()};
    struct error error = {0};
    const struct calibrate_engines options = {.files = files,
                                              .file_count = times,
                                              .output = test_folder(),
                                              .catalog = catalog_path(fitted.arena, &error),
                                              .source = "invented",
                                              .threads = 2,
                                              .quiet = true,
                                              .fit_only = fit_only};
    cr_assert(freopen("/dev/null", "w", stdout));
    cr_assert(calibrate_engines(&options, &error), "%s", test_error_text(&error));
    fitted.calibration = calibration_read(test_folder(), NULL, fitted.arena, &error);
    cr_assert(fitted.calibration, "%s", test_error_text(&error));
    return fitted;
}

static const struct engine_calibration *entry_of(const struct fitted *fitted, const char *engine,
                                                 enum precision weights)
{
    const struct engine_calibration *entry =
        calibration_engine(fitted->calibration, engine, weights);
    cr_assert(entry && entry->weights == (int)weights, "no %s %s", engine,
              precision_names[weights]);
    return entry;
}

Test(calibrate_engines, fits_every_engine_and_format_apart)
{
    struct world world = make_world(the_truth());
    struct measured_point points[ROWS + 3];
    memcpy(points, world.points, sizeof world.points);
    points[0].precision = points[1].precision = "fp8";
    points[2].backend = "sglang";
    for (int i = 0; i < 3; i++)
        points[ROWS + i] = points[5];
    points[ROWS].flag = "spec_decode_unknown"; /* not to be learnt from */
    points[ROWS + 1].backend = "tgi";
    points[ROWS + 2].system = "abacus";
    struct fitted fitted = calibrate(write_points("points.csv", points, ROWS + 3), 1, true);
    const struct engine_calibration *vllm = entry_of(&fitted, "vllm", PRECISION_BF16);
    cr_expect_eq(vllm->points, ROWS - 3);
    cr_expect_eq(entry_of(&fitted, "vllm", PRECISION_FP8)->points, 2);
    cr_expect_eq(entry_of(&fitted, "sglang", PRECISION_BF16)->points, 1);
    cr_expect_str_eq(vllm->source, "invented");
    cr_expect(isnan(vllm->tpot_error)); /* not cross-validated */
    /* What no row is of stays as the catalogue has it. */
    const struct engine_calibration *shipped =
        calibration_engine(world.predictor->calibration, "trtllm", PRECISION_FP8);
    const struct engine_calibration *kept = entry_of(&fitted, "trtllm", PRECISION_FP8);
    cr_expect_eq(memcmp(&kept->constants, &shipped->constants, sizeof kept->constants), 0);
    arena_destroy(fitted.arena);
    predictor_destroy(world.predictor);
}

Test(calibrate_engines, a_file_given_twice_counts_twice)
{
    struct world world = make_world(the_truth());
    const char *path = write_points("points.csv", world.points, ROWS);
    struct fitted once = calibrate(path, 1, true), twice = calibrate(path, 2, true);
    const struct engine_calibration *one = entry_of(&once, "vllm", PRECISION_BF16);
    const struct engine_calibration *two = entry_of(&twice, "vllm", PRECISION_BF16);
    cr_expect_eq(two->points, 2 * one->points);
    cr_expect_float_eq(two->constants.gemm_small, one->constants.gemm_small,
                       one->standard_error.gemm_small);
    arena_destroy(once.arena);
    arena_destroy(twice.arena);
    predictor_destroy(world.predictor);
}

/* All rows are of one group, so that nothing is left to fit to when its fold is left out: they are
 * predicted by usual constants. Were the fold's rows dealt out one by one, fits would be good. */
Test(calibrate_engines, a_fold_keeps_a_group_together)
{
    struct world world = make_world(the_truth());
    struct prediction usual[ROWS];
    struct step_constants constants = fit_usual_constants();
    predict(&world, &constants, usual);
    double error = 0;
    for (int i = 0; i < ROWS; i++) {
        world.points[i].group = "the one";
        error += fabs(usual[i].tpot_ms / world.points[i].tpot_ms - 1) / ROWS;
    }
    cr_assert_gt(error, 0.05);
    struct fitted fitted = calibrate(write_points("points.csv", world.points, ROWS), 1, false);
    cr_expect_float_eq(entry_of(&fitted, "vllm", PRECISION_BF16)->tpot_error, error, 1e-3 * error);
    arena_destroy(fitted.arena);
    predictor_destroy(world.predictor);
}

/* What is fitted without some rows is used to judge, and not written. */
Test(calibrate_engines, rows_of_other_groups_teach)
{
    struct world world = make_world(the_truth());
    const char *path = write_points("points.csv", world.points, ROWS);
    struct fitted whole = calibrate(path, 1, true), judged = calibrate(path, 1, false);
    const struct engine_calibration *entry = entry_of(&judged, "vllm", PRECISION_BF16);
    const struct engine_calibration *fit_only = entry_of(&whole, "vllm", PRECISION_BF16);
    cr_expect(entry->tpot_error > 0 && entry->tpot_error < 0.04, "%g", entry->tpot_error);
    cr_expect_eq(memcmp(&entry->constants, &fit_only->constants, sizeof entry->constants), 0);
    arena_destroy(whole.arena);
    arena_destroy(judged.arena);
    predictor_destroy(world.predictor);
}

Test(calibrate_engines, points_of_which_none_can_be_fitted_are_an_error)
{
    struct measured_point point = invented(0);
    point.tpot_ms = point.ttft_ms = 10;
    point.backend = "tgi";
    const char *files[] = {write_points("points.csv", &point, 1)};
    struct arena *arena = arena_create();
    struct error error = {0};
    const struct calibrate_engines options = {.files = files,
                                              .file_count = 1,
                                              .output = test_folder(),
                                              .catalog = catalog_path(arena, &error),
                                              .source = "invented",
                                              .quiet = true};
    cr_assert_not(calibrate_engines(&options, &error));
    cr_expect_eq(error.code, ERROR_BAD_INPUT);
    char path[300];
    snprintf(path, sizeof path, "%s/engines.json", test_folder());
    cr_expect_neq(access(path, F_OK), 0);
    arena_destroy(arena);
}
