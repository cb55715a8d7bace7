/* diversified: evenly across all markets, as EC2 Fleet and Spot Fleet have it; the odd node goes to
 * the cheapest. Nodes that are given back are those of the markets that hold most. */
#include "models/elastic/purchase_strategy.h"

static void rank_all_alike(struct purchase *purchase, int64_t missing)
{
    purchase->even = purchase_rank_by_price(purchase, missing);
}

const struct purchase_strategy purchase_diversified = {
    .size = sizeof(struct purchase),
    .rank = rank_all_alike,
};
