#include "workloads/step_series.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/number_text.h"

#define NS_PER_S 1e9

enum { SHOWN_MAX = 64 };

size_t step_series_find(const struct step_series *series, tick_t at)
{
    assert(at >= 0);
    size_t low = 0, high = series->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (series->points[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool step_row_date(const char *path, const char *date, long line, int64_t *ns, struct error *error)
{
    struct text text = {date, strlen(date)};
    if (number_from_date(text, ns) == NUMBER_OK && *ns >= 0)
        return true;
    error_at(error, ERROR_BAD_INPUT, path, line, NULL,
             "column \"time_utc\" holds \"%.*s\", which is not a date from 1970 on", SHOWN_MAX,
             date);
    return error_hint(error, "dates are written as 2025-10-04T00:10:00Z");
}

bool step_row_time(const char *path, double offset_s, const char *date, long line, int64_t *ns,
                   struct error *error)
{
    if (isnan(offset_s) && !date[0])
        return error_at(error, ERROR_BAD_INPUT, path, line, NULL,
                        "the row has neither an offset_s nor a time_utc");
    if (isnan(offset_s))
        return step_row_date(path, date, line, ns, error);
    *ns = llround(offset_s * NS_PER_S);
    return true;
}

/* What was there stays in the arena: at most as much again. */
void step_builder_add(struct step_builder *builder, struct step_row row)
{
    if (builder->count == builder->capacity) {
        builder->capacity = builder->capacity ? 2 * builder->capacity : 64;
        struct step_row *more = ARENA_ARRAY(builder->arena, builder->capacity, struct step_row);
        if (builder->count)
            memcpy(more, builder->rows, builder->count * sizeof *more);
        builder->rows = more;
    }
    builder->rows[builder->count++] = row;
}

/* By time; rows of one time stay in file order, which their lines are. */
static int compare_rows(const void *a, const void *b)
{
    const struct step_row *left = a, *right = b;
    if (left->time_ns != right->time_ns)
        return left->time_ns < right->time_ns ? -1 : 1;
    return (left->line > right->line) - (left->line < right->line);
}

static double seconds_between(int64_t from_ns, int64_t to_ns)
{
    return (double)(to_ns - from_ns) / NS_PER_S;
}

static bool check_times(const struct step_builder *builder, struct error *error)
{
    for (size_t i = 1; i < builder->count; i++) {
        const struct step_row *row = &builder->rows[i];
        double gap_s = seconds_between(row[-1].time_ns, row->time_ns);
        if (gap_s < 0) {
            error_at(error, ERROR_BAD_INPUT, builder->path, row->line, NULL,
                     "the row's time is %.10g s before that of the row before it", -gap_s);
            return error_hint(error, "sort the file by time");
        }
        if (gap_s > builder->max_gap_s)
            return error_at(error, ERROR_BAD_INPUT, builder->path, row->line, NULL,
                            "the row comes %.10g s after the one before it; the longest gap that "
                            "is allowed is %.10g s",
                            gap_s, builder->max_gap_s);
    }
    return true;
}

static double length_s(const struct step_builder *builder, int64_t zero_ns)
{
    const struct step_row *last = &builder->rows[builder->count - 1];
    double rows_s = seconds_between(zero_ns, last->time_ns);
    if (builder->end == STEP_END_GIVEN)
        return fmax(rows_s, seconds_between(zero_ns, builder->end_ns));
    if (builder->end == STEP_END_STEP_AFTER && builder->count > 1)
        return rows_s + seconds_between(last[-1].time_ns, last->time_ns);
    return rows_s;
}

/* Keeps the rows that change something. */
static void keep_changes(const struct step_builder *builder, int64_t zero_ns,
                         struct step_series *series)
{
    series->points = ARENA_ARRAY(builder->arena, builder->count, struct step_point);
    for (size_t i = 0; i < builder->count; i++) {
        const struct step_row *row = &builder->rows[i];
        bool superseded = i + 1 < builder->count && row[1].time_ns == row->time_ns;
        bool same = series->count > 0 && series->points[series->count - 1].value == row->value;
        if (!superseded && !same)
            series->points[series->count++] = (struct step_point){
                tick_from_s(seconds_between(zero_ns, row->time_ns)), row->value};
    }
    series->points[0].at = 0;
}

bool step_builder_finish(struct step_builder *builder, int64_t zero_ns, struct step_series *series,
                         struct error *error)
{
    if (builder->count == 0)
        return error_at(error, ERROR_BAD_INPUT, builder->path, 0, NULL, "the record has no rows");
    if (builder->sort)
        qsort(builder->rows, builder->count, sizeof *builder->rows, compare_rows);
    if (!check_times(builder, error))
        return false;
    double record_s = length_s(builder, zero_ns);
    if (record_s > CLOCK_MAX_S)
        return error_at(error, ERROR_BAD_INPUT, builder->path, 0, NULL,
                        "the record is longer than the clock's %.10g s", CLOCK_MAX_S);
    double first_s = seconds_between(zero_ns, builder->rows[0].time_ns);
    *series =
        (struct step_series){.first = tick_from_s(fmax(first_s, 0)), .end = tick_from_s(record_s)};
    keep_changes(builder, zero_ns, series);
    return true;
}
