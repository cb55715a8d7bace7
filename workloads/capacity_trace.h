/* Recorded Spot markets on disk: how many instances could be had, and at what price, by time.
 *
 * Whatever the format, a reading is a step series: values that hold from a point until the next.
 * Time 0 is the first row of the file, for all of its columns and zones, so that those of one file
 * stay aligned. Formats are told apart by content (or named):
 *
 *   columns  a header with offset_s (seconds) or time_utc (dates; offset_s goes first where both
 *            are there), and a count per zone: SkyPilot's availability traces, SkyNomad's probes,
 *            Bamboo's counts (offset_s,instances). An empty cell: the zone's series has ended
 *   events   time_ms,add|remove,node without a header: Bamboo's
 *   counts   time_ms,count without a header: Parcae's
 *
 * Prices: zone (the column may be absent), offset_s or time_utc, spot_usd_per_hour, and where AWS
 * wrote them, instance_type. Plain or gzip; cells may be quoted.
 *
 * Rules. Of rows of one time the last counts; a time before the row before it is an error. A row
 * holds until the next, however long (over a gap in the record, too), unless max_gap_s says
 * otherwise. The record ends where its series does: at the empty cell; a step after the last row of
 * columns, that step being the last between two rows; at the last row of events, counts and prices.
 * A price is that of the zone's first row before it, too. Errors name the file and the line: no
 * rows, unknown columns and zones, negative, broken or fractional counts, negative prices, a node
 * that is added twice or removed without having been added, a series that goes on after its end. */
#ifndef TOKENYARD_WORKLOADS_CAPACITY_TRACE_H
#define TOKENYARD_WORKLOADS_CAPACITY_TRACE_H

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
    tick_t end;      /* of the record; at least the last point's time */
    bool dated;      /* the file has dates: */
    int64_t zero_ns; /* of time 0, since 1970-01-01 UTC */
};

enum capacity_format {
    CAPACITY_AUTO,
    CAPACITY_COLUMNS,
    CAPACITY_EVENTS,
    CAPACITY_COUNTS,
    CAPACITY_FORMAT_COUNT
};

extern const char *const capacity_format_names[]; /* "auto", "columns", ...; ends with NULL */

struct capacity_trace_options {
    const char *path;
    enum capacity_format format;
    const char *column; /* the zone's; NULL: the only one there is */
    double max_gap_s;   /* a longer time between rows is an error; INFINITY: none is */
};

/* Both read the whole file; the series is taken from the arena. */
bool capacity_trace_read(const struct capacity_trace_options *options, struct arena *arena,
                         struct step_series *series, struct error *error);

struct price_trace_options {
    const char *path;
    const char *zone;          /* NULL: the only one there is */
    const char *instance_type; /* NULL: the only one there is */
};

bool price_trace_read(const struct price_trace_options *options, struct arena *arena,
                      struct step_series *series, struct error *error);

/* The value at a time from 0 on, and past the end the last one. O(log count). */
double step_series_at(const struct step_series *series, tick_t at);

#endif
