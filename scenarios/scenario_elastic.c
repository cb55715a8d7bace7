#include "scenarios/scenario_elastic.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "models/elastic/scaler.h"
#include "models/money/utc_date.h"
#include "scenarios/scenario_parts.h"
#include "scenarios/scenario_rebalance.h"

/* --- one pool --- */

static const struct scenario_pool *pool_given(const struct scenario *scenario, size_t index)
{
    return &((const struct scenario_pool *)scenario->config.pools.items)[index];
}

static bool check_kind(const struct scenario *scenario, size_t index, const char *pointer,
                       struct error *error)
{
    const struct scenario_pool *given = pool_given(scenario, index);
    const char *why = NULL;
    if (given->stages.count > 0)
        why = "stages of their own hardware";
    else if (given->attention_data_parallel > 1)
        why = "data-parallel attention";
    if (!why || !given->elastic)
        return true;
    json_member_error(scenario->document, pointer, "elastic", error,
                      "a pool with %s cannot come and go", why);
    return error_hint(error, "leave \"elastic\" out, or that");
}

static bool check_replicas(const struct scenario *scenario, const struct scenario_pool *given,
                           const char *pointer, struct error *error)
{
    const struct elastic_settings *elastic = given->elastic;
    if (!elastic && given->replicas == 0) {
        json_member_error(scenario->document, pointer, "replicas", error,
                          "a pool that is not elastic has 1 replica or more");
        return error_hint(error, "give it a replica, or \"elastic\" with \"min_replicas\": 0");
    }
    if (!elastic)
        return true;
    if (elastic->min_replicas > elastic->max_replicas) {
        json_member_error(scenario->document, pointer, "elastic", error,
                          "min_replicas (%lld) is above max_replicas (%lld)",
                          (long long)elastic->min_replicas, (long long)elastic->max_replicas);
        return error_hint(error, "the scaler moves between the two");
    }
    if (given->replicas >= elastic->min_replicas && given->replicas <= elastic->max_replicas)
        return true;
    json_member_error(scenario->document, pointer, "replicas", error,
                      "%lld at time 0 is out of the pool's bounds: %lld to %lld replicas",
                      (long long)given->replicas, (long long)elastic->min_replicas,
                      (long long)elastic->max_replicas);
    return error_hint(error, "\"elastic\" bounds them by min_replicas and max_replicas");
}

/* Is the instance type the catalogue's, not one of the scenario's own? Then price books know it,
 * and its price on every date; a bill takes it from there. */
static bool is_catalogued(const struct scenario *scenario, const struct instance *instance)
{
    const struct hardware_entries *own = scenario->config.hardware;
    const struct instance *instances = own ? own->instances.items : NULL;
    for (size_t i = 0; own && i < own->instances.count; i++)
        if (strcmp(instances[i].name, instance->name) == 0)
            return false;
    return true;
}

/* What one instance of a pool costs on demand, whatever the date; NaN: the price book knows. */
static double own_price(const struct scenario *scenario, const struct scenario_pool *given,
                        const struct instance *instance, double usd_per_hour)
{
    bool listed = instance && isnan(given->usd_per_gpu_hour) && is_catalogued(scenario, instance);
    return listed ? NAN : usd_per_hour;
}

/* Nodes that a purchase policy may hold beyond what the scaler wants: stand-ins for all of them,
 * and extra ones. Replicas that drain have places, too. */
static int64_t most_replicas(const struct elastic_settings *settings, int64_t per_node)
{
    int64_t nodes = (settings->max_replicas + per_node - 1) / per_node;
    return (2 * nodes + purchase_extra_nodes(&settings->purchase)) * per_node;
}

bool scenario_elastic_pool(struct scenario *scenario, size_t index,
                           const struct hardware_part *parts, const char *pointer,
                           struct error *error)
{
    const struct scenario_pool *given = pool_given(scenario, index);
    const struct deployment *deployment = &scenario->deployments[index];
    /* Nodes of a pool with stages are its replicas, whatever they are made of. */
    const struct instance *instance = given->stages.count > 0 ? NULL : parts->instance;
    /* A MIG slice is paid for as a share of one, which no price book has. */
    const struct instance *priced = parts->gpu->sliced_from ? NULL : instance;
    int64_t ranks = given->attention_data_parallel;
    struct elastic_pool_spec *nodes = &scenario->elastic_pools[index];
    if (!check_kind(scenario, index, pointer, error) ||
        !check_replicas(scenario, given, pointer, error))
        return false;
    int64_t gpus = deployment->gpus;
    int64_t per_node = instance && instance->gpus > gpus ? instance->gpus / gpus : 1;
    int64_t instances = instance ? (gpus + instance->gpus - 1) / instance->gpus : 1;
    struct scenario_price price;
    size_t part_count = given->stages.count > 0 ? given->stages.count : 1;
    if (!pool_price(scenario, parts, part_count, per_node, given->usd_per_gpu_hour, &price, error))
        return false;
    *nodes = (struct elastic_pool_spec){
        .settings = given->elastic,
        .initial = (uint32_t)(given->replicas * ranks),
        .bought_as = (enum purchase_option)given->bought_as,
        .replicas_per_node = (uint32_t)(per_node * ranks),
        .instances_per_node = (uint32_t)instances,
        .gpus_per_node = (uint32_t)(instance ? instances * instance->gpus : gpus),
        .usd_per_hour = price.usd_per_hour,
        .usage = {.name = given->name,
                  .provider = instance ? instance->provider : "",
                  .region = instance ? instance->region : "",
                  .sku = instance ? instance->name : parts->gpu->name,
                  .gpus = (uint32_t)(instance ? instance->gpus : gpus),
                  .on_demand_usd_per_hour =
                      own_price(scenario, given, priced, price.usd_per_hour / (double)instances)},
        .kv_bytes_per_tok =
            deployment->memory.kv_bytes_per_token_per_gpu * (double)deployment->gpus,
        .network_gb_s = parts->gpu->node_link_gb_s * (double)gpus,
        .start_up = {.provider = instance ? instance->provider : NULL,
                     .gpu = parts->gpu,
                     .weight_bytes = deployment->memory.weight_bytes_per_gpu * (double)gpus,
                     .gpus_per_replica = gpus,
                     .replicas_per_node = per_node,
                     .instances_per_node = instances}};
    if (given->elastic) {
        scenario->pools[index].replicas = (uint32_t)most_replicas(given->elastic, per_node);
        scenario->pools[index].usd_per_hour = price.usd_per_hour / (double)per_node;
    }
    return true;
}

/* --- the whole --- */

static bool find_market(const struct scenario *scenario, const char *name, uint32_t *market)
{
    for (*market = 0; *market < scenario->market_count; ++*market)
        if (strcmp(market_spec_name(scenario->markets[*market]), name) == 0)
            return true;
    return false;
}

/* Refuses a market of a pool's list. Returns false. */
static bool refuse_market(const struct scenario *scenario, size_t pool, size_t index,
                          struct error *error, const char *message, ...)
    __attribute__((format(printf, 5, 6)));

static bool refuse_market(const struct scenario *scenario, size_t pool, size_t index,
                          struct error *error, const char *message, ...)
{
    char pointer[POINTER_SIZE];
    snprintf(pointer, sizeof pointer, "/pools/%zu/elastic/markets/%zu", pool, index);
    va_list args;
    va_start(args, message);
    json_error_va(scenario->document, pointer, error, message, args);
    va_end(args);
    return false;
}

static bool unknown_market(const struct scenario *scenario, size_t pool, size_t index,
                           const char *name, struct error *error)
{
    refuse_market(scenario, pool, index, error, "there is no market \"%s\"", name);
    const char **names = ARENA_ARRAY(scenario->arena, scenario->market_count, const char *);
    for (uint32_t i = 0; i < scenario->market_count; i++)
        names[i] = market_spec_name(scenario->markets[i]);
    if (scenario->market_count == 0)
        return error_hint(error, "the scenario's \"markets\" name them");
    config_hint_names(error, name, names, scenario->market_count);
    return false;
}

/* Bills name the instance type of a market: its own, or that of the pools that use it. */
static bool settle_sku(struct scenario *scenario, size_t pool, size_t index, uint32_t market,
                       struct error *error)
{
    struct usage_market *usage = &scenario->market_usage[market];
    const struct usage_market *own = &scenario->elastic_pools[pool].usage;
    if (usage->sku && strcmp(usage->sku, own->sku) != 0) {
        refuse_market(scenario, pool, index, error,
                      "market \"%s\" is of %s, but the nodes of this pool are %s", usage->name,
                      usage->sku, own->sku);
        return error_hint(error, "a market is of one instance type, and a pool has the same one in "
                                 "all of its markets");
    }
    usage->sku = own->sku;
    usage->gpus = own->gpus;
    if (usage->provider[0] == '\0')
        usage->provider = own->provider;
    return true;
}

static bool is_named_before(const char *const *names, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(names[i], names[index]) == 0)
            return true;
    return false;
}

static bool resolve_pool_markets(struct scenario *scenario, size_t pool, struct error *error)
{
    const struct elastic_settings *settings = pool_given(scenario, pool)->elastic;
    struct elastic_pool_spec *nodes = &scenario->elastic_pools[pool];
    size_t count = settings ? settings->markets.count : 0;
    const char **names = count > 0 ? settings->markets.items : NULL;
    uint32_t *markets = ARENA_ARRAY(scenario->arena, count, uint32_t);
    for (size_t i = 0; i < count; i++)
        if (!find_market(scenario, names[i], &markets[i]))
            return unknown_market(scenario, pool, i, names[i], error);
        else if (is_named_before(names, i))
            return refuse_market(scenario, pool, i, error, "market \"%s\" is named twice",
                                 names[i]);
        else if (!settle_sku(scenario, pool, i, markets[i], error))
            return false;
    nodes->markets = markets;
    nodes->market_names = names;
    nodes->market_count = (uint32_t)count;
    return true;
}

static bool check_has_spot(const struct scenario *scenario, size_t pool, struct error *error)
{
    const struct elastic_settings *settings = pool_given(scenario, pool)->elastic;
    char pointer[POINTER_SIZE];
    if (settings->markets.count > 0 ||
        purchase_share(&settings->purchase, settings->max_replicas).spot == 0)
        return true;
    snprintf(pointer, sizeof pointer, "/pools/%zu/elastic/purchase", pool);
    json_error(scenario->document, pointer, error,
               "Spot is asked for, but the pool has no markets");
    return error_hint(error, "name some under \"markets\"; without any, all nodes are on demand");
}

static bool check_policies(const struct scenario *scenario, size_t pool, int64_t start_unix_s,
                           struct error *error)
{
    const struct elastic_settings *settings = pool_given(scenario, pool)->elastic;
    const struct elastic_pool_spec *nodes = &scenario->elastic_pools[pool];
    char pointer[POINTER_SIZE];
    if (!settings)
        return true;
    struct scaler_limits limits = {settings->min_replicas, settings->max_replicas, start_unix_s};
    struct error found = {0};
    snprintf(pointer, sizeof pointer, "/pools/%zu/elastic/scaler", pool);
    if (!scaler_check(&settings->scaler, &limits, &found))
        return scenario_locate_below(scenario, pointer, &found, error);
    static const char *const own[] = {"on demand"};
    struct purchase_scope scope = {nodes->market_count ? nodes->market_names : own,
                                   nodes->market_count ? nodes->market_count : 1,
                                   (settings->max_replicas + nodes->replicas_per_node - 1) /
                                       nodes->replicas_per_node};
    snprintf(pointer, sizeof pointer, "/pools/%zu/elastic/purchase", pool);
    if (!purchase_check(&settings->purchase, &scope, &found))
        return scenario_locate_below(scenario, pointer, &found, error);
    if (!check_has_spot(scenario, pool, error))
        return false;
    struct place place = {.document = scenario->document};
    snprintf(place.pointer, sizeof place.pointer, "/pools/%zu/elastic/start_up", pool);
    if (!start_up_check(&settings->start_up, &place, error))
        return false;
    snprintf(place.pointer, sizeof place.pointer, "/pools/%zu/elastic/failures", pool);
    return !settings->failures || failure_check(settings->failures, &place, error);
}

static bool resolve_markets(struct scenario *scenario, struct error *error)
{
    struct market_context context = {.document = scenario->document,
                                     .pointer = "/markets",
                                     .folder = scenario->folder,
                                     .hardware = scenario->hardware,
                                     .horizon_s = scenario->config.horizon_s};
    scenario->market_count = (uint32_t)scenario->config.markets.count;
    scenario->markets =
        markets_resolve(&scenario->config.markets, &context, scenario->arena, error);
    if (!scenario->markets)
        return false;
    scenario->market_usage =
        ARENA_ARRAY(scenario->arena, scenario->market_count, struct usage_market);
    const struct market_settings *given = scenario->config.markets.items;
    for (uint32_t i = 0; i < scenario->market_count; i++) {
        const struct market_spec *spec = scenario->markets[i];
        const char *name = market_spec_instance(spec);
        const struct instance *instance =
            name ? hardware_instance(scenario->hardware, name, NULL) : NULL;
        double usd_per_hour = given[i].on_demand_usd_per_hour;
        if (isnan(usd_per_hour) && instance && !is_catalogued(scenario, instance))
            usd_per_hour = instance->usd_per_hour;
        scenario->market_usage[i] =
            (struct usage_market){.name = market_spec_name(spec),
                                  .provider = instance ? instance->provider : "",
                                  .region = market_spec_region(spec),
                                  .sku = name,
                                  .gpus = instance ? (uint32_t)instance->gpus : 0,
                                  .on_demand_usd_per_hour = usd_per_hour};
    }
    return true;
}

static bool is_wanted(const struct scenario *scenario)
{
    bool wanted = scenario->config.markets.count > 0 || scenario->config.budget ||
                  scenario->config.money || scenario->config.carbon || scenario->config.rebalance;
    for (size_t i = 0; i < scenario->pool_count; i++)
        wanted |= pool_given(scenario, i)->elastic != NULL;
    return wanted;
}

bool scenario_elastic_resolve(struct scenario *scenario, struct error *error)
{
    int64_t start_unix_s;
    if (!utc_date_read(scenario->config.start_time, &start_unix_s)) {
        json_error(scenario->document, "/start_time", error, "\"%s\" is no date",
                   scenario->config.start_time);
        return error_hint(error, "write it as \"2025-06-02T00:00:00Z\"");
    }
    if (!is_wanted(scenario))
        return true;
    if (!resolve_markets(scenario, error))
        return false;
    for (size_t i = 0; i < scenario->pool_count; i++)
        if (!resolve_pool_markets(scenario, i, error) ||
            !check_policies(scenario, i, start_unix_s, error))
            return false;
    const struct plane_rebalance *rebalance;
    if (!scenario_rebalance_resolve(scenario, &rebalance, error))
        return false;
    const char **tenants = ARENA_ARRAY(scenario->arena, scenario->class_count, const char *);
    for (size_t i = 0; i < scenario->class_count; i++)
        tenants[i] = scenario_tenant_name(scenario, i);
    if (!scenario_budget_check(scenario, error))
        return false;
    const struct scenario_budget *budget = scenario->config.budget;
    struct elastic_spec *spec = ARENA_NEW(scenario->arena, struct elastic_spec);
    *spec = (struct elastic_spec){.pools = scenario->elastic_pools,
                                  .markets = scenario->markets,
                                  .market_count = scenario->market_count,
                                  .market_usage = scenario->market_usage,
                                  .rebalance = rebalance,
                                  .budget_usd_per_hour = budget ? budget->usd_per_hour : INFINITY,
                                  .start_unix_s = start_unix_s,
                                  .tenants = tenants};
    scenario->elastic = spec;
    return true;
}
