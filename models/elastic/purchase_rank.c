/* Ranking markets, and spreading nodes over them. */
#include <gsl/gsl_heapsort.h>

#include "models/elastic/purchase_strategy.h"

/* --- ranking --- */

static int compare(const void *left, const void *right)
{
    const struct purchase_rank *a = left, *b = right;
    for (int i = 0; i < 3; i++)
        if (a->keys[i] != b->keys[i])
            return a->keys[i] < b->keys[i] ? -1 : 1;
    return a->market < b->market ? -1 : 1;
}

/* Not qsort, which may allocate. */
void purchase_sort(struct purchase *purchase, uint32_t count)
{
    gsl_heapsort(purchase->ranking, count, sizeof *purchase->ranking, compare);
}

static enum purchase_standing standing(const struct purchase *purchase, uint32_t market)
{
    return purchase->room[market] == 0 ? STANDS_FULL : STANDS_WELL;
}

/* Sorts the ranking; returns how many stand well, or can't be seen. */
static uint32_t sort_all(struct purchase *purchase)
{
    purchase_sort(purchase, purchase->market_count);
    uint32_t good = 0;
    while (good < purchase->market_count && purchase->ranking[good].keys[0] < STANDS_FULL)
        good++;
    return good;
}

uint32_t purchase_rank_by_price(struct purchase *purchase, int64_t missing)
{
    for (uint32_t i = 0; i < purchase->market_count; i++)
        purchase->ranking[i] = (struct purchase_rank){
            .market = i,
            .keys = {missing > 0 ? standing(purchase, i) : STANDS_WELL,
                     purchase->markets[i].spot_usd_per_hour},
        };
    return sort_all(purchase);
}

/* Interruptions per node-hour of a market. With little seen it is near that of half an interruption
 * a day, so that neither a first interruption nor a first quiet hour counts for all. */
static double interruption_rate(const struct purchase_market *market)
{
    return ((double)market->interruptions + 0.5) / (market->node_hours + 24);
}

uint32_t purchase_rank_by_capacity(struct purchase *purchase)
{
    for (uint32_t i = 0; i < purchase->market_count; i++) {
        const struct purchase_market *market = &purchase->markets[i];
        bool unseen = market->spot_capacity == PURCHASE_UNSEEN;
        enum purchase_standing stands = standing(purchase, i);
        purchase->ranking[i] = (struct purchase_rank){
            .market = i,
            .keys = {unseen && stands == STANDS_WELL ? STANDS_UNSEEN : stands,
                     unseen ? interruption_rate(market) : -(double)purchase->room[i],
                     market->spot_usd_per_hour},
        };
    }
    return sort_all(purchase);
}

/* --- spreading --- */

/* Nodes that lift the slot to the level. */
static int64_t lift(const struct purchase_slot *slot, int64_t level)
{
    int64_t below = level > slot->have ? level - slot->have : 0;
    return below < slot->room ? below : slot->room;
}

static int64_t lift_all(const struct purchase_slot *slots, uint32_t count, int64_t level)
{
    int64_t nodes = 0;
    for (uint32_t i = 0; i < count; i++)
        nodes += lift(&slots[i], level);
    return nodes;
}

/* The highest level, up to `most`, that so many nodes lift all slots to. */
static int64_t level_reached(const struct purchase_slot *slots, uint32_t count, int64_t most,
                             int64_t nodes)
{
    int64_t low = slots[0].have, high = slots[0].have;
    for (uint32_t i = 1; i < count; i++) {
        low = slots[i].have < low ? slots[i].have : low;
        high = slots[i].have > high ? slots[i].have : high;
    }
    high = most - nodes < high ? most : high + nodes;
    while (low < high) {
        int64_t middle = high - (high - low) / 2;
        if (lift_all(slots, count, middle) <= nodes)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* What is left once all are at the reached level goes to the first that can rise above it. */
static int64_t spread_evenly(struct purchase_slot *slots, uint32_t count, int64_t most,
                             int64_t nodes)
{
    int64_t level = level_reached(slots, count, most, nodes);
    for (uint32_t i = 0; i < count; i++) {
        slots[i].nodes = lift(&slots[i], level < most ? level : most);
        nodes -= slots[i].nodes;
    }
    for (uint32_t i = 0; i < count && nodes > 0 && level < most; i++) {
        int64_t more = lift(&slots[i], level + 1) - slots[i].nodes;
        slots[i].nodes += more;
        nodes -= more;
    }
    return nodes;
}

int64_t purchase_spread(struct purchase_slot *slots, uint32_t count, uint32_t even, int64_t level,
                        int64_t nodes)
{
    for (uint32_t i = 0; i < count; i++)
        slots[i].nodes = 0;
    if (even > 0)
        nodes = spread_evenly(slots, even, level, nodes);
    for (uint32_t i = 0; i < count && nodes > 0; i++) {
        int64_t free_room = slots[i].room - slots[i].nodes;
        int64_t more = free_room < nodes ? free_room : nodes;
        slots[i].nodes += more;
        nodes -= more;
    }
    return nodes;
}
