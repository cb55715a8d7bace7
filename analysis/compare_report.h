/* What `tokenyard compare` leaves: a table for people, compare.json, compare.csv, and a figure per
 * metric. */
#ifndef TOKENYARD_ANALYSIS_COMPARE_REPORT_H
#define TOKENYARD_ANALYSIS_COMPARE_REPORT_H

#include <stdio.h>

#include "analysis/compare.h"
#include "analysis/plots.h"
#include "sim/json_writer.h"

void compare_print(const struct comparison *comparison, FILE *out);

/* The root object of compare.json; command: argv of command_count words. */
void compare_put(struct json_writer *writer, const struct comparison *comparison,
                 const char *const *command, size_t command_count);

/* A row per variant and value: variant, at, counts, then every metric. */
bool compare_write_csv(const char *path, const struct comparison *comparison, struct error *error);

/* plot_compare.c: FOLDER/METRIC.{dat,gp,svg} of the scenario's first PLOTS_MAX metrics. */
bool compare_plot(const char *folder, const struct comparison *comparison,
                  struct plots_outcome *outcome, struct error *error);

/* "inter-token latency, 99th percentile (s)" */
const char *compare_metric_title(enum compare_metric metric);

#endif
