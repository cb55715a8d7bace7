#include "models/fleet/routing.h"

#include <math.h>
#include <stdlib.h>

#include "models/fleet/simulation_parts.h"
#include "sim/arena.h"

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A decode line is asked at two batch sizes and two contexts, prompts at the token budget. */
struct router_speed routing_speed(const struct engine_config *engine)
{
    int64_t kv_tok = engine->kv_blocks * engine->block_tok;
    int64_t many = least_of(engine->max_sequences, kv_tok);
    struct decode_line one = steptime_decode(engine->steptime, 1, 1);
    struct decode_line full = steptime_decode(engine->steptime, many, many);
    struct decode_line deep = steptime_decode(engine->steptime, many, kv_tok);
    double one_s = fine_to_s(one.base + one.slope),
           full_s = fine_to_s(full.base + full.slope * many);
    double deep_s = fine_to_s(deep.base + deep.slope * kv_tok);
    struct prefill_chunk chunk = {.tokens = least_of(engine->max_batch_tokens, kv_tok)};
    double prompt_s = fine_to_s(steptime_mixed(engine->steptime, 0, 0, &chunk, 1, 1));
    struct router_speed speed = {.iteration_s = one_s};
    if (many > 1)
        speed.per_sequence_s = (full_s - one_s) / (double)(many - 1);
    if (kv_tok > many)
        speed.per_context_tok_s = (deep_s - full_s) / (double)(kv_tok - many);
    speed.per_prompt_tok_s = fmax(0, prompt_s) / (double)chunk.tokens;
    return speed;
}

static struct router_pool routing_pool(const struct pool_spec *pool, uint32_t first_replica)
{
    return (struct router_pool){.name = pool->name,
                                .first_replica = first_replica,
                                .replicas = pool->replicas,
                                .weight = pool->weight,
                                .models = (uint64_t)1 << pool->model,
                                .speed = routing_speed(pool->engine),
                                .overhead_s = tick_to_s(pool->engine->request_overhead),
                                .kv_tok = pool->engine->kv_blocks * pool->engine->block_tok,
                                .max_sequences = pool->engine->max_sequences,
                                .usd_per_hour = pool->usd_per_hour};
}

static double tighter(double bound, double other)
{
    return other < bound ? other : bound; /* NaN: not bounded */
}

/* The tightest of all rules that apply to the class. */
static struct router_bounds bounds_of(const struct simulation_spec *spec, size_t class_index)
{
    struct router_bounds bounds = {INFINITY, INFINITY, INFINITY};
    for (size_t i = 0; i < spec->slo_count; i++) {
        const struct slo_rule *rule = &spec->slos[i];
        if (rule->class_index >= 0 && (size_t)rule->class_index != class_index)
            continue;
        bounds.ttft_s = tighter(bounds.ttft_s, rule->ttft_s);
        bounds.tpot_s = tighter(bounds.tpot_s, rule->tpot_s);
        bounds.e2e_s = tighter(bounds.e2e_s, rule->e2e_s);
    }
    return bounds;
}

/* router_poll.ask */
static struct router_metrics ask_engine(void *context, uint32_t replica)
{
    const struct simulation *sim = context;
    const struct engine *engine = &sim->engines[replica];
    double blocks = (double)sim->configs[sim->pool_of[replica]].kv_blocks;
    return (struct router_metrics){.waiting = engine->waiting,
                                   .running = engine_running(engine),
                                   .kv_used = (double)engine_blocks_at(engine, sim->now) / blocks};
}

/* Returns how many have such a role. */
static uint32_t describe_pools(const struct simulation *sim, int roles, struct router_pool *pools)
{
    uint32_t count = 0;
    for (size_t i = 0; i < sim->spec->pool_count; i++)
        if ((roles & (1 << sim->spec->pools[i].role)) != 0)
            pools[count++] = routing_pool(&sim->spec->pools[i], sim->first_replica[i]);
    return count;
}

static void describe_classes(const struct simulation_spec *spec, const char **names,
                             struct router_bounds *bounds)
{
    for (size_t i = 0; i < spec->class_count; i++) {
        names[i] = spec->classes[i].name;
        bounds[i] = bounds_of(spec, i);
    }
}

static uint32_t model_of(const struct simulation_spec *spec, uint32_t class_index)
{
    return spec->class_models ? spec->class_models[class_index] : 0;
}

uint32_t routing_predict(const struct simulation *sim, const struct request *request)
{
    int64_t predicted_tok = output_predict(&sim->spec->output_prediction, request);
    return (uint32_t)least_of(predicted_tok, UINT32_MAX);
}

struct router_request routing_request(const struct simulation *sim, const struct request *request,
                                      uint32_t session)
{
    struct router_request asked = {.now = sim->now,
                                   .class_index = request->class_index,
                                   .model = model_of(sim->spec, request->class_index),
                                   .prompt_tok = request->prompt_tok,
                                   .output_tok = request->predicted_tok,
                                   .session = session};
    if (request->prefix != PREFIX_NONE) {
        const struct prefix_list *list = prefix_list_of(&sim->prefix_ids, request->prefix);
        asked.block_tok = list->block_tok;
        asked.id_count = list->prompt_ids;
        asked.ids = list->ids;
    }
    return asked;
}

struct router *routing_create(struct simulation *sim, const struct router_config *config, int roles,
                              const char *stream)
{
    const struct simulation_spec *spec = sim->spec;
    struct router_pool *pools = calloc(spec->pool_count, sizeof *pools);
    const char **names = calloc(spec->class_count, sizeof *names);
    struct router_bounds *bounds = calloc(spec->class_count, sizeof *bounds);
    struct router *router = NULL;
    if (pools && names && bounds) {
        uint32_t pool_count = describe_pools(sim, roles, pools);
        describe_classes(spec, names, bounds);
        struct router_fleet fleet = {.pools = pools,
                                     .pool_count = pool_count,
                                     .class_names = names,
                                     .bounds = bounds,
                                     .class_count = (uint32_t)spec->class_count,
                                     .model_count = spec->model_count,
                                     .poll = {sim, stream ? NULL : ask_engine},
                                     .stream = stream,
                                     .seed = spec->seed,
                                     .replication = spec->replication};
        router = router_create(config, &fleet, sim->error);
    } else {
        error_set(sim->error, ERROR_FAILED, "out of memory");
    }
    free(pools);
    free(names);
    free(bounds);
    return router;
}

/* --- what replicas tell of their prefix caches --- */

/* Whose news it is, and who hears it. */
struct cache_ear {
    struct simulation *sim;
    struct router *router;
    uint32_t replica;
    struct prefix_listener listener;
};

static void hear_stored(void *context, uint64_t id)
{
    const struct cache_ear *ear = context;
    router_stored(ear->router, ear->replica, id, ear->sim->now);
}

static void hear_removed(void *context, uint64_t id)
{
    const struct cache_ear *ear = context;
    router_removed(ear->router, ear->replica, id, ear->sim->now);
}

static struct router *router_of(const struct simulation *sim, uint32_t replica)
{
    return sim->disaggregation ? disaggregation_router_of(sim, replica) : sim->router;
}

void routing_listen(struct simulation *sim, uint32_t replica)
{
    struct router *router = router_of(sim, replica);
    if (!router || !router_listens(router))
        return;
    if (!sim->ears)
        sim->ears = calloc(sim->replicas, sizeof *sim->ears);
    if (!sim->ears)
        out_of_memory();
    struct cache_ear *ear = &sim->ears[replica];
    *ear = (struct cache_ear){.sim = sim,
                              .router = router,
                              .replica = replica,
                              .listener = {ear, hear_stored, hear_removed}};
    prefix_cache_listen(sim->engines[replica].prefixes->cache, &ear->listener);
}
