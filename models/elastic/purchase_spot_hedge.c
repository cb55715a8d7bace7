/* spot_hedge: SpotHedge of SkyServe (Mao et al., "SkyServe: Serving AI Models across Regions and
 * Clouds with Spot Instances", EuroSys 2025), as SkyPilot has it.
 *
 *   placement      markets are active or preempted (DynamicFallbackSpotPlacer, sky/serve/
 *                  spot_placer.py). A node goes to the cheapest active market that the pool does
 * not use yet, or, if it uses all, to the cheapest active one. An interruption or a refusal makes a
 * market preempted; a node that becomes ready there makes it active again; and when less than two
 * would be active, all are. Capacity is not looked at: the placer learns by being refused. extra
 * num_overprovision Spot nodes above the target (get_final_target_num_replicas,
 *                  sky/serve/autoscalers.py; null there, which is 0).
 *   base           on_demand_base (base_ondemand_fallback_replicas); they count towards the target.
 *   fallback       on demand stands in for Spot that is not ready: base + (target + extra - base -
 *                  ready Spot) nodes (FallbackRequestRateAutoscaler, sky/serve/autoscalers.py),
 * but, as the paper has it, no more than the target. They go as Spot becomes ready.
 *                  dynamic_ondemand_fallback is off by default in SkyPilot, which calls the policy
 *                  SpotHedge only when it is on (spot_policy_str, sky/serve/service_spec.py): hence
 *                  it is on here. */
#include <stdlib.h>

#include "models/elastic/purchase_strategy.h"

#define AT(member) .offset = offsetof(struct purchase_hedge_config, member)

static const struct config_field fields[] = {
    {.name = "num_overprovision",
     .kind = CONFIG_INT,
     AT(num_overprovision),
     .preset = "0",
     .min = 0,
     .max = 1e9,
     .doc = "Spot nodes above the target"},
    {.name = "dynamic_ondemand_fallback",
     .kind = CONFIG_BOOL,
     AT(dynamic_ondemand_fallback),
     .preset = "true",
     .doc = "on demand stands in for Spot that is not ready"},
    {0}};

const struct config_type purchase_hedge_type = {.name = "purchase_spot_hedge",
                                                .doc = "SkyServe's SpotHedge",
                                                .size = sizeof(struct purchase_hedge_config),
                                                .fields = fields};

struct location {
    bool preempted;
    tick_t trouble, ready; /* the last ones that were taken note of; TICK_NEVER: none */
};

struct hedge {
    struct purchase purchase;
    struct location *locations; /* by market */
    uint32_t active;
};

static bool check(const struct purchase_settings *settings, const struct purchase_scope *scope,
                  struct error *error)
{
    (void)scope;
    int64_t percent = settings->spot_percent_above_base;
    if (percent == INT64_MIN || percent == 100)
        return true;
    error_at(error, ERROR_BAD_INPUT, NULL, 0, "/spot_percent_above_base",
             "spot_hedge shares the nodes out itself: %lld %% on Spot can't be held",
             (long long)percent);
    return error_hint(error, "leave it out; on_demand_base sets a least number on demand");
}

static bool hedge_open(struct purchase *purchase, const struct purchase_scope *scope)
{
    struct hedge *hedge = (struct hedge *)purchase;
    hedge->locations = calloc(scope->market_count, sizeof *hedge->locations);
    if (!hedge->locations)
        return false;
    hedge->active = scope->market_count;
    for (uint32_t i = 0; i < scope->market_count; i++)
        hedge->locations[i] = (struct location){.trouble = TICK_NEVER, .ready = TICK_NEVER};
    return true;
}

static void hedge_close(struct purchase *purchase)
{
    free(((struct hedge *)purchase)->locations);
}

/* --- placement --- */

static void activate(struct hedge *hedge, uint32_t market)
{
    hedge->active += hedge->locations[market].preempted;
    hedge->locations[market].preempted = false;
}

static void preempt(struct hedge *hedge, uint32_t market)
{
    hedge->active -= !hedge->locations[market].preempted;
    hedge->locations[market].preempted = true;
    if (hedge->active >= 2)
        return;
    for (uint32_t i = 0; i < hedge->purchase.market_count; i++)
        activate(hedge, i);
}

static tick_t later(tick_t a, tick_t b)
{
    if (a == TICK_NEVER || b == TICK_NEVER)
        return a == TICK_NEVER ? b : a;
    return a > b ? a : b;
}

/* Of a node that became ready and trouble since the last look, what came last counts; trouble, if
 * both at once. */
static void observe_market(struct hedge *hedge, uint32_t market)
{
    const struct purchase_market *view = &hedge->purchase.markets[market];
    struct location *location = &hedge->locations[market];
    tick_t trouble = later(view->last_refusal, view->last_interruption);
    bool new_trouble = trouble != location->trouble;
    bool new_ready = view->last_ready != location->ready;
    location->trouble = trouble;
    location->ready = view->last_ready;
    if (new_ready && !(new_trouble && trouble >= view->last_ready))
        activate(hedge, market);
    else if (new_trouble)
        preempt(hedge, market);
}

static void observe(struct purchase *purchase)
{
    for (uint32_t i = 0; i < purchase->market_count; i++)
        observe_market((struct hedge *)purchase, i);
}

static int64_t room(const struct purchase *purchase, uint32_t market)
{
    return ((const struct hedge *)purchase)->locations[market].preempted ? 0 : INT64_MAX;
}

/* One node each where there is none, then all in the cheapest. */
static void rank(struct purchase *purchase, int64_t missing)
{
    uint32_t good = purchase_rank_by_price(purchase, missing);
    if (missing > 0) {
        purchase->even = good;
        purchase->level = 1;
    }
}

/* --- shares --- */

static struct purchase_split want(struct purchase *purchase)
{
    const struct purchase_hedge_config *config = purchase->settings->strategy.value;
    int64_t target = purchase->target, base = purchase->settings->on_demand_base;
    if (target <= base)
        return (struct purchase_split){.on_demand = target,
                                       .spot = target > 0 ? config->num_overprovision : 0};
    struct purchase_split want = {.on_demand = base,
                                  .spot = target + config->num_overprovision - base};
    int64_t lacking = want.spot - purchase->spot_ready;
    if (config->dynamic_ondemand_fallback && lacking > 0)
        want.on_demand += lacking < target - base ? lacking : target - base;
    return want;
}

static int64_t extra(const void *parameters)
{
    const struct purchase_hedge_config *config = parameters;
    return config->num_overprovision;
}

const struct purchase_strategy purchase_spot_hedge = {
    .size = sizeof(struct hedge),
    .check = check,
    .extra = extra,
    .open = hedge_open,
    .close = hedge_close,
    .observe = observe,
    .room = room,
    .want = want,
    .rank = rank,
};
