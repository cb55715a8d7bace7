#include "analysis/run.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/money_report.h"
#include "analysis/options.h"
#include "analysis/progress.h"
#include "analysis/run_report.h"
#include "analysis/table.h"
#include "scenarios/scenario.h"

/* What the command line says. */
struct run_options {
    const char *output;
    const char *profile; /* folder; NULL: as the scenario says */
    struct option_texts sets;
    double seed;                     /* NaN: the scenario's */
    char seed_set[64];               /* the same as an assignment, among the sets */
    char profile_set[PATH_MAX + 80]; /* likewise */
    bool stepwise, json, requests, trace, no_plots, print_config, require_slo, quiet;
};

/* --- what the report is told --- */

struct pool_facts *run_pool_facts(const struct scenario *scenario)
{
    const struct scenario_pool *pools = scenario->config.pools.items;
    struct pool_facts *facts =
        ARENA_ARRAY(scenario->arena, scenario->pool_count, struct pool_facts);
    for (size_t i = 0; i < scenario->pool_count; i++) {
        const struct deployment *deployment = &scenario->deployments[i];
        /* Data-parallel ranks are simulated, and reported, as replicas. */
        facts[i] =
            (struct pool_facts){.gpu = deployment->gpu_names,
                                .instance = pools[i].instance,
                                .gpus_per_replica = deployment->gpus / deployment->attention_dp,
                                .basis = &deployment->basis};
    }
    return facts;
}

static void add_note(struct catalogue_note *notes, size_t *count, struct catalogue_note note)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(notes[i].kind, note.kind) == 0 && strcmp(notes[i].name, note.name) == 0)
            return;
    notes[(*count)++] = note;
}

static void add_basis_notes(struct catalogue_note *notes, size_t *count,
                            const struct deployment *deployment, struct arena *arena)
{
    const struct deployment_basis *basis = &deployment->basis;
    char engine[BASIS_TEXT_SIZE];
    if (!basis->engine)
        return;
    bool own = basis->kernels.basis == OPERATORS_USER;
    add_note(notes, count,
             (struct catalogue_note){"kernels", own ? basis->kernels.source : deployment->gpu->name,
                                     basis->kernels.known, basis->kernels.source});
    add_note(notes, count,
             (struct catalogue_note){
                 "engine", arena_printf(arena, "%s", deployment_basis_engine(basis, engine)),
                 basis->engine->points == 0
                     ? "not calibrated: carried over"
                     : arena_printf(arena, "calibrated: constants fitted on %lld measured points",
                                    (long long)basis->engine->points),
                 basis->engine->source});
}

/* Each catalogue entry the run used, once. */
static struct catalogue_note *catalogue_notes(const struct scenario *scenario, size_t *count)
{
    struct catalogue_note *notes = ARENA_ARRAY(
        scenario->arena, 4 * scenario->pool_count + scenario->model_count, struct catalogue_note);
    *count = 0;
    for (size_t i = 0; i < scenario->model_count; i++) {
        const struct llm *llm = scenario->models[i].llm;
        add_note(notes, count, (struct catalogue_note){"model", llm->name, NULL, llm->file});
    }
    for (size_t i = 0; i < scenario->pool_count; i++) {
        const struct gpu *gpu = scenario->deployments[i].gpu;
        add_note(notes, count, (struct catalogue_note){"gpu", gpu->name, gpu->known, gpu->source});
        add_basis_notes(notes, count, &scenario->deployments[i], scenario->arena);
        add_note(notes, count,
                 (struct catalogue_note){"price", scenario->pools[i].name, NULL,
                                         scenario->prices[i].source});
    }
    return notes;
}

/* --- the run --- */

struct run {
    const struct run_options *options;
    const struct scenario *scenario;
    const char *folder; /* of the results; NULL: none are written */
    cJSON *resolved;
    struct simulation_spec spec;
    struct run_facts facts;
    struct progress progress;
    struct run_report *report; /* NULL where folder is */
    struct simulation_result result;
    struct simulator_figures figures;
};

const char *run_default_folder(const struct scenario *scenario)
{
    const char *slash = strrchr(scenario->path, '/');
    const char *name = slash ? slash + 1 : scenario->path;
    const char *dot = strrchr(name, '.');
    int length = (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name));
    return arena_printf(scenario->arena, "results/%.*s", length, name);
}

static bool draws_plots(const struct run *run)
{
    return run->scenario->config.output.plots && !run->options->no_plots;
}

static bool open_report(struct run *run, int argc, char *const argv[], struct error *error)
{
    const struct scenario_output *output = &run->scenario->config.output;
    size_t note_count;
    const struct catalogue_note *notes = catalogue_notes(run->scenario, &note_count);
    struct run_report_request request = {
        .folder = run->folder,
        .facts = run->facts,
        .requests = output->requests || run->options->requests,
        .trace = output->trace || run->options->trace,
        .plots = draws_plots(run),
        .timeline_interval_s = output->timeline_interval_s,
        .command = options_command_line(run->scenario->arena, "run", argc, argv),
        .command_count = (size_t)argc + 2,
        .scenario = run->resolved,
        .billed = run->scenario,
        .notes = notes,
        .note_count = note_count,
        .proceed = progress_proceed,
        .proceed_context = &run->progress};
    run->report = run_report_open(&request, error);
    if (run->report)
        run_report_observe(run->report, &run->spec);
    return run->report != NULL;
}

static bool simulate(struct run *run, struct error *error)
{
    progress_begin(&run->progress, run->options->quiet);
    bool done = simulation_run(&run->spec, &run->result, error);
    progress_end(&run->progress);
    run->figures = (struct simulator_figures){.cpu_s = progress_cpu_s(),
                                              .wall_s = progress_wall_s() - run->progress.began_s,
                                              .peak_rss_bytes = progress_peak_rss_bytes()};
    return done;
}

static void print_json(const struct run *run, const struct summary *summary)
{
    struct json_writer *writer = json_writer_create();
    summary_put(writer, NULL, summary, &run->figures);
    fputs(json_writer_text(writer, NULL), stdout);
    json_writer_destroy(writer);
}

/* What was found, rather than said, should be seen. */
static void print_prices(const struct scenario *scenario)
{
    const struct scenario_pool *pools = scenario->config.pools.items;
    for (size_t i = 0; i < scenario->pool_count; i++)
        if (!pools[i].instance && isnan(pools[i].usd_per_gpu_hour))
            printf("\npool %s is priced %s\n", pools[i].name, scenario->prices[i].source);
}

static void print_results(const struct run *run, const struct summary *summary)
{
    bool for_people = !run->options->json && !run->options->quiet;
    if (run->options->json)
        print_json(run, summary);
    if (for_people) {
        table_print(summary, stdout);
        print_prices(run->scenario);
    }
    if (!run->report)
        return;
    const char *notice;
    for (size_t i = 0; (notice = run_report_notice(run->report, i)) != NULL; i++)
        fprintf(stderr, "note: %s\n", notice);
    if (for_people)
        printf("\nResults are in %s%s.\n", run->folder,
               draws_plots(run) ? ", figures in its plots folder" : "");
}

/* What is left to say when all is written: was it stopped, were the SLOs kept? */
static bool judge(const struct run *run, const struct summary *summary, struct error *error)
{
    if (run->result.interrupted) {
        error_set(error, ERROR_INTERRUPTED, "interrupted at %.3f s of simulated time",
                  run->result.end_s);
        return error_hint(error, "what is reported covers the time until then");
    }
    if (run->options->require_slo && !summary->slo_kept)
        return error_set(error, ERROR_SLO_MISSED, "an SLO was missed");
    return true;
}

static bool finish(struct run *run, struct error *error)
{
    struct summary *own = NULL;
    const struct summary *summary;
    if (run->report) {
        if (!run_report_finish(run->report, &run->result, &run->figures, error))
            return false;
        summary = run_report_summary(run->report);
    } else {
        summary = own = summary_create(&run->facts, &run->result);
        if (!money_report_make(own, run->scenario, &run->result, NULL, error)) {
            summary_destroy(own);
            return false;
        }
    }
    print_results(run, summary);
    bool kept = judge(run, summary, error);
    summary_destroy(own);
    return kept;
}

static bool run_scenario(struct run *run, int argc, char *const argv[], struct error *error)
{
    if (run->scenario->pool_count == 0) {
        json_error(run->scenario->document, "", error, "the scenario has no pools to run on");
        return error_hint(error, "give \"pools\", or let `tokenyard plan` find them");
    }
    run->spec = scenario_spec(run->scenario, 0);
    run->spec.stepwise = run->options->stepwise;
    run->spec.observer.proceed = progress_proceed;
    run->spec.observer.context = &run->progress;
    run->facts = (struct run_facts){.scenario = run->scenario->config.name,
                                    .spec = &run->spec,
                                    .pools = run_pool_facts(run->scenario)};
    run->folder = run->options->output ? run->options->output
                  : run->options->json ? NULL
                                       : run_default_folder(run->scenario);
    run->spec.source = scenario_open_source(run->scenario, 0, error);
    if (!run->spec.source)
        return false;
    bool done = (!run->folder || open_report(run, argc, argv, error)) && simulate(run, error) &&
                finish(run, error);
    source_destroy(run->spec.source);
    simulation_result_free(&run->result);
    run_report_close(run->report);
    return done;
}

static void print_config(const struct run *run)
{
    struct json_writer *writer = json_writer_create();
    json_put_tree(writer, NULL, run->resolved);
    fputs(json_writer_text(writer, NULL), stdout);
    json_writer_destroy(writer);
}

/* --- the command --- */

static bool add_set(struct run_options *options, const char *set, struct error *error)
{
    if (options->sets.count == OPTION_TEXTS_MAX)
        return error_set(error, ERROR_USAGE, "too many --set");
    options->sets.items[options->sets.count++] = set;
    return true;
}

static bool set_seed(struct run_options *options, struct error *error)
{
    if (isnan(options->seed))
        return true;
    snprintf(options->seed_set, sizeof options->seed_set, "seed=%.17g", options->seed);
    return add_set(options, options->seed_set, error);
}

/* Relative to the current folder, while paths in a scenario are relative to it. */
static bool set_profile(struct run_options *options, struct error *error)
{
    char path[PATH_MAX];
    if (!options->profile)
        return true;
    if (!realpath(options->profile, path))
        return error_at(error, ERROR_BAD_INPUT, options->profile, 0, NULL, "%s", strerror(errno));
    cJSON *text = cJSON_CreateString(path);
    char *quoted = cJSON_PrintUnformatted(text);
    snprintf(options->profile_set, sizeof options->profile_set,
             "pools[0].step_time={\"kind\":\"profile\",\"path\":%s}", quoted);
    cJSON_free(quoted);
    cJSON_Delete(text);
    return add_set(options, options->profile_set, error);
}

static bool check_profile(const struct run_options *options, const struct scenario *scenario,
                          struct error *error)
{
    if (!options->profile || scenario->pool_count == 1)
        return true;
    error_set(error, ERROR_USAGE, "--profile is of one deployment, but the scenario has %zu pools",
              scenario->pool_count);
    return error_hint(error, "give the pool it belongs to a \"step_time\" of kind \"profile\"");
}

static struct scenario *read_scenario(const char *path, struct run_options *options,
                                      struct error *error)
{
    if (!set_seed(options, error) || !set_profile(options, error))
        return NULL;
    char line[PATH_MAX + 16];
    snprintf(line, sizeof line, "reading %s", path);
    progress_say(options->quiet, line); /* a user's operator tables take seconds to fit */
    struct scenario *scenario =
        scenario_read(path, options->sets.items, options->sets.count, error);
    progress_say(options->quiet, NULL);
    if (!scenario || check_profile(options, scenario, error))
        return scenario;
    scenario_free(scenario);
    return NULL;
}

bool run_command(int argc, char *const argv[], struct error *error)
{
    struct run_options options = {.seed = NAN};
    const struct option table[] = {
        {"output", 'o', OPTION_TEXT, &options.output, "DIR",
         "result directory (default results/<scenario>; with --json: none)"},
        {"set", 's', OPTION_TEXTS, &options.sets, "A.B[0].C=V",
         "change a value of the scenario; may be repeated"},
        {"profile", 0, OPTION_TEXT, &options.profile, "DIR",
         "step times from your own measurements, of layers or of operators"},
        {"seed", 0, OPTION_NUMBER, &options.seed, "N", "seed of the random streams"},
        {"json", 0, OPTION_FLAG, &options.json, NULL, "print the summary as JSON"},
        {"requests", 0, OPTION_FLAG, &options.requests, NULL,
         "write requests.h5, a row per request"},
        {"trace", 0, OPTION_FLAG, &options.trace, NULL, "write trace.json for ui.perfetto.dev"},
        {"no-plots", 0, OPTION_FLAG, &options.no_plots, NULL, "draw nothing"},
        {"stepwise", 0, OPTION_FLAG, &options.stepwise, NULL,
         "simulate every iteration singly (slow; gives the same result)"},
        {"print-config", 0, OPTION_FLAG, &options.print_config, NULL,
         "print the scenario as resolved, and stop"},
        {"require-slo", 0, OPTION_FLAG, &options.require_slo, NULL,
         "exit with 5 when an SLO is missed"},
        {"quiet", 'q', OPTION_FLAG, &options.quiet, NULL, "print no table and no progress"},
        {0}};
    const struct command command = {.usage = "run SCENARIO [options]",
                                    .doc = "Simulates a scenario and reports latency, SLO "
                                           "attainment, utilisation and money.",
                                    .words_min = 1,
                                    .words_max = 1,
                                    .options = table};
    struct option_texts words;
    bool help;
    if (!options_parse(&command, argc, argv, &words, &help, error) || help)
        return help;
    struct scenario *scenario = read_scenario(words.items[0], &options, error);
    if (!scenario)
        return false;
    struct run run = {
        .options = &options, .scenario = scenario, .resolved = scenario_to_json(scenario)};
    bool done = true;
    if (options.print_config)
        print_config(&run);
    else
        done = run_scenario(&run, argc, argv, error);
    cJSON_Delete(run.resolved);
    scenario_free(scenario);
    return done;
}
