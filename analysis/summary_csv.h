/* summary.csv: summary.json as a table of one row, so that the rows of many runs can be put under
 * each other.
 *
 * Line 1 holds the dotted path of every value ("ttft_s.p99", "pools.0.utilisation"; list elements
 * by position), line 2 the values; null is an empty cell. Runs whose scenarios have equally many
 * classes, pools and SLO rules have the same columns. */
#ifndef TOKENYARD_ANALYSIS_SUMMARY_CSV_H
#define TOKENYARD_ANALYSIS_SUMMARY_CSV_H

#include <cJSON.h>
#include <stdio.h>

/* summary: the tree of summary.json. Made from the JSON, so that the two never say different
 * things. */
void summary_csv_put(const cJSON *summary, FILE *out);

#endif
