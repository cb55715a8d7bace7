/* What the actions of `tokenyard price` have in common: what they are given, and where they write.
 *
 * An input is the result folder of a run or a table; a folder's usage is read and kept. Books are
 * read from files, or the catalogue's prices.json where none is named. All is in one arena. */
#ifndef TOKENYARD_ANALYSIS_PRICE_SOURCE_H
#define TOKENYARD_ANALYSIS_PRICE_SOURCE_H

#include "analysis/plots.h"
#include "models/money/price_book.h"
#include "models/money/usage.h"
#include "sim/json_writer.h"

/* The options that all actions share; no_plots is of those that draw. */
struct price_options {
    const char *output;
    bool json, quiet, no_plots;
};

#define PRICE_OUTPUT_OPTIONS(options)                                                              \
    {"output",                                                                                     \
     'o',                                                                                          \
     OPTION_TEXT,                                                                                  \
     &(options)->output,                                                                           \
     "DIR",                                                                                        \
     "where to write (default: into RESULT_DIR, or results/<table>; with --json: nothing)"},       \
        {"json", 0, OPTION_FLAG, &(options)->json, NULL, "print JSON instead of a table"},         \
    {                                                                                              \
        "quiet", 'q', OPTION_FLAG, &(options)->quiet, NULL, "print no table"                       \
    }
#define PRICE_PLOT_OPTION(options)                                                                 \
    {                                                                                              \
        "no-plots", 0, OPTION_FLAG, &(options)->no_plots, NULL, "draw nothing"                     \
    }

struct price_input {
    const char *path; /* NULL: nothing was given */
    bool is_run;
    struct usage usage; /* of a run */
};

/* A table is not read here: it is the action that knows what is in it. */
bool price_input_open(const char *path, struct price_input *input, struct error *error);
void price_input_close(struct price_input *input);

/* path NULL: the catalogue's. */
struct price_book *price_open_book(const char *path, struct arena *arena, struct error *error);

/* "2025-06-01" of option --at. */
bool price_read_date(const char *text, int64_t *unix_s, struct error *error);

/* A report as its action knows it: how it becomes JSON, CSV, figures and a table. */
struct price_report {
    const void *report;
    const char *name;   /* of the files: "commit" */
    const char *folder; /* in results/, where no input was given; NULL where there always is one */
    void (*put)(struct json_writer *writer, const void *report);
    void (*put_csv)(FILE *out, const void *report);
    void (*print)(FILE *out, const void *report);
    /* NULL where there is nothing to draw */
    bool (*plot)(const char *folder, const void *report, struct plots_outcome *outcome,
                 struct error *error);
};

/* Writes NAME.json, NAME.csv and plots to where the options say, or else to where the input is,
 * and prints what is asked for. */
bool price_give(const struct price_report *report, const struct price_options *options,
                const struct price_input *input, struct arena *arena, struct error *error);

#endif
