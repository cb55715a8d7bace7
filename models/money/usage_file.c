/* A usage as files. Times and busy times are decimals of seconds with nine digits, read back as
 * whole nanoseconds: a double would lose the last ones of a long run. usage.json says how many rows
 * the tables hold, so that one that is cut off or missing is noticed. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "models/money/usage.h"
#include "models/money/utc_date.h"
#include "sim/config.h"
#include "sim/json_writer.h"
#include "sim/out_file.h"
#include "workloads/csv_rows.h"
#include "workloads/number_text.h"

#define NS_PER_S    INT64_C(1000000000)
#define EXACT_MAX   9007199254740992.0 /* 2^53 */
#define INDEX_MAX   4294967295.0
#define LIST_MAX    1000 /* pools, markets, classes */
#define SECONDS_LEN 32

/* --- writing --- */

static void print_seconds(int64_t ns, char text[SECONDS_LEN])
{
    snprintf(text, SECONDS_LEN, "%" PRId64 ".%09" PRId64, ns / NS_PER_S, ns % NS_PER_S);
}

static void put_seconds(FILE *out, tick_t at)
{
    char text[SECONDS_LEN];
    print_seconds(usage_ns(at), text);
    fprintf(out, ",%s", text);
}

static size_t write_nodes(const struct usage *usage, FILE *out)
{
    fprintf(out, "pool,market,instances,purchase,requested_s,billed_from_s,ready_s,drain_s,end_s,"
                 "why\n");
    for (size_t i = 0; i < usage->node_count; i++) {
        const struct node_usage *node = &usage->nodes[i];
        fprintf(out, "%u,%u,%u,%s", node->pool, node->market, node->instances,
                purchase_option_names[node->purchase]);
        put_seconds(out, node->requested);
        put_seconds(out, node->billed_from);
        put_seconds(out, node->ready);
        put_seconds(out, node->drain);
        put_seconds(out, node->end);
        fprintf(out, ",%s\n", node_end_names[node->why]);
    }
    return usage->node_count;
}

static size_t write_hours(const struct usage *usage, FILE *out)
{
    fprintf(out, "hour,pool,busy_s,wasted_s\n");
    size_t rows = (size_t)usage->hour_count * usage->pool_count, written = 0;
    for (size_t i = 0; i < rows; i++) {
        const struct usage_hour *hour = &usage->hours[i];
        if (hour->busy_ticks == 0 && hour->wasted_ticks == 0)
            continue;
        fprintf(out, "%zu,%zu", i / usage->pool_count, i % usage->pool_count);
        put_seconds(out, hour->busy_ticks);
        put_seconds(out, hour->wasted_ticks);
        fprintf(out, "\n");
        written++;
    }
    return written;
}

static size_t write_served(const struct usage *usage, FILE *out)
{
    fprintf(out, "hour,pool,class,requests,good,prompt_tok,cached_tok,output_tok\n");
    size_t classes = usage->class_count, pools = usage->pool_count, written = 0;
    for (size_t i = 0; i < usage->hour_count * pools * classes; i++) {
        const struct usage_class_hour *row = &usage->class_hours[i];
        if (row->requests == 0 && row->prompt_tok == 0 && row->output_tok == 0)
            continue;
        fprintf(out, "%zu,%zu,%zu,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
                i / classes / pools, i / classes % pools, i % classes, row->requests, row->good,
                row->prompt_tok, row->cached_tok, row->output_tok);
        written++;
    }
    return written;
}

static size_t write_spot(const struct usage *usage, FILE *out)
{
    fprintf(out, "market,at_s,usd_per_hour\n");
    size_t written = 0;
    for (uint32_t market = 0; market < usage->market_count; market++) {
        const struct spot_prices *prices = &usage->spot[market];
        for (size_t i = 0; i < prices->count; i++) {
            char price[SECONDS_LEN];
            json_format_number(prices->steps[i].usd_per_hour, price, sizeof price);
            fprintf(out, "%u", market);
            put_seconds(out, prices->steps[i].at);
            fprintf(out, ",%s\n", price);
            written++;
        }
    }
    return written;
}

/* One file of rows: how it is called, written, and read. */
struct usage_table {
    const char *name;
    size_t (*write)(const struct usage *usage, FILE *out); /* returns how many rows */
    const struct csv_row_type *rows;
    bool (*read)(struct usage *usage, const void *row, const char *path, struct error *error);
};

static void table_path(const char *folder, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/usage_%s.csv", folder, name);
}

static bool write_table(const struct usage *usage, const struct usage_table *table,
                        const char *folder, size_t *rows, struct error *error)
{
    char path[4096];
    table_path(folder, table->name, path, sizeof path);
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return false;
    *rows = table->write(usage, out_file_stream(file));
    if (*rows > 0)
        return out_file_commit(file, error);
    out_file_discard(file);
    return true;
}

static void put_pools(const struct usage *usage, struct json_writer *writer)
{
    json_begin_list(writer, "pools");
    for (uint32_t i = 0; i < usage->pool_count; i++) {
        json_begin_object(writer, NULL);
        json_put_string(writer, "name", usage->pools[i].name);
        json_put_string(writer, "model", usage->pools[i].model);
        json_put_integer(writer, "replicas_per_node", usage->pools[i].replicas_per_node);
        json_end_object(writer);
    }
    json_end_list(writer);
}

static void put_markets(const struct usage *usage, struct json_writer *writer)
{
    json_begin_list(writer, "markets");
    for (uint32_t i = 0; i < usage->market_count; i++) {
        const struct usage_market *market = &usage->markets[i];
        json_begin_object(writer, NULL);
        json_put_string(writer, "name", market->name);
        json_put_string(writer, "provider", market->provider);
        json_put_string(writer, "region", market->region);
        json_put_string(writer, "sku", market->sku);
        json_put_integer(writer, "gpus", market->gpus);
        json_put_number(writer, "on_demand_usd_per_hour", market->on_demand_usd_per_hour);
        json_end_object(writer);
    }
    json_end_list(writer);
}

static void put_classes(const struct usage *usage, struct json_writer *writer)
{
    json_begin_list(writer, "classes");
    for (uint32_t i = 0; i < usage->class_count; i++) {
        json_begin_object(writer, NULL);
        json_put_string(writer, "name", usage->classes[i].name);
        json_put_string(writer, "tenant", usage->classes[i].tenant);
        json_end_object(writer);
    }
    json_end_list(writer);
}

/* --- reading: the head --- */

struct usage_rows {
    int64_t nodes, hours, served, spot;
};

struct usage_head {
    const char *start_time, *end_s;
    struct config_list pools, markets, classes;
    struct usage_rows rows;
};

struct market_entry {
    const char *name, *provider, *region, *sku;
    int64_t gpus;
    double on_demand_usd_per_hour;
};

struct pool_entry {
    const char *name, *model;
    int64_t replicas_per_node;
};

#define MEMBER(type, kind_, member, doc_, ...)                                                     \
    {                                                                                              \
        .name = #member, .kind = kind_, .offset = offsetof(type, member), .doc = doc_, __VA_ARGS__ \
    }
#define ROWS(member)            MEMBER(struct usage_rows, CONFIG_INT, member, "of them", .min = 0, .max = 1e12)
#define TEXT(type, member, doc) MEMBER(type, CONFIG_STRING, member, doc)

static const struct config_field pool_fields[] = {
    TEXT(struct pool_entry, name, "of the pool"),
    TEXT(struct pool_entry, model, "that it served"),
    MEMBER(struct pool_entry, CONFIG_INT, replicas_per_node, "that a node holds", .min = 1,
           .max = 1024),
    {0},
};
static const struct config_type pool_type = {"usage_pool", "a pool", sizeof(struct pool_entry),
                                             pool_fields};
static const struct config_field pool_element = {.kind = CONFIG_OBJECT, .object = &pool_type};

static const struct config_field market_fields[] = {
    TEXT(struct market_entry, name, "of the market"),
    TEXT(struct market_entry, provider, "who rents it out"),
    TEXT(struct market_entry, region, "where"),
    TEXT(struct market_entry, sku, "instance type"),
    MEMBER(struct market_entry, CONFIG_INT, gpus, "of one instance", .min = 0, .max = 1024),
    MEMBER(struct market_entry, CONFIG_NUMBER, on_demand_usd_per_hour,
           "of one instance, as the scenario said; null: it did not", .optional = true, .min = 0,
           .max = 1e6),
    {0},
};
static const struct config_type market_type = {"usage_market", "a market",
                                               sizeof(struct market_entry), market_fields};
static const struct config_field market_element = {.kind = CONFIG_OBJECT, .object = &market_type};

static const struct config_field class_fields[] = {
    TEXT(struct usage_class, name, "of the class"),
    TEXT(struct usage_class, tenant, "whose requests they are"),
    {0},
};
static const struct config_type class_type = {"usage_class", "a request class",
                                              sizeof(struct usage_class), class_fields};
static const struct config_field class_element = {.kind = CONFIG_OBJECT, .object = &class_type};

static const struct config_field rows_fields[] = {
    ROWS(nodes), ROWS(hours), ROWS(served), ROWS(spot), {0}};
static const struct config_type rows_type = {"usage_rows", "rows of each table",
                                             sizeof(struct usage_rows), rows_fields};

#define HEAD(kind, member, doc, ...) MEMBER(struct usage_head, kind, member, doc, __VA_ARGS__)

static const struct config_field head_fields[] = {
    HEAD(CONFIG_STRING, start_time, "date of time 0, UTC"),
    HEAD(CONFIG_STRING, end_s, "of the run, seconds"),
    HEAD(CONFIG_LIST, pools, "in the order of their numbers", .element = &pool_element,
         .max = LIST_MAX),
    HEAD(CONFIG_LIST, markets, "in the order of their numbers", .element = &market_element,
         .max = LIST_MAX),
    HEAD(CONFIG_LIST, classes, "in the order of their numbers", .element = &class_element,
         .max = LIST_MAX),
    HEAD(CONFIG_OBJECT, rows, "of each table", .object = &rows_type),
    {0},
};
static const struct config_type head_type = {"usage", "what a fleet used",
                                             sizeof(struct usage_head), head_fields};

static bool read_seconds(const char *text, tick_t *at)
{
    int64_t ns;
    if (number_to_ns((struct text){text, strlen(text)}, 9, &ns) != NUMBER_OK)
        return false;
    *at = usage_tick_of_ns(ns);
    return *at >= 0; /* a time past the end of the clock has overflowed */
}

static void add_names(struct usage *usage, const struct usage_head *head)
{
    const struct pool_entry *pools = head->pools.items;
    for (size_t i = 0; i < head->pools.count; i++)
        usage_add_pool(usage, &(struct usage_pool){pools[i].name, pools[i].model,
                                                   (uint32_t)pools[i].replicas_per_node});
    const struct market_entry *markets = head->markets.items;
    for (size_t i = 0; i < head->markets.count; i++)
        usage_add_market(usage, &(struct usage_market){markets[i].name, markets[i].provider,
                                                       markets[i].region, markets[i].sku,
                                                       (uint32_t)markets[i].gpus,
                                                       markets[i].on_demand_usd_per_hour});
    const struct usage_class *classes = head->classes.items;
    for (size_t i = 0; i < head->classes.count; i++)
        usage_add_class(usage, &classes[i]);
}

static bool take_head(struct usage *usage, const struct usage_head *head,
                      const struct json_document *document, struct error *error)
{
    int64_t start;
    tick_t end;
    if (!utc_date_read(head->start_time, &start))
        return json_error(document, "/start_time", error, "\"%s\" is not a date", head->start_time);
    if (!read_seconds(head->end_s, &end))
        return json_error(document, "/end_s", error, "\"%s\" is not a time in seconds",
                          head->end_s);
    usage_init(usage, start);
    usage->end = end;
    add_names(usage, head);
    return true;
}

/* --- reading: the tables --- */

struct node_row {
    int64_t pool, market, instances;
    const char *purchase, *requested, *billed_from, *ready, *drain, *end, *why;
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
    COLUMN(served_row, name, CSV_COUNT, served.member, .min = 0, .max = EXACT_MAX)

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
    if (!read_seconds(row->requested, &node.requested) ||
        !read_seconds(row->billed_from, &node.billed_from) ||
        !read_seconds(row->ready, &node.ready) || !read_seconds(row->drain, &node.drain) ||
        !read_seconds(row->end, &node.end))
        return row_error(path, row->line, "a time is not a number of seconds", error);
    if (node.requested > node.billed_from || node.billed_from > node.ready ||
        node.ready > node.drain || node.drain > node.end || node.end > usage->end)
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
    if (!read_seconds(row->busy, &busy) || !read_seconds(row->wasted, &wasted))
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
    if (!read_seconds(row->at, &at))
        return row_error(path, row->line, "the time is not a number of seconds", error);
    const struct spot_prices *prices = &usage->spot[row->market];
    if (prices->count > 0 && at < prices->steps[prices->count - 1].at)
        return row_error(path, row->line, "the price is out of order in time", error);
    usage_set_spot_price(usage, (uint32_t)row->market, at, row->usd_per_hour);
    return true;
}

/* --- all of it --- */

enum { TABLE_NODES, TABLE_HOURS, TABLE_SERVED, TABLE_SPOT, TABLES };

static const struct usage_table tables[TABLES] = {
    [TABLE_NODES] = {"nodes", write_nodes, &node_rows, read_node},
    [TABLE_HOURS] = {"hours", write_hours, &hour_rows, read_hour},
    [TABLE_SERVED] = {"served", write_served, &served_rows, read_served},
    [TABLE_SPOT] = {"spot", write_spot, &spot_rows, read_spot_price},
};

static void put_head(const struct usage *usage, const size_t rows[TABLES],
                     struct json_writer *writer)
{
    char start[32], end[SECONDS_LEN];
    utc_date_print(usage->start_unix_s, start, sizeof start);
    print_seconds(usage_ns(usage->end), end);
    json_begin_object(writer, NULL);
    json_put_string(writer, "start_time", start);
    json_put_string(writer, "end_s", end);
    put_pools(usage, writer);
    put_markets(usage, writer);
    put_classes(usage, writer);
    json_begin_object(writer, "rows");
    for (int i = 0; i < TABLES; i++)
        json_put_integer(writer, tables[i].name, (int64_t)rows[i]);
    json_end_object(writer);
    json_end_object(writer);
}

bool usage_write(const struct usage *usage, const char *folder, struct error *error)
{
    size_t rows[TABLES];
    for (int i = 0; i < TABLES; i++)
        if (!write_table(usage, &tables[i], folder, &rows[i], error))
            return false;
    char path[4096];
    snprintf(path, sizeof path, "%s/usage.json", folder);
    struct json_writer *writer = json_writer_create();
    put_head(usage, rows, writer);
    bool saved = json_writer_save(writer, path, error);
    json_writer_destroy(writer);
    return saved;
}

static bool read_rows(struct usage *usage, const struct usage_table *table, const char *path,
                      size_t expected, struct arena *arena, struct error *error)
{
    struct csv_rows rows;
    if (!csv_rows_read(path, table->rows, arena, &rows, error))
        return false;
    if (rows.count != expected)
        return error_at(error, ERROR_BAD_INPUT, path, 0, NULL,
                        "the file has %zu rows, and usage.json says %zu", rows.count, expected);
    for (size_t i = 0; i < rows.count; i++)
        if (!table->read(usage, (const char *)rows.items + i * table->rows->size, path, error))
            return false;
    return true;
}

static bool read_tables(struct usage *usage, const struct usage_rows *rows, const char *folder,
                        struct arena *arena, struct error *error)
{
    const int64_t counts[TABLES] = {rows->nodes, rows->hours, rows->served, rows->spot};
    for (int i = 0; i < TABLES; i++) {
        char path[4096];
        table_path(folder, tables[i].name, path, sizeof path);
        if (counts[i] > 0 && !read_rows(usage, &tables[i], path, (size_t)counts[i], arena, error))
            return false;
    }
    return true;
}

static bool read_head(struct usage *usage, const char *folder, struct arena *arena,
                      struct usage_rows *rows, struct error *error)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/usage.json", folder);
    struct json_document *document = json_read_file(path, error);
    struct usage_head head;
    bool done = document &&
                config_read(&head_type, document, json_root(document), "", arena, &head, error) &&
                take_head(usage, &head, document, error);
    if (done)
        *rows = head.rows;
    json_free(document);
    return done;
}

bool usage_read(struct usage *usage, const char *folder, struct error *error)
{
    *usage = (struct usage){0};
    struct arena *arena = arena_create();
    struct usage_rows rows;
    bool done = read_head(usage, folder, arena, &rows, error) &&
                read_tables(usage, &rows, folder, arena, error);
    arena_destroy(arena);
    if (!done)
        usage_free(usage);
    return done;
}
