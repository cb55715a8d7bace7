/* single: every node, on Spot and on demand, in one market: what the other strategies are measured
 * against. */
#include <string.h>

#include "models/elastic/purchase_strategy.h"

static const struct config_field fields[] = {
    {.name = "market",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct purchase_single_config, market),
     .optional = true,
     .doc = "name of the market; null: the first of the pool"},
    {0}};

const struct config_type purchase_single_type = {.name = "purchase_single",
                                                 .doc = "All nodes in one market",
                                                 .size = sizeof(struct purchase_single_config),
                                                 .fields = fields};

/* The scope's market_count where it has none of that name. */
static uint32_t find_market(const struct purchase_settings *settings,
                            const struct purchase_scope *scope)
{
    const struct purchase_single_config *config = settings->strategy.value;
    uint32_t index = 0;
    if (config->market)
        while (index < scope->market_count &&
               strcmp(scope->market_names[index], config->market) != 0)
            index++;
    return index;
}

static bool check(const struct purchase_settings *settings, const struct purchase_scope *scope,
                  struct error *error)
{
    if (find_market(settings, scope) < scope->market_count)
        return true;
    const struct purchase_single_config *config = settings->strategy.value;
    error_at(error, ERROR_BAD_INPUT, NULL, 0, "/strategy/market", "the pool has no market \"%s\"",
             config->market);
    config_hint_names(error, config->market, scope->market_names, scope->market_count);
    return false;
}

static bool single_open(struct purchase *purchase, const struct purchase_scope *scope)
{
    purchase->only = find_market(purchase->settings, scope);
    return true;
}

static void rank(struct purchase *purchase, int64_t missing)
{
    purchase_rank_by_price(purchase, missing);
}

const struct purchase_strategy purchase_single = {
    .size = sizeof(struct purchase),
    .check = check,
    .open = single_open,
    .rank = rank,
};
