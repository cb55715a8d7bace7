#include "models/engine/loading.h"

#include "models/engine/kept_blocks.h"

/* What lower tiers have of a prompt, behind what the GPU has. */
struct tier_match {
    uint32_t ids[PREFIX_TIERS];
    int64_t blocks[PREFIX_TIERS]; /* that need not be computed */
    uint32_t usable;              /* ids, from the prompt's first, that save computing */
};

/* The first tier below the GPU that has the id; TIER_GPU: none. */
static enum prefix_tier tier_of(const struct engine_prefixes *prefixes, uint64_t id)
{
    for (int tier = TIER_HOST; tier < PREFIX_TIERS; tier++)
        if (prefixes->stores[tier] && kv_store_has(prefixes->stores[tier], id))
            return (enum prefix_tier)tier;
    return TIER_GPU;
}

static struct tier_match find_below(const struct engine *engine, const struct request *request,
                                    const struct prefix_list *list,
                                    const struct prefix_match *on_gpu)
{
    uint32_t block_tok = engine->config->block_tok;
    struct tier_match match = {.usable = on_gpu->held};
    if (engine->prefixes->shared[TIER_REMOTE])
        kv_store_settle(engine->prefixes->stores[TIER_REMOTE], engine->boundary);
    for (uint32_t id = on_gpu->ids; id < list->prompt_ids; id++) {
        enum prefix_tier tier = tier_of(engine->prefixes, list->ids[id]);
        if (tier == TIER_GPU)
            break;
        match.ids[tier]++;
        uint32_t end_tok = prefix_end_tok(list, id);
        if (end_tok >= prefill_length(request))
            continue;
        uint32_t start_tok = id == 0 ? 0 : prefix_end_tok(list, id - 1);
        match.blocks[tier] += end_tok / block_tok - start_tok / block_tok;
        match.usable = id + 1;
    }
    return match;
}

/* Each request once. */
static void count(struct engine *engine, struct request *request, const struct prefix_list *list,
                  const struct prefix_found *found, const struct tier_match *below)
{
    struct prefix_totals *totals = &engine->prefixes->totals;
    if (request->preemptions > 0)
        return;
    int64_t found_tok = found->tok;
    totals->ids += list->prompt_ids;
    totals->tok += request->prompt_tok;
    totals->found_ids[TIER_GPU] += found->match.ids;
    totals->found_tok[TIER_GPU] += (uint64_t)found->tok;
    for (int tier = TIER_HOST; tier < PREFIX_TIERS; tier++) {
        totals->found_ids[tier] += below->ids[tier];
        int64_t tok = below->blocks[tier] * engine->config->block_tok;
        totals->found_tok[tier] += (uint64_t)tok;
        found_tok += tok;
    }
    request->found_tok = (uint32_t)int64_min(found_tok, request->prompt_tok);
}

/* When all that is asked for now will be there. */
static tick_t ask_links(struct engine *engine, const struct tier_match *below)
{
    tick_t loaded = engine->boundary;
    for (int tier = TIER_HOST; tier < PREFIX_TIERS; tier++) {
        const struct tier_config *config = &engine->config->prefix.tiers[tier];
        tick_t *link_free = &engine->prefixes->link_free[tier];
        if (below->blocks[tier] == 0)
            continue;
        double tok = (double)(below->blocks[tier] * engine->config->block_tok);
        tick_t begin = *link_free > engine->boundary ? *link_free : engine->boundary;
        *link_free = begin + tick_from_s(tok * config->s_per_tok);
        tick_t arrives = *link_free + tick_from_s(config->latency_s);
        loaded = arrives > loaded ? arrives : loaded;
    }
    return loaded;
}

/* From now on the whole prompt's blocks are in use; returns those that were not. */
static int64_t take_blocks(struct engine *engine, struct request *request,
                           const struct prefix_found *found, int64_t loaded_blocks)
{
    int64_t taken = prefixes_take(engine, request, found);
    taken += blocks_for(engine, prefill_length(request)) - blocks_for(engine, found->tok);
    request->computed += (uint32_t)(loaded_blocks * engine->config->block_tok);
    engine->used_blocks += taken;
    return taken;
}

int64_t loading_begin(struct engine *engine, uint32_t number, const struct prefix_found *found)
{
    struct request *request = request_of(engine, number);
    if (request->prefix == PREFIX_NONE)
        return 0;
    const struct prefix_list *list = prefix_list_of(engine->prefixes->ids, request->prefix);
    struct tier_match below = {0};
    if (found->tok == found->match.tok && !found->match.kept)
        below = find_below(engine, request, list, &found->match);
    count(engine, request, list, found, &below);
    int64_t blocks = below.blocks[TIER_HOST] + below.blocks[TIER_REMOTE];
    if (blocks == 0)
        return 0;
    request->kv_loaded = ask_links(engine, &below);
    request->place = PLACE_LOADING;
    list_append(engine, &engine->loading, number);
    engine->load_count++;
    return take_blocks(engine, request, found, blocks);
}

void loading_end(struct engine *engine)
{
    for (uint32_t number = engine->loading.head; number != REQUEST_NONE;) {
        struct request *request = request_of(engine, number);
        uint32_t next = request->next;
        if (request->kv_loaded <= engine->boundary) {
            list_remove(engine, &engine->loading, number);
            engine->load_count--;
            prefixes_trim(engine, 0);
            engine->used_blocks -= prefixes_name(engine, request);
            request->place = PLACE_LOADED;
            list_append(engine, &engine->loaded, number);
        }
        number = next;
    }
}

void loading_cancel(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    if (request->place == PLACE_LOADING) {
        list_remove(engine, &engine->loading, number);
        engine->load_count--;
    } else {
        list_remove(engine, &engine->loaded, number);
    }
    free_set_aside(engine, request);
    adapter_leave(engine, request);
    give_back_blocks(engine, prefixes_drop(engine, request, prefill_length(request)));
    engine->refused = false;
}

int64_t loading_admit(struct engine *engine, uint32_t number)
{
    const struct request *request = request_of(engine, number);
    int64_t rest =
        blocks_for(engine, prefill_length(request)) - blocks_for(engine, request->computed);
    list_remove(engine, &engine->loaded, number);
    engine->used_blocks -= rest;
    prefix_cache_put_back(engine->prefixes->cache, rest);
    return rest;
}

tick_t loading_next(const struct engine *engine)
{
    tick_t next = TICK_NEVER;
    for (uint32_t i = engine->loading.head; i != REQUEST_NONE; i = request_of(engine, i)->next)
        if (request_of(engine, i)->kv_loaded < next)
            next = request_of(engine, i)->kv_loaded;
    return next;
}
