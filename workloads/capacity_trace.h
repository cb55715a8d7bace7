/* Recorded Spot markets on disk: how many instances could be had, and at what price, by time.
 *
 * Formats of capacity are told apart by content (or named):
 *
 *   columns  a header with offset_s (seconds) or time_utc (dates; offset_s goes first where both
 *            are there), and a count per zone: SkyPilot's availability traces, SkyNomad's probes,
 *            Bamboo's counts (offset_s,instances). An empty cell: the zone's series has ended
 *   events   time_ms,add|remove,node without a header: Bamboo's
 *   counts   time_ms,count without a header: Parcae's
 *
 * Prices have a header with spot_usd_per_hour, offset_s or time_utc, and (where there is more than
 * one) zone and instance_type, in rows that stand by time within each of these.
 *
 * Rules. Time 0 is 0 of offset_s and time_ms, or the file's earliest date, for all of its zones
 * alike. Of rows of one time the last counts; going back in time is an error, unless the rows are
 * to be sorted. A row holds until the next, however long (over a gap in the record, too), unless
 * max_gap_s says otherwise; the first one holds before it, too, but for events, which start from
 * nothing. The record ends at an empty cell; else, with columns, a step after the last row, that
 * step being the last between two rows; at the last row of events, counts and prices. Errors name
 * the file and the line: no rows, unknown columns and zones, negative, broken or fractional counts,
 * negative prices, a node that is added twice or removed without having been added, a series that
 * goes on after its end.
 *
 * Files are read whole, plain or gzip; the series is taken from the arena. */
#ifndef TOKENYARD_WORKLOADS_CAPACITY_TRACE_H
#define TOKENYARD_WORKLOADS_CAPACITY_TRACE_H

#include "workloads/step_series.h"

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
    const char *column; /* of columns; NULL: the zone's, if it has one, else the only one */
    const char *zone;   /* may be NULL */
    double max_gap_s;   /* a longer time between rows is an error; INFINITY: none is */
    bool sort; /* columns and counts out of order: sort them instead of refusing the file */
};

bool capacity_trace_read(const struct capacity_trace_options *options, struct arena *arena,
                         struct step_series *series, struct error *error);

struct price_trace_options {
    const char *path;
    const char *zone;          /* NULL: the only one there is */
    const char *instance_type; /* NULL: the only one there is */
};

bool price_trace_read(const struct price_trace_options *options, struct arena *arena,
                      struct step_series *series, struct error *error);

#endif
