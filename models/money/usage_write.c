/* Writing a usage as files (usage_files.h). */
#include <inttypes.h>
#include <stdio.h>

#include "models/money/usage_files.h"
#include "models/money/utc_date.h"
#include "sim/json_writer.h"
#include "sim/out_file.h"

#define NS_PER_S    INT64_C(1000000000)
#define SECONDS_LEN 32

/* --- tables --- */

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
                 "why,carried_s\n");
    for (size_t i = 0; i < usage->node_count; i++) {
        const struct node_usage *node = &usage->nodes[i];
        fprintf(out, "%u,%u,%u,%s", node->pool, node->market, node->instances,
                purchase_option_names[node->purchase]);
        put_seconds(out, node->requested);
        put_seconds(out, node->billed_from);
        put_seconds(out, node->ready);
        put_seconds(out, node->drain);
        put_seconds(out, node->end);
        fprintf(out, ",%s", node_end_names[node->why]);
        put_seconds(out, node->carried);
        fprintf(out, "\n");
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

/* A table without rows has no file. */
static bool write_table(const struct usage *usage, const char *path,
                        size_t (*write)(const struct usage *usage, FILE *out), size_t *rows,
                        struct error *error)
{
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return false;
    *rows = write(usage, out_file_stream(file));
    if (*rows > 0)
        return out_file_commit(file, error);
    out_file_discard(file);
    return true;
}

/* --- usage.json --- */

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

static const char *const table_names[] = USAGE_TABLE_NAMES;

static void put_head(const struct usage *usage, const size_t rows[USAGE_TABLES],
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
    for (int i = 0; i < USAGE_TABLES; i++)
        json_put_integer(writer, table_names[i], (int64_t)rows[i]);
    json_end_object(writer);
    json_end_object(writer);
}

static bool write_head(const struct usage *usage, const char *path, const size_t rows[USAGE_TABLES],
                       struct error *error)
{
    struct json_writer *writer = json_writer_create();
    put_head(usage, rows, writer);
    bool saved = json_writer_save(writer, path, error);
    json_writer_destroy(writer);
    return saved;
}

bool usage_write(const struct usage *usage, const char *folder, struct error *error)
{
    static size_t (*const writers[])(const struct usage *usage, FILE *out) = {
        [USAGE_NODES] = write_nodes,
        [USAGE_HOURS] = write_hours,
        [USAGE_SERVED] = write_served,
        [USAGE_SPOT] = write_spot,
    };
    struct arena *arena = arena_create();
    size_t rows[USAGE_TABLES];
    bool done = true;
    for (int i = 0; done && i < USAGE_TABLES; i++)
        done = write_table(usage, usage_table_path(folder, table_names[i], arena), writers[i],
                           &rows[i], error);
    done = done && write_head(usage, usage_head_path(folder, arena), rows, error);
    arena_destroy(arena);
    return done;
}
