/* What a person reads on the terminal after a run: latencies, throughput, SLOs, money, pools.
 *
 * Plain text within 96 columns (118 where class names are long). Nothing here goes to a file that a
 * script should read. */
#ifndef TOKENYARD_ANALYSIS_TABLE_H
#define TOKENYARD_ANALYSIS_TABLE_H

#include <stdio.h>

#include "analysis/summary.h"

void table_print(const struct summary *summary, FILE *out);

/* One row under the columns of latencies: mean, p50, p90, p95, p99, max. */
void table_print_latency(const char *name, const struct quantiles *quantiles, FILE *out);

#endif
