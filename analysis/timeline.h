/* timeline.csv: the state of every pool over time, in few rows however long the run.
 *
 * A sampler of the simulation. The length of a run is not known beforehand, so the interval starts
 * small; whenever the rows are full, neighbours are merged and the interval doubles. A run ends
 * with 200 to 400 rows, after a number of samples that grows with the logarithm of its length.
 * When the user asks for an interval it is kept: every sample is written to the file at once, and
 * the merging only thins what is kept in memory for the plots. Memory: 400 rows of all pools. */
#ifndef TOKENYARD_ANALYSIS_TIMELINE_H
#define TOKENYARD_ANALYSIS_TIMELINE_H

#include "models/fleet/simulation.h"

#define TIMELINE_ROWS 400

/* One pool over one interval. */
struct timeline_cell {
    double waiting, running, kv_used; /* at the end of the interval */
    double busy, power_w;             /* means over the interval */
    double arrived, completed;        /* requests within the interval */
    struct plane_view nodes;          /* at the end of the interval; zeros where none come or go */
};

struct timeline_row {
    double start_s, end_s;
    struct timeline_cell *pools; /* pool_count of them */
};

struct timeline;

/* path: of timeline.csv, which appears on timeline_commit. interval_s: NaN leaves it to the
 * timeline. NULL on error. spec's pools are borrowed. */
struct timeline *timeline_open(const char *path, const struct simulation_spec *spec,
                               double interval_s, struct error *error);
double timeline_first_sample_s(const struct timeline *timeline);
/* As simulation_observer.sample. */
double timeline_sample(struct timeline *timeline, double time_s, const struct pool_sample *pools);

/* For plots; rows[0..count-1] are valid until the timeline is closed. */
const struct timeline_row *timeline_rows(const struct timeline *timeline, size_t *count);
double timeline_rate(const struct timeline_row *row, double requests); /* per second */

bool timeline_commit(struct timeline *timeline, struct error *error);
void timeline_close(
    struct timeline *timeline); /* discards what was not committed; NULL is allowed */

#endif
