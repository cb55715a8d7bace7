/* Pools by the length of the request: long prompts to the GPUs with much memory, say.
 *
 * Rules are read in order; the first whose bound the request keeps names its pool, the last one has
 * all that are longer. Where overflow_at is given, a pool that is that full is passed over for the
 * pools of the longer rules, as the short requests of a length-based split may go to the machines
 * for long ones when their own are full; when all are, the first choice stands.
 *
 * A pool without an available replica is passed over likewise. When no rule for requests this long
 * has one, the request goes back to a pool of shorter ones, the longest first, if its KV cache
 * holds it; when none does it must wait for a replica to come. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/fleet/router_policy.h"

static const struct config_field rule_fields[] = {
    {.name = "up_to_tok",
     .kind = CONFIG_INT,
     .offset = offsetof(struct router_length_rule, up_to_tok),
     .optional = true,
     .min = 1,
     .max = 1e9,
     .doc = "longest request that the rule is for; null: any"},
    {.name = "pool",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct router_length_rule, pool),
     .doc = "name of a pool"},
    {0}};

static const struct config_type rule_type = {.name = "router_length_rule",
                                             .doc = "Where requests up to a length go",
                                             .size = sizeof(struct router_length_rule),
                                             .fields = rule_fields};

static const struct config_field rule_element = {
    .name = "rule", .kind = CONFIG_OBJECT, .object = &rule_type, .doc = "one rule"};

static const char *const length_names[] = {"prompt", "total", NULL};

static const struct config_field length_fields[] = {
    {.name = "rules",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct router_length_config, rules),
     .element = &rule_element,
     .min = 1,
     .max = 64,
     .doc = "pools by rising length; the last rule has no bound"},
    {.name = "length",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct router_length_config, length),
     .names = length_names,
     .preset = "\"prompt\"",
     .doc = "what is measured: the prompt, or prompt and answer"},
    {.name = "overflow_at",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct router_length_config, overflow_at),
     .optional = true,
     .min = 0,
     .above_min = true,
     .max = 1000,
     .doc =
         "a pool with outstanding tokens of so many times its KV caches is passed over for those "
         "of longer requests; null: never"},
    {.name = "within",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct router_length_config, within),
     .names = router_within_names,
     .preset = "\"least_outstanding_tokens\"",
     .doc = "policy among the replicas of the chosen pool"},
    {0}};

const struct config_type router_length_type = {.name = "router_by_length",
                                               .doc = "Parameters of routing by length",
                                               .size = sizeof(struct router_length_config),
                                               .fields = length_fields};

static bool refuse_bound(size_t index, const char *message, struct error *error)
{
    char place[64];
    snprintf(place, sizeof place, "/rules/%zu/up_to_tok", index);
    error_at(error, ERROR_BAD_INPUT, NULL, 0, place, "%s", message);
    return error_hint(error, "bounds rise from rule to rule; the last rule has none");
}

static bool check_length(const void *config, const struct router_fleet *fleet, struct error *error)
{
    const struct config_list *list = &((const struct router_length_config *)config)->rules;
    const struct router_length_rule *rules = list->items;
    for (size_t i = 0; i < list->count; i++) {
        bool last = i + 1 == list->count, open = rules[i].up_to_tok == INT64_MIN;
        if (router_find_pool(fleet, rules[i].pool) == fleet->pool_count)
            return router_refuse_name("rules", i, "pool", rules[i].pool, error);
        if (last && !open)
            return refuse_bound(i, "longer requests have no pool", error);
        if (!last && open)
            return refuse_bound(i, "nothing is left for the rules that follow", error);
        if (i > 0 && !last && rules[i].up_to_tok <= rules[i - 1].up_to_tok)
            return refuse_bound(i,
                                "no request is longer than the last rule's bound, and keeps "
                                "this one",
                                error);
    }
    return true;
}

struct length_rule {
    uint64_t up_to_tok;
    uint32_t place; /* of the pool in the chooser */
};

struct by_length {
    struct chooser chooser;
    struct chooser **within; /* by place */
    struct length_rule *rules;
    uint32_t rule_count;
    bool total;
    double overflow_at; /* INFINITY: never */
};

/* Those rules whose pools the chooser has, each with a bound of its own; any pool without them. */
static void read_rules(struct by_length *by_length, const struct config_list *list)
{
    const struct chooser *chooser = &by_length->chooser;
    const struct router_length_rule *rules = list->items;
    for (size_t i = 0; i < list->count; i++) {
        uint32_t place = chooser_place(chooser, rules[i].pool);
        if (place < chooser->pool_count)
            by_length->rules[by_length->rule_count++] =
                (struct length_rule){(uint64_t)rules[i].up_to_tok, place};
    }
    if (by_length->rule_count == 0)
        by_length->rule_count = 1;
    by_length->rules[by_length->rule_count - 1].up_to_tok = UINT64_MAX;
}

static bool open_length(struct chooser *chooser, const void *config)
{
    const struct router_length_config *given = config;
    struct by_length *by_length = (struct by_length *)chooser;
    by_length->total = given->length == LENGTH_TOTAL;
    by_length->overflow_at = isnan(given->overflow_at) ? INFINITY : given->overflow_at;
    by_length->within = choosers_within(chooser, given->within);
    by_length->rules = calloc(given->rules.count, sizeof *by_length->rules);
    if (!by_length->within || !by_length->rules)
        return false;
    read_rules(by_length, &given->rules);
    return true;
}

static void close_length(struct chooser *chooser)
{
    struct by_length *by_length = (struct by_length *)chooser;
    choosers_destroy(by_length->within, chooser->pool_count);
    free(by_length->rules);
}

static bool is_there(const struct by_length *by_length, const struct length_rule *rule)
{
    return by_length->within[rule->place]->slot_count > 0;
}

static bool has_room(const struct by_length *by_length, const struct length_rule *rule)
{
    if (!is_there(by_length, rule))
        return false;
    if (by_length->overflow_at == INFINITY)
        return true;
    const struct router *router = by_length->chooser.router;
    uint32_t index = by_length->chooser.pools[rule->place];
    double room_tok = (double)router->pools[index].kv_tok * router->available[index];
    return (double)router_outstanding_tok(router, index) <= by_length->overflow_at * room_tok;
}

/* Does one replica of the rule's pool hold the request? */
static bool fits(const struct by_length *by_length, const struct length_rule *rule,
                 const struct router_request *request)
{
    const struct chooser *chooser = &by_length->chooser;
    int64_t kv_tok = chooser->router->pools[chooser->pools[rule->place]].kv_tok;
    return (int64_t)request->prompt_tok + request->output_tok <= kv_tok;
}

/* The rule that the request goes by when `own` is the first whose bound it keeps; NULL: none. */
static const struct length_rule *find_rule(const struct by_length *by_length,
                                           const struct length_rule *own,
                                           const struct router_request *request)
{
    const struct length_rule *rules = by_length->rules, *end = rules + by_length->rule_count;
    for (const struct length_rule *rule = own; rule < end; rule++)
        if (has_room(by_length, rule))
            return rule;
    for (const struct length_rule *rule = own; rule < end; rule++)
        if (is_there(by_length, rule))
            return rule;
    for (const struct length_rule *rule = own; rule-- > rules;)
        if (is_there(by_length, rule) && fits(by_length, rule, request))
            return rule;
    return NULL;
}

static uint32_t choose_by_length(struct chooser *chooser, const struct router_request *request)
{
    struct by_length *by_length = (struct by_length *)chooser;
    uint64_t tok = (uint64_t)request->prompt_tok + (by_length->total ? request->output_tok : 0);
    const struct length_rule *own = by_length->rules;
    while (own->up_to_tok < tok)
        own++;
    const struct length_rule *rule = find_rule(by_length, own, request);
    return rule ? chooser_choose(by_length->within[rule->place], request) : ROUTER_NO_REPLICA;
}

const struct router_policy router_by_length = {.size = sizeof(struct by_length),
                                               .check = check_length,
                                               .open = open_length,
                                               .close = close_length,
                                               .choose = choose_by_length};
