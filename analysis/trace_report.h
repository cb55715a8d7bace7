/* The statistics of a trace, as a table for people or as JSON for programs. */
#ifndef TOKENYARD_ANALYSIS_TRACE_REPORT_H
#define TOKENYARD_ANALYSIS_TRACE_REPORT_H

#include <stdio.h>

#include "workloads/trace_stats.h"

/* name: the file the statistics are of. */
void trace_report_table(const char *name, const struct trace_stats *stats, FILE *out);
void trace_report_json(const char *name, const struct trace_stats *stats, FILE *out);

#endif
