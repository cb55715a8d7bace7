#include "analysis/price_demand.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/config.h"
#include "workloads/csv_rows.h"

bool price_is_run(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* --- a run --- */

#define SECONDS_PER_HOUR 3600.0

/* The part of the clock hour, in hours, that lies in [from, to). */
static double overlap_hours(const struct usage *usage, uint32_t hour, tick_t from, tick_t to)
{
    tick_t begin = usage_hour_start(usage, hour), end = usage_hour_start(usage, hour + 1);
    begin = begin > from ? begin : from;
    end = end < to ? end : to;
    return end > begin ? tick_to_s(end - begin) / SECONDS_PER_HOUR : 0;
}

static void add_node(const struct usage *usage, const struct node_usage *node, double *hours)
{
    if (node->end <= node->billed_from)
        return;
    uint32_t last = usage_hour_of(usage, node->end);
    for (uint32_t hour = usage_hour_of(usage, node->billed_from); hour <= last; hour++)
        hours[hour] += node->instances * overlap_hours(usage, hour, node->billed_from, node->end);
}

/* Clock hours of the run; what ended in its last instant may have been booked in one more. */
static uint32_t hours_of(const struct usage *usage)
{
    uint32_t spanned = usage_hour_of(usage, usage->end) + 1;
    return usage->hour_count > spanned ? usage->hour_count : spanned;
}

/* sums: over each hour, of the quantity whose mean is the demand. */
static struct load_duration *curve_of_hours(const struct usage *usage, const double *sums,
                                            struct arena *arena, struct error *error)
{
    uint32_t count = hours_of(usage);
    struct demand_step *steps = ARENA_ARRAY(arena, count, struct demand_step);
    size_t kept = 0;
    for (uint32_t hour = 0; hour < count; hour++) {
        double hours = overlap_hours(usage, hour, 0, usage->end);
        if (hours > 0)
            steps[kept++] = (struct demand_step){hours, sums[hour] / hours};
    }
    return load_duration_create(steps, kept, arena, error);
}

/* Adds a name to those that are there already. */
static void add_name(const char **names, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(names[i], name) == 0)
            return;
    names[(*count)++] = name;
}

static const char *choose_sku(const struct usage *usage, const char *sku, struct arena *arena,
                              struct error *error)
{
    const char **names = ARENA_ARRAY(arena, usage->market_count + 1, const char *);
    size_t count = 0;
    for (uint32_t i = 0; i < usage->market_count; i++)
        add_name(names, &count, usage->markets[i].sku);
    if (!sku && count == 1)
        return names[0];
    for (size_t i = 0; sku && i < count; i++)
        if (strcmp(names[i], sku) == 0)
            return names[i];
    if (sku)
        error_set(error, ERROR_USAGE, "--sku: the run has no instances \"%s\"", sku);
    else
        error_set(error, ERROR_USAGE, "--sku is missing: the run has %zu types of instances",
                  count);
    config_hint_names(error, sku ? sku : "", names, count);
    return NULL;
}

bool price_demand_of_run(const struct usage *usage, const char *sku, bool all_nodes,
                         struct arena *arena, struct price_demand *demand, struct error *error)
{
    sku = choose_sku(usage, sku, arena, error);
    if (!sku)
        return false;
    *demand = (struct price_demand){.sku = arena_strdup(arena, sku), .provider = "", .region = ""};
    double *hours = ARENA_ARRAY(arena, hours_of(usage), double);
    size_t counted = 0;
    for (size_t i = 0; i < usage->node_count; i++) {
        const struct node_usage *node = &usage->nodes[i];
        const struct usage_market *market = &usage->markets[node->market];
        if (strcmp(market->sku, sku) != 0 || !(all_nodes || node->purchase == PURCHASE_ON_DEMAND))
            continue;
        add_node(usage, node, hours);
        counted++;
        demand->provider = arena_strdup(arena, market->provider);
        demand->region = arena_strdup(arena, market->region);
    }
    if (counted == 0) {
        error_set(error, ERROR_BAD_INPUT, "the run had no %s on demand", sku);
        return error_hint(error, "--all-nodes counts those on Spot, too");
    }
    demand->curve = curve_of_hours(usage, hours, arena, error);
    return demand->curve != NULL;
}

struct load_duration *price_load_of_run(const struct usage *usage, struct arena *arena,
                                        struct error *error)
{
    double *tokens = ARENA_ARRAY(arena, hours_of(usage), double);
    size_t each = (size_t)usage->pool_count * usage->class_count;
    for (size_t i = 0; i < usage->hour_count * each; i++)
        tokens[i / each] +=
            (double)(usage->class_hours[i].prompt_tok + usage->class_hours[i].output_tok);
    return curve_of_hours(usage, tokens, arena, error);
}

/* --- a table --- */

struct demand_row {
    double instances, hours;
    long line;
};

static const struct csv_field demand_fields[] = {
    {"instances", CSV_NUMBER, offsetof(struct demand_row, instances), false, 0, 1e9},
    {"hours", CSV_NUMBER, offsetof(struct demand_row, hours), true, 1e-9, 1e9},
    {0}};
static const struct csv_row_type demand_row_type = {
    sizeof(struct demand_row), offsetof(struct demand_row, line), demand_fields};

bool price_demand_of_table(const char *path, struct arena *arena, struct price_demand *demand,
                           struct error *error)
{
    struct csv_rows rows;
    if (!csv_rows_read(path, &demand_row_type, arena, &rows, error))
        return false;
    if (rows.count == 0)
        return error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "the table has no rows");
    struct demand_step *steps = ARENA_ARRAY(arena, rows.count, struct demand_step);
    for (size_t i = 0; i < rows.count; i++) {
        const struct demand_row *row = (const struct demand_row *)rows.items + i;
        steps[i] = (struct demand_step){isnan(row->hours) ? 1 : row->hours, row->instances};
    }
    *demand = (struct price_demand){.sku = "", .provider = "", .region = ""};
    demand->curve = load_duration_create(steps, rows.count, arena, error);
    return demand->curve != NULL;
}
