/* on_demand_fallback: where Spot nodes have been lacking for after_s (none was granted in their
 * place, in any market), as many nodes on demand stand in. They are given back once Spot nodes are
 * ready. Spot is bought by another strategy. */
#include "models/elastic/purchase_strategy.h"

#define AT(member) .offset = offsetof(struct purchase_fallback_config, member)

static const struct config_field fields[] = {
    {.name = "after_s",
     .kind = CONFIG_NUMBER,
     AT(after_s),
     .preset = "300",
     .min = 0,
     .max = CLOCK_MAX_S,
     .doc = "on demand stands in for Spot that has been lacking for so long"},
    {.name = "within",
     .kind = CONFIG_ENUM,
     AT(within),
     .preset = "\"price_capacity_optimized\"",
     .names = purchase_within_names,
     .doc = "the strategy that Spot is bought by"},
    {0}};

const struct config_type purchase_fallback_type = {
    .name = "purchase_on_demand_fallback",
    .doc = "On demand stands in for Spot that is not had for a while",
    .size = sizeof(struct purchase_fallback_config),
    .fields = fields};

struct fallback {
    struct purchase purchase;
    bool lacks;
    tick_t since; /* where it lacks */
};

static bool fallback_open(struct purchase *purchase, const struct purchase_scope *scope)
{
    (void)scope;
    ((struct fallback *)purchase)->lacks = false;
    return true;
}

/* Has it lacked for long enough? */
static bool is_due(struct fallback *fallback, bool lacks)
{
    struct purchase *purchase = &fallback->purchase;
    const struct purchase_fallback_config *config = purchase->settings->strategy.value;
    if (lacks && !fallback->lacks)
        fallback->since = purchase->now;
    fallback->lacks = lacks;
    if (!lacks)
        return false;
    tick_t due = fallback->since + tick_from_s(config->after_s);
    purchase_wake(purchase, due);
    return due <= purchase->now;
}

/* Those that stand in already stay until Spot is ready: that holds for all nodes beyond their
 * share. */
static struct purchase_split want(struct purchase *purchase)
{
    struct purchase_split want = purchase_share(purchase->settings, purchase->target);
    int64_t lacking = want.spot - purchase->spot_held;
    if (is_due((struct fallback *)purchase, lacking > 0))
        want.on_demand += lacking;
    return want;
}

static void rank(struct purchase *purchase, int64_t missing)
{
    const struct purchase_fallback_config *config = purchase->settings->strategy.value;
    purchase_within(config->within)->rank(purchase, missing);
}

const struct purchase_strategy purchase_on_demand_fallback = {
    .size = sizeof(struct fallback),
    .open = fallback_open,
    .want = want,
    .rank = rank,
};
