#include "scenarios/scenario_rebalance.h"

#include <stdio.h>
#include <string.h>

#include "models/elastic/scaler.h"
#include "scenarios/scenario_parts.h"

static const struct scenario_pool *pool_given(const struct scenario *scenario, uint32_t pool)
{
    return &((const struct scenario_pool *)scenario->config.pools.items)[pool];
}

/* --- which pools --- */

static bool refuse_member(const struct scenario *scenario, const char *member, const char *hint,
                          struct error *error, const char *message, const char *name)
{
    json_member_error(scenario->document, "/rebalance", member, error, message, name);
    return error_hint(error, "%s", hint);
}

static bool find_named(const struct scenario *scenario, const char *name, enum pool_role role,
                       const char *member, uint32_t *pool, struct error *error)
{
    for (*pool = 0; *pool < scenario->pool_count; ++*pool)
        if (strcmp(scenario->pools[*pool].name, name) == 0)
            break;
    if (*pool == scenario->pool_count)
        return refuse_member(scenario, member, "pools are named under \"pools\"", error,
                             "there is no pool \"%s\"", name);
    if (scenario->pools[*pool].role == role)
        return true;
    return refuse_member(scenario, member, "one side computes prompts, the other one decodes",
                         error, "pool \"%s\" has another role", name);
}

static bool find_by_role(const struct scenario *scenario, enum pool_role role, const char *member,
                         uint32_t *pool, struct error *error)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < scenario->pool_count; i++) {
        if (scenario->pools[i].role != role)
            continue;
        *pool = i;
        count++;
    }
    if (count == 1)
        return true;
    return refuse_member(scenario, member, "name the pool, or let exactly one have that role",
                         error,
                         count == 0 ? "no pool has the role %s" : "several pools have the role %s",
                         pool_role_names[role]);
}

static bool find_pool(const struct scenario *scenario, const char *name, enum pool_role role,
                      const char *member, uint32_t *pool, struct error *error)
{
    return name ? find_named(scenario, name, role, member, pool, error)
                : find_by_role(scenario, role, member, pool, error);
}

/* --- can they swap? --- */

static bool check_scaler(const struct scenario *scenario, uint32_t pool, struct error *error)
{
    const struct elastic_settings *settings = pool_given(scenario, pool)->elastic;
    char pointer[POINTER_SIZE];
    if (!settings) {
        snprintf(pointer, sizeof pointer, "/pools/%u", pool);
        json_error(scenario->document, pointer, error,
                   "nodes change sides under \"rebalance\", and this pool is not elastic");
        return error_hint(error, "give it \"elastic\", with the fewest and most replicas it may "
                                 "have");
    }
    const char *policy = scaler_policies[settings->scaler.index].name;
    if (strcmp(policy, "fixed") == 0)
        return true;
    snprintf(pointer, sizeof pointer, "/pools/%u/elastic", pool);
    json_member_error(scenario->document, pointer, "scaler", error,
                      "scaler and \"rebalance\" would both say how many replicas there are");
    return error_hint(error, "\"scaler\": \"fixed\", or no \"rebalance\"");
}

/* In what the nodes of two pools differ, in words; NULL: they are alike. */
static const char *difference(const struct elastic_pool_spec *a, const struct elastic_pool_spec *b)
{
    if (strcmp(a->usage.sku, b->usage.sku) != 0)
        return "hardware";
    if (a->replicas_per_node != b->replicas_per_node ||
        a->instances_per_node != b->instances_per_node || a->gpus_per_node != b->gpus_per_node)
        return "number of GPUs in a replica";
    if (a->market_count != b->market_count ||
        (a->market_count > 0 &&
         memcmp(a->markets, b->markets, a->market_count * sizeof *a->markets) != 0))
        return "list of markets";
    if (a->usd_per_hour != b->usd_per_hour || a->bought_as != b->bought_as)
        return "price, or way of paying";
    return NULL;
}

static bool check_nodes(const struct scenario *scenario, const struct plane_rebalance *rebalance,
                        struct error *error)
{
    const char *what = difference(&scenario->elastic_pools[rebalance->prefill],
                                  &scenario->elastic_pools[rebalance->decode]);
    if (!what)
        return true;
    char pointer[POINTER_SIZE];
    snprintf(pointer, sizeof pointer, "/pools/%u", rebalance->decode);
    json_error(scenario->document, pointer, error,
               "its nodes and those of pool \"%s\" cannot change sides: they differ in their %s",
               scenario->pools[rebalance->prefill].name, what);
    return error_hint(error, "a node goes over as it is, and as it was bought");
}

bool scenario_rebalance_resolve(const struct scenario *scenario, const struct plane_rebalance **out,
                                struct error *error)
{
    const struct rebalance_settings *settings = scenario->config.rebalance;
    struct error found = {0};
    *out = NULL;
    if (!settings)
        return true;
    if (!rebalance_check(settings, &found))
        return scenario_locate_below(scenario, "/rebalance", &found, error);
    struct plane_rebalance *rebalance = ARENA_NEW(scenario->arena, struct plane_rebalance);
    rebalance->settings = settings;
    *out = rebalance;
    return find_pool(scenario, settings->prefill_pool, ROLE_PREFILL, "prefill_pool",
                     &rebalance->prefill, error) &&
           find_pool(scenario, settings->decode_pool, ROLE_DECODE, "decode_pool",
                     &rebalance->decode, error) &&
           check_scaler(scenario, rebalance->prefill, error) &&
           check_scaler(scenario, rebalance->decode, error) &&
           check_nodes(scenario, rebalance, error);
}
