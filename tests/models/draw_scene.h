/* A scene: a whole small simulation, drawn at random, and what a run of it left. All that a
 * scenario can have at once, but for replicas that come and go (draw_storm.h). */
#ifndef TOKENYARD_TESTS_MODELS_DRAW_SCENE_H
#define TOKENYARD_TESTS_MODELS_DRAW_SCENE_H

#include <criterion/criterion.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/engine/stage_graph.h"
#include "models/fleet/simulation.h"
#include "sim/random.h"
#include "tests/models/arrivals.h"
#include "tests/models/draw_clients.h"
#include "tests/models/draw_roles.h"
#include "tests/models/drawn_router.h"
#include "tests/models/engine_rules.h"
#include "tests/models/support.h"

enum {
    REQUESTS_MAX = 80,
    IDS_MAX = 200,
    POOLS_MAX = 3,
    SAMPLES_MAX = 64,
    CLASSES = 4,
    STAGES_MAX = 4
};

/* Policies of router_policies by index. */
enum { LAST_PLAIN_POLICY = 4, WEIGHTED_POLICY = 5 };

/* The hardware that real step times are drawn from; a GPU of NULL: step times are given. */
struct catalogue {
    const struct gpu *gpus[3];
    const struct llm *llms[2];
};

struct scene {
    double slow; /* all times are so many times longer; set before drawing */
    struct arrival arrivals[REQUESTS_MAX];
    uint32_t requests;
    uint64_t ids[REQUESTS_MAX][IDS_MAX]; /* hash_ids of the arrivals */
    bool sharing;
    uint64_t cached_tok; /* of all of them */
    bool closed_loop;
    uint32_t clients, loop_sessions;
    size_t pools;
    struct steptime *steptimes[POOLS_MAX];
    struct steptime *plain_steptimes[POOLS_MAX]; /* NULL: the same */
    struct lora_config *loras[POOLS_MAX];        /* NULL: no adapters */
    struct stage_graph *graphs[POOLS_MAX];       /* NULL: a step time for the whole replica */
    struct engine_config engines[POOLS_MAX];
    struct pool_spec specs[POOLS_MAX];
    struct router_config router;
    struct drawn_roles roles;
    bool has_roles;
    struct drawn_clients clients_drawn;
    bool has_clients;
    struct router_weighted_config weighted;
    struct router_share shares[CLASSES * POOLS_MAX];
    struct drawn_router drawn_router, drawn_decode_router;
    uint32_t models; /* 0: one */
    uint32_t class_models[CLASSES];
    struct slo_rule slos[2];
    size_t slo_count;
    const struct elastic_spec *elastic; /* NULL: all replicas exist always */
    double warmup_s, horizon_s, sample_s;
};

static const char *const pool_names[POOLS_MAX] = {"a", "b", "c"};
static const struct class_rule classes[CLASSES] = {
    {.name = "short", .stream = -1, .prompt_max_tok = 8, .output_max_tok = UINT32_MAX},
    {.name = "brief", .stream = -1, .prompt_max_tok = UINT32_MAX, .output_max_tok = 12},
    {.name = "long",
     .stream = -1,
     .prompt_min_tok = 60,
     .prompt_max_tok = UINT32_MAX,
     .output_max_tok = UINT32_MAX},
    CLASS_RULE_ALL("rest")};

/* What a run left: every ended request by its number, and the samples. */
struct trail {
    struct request_record records[REQUESTS_MAX];
    uint32_t count;
    struct pool_sample samples[SAMPLES_MAX][POOLS_MAX];
    size_t sampled;
    double sample_s;
};

static inline void keep_record(void *context, const struct request_record *record)
{
    struct trail *trail = context;
    cr_assert_lt(trail->count, REQUESTS_MAX);
    trail->records[trail->count++] = *record;
}

static inline double keep_sample(void *context, double time_s, const struct pool_sample *pools,
                                 size_t count)
{
    (void)time_s;
    struct trail *trail = context;
    memcpy(trail->samples[trail->sampled++], pools, count * sizeof *pools);
    return trail->sampled < SAMPLES_MAX ? trail->sample_s : INFINITY;
}

static inline uint32_t between(gsl_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)gsl_rng_uniform_int(rng, high - low + 1);
}

static inline bool one_in(gsl_rng *rng, uint32_t n)
{
    return gsl_rng_uniform_int(rng, n) == 0;
}

/* Step times on a coarse grid now and then, so that boundaries and arrivals tie. */
static inline struct steptime *draw_steptime(gsl_rng *rng, double slow,
                                             const struct engine_config *engine)
{
    double grid = slow * (one_in(rng, 2) ? 0.0009765625 : 1e-6 * (0.1 + gsl_rng_uniform(rng)));
    struct steptime_given given = {.base_s = grid * between(rng, one_in(rng, 4) ? 0 : 1, 8),
                                   .per_sequence_s = grid * between(rng, 1, 3),
                                   .per_context_token_s = grid / 64 * between(rng, 0, 2),
                                   .per_prefill_token_s = grid / 16 * between(rng, 0, 2)};
    return steptime_compile_given(&given, engine->max_sequences, engine->max_batch_tokens,
                                  engine->kv_blocks * engine->block_tok, NULL);
}

/* From the roofline: decode lines of two segments, all-reduces, pipelines. */
static inline struct steptime *draw_real_steptime(gsl_rng *rng, const struct engine_config *engine,
                                                  const struct catalogue *catalogue)
{
    struct roofline_request request = {.gpu = catalogue->gpus[between(rng, 0, 2)],
                                       .llm = catalogue->llms[between(rng, 0, 1)],
                                       .tensor_parallel = 1 << between(rng, 0, 1),
                                       .pipeline_parallel = between(rng, 1, 2),
                                       .weights = PRECISION_BF16,
                                       .kv = PRECISION_BF16,
                                       .max_sequences = engine->max_sequences,
                                       .max_batch_tokens = engine->max_batch_tokens,
                                       .max_context_tok = engine->kv_blocks * engine->block_tok,
                                       .step_overhead_s = one_in(rng, 2) ? 0 : 6.5e-4};
    return compile_roofline(&request, NULL);
}

static inline struct engine_config draw_real_engine(gsl_rng *rng)
{
    uint32_t sequences = between(rng, 1, 64);
    return (struct engine_config){.max_sequences = sequences,
                                  .max_batch_tokens = sequences + between(rng, 0, 2048),
                                  .block_tok = 16,
                                  .kv_blocks = between(rng, 400, 2000),
                                  .max_model_tok = 100000,
                                  .chunked_prefill = true};
}

static inline struct engine_config draw_given_engine(gsl_rng *rng)
{
    uint32_t sequences = between(rng, 1, one_in(rng, 2) ? 3 : 40);
    return (struct engine_config){.max_sequences = sequences,
                                  .max_batch_tokens = sequences + between(rng, 0, 200),
                                  .block_tok = between(rng, 1, 20),
                                  .kv_blocks = between(rng, 4, one_in(rng, 2) ? 40 : 400),
                                  .max_model_tok = between(rng, 50, 2000),
                                  .chunked_prefill = !one_in(rng, 5)};
}

static inline void draw_tier(gsl_rng *rng, struct tier_config *tier)
{
    if (one_in(rng, 2))
        return;
    *tier = (struct tier_config){.capacity = between(rng, 1, 2000),
                                 .counts_ids = one_in(rng, 2),
                                 .shared = one_in(rng, 2),
                                 .latency_s = one_in(rng, 2) ? 0 : 0.01 * gsl_rng_uniform(rng),
                                 .s_per_tok = 1e-4 * gsl_rng_uniform(rng)};
}

/* catalogue NULL: step times are given. */
static inline void draw_pool(gsl_rng *rng, struct scene *scene, size_t pool,
                             const struct catalogue *catalogue)
{
    struct engine_config *engine = &scene->engines[pool];
    *engine = catalogue ? draw_real_engine(rng) : draw_given_engine(rng);
    draw_engine_rules(rng, engine);
    draw_tier(rng, &engine->prefix.tiers[TIER_HOST]);
    draw_tier(rng, &engine->prefix.tiers[TIER_REMOTE]);
    engine->prefix.session_block_tok = one_in(rng, 2) ? 0 : between(rng, 1, 40);
    if (one_in(rng, 5))
        draw_static_batching(rng, engine);
    scene->steptimes[pool] = catalogue ? draw_real_steptime(rng, engine, catalogue)
                                       : draw_steptime(rng, scene->slow, engine);
    cr_assert_not_null(scene->steptimes[pool]);
    engine->steptime = scene->steptimes[pool];
    scene->specs[pool] = (struct pool_spec){.name = pool_names[pool],
                                            .engine = engine,
                                            .replicas = between(rng, 1, 3),
                                            .usd_per_hour = 1,
                                            .weight = between(rng, 1, 3),
                                            .busy_w = 700,
                                            .idle_w = 70};
}

/* To a pool that was drawn: drafts, in some of them only up to so many decodes. */
static inline void add_speculation(gsl_rng *rng, struct scene *scene, size_t pool)
{
    struct engine_config *engine = &scene->engines[pool];
    draw_speculation(rng, engine);
    if (engine->speculation.draft_tok == 0)
        return;
    engine->counts_slots = false; /* are counted for a token an iteration */
    steptime_destroy(scene->steptimes[pool]);
    engine->steptime = scene->steptimes[pool] = draw_steptime(rng, scene->slow, engine);
    if (one_in(rng, 2))
        return;
    engine->speculation.most_decodes = between(rng, 0, (uint32_t)engine->max_sequences);
    engine->plain_steptime = scene->plain_steptimes[pool] = draw_steptime(rng, scene->slow, engine);
}

static inline void add_adapters(gsl_rng *rng, struct scene *scene, size_t pool)
{
    struct engine_config *engine = &scene->engines[pool];
    uint32_t slots = between(rng, 1, 6);
    const struct lora_settings settings = {.adapters = between(rng, 1, 12),
                                           .zipf = 0.5 * between(rng, 0, 4),
                                           .max_loras = slots,
                                           .max_cpu_loras = slots + between(rng, 0, 4)};
    if (engine->queue_order != ORDER_FCFS || engine->swap_blocks > 0 ||
        engine->batch_wait_iterations > 0)
        return;
    struct lora_config *lora = lora_config_create(&settings);
    cr_assert_not_null(lora);
    lora->host_load = fine_from_s(0.0009765625 / 4) * between(rng, 0, 4);
    lora->disk_load = fine_from_s(0.0009765625) * between(rng, 0, 4);
    engine->lora = scene->loras[pool] = lora;
}

static inline void add_drafts_and_adapters(gsl_rng *rng, struct scene *scene)
{
    for (size_t pool = 0; pool < scene->pools; pool++) {
        if (scene->engines[pool].batching.kind != BATCHING_CONTINUOUS)
            continue;
        if (one_in(rng, 2))
            add_adapters(rng, scene, pool);
        add_speculation(rng, scene, pool);
    }
}

/* Requests are `scale` times longer and further apart. */
static inline void draw_arrivals(gsl_rng *rng, struct scene *scene, uint32_t scale)
{
    scene->requests = between(rng, 1, REQUESTS_MAX);
    double grid =
        scale * scene->slow * (one_in(rng, 2) ? 0.0009765625 : 0.001 * gsl_rng_uniform_pos(rng));
    double time_s = 0;
    uint32_t longest = scale * (one_in(rng, 2) ? 10 : 150);
    for (uint32_t i = 0; i < scene->requests; i++) {
        if (!one_in(rng, 3))
            time_s += grid * between(rng, 0, one_in(rng, 10) ? 2000 : 30);
        uint32_t prompt_tok = between(rng, 1, one_in(rng, 20) ? 400 * scale : longest);
        scene->arrivals[i] =
            (struct arrival){.time_s = time_s,
                             .prompt_tok = prompt_tok,
                             .output_tok = one_in(rng, 4) ? 1 : between(rng, 1, longest),
                             .cached_tok = draw_cached_tok(rng, prompt_tok)};
        scene->cached_tok += scene->arrivals[i].cached_tok;
    }
}

/* Paths in a tree of few branches. */
static inline void draw_ids(gsl_rng *rng, struct scene *scene, uint32_t number, uint32_t block_tok)
{
    struct arrival *arrival = &scene->arrivals[number];
    uint64_t node = 0;
    arrival->block_tok = block_tok;
    arrival->blocks = (arrival->prompt_tok + block_tok - 1) / block_tok;
    arrival->hash_ids = scene->ids[number];
    cr_assert_leq(arrival->blocks, IDS_MAX);
    for (uint32_t i = 0; i < arrival->blocks; i++)
        scene->ids[number][i] = node = node * 1000003 + 1 + between(rng, 0, 4) / 4;
}

/* Half of the scenes: requests share by hash ids, by sessions, and some not at all. */
static inline void draw_sharing(gsl_rng *rng, struct scene *scene, uint32_t scale)
{
    uint32_t sessions = between(rng, 1, 12), block_tok = scale * between(rng, 2, 20);
    scene->sharing = one_in(rng, 2);
    for (uint32_t i = 0; scene->sharing && i < scene->requests; i++) {
        if (one_in(rng, 3))
            scene->arrivals[i].session = between(rng, 1, sessions);
        else if (!one_in(rng, 4))
            draw_ids(rng, scene, i, block_tok);
    }
}

static inline void draw_router(gsl_rng *rng, struct scene *scene)
{
    uint32_t within = between(rng, 0, LAST_PLAIN_POLICY);
    scene->weighted.within = (int)within;
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t pool = 0; pool < scene->pools; pool++)
            if (!one_in(rng, 3))
                scene->shares[scene->weighted.shares.count++] =
                    (struct router_share){classes[c].name, pool_names[pool], gsl_rng_uniform(rng)};
    scene->weighted.shares.items = scene->shares;
    scene->router.policy.value = &scene->weighted;
    scene->router.policy.index = one_in(rng, 3) ? WEIGHTED_POLICY : (int)within;
}

/* Half of the scenes get a policy that looks at more than loads, by a stream of its own. */
static inline void draw_router_too(gsl_rng *rng, struct scene *scene)
{
    if (one_in(rng, 2))
        scene->router.policy =
            draw_other_policy(rng, pool_names, scene->pools, 0.01, &scene->drawn_router);
}

/* In place: pools point into the scene. */
static inline void draw_scene(gsl_rng *rng, const struct catalogue *catalogue, struct scene *scene)
{
    *scene = (struct scene){.slow = scene->slow, .pools = between(rng, 1, POOLS_MAX)};
    draw_arrivals(rng, scene, catalogue ? 20 : 1);
    draw_sharing(rng, scene, catalogue ? 20 : 1);
    for (size_t pool = 0; pool < scene->pools; pool++)
        draw_pool(rng, scene, pool, catalogue);
    draw_router(rng, scene);
    scene->closed_loop = one_in(rng, 3);
    scene->clients = between(rng, 1, 12);
    scene->warmup_s = one_in(rng, 3) ? 0.02 * scene->slow * gsl_rng_uniform(rng) : 0;
    scene->horizon_s = one_in(rng, 4) ? 0.2 * scene->slow * gsl_rng_uniform_pos(rng) : INFINITY;
    scene->sample_s =
        scene->slow * (one_in(rng, 2) ? 0.0009765625 * 7 : 0.01 * gsl_rng_uniform_pos(rng));
}

/* Among the pools of one role no shares are drawn. */
static inline void draw_scene_with_roles(gsl_rng *rng, struct scene *scene)
{
    draw_scene(rng, NULL, scene);
    while (scene->pools < 2) {
        steptime_destroy(scene->steptimes[0]);
        draw_scene(rng, NULL, scene);
    }
    scene->has_roles = true;
    scene->router.policy = (struct config_variant){(int)between(rng, 0, LAST_PLAIN_POLICY), NULL};
    draw_roles(rng, &scene->roles, scene->specs, scene->pools, LAST_PLAIN_POLICY + 1);
    /* Who hands over does so between iterations. */
    for (size_t pool = 0; pool < scene->pools; pool++)
        scene->engines[pool].batching = (struct batching){0};
    bool tight = one_in(rng, 2);
    for (size_t pool = 0; tight && pool < scene->pools; pool++) {
        scene->engines[pool].kv_blocks = between(rng, 4, 12);
        scene->specs[pool].replicas = 1;
    }
}

/* Of the pools with such roles; what a scenario would refuse becomes a policy that any may have. */
static inline struct config_variant draw_router_for(gsl_rng *rng, const struct scene *scene,
                                                    int roles, struct drawn_router *drawn)
{
    struct router_pool pools[POOLS_MAX];
    const char *names[POOLS_MAX], *class_names[CLASSES];
    uint32_t count = 0;
    for (size_t i = 0; i < scene->pools; i++)
        if (!scene->has_roles || (roles & 1 << scene->specs[i].role)) {
            names[count] = pool_names[i];
            pools[count++] = (struct router_pool){.name = pool_names[i],
                                                  .models = (uint64_t)1 << scene->specs[i].model};
        }
    for (size_t i = 0; i < CLASSES; i++)
        class_names[i] = classes[i].name;
    struct router_config config = {.policy = draw_other_policy(rng, names, count, 0.01, drawn)};
    const struct router_fleet fleet = {.pools = pools,
                                       .pool_count = count,
                                       .class_names = class_names,
                                       .class_count = CLASSES,
                                       .class_models = scene->models ? scene->class_models : NULL,
                                       .model_count = scene->models};
    if (router_check(&config, &fleet, NULL))
        return config.policy;
    return (struct config_variant){(int)between(rng, 0, LAST_PLAIN_POLICY), NULL};
}

static inline void add_routers(gsl_rng *rng, struct scene *scene)
{
    if (scene->has_roles || scene->models || one_in(rng, 2))
        scene->router.policy = draw_router_for(rng, scene, 1 << ROLE_PREFILL, &scene->drawn_router);
    if (scene->has_roles)
        scene->roles.config.decode_router.policy = draw_router_for(
            rng, scene, 1 << ROLE_DECODE | 1 << ROLE_MIXED, &scene->drawn_decode_router);
}

static inline void add_roles(gsl_rng *rng, struct scene *scene)
{
    scene->has_roles = true;
    draw_roles(rng, &scene->roles, scene->specs, scene->pools, LAST_PLAIN_POLICY + 1);
    bool tight = one_in(rng, 3);
    for (size_t pool = 0; pool < scene->pools; pool++) {
        scene->engines[pool].batching = (struct batching){0};
        if (tight)
            scene->engines[pool].kv_blocks = between(rng, 4, 12);
    }
}

static inline void add_models(gsl_rng *rng, struct scene *scene)
{
    scene->models = 2;
    for (uint32_t pool = 0; pool < scene->pools; pool++)
        scene->specs[pool].model = pool < 2 ? pool : between(rng, 0, 1);
    for (size_t i = 0; i < CLASSES; i++)
        scene->class_models[i] = between(rng, 0, 1);
}

/* One to three stages one after the other, the last layers sometimes on either of two. */
static inline void add_stage_graph(gsl_rng *rng, struct scene *scene, size_t pool)
{
    struct engine_config *engine = &scene->engines[pool];
    if (engine->batching.kind != BATCHING_CONTINUOUS || engine->lora ||
        engine->speculation.draft_tok > 0)
        return;
    struct stage_graph *graph = calloc(1, sizeof *graph + STAGES_MAX * sizeof *graph->stages);
    cr_assert_not_null(graph);
    graph->layers = between(rng, 1, STAGES_MAX - 1);
    graph->count = (uint32_t)graph->layers + between(rng, 0, 1);
    struct engine_config limits = *engine;
    limits.kv_blocks *= graph->count;
    limits.max_batch_tokens = engine->max_model_tok + engine->max_batch_tokens;
    for (uint32_t i = 0; i < graph->count; i++) {
        int64_t layer = i < graph->layers ? i : graph->layers - 1;
        graph->stages[i] = (struct graph_stage){.time = draw_steptime(rng, scene->slow, &limits),
                                                .first_layer = layer,
                                                .end_layer = layer + 1,
                                                .share = gsl_rng_uniform_pos(rng),
                                                .kv_blocks = engine->kv_blocks,
                                                .send = tick_from_s(1e-4 * between(rng, 0, 9)),
                                                .send_token_s = 1e-6 * between(rng, 0, 9),
                                                .send_id_s = 1e-7 * between(rng, 0, 9)};
        graph->kv_blocks += engine->kv_blocks;
    }
    if (engine->max_model_tok > engine->kv_blocks * engine->block_tok)
        engine->max_model_tok = engine->kv_blocks * engine->block_tok;
    engine->graph = scene->graphs[pool] = graph;
    engine->kv_blocks = graph->kv_blocks;
    engine->chunked_prefill = false;
    engine->admission = ADMIT_PREEMPT;
    engine->kv_allocation = KV_PAGED;
    engine->batch_wait_iterations = 0;
    engine->keeps_blocks = false;
    steptime_destroy(scene->steptimes[pool]); /* is for routers, which ask at the limits */
    engine->steptime = scene->steptimes[pool] = draw_steptime(rng, scene->slow, &limits);
}

static inline void destroy_graph(struct stage_graph *graph)
{
    for (uint32_t i = 0; graph && i < graph->count; i++)
        steptime_destroy(graph->stages[i].time);
    free(graph);
}

/* All that a scenario can have at once. */
static inline void draw_combination(gsl_rng *rng, struct arena *arena, struct scene *scene)
{
    draw_scene(rng, NULL, scene);
    scene->loop_sessions = one_in(rng, 2) ? between(rng, 1, scene->clients) : 0;
    if (scene->pools > 1 && !one_in(rng, 3))
        add_roles(rng, scene);
    else if (scene->pools > 1 && one_in(rng, 2))
        add_models(rng, scene);
    if (!one_in(rng, 3))
        add_drafts_and_adapters(rng, scene);
    for (size_t pool = 0; pool < scene->pools; pool++) {
        scene->engines[pool].request_overhead = tick_from_s(1e-4 * between(rng, 0, 20));
        if (!scene->has_roles && one_in(rng, 6))
            add_stage_graph(rng, scene, pool);
    }
    add_routers(rng, scene);
    scene->slo_count = between(rng, 0, 2);
    for (size_t i = 0; i < scene->slo_count; i++)
        scene->slos[i] = (struct slo_rule){.class_index = (int64_t)between(rng, 0, CLASSES) - 1,
                                           .ttft_s = 0.05 * gsl_rng_uniform_pos(rng),
                                           .tpot_s = one_in(rng, 2) ? NAN : 0.01,
                                           .e2e_s = NAN,
                                           .percentile = 90};
    scene->clients_drawn.arena = arena;
    scene->has_clients = one_in(rng, 2);
    if (scene->has_clients)
        draw_clients(rng, &scene->clients_drawn, CLASSES);
}

static inline uint32_t loop_length(uint32_t number)
{
    return (1 + number * 7 % 40) << 16 | (1 + number * 5 % 30);
}

static inline struct simulation_result simulate(const struct scene *scene, bool stepwise,
                                                struct trail *trail)
{
    struct list_source list = LIST_SOURCE(scene->arrivals, scene->requests);
    struct loop_source loop = LOOP_SOURCE(scene->clients, scene->requests, loop_length);
    loop.sessions = scene->loop_sessions;
    *trail = (struct trail){.sample_s = scene->sample_s};
    struct simulation_spec spec = {
        .source = scene->closed_loop ? &loop.source : &list.source,
        .pools = scene->specs,
        .pool_count = scene->pools,
        .router = &scene->router,
        .disaggregation = scene->has_roles ? &scene->roles.config : NULL,
        .classes = classes,
        .traits = rule_traits,
        .class_count = CLASSES,
        .class_models = scene->models ? scene->class_models : NULL,
        .model_count = scene->models,
        .elastic = scene->elastic,
        .slos = scene->slos,
        .slo_count = scene->slo_count,
        .clients = scene->has_clients ? scene->clients_drawn.rules : NULL,
        .seed = 7,
        .warmup_s = scene->warmup_s,
        .horizon_s = scene->horizon_s,
        .sample_interval_s = scene->sample_s,
        .stepwise = stepwise,
        .observer = {.context = trail, .request = keep_record, .sample = keep_sample}};
    struct simulation_result result;
    struct error error = {0};
    cr_assert(simulation_run(&spec, &result, &error), "%s", error.message);
    return result;
}

static inline bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static inline bool same_record(const struct request_record *a, const struct request_record *b)
{
    return same_number(a->arrival_s, b->arrival_s) && same_number(a->queue_s, b->queue_s) &&
           same_number(a->ttft_s, b->ttft_s) && same_number(a->tpot_s, b->tpot_s) &&
           same_number(a->e2e_s, b->e2e_s) && a->prompt_tok == b->prompt_tok &&
           a->output_tok == b->output_tok && a->pool == b->pool && a->replica == b->replica &&
           a->preemptions == b->preemptions && a->rejected == b->rejected &&
           a->timed_out == b->timed_out && a->stopped == b->stopped;
}

static inline bool same_sample(const struct pool_sample *a, const struct pool_sample *b)
{
    return a->arrived == b->arrived && a->completed == b->completed && a->waiting == b->waiting &&
           a->running == b->running && a->kv_used == b->kv_used && a->power_w == b->power_w &&
           a->busy == b->busy;
}

/* The rules of a scene, so that a failure says what it takes. */
static inline const char *rules_of(const struct scene *scene)
{
    static char text[2048];
    int at = 0;
    for (size_t i = 0; i < scene->pools; i++) {
        const struct engine_config *engine = &scene->engines[i];
        at +=
            snprintf(text + at, sizeof text - (size_t)at,
                     "; pool %zu: prefill %d, admission %d, order %d, batching %d, allocation %d, "
                     "swap %d, watermark %d, wait %d, keeps %d, drafts %d, lora %d, stages %d, "
                     "role %d",
                     i, engine->prefill, engine->admission, engine->queue_order,
                     engine->batching.kind, engine->kv_allocation, engine->swap_blocks > 0,
                     engine->watermark_blocks > 0, engine->batch_wait_iterations > 0,
                     engine->keeps_blocks, (int)engine->speculation.draft_tok, engine->lora != NULL,
                     engine->graph != NULL, scene->specs[i].role);
    }
    snprintf(text + at, sizeof text - (size_t)at,
             "; router %s, roles %d, decode router %s, models %u, clients %d, closed loop %d, "
             "sharing %d",
             router_policies[scene->router.policy.index].name, scene->has_roles,
             router_policies[scene->roles.config.decode_router.policy.index].name, scene->models,
             scene->has_clients, scene->closed_loop, scene->sharing || scene->loop_sessions);
    return text;
}

#endif
