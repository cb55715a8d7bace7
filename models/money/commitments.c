/* Commitments are applied to one clock hour at a time. The hour's metered rows, and how much of
 * each is still to be paid, are what the rules work on; each rule pays for a part of some rows at a
 * rate of its own, and what is left of the commitment becomes a row of its own. */
#include "models/money/commitments.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/money/utc_date.h"

/* One clock hour. */
struct hour {
    const struct usage *usage;
    uint32_t index;
    int64_t from_ns, until_ns; /* the part of it that the run covers */
    const struct metered_row *rows;
    size_t count;
    int64_t *left_ns; /* [count]: instance time that nothing has paid for yet */
    struct paid *paid;
};

static void add_paid(struct paid *paid, const struct paid_row *row)
{
    if (row->instance_ns == 0 && row->cost == 0)
        return;
    if (paid->count == paid->capacity) {
        paid->capacity = paid->capacity ? 2 * paid->capacity : 256;
        paid->rows = realloc(paid->rows, paid->capacity * sizeof *paid->rows);
        if (!paid->rows)
            out_of_memory();
    }
    paid->rows[paid->count++] = *row;
}

void paid_free(struct paid *paid)
{
    free(paid->rows);
    *paid = (struct paid){0};
}

/* Pays for instance_ns of the row at the rate. */
static void pay(struct hour *hour, size_t index, enum purchase_option paid_as, uint32_t commitment,
                int64_t rate_nano_usd, int64_t instance_ns)
{
    const struct metered_row *row = &hour->rows[index];
    assert(instance_ns <= hour->left_ns[index]);
    hour->left_ns[index] -= instance_ns;
    add_paid(hour->paid, &(struct paid_row){.hour = hour->index,
                                            .pool = row->pool,
                                            .market = row->market,
                                            .paid_as = paid_as,
                                            .commitment = commitment,
                                            .starting = row->starting,
                                            .instance_ns = instance_ns,
                                            .cost = (__int128)rate_nano_usd * instance_ns});
}

static void lose(struct hour *hour, const struct commitment *commitment, uint32_t number,
                 __int128 cost)
{
    add_paid(hour->paid, &(struct paid_row){.hour = hour->index,
                                            .pool = POOL_NONE,
                                            .market = POOL_NONE,
                                            .paid_as = commitment->paid_as,
                                            .commitment = number,
                                            .cost = cost});
}

/* How much of the hour lies between two instants of the run. */
static int64_t overlap_ns(const struct hour *hour, int64_t from_ns, int64_t until_ns)
{
    int64_t from = from_ns > hour->from_ns ? from_ns : hour->from_ns;
    int64_t until = until_ns < hour->until_ns ? until_ns : hour->until_ns;
    return until > from ? until - from : 0;
}

/* --- who is covered --- */

static bool is_at(const struct commitment *commitment, const struct usage_market *market)
{
    bool provider = !commitment->provider[0] || !market->provider[0] ||
                    strcmp(commitment->provider, market->provider) == 0;
    bool region = !commitment->region[0] || strcmp(commitment->region, market->region) == 0;
    return provider && region;
}

/* What a node must have been started as for the commitment to pay. */
static enum purchase_option covered_purchase(const struct commitment *commitment)
{
    switch (commitment->kind) {
    case COMMITMENT_OWNED:
        return PURCHASE_OWNED;
    case COMMITMENT_CAPACITY_BLOCK:
        return PURCHASE_CAPACITY_BLOCK;
    default:
        return PURCHASE_ON_DEMAND;
    }
}

static bool covers_instance(const struct commitment *commitment, const struct hour *hour,
                            size_t index)
{
    const struct metered_row *row = &hour->rows[index];
    const struct usage_market *market = &hour->usage->markets[row->market];
    return row->purchase == covered_purchase(commitment) &&
           strcmp(market->sku, commitment->sku) == 0 && is_at(commitment, market);
}

/* Is "p5.48xlarge" of the family "p5", "a3-highgpu-8g" of "a3"? */
static bool is_of_family(const char *sku, const char *family)
{
    size_t length = strlen(family);
    return strncmp(sku, family, length) == 0 && (sku[length] == '.' || sku[length] == '-');
}

/* Rate at which a spend commitment pays for the row; -1: it does not cover it. */
static int64_t savings_rate(const struct commitment *commitment, const struct hour *hour,
                            size_t index)
{
    const struct metered_row *row = &hour->rows[index];
    const struct usage_market *market = &hour->usage->markets[row->market];
    if (row->purchase != PURCHASE_ON_DEMAND || !is_at(commitment, market))
        return -1;
    if (commitment->family[0] && !is_of_family(market->sku, commitment->family))
        return -1;
    if (isnan(commitment->discount))
        return commitment->market_rates[row->market];
    return llround((double)row->rate_nano_usd * (1 - commitment->discount));
}

/* --- commitments to instances --- */

/* Pays for total_ns of the rows that are marked, in proportion to what is left of them. */
static void pay_in_proportion(struct hour *hour, const bool *marked, int64_t total_ns,
                              const struct commitment *commitment, uint32_t number, int64_t rate)
{
    __int128 all = 0, before = 0, upto = 0;
    for (size_t i = 0; i < hour->count; i++)
        all += marked[i] ? hour->left_ns[i] : 0;
    assert(total_ns <= all);
    for (size_t i = 0; i < hour->count && all > 0; i++) {
        if (!marked[i])
            continue;
        upto += hour->left_ns[i];
        int64_t share = (int64_t)(total_ns * upto / all - total_ns * before / all);
        before = upto;
        pay(hour, i, commitment->paid_as, number, rate, share);
    }
}

static int64_t left_of(const struct hour *hour, const bool *marked)
{
    int64_t left = 0;
    for (size_t i = 0; i < hour->count; i++)
        left += marked[i] ? hour->left_ns[i] : 0;
    return left;
}

static void apply_instances(struct hour *hour, const struct commitment *commitment, uint32_t number,
                            bool *marked)
{
    int64_t paid_ns = overlap_ns(hour, commitment->from_ns, commitment->until_ns);
    int64_t usable_ns = overlap_ns(hour, commitment->from_ns, commitment->covers_until_ns);
    for (size_t i = 0; i < hour->count; i++)
        marked[i] = covers_instance(commitment, hour, i);
    int64_t cover_ns = commitment->count * usable_ns, used_ns = left_of(hour, marked);
    if (cover_ns > used_ns)
        cover_ns = used_ns;
    pay_in_proportion(hour, marked, cover_ns, commitment, number, commitment->rate_nano_usd);
    int64_t lost_ns = commitment->count * paid_ns - cover_ns;
    lose(hour, commitment, number, (__int128)commitment->rate_nano_usd * lost_ns);
}

/* --- commitments to money --- */

/* One plan that would pay for one row. */
struct offer {
    uint32_t plan;
    uint32_t row;
    bool broad;           /* a Compute plan */
    int64_t rate, demand; /* nano-dollars per instance-hour: of the plan, on demand */
};

/* Narrow plans first; then the highest savings percentage, the lowest rate. */
static int compare_rank(const struct offer *a, const struct offer *b)
{
    if (a->broad != b->broad)
        return a->broad ? 1 : -1;
    __int128 left = (__int128)a->rate * b->demand, right = (__int128)b->rate * a->demand;
    if (left != right)
        return left < right ? -1 : 1;
    if (a->rate != b->rate)
        return a->rate < b->rate ? -1 : 1;
    return a->plan < b->plan ? -1 : a->plan > b->plan;
}

static int compare_offers(const void *a, const void *b)
{
    const struct offer *left = a, *right = b;
    int order = compare_rank(left, right);
    return order ? order : (left->row < right->row ? -1 : left->row > right->row);
}

static size_t list_offers(const struct commitments *commitments, const struct hour *hour,
                          struct offer *offers)
{
    size_t count = 0;
    for (size_t plan = 0; plan < commitments->count; plan++) {
        const struct commitment *commitment = &commitments->items[plan];
        bool spend = commitment->kind == COMMITMENT_SAVINGS_PLAN ||
                     commitment->kind == COMMITMENT_FLEXIBLE_CUD;
        for (size_t row = 0; spend && row < hour->count; row++) {
            int64_t rate = savings_rate(commitment, hour, row);
            if (rate >= 0)
                offers[count++] = (struct offer){(uint32_t)plan, (uint32_t)row,
                                                 commitment->scope == SCOPE_COMPUTE, rate,
                                                 hour->rows[row].rate_nano_usd};
        }
    }
    if (count > 0)
        qsort(offers, count, sizeof *offers, compare_offers);
    return count;
}

/* Pays for the rows of equal offers as far as the plan's money for the hour goes. */
static void take_offers(struct hour *hour, const struct offer *offers, size_t count,
                        const struct commitment *commitment, __int128 *money, bool *marked)
{
    memset(marked, 0, hour->count * sizeof *marked);
    for (size_t i = 0; i < count; i++)
        marked[offers[i].row] = true;
    int64_t rate = offers->rate, used_ns = left_of(hour, marked);
    int64_t cover_ns = used_ns;
    if ((__int128)rate * used_ns > *money)
        cover_ns = (int64_t)(*money / rate);
    *money -= (__int128)rate * cover_ns;
    pay_in_proportion(hour, marked, cover_ns, commitment, offers->plan, rate);
}

/* Room for the work of any hour. */
struct scratch {
    int64_t *left_ns;
    bool *marked;
    struct offer *offers;
    __int128 *money; /* [commitments] */
};

static void apply_spends(struct hour *hour, const struct commitments *commitments,
                         const struct scratch *scratch)
{
    for (size_t i = 0; i < commitments->count; i++) {
        const struct commitment *item = &commitments->items[i];
        scratch->money[i] =
            (__int128)item->rate_nano_usd * overlap_ns(hour, item->from_ns, item->until_ns);
    }
    size_t count = list_offers(commitments, hour, scratch->offers), end;
    for (size_t i = 0; i < count; i = end) {
        const struct offer *offer = &scratch->offers[i];
        for (end = i + 1; end < count && compare_rank(offer, &scratch->offers[end]) == 0;)
            end++;
        take_offers(hour, offer, end - i, &commitments->items[offer->plan],
                    &scratch->money[offer->plan], scratch->marked);
    }
    for (size_t i = 0; i < commitments->count; i++)
        if (commitments->items[i].kind == COMMITMENT_SAVINGS_PLAN ||
            commitments->items[i].kind == COMMITMENT_FLEXIBLE_CUD)
            lose(hour, &commitments->items[i], (uint32_t)i, scratch->money[i]);
}

/* --- all hours --- */

static bool is_prepaid_kind(enum commitment_kind kind)
{
    return kind == COMMITMENT_OWNED || kind == COMMITMENT_CAPACITY_BLOCK;
}

static bool is_instance_kind(enum commitment_kind kind)
{
    return is_prepaid_kind(kind) || kind == COMMITMENT_RESERVED || kind == COMMITMENT_COMMITTED_USE;
}

static bool beyond_error(const struct hour *hour, size_t index, struct error *error)
{
    char at[32];
    const struct metered_row *row = &hour->rows[index];
    const struct usage_market *market = &hour->usage->markets[row->market];
    utc_date_print(hour->usage->start_unix_s + hour->from_ns / NS_PER_S, at, sizeof at);
    error_set(
        error, ERROR_BAD_INPUT,
        "in the hour of %s, %.3f instance-hours of \"%s\" were used as %s beyond what there is", at,
        (double)hour->left_ns[index] / (double)NS_PER_HOUR, market->sku,
        purchase_option_names[row->purchase]);
    return error_hint(error, row->purchase == PURCHASE_OWNED
                                 ? "a commitment \"owned\" with enough instances pays for them"
                                 : "a commitment \"capacity_block\" pays for them; its instances "
                                   "end at 11:00 UTC of its last day");
}

/* What no commitment covers costs what the meter says. */
static bool pay_rest(struct hour *hour, struct error *error)
{
    for (size_t i = 0; i < hour->count; i++) {
        const struct metered_row *row = &hour->rows[i];
        if (hour->left_ns[i] == 0)
            continue;
        if (row->purchase == PURCHASE_OWNED || row->purchase == PURCHASE_CAPACITY_BLOCK)
            return beyond_error(hour, i, error);
        pay(hour, i, row->purchase, COMMITMENT_NONE, row->rate_nano_usd, hour->left_ns[i]);
    }
    return true;
}

static bool apply_hour(struct hour *hour, const struct commitments *commitments,
                       const struct scratch *scratch, struct error *error)
{
    for (size_t i = 0; i < hour->count; i++)
        hour->left_ns[i] = hour->rows[i].instance_ns;
    for (size_t i = 0; i < commitments->count; i++)
        if (is_instance_kind(commitments->items[i].kind))
            apply_instances(hour, &commitments->items[i], (uint32_t)i, scratch->marked);
    apply_spends(hour, commitments, scratch);
    return pay_rest(hour, error);
}

static size_t longest_hour(const struct metered *metered)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < metered->count; i++) {
        run = i > 0 && metered->rows[i].hour == metered->rows[i - 1].hour ? run + 1 : 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static struct scratch make_scratch(struct arena *arena, size_t rows, size_t commitments)
{
    return (struct scratch){
        .left_ns = ARENA_ARRAY(arena, rows + 1, int64_t),
        .marked = ARENA_ARRAY(arena, rows + 1, bool),
        .offers = ARENA_ARRAY(arena, rows * commitments + 1, struct offer),
        .money = ARENA_ARRAY(arena, commitments + 1, __int128),
    };
}

static bool apply_all(const struct commitments *commitments, const struct metered *metered,
                      struct hour *hour, const struct scratch *scratch, struct error *error)
{
    const struct usage *usage = hour->usage;
    int64_t end = usage_ns(usage->end);
    size_t next = 0;
    for (uint32_t i = 0; i < metered->hour_count; i++) {
        int64_t from = usage_ns(usage_hour_start(usage, i)), until = from + NS_PER_HOUR;
        hour->index = i;
        hour->from_ns = from > 0 ? from : 0;
        hour->until_ns = until < end ? until : end;
        hour->rows = metered->rows + next;
        hour->count = 0;
        while (next < metered->count && metered->rows[next].hour == i) {
            hour->count++;
            next++;
        }
        if (!apply_hour(hour, commitments, scratch, error))
            return false;
    }
    return true;
}

bool commitments_apply(const struct commitments *commitments, const struct metered *metered,
                       const struct usage *usage, struct paid *paid, struct error *error)
{
    struct arena *arena = arena_create();
    struct scratch scratch = make_scratch(arena, longest_hour(metered), commitments->count);
    struct hour hour = {.usage = usage, .left_ns = scratch.left_ns, .paid = paid};
    *paid = (struct paid){0};
    bool done = apply_all(commitments, metered, &hour, &scratch, error);
    arena_destroy(arena);
    if (!done)
        paid_free(paid);
    return done;
}
