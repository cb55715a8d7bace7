#include "workloads/capacity_trace.h"

#include <assert.h>
#include <math.h>
#include <uthash.h>

#include "sim/config.h"
#include "workloads/csv_rows.h"
#include "workloads/number_text.h"
#include "workloads/trace_csv.h"

#define NS_PER_S  1e9
#define COUNT_MAX 1000000000u /* instances of a zone */

enum { SCALE_MS = 6, SHOWN_MAX = 64 };

const char *const capacity_format_names[] = {"auto", "columns", "events", "counts", NULL};

struct reading {
    const struct capacity_trace_options *options;
    struct arena *arena;
    struct step_builder builder;
    struct error *error;
};

static bool fail(const struct reading *reading, long line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(const struct reading *reading, long line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_at_va(reading->error, ERROR_BAD_INPUT, reading->options->path, line, NULL, format, args);
    va_end(args);
    return false;
}

/* --- the first row --- */

struct first_row {
    const char *cells[CSV_MAX_COLUMNS];
    size_t count;
    long line;
};

static bool take_cells(const struct reading *reading, const struct line *line,
                       struct first_row *row)
{
    struct text cells[CSV_MAX_COLUMNS];
    if (!csv_split(line, csv_separator(line->text), reading->options->path, cells, &row->count,
                   reading->error))
        return false;
    row->line = line->number;
    for (size_t i = 0; i < row->count; i++)
        row->cells[i] = arena_printf(reading->arena, "%.*s", (int)cells[i].length, cells[i].at);
    return true;
}

static bool read_first_row(const struct reading *reading, struct first_row *row)
{
    struct line line;
    struct line_reader *reader = line_reader_open(reading->options->path, reading->error);
    if (!reader)
        return false;
    line_reader_honour_quotes(reader);
    enum line_status status = line_reader_next(reader, &line, reading->error);
    bool taken = status == LINE_READY ? take_cells(reading, &line, row)
                                      : status == LINE_END && fail(reading, 0, "the file is empty");
    line_reader_close(reader);
    return taken;
}

/* Without a header, a file begins with a time. */
static enum capacity_format format_of(const struct first_row *row)
{
    double time_ms;
    struct text first = {row->cells[0], strlen(row->cells[0])};
    if (number_to_double(first, &time_ms) != NUMBER_OK)
        return CAPACITY_COLUMNS;
    return row->count > 2 ? CAPACITY_EVENTS : CAPACITY_COUNTS;
}

/* --- columns --- */

struct column_row {
    double offset_s;
    const char *time_utc;
    int64_t count;
    long line;
};

static bool is_time(const char *name)
{
    return strcmp(name, "offset_s") == 0 || strcmp(name, "time_utc") == 0;
}

/* The columns that are no times. */
static size_t list_zones(const struct first_row *header, const char **zones)
{
    size_t count = 0;
    for (size_t i = 0; i < header->count; i++)
        if (!is_time(header->cells[i]))
            zones[count++] = header->cells[i];
    return count;
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The column to read: the one asked for, the zone's, or the only one. */
static const char *choose_column(const struct reading *reading, const struct first_row *header)
{
    const char *zones[CSV_MAX_COLUMNS];
    const char *asked = reading->options->column, *zone = reading->options->zone;
    size_t count = list_zones(header, zones);
    const char *wanted = asked ? asked : zone;
    if (count == header->count) {
        fail(reading, header->line, "the header has no column \"offset_s\" or \"time_utc\"");
        return NULL;
    }
    if (wanted && is_among(wanted, zones, count))
        return wanted;
    if (!asked && count == 1)
        return zones[0];
    if (wanted) {
        fail(reading, header->line, "the header has no column \"%s\" of counts", wanted);
        config_hint_names(reading->error, wanted, zones, count);
    } else {
        fail(reading, header->line, "the header has %zu columns of counts, and none is chosen",
             count);
        error_hint(reading->error, "give \"column\"");
    }
    return NULL;
}

/* Adds the rows up to the first empty cell, which ends the record. */
static bool add_column(struct reading *reading, const struct csv_rows *rows)
{
    struct step_builder *builder = &reading->builder;
    for (size_t i = 0; i < rows->count; i++) {
        const struct column_row *row = (const struct column_row *)rows->items + i;
        struct step_row step = {.value = (double)row->count, .line = row->line};
        bool empty = row->count == INT64_MIN;
        if (!step_row_time(reading->options->path, row->offset_s, row->time_utc, row->line,
                           &step.time_ns, reading->error))
            return false;
        if (!empty && builder->end == STEP_END_GIVEN)
            return fail(reading, row->line, "the series goes on after an empty cell ended it");
        if (!empty)
            step_builder_add(builder, step);
        else if (builder->end != STEP_END_GIVEN) {
            builder->end = STEP_END_GIVEN;
            builder->end_ns = step.time_ns;
        }
    }
    return true;
}

static int64_t earliest_ns(const struct step_builder *builder)
{
    int64_t earliest = INT64_MAX;
    for (size_t i = 0; i < builder->count; i++)
        if (builder->rows[i].time_ns < earliest)
            earliest = builder->rows[i].time_ns;
    return earliest;
}

/* Time 0 is offset 0, whose date follows from the first row's; without offsets, the first date. */
static bool finish_column(struct reading *reading, const struct column_row *first,
                          struct step_series *series)
{
    bool by_offset = !isnan(first->offset_s), dated = first->time_utc[0];
    int64_t zero_ns = by_offset ? 0 : earliest_ns(&reading->builder), date_ns = 0;
    if (!step_builder_finish(&reading->builder, zero_ns, series, reading->error))
        return false;
    if (dated && !step_row_date(reading->options->path, first->time_utc, first->line, &date_ns,
                                reading->error))
        return false;
    series->dated = dated;
    series->zero_ns = by_offset ? date_ns - llround(first->offset_s * NS_PER_S) : zero_ns;
    return true;
}

static bool read_columns(struct reading *reading, const struct first_row *header,
                         struct step_series *series)
{
    const char *column = choose_column(reading, header);
    if (!column)
        return false;
    const struct csv_field fields[] = {
        {"offset_s", CSV_NUMBER, offsetof(struct column_row, offset_s), true, 0, CLOCK_MAX_S},
        {"time_utc", CSV_TEXT, offsetof(struct column_row, time_utc), true, 0, 0},
        {column, CSV_COUNT, offsetof(struct column_row, count), true, 0, COUNT_MAX},
        {0}};
    const struct csv_row_type type = {sizeof(struct column_row), offsetof(struct column_row, line),
                                      fields};
    struct csv_rows rows;
    reading->builder.end = STEP_END_STEP_AFTER;
    return csv_rows_read(reading->options->path, &type, reading->arena, &rows, reading->error) &&
           add_column(reading, &rows) && finish_column(reading, rows.items, series);
}

/* --- without a header --- */

struct node {
    const char *name;
    UT_hash_handle hh;
};

struct holding {
    struct reading *reading;
    struct node *nodes; /* held now */
};

static bool bad_cell(const struct reading *reading, long line, const char *what, struct text cell)
{
    int shown = (int)(cell.length < SHOWN_MAX ? cell.length : SHOWN_MAX);
    return fail(reading, line, "holds \"%.*s\", which is not %s", shown, cell.at, what);
}

static bool add_node(struct holding *holding, struct text name, struct node *held, long line)
{
    struct arena *arena = holding->reading->arena;
    if (held)
        return fail(holding->reading, line, "node \"%s\" is added, but is there already",
                    held->name);
    struct node *node = ARENA_NEW(arena, struct node);
    node->name = arena_printf(arena, "%.*s", (int)name.length, name.at);
    HASH_ADD_KEYPTR(hh, holding->nodes, node->name, name.length, node);
    return true;
}

/* cells: what happens, to which node. */
static bool take_event(void *state, const struct text *cells, long line, double *count)
{
    struct holding *holding = state;
    struct node *held;
    bool adds = text_is(cells[0], "add");
    if (!adds && !text_is(cells[0], "remove"))
        return bad_cell(holding->reading, line, "\"add\" or \"remove\"", cells[0]);
    HASH_FIND(hh, holding->nodes, cells[1].at, cells[1].length, held);
    if (adds && !add_node(holding, cells[1], held, line))
        return false;
    if (!adds && !held)
        return fail(holding->reading, line, "node \"%.*s\" is removed, but is not there",
                    (int)(cells[1].length < SHOWN_MAX ? cells[1].length : SHOWN_MAX), cells[1].at);
    if (!adds)
        HASH_DEL(holding->nodes, held);
    *count = (double)HASH_COUNT(holding->nodes);
    return true;
}

static bool take_count(void *state, const struct text *cells, long line, double *count)
{
    const struct holding *holding = state;
    uint32_t whole;
    if (number_to_count(cells[0], COUNT_MAX, &whole) != NUMBER_OK)
        return bad_cell(holding->reading, line, "a whole number of instances", cells[0]);
    *count = whole;
    return true;
}

/* How rows without a header go on after their time. */
struct bare_layout {
    size_t columns;
    const char *doc;
    bool from_nothing; /* nothing is there before the first row */
    bool (*take)(void *holding, const struct text *cells, long line, double *count);
};

static const struct bare_layout bare_layouts[CAPACITY_FORMAT_COUNT] = {
    [CAPACITY_EVENTS] = {3, "time_ms,add|remove,node", true, take_event},
    [CAPACITY_COUNTS] = {2, "time_ms,count", false, take_count}};

static bool add_bare_row(struct holding *holding, const struct bare_layout *layout,
                         const struct line *line)
{
    struct reading *reading = holding->reading;
    struct text cells[CSV_MAX_COLUMNS];
    struct step_row row = {.line = line->number};
    size_t count;
    if (!csv_split(line, csv_separator(line->text), reading->options->path, cells, &count,
                   reading->error))
        return false;
    if (count != layout->columns) {
        fail(reading, line->number, "the row has %zu cells, not %zu", count, layout->columns);
        return error_hint(reading->error, "rows are %s", layout->doc);
    }
    if (number_to_ns(cells[0], SCALE_MS, &row.time_ns) != NUMBER_OK)
        return bad_cell(reading, line->number, "a time in milliseconds, from 0 on", cells[0]);
    if (!layout->take(holding, cells + 1, line->number, &row.value))
        return false;
    step_builder_add(&reading->builder, row);
    return true;
}

static bool add_bare_rows(struct reading *reading, const struct bare_layout *layout)
{
    struct holding holding = {.reading = reading};
    struct line line;
    enum line_status status;
    struct line_reader *reader = line_reader_open(reading->options->path, reading->error);
    if (!reader)
        return false;
    while ((status = line_reader_next(reader, &line, reading->error)) == LINE_READY)
        if (!add_bare_row(&holding, layout, &line))
            break;
    line_reader_close(reader);
    HASH_CLEAR(hh, holding.nodes); /* the nodes are the arena's */
    return status == LINE_END;
}

static bool read_bare(struct reading *reading, const struct bare_layout *layout,
                      struct step_series *series)
{
    if (layout->from_nothing)
        step_builder_add(&reading->builder, (struct step_row){0});
    return add_bare_rows(reading, layout) &&
           step_builder_finish(&reading->builder, 0, series, reading->error);
}

bool capacity_trace_read(const struct capacity_trace_options *options, struct arena *arena,
                         struct step_series *series, struct error *error)
{
    struct reading reading = {
        .options = options,
        .arena = arena,
        .builder = {.path = options->path, .arena = arena, .max_gap_s = options->max_gap_s},
        .error = error};
    struct first_row first;
    if (!read_first_row(&reading, &first))
        return false;
    enum capacity_format format =
        options->format == CAPACITY_AUTO ? format_of(&first) : options->format;
    reading.builder.sort = options->sort && format != CAPACITY_EVENTS;
    if (format == CAPACITY_COLUMNS)
        return read_columns(&reading, &first, series);
    return read_bare(&reading, &bare_layouts[format], series);
}
