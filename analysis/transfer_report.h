/* What prefill and decode apart came to: the "disaggregation" block of summary.json and of the
 * terminal's report, present only where pools have roles. Of the requests that arrived after the
 * warm-up, but for the counts by pool. */
#ifndef TOKENYARD_ANALYSIS_TRANSFER_REPORT_H
#define TOKENYARD_ANALYSIS_TRANSFER_REPORT_H

#include <stdio.h>

#include "analysis/summary.h"

/* result->transfers must be there. */
void transfer_summary_fill(struct transfer_summary *to, const struct simulation_result *result);

void transfer_report_put(struct json_writer *writer, const struct summary *summary);
void transfer_report_print(const struct summary *summary, FILE *out);

#endif
