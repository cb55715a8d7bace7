#include "models/fleet/router.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/fleet/min_tree.h"
#include "sim/random.h"

/* Load per replica, as the gateway knows it. */
struct load {
    uint64_t requests, tokens;
};

/* A policy at work on replicas first .. first + count - 1. */
struct range {
    const struct range_ops *ops;
    uint32_t first, count;
    uint32_t turn;            /* round robin: who is next */
    struct min_tree tree;     /* least outstanding: load over weight; count 0 when not kept */
    const gsl_rng *rng;       /* random choices; the router's */
    const struct load *loads; /* by replica of the fleet */
    const double *inverse_weight;
};

struct range_ops {
    uint32_t (*choose)(struct range *range);  /* index within the range */
    double (*score)(const struct load *load); /* NULL: keeps no tree */
};

static uint32_t choose_round_robin(struct range *range)
{
    uint32_t chosen = range->turn;
    range->turn = chosen + 1 == range->count ? 0 : chosen + 1;
    return chosen;
}

static uint32_t choose_random(struct range *range)
{
    return (uint32_t)gsl_rng_uniform_int(range->rng, range->count);
}

static uint32_t choose_least(struct range *range)
{
    return min_tree_first(&range->tree);
}

static double weighted_requests(const struct range *range, uint32_t index)
{
    uint32_t replica = range->first + index;
    return (double)range->loads[replica].requests * range->inverse_weight[replica];
}

/* Mitzenmacher, "The power of two choices in randomized load balancing", 2001: the less loaded of
 * two different replicas drawn at random; by outstanding requests, as Envoy's LEAST_REQUEST. */
static uint32_t choose_power_of_two(struct range *range)
{
    if (range->count == 1)
        return 0;
    uint32_t a = (uint32_t)gsl_rng_uniform_int(range->rng, range->count);
    uint32_t b = (uint32_t)gsl_rng_uniform_int(range->rng, range->count - 1);
    b += b >= a;
    return weighted_requests(range, b) < weighted_requests(range, a) ? b : a;
}

static double score_requests(const struct load *load)
{
    return (double)load->requests;
}

static double score_tokens(const struct load *load)
{
    return (double)load->tokens;
}

/* The one list of policies on a range: name, how it chooses, what its tree holds, summary. */
#define RANGE_POLICIES(ROW)                                                                        \
    ROW(round_robin, choose_round_robin, NULL, "each replica in turn")                             \
    ROW(random, choose_random, NULL, "a replica drawn uniformly")                                  \
    ROW(least_outstanding_requests, choose_least, score_requests,                                  \
        "the replica with the fewest unfinished requests, by weight")                              \
    ROW(least_outstanding_tokens, choose_least, score_tokens,                                      \
        "the replica with the fewest tokens of unfinished requests, by weight")                    \
    ROW(power_of_two_choices, choose_power_of_two, NULL,                                           \
        "the less loaded of two replicas drawn at random")

#define AS_OPS(name, choose, score, doc)     {choose, score},
#define AS_NAME(name, choose, score, doc)    #name,
#define AS_VARIANT(name, choose, score, doc) {#name, doc, NULL},

static const struct range_ops range_policies[] = {RANGE_POLICIES(AS_OPS)};

enum { POLICY_WEIGHTED = sizeof range_policies / sizeof range_policies[0] };

static const char *const range_policy_names[] = {RANGE_POLICIES(AS_NAME) NULL};

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
     .names = range_policy_names,
     .preset = "\"least_outstanding_requests\"",
     .doc = "policy among the replicas of the chosen pool"},
    {0}};

static const struct config_type weighted_type = {.name = "router_weighted",
                                                 .doc = "Parameters of weighted routing",
                                                 .size = sizeof(struct router_weighted_config),
                                                 .fields = weighted_fields};

const struct config_variant_type router_policies[] = {
    RANGE_POLICIES(AS_VARIANT){"weighted",
                               "pools by given shares of each class, then a policy within the pool",
                               &weighted_type},
    {0}};

/* --- ranges --- */

struct router {
    uint32_t replicas, pool_count, class_count;
    struct load *loads;     /* [replicas] */
    double *inverse_weight; /* [replicas] */
    uint32_t *range_of;     /* [replicas] */
    struct range *ranges;   /* one: the fleet; or one for each pool */
    uint32_t range_count;
    gsl_rng *rng;
    double *shares;  /* [class][pool], each class summing to 1; NULL: not weighted */
    double *credits; /* [class][pool]: smooth weighted round robin */
};

static bool range_init(struct range *range, struct router *router, const struct range_ops *ops,
                       uint32_t first, uint32_t count)
{
    *range = (struct range){.ops = ops,
                            .first = first,
                            .count = count,
                            .rng = router->rng,
                            .loads = router->loads,
                            .inverse_weight = router->inverse_weight};
    return !ops->score || min_tree_init(&range->tree, count);
}

static void load_changed(struct router *router, uint32_t replica)
{
    struct range *range = &router->ranges[router->range_of[replica]];
    if (!range->ops->score)
        return;
    double score = range->ops->score(&router->loads[replica]) * router->inverse_weight[replica];
    min_tree_set(&range->tree, replica - range->first, score);
}

/* --- shares --- */

/* The class's next pool: nginx's smooth weighted round robin, so that after any number of requests
 * each pool has had its share to within one request, without a random draw. */
static uint32_t next_pool(struct router *router, uint32_t class_index)
{
    const double *shares = router->shares + (size_t)class_index * router->pool_count;
    double *credits = router->credits + (size_t)class_index * router->pool_count;
    uint32_t best = 0;
    for (uint32_t pool = 0; pool < router->pool_count; pool++) {
        credits[pool] += shares[pool];
        if (credits[pool] > credits[best])
            best = pool;
    }
    credits[best] -= 1;
    return best;
}

/* Index of the name, or count. */
static uint32_t find_class(const struct router_fleet *fleet, const char *name)
{
    uint32_t index = 0;
    while (index < fleet->class_count && strcmp(fleet->class_names[index], name) != 0)
        index++;
    return index;
}

static uint32_t find_pool(const struct router_fleet *fleet, const char *name)
{
    uint32_t index = 0;
    while (index < fleet->pool_count && strcmp(fleet->pools[index].name, name) != 0)
        index++;
    return index;
}

static bool refuse_share(size_t index, const char *key, const char *name, struct error *error)
{
    char place[64];
    snprintf(place, sizeof place, "/shares/%zu/%s", index, key);
    error_at(error, ERROR_BAD_INPUT, NULL, 0, place, "there is no %s \"%s\"", key, name);
    return false;
}

bool router_check(const struct router_config *config, const struct router_fleet *fleet,
                  struct error *error)
{
    if (config->policy.index != POLICY_WEIGHTED)
        return true;
    const struct config_list *list =
        &((const struct router_weighted_config *)config->policy.value)->shares;
    const struct router_share *shares = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (find_class(fleet, shares[i].class_name) == fleet->class_count) {
            refuse_share(i, "class", shares[i].class_name, error);
            return error_hint(error, "classes are named under \"classes\"");
        }
        if (find_pool(fleet, shares[i].pool) == fleet->pool_count) {
            refuse_share(i, "pool", shares[i].pool, error);
            return error_hint(error, "pools are named under \"pools\"");
        }
    }
    return true;
}

/* Makes a class's shares sum to 1; one without any is spread by replica count. */
static void normalise(double *shares, const struct router_fleet *fleet)
{
    double sum = 0;
    for (uint32_t pool = 0; pool < fleet->pool_count; pool++)
        sum += shares[pool];
    bool given = sum > 0;
    for (uint32_t pool = 0; !given && pool < fleet->pool_count; pool++)
        sum += shares[pool] = fleet->pools[pool].replicas;
    for (uint32_t pool = 0; pool < fleet->pool_count; pool++)
        shares[pool] /= sum;
}

static bool read_shares(struct router *router, const struct router_weighted_config *config,
                        const struct router_fleet *fleet)
{
    size_t cells = (size_t)fleet->class_count * fleet->pool_count;
    router->shares = calloc(cells, sizeof *router->shares);
    router->credits = calloc(cells, sizeof *router->credits);
    if (!router->shares || !router->credits)
        return false;
    const struct router_share *shares = config->shares.items;
    for (size_t i = 0; i < config->shares.count; i++) {
        uint32_t class_index = find_class(fleet, shares[i].class_name);
        uint32_t pool = find_pool(fleet, shares[i].pool);
        assert(class_index < fleet->class_count && pool < fleet->pool_count);
        router->shares[class_index * fleet->pool_count + pool] += shares[i].weight;
    }
    for (uint32_t c = 0; c < fleet->class_count; c++)
        normalise(router->shares + (size_t)c * fleet->pool_count, fleet);
    return true;
}

/* --- life and the two calls --- */

static bool make_replicas(struct router *router, const struct router_fleet *fleet)
{
    for (uint32_t pool = 0; pool < fleet->pool_count; pool++)
        router->replicas += fleet->pools[pool].replicas;
    router->loads = calloc(router->replicas, sizeof *router->loads);
    router->inverse_weight = calloc(router->replicas, sizeof *router->inverse_weight);
    router->range_of = calloc(router->replicas, sizeof *router->range_of);
    router->ranges = calloc(router->range_count, sizeof *router->ranges);
    if (!router->loads || !router->inverse_weight || !router->range_of || !router->ranges)
        return false;
    uint32_t replica = 0;
    for (uint32_t pool = 0; pool < fleet->pool_count; pool++)
        for (uint32_t i = 0; i < fleet->pools[pool].replicas; i++, replica++) {
            router->inverse_weight[replica] = 1 / fleet->pools[pool].weight;
            router->range_of[replica] = pool < router->range_count ? pool : 0;
        }
    return true;
}

static bool make_ranges(struct router *router, const struct range_ops *ops,
                        const struct router_fleet *fleet, bool by_pool)
{
    if (!by_pool)
        return range_init(&router->ranges[0], router, ops, 0, router->replicas);
    uint32_t first = 0;
    for (uint32_t pool = 0; pool < fleet->pool_count; pool++) {
        if (!range_init(&router->ranges[pool], router, ops, first, fleet->pools[pool].replicas))
            return false;
        first += fleet->pools[pool].replicas;
    }
    return true;
}

struct router *router_create(const struct router_config *config, const struct router_fleet *fleet,
                             struct error *error)
{
    bool weighted = config->policy.index == POLICY_WEIGHTED;
    const struct router_weighted_config *weights = config->policy.value;
    const struct range_ops *ops =
        &range_policies[weighted ? weights->within : config->policy.index];
    struct router *router = calloc(1, sizeof *router);
    if (router) {
        router->pool_count = fleet->pool_count;
        router->class_count = fleet->class_count;
        router->range_count = weighted ? fleet->pool_count : 1;
        router->rng = random_stream(fleet->seed, fleet->replication, "fleet/router");
    }
    if (!router || !router->rng || !make_replicas(router, fleet) ||
        !make_ranges(router, ops, fleet, weighted) ||
        (weighted && !read_shares(router, weights, fleet))) {
        error_set(error, ERROR_FAILED, "out of memory");
        router_destroy(router);
        return NULL;
    }
    return router;
}

void router_destroy(struct router *router)
{
    if (!router)
        return;
    for (uint32_t i = 0; router->ranges && i < router->range_count; i++)
        min_tree_free(&router->ranges[i].tree);
    free(router->loads);
    free(router->inverse_weight);
    free(router->range_of);
    free(router->ranges);
    free(router->shares);
    free(router->credits);
    if (router->rng)
        gsl_rng_free(router->rng);
    free(router);
}

uint32_t router_choose(struct router *router, uint32_t class_index, uint32_t prompt_tok,
                       uint32_t output_tok)
{
    struct range *range = &router->ranges[router->shares ? next_pool(router, class_index) : 0];
    uint32_t replica = range->first + range->ops->choose(range);
    router->loads[replica].requests++;
    router->loads[replica].tokens += (uint64_t)prompt_tok + output_tok;
    load_changed(router, replica);
    return replica;
}

void router_release(struct router *router, uint32_t replica, uint32_t prompt_tok,
                    uint32_t output_tok)
{
    struct load *load = &router->loads[replica];
    assert(load->requests > 0);
    load->requests--;
    load->tokens -= (uint64_t)prompt_tok + output_tok;
    load_changed(router, replica);
}
