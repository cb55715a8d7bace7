/* The front door: one table of subcommands, one place that prints errors and sets the exit code. */
#include <gsl/gsl_errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "analysis/calibrate_cmd.h"
#include "analysis/compare_cmd.h"
#include "analysis/list.h"
#include "analysis/plan_cmd.h"
#include "analysis/price_cmd.h"
#include "analysis/run.h"
#include "analysis/trace_cmd.h"
#include "analysis/validate.h"
#include "sim/config.h"
#include "sim/error.h"

static bool help_command(int argc, char *const argv[], struct error *error);
static bool version_command(int argc, char *const argv[], struct error *error);

struct subcommand {
    const char *name;
    const char *doc;
    bool (*run)(int argc, char *const argv[], struct error *error); /* gets what follows the name */
};

static const struct subcommand subcommands[] = {
    {"run", "simulate a scenario and report", run_command},
    {"plan", "find the best fleet under a budget, and check it by simulation", plan_command},
    {"compare", "variants of one scenario side by side, with what was published", compare_command},
    {"price", "bill a run under other prices; commitments of least cost; break-even with an API",
     price_command},
    {"validate", "compare simulated servers with measured ones", validate_command},
    {"trace", "show, convert and make request traces: stats, convert, synth", trace_command},
    {"calibrate", "fit measurements, and write the catalogue's curves", calibrate_command},
    {"list", "what there is: gpus, instances, models, engines, presets, policies, formats",
     list_command},
    {"schema", "print the JSON Schema of scenario files", schema_command},
    {"help", "this text; `tokenyard COMMAND --help` says more", help_command},
    {"version", "print the version", version_command},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static void print_commands(void)
{
    puts("Tokenyard simulates LLM serving on fleets of unequal GPUs, and plans such fleets.\n\n"
         "usage: tokenyard COMMAND ...\n");
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        printf("  %-9s %s\n", subcommands[i].name, subcommands[i].doc);
    puts("\nStart with: tokenyard run scenarios/quickstart.json");
}

static bool version_command(int argc, char *const argv[], struct error *error)
{
    (void)argc, (void)argv, (void)error;
    puts("tokenyard " TOKENYARD_VERSION);
    return true;
}

static const struct subcommand *find_subcommand(const char *name)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

static bool unknown_subcommand(const char *name, struct error *error)
{
    const char *names[SUBCOMMANDS];
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        names[i] = subcommands[i].name;
    error_set(error, ERROR_USAGE, "unknown command \"%s\"", name);
    const char *nearest = config_nearest(name, names, SUBCOMMANDS);
    if (nearest)
        return error_hint(error, "did you mean \"%s\"?", nearest);
    return error_hint(error, "`tokenyard help` lists the commands");
}

/* Output that could not be written (a full disk behind a redirection) is a failure, too. */
static bool flush_output(struct error *error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    return error_set(error, ERROR_FAILED, "cannot write to standard output");
}

static bool help_command(int argc, char *const argv[], struct error *error)
{
    if (argc == 0 || argv[0][0] == '-') {
        print_commands();
        return true;
    }
    const struct subcommand *subcommand = find_subcommand(argv[0]);
    if (!subcommand)
        return unknown_subcommand(argv[0], error);
    return subcommand->run(1, (char *const[]){"--help"}, error);
}

int main(int argc, char *argv[])
{
    gsl_set_error_handler_off(); /* GSL's own ends the process */
    signal(SIGXFSZ, SIG_IGN);    /* a file too large is then an error of the write */
    struct error error = {0};
    if (argc < 2) {
        print_commands();
        return ERROR_USAGE;
    }
    const struct subcommand *subcommand = find_subcommand(argv[1]);
    bool done = subcommand ? subcommand->run(argc - 2, argv + 2, &error)
                           : unknown_subcommand(argv[1], &error);
    if (!flush_output(&error) && done)
        done = false;
    if (done)
        return 0;
    char text[2048];
    error_format(&error, text, sizeof text);
    fprintf(stderr, "tokenyard: %s\n", text);
    return error.code;
}
