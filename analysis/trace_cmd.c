#include "analysis/trace_cmd.h"

#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/human.h"
#include "analysis/options.h"
#include "analysis/trace_report.h"
#include "sim/arena.h"
#include "sim/config.h"
#include "workloads/trace.h"
#include "workloads/trace_stats.h"
#include "workloads/workload.h"

/* What the three commands can be told; each takes a part of it. */
struct trace_cmd {
    const char *format, *zero, *to;
    bool sort, json;
    double limit, seed;
    uint64_t default_limit;
    struct option_texts sets, words;
};

/* --- what the words mean --- */

/* text as one of the names from `first` on; NULL: the first of them. */
static bool read_name(const char *option, const char *text, const char *const *names, int first,
                      int *index, struct error *error)
{
    *index = first;
    if (!text)
        return true;
    size_t count = 0;
    for (; names[count]; count++)
        if ((int)count >= first && strcmp(names[count], text) == 0) {
            *index = (int)count;
            return true;
        }
    error_set(error, ERROR_USAGE, "--%s: \"%s\" is not known", option, text);
    config_hint_names(error, text, names + first, count - (size_t)first);
    return false;
}

static struct source *open_trace(const struct trace_cmd *cmd, struct error *error)
{
    int format, zero;
    if (!read_name("format", cmd->format, trace_format_names, 0, &format, error) ||
        !read_name("zero", cmd->zero, trace_zero_names, 0, &zero, error))
        return NULL;
    const struct trace_options options = {.path = cmd->words.items[0],
                                          .format = (enum trace_format)format,
                                          .zero = (enum trace_zero_rule)zero,
                                          .sort = cmd->sort};
    return trace_open(&options, error);
}

static bool read_limit(const struct trace_cmd *cmd, uint64_t *limit, struct error *error)
{
    *limit = cmd->default_limit;
    if (isnan(cmd->limit))
        return true;
    if (cmd->limit < 1 || cmd->limit > 1e15 || cmd->limit != floor(cmd->limit))
        return error_set(error, ERROR_USAGE,
                         "--limit takes a whole number of requests, at least 1");
    *limit = (uint64_t)cmd->limit;
    return true;
}

/* --- writing --- */

static bool copy_arrivals(struct source *source, struct trace_writer *writer, uint64_t limit,
                          uint64_t *copied, struct error *error)
{
    for (*copied = 0; *copied < limit; ++*copied) {
        struct arrival arrival;
        double time_s;
        enum source_status status = source_peek(source, &time_s, error);
        if (status == SOURCE_END)
            break;
        if (status == SOURCE_WAIT)
            return error_set(error, ERROR_BAD_INPUT,
                             "a closed-loop workload has no arrival times before it is simulated");
        if (status == SOURCE_FAILED)
            return false;
        source_take(source, &arrival);
        if (!trace_writer_put(writer, &arrival, error))
            return false;
    }
    return *copied > 0 || error_set(error, ERROR_BAD_INPUT, "the workload has no request");
}

/* For the second word, in format --to. */
static struct trace_writer *open_writer(const struct trace_cmd *cmd, struct error *error)
{
    int format;
    if (!cmd->to) {
        error_set(error, ERROR_USAGE, "--to is missing: the format to write");
        return NULL;
    }
    if (!read_name("to", cmd->to, trace_format_names, 1, &format, error))
        return NULL;
    return trace_writer_open(cmd->words.items[1], (enum trace_format)format, error);
}

/* Says what was written, and whether the source had more. */
static void print_written(const struct trace_cmd *cmd, struct source *source, uint64_t copied)
{
    char count[HUMAN_SIZE];
    double time_s;
    printf("%s requests written to %s (%s)", human_count(copied, count), cmd->words.items[1],
           cmd->to);
    if (source_skipped(source) > 0)
        printf("; %s without prompt or output tokens left out",
               human_count(source_skipped(source), count));
    if (source_peek(source, &time_s, NULL) == SOURCE_READY)
        printf("; more would follow, --limit says how many");
    printf("\n");
}

static bool write_trace(const struct trace_cmd *cmd, struct source *source, struct error *error)
{
    uint64_t limit, copied;
    if (!read_limit(cmd, &limit, error))
        return false;
    struct trace_writer *writer = open_writer(cmd, error);
    if (!writer)
        return false;
    if (!copy_arrivals(source, writer, limit, &copied, error)) {
        trace_writer_discard(writer);
        return false;
    }
    if (!trace_writer_close(writer, error))
        return false;
    print_written(cmd, source, copied);
    return true;
}

/* --- the commands --- */

static bool run_stats(struct trace_cmd *cmd, struct error *error)
{
    struct trace_stats stats;
    struct source *source = open_trace(cmd, error);
    if (!source)
        return false;
    bool ok = trace_stats_collect(source, &stats, error);
    source_destroy(source);
    if (!ok)
        return false;
    if (cmd->json)
        trace_report_json(cmd->words.items[0], &stats, stdout);
    else
        trace_report_table(cmd->words.items[0], &stats, stdout);
    return true;
}

static bool run_convert(struct trace_cmd *cmd, struct error *error)
{
    struct source *source = open_trace(cmd, error);
    bool ok = source && write_trace(cmd, source, error);
    source_destroy(source);
    return ok;
}

/* The seed of the command line, else the scenario's, else 1. */
static bool read_seed(const struct trace_cmd *cmd, const struct json_document *document,
                      uint64_t *seed, struct error *error)
{
    const cJSON *member = json_member(json_root(document), "seed");
    double value = !isnan(cmd->seed) ? cmd->seed : member ? cJSON_GetNumberValue(member) : 1;
    bool is_whole = value >= 0 && value <= 9007199254740992.0 && value == floor(value);
    *seed = is_whole ? (uint64_t)value : 0;
    return is_whole || json_error(document, "/seed", error, "a seed is a whole number, 0 or more");
}

static struct json_document *read_scenario(const struct trace_cmd *cmd, struct error *error)
{
    struct json_document *document = json_read_file(cmd->words.items[0], error);
    for (size_t i = 0; document && i < cmd->sets.count; i++)
        if (!json_set(document, cmd->sets.items[i], error)) {
            json_free(document);
            return NULL;
        }
    return document;
}

/* The source is read while config and document live, so everything is done here. */
static bool synthesise(struct trace_cmd *cmd, const struct json_document *document,
                       struct arena *arena, struct error *error)
{
    const cJSON *workload = json_member(json_root(document), "workload");
    void *config = arena_alloc(arena, 1, workload_config_type.size);
    uint64_t seed;
    if (!workload)
        return json_error(document, "", error, "the scenario has no workload");
    if (!read_seed(cmd, document, &seed, error) ||
        !config_read(&workload_config_type, document, workload, "/workload", arena, config, error))
        return false;
    const char *folder = dirname(arena_strdup(arena, cmd->words.items[0]));
    struct source *source = workload_open(config, folder, seed, 0, document, "/workload", error);
    bool ok = source && write_trace(cmd, source, error);
    source_destroy(source);
    return ok;
}

static bool run_synth(struct trace_cmd *cmd, struct error *error)
{
    struct json_document *document = read_scenario(cmd, error);
    if (!document)
        return false;
    struct arena *arena = arena_create();
    bool ok = synthesise(cmd, document, arena, error);
    arena_destroy(arena);
    json_free(document);
    return ok;
}

/* --- the front door of `trace` --- */

struct trace_action {
    const char *name;
    const char *usage, *doc;
    const char *options; /* names of those it takes, each between blanks */
    size_t words;
    uint64_t default_limit; /* a generator need not end */
    bool (*run)(struct trace_cmd *cmd, struct error *error);
};

static const struct trace_action actions[] = {
    {"stats", "trace stats TRACE [options]",
     "Prints what there is to know of a trace: arrivals, token lengths, prefix reuse.",
     " format zero sort json ", 1, UINT64_MAX, run_stats},
    {"convert", "trace convert TRACE OUT --to FORMAT [options]",
     "Writes a trace in another format.", " format zero sort to limit ", 2, UINT64_MAX,
     run_convert},
    {"synth", "trace synth SCENARIO OUT --to FORMAT [options]",
     "Writes the requests of a scenario's workload as a trace; a million unless --limit says more.",
     " to limit seed set ", 2, 1000000, run_synth},
};

enum { ACTIONS = sizeof actions / sizeof actions[0], OPTIONS_MAX = 16 };

/* Of all options, those the action takes. */
static void choose_options(const struct option *all, const struct trace_action *action,
                           struct option *chosen)
{
    for (; all->name; all++) {
        char between_blanks[32];
        snprintf(between_blanks, sizeof between_blanks, " %s ", all->name);
        if (strstr(action->options, between_blanks))
            *chosen++ = *all;
    }
    *chosen = (struct option){0};
}

static bool run_action(const struct trace_action *action, int argc, char *const argv[],
                       struct error *error)
{
    struct trace_cmd cmd = {.limit = NAN, .seed = NAN, .default_limit = action->default_limit};
    const struct option all[] = {
        {"format", 'f', OPTION_TEXT, &cmd.format, "FORMAT", "of the trace (default: by content)"},
        {"zero", 0, OPTION_TEXT, &cmd.zero, "RULE",
         "requests of 0 tokens: drop (default), one, error"},
        {"sort", 0, OPTION_FLAG, &cmd.sort, NULL, "sort requests that are out of order"},
        {"to", 't', OPTION_TEXT, &cmd.to, "FORMAT",
         "of the trace to write, from `tokenyard list formats`"},
        {"limit", 'n', OPTION_NUMBER, &cmd.limit, "N", "stop after N requests"},
        {"seed", 0, OPTION_NUMBER, &cmd.seed, "N", "instead of the scenario's seed"},
        {"set", 's', OPTION_TEXTS, &cmd.sets, "A.B[0].C=V",
         "change a value of the scenario; may be repeated"},
        {"json", 0, OPTION_FLAG, &cmd.json, NULL, "print JSON"},
        {0}};
    struct option options[OPTIONS_MAX];
    choose_options(all, action, options);
    const struct command command = {.usage = action->usage,
                                    .doc = action->doc,
                                    .words_min = action->words,
                                    .words_max = action->words,
                                    .options = options};
    bool help;
    if (!options_parse(&command, argc, argv, &cmd.words, &help, error) || help)
        return help;
    return action->run(&cmd, error);
}

static void print_help(void)
{
    printf("usage: tokenyard trace ACTION ...\n\n");
    for (size_t i = 0; i < ACTIONS; i++)
        printf("  tokenyard %s\n      %s\n", actions[i].usage, actions[i].doc);
}

bool trace_command(int argc, char *const argv[], struct error *error)
{
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        print_help();
        return true;
    }
    for (size_t i = 0; argc > 0 && i < ACTIONS; i++)
        if (strcmp(argv[0], actions[i].name) == 0)
            return run_action(&actions[i], argc - 1, argv + 1, error);
    if (argc > 0)
        error_set(error, ERROR_USAGE, "trace: \"%s\" is not known", argv[0]);
    else
        error_set(error, ERROR_USAGE, "trace: what to do is missing");
    return error_hint(error, "tokenyard trace stats, convert or synth; --help says more");
}
