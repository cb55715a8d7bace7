/* What clients who gave up did to a run: a block of the summary where some may. */
#ifndef TOKENYARD_ANALYSIS_CLIENT_REPORT_H
#define TOKENYARD_ANALYSIS_CLIENT_REPORT_H

#include <stdio.h>

#include "analysis/summary.h"

/* Both do nothing where nobody gives up. */
void client_report_put(struct json_writer *writer, const struct summary *summary);
void client_report_print(const struct summary *summary, FILE *out);

#endif
