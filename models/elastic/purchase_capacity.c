/* The strategies that look at capacity first.
 *
 * capacity_optimized: AWS launches from the pools with most capacity for the number of instances
 * that are launching. Here: market by market, from the one that shows most room; markets whose
 * capacity can't be seen come after these, the one with the lowest rate of interruptions first.
 *
 * price_capacity_optimized: of the pools with most capacity for the number of instances that are
 * launching, AWS takes the lowest priced (AllocationStrategy of SpotFleetRequestConfigData in the
 * EC2 API reference). How many pools these are, it does not say. Here: those that show room for all
 * that is missing; where none does, the better half. */
#include "models/elastic/purchase_strategy.h"

static void rank_by_capacity(struct purchase *purchase, int64_t missing)
{
    (void)missing;
    purchase_rank_by_capacity(purchase);
}

const struct purchase_strategy purchase_capacity_optimized = {
    .size = sizeof(struct purchase),
    .rank = rank_by_capacity,
};

/* How many of the ranking, from the first, show room for that many nodes. */
static uint32_t deep_markets(const struct purchase *purchase, int64_t nodes)
{
    uint32_t deep = 0;
    while (deep < purchase->market_count && purchase->ranking[deep].keys[0] == STANDS_WELL &&
           purchase->room[purchase->ranking[deep].market] >= nodes)
        deep++;
    return deep;
}

static void rank_by_both(struct purchase *purchase, int64_t missing)
{
    uint32_t good = purchase_rank_by_capacity(purchase);
    uint32_t deep = deep_markets(purchase, missing > 0 ? missing : 1);
    if (deep == 0)
        deep = good - good / 2;
    for (uint32_t i = 0; i < deep; i++) {
        struct purchase_rank *rank = &purchase->ranking[i];
        double price = purchase->markets[rank->market].spot_usd_per_hour;
        *rank = (struct purchase_rank){.market = rank->market, .keys = {price, rank->keys[1]}};
    }
    purchase_sort(purchase, deep);
}

const struct purchase_strategy purchase_price_capacity_optimized = {
    .size = sizeof(struct purchase),
    .rank = rank_by_both,
};
