/* Reading a usage from its files (usage_files.h). */
#include <string.h>

#include "models/money/usage_files.h"
#include "workloads/csv_rows.h"

#define TOTAL_MAX 1e13 /* of tokens or requests in an hour */
#define INDEX_MAX 4294967295.0

struct node_row {
    int64_t pool, market, instances;
    const char *purchase, *requested, *billed_from, *ready, *drain, *end, *why, *carried;
    long line;
};

struct hour_row {
    int64_t hour, pool;
    const char *busy, *wasted;
    long line;
};

struct served_row {
    int64_t hour, pool, class_index;
    struct usage_class_hour served;
    long line;
};

struct spot_row {
    int64_t market;
    const char *at;
    double usd_per_hour;
    long line;
};

#define COLUMN(type, name, kind, member, ...)                                                      \
    {                                                                                              \
        name, kind, offsetof(struct type, member), __VA_ARGS__                                     \
    }
#define INDEX(type, name, member) COLUMN(type, name, CSV_COUNT, member, .min = 0, .max = INDEX_MAX)
#define WORD(type, name, member)  COLUMN(type, name, CSV_TEXT, member, .min = 0)
#define TOTAL(name, member)                                                                        \
    COLUMN(served_row, name, CSV_COUNT, served.member, .min = 0, .max = TOTAL_MAX)

static const struct csv_field node_columns[] = {
    INDEX(node_row, "pool", pool),
    INDEX(node_row, "market", market),
    COLUMN(node_row, "instances", CSV_COUNT, instances, .min = 1, .max = 1e6),
    WORD(node_row, "purchase", purchase),
    WORD(node_row, "requested_s", requested),
    WORD(node_row, "billed_from_s", billed_from),
    WORD(node_row, "ready_s", ready),
    WORD(node_row, "drain_s", drain),
    WORD(node_row, "end_s", end),
    WORD(node_row, "why", why),
    WORD(node_row, "carried_s", carried),
    {0},
};
static const struct csv_row_type node_rows = {sizeof(struct node_row),
                                              offsetof(struct node_row, line), node_columns};

static const struct csv_field hour_columns[] = {
    INDEX(hour_row, "hour", hour),
    INDEX(hour_row, "pool", pool),
    WORD(hour_row, "busy_s", busy),
    WORD(hour_row, "wasted_s", wasted),
    {0},
};
static const struct csv_row_type hour_rows = {sizeof(struct hour_row),
                                              offsetof(struct hour_row, line), hour_columns};

static const struct csv_field served_columns[] = {
    INDEX(served_row, "hour", hour),
    INDEX(served_row, "pool", pool),
    INDEX(served_row, "class", class_index),
    TOTAL("requests", requests),
    TOTAL("good", good),
    TOTAL("prompt_tok", prompt_tok),
    TOTAL("cached_tok", cached_tok),
    TOTAL("output_tok", output_tok),
    {0},
};
static const struct csv_row_type served_rows = {sizeof(struct served_row),
                                                offsetof(struct served_row, line), served_columns};

static const struct csv_field spot_columns[] = {
    INDEX(spot_row, "market", market),
    WORD(spot_row, "at_s", at),
    COLUMN(spot_row, "usd_per_hour", CSV_NUMBER, usd_per_hour, .min = 0, .max = 1e6),
    {0},
};
static const struct csv_row_type spot_rows = {sizeof(struct spot_row),
                                              offsetof(struct spot_row, line), spot_columns};

static bool row_error(const char *path, long line, const char *what, struct error *error)
{
    return error_at(error, ERROR_BAD_INPUT, path, line, NULL, "%s", what);
}

/* Index of the word in names (ended by NULL), or -1. */
static int find_word(const char *word, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return -1;
}

static bool read_node(struct usage *usage, const void *item, const char *path, struct error *error)
{
    const struct node_row *row = item;
    struct node_usage node = {.pool = (uint32_t)row->pool,
                              .market = (uint32_t)row->market,
                              .instances = (uint32_t)row->instances};
    int purchase = find_word(row->purchase, purchase_option_names);
    int why = find_word(row->why, node_end_names);
    if (node.pool >= usage->pool_count || node.market >= usage->market_count)
        return row_error(path, row->line, "usage.json has no such pool or market", error);
    if (purchase < 0 || purchase >= PURCHASE_NODE_OPTIONS)
        return row_error(path, row->line, "a node is not bought in such a way", error);
    if (why < 0)
        return row_error(path, row->line, "that is no reason to end", error);
    if (!usage_read_seconds(row->requested, &node.requested) ||
        !usage_read_seconds(row->billed_from, &node.billed_from) ||
        !usage_read_seconds(row->ready, &node.ready) ||
        !usage_read_seconds(row->drain, &node.drain) || !usage_read_seconds(row->end, &node.end) ||
        !usage_read_seconds(row->carried, &node.carried))
        return row_error(path, row->line, "a time is not a number of seconds", error);
    if (node.requested > node.billed_from || node.billed_from > node.ready ||
        node.ready > node.drain || node.drain > node.end || node.end > usage->end ||
        node.carried > node.billed_from)
        return row_error(path, row->line, "the times of the node are out of order", error);
    node.purchase = (enum purchase_option)purchase;
    node.why = (enum node_end)why;
    usage_add_node(usage, &node);
    return true;
}

/* The first tick of the run in that hour; -1 when the run or its pools do not reach that far. */
static tick_t row_tick(const struct usage *usage, int64_t hour, int64_t pool)
{
    if (pool >= usage->pool_count || hour > usage_hour_of(usage, usage->end))
        return -1;
    tick_t start = usage_hour_start(usage, (uint32_t)hour);
    return start > 0 ? start : 0;
}

static bool read_hour(struct usage *usage, const void *item, const char *path, struct error *error)
{
    const struct hour_row *row = item;
    tick_t at = row_tick(usage, row->hour, row->pool), busy, wasted;
    if (at < 0)
        return row_error(path, row->line, "the run has no such pool or hour", error);
    if (!usage_read_seconds(row->busy, &busy) || !usage_read_seconds(row->wasted, &wasted))
        return row_error(path, row->line, "a time is not a number of seconds", error);
    *usage_hour(usage, (uint32_t)row->pool, at) = (struct usage_hour){busy, wasted};
    return true;
}

static bool read_served(struct usage *usage, const void *item, const char *path,
                        struct error *error)
{
    const struct served_row *row = item;
    tick_t at = row_tick(usage, row->hour, row->pool);
    if (at < 0 || row->class_index >= usage->class_count)
        return row_error(path, row->line, "the run has no such pool, class or hour", error);
    if (row->served.cached_tok > row->served.prompt_tok || row->served.good > row->served.requests)
        return row_error(path, row->line, "a part is more than the whole", error);
    *usage_class_hour(usage, (uint32_t)row->pool, (uint32_t)row->class_index, at) = row->served;
    return true;
}

static bool read_spot_price(struct usage *usage, const void *item, const char *path,
                            struct error *error)
{
    const struct spot_row *row = item;
    tick_t at;
    if (row->market >= usage->market_count)
        return row_error(path, row->line, "usage.json has no such market", error);
    if (!usage_read_seconds(row->at, &at))
        return row_error(path, row->line, "the time is not a number of seconds", error);
    const struct spot_prices *prices = &usage->spot[row->market];
    if (prices->count > 0 && at < prices->steps[prices->count - 1].at)
        return row_error(path, row->line, "the price is out of order in time", error);
    usage_set_spot_price(usage, (uint32_t)row->market, at, row->usd_per_hour);
    return true;
}

/* --- all of it --- */

struct table_reader {
    const struct csv_row_type *rows;
    bool (*read)(struct usage *usage, const void *row, const char *path, struct error *error);
};

static bool read_rows(struct usage *usage, const struct table_reader *reader, const char *path,
                      int64_t expected, struct arena *arena, struct error *error)
{
    struct csv_rows rows;
    if (!csv_rows_read(path, reader->rows, arena, &rows, error))
        return false;
    if ((int64_t)rows.count != expected)
        return error_at(error, ERROR_BAD_INPUT, path, 0, NULL,
                        "the file has %zu rows, and usage.json says %lld", rows.count,
                        (long long)expected);
    for (size_t i = 0; i < rows.count; i++)
        if (!reader->read(usage, (const char *)rows.items + i * reader->rows->size, path, error))
            return false;
    return true;
}

static bool read_tables(struct usage *usage, const char *folder, const int64_t rows[USAGE_TABLES],
                        struct error *error)
{
    static const char *const names[] = USAGE_TABLE_NAMES;
    static const struct table_reader readers[] = {
        [USAGE_NODES] = {&node_rows, read_node},
        [USAGE_HOURS] = {&hour_rows, read_hour},
        [USAGE_SERVED] = {&served_rows, read_served},
        [USAGE_SPOT] = {&spot_rows, read_spot_price},
    };
    struct arena *arena = arena_create();
    bool done = true;
    for (int i = 0; done && i < USAGE_TABLES; i++)
        done =
            rows[i] == 0 || read_rows(usage, &readers[i], usage_table_path(folder, names[i], arena),
                                      rows[i], arena, error);
    arena_destroy(arena);
    return done;
}

bool usage_read(struct usage *usage, const char *folder, struct error *error)
{
    int64_t rows[USAGE_TABLES];
    *usage = (struct usage){0};
    if (usage_read_head(usage, folder, rows, error) && read_tables(usage, folder, rows, error))
        return true;
    usage_free(usage);
    return false;
}
