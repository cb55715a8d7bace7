/* The seam between a simulation and its control plane. */
#include "models/fleet/elasticity.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/fleet/elasticity_parts.h"

/* A run that has nothing left but requests that wait for a replica that no scaler starts ends after
 * this long. */
#define PATIENCE_S (7 * 86400.0)

/* --- what scalers see --- */

static tick_t busy_so_far(const struct simulation *sim, uint32_t pool)
{
    tick_t busy = 0;
    for (uint32_t i = 0; i < sim->spec->pools[pool].replicas; i++) {
        const struct engine *engine = &sim->engines[sim->first_replica[pool] + i];
        busy += engine->totals.busy + busy_in_run(engine, sim->now);
    }
    return busy;
}

static void see_ttft(struct elastic_counters *counters, struct request *request)
{
    if (request->ttft_seen || request->first_token == TICK_NEVER)
        return;
    request->ttft_seen = true;
    scaler_observe(&counters->ttft, SCALER_TTFT_S,
                   tick_to_s(request->first_token - request->arrival));
}

/* vLLM counts a TTFT with the first token, not with the last: those that still run have theirs
 * counted when somebody looks. With prefill and decode apart a request may have two records, and
 * its end counts. */
static void see_first_tokens(struct simulation *sim, uint32_t pool)
{
    uint32_t first = sim->first_replica[pool];
    for (uint32_t i = first; i < first + sim->spec->pools[pool].replicas; i++) {
        uint32_t number = sim->engines[i].running.head;
        for (; number != REQUEST_NONE; number = sim->requests.requests[number].next)
            see_ttft(&sim->elastic->counters[pool], &sim->requests.requests[number]);
    }
}

/* plane_actions.metrics */
static void see(void *context, uint32_t pool, struct scaler_metrics *out)
{
    struct simulation *sim = context;
    const struct elasticity *elastic = sim->elastic;
    const struct elastic_counters *counters = &elastic->counters[pool];
    const struct plane_totals *totals = plane_totals_of(elastic->plane, pool);
    uint32_t first = sim->first_replica[pool];
    double blocks = (double)sim->configs[pool].kv_blocks;
    for (uint32_t i = first; i < first + sim->spec->pools[pool].replicas; i++) {
        if (!elastic->replicas[i].open)
            continue;
        const struct engine *engine = &sim->engines[i];
        out->waiting += engine->waiting + engine->swapped_count + engine->load_count;
        out->running += engine_running(engine);
        out->kv_used += (double)engine_blocks_at(engine, sim->now) / blocks;
    }
    out->held = elastic->held_count;
    if (sim->disaggregation && sim->spec->pools[pool].role != ROLE_PREFILL)
        out->held += disaggregation_stranded(sim);
    out->arrived =
        sim->result->pools[pool].arrived + sim->result->pools[pool].handed_in + elastic->held_fresh;
    out->arrived_prompt_tok = counters->arrived_prompt_tok;
    out->output_tok = sim->result->pools[pool].output_tok;
    out->ended = counters->ended;
    out->missed_slo = counters->missed_slo;
    out->busy_s = tick_to_s(busy_so_far(sim, pool));
    out->ready_s = time_stat_mean(&totals->ready, sim->now) * tick_to_s(sim->now);
    if (!sim->disaggregation)
        see_first_tokens(sim, pool);
    out->ttft = counters->ttft;
    out->tpot = counters->tpot;
    out->e2e = counters->e2e;
}

static void count_ended(struct elastic_counters *counters, bool good)
{
    counters->ended++;
    counters->missed_slo += !good;
}

/* Where prefill and decode are apart, the time to the first token is for the pool that computed the
 * prompt to answer for, and what comes after it for the pool that decoded; a missed SLO for both.
 */
static void show_scalers(struct simulation *sim, const struct request *request,
                         const struct latencies *latencies, bool good)
{
    uint32_t prompt_replica =
        sim->disaggregation ? disaggregation_prompt_replica(sim, request) : request->replica;
    struct elastic_counters *prompt = &sim->elastic->counters[sim->pool_of[prompt_replica]];
    struct elastic_counters *answer = &sim->elastic->counters[sim->pool_of[request->replica]];
    count_ended(answer, good);
    if (prompt != answer)
        count_ended(prompt, good);
    if (!request->ttft_seen)
        scaler_observe(&prompt->ttft, SCALER_TTFT_S, tick_to_s(latencies->ttft));
    scaler_observe(&answer->e2e, SCALER_E2E_S, tick_to_s(latencies->e2e));
    if (latencies->tpot != TICK_NEVER)
        scaler_observe(&answer->tpot, SCALER_TPOT_S, tick_to_s(latencies->tpot));
}

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void elastic_completed(struct simulation *sim, const struct request *request,
                       const struct latencies *latencies)
{
    struct elasticity *elastic = sim->elastic;
    uint32_t pool = sim->pool_of[request->replica];
    bool good = keeps_bounds(sim, request->class_index, latencies);
    show_scalers(sim, request, latencies, good);
    struct usage_class_hour *hour =
        usage_class_hour(&elastic->result->usage, pool, request->class_index, sim->now);
    hour->requests++;
    hour->good += good;
    hour->prompt_tok += request->prompt_tok;
    hour->cached_tok += max_u32(request->cached_tok, request->found_tok);
    hour->output_tok += request->output_tok;
}

/* --- what the plane orders --- */

static struct elastic_replica *replica_of(struct simulation *sim, uint32_t replica)
{
    return &sim->elastic->replicas[replica];
}

static enum interruption_policy policy_of(const struct simulation *sim, uint32_t replica)
{
    const struct elastic_settings *settings =
        sim->elastic->spec->pools[sim->pool_of[replica]].settings;
    return settings ? (enum interruption_policy)settings->interruption.policy : INTERRUPTION_DRAIN;
}

static void set_available(struct simulation *sim, uint32_t replica, bool available)
{
    if (sim->disaggregation)
        disaggregation_set_available(sim, replica, available);
    else
        router_set_available(sim->router, replica, available);
}

static void close_replica(struct simulation *sim, uint32_t replica)
{
    replica_of(sim, replica)->open = false;
    set_available(sim, replica, false);
    sim->elastic->changed = sim->now;
}

/* plane_actions.up */
static void come_up(void *context, uint32_t replica, tick_t now)
{
    struct simulation *sim = context;
    engine_restart(&sim->engines[replica], now);
    replica_of(sim, replica)->network_free = now;
    replica_of(sim, replica)->kept = REQUEST_NONE;
    elastic_source_lost(sim, replica);
    replica_of(sim, replica)->open = true;
    set_available(sim, replica, true);
    sim->elastic->changed = now;
    elastic_checkpoints_begin(sim, replica);
    elastic_release_held(sim);
}

static void evict_all(struct simulation *sim, uint32_t replica, bool lost)
{
    if (sim->disaggregation)
        disaggregation_evict(sim, replica, &sim->elastic->evicted);
    else
        engine_evict(&sim->engines[replica], sim->now, &sim->elastic->evicted);
    replica_changed(sim, replica);
    elastic_relocate(sim, replica, lost);
}

static void send_away_who_waits(struct simulation *sim, uint32_t replica)
{
    if (sim->disaggregation)
        disaggregation_withdraw(sim, replica, &sim->elastic->evicted);
    else
        engine_withdraw(&sim->engines[replica], sim->now, &sim->elastic->evicted);
    replica_changed(sim, replica);
    elastic_relocate(sim, replica, false);
}

/* Nobody has told the router, nor the engine: it goes on as if nothing were, to the end. */
static bool is_unheeded(enum interruption_policy policy)
{
    return policy == INTERRUPTION_IGNORE || policy == INTERRUPTION_LOSE;
}

/* plane_actions.drain */
static bool drain(void *context, uint32_t replica, enum departure why, tick_t now, tick_t deadline)
{
    struct simulation *sim = context;
    (void)now;
    bool noticed = why == DEPARTURE_NOTICE;
    enum interruption_policy policy = policy_of(sim, replica);
    if (noticed && is_unheeded(policy))
        return false;
    close_replica(sim, replica);
    if (noticed)
        elastic_heed_notice(sim, replica, deadline);
    if (noticed && policy == INTERRUPTION_REQUEUE) {
        evict_all(sim, replica, false);
    } else if (noticed) {
        send_away_who_waits(sim, replica);
        if (policy == INTERRUPTION_MIGRATE && !sim->disaggregation)
            elastic_plan_migration(sim, replica, deadline);
    }
    replica_of(sim, replica)->drains = replica_of(sim, replica)->requests > 0;
    return !replica_of(sim, replica)->drains;
}

/* plane_actions.down */
static void go_down(void *context, uint32_t replica, enum departure why, tick_t now)
{
    struct simulation *sim = context;
    (void)why;
    (void)now;
    replica_of(sim, replica)->drains = false;
    if (replica_of(sim, replica)->open)
        close_replica(sim, replica);
    evict_all(sim, replica, policy_of(sim, replica) == INTERRUPTION_LOSE);
    elastic_source_lost(sim, replica);
    elastic_lose_kept(sim, replica);
}

/* --- time --- */

/* Busy time is booked by the clock hour. */
static void book_busy(struct simulation *sim, tick_t within)
{
    struct elasticity *elastic = sim->elastic;
    for (uint32_t pool = 0; pool < sim->spec->pool_count; pool++) {
        tick_t busy = busy_so_far(sim, pool);
        usage_hour(&elastic->result->usage, pool, within)->busy_ticks += busy - elastic->busy[pool];
        elastic->busy[pool] = busy;
    }
}

static void end_hour(struct simulation *sim)
{
    struct elasticity *elastic = sim->elastic;
    struct usage *usage = &elastic->result->usage;
    book_busy(sim, sim->now - 1);
    elastic->hour_ends = usage_hour_start(usage, usage_hour_of(usage, sim->now) + 1);
}

/* What happened at boundaries of replicas is taken up one tick later: whether others are at a
 * boundary at that tick must not matter (disaggregation.c). */
void elastic_schedule(struct simulation *sim)
{
    struct elasticity *elastic = sim->elastic;
    tick_t next = plane_next(elastic->plane);
    next = elastic->hour_ends < next ? elastic->hour_ends : next;
    tick_t move = elastic_next_move(sim);
    next = move < next ? move : next;
    tick_t checkpoint = elastic_next_checkpoint(sim);
    next = checkpoint < next ? checkpoint : next;
    event_queue_set(&sim->queue, actor_elastic(sim), PRIORITY_ELASTIC,
                    elastic->emptied_count > 0 ? sim->now + 1 : next);
}

static void tell_emptied(struct simulation *sim)
{
    struct elasticity *elastic = sim->elastic;
    while (elastic->emptied_count > 0) {
        uint32_t replica = elastic->emptied[--elastic->emptied_count];
        if (!elastic->replicas[replica].drains)
            continue; /* it went down in the meantime */
        elastic->replicas[replica].drains = false;
        plane_emptied(elastic->plane, replica, sim->now);
    }
}

void elastic_event(struct simulation *sim)
{
    struct elasticity *elastic = sim->elastic;
    tell_emptied(sim);
    elastic_act_on_moves(sim);
    elastic_act_on_checkpoints(sim);
    if (elastic->hour_ends <= sim->now)
        end_hour(sim);
    if (plane_next(elastic->plane) <= sim->now)
        plane_advance(elastic->plane, sim->now);
    const char *ended = plane_ended_record(elastic->plane);
    if (ended) {
        error_set(sim->error, ERROR_BAD_INPUT,
                  "the run goes on at %.0f s, where the record of market \"%s\" ends",
                  tick_to_s(sim->now), ended);
        error_hint(sim->error, "set \"horizon_s\", or the market's \"after_end\" to \"hold\" or "
                               "\"repeat\"");
        sim->failed = true;
    }
    elastic_schedule(sim);
}

void elastic_joined(struct simulation *sim, uint32_t replica)
{
    replica_of(sim, replica)->requests++;
}

void elastic_left(struct simulation *sim, uint32_t replica)
{
    struct elasticity *elastic = sim->elastic;
    struct elastic_replica *of = replica_of(sim, replica);
    assert(of->requests > 0);
    if (--of->requests > 0 || !of->drains)
        return;
    elastic->emptied[elastic->emptied_count++] = replica;
    elastic_schedule(sim);
}

struct plane_view elastic_look(const struct simulation *sim, uint32_t pool)
{
    return plane_look(sim->elastic->plane, pool);
}

bool elastic_only_watches(const struct simulation *sim)
{
    const struct elasticity *elastic = sim->elastic;
    uint32_t waiting = elastic->held_count;
    if (sim->disaggregation)
        waiting += disaggregation_stranded(sim);
    return waiting == 0 || (!plane_is_moving(elastic->plane) &&
                            tick_to_s(sim->now - elastic->changed) > PATIENCE_S);
}

/* --- set up --- */

struct plane_pool elastic_plane_pool(const struct elastic_pool_spec *given)
{
    return (struct plane_pool){.settings = given->settings,
                               .initial = given->initial,
                               .bought_as = given->bought_as,
                               .replicas_per_node = given->replicas_per_node,
                               .instances_per_node = given->instances_per_node,
                               .gpus_per_node = given->gpus_per_node,
                               .start_up = given->start_up,
                               .markets = given->markets,
                               .market_names = given->market_names,
                               .market_count = given->market_count,
                               .on_demand_usd_per_hour = given->usd_per_hour};
}

static struct plane_pool describe_pool(const struct simulation *sim, uint32_t pool)
{
    const struct pool_spec *spec = &sim->spec->pools[pool];
    struct plane_pool described = elastic_plane_pool(&sim->elastic->spec->pools[pool]);
    described.name = spec->name;
    described.first_replica = sim->first_replica[pool];
    described.slots = spec->replicas;
    return described;
}

static void name_usage(struct simulation *sim)
{
    const struct simulation_spec *spec = sim->spec;
    const struct elastic_spec *given = sim->elastic->spec;
    struct usage *usage = &sim->elastic->result->usage;
    usage_init(usage, given->start_unix_s);
    for (size_t i = 0; i < spec->pool_count; i++) {
        const char *model = spec->model_names ? spec->model_names[spec->pools[i].model] : "";
        usage_add_pool(usage, &(struct usage_pool){spec->pools[i].name, model,
                                                   given->pools[i].replicas_per_node});
    }
    for (uint32_t i = 0; i < given->market_count; i++)
        usage_add_market(usage, &given->market_usage[i]);
    for (size_t i = 0; i < spec->pool_count; i++)
        usage_add_market(usage, &given->pools[i].usage);
    for (size_t i = 0; i < spec->class_count; i++)
        usage_add_class(usage, &(struct usage_class){spec->classes[i].name, given->tenants[i]});
}

static bool allocate(struct simulation *sim)
{
    struct elasticity *elastic = sim->elastic = calloc(1, sizeof *elastic);
    struct elastic_result *result = sim->result->elastic = calloc(1, sizeof *result);
    size_t pools = sim->spec->pool_count;
    if (!elastic || !result)
        return false;
    elastic->spec = sim->spec->elastic;
    elastic->result = result;
    elastic->held_head = elastic->held_tail = REQUEST_NONE;
    elastic->pools = calloc(pools, sizeof *elastic->pools);
    elastic->counters = calloc(pools, sizeof *elastic->counters);
    elastic->busy = calloc(pools, sizeof *elastic->busy);
    elastic->replicas = calloc(sim->replicas, sizeof *elastic->replicas);
    elastic->emptied = calloc(sim->replicas, sizeof *elastic->emptied);
    result->pools = calloc(pools, sizeof *result->pools);
    return elastic->pools && elastic->counters && elastic->busy && elastic->replicas &&
           elastic->emptied && result->pools &&
           event_queue_init(&elastic->checkpoints, sim->replicas);
}

bool elastic_start(struct simulation *sim)
{
    if (!sim->spec->elastic)
        return true;
    if (!allocate(sim))
        return error_set(sim->error, ERROR_FAILED, "out of memory");
    struct elasticity *elastic = sim->elastic;
    const struct elastic_spec *spec = elastic->spec;
    name_usage(sim);
    for (uint32_t i = 0; i < sim->spec->pool_count; i++)
        elastic->pools[i] = describe_pool(sim, i);
    for (uint32_t i = 0; i < sim->replicas; i++)
        set_available(sim, i, false);
    elastic->plane_spec = (struct plane_spec){
        .pools = elastic->pools,
        .pool_count = (uint32_t)sim->spec->pool_count,
        .markets = spec->markets,
        .market_count = spec->market_count,
        .rebalance = spec->rebalance,
        .budget_usd_per_hour = spec->budget_usd_per_hour,
        .start_unix_s = spec->start_unix_s,
        .seed = sim->spec->seed,
        .replication = sim->spec->replication,
        .usage = &elastic->result->usage,
        .actions = {
            .context = sim, .metrics = see, .up = come_up, .drain = drain, .down = go_down}};
    elastic->plane = plane_create(&elastic->plane_spec, sim->error);
    if (!elastic->plane)
        return false;
    plane_start(elastic->plane);
    elastic->hour_ends = usage_hour_start(&elastic->result->usage, 1);
    elastic_schedule(sim);
    return true;
}

void elastic_stop(struct simulation *sim)
{
    struct elasticity *elastic = sim->elastic;
    if (!elastic)
        return;
    plane_destroy(elastic->plane);
    eviction_free(&elastic->evicted);
    free(elastic->moves);
    event_queue_free(&elastic->checkpoints);
    free(elastic->pools);
    free(elastic->counters);
    free(elastic->busy);
    free(elastic->replicas);
    free(elastic->emptied);
    free(elastic);
    sim->elastic = NULL;
}

/* --- results --- */

/* A node that is billed draws the power of its replicas idling, ready or not. */
static void sum_up_pool(struct simulation *sim, uint32_t number)
{
    const struct elastic_pool_spec *given = &sim->elastic->spec->pools[number];
    const struct plane_totals *totals = &sim->elastic->result->pools[number];
    const struct pool_spec *spec = &sim->spec->pools[number];
    struct pool_result *pool = &sim->result->pools[number];
    double end_s = tick_to_s(sim->now);
    double powered_s = time_stat_mean(&totals->nodes, sim->now) * end_s * given->replicas_per_node;
    pool->replica_s = time_stat_mean(&totals->serving, sim->now) * end_s;
    pool->cost_usd = totals->cost_usd;
    pool->energy_j = spec->idle_w * powered_s + (spec->busy_w - spec->idle_w) * pool->busy_s;
}

void elastic_sum_up(struct simulation *sim)
{
    struct elasticity *elastic = sim->elastic;
    struct elastic_result *result = elastic->result;
    book_busy(sim, sim->now > 0 ? sim->now - 1 : 0);
    plane_finish(elastic->plane, sim->now);
    for (uint32_t i = 0; i < sim->spec->pool_count; i++) {
        result->pools[i] = *plane_totals_of(elastic->plane, i);
        sum_up_pool(sim, i);
    }
    result->spend = *plane_spend(elastic->plane);
    sim->result->arrived += elastic->held_fresh;
    sim->result->in_flight += elastic->held_count;
    for (uint32_t i = elastic->held_head; i != REQUEST_NONE; i = sim->requests.requests[i].next) {
        result->requests.held_s += tick_to_s(sim->now - sim->requests.requests[i].held_since);
        judge_record(sim, i);
    }
}

void elastic_result_free(struct elastic_result *result)
{
    if (!result)
        return;
    usage_free(&result->usage);
    free(result->pools);
    free(result);
}
