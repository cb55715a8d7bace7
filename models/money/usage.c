#include "models/money/usage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "models/money/utc_date.h"

#define TICKS_PER_HOUR ((tick_t)3600 << TICK_BITS)

const char *const node_end_names[] = {
    [NODE_END_HORIZON] = "horizon",
    [NODE_END_SCALE_IN] = "scale_in",
    [NODE_END_INTERRUPTED] = "interrupted",
    [NODE_END_FAILED] = "failed",
    [NODE_END_MOVED] = "moved",
    [NODE_END_COUNT] = NULL,
};

/* Room for one more item, or for twice as many as there are. */
static void *grow(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 16;
    items = realloc(items, *capacity * size);
    if (!items)
        out_of_memory();
    return items;
}

/* Room for one more of the few that are added at the start: one by one will do. */
static void *grow_by_one(void *items, uint32_t count, size_t size)
{
    size_t capacity = count;
    items = realloc(items, (capacity + 1) * size);
    if (!items)
        out_of_memory();
    return items;
}

void usage_init(struct usage *usage, int64_t start_unix_s)
{
    *usage = (struct usage){.start_unix_s = start_unix_s, .names = arena_create()};
}

void usage_free(struct usage *usage)
{
    for (uint32_t i = 0; i < usage->market_count; i++)
        free(usage->spot[i].steps);
    free(usage->spot);
    free(usage->pools);
    free(usage->markets);
    free(usage->classes);
    free(usage->nodes);
    free(usage->hours);
    free(usage->class_hours);
    arena_destroy(usage->names);
    *usage = (struct usage){0};
}

/* --- names --- */

static const char *copy_name(struct usage *usage, const char *name)
{
    return arena_strdup(usage->names, name ? name : "");
}

uint32_t usage_add_pool(struct usage *usage, const struct usage_pool *pool)
{
    assert(usage->hour_count == 0 && pool->replicas_per_node > 0);
    usage->pools = grow_by_one(usage->pools, usage->pool_count, sizeof *usage->pools);
    usage->pools[usage->pool_count] = (struct usage_pool){
        .name = copy_name(usage, pool->name),
        .model = copy_name(usage, pool->model),
        .replicas_per_node = pool->replicas_per_node,
    };
    return usage->pool_count++;
}

uint32_t usage_add_market(struct usage *usage, const struct usage_market *market)
{
    usage->markets = grow_by_one(usage->markets, usage->market_count, sizeof *usage->markets);
    usage->spot = grow_by_one(usage->spot, usage->market_count, sizeof *usage->spot);
    usage->spot[usage->market_count] = (struct spot_prices){0};
    usage->markets[usage->market_count] = (struct usage_market){
        .name = copy_name(usage, market->name),
        .provider = copy_name(usage, market->provider),
        .region = copy_name(usage, market->region),
        .sku = copy_name(usage, market->sku),
        .gpus = market->gpus,
        .on_demand_usd_per_hour = market->on_demand_usd_per_hour,
    };
    return usage->market_count++;
}

uint32_t usage_add_class(struct usage *usage, const struct usage_class *class_)
{
    assert(usage->hour_count == 0);
    usage->classes = grow_by_one(usage->classes, usage->class_count, sizeof *usage->classes);
    usage->classes[usage->class_count] = (struct usage_class){
        .name = copy_name(usage, class_->name),
        .tenant = copy_name(usage, class_->tenant),
    };
    return usage->class_count++;
}

/* --- rows --- */

static void check_node(const struct usage *usage, const struct node_usage *node)
{
    assert(node->pool < usage->pool_count && node->market < usage->market_count);
    assert(node->instances > 0 && node->purchase < PURCHASE_NODE_OPTIONS);
    assert(node->requested <= node->billed_from && node->billed_from <= node->ready);
    assert(node->ready <= node->drain && node->drain <= node->end);
    assert(node->requested >= 0 && node->why < NODE_END_COUNT);
    assert(node->carried >= 0 && node->carried <= node->billed_from);
    (void)usage, (void)node;
}

void usage_add_node(struct usage *usage, const struct node_usage *node)
{
    check_node(usage, node);
    usage->nodes =
        grow(usage->nodes, usage->node_count, &usage->node_capacity, sizeof *usage->nodes);
    usage->nodes[usage->node_count++] = *node;
}

void usage_set_spot_price(struct usage *usage, uint32_t market, tick_t at, double usd_per_hour)
{
    assert(market < usage->market_count && usd_per_hour >= 0);
    struct spot_prices *prices = &usage->spot[market];
    if (prices->count > 0) {
        struct spot_price *last = &prices->steps[prices->count - 1];
        assert(at >= last->at);
        if (last->usd_per_hour == usd_per_hour)
            return;
        if (last->at == at) {
            last->usd_per_hour = usd_per_hour;
            return;
        }
    }
    prices->steps = grow(prices->steps, prices->count, &prices->capacity, sizeof *prices->steps);
    prices->steps[prices->count++] = (struct spot_price){at, usd_per_hour};
}

/* Zeroed rows for the hours from hour_count to `hours`. */
static void *more_rows(void *rows, size_t from, size_t to, size_t capacity, size_t size)
{
    rows = realloc(rows, (capacity ? capacity : 1) * size);
    if (!rows)
        out_of_memory();
    memset((char *)rows + from * size, 0, (to - from) * size);
    return rows;
}

static void reach_hour(struct usage *usage, uint32_t hour)
{
    if (hour < usage->hour_count)
        return;
    size_t pools = usage->pool_count, classes = pools * usage->class_count;
    size_t from = usage->hour_count, to = (size_t)hour + 1;
    if (to > usage->hour_capacity)
        usage->hour_capacity = 2 * (uint32_t)to;
    size_t capacity = usage->hour_capacity;
    usage->hours =
        more_rows(usage->hours, from * pools, to * pools, capacity * pools, sizeof *usage->hours);
    usage->class_hours = more_rows(usage->class_hours, from * classes, to * classes,
                                   capacity * classes, sizeof *usage->class_hours);
    usage->hour_count = (uint32_t)to;
}

struct usage_hour *usage_hour(struct usage *usage, uint32_t pool, tick_t now)
{
    assert(pool < usage->pool_count);
    uint32_t hour = usage_hour_of(usage, now);
    reach_hour(usage, hour);
    return &usage->hours[(size_t)hour * usage->pool_count + pool];
}

struct usage_class_hour *usage_class_hour(struct usage *usage, uint32_t pool, uint32_t class_index,
                                          tick_t now)
{
    assert(pool < usage->pool_count && class_index < usage->class_count);
    uint32_t hour = usage_hour_of(usage, now);
    reach_hour(usage, hour);
    size_t row = (size_t)hour * usage->pool_count + pool;
    return &usage->class_hours[row * usage->class_count + class_index];
}

/* --- time --- */

/* From the start of the clock hour that holds tick 0 to tick 0. */
static tick_t into_first_hour(const struct usage *usage)
{
    int64_t into_s = usage->start_unix_s % S_PER_HOUR;
    return (tick_t)(into_s < 0 ? into_s + S_PER_HOUR : into_s) << TICK_BITS;
}

uint32_t usage_hour_of(const struct usage *usage, tick_t at)
{
    assert(at >= 0);
    return (uint32_t)((at + into_first_hour(usage)) / TICKS_PER_HOUR);
}

tick_t usage_hour_start(const struct usage *usage, uint32_t hour)
{
    return (tick_t)hour * TICKS_PER_HOUR - into_first_hour(usage);
}

int64_t usage_ns(tick_t at)
{
    __int128 half = (__int128)1 << (TICK_BITS - 1);
    return (int64_t)(((__int128)at * 1000000000 + half) >> TICK_BITS);
}

tick_t usage_tick_of_ns(int64_t ns)
{
    assert(ns >= 0);
    return (tick_t)((((__int128)ns << TICK_BITS) + 500000000) / 1000000000);
}
