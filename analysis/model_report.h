/* The numbers of each model, where a fleet serves several: a block of the summary. */
#ifndef TOKENYARD_ANALYSIS_MODEL_REPORT_H
#define TOKENYARD_ANALYSIS_MODEL_REPORT_H

#include <stdio.h>

#include "analysis/summary.h"

/* Sums up pools and classes by model; NULL where there is one. */
struct model_summary *model_report_sum(const struct summary *summary,
                                       const struct simulation_result *result);

/* Both do nothing where there is one model. */
void model_report_put(struct json_writer *writer, const struct summary *summary);
void model_report_print(const struct summary *summary, FILE *out);

#endif
