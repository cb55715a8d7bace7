/* lowest_price: evenly across the N cheapest markets that can be asked (SpotInstancePools of an EC2
 * Auto Scaling group: 1 to 20, 2 by default); what these have no room for goes to the next
 * cheapest. The dearest nodes are given back first. */
#include "models/elastic/purchase_strategy.h"

static const struct config_field fields[] = {
    {.name = "pools",
     .kind = CONFIG_INT,
     .offset = offsetof(struct purchase_lowest_price_config, pools),
     .preset = "2",
     .min = 1,
     .max = 20,
     .doc = "so many of the cheapest markets are filled evenly"},
    {0}};

const struct config_type purchase_lowest_price_type = {
    .name = "purchase_lowest_price",
    .doc = "Spot evenly across the cheapest markets",
    .size = sizeof(struct purchase_lowest_price_config),
    .fields = fields};

static void rank_by_price(struct purchase *purchase, int64_t missing)
{
    const struct purchase_lowest_price_config *config = purchase->settings->strategy.value;
    uint32_t good = purchase_rank_by_price(purchase, missing);
    if (missing > 0)
        purchase->even = config->pools < good ? (uint32_t)config->pools : good;
}

const struct purchase_strategy purchase_lowest_price = {
    .size = sizeof(struct purchase),
    .rank = rank_by_price,
};
