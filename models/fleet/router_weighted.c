/* Pools by given shares of each class; the policy within a pool is another. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/fleet/router_shares.h"

static const struct config_field share_fields[] = {
    {.name = "class",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct router_share, class_name),
     .doc = "name of a request class"},
    {.name = "pool",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct router_share, pool),
     .doc = "name of a pool"},
    {.name = "weight",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct router_share, weight),
     .min = 0,
     .max = 1e9,
     .doc = "the pool's share of the class, relative to the class's other shares"},
    {0}};

static const struct config_type share_type = {.name = "router_share",
                                              .doc = "What share of a class a pool gets",
                                              .size = sizeof(struct router_share),
                                              .fields = share_fields};

static const struct config_field share_element = {
    .name = "share", .kind = CONFIG_OBJECT, .object = &share_type, .doc = "one share"};

static const struct config_field weighted_fields[] = {
    {.name = "shares",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct router_weighted_config, shares),
     .element = &share_element,
     .preset = "[]",
     .doc = "shares of pools by class; a class without any goes to pools by their replica count"},
    {.name = "within",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct router_weighted_config, within),
     .names = router_within_names,
     .preset = "\"least_outstanding_requests\"",
     .doc = "policy among the replicas of the chosen pool"},
    {0}};

const struct config_type router_weighted_type = {.name = "router_weighted",
                                                 .doc = "Parameters of weighted routing",
                                                 .size = sizeof(struct router_weighted_config),
                                                 .fields = weighted_fields};

/* A share of a pool that serves another model would be nobody's. */
static bool check_model(const struct router_fleet *fleet, size_t index, uint32_t class_index,
                        uint32_t pool, struct error *error)
{
    uint64_t models = fleet->pools[pool].models;
    if (!fleet->class_models || models == 0 || (models >> fleet->class_models[class_index] & 1))
        return true;
    char place[64];
    snprintf(place, sizeof place, "/shares/%zu/pool", index);
    error_at(error, ERROR_BAD_INPUT, NULL, 0, place,
             "pool \"%s\" does not serve the model of class \"%s\"", fleet->pools[pool].name,
             fleet->class_names[class_index]);
    return error_hint(error, "leave the share out, or name a pool that does");
}

static bool check_weighted(const void *config, const struct router_fleet *fleet,
                           struct error *error)
{
    const struct config_list *list = &((const struct router_weighted_config *)config)->shares;
    const struct router_share *shares = list->items;
    for (size_t i = 0; i < list->count; i++) {
        uint32_t class_index = router_find_class(fleet, shares[i].class_name);
        uint32_t pool = router_find_pool(fleet, shares[i].pool);
        if (class_index == fleet->class_count)
            return router_refuse_name("shares", i, "class", shares[i].class_name, error);
        if (pool == fleet->pool_count)
            return router_refuse_name("shares", i, "pool", shares[i].pool, error);
        if (!check_model(fleet, i, class_index, pool, error))
            return false;
    }
    return true;
}

struct weighted {
    struct chooser chooser;
    struct pool_shares shares;
    struct chooser **within; /* by pool */
};

/* Shares of pools that the chooser does not have go to the others. */
static void read_shares(struct weighted *weighted, const struct config_list *list)
{
    const struct router_fleet *fleet = &weighted->chooser.router->fleet;
    const struct router_share *shares = list->items;
    for (size_t i = 0; i < list->count; i++) {
        uint32_t class_index = router_find_class(fleet, shares[i].class_name);
        assert(class_index < fleet->class_count);
        uint32_t place = chooser_place(&weighted->chooser, shares[i].pool);
        if (place < weighted->chooser.pool_count)
            pool_shares_of(&weighted->shares, class_index)[place] += shares[i].weight;
    }
    pool_shares_renew(&weighted->shares);
}

static bool open_weighted(struct chooser *chooser, const void *config)
{
    const struct router_weighted_config *given = config;
    struct weighted *weighted = (struct weighted *)chooser;
    weighted->within = choosers_within(chooser, given->within);
    if (!weighted->within || !pool_shares_init(&weighted->shares, chooser, false))
        return false;
    read_shares(weighted, &given->shares);
    return true;
}

static void close_weighted(struct chooser *chooser)
{
    struct weighted *weighted = (struct weighted *)chooser;
    choosers_destroy(weighted->within, chooser->pool_count);
    pool_shares_free(&weighted->shares);
}

static void renew_shares(struct chooser *chooser, uint32_t slot)
{
    (void)slot;
    pool_shares_renew(&((struct weighted *)chooser)->shares);
}

static uint32_t choose_weighted(struct chooser *chooser, const struct router_request *request)
{
    struct weighted *weighted = (struct weighted *)chooser;
    uint32_t pool = pool_shares_deal(&weighted->shares, request->class_index);
    return chooser_choose(weighted->within[pool], request);
}

const struct router_policy router_weighted = {.size = sizeof(struct weighted),
                                              .check = check_weighted,
                                              .open = open_weighted,
                                              .close = close_weighted,
                                              .choose = choose_weighted,
                                              .availability_changed = renew_shares};
