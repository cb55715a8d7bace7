#include "analysis/compare_cmd.h"

#include <math.h>

#include "analysis/compare_report.h"
#include "analysis/options.h"
#include "analysis/progress.h"
#include "analysis/run.h"
#include "sim/out_file.h"

struct compare_options {
    const char *output;
    struct option_texts sets;
    double threads; /* NaN: one per core */
    bool json, quiet, no_plots;
};

struct compare_command {
    const struct compare_options *options;
    const struct scenario *scenario;
    const char *const *words; /* argv, with the program's and the command's name */
    size_t word_count;
    const char *folder; /* NULL: nothing is written */
    struct comparison comparison;
    struct plots_outcome plots;
};

static const char *file_in(const struct compare_command *command, const char *name)
{
    return arena_printf(command->scenario->arena, "%s/%s", command->folder, name);
}

static bool write_results(struct compare_command *command, struct error *error)
{
    struct json_writer *writer = json_writer_create();
    compare_put(writer, &command->comparison, command->words, command->word_count);
    bool done = out_folder_make(command->folder, error) &&
                compare_write_csv(file_in(command, "compare.csv"), &command->comparison, error) &&
                json_writer_save(writer, file_in(command, "compare.json"), error);
    json_writer_destroy(writer);
    if (!done || command->options->no_plots)
        return done;
    if (!compare_plot(file_in(command, "plots"), &command->comparison, &command->plots, error))
        return false;
    if (!command->plots.drawn)
        fprintf(stderr, "note: %s\n", command->plots.why);
    return true;
}

static void print_results(const struct compare_command *command)
{
    if (command->options->json) {
        struct json_writer *writer = json_writer_create();
        compare_put(writer, &command->comparison, command->words, command->word_count);
        fputs(json_writer_text(writer, NULL), stdout);
        json_writer_destroy(writer);
    } else if (!command->options->quiet) {
        compare_print(&command->comparison, stdout);
        printf("\nResults are in %s%s.\n", command->folder,
               command->plots.drawn ? ", figures in its plots folder" : "");
    }
}

static bool compare(struct compare_command *command, const char *path, struct error *error)
{
    const struct compare_options *options = command->options;
    struct progress progress;
    const struct compare_request request = {
        .path = path,
        .sets = options->sets.items,
        .set_count = options->sets.count,
        .threads = isnan(options->threads) ? 0 : (size_t)options->threads,
        .proceed = progress_points,
        .context = &progress};
    progress_begin(&progress, options->quiet);
    bool done = compare_run(command->scenario, &request, &command->comparison, error);
    progress_end(&progress);
    if (!done || (command->folder && !write_results(command, error)))
        return false;
    print_results(command);
    if (!command->comparison.interrupted)
        return true;
    error_set(error, ERROR_INTERRUPTED, "interrupted before all variants were simulated");
    return error_hint(error, "what is reported is whole");
}

static bool check(const struct compare_options *options, const struct scenario *scenario,
                  struct error *error)
{
    if (!isnan(options->threads) && !(options->threads >= 1 && options->threads <= 1024))
        return error_set(error, ERROR_USAGE, "--threads is a number from 1 to 1024");
    if (scenario->config.compare)
        return true;
    json_error(scenario->document, "", error, "the scenario has nothing to compare");
    return error_hint(error, "give it a \"compare\" with \"variants\", as scenarios/batching has");
}

static bool compare_scenario(const char *path, const struct compare_options *options, int argc,
                             char *const argv[], struct error *error)
{
    struct scenario *scenario =
        scenario_read(path, options->sets.items, options->sets.count, error);
    if (!scenario)
        return false;
    struct compare_command command = {
        .options = options,
        .scenario = scenario,
        .words = options_command_line(scenario->arena, "compare", argc, argv),
        .word_count = (size_t)argc + 2,
        .folder = options->output ? options->output
                  : options->json ? NULL
                                  : run_default_folder(scenario)};
    bool done = check(options, scenario, error) && compare(&command, path, error);
    scenario_free(scenario);
    return done;
}

bool compare_command(int argc, char *const argv[], struct error *error)
{
    struct compare_options options = {.threads = NAN};
    const struct option table[] = {
        {"output", 'o', OPTION_TEXT, &options.output, "DIR",
         "result directory (default results/<scenario>; with --json: none)"},
        {"set", 's', OPTION_TEXTS, &options.sets, "A.B[0].C=V",
         "change a value of all variants; may be repeated"},
        {"threads", 0, OPTION_NUMBER, &options.threads, "N",
         "simulations at once (default: cores)"},
        {"json", 0, OPTION_FLAG, &options.json, NULL, "print compare.json instead of a table"},
        {"no-plots", 0, OPTION_FLAG, &options.no_plots, NULL, "draw nothing"},
        {"quiet", 'q', OPTION_FLAG, &options.quiet, NULL, "print no table and no progress"},
        {0}};
    const struct command command = {.usage = "compare SCENARIO [options]",
                                    .doc = "Simulates the variants that the scenario's \"compare\" "
                                           "names, and sets them side by side.",
                                    .words_min = 1,
                                    .words_max = 1,
                                    .options = table};
    struct option_texts words;
    bool help;
    if (!options_parse(&command, argc, argv, &words, &help, error) || help)
        return help;
    return compare_scenario(words.items[0], &options, argc, argv, error);
}
