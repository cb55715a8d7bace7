/* requests.h5: one row for every ended request, in the order they ended.
 *
 * h5py: f["ttft_s"][:]. Classes, pools and replicas are numbers, 0 being the first that
 * summary.json lists. Times of rejected requests, and of those that timed out, are NaN. */
#ifndef TOKENYARD_ANALYSIS_REQUESTS_FILE_H
#define TOKENYARD_ANALYSIS_REQUESTS_FILE_H

#include "models/fleet/simulation.h"
#include "sim/column_file.h"

/* Append with requests_file_add; the rest as any column file. roles: pools have some, so that there
 * are columns of where a prompt was computed, too. */
struct column_file *requests_file_create(const char *path, bool roles, struct error *error);
void requests_file_add(struct column_file *file, const struct request_record *record);

#endif
