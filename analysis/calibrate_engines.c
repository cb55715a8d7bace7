#include "analysis/calibrate_engines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analysis/calibrate_engine.h"
#include "analysis/progress.h"
#include "analysis/protocol_sides.h"
#include "analysis/validate_report.h"
#include "sim/out_file.h"

#define FOLDS          5
#define FIT_ITERATIONS 10

/* Points of one engine and weight format, side by side in calibration_run.points. */
struct engine_group {
    const char *engine;
    enum precision weights;
    size_t first, count;
    struct engine_fit fit;
};

struct calibration_run {
    const struct calibrate_engines *options;
    struct arena *arena;
    struct predictor *predictor;
    struct measured_point *points; /* those that are fitted, sorted by group */
    size_t count;
    struct engine_group *groups;
    size_t group_count;
    struct progress progress;
    struct prediction *fitted, *crossed, *left_out; /* [count]: of all, without its fold, system */
};

/* --- points and their groups --- */

/* Of most of the weights, as models/fleet/deployment.c has it. false for rows that are not known
 * well enough to be simulated. */
static bool row_format(const struct calibration_run *run, const struct measured_point *point,
                       enum precision *weights)
{
    const struct predictor *predictor = run->predictor;
    const struct gpu *gpu = protocol_gpu(predictor->hardware, point->system);
    const struct llm *llm = predictor_llm(predictor, point->model);
    struct protocol_sides sides;
    struct protocol_server *server = &sides.decode.server;
    if (!gpu || !llm ||
        !(point->disaggregated ? protocol_sides(point, gpu, &sides, NULL)
                               : protocol_server(point, gpu, server, NULL)))
        return false;
    *weights = llm->experts > 0 ? server->expert_weights : server->weights;
    return true;
}

/* Rows that may have run with speculative decoding would teach it to the constants. Of the
 * disaggregated ones the recipes say that they did not (analysis/protocol_sides.c); those with
 * thousands of clients take most of the time and are mostly about queues, so they are left out. */
static bool is_fit_for_fitting(const struct measured_point *point)
{
    const int64_t clients_max = 1024;
    return point->disaggregated ? point->concurrency <= clients_max
                                : !strstr(point->flag, "spec_decode_unknown");
}

static struct engine_group *find_group(struct calibration_run *run, const char *engine,
                                       enum precision weights)
{
    for (size_t i = 0; i < run->group_count; i++)
        if (strcasecmp(run->groups[i].engine, engine) == 0 && run->groups[i].weights == weights)
            return &run->groups[i];
    return NULL;
}

static int by_engine_and_format(const void *left, const void *right)
{
    const struct engine_group *a = left, *b = right;
    int order = strcasecmp(a->engine, b->engine);
    return order != 0 ? order : (int)a->weights - (int)b->weights;
}

static void list_groups(struct calibration_run *run, const struct config_list *rows)
{
    const struct measured_point *points = rows->items;
    run->groups = ARENA_ARRAY(run->arena, rows->count, struct engine_group);
    for (size_t i = 0; i < rows->count; i++) {
        enum precision weights;
        if (is_fit_for_fitting(&points[i]) && row_format(run, &points[i], &weights) &&
            !find_group(run, protocol_constants(&points[i]), weights))
            run->groups[run->group_count++] =
                (struct engine_group){.engine = protocol_constants(&points[i]), .weights = weights};
    }
    qsort(run->groups, run->group_count, sizeof *run->groups, by_engine_and_format);
}

static void sort_points(struct calibration_run *run, const struct config_list *rows)
{
    const struct measured_point *points = rows->items;
    run->points = ARENA_ARRAY(run->arena, rows->count, struct measured_point);
    for (size_t g = 0; g < run->group_count; g++) {
        struct engine_group *group = &run->groups[g];
        group->first = run->count;
        for (size_t i = 0; i < rows->count; i++) {
            enum precision weights;
            if (is_fit_for_fitting(&points[i]) && row_format(run, &points[i], &weights) &&
                find_group(run, protocol_constants(&points[i]), weights) == group)
                run->points[run->count++] = points[i];
        }
        group->count = run->count - group->first;
    }
}

static bool is_listed(const struct config_list *names, const char *name)
{
    const char *const *items = names->items;
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(items[i], name) == 0)
            return true;
    return false;
}

/* Each GPU of the group's rows, in the catalogue's order. */
static struct config_list group_gpus(struct calibration_run *run, const struct engine_group *group)
{
    const struct hardware *hardware = run->predictor->hardware;
    const char **seen = ARENA_ARRAY(run->arena, group->count, const char *);
    const char **names = ARENA_ARRAY(run->arena, hardware->gpu_count, const char *);
    struct config_list all = {seen, group->count}, listed = {names, 0};
    for (size_t i = 0; i < group->count; i++)
        seen[i] = protocol_gpu(hardware, run->points[group->first + i].system)->name;
    for (size_t i = 0; i < hardware->gpu_count; i++)
        if (is_listed(&all, hardware->gpus[i].name))
            names[listed.count++] = hardware->gpus[i].name;
    return listed;
}

/* Where a group's fit begins. Prefill and decode apart add to a request's way a second worker, and
 * what the two tell each other before a cache moves. */
static struct step_constants first_constants(const struct calibration_run *run,
                                             const struct engine_group *group)
{
    const double handover_s = 0.1;
    struct step_constants constants = fit_usual_constants();
    if (run->points[group->first].disaggregated)
        constants.request_s += handover_s;
    return constants;
}

/* One entry for each group, with the usual constants; entries of no group stay as they were. */
static void add_entries(struct calibration_run *run)
{
    struct engine_calibration *entries =
        ARENA_ARRAY(run->arena, run->group_count + 1, struct engine_calibration);
    for (size_t g = 0; g < run->group_count; g++)
        entries[g] = (struct engine_calibration){.engine = run->groups[g].engine,
                                                 .weights = (int)run->groups[g].weights,
                                                 .gpus = group_gpus(run, &run->groups[g]),
                                                 .constants = first_constants(run, &run->groups[g]),
                                                 .source = run->options->source,
                                                 .tpot_error = NAN,
                                                 .ttft_error = NAN,
                                                 .unseen_system_tpot_error = NAN,
                                                 .unseen_system_ttft_error = NAN};
    calibration_put_engines(run->predictor->calibration, entries, run->group_count);
}

static bool prepare(struct calibration_run *run, struct error *error)
{
    struct config_list rows = {0};
    /* Before the fits, which may take an hour. */
    if (run->options->output && !out_folder_make(run->options->output, error))
        return false;
    for (size_t i = 0; i < run->options->file_count; i++)
        if (!points_read(run->options->files[i], run->arena, &rows, error))
            return false;
    run->predictor = predictor_create(run->options->catalog, error);
    if (!run->predictor)
        return false;
    list_groups(run, &rows);
    sort_points(run, &rows);
    add_entries(run);
    run->fitted = ARENA_ARRAY(run->arena, run->count, struct prediction);
    run->crossed = ARENA_ARRAY(run->arena, run->count, struct prediction);
    run->left_out = ARENA_ARRAY(run->arena, run->count, struct prediction);
    return run->count > 0 || error_set(error, ERROR_BAD_INPUT, "no point can be fitted");
}

/* --- fits --- */

static bool predict_rows(struct calibration_run *run, const struct measured_point *points,
                         size_t count, struct prediction *predictions, struct error *error)
{
    const struct predict_options options = {
        .threads = run->options->threads, .proceed = progress_points, .context = &run->progress};
    return predict_points(run->predictor, points, count, &options, predictions, error);
}

static struct engine_calibration *entry_of(struct calibration_run *run,
                                           const struct engine_group *group)
{
    return calibration_own_engine(run->predictor->calibration, group->engine, group->weights);
}

/* Workers that only prefill have kernels of their own (no CUDA graphs, no overlapped scheduling),
 * and ranks whose experts are unevenly loaded: their constants may be far from usual. */
static struct engine_fit_options fit_options(struct calibration_run *run,
                                             const struct engine_group *group)
{
    double prefill_spread = run->points[group->first].disaggregated ? 4 : 1;
    return (struct engine_fit_options){.threads = run->options->threads,
                                       .iterations = FIT_ITERATIONS,
                                       .prefill_spread = prefill_spread,
                                       .proceed = progress_points,
                                       .context = &run->progress};
}

/* Which part of the rows a row belongs to: it is predicted by constants fitted without its part. */
struct part {
    size_t (*of)(const struct measured_point *point, size_t parts);
    size_t parts, held;
};

static bool is_held(const struct part *part, const struct measured_point *point)
{
    return part && part->of(point, part->parts) == part->held;
}

/* Some of the rows, and where they come from. */
struct rows {
    struct measured_point *points;
    size_t *places; /* in calibration_run.points */
    size_t count;
};

/* Those of rows first to end that are held out, or those that are kept. */
static struct rows select_rows(const struct calibration_run *run, size_t first, size_t end,
                               const struct part *part, bool held, struct arena *arena)
{
    struct rows rows = {.points = ARENA_ARRAY(arena, end - first, struct measured_point),
                        .places = ARENA_ARRAY(arena, end - first, size_t)};
    for (size_t i = first; i < end; i++)
        if (is_held(part, &run->points[i]) == held) {
            rows.points[rows.count] = run->points[i];
            rows.places[rows.count++] = i;
        }
    return rows;
}

/* Fits a group's constants to the rows that are kept, from the usual values; where none are, these
 * stay. */
static bool fit_group(struct calibration_run *run, struct engine_group *group,
                      const struct part *part, struct error *error)
{
    struct arena *arena = arena_create();
    struct rows rows =
        select_rows(run, group->first, group->first + group->count, part, false, arena);
    struct engine_calibration *entry = entry_of(run, group);
    entry->constants = first_constants(run, group);
    const struct engine_fit_options options = fit_options(run, group);
    bool done = rows.count == 0 || engine_fit_run(run->predictor, entry, rows.points, rows.count,
                                                  &options, &group->fit, error);
    if (!part)
        entry->points = (int64_t)group->fit.covered;
    arena_destroy(arena);
    return done;
}

/* With a part held out, groups that have none of it need no fit: nobody will ask them. */
static bool needs_fit(const struct calibration_run *run, const struct engine_group *group,
                      const struct part *part)
{
    bool needed = part == NULL;
    for (size_t i = 0; !needed && i < group->count; i++)
        needed = is_held(part, &run->points[group->first + i]);
    return needed;
}

static bool fit_all_groups(struct calibration_run *run, const struct part *part,
                           struct error *error)
{
    for (size_t g = 0; g < run->group_count; g++)
        if (needs_fit(run, &run->groups[g], part) && !fit_group(run, &run->groups[g], part, error))
            return false;
    return true;
}

/* Fits without the part, and predicts it. */
static bool cross_part(struct calibration_run *run, const struct part *part, struct prediction *out,
                       struct error *error)
{
    struct arena *arena = arena_create();
    struct rows held = select_rows(run, 0, run->count, part, true, arena);
    struct prediction *predictions = ARENA_ARRAY(arena, held.count, struct prediction);
    bool done = held.count == 0 || (fit_all_groups(run, part, error) &&
                                    predict_rows(run, held.points, held.count, predictions, error));
    for (size_t i = 0; done && i < held.count; i++)
        out[held.places[i]] = predictions[i];
    arena_destroy(arena);
    return done;
}

/* Leaves the entries as they are. */
static bool cross_validate(struct calibration_run *run, struct part part, struct prediction *out,
                           struct error *error)
{
    struct calibration *calibration = run->predictor->calibration;
    size_t size = calibration->engine_count * sizeof *calibration->engines;
    struct engine_calibration *whole = malloc(size);
    if (!whole)
        return error_set(error, ERROR_FAILED, "out of memory");
    memcpy(whole, calibration->engines, size);
    bool done = true;
    for (part.held = 0; done && part.held < part.parts; part.held++)
        done = cross_part(run, &part, out, error);
    memcpy(calibration->engines, whole, size);
    free(whole);
    return done;
}

static size_t fold_of(const struct measured_point *point, size_t parts)
{
    const char *name = point->group[0] ? point->group : point->id;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    return (size_t)((hash >> 20) % parts);
}

static const char *const systems[] = {"h100_sxm", "h200_sxm", "b200_sxm", "b300_sxm"};
enum { SYSTEMS = sizeof systems / sizeof *systems + 1 }; /* and all others */

static size_t system_of(const struct measured_point *point, size_t parts)
{
    size_t i = 0;
    while (i + 1 < parts && strcasecmp(point->system, systems[i]) != 0)
        i++;
    return i;
}

/* --- report --- */

/* Mean |predicted / measured - 1| of the group's rows. */
static void take_group_errors(struct calibration_run *run, const struct engine_group *group,
                              const struct prediction *predictions, double *tpot, double *ttft)
{
    struct validation validation;
    validation_compute(&validation, &run->points[group->first], &predictions[group->first],
                       group->count, run->arena);
    *tpot = validation.all.metric[METRIC_TPOT].mape / 100;
    *ttft = validation.all.metric[METRIC_TTFT].mape / 100;
}

static void take_errors(struct calibration_run *run)
{
    for (size_t g = 0; g < run->group_count; g++) {
        const struct engine_group *group = &run->groups[g];
        struct engine_calibration *entry = entry_of(run, group);
        take_group_errors(run, group, run->crossed, &entry->tpot_error, &entry->ttft_error);
        take_group_errors(run, group, run->left_out, &entry->unseen_system_tpot_error,
                          &entry->unseen_system_ttft_error);
    }
}

static void print_constants(struct calibration_run *run)
{
    printf("\n%-22s", "constant");
    for (size_t g = 0; g < run->group_count; g++)
        printf(" %16.16s", arena_printf(run->arena, "%s %s", run->groups[g].engine,
                                        precision_names[run->groups[g].weights]));
    for (size_t i = 0; i < FIT_CONSTANTS_MAX; i++) {
        double unit = fit_constants[i].scale ? 1 : 1e6;
        printf("\n%-22s", arena_printf(run->arena, "%s%s", fit_constants[i].name,
                                       fit_constants[i].scale ? "" : " (us)"));
        for (size_t g = 0; g < run->group_count; g++) {
            double fitted = fit_constant_value(&entry_of(run, &run->groups[g])->constants, i);
            printf(" %8.4g +-%6.2g", fitted * unit, run->groups[g].fit.errors[i] * unit);
        }
    }
    printf("\n%-22s", "misfit");
    for (size_t g = 0; g < run->group_count; g++)
        printf(" %16.3f", sqrt(2 * run->groups[g].fit.cost / (double)run->groups[g].count));
    printf("\n%-22s", "points");
    for (size_t g = 0; g < run->group_count; g++)
        printf(" %16zu", run->groups[g].count);
    puts("");
}

static void print_validation(struct calibration_run *run, const char *title,
                             const struct prediction *predictions)
{
    struct validation validation;
    validation_compute(&validation, run->points, predictions, run->count, run->arena);
    printf("\n== %s\n\n", title);
    validate_report_print(&validation, stdout);
}

static bool write_if_asked(struct calibration_run *run, struct error *error)
{
    return !run->options->output ||
           calibration_write_engines(run->predictor->calibration, run->options->output, error);
}

/* Constants of a group of which no row can be simulated would be those that the fit began with. */
static bool check_simulated(const struct calibration_run *run, struct error *error)
{
    for (size_t g = 0; g < run->group_count; g++) {
        const struct engine_group *group = &run->groups[g];
        const struct measured_point *row = &run->points[group->first];
        if (group->fit.covered == 0)
            return error_at(error, ERROR_BAD_INPUT, row->file, row->line, NULL,
                            "no row of %s in %s can be simulated; this one: %s", group->engine,
                            precision_names[group->weights], run->fitted[group->first].reason);
    }
    return true;
}

static bool fit_all(struct calibration_run *run, struct error *error)
{
    if (!fit_all_groups(run, NULL, error) ||
        !predict_rows(run, run->points, run->count, run->fitted, error) ||
        !check_simulated(run, error))
        return false;
    print_constants(run);
    print_validation(run, "all points, fitted on all of them", run->fitted);
    return write_if_asked(run, error);
}

/* And once more written, with the errors that it found. */
static bool cross_all(struct calibration_run *run, struct error *error)
{
    if (!cross_validate(run, (struct part){fold_of, FOLDS, 0}, run->crossed, error))
        return false;
    print_validation(run, "each point by constants fitted without its group", run->crossed);
    if (!cross_validate(run, (struct part){system_of, SYSTEMS, 0}, run->left_out, error))
        return false;
    print_validation(run, "each point by constants fitted without its GPU system", run->left_out);
    take_errors(run);
    return write_if_asked(run, error);
}

bool calibrate_engines(const struct calibrate_engines *options, struct error *error)
{
    struct calibration_run run = {.options = options, .arena = arena_create()};
    progress_begin(&run.progress, options->quiet);
    bool done = prepare(&run, error) && fit_all(&run, error) &&
                (options->fit_only || cross_all(&run, error));
    progress_end(&run.progress);
    predictor_destroy(run.predictor);
    arena_destroy(run.arena);
    return done;
}
