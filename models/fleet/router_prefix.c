/* Routing to where a prompt's prefix is: "prefix_affinity" and "kv_aware".
 *
 * Both keep one index of prefix blocks over all replicas and weigh what they find against load
 * (router_scoring.h). They differ in how the index learns:
 * - prefix_affinity remembers what it sent where, the latest so many tokens for each replica, as
 *   gateway-api-inference-extension's approximate prefix cache and SGLang's router do. It does not
 *   see what a replica has really evicted, or not computed yet.
 * - kv_aware is told by the replicas what they stored and removed (vLLM's KV events), as Dynamo's
 *   indexer and llm-d's precise-prefix-cache-scorer are. It sees that event_delay_s late.
 * Loads, too, may be stale: they are looked at on a timer, at the first choice after it.
 *
 * A replica that goes takes with it all that either has learnt of it (Dynamo's indexer removes a
 * worker's blocks, SGLang's router its tree), and what it tells while it is away is not heard; one
 * that comes is taken to be empty and idle until the next look. */
#include <math.h>
#include <stdlib.h>

#include "models/fleet/cache_changes.h"
#include "models/fleet/prefix_index.h"
#include "models/fleet/prefix_memory.h"
#include "models/fleet/router_predict.h"
#include "models/fleet/router_scoring.h"

#define LOAD_INTERVAL                                                                              \
    "time between looks at loads; 0: at every request; null: the scoring's (llm_d 0.05, others 0)"

static const struct config_field prefix_fields[] = {
    {.name = "scoring",
     .kind = CONFIG_VARIANT,
     .offset = offsetof(struct router_prefix_config, scoring),
     .variants = router_scorings,
     .selector = "kind",
     .preset = "\"llm_d\"",
     .doc = "how prefix and load are weighed"},
    {.name = "load_interval_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct router_prefix_config, load_interval_s),
     .optional = true,
     .min = 0,
     .max = 1e6,
     .doc = LOAD_INTERVAL},
    {.name = "capacity_tok",
     .kind = CONFIG_INT,
     .offset = offsetof(struct router_prefix_config, capacity_tok),
     .optional = true,
     .min = 1,
     .max = 1e12,
     .doc = "tokens that are remembered of each replica, the latest; null: what its KV cache holds "
            "(autoTune of the endpoint picker)"},
    {.name = "max_prefix_tok",
     .kind = CONFIG_INT,
     .offset = offsetof(struct router_prefix_config, max_prefix_tok),
     .optional = true,
     .preset = "4096",
     .min = 1,
     .max = 1e12,
     .doc =
         "tokens of a prompt that are looked at (256 blocks of 16 in the endpoint picker); null: "
         "all"},
    {0}};

const struct config_type router_prefix_type = {.name = "router_prefix_affinity",
                                               .doc =
                                                   "Parameters of routing by what was sent where",
                                               .size = sizeof(struct router_prefix_config),
                                               .fields = prefix_fields};

static const struct config_field kv_fields[] = {
    {.name = "scoring",
     .kind = CONFIG_VARIANT,
     .offset = offsetof(struct router_kv_config, scoring),
     .variants = router_scorings,
     .selector = "kind",
     .preset = "\"dynamo\"",
     .doc = "how prefix and load are weighed"},
    {.name = "load_interval_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct router_kv_config, load_interval_s),
     .optional = true,
     .min = 0,
     .max = 1e6,
     .doc = LOAD_INTERVAL},
    {.name = "event_delay_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct router_kv_config, event_delay_s),
     .preset = "0",
     .min = 0,
     .max = 1e6,
     .doc = "after which the router sees what a prefix cache has stored or removed"},
    {0}};

const struct config_type router_kv_type = {.name = "router_kv_aware",
                                           .doc = "Parameters of routing by prefix caches' events",
                                           .size = sizeof(struct router_kv_config),
                                           .fields = kv_fields};

struct prefix_chooser {
    struct chooser chooser;
    const struct config_variant *scoring;
    struct prefix_index index;    /* replicas by slot */
    struct predictor predictor;   /* of prompts that wait to be computed */
    struct replica_view *views;   /* by slot */
    uint32_t *blocks, *found_tok; /* by slot: of the prompt at hand */
    double *costs;                /* scratch */
    tick_t load_interval, next_look;
    struct prefix_memory *memories; /* by slot; NULL: it listens */
    uint64_t max_prefix_tok;
    struct cache_changes changes; /* that it will see */
};

static bool open_common(struct prefix_chooser *prefix, const struct config_variant *scoring,
                        double load_interval_s)
{
    const struct router *router = prefix->chooser.router;
    uint32_t slots = router->slot_count;
    prefix->scoring = scoring;
    prefix->load_interval =
        tick_from_s(isnan(load_interval_s) ? scoring_poll_interval_s(scoring) : load_interval_s);
    prefix->views = calloc(slots, sizeof *prefix->views);
    prefix->blocks = calloc(slots, sizeof *prefix->blocks);
    prefix->found_tok = calloc(slots, sizeof *prefix->found_tok);
    prefix->costs = calloc(slots, sizeof *prefix->costs);
    return prefix->views && prefix->blocks && prefix->found_tok && prefix->costs &&
           prefix_index_init(&prefix->index, slots) && predictor_init(&prefix->predictor, router);
}

static bool open_affinity(struct chooser *chooser, const void *config)
{
    const struct router_prefix_config *given = config;
    struct prefix_chooser *prefix = (struct prefix_chooser *)chooser;
    const struct router *router = chooser->router;
    prefix->max_prefix_tok =
        given->max_prefix_tok == INT64_MIN ? UINT64_MAX : (uint64_t)given->max_prefix_tok;
    prefix->memories = calloc(router->slot_count, sizeof *prefix->memories);
    if (!prefix->memories || !open_common(prefix, &given->scoring, given->load_interval_s))
        return false;
    for (uint32_t slot = 0; slot < router->slot_count; slot++) {
        int64_t own_tok = router->pools[router->slots[slot].pool].kv_tok;
        int64_t tok = given->capacity_tok == INT64_MIN ? own_tok : given->capacity_tok;
        if (!prefix_memory_init(&prefix->memories[slot], (uint64_t)tok))
            return false;
    }
    return true;
}

static bool open_kv(struct chooser *chooser, const void *config)
{
    const struct router_kv_config *given = config;
    struct prefix_chooser *prefix = (struct prefix_chooser *)chooser;
    prefix->max_prefix_tok = UINT64_MAX;
    prefix->changes.delay = tick_from_s(given->event_delay_s);
    return open_common(prefix, &given->scoring, given->load_interval_s);
}

static void close_prefix(struct chooser *chooser)
{
    struct prefix_chooser *prefix = (struct prefix_chooser *)chooser;
    for (uint32_t slot = 0; prefix->memories && slot < chooser->router->slot_count; slot++)
        prefix_memory_free(&prefix->memories[slot]);
    free(prefix->memories);
    free(prefix->views);
    free(prefix->blocks);
    free(prefix->found_tok);
    free(prefix->costs);
    prefix_index_free(&prefix->index);
    predictor_free(&prefix->predictor);
    cache_changes_free(&prefix->changes);
}

/* --- loads --- */

/* What the replica says of itself, or what its share of the work comes to where it says nothing. */
static struct router_metrics metrics_of(const struct router *router, uint32_t slot)
{
    const struct router_poll *poll = &router->fleet.poll;
    const struct router_slot *replica = &router->slots[slot];
    if (poll->ask)
        return poll->ask(poll->context, replica->replica);
    const struct router_pool *pool = &router->pools[replica->pool];
    double places = (double)pool->max_sequences, requests = (double)replica->load.requests;
    return (struct router_metrics){
        .waiting = (uint32_t)fmax(0, requests - places),
        .running = (uint32_t)fmin(requests, places),
        .kv_used = fmin(1, (double)replica->load.tokens / (double)pool->kv_tok)};
}

static struct replica_view view_of(const struct prefix_chooser *prefix, uint32_t slot, tick_t now)
{
    const struct router *router = prefix->chooser.router;
    const struct router_slot *replica = &router->slots[slot];
    double tok_s = router->pools[replica->pool].speed.per_prompt_tok_s;
    double backlog_s = predictor_backlog_s(&prefix->predictor, slot, now);
    struct replica_view view = {.requests = (double)replica->load.requests,
                                .prompt_tok = (double)replica->load.prompt_tok,
                                .backlog_tok = tok_s > 0 ? backlog_s / tok_s : 0};
    if (scoring_poll_interval_s(prefix->scoring) > 0) {
        struct router_metrics metrics = metrics_of(router, slot);
        view.waiting = metrics.waiting;
        view.kv_used = metrics.kv_used;
    }
    return view;
}

static void look_at_loads(struct prefix_chooser *prefix, tick_t now)
{
    if (now < prefix->next_look)
        return;
    const struct chooser *chooser = &prefix->chooser;
    for (uint32_t i = 0; i < chooser->slot_count; i++)
        prefix->views[chooser->slots[i]] = view_of(prefix, chooser->slots[i], now);
    if (prefix->load_interval > 0)
        prefix->next_look = now - now % prefix->load_interval + prefix->load_interval;
}

/* --- prefixes --- */

static uint32_t looked_up_ids(const struct prefix_chooser *prefix,
                              const struct router_request *request)
{
    if (request->id_count == 0)
        return 0;
    uint64_t most = prefix->max_prefix_tok / request->block_tok;
    return most < request->id_count ? (uint32_t)most : request->id_count;
}

static uint32_t tokens_of(const struct router_request *request, uint32_t ids)
{
    uint64_t tok = (uint64_t)ids * request->block_tok;
    return tok < request->prompt_tok ? (uint32_t)tok : request->prompt_tok;
}

static uint32_t choose_by_prefix(struct prefix_chooser *prefix,
                                 const struct router_request *request, uint32_t ids)
{
    const struct chooser *chooser = &prefix->chooser;
    prefix_index_match(&prefix->index, request->ids, ids, prefix->blocks);
    for (uint32_t i = 0; i < chooser->slot_count; i++) {
        uint32_t slot = chooser->slots[i];
        prefix->found_tok[slot] = tokens_of(request, prefix->blocks[slot]);
    }
    look_at_loads(prefix, request->now);
    struct scoring_input input = {.chooser = chooser,
                                  .request = request,
                                  .looked_up_tok = tokens_of(request, ids),
                                  .found_tok = prefix->found_tok,
                                  .held = prefix->index.held,
                                  .views = prefix->views,
                                  .costs = prefix->costs};
    uint32_t slot = scoring_choose(prefix->scoring, &input);
    predictor_sent(&prefix->predictor, slot, request->now,
                   request->prompt_tok - prefix->found_tok[slot]);
    return slot;
}

/* The root comes last, so that it is forgotten last: what is left of a prefix is its beginning. */
static void remember(struct prefix_chooser *prefix, uint32_t slot,
                     const struct router_request *request, uint32_t ids)
{
    struct prefix_memory *memory = &prefix->memories[slot];
    for (uint32_t i = ids; i-- > 0;)
        if (prefix_memory_use(memory, request->ids[i], request->block_tok))
            prefix_index_add(&prefix->index, request->ids[i], slot);
    uint64_t id;
    while (prefix_memory_evict(memory, &id))
        prefix_index_remove(&prefix->index, id, slot);
}

/* Also what it has told and is not seen yet. */
static void forget_replica(struct prefix_chooser *prefix, uint32_t slot)
{
    uint64_t id;
    while (prefix->memories && prefix_memory_forget(&prefix->memories[slot], &id))
        prefix_index_remove(&prefix->index, id, slot);
    prefix_index_forget(&prefix->index, slot);
    cache_changes_forget(&prefix->changes, slot);
    predictor_forget(&prefix->predictor, slot);
    prefix->views[slot] = (struct replica_view){0};
}

static void replica_came_or_went(struct chooser *chooser, uint32_t slot)
{
    if (!chooser->router->slots[slot].available)
        forget_replica((struct prefix_chooser *)chooser, slot);
}

static uint32_t choose_affinity(struct chooser *chooser, const struct router_request *request)
{
    struct prefix_chooser *prefix = (struct prefix_chooser *)chooser;
    uint32_t ids = looked_up_ids(prefix, request);
    uint32_t slot = choose_by_prefix(prefix, request, ids);
    remember(prefix, slot, request, ids);
    return slot;
}

static void see_changes(struct prefix_chooser *prefix, tick_t now)
{
    struct cache_change change;
    while (cache_changes_take(&prefix->changes, now, &change)) {
        if (change.stored)
            prefix_index_add(&prefix->index, change.id, change.slot);
        else
            prefix_index_remove(&prefix->index, change.id, change.slot);
    }
}

static uint32_t choose_kv(struct chooser *chooser, const struct router_request *request)
{
    struct prefix_chooser *prefix = (struct prefix_chooser *)chooser;
    see_changes(prefix, request->now);
    return choose_by_prefix(prefix, request, looked_up_ids(prefix, request));
}

static void hear_change(struct chooser *chooser, const struct cache_change *change)
{
    if (chooser->router->slots[change->slot].available)
        cache_changes_add(&((struct prefix_chooser *)chooser)->changes, change);
}

const struct router_policy router_prefix_affinity = {.size = sizeof(struct prefix_chooser),
                                                     .open = open_affinity,
                                                     .close = close_prefix,
                                                     .choose = choose_affinity,
                                                     .availability_changed = replica_came_or_went};

const struct router_policy router_kv_aware = {.size = sizeof(struct prefix_chooser),
                                              .open = open_kv,
                                              .close = close_prefix,
                                              .choose = choose_kv,
                                              .availability_changed = replica_came_or_went,
                                              .cache_changed = hear_change};
