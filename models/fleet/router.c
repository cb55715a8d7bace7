/* The table of policies, the choosers made from it, and the router's two calls. */
#include "models/fleet/router.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/fleet/router_policy.h"
#include "sim/random.h"

#define AS_POLICY(name, doc, type)  &router_##name,
#define AS_VARIANT(name, doc, type) {#name, doc, type},
#define AS_NAME(name, doc, type)    #name,

static const struct router_policy *const policies[] = {ROUTER_POLICIES(AS_POLICY)};

const struct config_variant_type router_policies[] = {ROUTER_POLICIES(AS_VARIANT){0}};

const char *const router_within_names[] = {ROUTER_SIMPLE_POLICIES(AS_NAME) NULL};

/* --- names --- */

uint32_t router_find_class(const struct router_fleet *fleet, const char *name)
{
    uint32_t index = 0;
    while (index < fleet->class_count && strcmp(fleet->class_names[index], name) != 0)
        index++;
    return index;
}

uint32_t router_find_pool(const struct router_fleet *fleet, const char *name)
{
    uint32_t index = 0;
    while (index < fleet->pool_count && strcmp(fleet->pools[index].name, name) != 0)
        index++;
    return index;
}

bool router_refuse_name(const char *list, size_t index, const char *key, const char *name,
                        struct error *error)
{
    char place[64];
    snprintf(place, sizeof place, "/%s/%zu/%s", list, index, key);
    error_at(error, ERROR_BAD_INPUT, NULL, 0, place, "there is no %s \"%s\"", key, name);
    bool of_class = strcmp(key, "class") == 0;
    return error_hint(error, of_class ? "classes are named under \"classes\""
                                      : "pools are named under \"pools\"");
}

bool router_check(const struct router_config *config, const struct router_fleet *fleet,
                  struct error *error)
{
    const struct router_policy *policy = policies[config->policy.index];
    return !policy->check || policy->check(config->policy.value, fleet, error);
}

/* --- choosers --- */

static bool list_add(struct chooser_list *list, struct chooser *chooser)
{
    struct chooser **items = realloc(list->items, (list->count + 1) * sizeof(struct chooser *));
    if (!items)
        return false;
    list->items = items;
    items[list->count++] = chooser;
    return true;
}

/* From now on the chooser is told of what its policy wants to know. */
static bool subscribe(struct chooser *chooser)
{
    struct router *router = chooser->router;
    for (uint32_t i = 0; i < chooser->pool_count; i++) {
        uint32_t pool = chooser->pools[i];
        if (!list_add(&router->choosers[pool], chooser))
            return false;
        if (chooser->policy->load_changed && !list_add(&router->watchers[pool], chooser))
            return false;
        if (chooser->policy->cache_changed && !list_add(&router->listeners[pool], chooser))
            return false;
    }
    return true;
}

/* The replicas of its pools. */
static bool take_slots(struct chooser *chooser, const uint32_t *pools, uint32_t pool_count)
{
    const struct router *router = chooser->router;
    for (uint32_t i = 0; i < pool_count; i++)
        chooser->all_slots += router->pools[pools[i]].replicas;
    uint32_t *own_pools = malloc(pool_count * sizeof *own_pools);
    uint32_t *slots = malloc((chooser->all_slots + 1) * sizeof *slots);
    chooser->pools = own_pools;
    chooser->slots = slots;
    if (!own_pools || !slots)
        return false;
    memcpy(own_pools, pools, pool_count * sizeof *own_pools);
    chooser->pool_count = pool_count;
    chooser->slot_count = chooser->all_slots;
    for (uint32_t i = 0; i < pool_count; i++) {
        const struct router_pool *pool = &router->pools[pools[i]];
        for (uint32_t k = 0; k < pool->replicas; k++)
            *slots++ = router->slot_of[pool->first_replica + k];
    }
    return true;
}

struct chooser *chooser_create(struct router *router, const struct router_policy *policy,
                               const void *config, const uint32_t *pools, uint32_t pool_count)
{
    struct chooser *chooser = calloc(1, policy->size);
    if (!chooser)
        return NULL;
    chooser->policy = policy;
    chooser->router = router;
    if (take_slots(chooser, pools, pool_count) &&
        (!policy->open || policy->open(chooser, config)) && subscribe(chooser))
        return chooser;
    chooser_destroy(chooser);
    return NULL;
}

void chooser_destroy(struct chooser *chooser)
{
    if (!chooser)
        return;
    if (chooser->policy->close)
        chooser->policy->close(chooser);
    free((void *)chooser->pools);
    free(chooser->slots);
    free(chooser);
}

struct chooser **choosers_within(struct chooser *outer, int within)
{
    struct chooser **choosers = calloc(outer->pool_count, sizeof(struct chooser *));
    if (!choosers)
        return NULL;
    for (uint32_t i = 0; i < outer->pool_count; i++) {
        choosers[i] = chooser_create(outer->router, policies[within], NULL, &outer->pools[i], 1);
        if (!choosers[i]) {
            choosers_destroy(choosers, i);
            return NULL;
        }
    }
    return choosers;
}

void choosers_destroy(struct chooser **choosers, uint32_t count)
{
    for (uint32_t i = 0; choosers && i < count; i++)
        chooser_destroy(choosers[i]);
    free(choosers);
}

struct chooser *chooser_like(struct chooser *outer, int within)
{
    return chooser_create(outer->router, policies[within], NULL, outer->pools, outer->pool_count);
}

uint32_t chooser_place(const struct chooser *chooser, const char *pool_name)
{
    uint32_t place = 0;
    while (place < chooser->pool_count &&
           strcmp(chooser->router->pools[chooser->pools[place]].name, pool_name) != 0)
        place++;
    return place;
}

uint64_t router_outstanding_tok(const struct router *router, uint32_t pool)
{
    const struct router_slot *slots =
        &router->slots[router->slot_of[router->pools[pool].first_replica]];
    uint64_t tokens = 0;
    for (uint32_t i = 0; i < router->pools[pool].replicas; i++)
        tokens += slots[i].available ? slots[i].load.tokens : 0;
    return tokens;
}

/* --- life --- */

static bool make_slots(struct router *router)
{
    uint32_t end = 0; /* of replicas' numbers in the fleet */
    for (uint32_t pool = 0; pool < router->fleet.pool_count; pool++) {
        assert(router->pools[pool].first_replica >= end && "pools are in rising order");
        router->slot_count += router->pools[pool].replicas;
        end = router->pools[pool].first_replica + router->pools[pool].replicas;
    }
    router->slots = calloc(router->slot_count, sizeof *router->slots);
    router->slot_of = calloc(end, sizeof *router->slot_of);
    if (!router->slots || !router->slot_of)
        return false;
    uint32_t slot = 0;
    for (uint32_t pool = 0; pool < router->fleet.pool_count; pool++) {
        router->available[pool] = router->pools[pool].replicas;
        for (uint32_t i = 0; i < router->pools[pool].replicas; i++, slot++) {
            uint32_t replica = router->pools[pool].first_replica + i;
            router->slots[slot] =
                (struct router_slot){.inverse_weight = 1 / router->pools[pool].weight,
                                     .pool = pool,
                                     .replica = replica,
                                     .available = true};
            router->slot_of[replica] = slot;
        }
    }
    return true;
}

static bool copy_fleet(struct router *router, const struct router_fleet *fleet)
{
    router->fleet = *fleet;
    router->model_count = fleet->model_count > 0 ? fleet->model_count : 1;
    assert(router->model_count <= ROUTER_MODELS_MAX);
    router->pools = calloc(fleet->pool_count, sizeof *router->pools);
    router->bounds = calloc(fleet->class_count, sizeof *router->bounds);
    router->available = calloc(fleet->pool_count, sizeof *router->available);
    router->choosers = calloc(fleet->pool_count, sizeof *router->choosers);
    router->watchers = calloc(fleet->pool_count, sizeof *router->watchers);
    router->listeners = calloc(fleet->pool_count, sizeof *router->listeners);
    router->by_model = calloc(router->model_count, sizeof(struct chooser *));
    router->rng = random_stream(fleet->seed, fleet->replication,
                                fleet->stream ? fleet->stream : "fleet/router");
    if (!router->pools || !router->bounds || !router->available || !router->choosers ||
        !router->watchers || !router->listeners || !router->by_model || !router->rng)
        return false;
    memcpy(router->pools, fleet->pools, fleet->pool_count * sizeof *router->pools);
    for (uint32_t i = 0; i < fleet->class_count; i++)
        router->bounds[i] =
            fleet->bounds ? fleet->bounds[i] : (struct router_bounds){INFINITY, INFINITY, INFINITY};
    return make_slots(router);
}

static bool serves(const struct router_pool *pool, uint32_t model)
{
    return pool->models == 0 || (pool->models >> model & 1);
}

/* The earliest model that the same pools serve; the model itself when there is none. */
static uint32_t first_alike(const struct router *router, uint32_t model)
{
    for (uint32_t earlier = 0; earlier < model; earlier++) {
        uint32_t pool = 0;
        while (pool < router->fleet.pool_count &&
               serves(&router->pools[pool], earlier) == serves(&router->pools[pool], model))
            pool++;
        if (pool == router->fleet.pool_count)
            return earlier;
    }
    return model;
}

static struct chooser *make_chooser(struct router *router, const struct router_config *config,
                                    uint32_t model)
{
    uint32_t *pools = calloc(router->fleet.pool_count, sizeof *pools);
    uint32_t count = 0;
    for (uint32_t pool = 0; pools && pool < router->fleet.pool_count; pool++)
        if (serves(&router->pools[pool], model))
            pools[count++] = pool;
    struct chooser *chooser = NULL;
    if (pools)
        chooser = chooser_create(router, policies[config->policy.index], config->policy.value,
                                 pools, count);
    free(pools);
    return chooser;
}

static bool make_choosers(struct router *router, const struct router_config *config)
{
    for (uint32_t model = 0; model < router->model_count; model++) {
        uint32_t alike = first_alike(router, model);
        router->by_model[model] =
            alike < model ? router->by_model[alike] : make_chooser(router, config, model);
        if (!router->by_model[model])
            return false;
    }
    return true;
}

struct router *router_create(const struct router_config *config, const struct router_fleet *fleet,
                             struct error *error)
{
    struct router *router = calloc(1, sizeof *router);
    if (router && copy_fleet(router, fleet) && make_choosers(router, config))
        return router;
    error_set(error, ERROR_FAILED, "out of memory");
    router_destroy(router);
    return NULL;
}

static void free_lists(struct chooser_list *lists, uint32_t count)
{
    for (uint32_t i = 0; lists && i < count; i++)
        free(lists[i].items);
    free(lists);
}

void router_destroy(struct router *router)
{
    if (!router)
        return;
    for (uint32_t model = 0; router->by_model && model < router->model_count; model++)
        if (first_alike(router, model) == model)
            chooser_destroy(router->by_model[model]);
    free(router->by_model);
    free_lists(router->choosers, router->fleet.pool_count);
    free_lists(router->watchers, router->fleet.pool_count);
    free_lists(router->listeners, router->fleet.pool_count);
    free(router->pools);
    free(router->bounds);
    free(router->available);
    free(router->slots);
    free(router->slot_of);
    if (router->rng)
        gsl_rng_free(router->rng);
    free(router);
}

/* --- requests come and go --- */

static void tell_watchers(struct router *router, uint32_t slot)
{
    const struct chooser_list *watchers = &router->watchers[router->slots[slot].pool];
    for (uint32_t i = 0; i < watchers->count; i++)
        watchers->items[i]->policy->load_changed(watchers->items[i], slot);
}

static void charge(struct router *router, uint32_t slot, uint32_t prompt_tok, uint32_t output_tok)
{
    struct router_load *load = &router->slots[slot].load;
    load->requests++;
    load->prompt_tok += prompt_tok;
    load->tokens += (uint64_t)prompt_tok + output_tok;
    tell_watchers(router, slot);
}

uint32_t router_choose(struct router *router, const struct router_request *request)
{
    struct chooser *chooser = router->by_model[request->model];
    if (chooser->slot_count == 0)
        return ROUTER_NO_REPLICA;
    uint32_t slot = chooser_choose(chooser, request);
    if (slot == ROUTER_NO_REPLICA)
        return ROUTER_NO_REPLICA;
    charge(router, slot, request->prompt_tok, request->output_tok);
    return router->slots[slot].replica;
}

void router_charge(struct router *router, uint32_t replica, uint32_t prompt_tok,
                   uint32_t output_tok)
{
    charge(router, router->slot_of[replica], prompt_tok, output_tok);
}

void router_release(struct router *router, uint32_t replica, uint32_t prompt_tok,
                    uint32_t output_tok)
{
    uint32_t slot = router->slot_of[replica];
    struct router_load *load = &router->slots[slot].load;
    assert(load->requests > 0);
    load->requests--;
    load->prompt_tok -= prompt_tok;
    load->tokens -= (uint64_t)prompt_tok + output_tok;
    tell_watchers(router, slot);
}

/* --- replicas come and go --- */

/* Where the slot is in the list, or would be. */
static uint32_t place_of(const struct chooser *chooser, uint32_t slot)
{
    uint32_t place = 0;
    while (place < chooser->slot_count && chooser->slots[place] < slot)
        place++;
    return place;
}

static void add_slot(struct chooser *chooser, uint32_t slot)
{
    uint32_t *at = chooser->slots + place_of(chooser, slot);
    uint32_t *end = chooser->slots + chooser->slot_count++;
    memmove(at + 1, at, (size_t)(end - at) * sizeof *at);
    *at = slot;
}

static void remove_slot(struct chooser *chooser, uint32_t slot)
{
    uint32_t *at = chooser->slots + place_of(chooser, slot);
    uint32_t *end = chooser->slots + --chooser->slot_count;
    memmove(at, at + 1, (size_t)(end - at) * sizeof *at);
}

void router_set_available(struct router *router, uint32_t replica, bool available)
{
    uint32_t number = router->slot_of[replica];
    struct router_slot *slot = &router->slots[number];
    if (slot->available == available)
        return;
    slot->available = available;
    router->available[slot->pool] += available ? 1 : -1;
    const struct chooser_list *choosers = &router->choosers[slot->pool];
    for (uint32_t i = 0; i < choosers->count; i++) {
        struct chooser *chooser = choosers->items[i];
        if (available)
            add_slot(chooser, number);
        else
            remove_slot(chooser, number);
        if (chooser->policy->availability_changed)
            chooser->policy->availability_changed(chooser, number);
    }
}

/* --- prefix caches --- */

bool router_listens(const struct router *router)
{
    return router->by_model[0]->policy->cache_changed != NULL;
}

static void tell_listeners(struct router *router, uint32_t replica, struct cache_change change)
{
    change.slot = router->slot_of[replica];
    const struct chooser_list *listeners = &router->listeners[router->slots[change.slot].pool];
    for (uint32_t i = 0; i < listeners->count; i++)
        listeners->items[i]->policy->cache_changed(listeners->items[i], &change);
}

void router_stored(struct router *router, uint32_t replica, uint64_t id, tick_t now)
{
    tell_listeners(router, replica, (struct cache_change){.when = now, .id = id, .stored = true});
}

void router_removed(struct router *router, uint32_t replica, uint64_t id, tick_t now)
{
    tell_listeners(router, replica, (struct cache_change){.when = now, .id = id});
}
