/* Step series: values that hold from a point in time until the next, as markets record capacities
 * and prices.
 *
 * A builder takes a file's rows, and makes a series of those that change something; of rows of one
 * time the last in the file counts. What holds at the first row holds before it, too. */
#ifndef TOKENYARD_WORKLOADS_STEP_SERIES_H
#define TOKENYARD_WORKLOADS_STEP_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/arena.h"
#include "sim/clock.h"
#include "sim/error.h"

struct step_point {
    tick_t at;
    double value; /* from here on */
};

struct step_series {
    struct step_point *points; /* [count], count > 0: times rise from 0 on, each value is new */
    size_t count;
    tick_t first;    /* the file's first row; what holds there holds before it, too */
    tick_t end;      /* of the record; at least the last point's time */
    bool dated;      /* the file has dates: */
    int64_t zero_ns; /* of time 0, since 1970-01-01 UTC */
};

/* The point that holds at a time from 0 on; past the end the last one. O(log count). */
size_t step_series_find(const struct step_series *series, tick_t at);

struct step_row {
    int64_t time_ns; /* from wherever the file counts */
    double value;
    long line;
};

/* When a row of a CSV file is: at its offset, or if that is NaN, at its date ("": none, an error).
 */
bool step_row_time(const char *path, double offset_s, const char *date, long line, int64_t *ns,
                   struct error *error);
bool step_row_date(const char *path, const char *date, long line, int64_t *ns, struct error *error);

/* When a record is over. */
enum step_end {
    STEP_END_LAST_ROW,   /* with its last row */
    STEP_END_STEP_AFTER, /* a step later, the step being the last between two rows */
    STEP_END_GIVEN
};

struct step_builder {
    const char *path; /* for errors */
    struct arena *arena;
    double max_gap_s; /* a longer time between two rows is an error */
    bool sort;        /* else going back in time is one */
    enum step_end end;
    int64_t end_ns; /* STEP_END_GIVEN */
    struct step_row *rows;
    size_t count, capacity;
};

void step_builder_add(struct step_builder *builder, struct step_row row);

/* The rows as a series, where zero_ns is time 0. Fails where there is no row, rows go back in time
 * or come after too long a gap, or the record is longer than the clock. */
bool step_builder_finish(struct step_builder *builder, int64_t zero_ns, struct step_series *series,
                         struct error *error);

#endif
