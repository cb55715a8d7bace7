#include <math.h>
#include <string.h>

#include "sim/config.h"
#include "workloads/capacity_trace.h"
#include "workloads/csv_rows.h"

#define USD_PER_HOUR_MAX 1e6

enum { NAMES_MAX = 64 };

struct price_row {
    double offset_s, usd_per_hour;
    const char *time_utc, *zone, *instance_type;
    long line;
};

#define AT(member) offsetof(struct price_row, member)

static const struct csv_field fields[] = {
    {"offset_s", CSV_NUMBER, AT(offset_s), true, 0, CLOCK_MAX_S},
    {"time_utc", CSV_TEXT, AT(time_utc), true, 0, 0},
    {"zone", CSV_TEXT, AT(zone), true, 0, 0},
    {"instance_type", CSV_TEXT, AT(instance_type), true, 0, 0},
    {"spot_usd_per_hour", CSV_NUMBER, AT(usd_per_hour), false, 0, USD_PER_HOUR_MAX},
    {0}};

static const struct csv_row_type row_type = {sizeof(struct price_row), AT(line), fields};

struct history {
    const char *path;
    const struct price_row *rows;
    int64_t *time_ns; /* [count] */
    size_t count;
    int64_t first_ns, last_ns; /* of all rows */
};

/* --- which rows --- */

/* A column that says whose row it is. */
struct key {
    const char *column;
    size_t offset;
    const char *wanted;
};

static const char *key_of(const struct key *key, const struct price_row *row)
{
    return *(const char *const *)((const char *)row + key->offset);
}

/* A row that does not say is everybody's. */
static bool is_wanted(const struct key *key, const struct price_row *row)
{
    const char *name = key_of(key, row);
    return !name[0] || strcmp(name, key->wanted) == 0;
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The names in the column: the first NAMES_MAX there are. */
static size_t list_names(const struct history *history, const struct key *key, const char **names)
{
    size_t count = 0;
    for (size_t i = 0; i < history->count && count < NAMES_MAX; i++) {
        const char *name = key_of(key, &history->rows[i]);
        if (name[0] && !is_among(name, names, count))
            names[count++] = name;
    }
    return count;
}

/* The name asked for must be there; when none is, there must be only one. */
static bool settle_key(const struct history *history, struct key *key, struct error *error)
{
    const char *names[NAMES_MAX];
    size_t count = list_names(history, key, names);
    if (!key->wanted && count <= 1) {
        key->wanted = count ? names[0] : "";
        return true;
    }
    if (!key->wanted) {
        error_at(error, ERROR_BAD_INPUT, history->path, 0, NULL,
                 "has prices of %s%zu of \"%s\": which one is not said",
                 count == NAMES_MAX ? "at least " : "", count, key->column);
        return error_hint(error, "give \"%s\", such as \"%s\"", key->column, names[0]);
    }
    for (size_t i = 0; i < history->count; i++)
        if (is_wanted(key, &history->rows[i]))
            return true;
    error_at(error, ERROR_BAD_INPUT, history->path, 0, NULL, "has no price of %s \"%s\"",
             key->column, key->wanted);
    config_hint_names(error, key->wanted, names, count);
    return false;
}

/* --- when --- */

static bool read_times(struct history *history, struct arena *arena, struct error *error)
{
    history->time_ns = ARENA_ARRAY(arena, history->count, int64_t);
    for (size_t i = 0; i < history->count; i++) {
        const struct price_row *row = &history->rows[i];
        int64_t *ns = &history->time_ns[i];
        if (!step_row_time(history->path, row->offset_s, row->time_utc, row->line, ns, error))
            return false;
        if (i == 0 || *ns < history->first_ns)
            history->first_ns = *ns;
        if (i == 0 || *ns > history->last_ns)
            history->last_ns = *ns;
    }
    return true;
}

static bool make_series(const struct history *history, const struct key *zone,
                        const struct key *type, struct arena *arena, struct step_series *series,
                        struct error *error)
{
    struct step_builder builder = {.path = history->path,
                                   .arena = arena,
                                   .max_gap_s = INFINITY,
                                   .end = STEP_END_GIVEN,
                                   .end_ns = history->last_ns};
    bool dated = isnan(history->rows[0].offset_s);
    for (size_t i = 0; i < history->count; i++) {
        const struct price_row *row = &history->rows[i];
        struct step_row step = {history->time_ns[i], row->usd_per_hour, row->line};
        if (isnan(row->offset_s) != dated)
            return error_at(error, ERROR_BAD_INPUT, history->path, row->line, NULL,
                            "the row goes by %s, those before it by %s",
                            dated ? "offset_s" : "time_utc", dated ? "time_utc" : "offset_s");
        if (is_wanted(zone, row) && is_wanted(type, row))
            step_builder_add(&builder, step);
    }
    if (builder.count == 0)
        return error_at(error, ERROR_BAD_INPUT, history->path, 0, NULL,
                        "no row is both of zone \"%s\" and of instance_type \"%s\"", zone->wanted,
                        type->wanted);
    if (!step_builder_finish(&builder, dated ? history->first_ns : 0, series, error))
        return false;
    series->dated = dated;
    series->zero_ns = dated ? history->first_ns : 0;
    return true;
}

bool price_trace_read(const struct price_trace_options *options, struct arena *arena,
                      struct step_series *series, struct error *error)
{
    struct csv_rows rows;
    if (!csv_rows_read(options->path, &row_type, arena, &rows, error))
        return false;
    struct history history = {.path = options->path, .rows = rows.items, .count = rows.count};
    struct key zone = {"zone", AT(zone), options->zone};
    struct key type = {"instance_type", AT(instance_type), options->instance_type};
    return settle_key(&history, &zone, error) && settle_key(&history, &type, error) &&
           read_times(&history, arena, error) &&
           make_series(&history, &zone, &type, arena, series, error);
}
