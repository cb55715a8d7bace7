#include "analysis/validate.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/options.h"
#include "analysis/plot_validate.h"
#include "analysis/predict_steps.h"
#include "analysis/progress.h"
#include "analysis/validate_profile.h"
#include "analysis/validate_report.h"
#include "analysis/validate_requests.h"
#include "models/catalog_path.h"
#include "models/fleet/deployment.h"
#include "sim/out_file.h"

/* Three plots of three files, and what stands beside them. */
enum { FILES_MAX = 16 };

struct validate_options {
    const char *output;
    double threads; /* NaN: as many as there are cores */
    bool json, no_plots, quiet;
    bool steps;                  /* the files hold single iterations */
    const char *requests, *runs; /* a run, request by request, in place of points */
    struct replay_options replay;
};

struct validate_run {
    const struct validate_options *options;
    const char *const *command; /* argv, for the manifest */
    size_t command_count;
    const struct option_texts *files;
    struct arena *arena;
    const char *folder; /* of the results; NULL: none are written */
    double wall_s;
    struct config_list points;
    struct validation validation;
    const char *written[FILES_MAX]; /* in the folder */
    size_t written_count;
};

/* --- files --- */

static void note_written(struct validate_run *run, const char *name)
{
    assert(run->written_count < FILES_MAX);
    run->written[run->written_count++] = name;
}

static const char *result_path(struct validate_run *run, const char *name)
{
    note_written(run, name);
    return arena_printf(run->arena, "%s/%s", run->folder, name);
}

static bool write_csv(struct validate_run *run, struct error *error)
{
    struct out_file *file = out_file_open(result_path(run, "points.csv"), error);
    if (!file)
        return false;
    validate_report_put_csv(&run->validation, out_file_stream(file));
    return out_file_commit(file, error);
}

static void put_texts(struct json_writer *writer, const char *key, const char *const *texts,
                      size_t count)
{
    json_begin_list(writer, key);
    for (size_t i = 0; i < count; i++)
        json_put_string(writer, NULL, texts[i]);
    json_end_list(writer);
}

static bool write_manifest(struct validate_run *run, struct error *error)
{
    const char *path = result_path(run, "manifest.json");
    struct json_writer *writer = json_writer_create();
    json_begin_object(writer, NULL);
    json_put_string(writer, "version", TOKENYARD_VERSION);
    put_texts(writer, "command", run->command, run->command_count);
    put_texts(writer, "points", run->files->items, run->files->count);
    json_put_bool(writer, "interrupted", run->validation.pending > 0);
    put_texts(writer, "files", run->written, run->written_count);
    json_begin_object(writer, "simulator");
    json_put_number(writer, "wall_s", run->wall_s);
    json_put_number(writer, "cpu_s", progress_cpu_s());
    json_put_integer(writer, "peak_rss_bytes", (int64_t)progress_peak_rss_bytes());
    json_end_object(writer);
    json_end_object(writer);
    bool done = json_writer_save(writer, path, error);
    json_writer_destroy(writer);
    return done;
}

static bool draw(struct validate_run *run, struct error *error)
{
    struct plots_outcome outcome;
    const char *folder = arena_printf(run->arena, "%s/plots", run->folder);
    if (!plot_validation(folder, &run->validation, &outcome, error))
        return false;
    for (size_t i = 0; i < outcome.count; i++) {
        note_written(run, arena_printf(run->arena, "plots/%s.dat", outcome.names[i]));
        note_written(run, arena_printf(run->arena, "plots/%s.gp", outcome.names[i]));
        if (outcome.drawn)
            note_written(run, arena_printf(run->arena, "plots/%s.svg", outcome.names[i]));
    }
    if (outcome.count > 0 && !outcome.drawn)
        fprintf(stderr, "note: %s: no pictures were drawn\n", outcome.why);
    return true;
}

static bool write_results(struct validate_run *run, const struct json_writer *report,
                          struct error *error)
{
    return out_folder_make(run->folder, error) &&
           json_writer_save(report, result_path(run, "validate.json"), error) &&
           write_csv(run, error) && (run->options->no_plots || draw(run, error)) &&
           write_manifest(run, error);
}

/* --- the command --- */

/* Single iterations: read, predicted and kept as points. */
static bool predict_steps(struct validate_run *run, const char *catalog,
                          struct predictor *predictor, struct error *error)
{
    struct config_list steps = {0};
    for (size_t i = 0; i < run->files->count; i++)
        if (!steps_read(run->files->items[i], predictor->hardware, catalog, run->arena, &steps,
                        error))
            return false;
    struct step_plan plan;
    run->points = (struct config_list){steps_points(&steps, run->arena), steps.count};
    struct prediction *predictions = ARENA_ARRAY(run->arena, steps.count, struct prediction);
    if (!step_plan_prepare(&plan, predictor, &steps, run->arena, error) ||
        !step_plan_predict(&plan, NULL, predictions, error))
        return false;
    validation_compute(&run->validation, run->points.items, predictions, steps.count, run->arena);
    return true;
}

static bool read_points(struct validate_run *run, struct error *error)
{
    for (size_t i = 0; i < run->files->count; i++)
        if (!points_read(run->files->items[i], run->arena, &run->points, error))
            return false;
    return run->points.count > 0 ||
           error_at(error, ERROR_BAD_INPUT, run->files->items[0], 0, NULL, "holds no points");
}

static bool load_profile(const struct validate_run *run, struct predictor *predictor,
                         struct error *error)
{
    const char *folder = run->options->replay.profile;
    if (!folder)
        return true;
    progress_say(run->options->quiet, arena_printf(run->arena, "fitting the tables of %s", folder));
    bool loaded = validate_profile_load(folder, predictor, &run->points, error);
    progress_say(run->options->quiet, NULL);
    return loaded;
}

static bool predict_servers(struct validate_run *run, struct predictor *predictor,
                            struct error *error)
{
    if (!read_points(run, error) || !load_profile(run, predictor, error))
        return false;
    struct step_time_profile profile = {.path = run->options->replay.profile};
    const struct config_variant measured = {STEP_TIME_PROFILE, &profile};
    const struct measured_point *points = run->points.items;
    size_t count = run->points.count;
    struct prediction *predictions = ARENA_ARRAY(run->arena, count, struct prediction);
    struct progress progress;
    struct predict_options options = {
        .threads = isnan(run->options->threads) ? 0 : (size_t)run->options->threads,
        .step_time = profile.path ? &measured : NULL,
        .proceed = progress_points,
        .context = &progress};
    progress_begin(&progress, run->options->quiet);
    bool done = predict_points(predictor, points, count, &options, predictions, error);
    progress_end(&progress);
    run->wall_s = progress_wall_s() - progress.began_s;
    if (done)
        validation_compute(&run->validation, points, predictions, count, run->arena);
    return done;
}

static bool report(struct validate_run *run, struct error *error)
{
    struct json_writer *writer = json_writer_create();
    validate_report_put(writer, &run->validation);
    bool done = !run->folder || write_results(run, writer, error);
    if (done && run->options->json)
        fputs(json_writer_text(writer, NULL), stdout);
    json_writer_destroy(writer);
    if (done && !run->options->json && !run->options->quiet) {
        validate_report_print(&run->validation, stdout);
        printf("\nResults are in %s.\n", run->folder);
    }
    return done;
}

static bool validate(struct validate_run *run, struct error *error)
{
    const char *catalog = catalog_path(run->arena, error);
    if (!catalog)
        return false;
    struct predictor *predictor = predictor_create(catalog, error);
    bool done = predictor && (run->options->steps ? predict_steps(run, catalog, predictor, error)
                                                  : predict_servers(run, predictor, error));
    predictor_destroy(predictor);
    if (!done || !report(run, error))
        return false;
    return run->validation.pending == 0 ||
           error_set(error, ERROR_INTERRUPTED, "interrupted with %zu of %zu points left",
                     run->validation.pending, run->validation.count);
}

/* results/<name of the first file>, as `run` has it for scenarios. */
static const char *default_folder(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    int length = (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name));
    return arena_printf(arena, "results/%.*s", length, name);
}

static bool check_threads(double threads, struct error *error)
{
    const double most = 1024;
    return isnan(threads) || (threads >= 1 && threads <= most && threads == floor(threads)) ||
           error_set(error, ERROR_USAGE, "--threads takes a whole number from 1 to %g", most);
}

/* --requests in place of points. */
static bool validate_run_of_requests(const struct validate_options *options,
                                     const struct option_texts *words, struct error *error)
{
    if (words->count > 0)
        return error_set(error, ERROR_USAGE, "--requests %s goes without points, but there is %s",
                         options->requests, words->items[0]);
    if (options->steps)
        return error_set(error, ERROR_USAGE, "--steps does not go with --requests");
    struct arena *arena = arena_create();
    struct validate_requests_options run = {
        .requests = options->requests,
        .runs = options->runs,
        .output = options->output ? options->output
                  : options->json ? NULL
                                  : default_folder(arena, options->requests),
        .replay = options->replay,
        .json = options->json,
        .plots = !options->no_plots,
        .quiet = options->quiet};
    bool done = validate_requests(&run, error);
    arena_destroy(arena);
    return done;
}

/* What is only said of a run of requests. */
static bool check_points(const struct validate_options *options, const struct option_texts *words,
                         struct error *error)
{
    if (words->count == 0) {
        error_set(error, ERROR_USAGE, "there is nothing to validate");
        return error_hint(error, "usage: tokenyard validate POINTS.csv [POINTS.csv...], or "
                                 "tokenyard validate --requests RUN.csv");
    }
    const struct replay_options *replay = &options->replay;
    if (options->steps && replay->profile)
        return error_set(error, ERROR_USAGE, "--profile does not go with --steps");
    if (options->runs || !isnan(replay->link_gb_s) || !isnan(replay->link_latency_us))
        return error_set(error, ERROR_USAGE,
                         "--runs and --link-... go with --requests: points are of many servers");
    return check_threads(options->threads, error);
}

bool validate_command(int argc, char *const argv[], struct error *error)
{
    struct validate_options options = {.threads = NAN,
                                       .replay = {.link_gb_s = NAN, .link_latency_us = NAN}};
    const struct option table[] = {
        {"output", 'o', OPTION_TEXT, &options.output, "DIR",
         "result directory (default results/<points>; with --json: none)"},
        {"json", 0, OPTION_FLAG, &options.json, NULL, "print the statistics as JSON"},
        {"threads", 'j', OPTION_NUMBER, &options.threads, "N",
         "threads to use (default: one per core); changes no result"},
        {"requests", 0, OPTION_TEXT, &options.requests, "RUN.csv",
         "compare a run request by request, in place of points"},
        {"runs", 0, OPTION_TEXT, &options.runs, "FILE",
         "with --requests: which server that was (default runs.csv beside it)"},
        {"profile", 0, OPTION_TEXT, &options.replay.profile, "DIR",
         "your own operator tables of the points' GPU; with --requests, or its layers"},
        {"link-gb-s", 0, OPTION_NUMBER, &options.replay.link_gb_s, "N",
         "with --requests: what the link between its GPUs reached"},
        {"link-latency-us", 0, OPTION_NUMBER, &options.replay.link_latency_us, "N",
         "with --requests: the least that an all-reduce takes"},
        {"steps", 0, OPTION_FLAG, &options.steps, NULL,
         "the files are of single iterations, not of servers under load"},
        {"no-plots", 0, OPTION_FLAG, &options.no_plots, NULL, "draw nothing"},
        {"quiet", 'q', OPTION_FLAG, &options.quiet, NULL, "print no table and no progress"},
        {0}};
    const struct command command = {
        .usage = "validate POINTS.csv [POINTS.csv...] [--profile DIR] [options]\n"
                 "       tokenyard validate --steps STEPS.csv [STEPS.csv...] [options]\n"
                 "       tokenyard validate --requests RUN.csv [--profile DIR] [options]",
        .doc = "Simulates measured servers, row by row as they were measured, and reports how far "
               "off\nthe simulation is.",
        .words_min = 0,
        .words_max = OPTION_TEXTS_MAX,
        .options = table};
    struct option_texts words;
    bool help;
    if (!options_parse(&command, argc, argv, &words, &help, error) || help)
        return help;
    if (options.requests)
        return validate_run_of_requests(&options, &words, error);
    if (!check_points(&options, &words, error))
        return false;
    struct arena *arena = arena_create();
    struct validate_run run = {.options = &options,
                               .command = options_command_line(arena, "validate", argc, argv),
                               .command_count = (size_t)argc + 2,
                               .files = &words,
                               .arena = arena,
                               .folder = options.output ? options.output
                                         : options.json ? NULL
                                                        : default_folder(arena, words.items[0])};
    bool done = validate(&run, error);
    arena_destroy(arena);
    return done;
}
