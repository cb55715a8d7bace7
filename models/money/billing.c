#include "models/money/billing.h"

#include <assert.h>
#include <math.h>

#include "models/money/utc_date.h"

/* What the replicas of one pool did in one hour, in replica-nanoseconds. */
struct activity {
    int64_t used, wasted, idle;
};

/* A bill in the making. */
struct bill {
    const struct usage *usage;
    const struct billing_terms *terms;
    uint32_t hour_count;
    struct activity *activity;   /* [hour * pools + pool] */
    const int64_t *pool_weights; /* [pool * classes + class]: weighted tokens of the whole run */
    int64_t *weights, *money, *time; /* [classes]: scratch */
    __int128 carry; /* nano-dollars * NS_PER_HOUR that no line has yet; below one */
    struct ledger *ledger;
};

/* --- what replicas did --- */

/* Work is booked as wasted when it is lost, which may be hours after it was done: what exceeds an
 * hour's busy time was done earlier. */
static void book_wasted(struct activity *activity, int64_t *owed, int64_t wasted)
{
    int64_t busy = activity->used;
    *owed += wasted;
    activity->wasted = *owed < busy ? *owed : busy;
    activity->used -= activity->wasted;
    *owed -= activity->wasted;
}

static void find_pool_activity(const struct bill *bill, const struct metered *metered,
                               uint32_t pool)
{
    const struct usage *usage = bill->usage;
    int64_t owed = 0;
    for (uint32_t hour = bill->hour_count; hour-- > 0;) {
        size_t index = (size_t)hour * usage->pool_count + pool;
        struct usage_hour did = {0};
        if (hour < usage->hour_count)
            did = usage->hours[index];
        int64_t room = metered->serving_ns[index] * usage->pools[pool].replicas_per_node;
        int64_t busy = usage_ns(did.busy_ticks);
        struct activity *activity = &bill->activity[index];
        activity->used = busy < room ? busy : room;
        activity->idle = room - activity->used;
        book_wasted(activity, &owed, usage_ns(did.wasted_ticks));
    }
}

/* --- who was served --- */

static const struct usage_class_hour *served(const struct usage *usage, uint32_t hour,
                                             uint32_t pool)
{
    size_t row = (size_t)hour * usage->pool_count + pool;
    return hour < usage->hour_count ? &usage->class_hours[row * usage->class_count] : NULL;
}

static const int64_t *weigh_pools(const struct usage *usage, double output_weight,
                                  struct arena *arena)
{
    size_t classes = usage->class_count, pools = usage->pool_count;
    int64_t *weights = ARENA_ARRAY(arena, pools * classes + 1, int64_t);
    for (size_t i = 0; i < usage->hour_count * pools * classes; i++) {
        int64_t *sum = &weights[i % (pools * classes)];
        if (__builtin_add_overflow(*sum, ledger_weight(&usage->class_hours[i], output_weight), sum))
            *sum = INT64_MAX;
    }
    return weights;
}

/* Weights of the classes in the hour; of the whole run where nothing ended in that hour. Returns
 * whether any is above 0. */
static bool weigh_classes(const struct bill *bill, uint32_t hour, uint32_t pool)
{
    const struct usage *usage = bill->usage;
    const struct usage_class_hour *row = served(usage, hour, pool);
    bool any = false;
    for (uint32_t i = 0; i < usage->class_count; i++) {
        bill->weights[i] = row ? ledger_weight(&row[i], bill->terms->output_weight) : 0;
        any = any || bill->weights[i] > 0;
    }
    for (uint32_t i = 0; i < usage->class_count && !any; i++)
        bill->weights[i] = bill->pool_weights[(size_t)pool * usage->class_count + i];
    for (uint32_t i = 0; i < usage->class_count && !any; i++)
        any = bill->weights[i] > 0;
    return any;
}

/* --- lines --- */

/* Splits a line of used money by class. */
static void add_used(struct bill *bill, const struct ledger_line *line)
{
    size_t classes = bill->usage->class_count;
    if (!weigh_classes(bill, line->hour, line->pool)) {
        ledger_add(bill->ledger, line);
        return;
    }
    ledger_split(line->nano_usd, bill->weights, classes, bill->money);
    ledger_split(line->instance_ns, bill->weights, classes, bill->time);
    for (size_t i = 0; i < classes; i++) {
        struct ledger_line part = *line;
        part.class_index = (uint32_t)i;
        part.nano_usd = bill->money[i];
        part.instance_ns = bill->time[i];
        ledger_add(bill->ledger, &part);
    }
}

/* Splits a line of a serving pool by what its replicas did. */
static void add_serving(struct bill *bill, const struct ledger_line *line)
{
    const struct activity *did =
        &bill->activity[(size_t)line->hour * bill->usage->pool_count + line->pool];
    static const enum money_category categories[] = {MONEY_USED, MONEY_WASTED, MONEY_IDLE};
    const int64_t weights[] = {did->used, did->wasted, did->idle};
    int64_t money[3], time[3];
    ledger_split(line->nano_usd, weights, 3, money);
    ledger_split(line->instance_ns, weights, 3, time);
    for (int i = 0; i < 3; i++) {
        struct ledger_line part = *line;
        part.category = categories[i];
        part.nano_usd = money[i];
        part.instance_ns = time[i];
        if (part.category == MONEY_USED)
            add_used(bill, &part);
        else
            ledger_add(bill->ledger, &part);
    }
}

/* The fractions of nano-dollars that rows leave are carried from one to the next, so that the sum
 * of all lines is right to within one. */
static int64_t take_whole(struct bill *bill, __int128 cost)
{
    bill->carry += cost;
    int64_t nano = (int64_t)(bill->carry / NS_PER_HOUR);
    bill->carry -= (__int128)nano * NS_PER_HOUR;
    return nano;
}

static void add_row(struct bill *bill, const struct paid_row *row)
{
    struct ledger_line line = {
        .hour = row->hour,
        .pool = row->pool,
        .market = row->market,
        .class_index = CLASS_NONE,
        .commitment = row->commitment,
        .paid_as = row->paid_as,
        .category = row->pool == POOL_NONE ? MONEY_UNUSED : MONEY_COLD_START,
        .nano_usd = take_whole(bill, row->cost),
        .instance_ns = row->instance_ns,
    };
    if (row->pool == POOL_NONE || row->starting)
        ledger_add(bill->ledger, &line);
    else
        add_serving(bill, &line);
}

/* --- minimum spends --- */

/* The part of a month that the run covers, and what the floor for it is. */
static int64_t floor_of_month(const struct commitment *commitment, int64_t month, int64_t next,
                              int64_t from, int64_t until)
{
    from = from > month ? from : month;
    until = until < next ? until : next;
    return (int64_t)((__int128)commitment->rate_nano_usd * (until - from) / (next - month));
}

static int64_t total_between(const struct ledger *ledger, int64_t from, int64_t until)
{
    const struct usage *usage = ledger->usage;
    int64_t total = 0,
            first = usage->start_unix_s + usage_ns(usage_hour_start(usage, 0)) / NS_PER_S;
    for (size_t i = 0; i < ledger->count; i++) {
        int64_t hour = first + ledger->lines[i].hour * S_PER_HOUR;
        if (hour >= from && hour < until)
            total += ledger->lines[i].nano_usd;
    }
    return total;
}

static uint32_t last_hour_before(const struct usage *usage, int64_t unix_s)
{
    int64_t at = (unix_s - 1 - usage->start_unix_s) * NS_PER_S;
    return usage_hour_of(usage, usage_tick_of_ns(at));
}

static void add_minimum(struct bill *bill, uint32_t number)
{
    const struct commitment *commitment = &bill->terms->commitments->items[number];
    const struct usage *usage = bill->usage;
    int64_t start = usage->start_unix_s, until = start + usage_ns(usage->end) / NS_PER_S;
    for (int64_t month = utc_month_start(start); month < until; month = utc_next_month(month)) {
        int64_t next = utc_next_month(month), end = until < next ? until : next;
        int64_t floor_nano = floor_of_month(commitment, month, next, start, until);
        int64_t spent = total_between(bill->ledger, month, next);
        if (spent >= floor_nano)
            continue;
        ledger_add(bill->ledger, &(struct ledger_line){.hour = last_hour_before(usage, end),
                                                       .pool = POOL_NONE,
                                                       .market = POOL_NONE,
                                                       .class_index = CLASS_NONE,
                                                       .commitment = number,
                                                       .paid_as = commitment->paid_as,
                                                       .category = MONEY_UNUSED,
                                                       .nano_usd = floor_nano - spent});
    }
}

/* --- all of it --- */

/* Minimum spends come on top: at most 1e8 USD for each of the 51 months that a clock can run. */
#define BILL_MAX_USD 4e9

static bool fits(const struct paid *paid, struct error *error)
{
    __int128 cost = 0, most = (__int128)(BILL_MAX_USD * NANO_USD_PER_USD) * NS_PER_HOUR;
    for (size_t i = 0; i < paid->count && cost <= most; i++)
        cost += paid->rows[i].cost;
    return cost <= most || error_set(error, ERROR_BAD_INPUT,
                                     "the bill comes to more than four billion dollars: "
                                     "a price or a count is wrong");
}

static void make_lines(struct bill *bill, const struct paid *paid)
{
    for (size_t i = 0; i < paid->count; i++)
        add_row(bill, &paid->rows[i]);
    for (size_t i = 0; i < bill->terms->commitments->count; i++)
        if (bill->terms->commitments->items[i].kind == COMMITMENT_MINIMUM_SPEND)
            add_minimum(bill, (uint32_t)i);
}

static void fill_ledger(const struct usage *usage, const struct billing_terms *terms,
                        const struct metered *metered, const struct paid *paid,
                        struct ledger *ledger)
{
    struct arena *arena = arena_create();
    size_t classes = usage->class_count;
    struct bill bill = {
        .usage = usage,
        .terms = terms,
        .hour_count = metered->hour_count,
        .activity = ARENA_ARRAY(arena, (size_t)metered->hour_count * usage->pool_count + 1,
                                struct activity),
        .pool_weights = weigh_pools(usage, terms->output_weight, arena),
        .weights = ARENA_ARRAY(arena, classes + 1, int64_t),
        .money = ARENA_ARRAY(arena, classes + 1, int64_t),
        .time = ARENA_ARRAY(arena, classes + 1, int64_t),
        .ledger = ledger,
    };
    for (uint32_t pool = 0; pool < usage->pool_count; pool++)
        find_pool_activity(&bill, metered, pool);
    ledger_init(ledger, usage, terms->commitments, terms->output_weight);
    make_lines(&bill, paid);
    arena_destroy(arena);
}

bool billing_bill(const struct usage *usage, const struct billing_terms *terms,
                  struct ledger *ledger, struct error *error)
{
    struct metered metered;
    struct paid paid;
    if (!metered_build(&metered, usage, terms->book, terms->precedence, error))
        return false;
    bool done = false;
    if (commitments_apply(terms->commitments, &metered, usage, &paid, error)) {
        done = fits(&paid, error);
        if (done)
            fill_ledger(usage, terms, &metered, &paid, ledger);
        paid_free(&paid);
    }
    metered_free(&metered);
    return done;
}

void billing_bill_api(const struct usage *usage, const struct api_price *price, bool batch,
                      struct ledger *ledger)
{
    static const struct commitments none = {0};
    double factor = batch ? 1 - price->batch_discount_percent / 100 : 1, carry = 0;
    double input = price->input_usd_per_mtok;
    ledger_init(ledger, usage, &none,
                input > 0 ? fmin(price->output_usd_per_mtok / input, 1e6) : OUTPUT_WEIGHT_DEFAULT);
    size_t pools = usage->pool_count, classes = usage->class_count;
    for (size_t i = 0; i < usage->hour_count * pools * classes; i++) {
        const struct usage_class_hour *row = &usage->class_hours[i];
        /* A dollar per million tokens is a thousand nano-dollars per token. */
        carry += 1000 * factor *
                 ((double)(row->prompt_tok - row->cached_tok) * input +
                  (double)row->cached_tok * price->cached_usd_per_mtok +
                  (double)row->output_tok * price->output_usd_per_mtok);
        int64_t nano = (int64_t)floor(carry);
        carry -= (double)nano;
        ledger_add(ledger, &(struct ledger_line){.hour = (uint32_t)(i / classes / pools),
                                                 .pool = (uint32_t)(i / classes % pools),
                                                 .market = POOL_NONE,
                                                 .class_index = (uint32_t)(i % classes),
                                                 .commitment = COMMITMENT_NONE,
                                                 .paid_as = PURCHASE_API,
                                                 .category = MONEY_USED,
                                                 .nano_usd = nano});
    }
}
