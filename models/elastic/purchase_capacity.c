/* The strategies that look at capacity first.
 *
 * capacity_optimized: AWS launches from the pools with most capacity for the number of instances
 * wanted. Here: market by market, from the one that shows most.
 *
 * price_capacity_optimized: AWS finds the pools with the highest capacity for the number of
 * instances that are launching, and takes the lowest priced of these ("Allocation strategies for
 * multiple instance types", EC2 Auto Scaling User Guide). How many pools that are, it does not say.
 * Here: those that show room for all that is missing; where none does, the better half. */
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
