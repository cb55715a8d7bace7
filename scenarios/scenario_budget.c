/* The member "budget": what all nodes together may cost by the hour. That fewer nodes run than are
 * wanted is what a budget is for; that a pool could have none, ever, or that fixed pools pass it on
 * their own, is a mistake. */
#include <math.h>

#include "models/elastic/spend_limit.h"
#include "scenarios/scenario_elastic.h"
#include "scenarios/scenario_parts.h"

#define POINTER "/budget/usd_per_hour"

static const struct config_field budget_fields[] = {
    {.name = "usd_per_hour",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scenario_budget, usd_per_hour),
     .min = 0,
     .max = 1e9,
     .doc = "at no instant do all nodes together cost more than this by the hour; elastic pools "
            "are refused what would pass it"},
    {0}};

const struct config_type scenario_budget_type = {.name = "budget",
                                                 .doc = "A hard limit of spending",
                                                 .size = sizeof(struct scenario_budget),
                                                 .fields = budget_fields};

/* What a pool's first node costs at time 0, in the cheapest of its markets. */
static double first_node_usd_per_hour(const struct scenario *scenario, size_t pool)
{
    const struct elastic_pool_spec *nodes = &scenario->elastic_pools[pool];
    bool spot = purchase_share(&nodes->settings->purchase, 1).spot > 0;
    double least = nodes->market_count > 0 ? INFINITY : nodes->usd_per_hour;
    for (uint32_t i = 0; i < nodes->market_count; i++) {
        struct market *market =
            market_create(scenario->markets[nodes->markets[i]], (uint64_t)scenario->config.seed, 0);
        double usd = market_on_demand_usd(market);
        if (spot)
            usd = fmin(usd, market_spot_usd(market));
        least = fmin(least, nodes->instances_per_node * usd);
        market_destroy(market);
    }
    return least;
}

/* What those pools cost that are there from first to last. */
static double fixed_usd_per_hour(const struct scenario *scenario)
{
    double sum = 0;
    for (size_t i = 0; i < scenario->pool_count; i++) {
        const struct elastic_pool_spec *pool = &scenario->elastic_pools[i];
        uint32_t nodes = (pool->initial + pool->replicas_per_node - 1) / pool->replicas_per_node;
        if (!pool->settings)
            sum += nodes * pool->usd_per_hour;
    }
    return sum;
}

static bool check_fixed(const struct scenario *scenario, const struct spend_limit *limit,
                        double fixed_usd, struct error *error)
{
    if (spend_limit_allows(limit, fixed_usd))
        return true;
    json_error(scenario->document, POINTER, error,
               "the pools that are not elastic cost %.2f USD an hour, above the budget of %.2f",
               fixed_usd, limit->usd_per_hour);
    return error_hint(error, "a budget holds elastic pools back; fixed ones must fit");
}

static bool check_first_node(const struct scenario *scenario, size_t pool,
                             const struct spend_limit *limit, double fixed_usd, struct error *error)
{
    double first_usd = first_node_usd_per_hour(scenario, pool);
    if (spend_limit_allows(limit, fixed_usd + first_usd))
        return true;
    json_error(scenario->document, POINTER, error,
               "%.2f USD an hour pay for no node of pool \"%s\": its first costs %.2f",
               limit->usd_per_hour, scenario->elastic_pools[pool].usage.name, first_usd);
    if (fixed_usd > 0)
        return error_hint(error, "and pools that are not elastic cost %.2f", fixed_usd);
    return error_hint(error, "at time 0, by the pool's purchase policy");
}

bool scenario_budget_check(const struct scenario *scenario, struct error *error)
{
    if (!scenario->config.budget)
        return true;
    struct spend_limit limit;
    spend_limit_start(&limit, scenario->config.budget->usd_per_hour, 0);
    double fixed_usd = fixed_usd_per_hour(scenario);
    if (!check_fixed(scenario, &limit, fixed_usd, error))
        return false;
    for (size_t i = 0; i < scenario->pool_count; i++)
        if (scenario->elastic_pools[i].settings &&
            !check_first_node(scenario, i, &limit, fixed_usd, error))
            return false;
    return true;
}
