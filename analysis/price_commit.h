/* `tokenyard price commit`: how much of a demand to commit to, for which term.
 *
 * Beside the optimum stand the usual rules of thumb (the floor, the mean, the peak), each offer
 * alone, and what the plan costs when demand turns out other than it was. */
#ifndef TOKENYARD_ANALYSIS_PRICE_COMMIT_H
#define TOKENYARD_ANALYSIS_PRICE_COMMIT_H

#include <stdio.h>

#include "analysis/plots.h"
#include "models/money/commitment_optimum.h"
#include "sim/json_writer.h"

/* argv: the arguments after "price commit". */
bool price_commit_command(int argc, char *const argv[], struct error *error);

/* --- the report (price_commit_report.c) --- */

struct commit_row {
    const char *offer; /* NULL: none, or all together */
    const char *rule;  /* "on demand", "floor", "mean", "peak", "optimum" */
    struct commitment_plan plan;
    struct commitment_outcome outcome;
};

struct commit_sensitivity {
    double factor; /* demand over what was planned for */
    double plan_usd_per_hour, on_demand_usd_per_hour, best_usd_per_hour;
};

struct commit_report {
    const char *name; /* of the demand: an instance type or a file */
    const struct commitment_question *question;
    const struct commit_row *rows; /* the first is on demand, the last the optimum of all offers */
    size_t row_count;
    const struct commit_sensitivity *sensitivity;
    size_t sensitivity_count;
};

/* What the report says, computed from the question, in the arena. */
struct commit_report commit_report_create(const char *name,
                                          const struct commitment_question *question,
                                          struct arena *arena);

/* As struct price_report wants them; opaque: a struct commit_report. */
void commit_report_print(FILE *out, const void *opaque);
void commit_report_put(struct json_writer *writer, const void *opaque);
void commit_report_put_csv(FILE *out, const void *opaque);
/* price_plot.c: FOLDER/load_duration.{dat,gp,svg}. */
bool commit_report_plot(const char *folder, const void *opaque, struct plots_outcome *outcome,
                        struct error *error);

#endif
