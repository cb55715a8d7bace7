/* Settings and their checks, the table of strategies, and how base and percent share nodes out. The
 * decision is in purchase_decide.c. */
#include "models/elastic/purchase.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/elastic/purchase_strategy.h"

/* --- the table --- */

#define AS_STRATEGY(name, doc, type) &purchase_##name,
#define AS_VARIANT(name, doc, type)  {#name, doc, type},
#define AS_NAME(name, doc, type)     #name,

static const struct purchase_strategy *const strategies[] = {PURCHASE_STRATEGIES(AS_STRATEGY)};

const struct config_variant_type purchase_strategies[] = {PURCHASE_STRATEGIES(AS_VARIANT){0}};

const char *const purchase_within_names[] = {PURCHASE_SIMPLE_STRATEGIES(AS_NAME) NULL};

const struct purchase_strategy *purchase_within(int within)
{
    return strategies[within];
}

static bool names_strategy(const struct purchase_settings *settings)
{
    return settings->strategy.index >= 0;
}

static const struct purchase_strategy *strategy_of(const struct purchase_settings *settings)
{
    return names_strategy(settings) ? strategies[settings->strategy.index]
                                    : &purchase_price_capacity_optimized;
}

/* --- settings --- */

static const char *const on_demand_names[] = {"prioritized", "lowest_price", NULL};

#define AT(member) .offset = offsetof(struct purchase_settings, member)

static const struct config_field fields[] = {
    {.name = "on_demand_base",
     .kind = CONFIG_INT,
     AT(on_demand_base),
     .preset = "0",
     .min = 0,
     .max = INFINITY,
     .doc = "so many nodes are on demand before any is on Spot"},
    {.name = "spot_percent_above_base",
     .kind = CONFIG_INT,
     AT(spot_percent_above_base),
     .optional = true,
     .min = 0,
     .max = 100,
     .doc = "share of the others that is on Spot; null: 100 where a strategy is named, else 0"},
    {.name = "strategy",
     .kind = CONFIG_VARIANT,
     AT(strategy),
     .optional = true,
     .selector = "policy",
     .variants = purchase_strategies,
     .doc = "in which markets Spot is bought; null: price_capacity_optimized"},
    {.name = "on_demand_strategy",
     .kind = CONFIG_ENUM,
     AT(on_demand_strategy),
     .preset = "\"prioritized\"",
     .names = on_demand_names,
     .doc = "markets for nodes on demand: in the order of the pool's list, or by price"},
    {.name = "spot_max_usd_per_hour",
     .kind = CONFIG_NUMBER,
     AT(spot_max_usd_per_hour),
     .optional = true,
     .min = 0,
     .max = INFINITY,
     .above_min = true,
     .doc = "no Spot is asked for at a higher price; null: the market's price on demand"},
    {.name = "refusal_cooldown_s",
     .kind = CONFIG_NUMBER,
     AT(refusal_cooldown_s),
     .preset = "60",
     .min = 1e-6,
     .max = CLOCK_MAX_S,
     .doc = "a market that refused is not asked again for so long"},
    {0}};

const struct config_type purchase_settings_type = {
    .name = "purchase",
    .doc = "Which nodes an elastic pool orders and gives back",
    .size = sizeof(struct purchase_settings),
    .fields = fields};

bool purchase_check(const struct purchase_settings *settings, const struct purchase_scope *scope,
                    struct error *error)
{
    if (settings->on_demand_base > scope->max_nodes) {
        error_at(error, ERROR_BAD_INPUT, NULL, 0, "/on_demand_base",
                 "%lld nodes on demand are the least, but the pool has %lld nodes at most",
                 (long long)settings->on_demand_base, (long long)scope->max_nodes);
        return error_hint(error, "lower the base, or raise the most replicas of the pool");
    }
    const struct purchase_strategy *strategy = strategy_of(settings);
    return !strategy->check || strategy->check(settings, scope, error);
}

/* --- shares --- */

static int64_t spot_percent(const struct purchase_settings *settings)
{
    if (settings->spot_percent_above_base != INT64_MIN)
        return settings->spot_percent_above_base;
    return names_strategy(settings) ? 100 : 0;
}

/* Fractions go to on demand: Spot is rounded down. */
struct purchase_split purchase_share(const struct purchase_settings *settings, int64_t target)
{
    int64_t above = target - settings->on_demand_base;
    if (above <= 0)
        return (struct purchase_split){.on_demand = target};
    int64_t percent = spot_percent(settings);
    int64_t spot = above / 100 * percent + above % 100 * percent / 100;
    return (struct purchase_split){.on_demand = target - spot, .spot = spot};
}

int64_t purchase_extra_nodes(const struct purchase_settings *settings)
{
    const struct purchase_strategy *strategy = strategy_of(settings);
    return strategy->extra ? strategy->extra(settings->strategy.value) : 0;
}

/* --- life --- */

static bool allocate(struct purchase *purchase)
{
    size_t count = purchase->market_count;
    purchase->room = calloc(count, sizeof *purchase->room);
    purchase->ranking = calloc(count, sizeof *purchase->ranking);
    for (int i = 0; i < 2; i++)
        purchase->slots[i] = calloc(count, sizeof *purchase->slots[i]);
    return purchase->room && purchase->ranking && purchase->slots[0] && purchase->slots[1];
}

struct purchase *purchase_create(const struct purchase_settings *settings,
                                 const struct purchase_scope *scope)
{
    assert(scope->market_count > 0);
    const struct purchase_strategy *strategy = strategy_of(settings);
    struct purchase *purchase = calloc(1, strategy->size);
    if (!purchase)
        return NULL;
    purchase->strategy = strategy;
    purchase->settings = settings;
    purchase->market_count = scope->market_count;
    purchase->only = PURCHASE_ANY_MARKET;
    purchase->cooldown = tick_from_s(settings->refusal_cooldown_s);
    purchase->next = TICK_NEVER;
    if (allocate(purchase) && (!strategy->open || strategy->open(purchase, scope)))
        return purchase;
    purchase_destroy(purchase);
    return NULL;
}

void purchase_destroy(struct purchase *purchase)
{
    if (!purchase)
        return;
    if (purchase->strategy->close)
        purchase->strategy->close(purchase);
    free(purchase->room);
    free(purchase->ranking);
    free(purchase->slots[0]);
    free(purchase->slots[1]);
    free(purchase);
}

tick_t purchase_next(const struct purchase *purchase)
{
    return purchase->next;
}
