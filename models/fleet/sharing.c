/* What requests share over the fleet: their lists of ids, and the store of KV behind all replicas.
 *
 * Costs nothing until the first arrival that names something: engines share prefixes from then on,
 * and every request has a list, if only an empty one. */
#include <assert.h>
#include <stdlib.h>

#include "models/engine/queues.h"
#include "models/fleet/routing.h"
#include "models/fleet/simulation_parts.h"
#include "sim/arena.h"

/* Tokens to an id where sessions give them: what the finest of the pools asks for. */
static uint32_t session_block_tok(const struct simulation *sim)
{
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < sim->spec->pool_count; i++) {
        const struct engine_config *config = &sim->configs[i];
        uint32_t tok =
            config->prefix.session_block_tok ? config->prefix.session_block_tok : config->block_tok;
        least = tok < least ? tok : least;
    }
    return least;
}

/* The store of the replica's model, if the replica takes part in it. It is as large as the first
 * that does says: a scenario gives them all the same. */
static struct kv_store *remote_of(struct simulation *sim, uint32_t replica)
{
    const struct tier_config *remote = &sim->engines[replica].config->prefix.tiers[TIER_REMOTE];
    struct kv_store **store = &sim->remote_kv[sim->spec->pools[sim->pool_of[replica]].model];
    if (remote->capacity == 0 || !remote->shared)
        return NULL;
    if (!*store)
        *store = kv_store_create(remote->capacity);
    return *store;
}

static void start_sharing(struct simulation *sim)
{
    sim->shares_prefixes = true;
    for (uint32_t i = 0; i < sim->replicas; i++) {
        struct engine *engine = &sim->engines[i];
        if (!engine->config->keeps_blocks || blocks_are_reserved(engine->config))
            continue;
        engine_share_prefixes(engine, &sim->prefix_ids, remote_of(sim, i));
        routing_listen(sim, i);
    }
}

uint32_t sharing_list_of(struct simulation *sim, const struct arrival *arrival)
{
    if (!sim->shares_prefixes)
        start_sharing(sim);
    return prefix_ids_take(&sim->prefix_ids, arrival, session_block_tok(sim));
}

uint32_t sharing_again(struct simulation *sim, uint32_t list)
{
    return list == PREFIX_NONE ? PREFIX_NONE : prefix_ids_copy(&sim->prefix_ids, list);
}

void sharing_end(struct simulation *sim, const struct request *request)
{
    if (request->prefix != PREFIX_NONE)
        prefix_ids_give_back(&sim->prefix_ids, request->prefix);
}

void sharing_release(struct simulation *sim)
{
    prefix_ids_free(&sim->prefix_ids);
    for (size_t i = 0; i < ROUTER_MODELS_MAX; i++)
        kv_store_destroy(sim->remote_kv[i]);
    free(sim->ears);
}

static void add_totals(struct prefix_totals *sum, const struct prefix_totals *totals)
{
    sum->ids += totals->ids;
    sum->tok += totals->tok;
    for (int tier = 0; tier < PREFIX_TIERS; tier++) {
        sum->found_ids[tier] += totals->found_ids[tier];
        sum->found_tok[tier] += totals->found_tok[tier];
    }
}

/* All is given back in the end. */
static void check_blocks(struct engine *engine)
{
    prefixes_trim(engine, 0);
    assert(engine->used_blocks == 0);
    assert(prefix_cache_queued(engine->prefixes->cache) == engine->config->kv_blocks);
}

void sharing_sum_up(struct simulation *sim, uint32_t pool)
{
    const struct pool_spec *spec = &sim->spec->pools[pool];
    for (uint32_t i = 0; i < spec->replicas; i++) {
        struct engine *engine = &sim->engines[sim->first_replica[pool] + i];
        if (!engine->prefixes)
            continue;
        add_totals(&sim->result->pools[pool].prefix, &engine->prefixes->totals);
        if (sim->requests.in_use == 0)
            check_blocks(engine);
    }
}
