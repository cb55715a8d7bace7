/* Engines that die in the middle of an iteration, are drained, paused and come back, and requests
 * that leave them with or without their KV cache: random scenes over all kinds of engines, jumped
 * and stepped through, must agree to the tick, end all requests once with all their tokens, and
 * give back all blocks. And a few by hand. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "models/engine/eviction.h"
#include "models/engine/handover.h"
#include "models/engine/prefixes.h"
#include "models/engine/queues.h"
#include "models/engine/stage_graph.h"
#include "sim/random.h"
#include "tests/models/engine_rules.h"

enum { SCENES = 10000, REQUESTS_MAX = 40, ENGINES = 3, ORDERS_MAX = 24, IDS_MAX = 64, STAGES = 2 };

static const double grid_s = 0.0009765625;

/* --- what is drawn --- */

struct plan {
    struct arrival arrival;
    uint64_t ids[IDS_MAX];
    tick_t when, transfer; /* transfer: how long a copy of its KV cache takes, at least a tick */
    uint32_t class_index, adapter_draw;
    bool handoff;
};

enum order_kind { ORDER_EVICT, ORDER_WITHDRAW, ORDER_EXTRACT, ORDER_CANCEL, ORDER_PAUSE };

struct order {
    tick_t when, length; /* length: until an engine is back, or of a pause */
    enum order_kind kind;
    uint32_t engine, plan;
};

struct scene {
    struct engine_config configs[ENGINES];
    struct steptime *steptimes[ENGINES];
    struct lora_config *loras[ENGINES];
    struct stage_graph *graphs[ENGINES];
    struct plan plans[REQUESTS_MAX];
    struct order orders[ORDERS_MAX];
    uint32_t requests, order_count;
    bool sharing;
    bool gaps_are_plain; /* nobody speculates, gives up or waits for others' answers */
};

static uint32_t between(gsl_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)gsl_rng_uniform_int(rng, high - low + 1);
}

static bool one_in(gsl_rng *rng, uint32_t n)
{
    return gsl_rng_uniform_int(rng, n) == 0;
}

static struct steptime *draw_steptime(gsl_rng *rng, const struct engine_config *config)
{
    double unit = one_in(rng, 2) ? grid_s : 1e-6 * (0.1 + gsl_rng_uniform(rng));
    struct steptime_given given = {.base_s = unit * between(rng, 1, 8),
                                   .per_sequence_s = unit * between(rng, 0, 2),
                                   .per_context_token_s = unit / 64 * between(rng, 0, 2),
                                   .per_prefill_token_s = unit / 16 * between(rng, 0, 2)};
    struct steptime *steptime =
        steptime_compile_given(&given, config->max_sequences, config->max_batch_tokens,
                               config->kv_blocks * config->block_tok, NULL);
    cr_assert_not_null(steptime);
    return steptime;
}

static void draw_tier(gsl_rng *rng, struct tier_config *tier)
{
    if (one_in(rng, 4))
        return;
    *tier = (struct tier_config){.capacity = between(rng, 1, 2000),
                                 .counts_ids = one_in(rng, 2),
                                 .shared = one_in(rng, 2),
                                 .latency_s = one_in(rng, 2) ? 0 : 0.05 * gsl_rng_uniform(rng),
                                 .s_per_tok = 1e-3 * gsl_rng_uniform(rng)};
}

static void draw_adapters(gsl_rng *rng, struct scene *scene, uint32_t which)
{
    struct engine_config *config = &scene->configs[which];
    const struct lora_settings settings = {
        .adapters = between(rng, 1, 8), .zipf = 1, .max_loras = 2, .max_cpu_loras = 3};
    if (config->queue_order != ORDER_FCFS || config->swap_blocks > 0 ||
        config->batch_wait_iterations > 0)
        return;
    struct lora_config *lora = lora_config_create(&settings);
    cr_assert_not_null(lora);
    lora->host_load = fine_from_s(grid_s / 4) * between(rng, 0, 4);
    lora->disk_load = fine_from_s(grid_s) * between(rng, 0, 4);
    config->lora = scene->loras[which] = lora;
}

/* One stage after the other; what a scenario with stages would not have is left out. */
static void draw_graph(gsl_rng *rng, struct scene *scene, uint32_t which)
{
    struct engine_config *config = &scene->configs[which];
    struct stage_graph *graph = calloc(1, sizeof *graph + STAGES * sizeof *graph->stages);
    cr_assert_not_null(graph);
    graph->layers = graph->count = STAGES;
    config->max_batch_tokens += config->max_model_tok;
    config->admission = ADMIT_PREEMPT;
    config->kv_allocation = KV_PAGED;
    config->chunked_prefill = config->keeps_blocks = false;
    config->batch_wait_iterations = 0;
    struct engine_config limits = *config; /* decodes join prompts that fill the budget */
    limits.max_batch_tokens += config->max_sequences;
    for (uint32_t i = 0; i < STAGES; i++)
        graph->stages[i] = (struct graph_stage){.time = draw_steptime(rng, &limits),
                                                .first_layer = i,
                                                .end_layer = i + 1,
                                                .share = 1,
                                                .kv_blocks = config->kv_blocks,
                                                .send = tick_from_s(1e-4 * between(rng, 0, 9)),
                                                .send_token_s = 1e-6 * between(rng, 0, 9),
                                                .send_id_s = 1e-7 * between(rng, 0, 9)};
    config->max_model_tok = config->kv_blocks * config->block_tok;
    graph->kv_blocks = config->kv_blocks * STAGES;
    config->kv_blocks = graph->kv_blocks;
    config->graph = scene->graphs[which] = graph;
}

static void draw_engine(gsl_rng *rng, struct scene *scene, uint32_t which)
{
    struct engine_config *config = &scene->configs[which];
    uint32_t sequences = between(rng, 1, 12);
    *config = (struct engine_config){.max_sequences = sequences,
                                     .max_batch_tokens = sequences + between(rng, 0, 60),
                                     .block_tok = between(rng, 1, 16),
                                     .kv_blocks = between(rng, 10, 200),
                                     .max_model_tok = 400,
                                     .chunked_prefill = !one_in(rng, 5)};
    draw_engine_rules(rng, config);
    draw_tier(rng, &config->prefix.tiers[TIER_HOST]);
    draw_tier(rng, &config->prefix.tiers[TIER_REMOTE]);
    if (one_in(rng, 6))
        draw_static_batching(rng, config);
    else if (one_in(rng, 8))
        draw_graph(rng, scene, which);
    else if (one_in(rng, 3))
        draw_adapters(rng, scene, which);
    if (config->batching.kind == BATCHING_CONTINUOUS && !config->graph)
        draw_speculation(rng, config);
    if (config->speculation.draft_tok > 0)
        config->counts_slots = false;
    config->steptime = scene->steptimes[which] = draw_steptime(rng, config);
    bool whole = config->batching.kind != BATCHING_CONTINUOUS && !config->batching.returned_early;
    if (whole || config->speculation.draft_tok > 0)
        scene->gaps_are_plain = false;
}

/* Paths in a tree of few branches, or turns of a session, or nothing that is shared. */
static void draw_shared(gsl_rng *rng, struct plan *plan)
{
    struct arrival *arrival = &plan->arrival;
    uint64_t node = 0;
    if (one_in(rng, 3)) {
        arrival->session = between(rng, 1, 5);
        return;
    }
    arrival->session = ARRIVAL_NO_ID;
    arrival->block_tok = 4;
    arrival->blocks = one_in(rng, 4) ? 0 : (arrival->prompt_tok + 3) / 4;
    arrival->hash_ids = plan->ids;
    for (uint32_t i = 0; i < arrival->blocks; i++)
        plan->ids[i] = node = node * 1000003 + 1 + between(rng, 0, 4) / 4;
}

static void draw_plans(gsl_rng *rng, struct scene *scene)
{
    tick_t time = 0, grid = tick_from_s(grid_s);
    scene->requests = between(rng, 1, REQUESTS_MAX);
    scene->sharing = one_in(rng, 2);
    for (uint32_t i = 0; i < scene->requests; i++) {
        struct plan *plan = &scene->plans[i];
        time += grid * between(rng, 0, 20);
        uint32_t prompt_tok = between(rng, 1, 60);
        *plan = (struct plan){.when = time,
                              .transfer = 1 + grid * between(rng, 0, 60) / 2,
                              .class_index = between(rng, 0, RULE_CLASSES - 1),
                              .adapter_draw = (uint32_t)gsl_rng_get(rng),
                              .handoff = one_in(rng, 6)};
        plan->arrival.prompt_tok = prompt_tok;
        plan->arrival.output_tok = between(rng, 1, 60);
        plan->arrival.cached_tok = draw_cached_tok(rng, prompt_tok);
        if (scene->sharing)
            draw_shared(rng, plan);
    }
}

static void draw_orders(gsl_rng *rng, struct scene *scene)
{
    tick_t time = 0, grid = tick_from_s(grid_s);
    scene->order_count = between(rng, 0, ORDERS_MAX);
    for (uint32_t i = 0; i < scene->order_count; i++) {
        time += grid * between(rng, 0, 80) / 2;
        scene->orders[i] = (struct order){.when = time,
                                          .length = grid * between(rng, 0, 100) / 2,
                                          .kind = (enum order_kind)between(rng, 0, ORDER_PAUSE),
                                          .engine = between(rng, 0, ENGINES - 1),
                                          .plan = between(rng, 0, scene->requests - 1)};
        if (scene->orders[i].kind == ORDER_CANCEL)
            scene->gaps_are_plain = false;
    }
}

static void draw_scene(gsl_rng *rng, struct scene *scene)
{
    *scene = (struct scene){.gaps_are_plain = true};
    for (uint32_t i = 0; i < ENGINES; i++)
        draw_engine(rng, scene, i);
    draw_plans(rng, scene);
    draw_orders(rng, scene);
}

static void destroy_scene(struct scene *scene)
{
    for (uint32_t i = 0; i < ENGINES; i++) {
        steptime_destroy(scene->steptimes[i]);
        lora_config_destroy(scene->loras[i]);
        for (uint32_t k = 0; scene->graphs[i] && k < STAGES; k++)
            steptime_destroy(scene->graphs[i]->stages[k].time);
        free(scene->graphs[i]);
    }
}

/* --- the owner of the engines --- */

struct outcome {
    tick_t ended, first_scheduled, first_token, last_token;
    uint32_t emitted, preemptions, times, moves;
    uint64_t lost_kv_tok;
    bool cancelled, refused;
};

/* A request on its way, by its plan. */
struct passage {
    uint32_t number; /* of its record */
    uint32_t engine; /* where it is */
    uint32_t source; /* which holds ... */
    int64_t blocks;  /* ... so many blocks for it */
    tick_t fetched;  /* when its KV cache will be there; TICK_NEVER: not on the way */
    bool parked;     /* no engine that would take it is up */
};

struct owner {
    const struct scene *scene;
    struct engine_config configs[ENGINES];
    struct engine engines[ENGINES];
    struct prefix_listener listeners[ENGINES];
    int64_t told[ENGINES]; /* ids that the listener knows of */
    tick_t back[ENGINES];  /* TICK_NEVER: it is up */
    struct kv_store *remote;
    struct request_pool pool;
    struct prefix_ids ids;
    struct passage passages[REQUESTS_MAX];
    struct outcome outcomes[REQUESTS_MAX];
    struct engine_totals totals[ENGINES]; /* at the end */
    struct eviction evicted;
    uint32_t leaving[REQUESTS_MAX]; /* plans that were handed over at the last tick */
    uint32_t leaving_count;
    uint32_t arrived, ordered;
    tick_t now;
    uint64_t died, resumed, withdrawn, extracted, paused;
    uint64_t evicted_from[PLACE_LOADED + 1];
};

static struct request *record_of(struct owner *owner, uint32_t plan)
{
    return &owner->pool.requests[owner->passages[plan].number];
}

static uint32_t plan_of(const struct owner *owner, uint32_t number)
{
    return owner->pool.requests[number].client;
}

static void end(struct owner *owner, uint32_t plan, bool refused)
{
    const struct request *request = record_of(owner, plan);
    struct outcome *outcome = &owner->outcomes[plan];
    outcome->ended = owner->now;
    outcome->first_scheduled = request->first_scheduled;
    outcome->first_token = request->first_token;
    outcome->last_token = request->last_token;
    outcome->emitted = request->emitted;
    outcome->preemptions = request->preemptions;
    outcome->cancelled = request->cancelled;
    outcome->refused = refused;
    outcome->times++;
    cr_assert(!request->extracted);
    if (request->prefix != PREFIX_NONE)
        prefix_ids_give_back(&owner->ids, request->prefix);
    request_pool_give_back(&owner->pool, owner->passages[plan].number);
}

static void let_source_go(struct owner *owner, uint32_t plan)
{
    struct passage *passage = &owner->passages[plan];
    if (passage->blocks > 0)
        engine_release(&owner->engines[passage->source], passage->blocks, owner->now);
    passage->blocks = 0;
    passage->fetched = TICK_NEVER;
}

static bool would_take(const struct owner *owner, uint32_t engine, const struct request *request)
{
    const struct engine_config *config = &owner->configs[engine];
    return engine_accepts_resumed(config, request) &&
           (engine_can_extract(config) || !(request->remote_kv || request->handoff));
}

/* The first that is up and takes it, not always the same one; ENGINES: none. */
static uint32_t choose(const struct owner *owner, uint32_t plan, const struct request *request)
{
    uint32_t first = plan + owner->outcomes[plan].moves;
    for (uint32_t i = 0; i < ENGINES; i++) {
        uint32_t engine = (first + i) % ENGINES;
        if (owner->back[engine] == TICK_NEVER && would_take(owner, engine, request))
            return engine;
    }
    return ENGINES;
}

static bool anybody_would_take(const struct owner *owner, const struct request *request)
{
    for (uint32_t i = 0; i < ENGINES; i++)
        if (would_take(owner, i, request))
            return true;
    return false;
}

/* Gives it to an engine, with its cache if that can be; parks it where all that would take it are
 * down. */
static void go_on(struct owner *owner, uint32_t plan)
{
    struct passage *passage = &owner->passages[plan];
    struct request *request = record_of(owner, plan);
    uint32_t engine = choose(owner, plan, request);
    if (engine == ENGINES) {
        let_source_go(owner, plan);
        request->remote_kv = request->handoff = false;
        engine = choose(owner, plan, request);
    }
    passage->parked = engine == ENGINES;
    if (engine < ENGINES) {
        owner->outcomes[plan].moves++;
        passage->engine = request->replica = engine;
        owner->resumed += request->emitted > 0;
        engine_resume(&owner->engines[engine], passage->number, owner->now);
    } else if (!anybody_would_take(owner, request)) {
        passage->parked = false;
        end(owner, plan, true);
    }
}

static void arrive(struct owner *owner, uint32_t plan)
{
    const struct plan *planned = &owner->scene->plans[plan];
    struct request request = {.arrival = owner->now,
                              .first_scheduled = TICK_NEVER,
                              .prompt_tok = planned->arrival.prompt_tok,
                              .output_tok = planned->arrival.output_tok,
                              .cached_tok = planned->arrival.cached_tok,
                              .class_index = planned->class_index,
                              .adapter_draw = planned->adapter_draw,
                              .client = plan,
                              .handoff = planned->handoff};
    if (owner->scene->sharing)
        request.prefix = prefix_ids_take(&owner->ids, &planned->arrival, 4);
    owner->passages[plan] = (struct passage){.number = request_pool_take(&owner->pool, &request),
                                             .fetched = TICK_NEVER};
    go_on(owner, plan);
}

/* --- what happens to engines --- */

/* Its cache is lost on its way: it is taken back from where it waits for it, to be recomputed. */
static void recompute(struct owner *owner, uint32_t plan)
{
    struct passage *passage = &owner->passages[plan];
    struct request *request = record_of(owner, plan);
    cr_assert(engine_cancel(&owner->engines[passage->engine], passage->number, owner->now));
    request->cancelled = request->remote_kv = false;
    let_source_go(owner, plan);
    go_on(owner, plan);
}

static void take_evicted(struct owner *owner, const struct evicted *evicted)
{
    uint32_t plan = plan_of(owner, evicted->request);
    struct request *request = record_of(owner, plan);
    struct passage *passage = &owner->passages[plan];
    owner->outcomes[plan].lost_kv_tok += evicted->kv_tok;
    owner->evicted_from[evicted->place]++;
    passage->fetched = TICK_NEVER;
    if (request->cancelled) {
        end(owner, plan, false);
        return;
    }
    request->remote_kv = passage->blocks > 0;
    go_on(owner, plan);
}

static void expect_empty(const struct owner *owner, uint32_t which)
{
    const struct engine *engine = &owner->engines[which];
    cr_assert_eq(engine->next, TICK_NEVER);
    cr_assert_eq(engine->used_blocks, 0);
    cr_assert_eq(engine->held_blocks, 0);
    cr_assert_eq(engine->reserved_blocks, 0);
    cr_assert_eq(engine->swapped_blocks, 0);
    cr_assert_eq(engine->incoming, 0);
    cr_assert_eq(engine->incoming_promised_tok, 0);
    cr_assert_eq(engine->waiting, 0);
    cr_assert_eq(engine_running(engine), 0);
    cr_assert_eq(engine->context_tok, 0);
    if (engine->prefixes)
        cr_assert_eq(prefix_cache_queued(engine->prefixes->cache), engine->config->kv_blocks);
}

static void evict(struct owner *owner, const struct order *order)
{
    uint32_t which = order->engine;
    if (owner->back[which] != TICK_NEVER)
        return;
    engine_evict(&owner->engines[which], owner->now, &owner->evicted);
    expect_empty(owner, which);
    cr_assert_eq(owner->told[which], 0);
    owner->died++;
    owner->back[which] = owner->now + order->length;
    bool pulled[REQUESTS_MAX] = {false};
    for (uint32_t plan = 0; plan < owner->arrived; plan++) {
        struct passage *passage = &owner->passages[plan];
        if (passage->blocks == 0 || passage->source != which)
            continue;
        passage->blocks = 0;
        pulled[plan] = passage->engine != which;
    }
    struct eviction list = owner->evicted;
    owner->evicted = (struct eviction){0};
    for (uint32_t i = 0; i < list.count; i++)
        take_evicted(owner, &list.requests[i]);
    for (uint32_t plan = 0; plan < owner->arrived; plan++)
        if (pulled[plan])
            recompute(owner, plan);
    eviction_free(&list);
}

static void withdraw(struct owner *owner, const struct order *order)
{
    if (owner->back[order->engine] != TICK_NEVER)
        return;
    engine_withdraw(&owner->engines[order->engine], owner->now, &owner->evicted);
    for (uint32_t i = 0; i < owner->evicted.count; i++) {
        const struct evicted *evicted = &owner->evicted.requests[i];
        cr_assert_eq(evicted->place, PLACE_WAITING);
        cr_assert_eq(evicted->kv_tok, 0);
        cr_assert(i == 0 || evicted[-1].arrival <= evicted->arrival);
        owner->withdrawn++;
        go_on(owner, plan_of(owner, evicted->request));
    }
}

static bool is_here(const struct owner *owner, uint32_t plan)
{
    return plan < owner->arrived && owner->outcomes[plan].times == 0;
}

static void extract(struct owner *owner, uint32_t plan)
{
    const struct passage *passage = &owner->passages[plan];
    if (is_here(owner, plan) && !passage->parked)
        owner->extracted +=
            engine_extract(&owner->engines[passage->engine], passage->number, owner->now);
}

static void cancel(struct owner *owner, uint32_t plan)
{
    struct passage *passage = &owner->passages[plan];
    if (!is_here(owner, plan))
        return;
    if (passage->parked)
        record_of(owner, plan)->cancelled = true;
    else if (!engine_cancel(&owner->engines[passage->engine], passage->number, owner->now))
        return;
    passage->parked = false;
    let_source_go(owner, plan);
    end(owner, plan, false);
}

static void obey(struct owner *owner, const struct order *order)
{
    switch (order->kind) {
    case ORDER_EVICT:
        evict(owner, order);
        break;
    case ORDER_WITHDRAW:
        withdraw(owner, order);
        break;
    case ORDER_EXTRACT:
        for (uint32_t plan = order->plan; plan < owner->arrived; plan += 3)
            extract(owner, plan);
        break;
    case ORDER_CANCEL:
        cancel(owner, order->plan);
        break;
    case ORDER_PAUSE:
        if (owner->back[order->engine] == TICK_NEVER &&
            engine_can_extract(&owner->configs[order->engine])) {
            engine_pause(&owner->engines[order->engine], owner->now, owner->now + order->length);
            owner->paused++;
        }
    }
}

static void come_back(struct owner *owner, uint32_t which)
{
    engine_restart(&owner->engines[which], owner->now);
    owner->back[which] = TICK_NEVER;
    for (uint32_t plan = 0; plan < owner->arrived; plan++)
        if (owner->passages[plan].parked)
            go_on(owner, plan);
}

/* --- time --- */

static void leave(struct owner *owner, uint32_t plan)
{
    struct request *request = record_of(owner, plan);
    struct passage *passage = &owner->passages[plan];
    passage->source = passage->engine;
    passage->blocks = request->held_blocks;
    request->handoff = false;
    request->remote_kv = true;
    if (request->emitted == 1)
        request->last_token = request->first_token;
    go_on(owner, plan);
}

static void take_up(struct owner *owner, uint32_t which)
{
    struct engine *engine = &owner->engines[which];
    for (uint32_t i = 0; i < engine->ended_count; i++)
        end(owner, plan_of(owner, engine->ended[i]), false);
    for (uint32_t i = 0; i < engine->fetch_count; i++) {
        uint32_t plan = plan_of(owner, engine->fetches[i]);
        owner->passages[plan].fetched = owner->now + owner->scene->plans[plan].transfer;
    }
    for (uint32_t i = 0; i < engine->handed_count; i++)
        owner->leaving[owner->leaving_count++] = plan_of(owner, engine->handed[i]);
}

static tick_t earlier(tick_t a, tick_t b)
{
    return a < b ? a : b;
}

static tick_t next_time(const struct owner *owner)
{
    const struct scene *scene = owner->scene;
    tick_t next = owner->leaving_count > 0 ? owner->now + 1 : TICK_NEVER;
    for (uint32_t i = 0; i < ENGINES; i++)
        next = earlier(next, earlier(owner->engines[i].next, owner->back[i]));
    for (uint32_t i = 0; i < owner->arrived; i++)
        if (owner->outcomes[i].times == 0)
            next = earlier(next, owner->passages[i].fetched);
    if (owner->arrived < scene->requests)
        next = earlier(next, scene->plans[owner->arrived].when);
    if (owner->ordered < scene->order_count)
        next = earlier(next, scene->orders[owner->ordered].when);
    return next;
}

static void step(struct owner *owner)
{
    const struct scene *scene = owner->scene;
    for (uint32_t i = 0; i < owner->leaving_count; i++)
        leave(owner, owner->leaving[i]);
    owner->leaving_count = 0;
    while (owner->arrived < scene->requests && scene->plans[owner->arrived].when <= owner->now)
        arrive(owner, owner->arrived++);
    while (owner->ordered < scene->order_count && scene->orders[owner->ordered].when <= owner->now)
        obey(owner, &scene->orders[owner->ordered++]);
    for (uint32_t i = 0; i < ENGINES; i++)
        if (owner->back[i] <= owner->now)
            come_back(owner, i);
    for (uint32_t i = 0; i < owner->arrived; i++)
        if (owner->outcomes[i].times == 0 && owner->passages[i].fetched <= owner->now) {
            let_source_go(owner, i);
            engine_fetched(&owner->engines[owner->passages[i].engine], owner->passages[i].number,
                           owner->now);
        }
    for (uint32_t i = 0; i < ENGINES; i++)
        if (owner->engines[i].next == owner->now) {
            engine_boundary(&owner->engines[i]);
            take_up(owner, i);
        }
}

/* Nobody else comes: batches that wait to be full begin, and of those that wait for room while they
 * hold some elsewhere one lets go of that. */
static bool unstick(struct owner *owner)
{
    for (uint32_t i = 0; i < ENGINES; i++)
        engine_last_call(&owner->engines[i], owner->now);
    if (next_time(owner) != TICK_NEVER)
        return true;
    for (uint32_t plan = 0; plan < owner->arrived; plan++)
        if (is_here(owner, plan) && owner->passages[plan].blocks > 0) {
            recompute(owner, plan);
            return true;
        }
    return false;
}

static void count_stored(void *context, uint64_t id)
{
    (void)id;
    ++*(int64_t *)context;
}

static void count_removed(void *context, uint64_t id)
{
    (void)id;
    --*(int64_t *)context;
}

static void start_engine(struct owner *owner, uint32_t which, bool stepwise, struct histogram *itl)
{
    struct engine_config *config = &owner->configs[which];
    struct engine *engine = &owner->engines[which];
    *config = owner->scene->configs[which];
    config->stepwise = stepwise;
    owner->back[which] = TICK_NEVER;
    cr_assert(engine_init(engine, config, &owner->pool, itl));
    if (!owner->scene->sharing || !config->keeps_blocks || blocks_are_reserved(config))
        return;
    const struct tier_config *remote = &config->prefix.tiers[TIER_REMOTE];
    bool takes_part = remote->capacity > 0 && remote->shared;
    if (takes_part && !owner->remote)
        owner->remote = kv_store_create(remote->capacity);
    engine_share_prefixes(engine, &owner->ids, takes_part ? owner->remote : NULL);
    owner->listeners[which] =
        (struct prefix_listener){&owner->told[which], count_stored, count_removed};
    prefix_cache_listen(engine->prefixes->cache, &owner->listeners[which]);
}

static void simulate(const struct scene *scene, bool stepwise, struct histogram *itl,
                     struct owner *owner)
{
    *owner = (struct owner){.scene = scene};
    request_pool_init(&owner->pool);
    prefix_ids_init(&owner->ids);
    histogram_clear(itl);
    for (uint32_t i = 0; i < ENGINES; i++)
        start_engine(owner, i, stepwise, itl);
    for (tick_t next; (next = next_time(owner)) != TICK_NEVER || unstick(owner);)
        if (next != TICK_NEVER) {
            owner->now = next;
            step(owner);
        }
    for (uint32_t i = 0; i < ENGINES; i++) {
        if (owner->engines[i].prefixes)
            prefixes_trim(&owner->engines[i], 0);
        expect_empty(owner, i);
        owner->totals[i] = owner->engines[i].totals;
        engine_free(&owner->engines[i]);
    }
}

static void stop(struct owner *owner)
{
    kv_store_destroy(owner->remote);
    request_pool_free(&owner->pool);
    prefix_ids_free(&owner->ids);
    eviction_free(&owner->evicted);
}

/* --- what must hold --- */

static void expect_every_end(const struct owner *owner, uint32_t scene)
{
    cr_assert_eq(owner->pool.in_use, 0);
    for (uint32_t i = 0; i < owner->scene->requests; i++) {
        const struct outcome *outcome = &owner->outcomes[i];
        cr_assert_eq(outcome->times, 1, "scene %u, request %u ended %u times", scene, i,
                     outcome->times);
        if (outcome->cancelled || outcome->refused)
            continue;
        cr_assert_eq(outcome->emitted, owner->scene->plans[i].arrival.output_tok);
        cr_assert_leq(outcome->first_scheduled, outcome->first_token);
        cr_assert_leq(outcome->first_token, outcome->last_token);
        cr_assert_eq(outcome->last_token, outcome->ended);
    }
}

/* The gaps between a request's tokens fill the time from its first to its last, wherever it was. */
static void expect_gaps(const struct owner *owner, const struct histogram *itl)
{
    double decoding_s = 0;
    uint64_t gaps = 0;
    for (uint32_t i = 0; i < owner->scene->requests; i++) {
        const struct outcome *outcome = &owner->outcomes[i];
        if (outcome->emitted == 0)
            continue;
        gaps += outcome->emitted - 1;
        decoding_s += tick_to_s(outcome->last_token - outcome->first_token);
    }
    cr_assert_eq(itl->count, gaps);
    cr_assert_float_eq((double)itl->sum / FINE_PER_S, decoding_s,
                       1e-9 * decoding_s + 2e-11 * (double)gaps);
}

static bool same_outcome(const struct outcome *a, const struct outcome *b)
{
    return a->ended == b->ended && a->first_scheduled == b->first_scheduled &&
           a->first_token == b->first_token && a->last_token == b->last_token &&
           a->emitted == b->emitted && a->preemptions == b->preemptions && a->moves == b->moves &&
           a->lost_kv_tok == b->lost_kv_tok && a->cancelled == b->cancelled &&
           a->refused == b->refused;
}

static bool same_totals(const struct engine_totals *a, const struct engine_totals *b)
{
    return a->iterations == b->iterations && a->prefill_tok == b->prefill_tok &&
           a->preemptions == b->preemptions && a->swaps == b->swaps && a->busy == b->busy &&
           a->sequence_ticks == b->sequence_ticks && a->peak_blocks == b->peak_blocks &&
           a->slots_taken == b->slots_taken && a->slots_held == b->slots_held &&
           a->verified == b->verified && a->verified_tok == b->verified_tok;
}

static void expect_same(const struct owner *a, const struct owner *b, uint32_t scene)
{
    for (uint32_t i = 0; i < a->scene->requests; i++)
        cr_assert(same_outcome(&a->outcomes[i], &b->outcomes[i]),
                  "scene %u, request %u: ended at %lld, stepwise %lld", scene, i,
                  (long long)a->outcomes[i].ended, (long long)b->outcomes[i].ended);
    for (uint32_t i = 0; i < ENGINES; i++)
        cr_assert(same_totals(&a->totals[i], &b->totals[i]), "scene %u, engine %u", scene, i);
}

Test(eviction, jumping_equals_stepping, .timeout = 240)
{
    gsl_rng *rng = random_stream(7, 0, "eviction");
    uint64_t died = 0, resumed = 0, withdrawn = 0, extracted = 0, paused = 0, checked = 0;
    uint64_t evicted_from[PLACE_LOADED + 1] = {0};
    for (uint32_t i = 0; i < SCENES; i++) {
        struct scene scene;
        struct owner jumped, stepped;
        struct histogram jumped_itl, stepped_itl;
        draw_scene(rng, &scene);
        simulate(&scene, false, &jumped_itl, &jumped);
        simulate(&scene, true, &stepped_itl, &stepped);
        expect_same(&jumped, &stepped, i);
        expect_every_end(&jumped, i);
        cr_assert_arr_eq(&jumped_itl, &stepped_itl, sizeof jumped_itl);
        if (scene.gaps_are_plain)
            expect_gaps(&jumped, &jumped_itl);
        checked += scene.gaps_are_plain;
        died += jumped.died;
        resumed += jumped.resumed;
        withdrawn += jumped.withdrawn;
        extracted += jumped.extracted;
        paused += jumped.paused;
        for (int place = 0; place <= PLACE_LOADED; place++)
            evicted_from[place] += jumped.evicted_from[place];
        stop(&jumped);
        stop(&stepped);
        destroy_scene(&scene);
    }
    cr_assert_gt(died, SCENES);
    cr_assert_gt(resumed, 2 * SCENES);
    cr_assert_gt(withdrawn, SCENES);
    cr_assert_gt(extracted, SCENES / 4);
    cr_assert_gt(paused, SCENES);
    cr_assert_gt(checked, SCENES / 20);
    for (int place = 0; place <= PLACE_LOADED; place++)
        if (place != PLACE_HANDED) /* the owner has them */
            cr_assert_gt(evicted_from[place], 0, "nobody in place %d", place);
    gsl_rng_free(rng);
}

/* --- by hand --- */

enum { HAND_ENGINES = 2 };

/* Iterations of 10 ms, in blocks of four tokens. */
struct bench {
    struct steptime *steptime;
    struct engine_config config;
    struct engine engines[HAND_ENGINES];
    struct request_pool pool;
    struct histogram itl;
    struct eviction evicted;
};

static tick_t ms(double milliseconds)
{
    return tick_from_s(milliseconds / 1000);
}

/* config: what differs from an engine of four sequences and ten blocks. */
static void set_up(struct bench *bench, const struct engine_config *config)
{
    struct steptime_given given = {.base_s = 0.010};
    *bench = (struct bench){.config = *config};
    bench->config.max_sequences = 4;
    bench->config.max_batch_tokens = 64;
    bench->config.block_tok = 4;
    bench->config.kv_blocks = 10;
    bench->config.max_model_tok = 1000;
    bench->steptime = steptime_compile_given(&given, 4, 64, 40, NULL);
    bench->config.steptime = bench->steptime;
    request_pool_init(&bench->pool);
    histogram_clear(&bench->itl);
    for (int i = 0; i < HAND_ENGINES; i++)
        cr_assert(engine_init(&bench->engines[i], &bench->config, &bench->pool, &bench->itl));
}

static void tear_down(struct bench *bench)
{
    for (int i = 0; i < HAND_ENGINES; i++)
        engine_free(&bench->engines[i]);
    request_pool_free(&bench->pool);
    eviction_free(&bench->evicted);
    steptime_destroy(bench->steptime);
}

static uint32_t send(struct bench *bench, tick_t when, uint32_t prompt_tok, uint32_t output_tok)
{
    struct request request = {.arrival = when, .prompt_tok = prompt_tok, .output_tok = output_tok};
    uint32_t number = request_pool_take(&bench->pool, &request);
    engine_submit(&bench->engines[0], number, when);
    return number;
}

/* All boundaries of the engine before `until`. */
static void run_until(struct engine *engine, tick_t until)
{
    while (engine->next < until)
        engine_boundary(engine);
}

static void expect_ms(tick_t actual, double milliseconds)
{
    cr_assert_float_eq(tick_to_s(actual), milliseconds / 1000, 1e-9, "%g ms, expected %g ms",
                       1000 * tick_to_s(actual), milliseconds);
}

static const struct engine_config plain = {.chunked_prefill = true};

/* Tokens at 10, 20 and 30 ms; the fourth is lost at 35 ms. Elsewhere seven tokens are computed
 * again by 45 ms, which is when the fourth comes. */
Test(eviction, who_is_evicted_goes_on_elsewhere)
{
    struct bench bench;
    set_up(&bench, &plain);
    struct engine *dying = &bench.engines[0], *other = &bench.engines[1];
    uint32_t number = send(&bench, 0, 4, 10);
    run_until(dying, ms(35));
    engine_evict(dying, ms(35), &bench.evicted);
    const struct request *request = &bench.pool.requests[number];
    cr_assert_eq(bench.evicted.count, 1);
    cr_assert_eq(bench.evicted.requests[0].request, number);
    cr_assert_eq(bench.evicted.requests[0].place, PLACE_RUNNING);
    cr_assert_eq(bench.evicted.requests[0].kv_tok, 4 + 3 - 1);
    cr_assert_eq(request->emitted, 3);
    expect_ms(request->last_token, 30);
    expect_ms(dying->totals.busy, 35);
    cr_assert_eq(dying->totals.iterations, 3);
    cr_assert_eq(dying->used_blocks, 0);
    cr_assert_eq(dying->next, TICK_NEVER);

    engine_resume(other, number, ms(35));
    run_until(other, TICK_NEVER);
    cr_assert_eq(other->totals.prefill_tok, 4 + 3);
    cr_assert_eq(request->emitted, 10);
    expect_ms(request->first_scheduled, 0);
    expect_ms(request->first_token, 10);
    expect_ms(request->last_token, 35 + 70);
    cr_assert_eq(bench.itl.count, 9);
    expect_ms(bench.itl.max, 15);
    tear_down(&bench);
}

/* A prompt of 100 tokens takes two iterations; the second is lost with its 36 tokens. */
Test(eviction, the_running_iteration_is_lost)
{
    struct bench bench;
    set_up(&bench, &plain);
    bench.config.kv_blocks = 40;
    uint32_t number = send(&bench, 0, 100, 10);
    run_until(&bench.engines[0], ms(15));
    cr_assert_eq(bench.engines[0].totals.prefill_tok, 100);
    engine_evict(&bench.engines[0], ms(15), &bench.evicted);
    cr_assert_eq(bench.evicted.requests[0].kv_tok, 64);
    cr_assert_eq(bench.engines[0].totals.prefill_tok, 64);
    cr_assert_eq(bench.pool.requests[number].emitted, 0);
    tear_down(&bench);
}

/* The second token's iteration takes a second block, and is counted, though nothing comes of it. */
Test(eviction, blocks_of_the_lost_iteration_were_in_use)
{
    struct bench bench;
    set_up(&bench, &plain);
    send(&bench, 0, 4, 10);
    run_until(&bench.engines[0], ms(15));
    engine_evict(&bench.engines[0], ms(15), &bench.evicted);
    cr_assert_eq(bench.engines[0].totals.peak_blocks, 2);
    tear_down(&bench);
}

/* Four run, two wait: the two go, and the four end as if nothing had been. */
Test(eviction, draining_takes_only_who_has_not_begun)
{
    struct bench bench;
    set_up(&bench, &plain);
    uint32_t numbers[6];
    for (int i = 0; i < 6; i++)
        numbers[i] = send(&bench, 0, 4, 5);
    run_until(&bench.engines[0], ms(15));
    engine_withdraw(&bench.engines[0], ms(15), &bench.evicted);
    cr_assert_eq(bench.evicted.count, 2);
    cr_assert_eq(bench.evicted.requests[0].request, numbers[4]);
    cr_assert_eq(bench.evicted.requests[1].request, numbers[5]);
    run_until(&bench.engines[0], TICK_NEVER);
    for (int i = 0; i < 4; i++)
        expect_ms(bench.pool.requests[numbers[i]].last_token, 50);
    cr_assert_eq(bench.pool.requests[numbers[4]].emitted, 0);
    engine_restart(&bench.engines[0], ms(60));
    tear_down(&bench);
}

/* Two prompts of 16 tokens fill eight of the ten blocks, and their answers two more: the second
 * gives way and waits. It has begun, and stays. */
Test(eviction, draining_leaves_whom_it_has_preempted)
{
    struct bench bench;
    set_up(&bench, &plain);
    send(&bench, 0, 16, 10);
    uint32_t preempted = send(&bench, 0, 16, 10), waiting = send(&bench, 0, 16, 10);
    run_until(&bench.engines[0], ms(55));
    cr_assert_eq(bench.pool.requests[preempted].preemptions, 1);
    cr_assert_eq(bench.pool.requests[preempted].place, PLACE_WAITING);
    engine_withdraw(&bench.engines[0], ms(55), &bench.evicted);
    cr_assert_eq(bench.evicted.count, 1);
    cr_assert_eq(bench.evicted.requests[0].request, waiting);
    run_until(&bench.engines[0], TICK_NEVER);
    cr_assert_eq(bench.pool.requests[preempted].emitted, 10);
    tear_down(&bench);
}

/* Asked at 35 ms, it leaves at 40 with four tokens and the blocks of seven; here from 60 on, it
 * goes on without recomputing any. */
Test(eviction, a_decode_moves_with_its_cache)
{
    struct bench bench;
    set_up(&bench, &plain);
    struct engine *from = &bench.engines[0], *to = &bench.engines[1];
    uint32_t number = send(&bench, 0, 4, 10);
    run_until(from, ms(35));
    cr_assert(engine_extract(from, number, ms(35)));
    cr_assert_not(engine_extract(from, number, ms(35)));
    engine_boundary(from);
    struct request *request = &bench.pool.requests[number];
    cr_assert_eq(from->handed_count, 1);
    cr_assert_eq(request->emitted, 4);
    cr_assert_eq(request->held_blocks, 2);
    expect_ms(request->last_token, 40);

    request->remote_kv = true;
    engine_resume(to, number, ms(41));
    engine_boundary(to);
    cr_assert_eq(to->fetch_count, 1);
    engine_release(from, request->held_blocks, ms(60));
    engine_fetched(to, number, ms(60));
    run_until(to, TICK_NEVER);
    expect_ms(request->last_token, 60 + 60);
    cr_assert_eq(to->totals.prefill_tok, 0);
    cr_assert_eq(from->used_blocks + to->used_blocks, 0);
    tear_down(&bench);
}

Test(eviction, only_decodes_can_be_extracted)
{
    struct bench bench;
    set_up(&bench, &plain);
    uint32_t running = send(&bench, 0, 36, 5), waiting = send(&bench, 0, 36, 5);
    run_until(&bench.engines[0], ms(15));
    cr_assert_not(engine_extract(&bench.engines[0], waiting, ms(15)));
    cr_assert(engine_extract(&bench.engines[0], running, ms(15)));
    tear_down(&bench);

    static const struct engine_config whole = {
        .batching = {.kind = BATCHING_DYNAMIC, .max_batch = 4}};
    set_up(&bench, &whole);
    uint32_t number = send(&bench, 0, 4, 5);
    run_until(&bench.engines[0], ms(15));
    cr_assert_not(engine_extract(&bench.engines[0], number, ms(15)));
    tear_down(&bench);
}

/* The fourth token still comes at 40 ms; the fifth has to wait until 100. */
Test(eviction, a_pause_holds_up_the_next_iteration)
{
    struct bench bench;
    set_up(&bench, &plain);
    uint32_t number = send(&bench, 0, 4, 10);
    run_until(&bench.engines[0], ms(35));
    engine_pause(&bench.engines[0], ms(35), ms(100));
    run_until(&bench.engines[0], TICK_NEVER);
    expect_ms(bench.pool.requests[number].last_token, 100 + 60);
    expect_ms(bench.itl.max, 70);
    tear_down(&bench);
}

/* Answers of three and ten tokens that are returned together: at 45 ms the first is complete, but
 * nobody has had it. Returned early, it is gone, and the other has four. */
Test(eviction, answers_that_were_not_returned_are_lost)
{
    for (int early = 0; early <= 1; early++) {
        struct bench bench;
        const struct engine_config config = {
            .batching = {.kind = BATCHING_DYNAMIC, .max_batch = 4, .returned_early = early}};
        set_up(&bench, &config);
        send(&bench, 0, 4, 3);
        uint32_t number = send(&bench, 0, 4, 10);
        run_until(&bench.engines[0], ms(45));
        engine_evict(&bench.engines[0], ms(45), &bench.evicted);
        const struct request *request = &bench.pool.requests[number];
        cr_assert_eq(bench.evicted.count, early ? 1 : 2);
        cr_assert_eq(request->emitted, early ? 4 : 0);
        engine_resume(&bench.engines[1], number, ms(45));
        run_until(&bench.engines[1], TICK_NEVER);
        cr_assert_eq(request->emitted, 10);
        expect_ms(request->first_token, early ? 10 : 55);
        expect_ms(request->last_token, 45 + (early ? 60 : 100));
        tear_down(&bench);
    }
}

/* A prompt of 8 tokens is found whole, but for its last block, until the machine is another. */
Test(eviction, a_new_machine_has_nothing_cached)
{
    static const uint64_t ids[] = {1, 2, 3};
    const struct arrival arrival = {.prompt_tok = 12,
                                    .output_tok = 2,
                                    .block_tok = 4,
                                    .blocks = 3,
                                    .hash_ids = ids,
                                    .session = ARRIVAL_NO_ID};
    const struct engine_config keeps = {.chunked_prefill = true, .keeps_blocks = true};
    const uint64_t computed_tok[] = {12, 4, 12};
    struct prefix_ids lists;
    struct bench bench;
    prefix_ids_init(&lists);
    set_up(&bench, &keeps);
    struct engine *engine = &bench.engines[0];
    engine_share_prefixes(engine, &lists, NULL);
    uint64_t before_tok = 0;
    for (int i = 0; i < 3; i++) {
        tick_t now = ms(100 * i);
        struct request request = {.arrival = now, .prompt_tok = 12, .output_tok = 2};
        request.prefix = prefix_ids_take(&lists, &arrival, 4);
        if (i == 2)
            engine_restart(engine, now);
        engine_submit(engine, request_pool_take(&bench.pool, &request), now);
        run_until(engine, TICK_NEVER);
        cr_assert_eq(engine->totals.prefill_tok - before_tok, computed_tok[i]);
        before_tok = engine->totals.prefill_tok;
    }
    prefix_ids_free(&lists);
    tear_down(&bench);
}

/* A second record of a request waits elsewhere for its cache. What dies there leaves the list alone
 * that is in use where the prompt is computed. */
Test(eviction, a_list_in_use_at_the_source_is_left_alone)
{
    static const uint64_t ids[] = {1, 2, 3};
    const struct arrival arrival = {.prompt_tok = 12,
                                    .output_tok = 2,
                                    .block_tok = 4,
                                    .blocks = 3,
                                    .hash_ids = ids,
                                    .session = ARRIVAL_NO_ID};
    const struct engine_config keeps = {.chunked_prefill = true, .keeps_blocks = true};
    struct prefix_ids lists;
    struct bench bench;
    prefix_ids_init(&lists);
    set_up(&bench, &keeps);
    for (int i = 0; i < HAND_ENGINES; i++)
        engine_share_prefixes(&bench.engines[i], &lists, NULL);
    struct request request = {.prompt_tok = 12, .output_tok = 5};
    request.prefix = prefix_ids_take(&lists, &arrival, 4);
    engine_submit(&bench.engines[0], request_pool_take(&bench.pool, &request), 0);
    engine_boundary(&bench.engines[0]);
    request.emitted = 1;
    request.remote_kv = true;
    engine_submit(&bench.engines[1], request_pool_take(&bench.pool, &request), 0);
    engine_evict(&bench.engines[1], 0, &bench.evicted);
    cr_assert_eq(bench.evicted.count, 1);
    run_until(&bench.engines[0], TICK_NEVER);
    prefixes_trim(&bench.engines[0], 0);
    cr_assert_eq(bench.engines[0].used_blocks, 0);
    struct prefix_cache *cache = bench.engines[0].prefixes->cache;
    cr_assert_eq(prefix_cache_queued(cache), bench.config.kv_blocks);
    prefix_cache_evict(cache, 0); /* nobody uses it any more: it can be forgotten */
    const struct prefix_list *list = prefix_list_of(&lists, request.prefix);
    cr_assert_eq(prefix_cache_find(cache, list, 11).tok, 0);
    prefix_ids_free(&lists);
    tear_down(&bench);
}

/* Without chunks what is recomputed has to fit the token budget, also where nothing is preempted.
 */
Test(eviction, not_every_engine_takes_what_has_grown)
{
    struct bench bench;
    const struct engine_config whole = {.admission = ADMIT_NO_EVICT};
    set_up(&bench, &whole);
    bench.config.kv_blocks = 100;
    struct request request = {.prompt_tok = 60, .output_tok = 50, .emitted = 4};
    cr_assert(engine_accepts_resumed(&bench.config, &request));
    request.emitted = 5;
    cr_assert_not(engine_accepts_resumed(&bench.config, &request));
    request.remote_kv = true;
    cr_assert(engine_accepts_resumed(&bench.config, &request));
    tear_down(&bench);
}
