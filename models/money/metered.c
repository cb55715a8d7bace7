#include "models/money/metered.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/money/utc_date.h"

int64_t nano_usd(double usd)
{
    return llround(usd * NANO_USD_PER_USD);
}

/* --- rows --- */

static int order_u32(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_rows(const void *a, const void *b)
{
    const struct metered_row *left = a, *right = b;
    int order = order_u32(left->hour, right->hour);
    if (order == 0)
        order = order_u32(left->pool, right->pool);
    if (order == 0)
        order = order_u32(left->market, right->market);
    if (order == 0)
        order = (int)left->purchase - (int)right->purchase;
    if (order == 0)
        order = (int)left->starting - (int)right->starting;
    if (order == 0)
        order = left->rate_nano_usd < right->rate_nano_usd
                    ? -1
                    : left->rate_nano_usd > right->rate_nano_usd;
    return order;
}

/* Sorts the rows, and adds up those that agree. */
static void compact(struct metered *metered)
{
    if (metered->count == 0)
        return;
    struct metered_row *rows = metered->rows;
    qsort(rows, metered->count, sizeof *rows, compare_rows);
    size_t kept = 0;
    for (size_t i = 1; i < metered->count; i++) {
        int64_t *sum = &rows[kept].instance_ns;
        if (compare_rows(&rows[kept], &rows[i]) != 0)
            rows[++kept] = rows[i];
        else if (__builtin_add_overflow(*sum, rows[i].instance_ns, sum))
            metered->too_much = true;
    }
    metered->count = kept + 1;
}

/* A full array is compacted first; it grows when that does not free half of it. */
static void add_row(struct metered *metered, const struct metered_row *row)
{
    if (metered->count == metered->capacity) {
        compact(metered);
        if (metered->count >= metered->capacity / 2) {
            metered->capacity = metered->capacity ? 2 * metered->capacity : 1024;
            metered->rows = realloc(metered->rows, metered->capacity * sizeof *metered->rows);
            if (!metered->rows)
                out_of_memory();
        }
    }
    metered->rows[metered->count++] = *row;
}

/* --- prices --- */

/* The price of one market and purchase over time: from the run, or from the book. */
struct price_source {
    double fixed_usd;               /* of the run; NaN: none */
    const struct spot_prices *spot; /* of the run; NULL: none */
    struct price_series series;     /* of the book; may be empty beside a price of the run */
};

/* All that nodes are priced by; sources are looked up when they are first needed. */
struct pricing {
    const struct usage *usage;
    const struct price_book *book;
    enum price_precedence precedence;
    struct price_source *sources; /* [market * PURCHASE_NODE_OPTIONS + purchase] */
    bool *known;                  /* of each of them */
};

static bool is_prepaid(enum purchase_option purchase)
{
    return purchase == PURCHASE_CAPACITY_BLOCK || purchase == PURCHASE_OWNED;
}

/* The book's prices for what was bought there; what is missing is told with who needs it. */
static bool find_in_book(const struct pricing *pricing, const struct usage_market *place,
                         const struct price_query *query, struct price_series *series,
                         struct error *error)
{
    struct error found = {0};
    if (price_book_series(pricing->book, query, series, &found))
        return true;
    error_at(error, found.code, found.file, 0, NULL, "%s, for the nodes of \"%s\"", found.message,
             place->name);
    return error_hint(error, "%s", found.hint);
}

static bool find_source(const struct pricing *pricing, uint32_t market,
                        enum purchase_option purchase, struct price_source *source,
                        struct error *error)
{
    const struct usage_market *place = &pricing->usage->markets[market];
    const struct spot_prices *spot = &pricing->usage->spot[market];
    struct price_query query = {place->sku, place->provider, place->region, purchase};
    bool own = pricing->precedence == PRICES_OF_RUN_FIRST;
    *source = (struct price_source){.fixed_usd = NAN};
    if (is_prepaid(purchase))
        source->fixed_usd = 0;
    else if (own && purchase == PURCHASE_SPOT && spot->count > 0)
        source->spot = spot;
    else if (own && purchase == PURCHASE_ON_DEMAND)
        source->fixed_usd = place->on_demand_usd_per_hour;
    if (!source->spot && isnan(source->fixed_usd))
        return find_in_book(pricing, place, &query, &source->series, error);
    if (!is_prepaid(purchase)) /* for how it is metered */
        source->series = price_book_find(pricing->book, &query);
    return true;
}

static const struct price_source *price_source(struct pricing *pricing,
                                               const struct node_usage *node, struct error *error)
{
    size_t index = (size_t)node->market * PURCHASE_NODE_OPTIONS + node->purchase;
    struct price_source *source = &pricing->sources[index];
    if (!pricing->known[index])
        pricing->known[index] = find_source(pricing, node->market, node->purchase, source, error);
    return pricing->known[index] ? source : NULL;
}

/* Nanoseconds of the run to those of the calendar, and the first of the run at or after a date. */
static int64_t unix_of_ns(const struct usage *usage, int64_t ns)
{
    return usage->start_unix_s + ns / NS_PER_S;
}

static int64_t ns_of_unix(const struct usage *usage, int64_t unix_s)
{
    if (unix_s == UTC_NEVER)
        return INT64_MAX;
    return (unix_s - usage->start_unix_s) * NS_PER_S;
}

static bool gap_error(const struct pricing *pricing, const struct node_usage *node, int64_t ns,
                      int64_t next_unix_s, struct error *error)
{
    char at[32], next[32];
    const struct usage_market *market = &pricing->usage->markets[node->market];
    utc_date_print(unix_of_ns(pricing->usage, ns), at, sizeof at);
    error_at(error, ERROR_BAD_INPUT, pricing->book->name, 0, NULL,
             "there is no %s price of \"%s\" at %s, when a node of market \"%s\" is in use",
             purchase_option_names[node->purchase], market->sku, at, market->name);
    if (next_unix_s == UTC_NEVER)
        return error_hint(error, "its last price ends before that");
    utc_date_print(next_unix_s, next, sizeof next);
    return error_hint(error, "its next price begins at %s", next);
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The step that holds at the instant; before the first, the first does. */
static size_t spot_step(const struct spot_prices *spot, int64_t ns)
{
    size_t low = 0, high = spot->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (usage_ns(spot->steps[middle].at) <= ns)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The rate at an instant of the run, and until when it holds. */
static bool rate_at(const struct pricing *pricing, const struct price_source *source,
                    const struct node_usage *node, int64_t ns, int64_t *rate, int64_t *until_ns,
                    struct error *error)
{
    *until_ns = INT64_MAX;
    if (source->spot) {
        int64_t last_ns = usage_ns(node->end) - 1; /* what is rounded up costs as that does */
        size_t step = spot_step(source->spot, earliest(ns, last_ns));
        if (step + 1 < source->spot->count && usage_ns(source->spot->steps[step + 1].at) <= last_ns)
            *until_ns = usage_ns(source->spot->steps[step + 1].at);
        *rate = nano_usd(source->spot->steps[step].usd_per_hour);
        return true;
    }
    if (!isnan(source->fixed_usd)) {
        *rate = nano_usd(source->fixed_usd);
        return true;
    }
    int64_t next;
    const struct price_entry *entry =
        price_series_at(&source->series, unix_of_ns(pricing->usage, ns), &next);
    if (!entry)
        return gap_error(pricing, node, ns, next, error);
    *until_ns = ns_of_unix(pricing->usage, next);
    *rate = nano_usd(entry->usd_per_hour);
    return true;
}

/* --- one node --- */

/* How the life of a node is metered. */
struct meter {
    int64_t granularity_ns, minimum_ns, free_ns;
};

static int64_t ns_of_s(double seconds)
{
    return llround(seconds * (double)NS_PER_S);
}

/* By the price at the start of its life; by the provider's rule where only the run knows a price.
 * What nobody rents out (no provider), and what is paid for elsewhere, is metered as it is. */
static struct meter find_meter(const struct pricing *pricing, const struct price_source *source,
                               const struct node_usage *node)
{
    const char *provider = pricing->usage->markets[node->market].provider;
    if (is_prepaid(node->purchase))
        return (struct meter){.granularity_ns = 1};
    int64_t next, start = unix_of_ns(pricing->usage, usage_ns(node->billed_from));
    const struct price_entry *entry = price_series_at(&source->series, start, &next);
    if (entry)
        return (struct meter){ns_of_s(entry->granularity_s), ns_of_s(entry->minimum_s),
                              ns_of_s(entry->free_if_interrupted_s)};
    if (!provider[0])
        return (struct meter){.granularity_ns = 1};
    struct billing_rule rule = price_book_rule(pricing->book, provider);
    return (struct meter){ns_of_s(rule.granularity_s), ns_of_s(rule.minimum_s),
                          ns_of_s(rule.free_if_interrupted_s)};
}

/* Of a node that went from pool to pool, from where it began. */
static int64_t metered_from(const struct node_usage *node)
{
    return usage_ns(node->billed_from) - usage_ns(node->carried);
}

/* When the meter stops. */
static int64_t metered_end(const struct node_usage *node, const struct meter *meter)
{
    int64_t from = metered_from(node), end = usage_ns(node->end), life = end - from;
    if (life == 0 || node->why == NODE_END_HORIZON || node->why == NODE_END_MOVED)
        return end;
    int64_t grains = (life + meter->granularity_ns - 1) / meter->granularity_ns;
    int64_t length = grains * meter->granularity_ns;
    return from + (length > meter->minimum_ns ? length : meter->minimum_ns);
}

static bool is_free(const struct node_usage *node, const struct meter *meter)
{
    return node->why == NODE_END_INTERRUPTED &&
           usage_ns(node->end) - metered_from(node) < meter->free_ns;
}

/* Room in serving_ns for the hour. */
static void reach_hour(struct metered *metered, const struct usage *usage, uint32_t hour)
{
    if (hour < metered->hour_count)
        return;
    size_t pools = usage->pool_count, old = metered->hour_count, count = 2 * ((size_t)hour + 1);
    metered->serving_ns = realloc(metered->serving_ns, count * pools * sizeof(int64_t));
    if (!metered->serving_ns)
        out_of_memory();
    memset(metered->serving_ns + old * pools, 0, (count - old) * pools * sizeof(int64_t));
    metered->hour_count = (uint32_t)count;
}

/* Clock hour of an instant of the run, and when it ends. */
static uint32_t hour_of_ns(const struct usage *usage, int64_t ns, int64_t *until_ns)
{
    int64_t into = usage->start_unix_s % S_PER_HOUR;
    int64_t offset = (into < 0 ? into + S_PER_HOUR : into) * NS_PER_S;
    uint32_t hour = (uint32_t)((ns + offset) / NS_PER_HOUR);
    *until_ns = ((int64_t)hour + 1) * NS_PER_HOUR - offset;
    return hour;
}

static void add_piece(struct metered *metered, const struct usage *usage,
                      const struct node_usage *node, const struct metered_row *piece, int64_t ns)
{
    reach_hour(metered, usage, piece->hour);
    add_row(metered, piece);
    int64_t *serving = &metered->serving_ns[(size_t)piece->hour * usage->pool_count + node->pool];
    if (!piece->starting && __builtin_add_overflow(*serving, ns, serving))
        metered->too_much = true;
}

static bool add_node(struct metered *metered, struct pricing *pricing,
                     const struct node_usage *node, struct error *error)
{
    const struct price_source *source = price_source(pricing, node, error);
    if (!source)
        return false;
    struct meter meter = find_meter(pricing, source, node);
    bool free_of_charge = is_free(node, &meter);
    int64_t end = metered_end(node, &meter), ready = usage_ns(node->ready), until;
    for (int64_t at = usage_ns(node->billed_from); at < end; at = until) {
        struct metered_row piece = {.pool = node->pool,
                                    .market = node->market,
                                    .purchase = node->purchase,
                                    .starting = at < ready};
        int64_t hour_until;
        if (!rate_at(pricing, source, node, at, &piece.rate_nano_usd, &until, error))
            return false;
        piece.hour = hour_of_ns(pricing->usage, at, &hour_until);
        until = earliest(earliest(until, hour_until), end);
        if (piece.starting)
            until = earliest(until, ready);
        if (free_of_charge)
            piece.rate_nano_usd = 0;
        piece.instance_ns = (until - at) * node->instances;
        add_piece(metered, pricing->usage, node, &piece, until - at);
    }
    return true;
}

static bool add_nodes(struct metered *metered, struct pricing *pricing, struct error *error)
{
    const struct usage *usage = pricing->usage;
    for (size_t i = 0; i < usage->node_count; i++)
        if (metered_from(&usage->nodes[i]) < usage_ns(usage->nodes[i].end) &&
            !add_node(metered, pricing, &usage->nodes[i], error))
            return false;
    return true;
}

/* Do the sums over an hour's rows, and over its replicas, fit 64 bits? */
static bool hours_fit(const struct metered *metered, const struct usage *usage)
{
    int64_t sum = 0;
    for (size_t i = 0; i < metered->count; i++) {
        if (i > 0 && metered->rows[i].hour != metered->rows[i - 1].hour)
            sum = 0;
        if (__builtin_add_overflow(sum, metered->rows[i].instance_ns, &sum))
            return false;
    }
    size_t pools = usage->pool_count;
    for (size_t i = 0; i < metered->hour_count * pools; i++)
        if (metered->serving_ns[i] > INT64_MAX / usage->pools[i % pools].replicas_per_node)
            return false;
    return !metered->too_much;
}

bool metered_build(struct metered *metered, const struct usage *usage,
                   const struct price_book *book, enum price_precedence precedence,
                   struct error *error)
{
    struct arena *arena = arena_create();
    size_t sources = (size_t)usage->market_count * PURCHASE_NODE_OPTIONS + 1;
    struct pricing pricing = {
        .usage = usage,
        .book = book,
        .precedence = precedence,
        .sources = ARENA_ARRAY(arena, sources, struct price_source),
        .known = ARENA_ARRAY(arena, sources, bool),
    };
    *metered = (struct metered){0};
    reach_hour(metered, usage, usage_hour_of(usage, usage->end));
    bool done = add_nodes(metered, &pricing, error);
    arena_destroy(arena);
    compact(metered);
    if (done && !hours_fit(metered, usage))
        done = error_set(error, ERROR_BAD_INPUT, "more instances run at once than can be billed");
    if (!done)
        metered_free(metered);
    return done;
}

void metered_free(struct metered *metered)
{
    free(metered->rows);
    free(metered->serving_ns);
    *metered = (struct metered){0};
}
