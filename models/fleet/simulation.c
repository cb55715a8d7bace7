/* The event loop. Actors of the event queue: replicas 0 .. R-1, then the arrival stream, the end of
 * the warm-up, and the sampler. At one tick, arrivals come before the boundaries of replicas (so
 * that what arrives at a boundary joins there), and samples come last. */
#include "models/fleet/simulation.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/fleet/routing.h"
#include "sim/event_queue.h"
#include "sim/time_stat.h"

enum priority { PRIORITY_ARRIVAL, PRIORITY_WARMUP, PRIORITY_REPLICA, PRIORITY_SAMPLE };

#define EVENTS_PER_PROCEED    16384 /* a power of two; some milliseconds of work */
/* A client that was refused is not back at once: one that can never be served would stop time. */
#define REFUSED_CLIENT_WAIT_S 1.0

/* The bounds of an SLO rule in ticks; TICK_NEVER where there is none. */
struct bounds {
    uint32_t class_index; /* UINT32_MAX: all */
    tick_t ttft, tpot, e2e;
};

struct simulation {
    const struct simulation_spec *spec;
    struct simulation_result *result;
    struct error *error;

    struct event_queue queue;
    uint32_t replicas;
    struct engine *engines;        /* [replicas] */
    uint32_t *pool_of;             /* [replicas] */
    uint32_t *first_replica;       /* [pools] */
    struct engine_config *configs; /* [pools] */
    struct request_pool requests;
    struct router *router;
    struct bounds *bounds;         /* [slo rules] */
    struct time_stat *outstanding; /* [pools]: requests sent there that have not ended */

    tick_t now, horizon, warmup;
    bool measuring; /* the warm-up is over */
    bool failed;    /* the source or memory gave out; error is filled */
    bool answered;  /* a client of a closed loop was told of an end: the next arrival may move */

    tick_t sampled;              /* time of the last sample */
    tick_t *sampled_busy;        /* [pools]: busy time up to then */
    struct pool_sample *samples; /* [pools] */
};

static uint32_t actor_arrival(const struct simulation *sim)
{
    return sim->replicas;
}

static uint32_t actor_warmup(const struct simulation *sim)
{
    return sim->replicas + 1;
}

static uint32_t actor_sampler(const struct simulation *sim)
{
    return sim->replicas + 2;
}

/* --- ends of requests --- */

struct latencies {
    tick_t queue, ttft, tpot, e2e; /* tpot: TICK_NEVER for a one-token answer */
};

static struct latencies latencies_of(const struct request *request, tick_t overhead)
{
    tick_t decoding = request->last_token - request->first_token;
    return (struct latencies){.queue = request->first_scheduled - request->arrival,
                              .ttft = request->first_token - request->arrival + overhead,
                              .tpot = request->output_tok > 1 ? decoding / (request->output_tok - 1)
                                                              : TICK_NEVER,
                              .e2e = request->last_token - request->arrival + overhead};
}

static bool applies(const struct bounds *bounds, uint32_t class_index)
{
    return bounds->class_index == UINT32_MAX || bounds->class_index == class_index;
}

static bool keeps(const struct bounds *bounds, const struct latencies *latencies)
{
    bool tpot_kept = latencies->tpot == TICK_NEVER || latencies->tpot <= bounds->tpot;
    return latencies->ttft <= bounds->ttft && tpot_kept && latencies->e2e <= bounds->e2e;
}

/* Counts a request for every SLO rule of its class; latencies NULL: it was rejected, so it missed
 * them. Returns whether it kept them all. */
static bool judge(struct simulation *sim, uint32_t class_index, const struct latencies *latencies)
{
    bool all_kept = true;
    for (size_t i = 0; i < sim->spec->slo_count; i++) {
        const struct bounds *bounds = &sim->bounds[i];
        if (!applies(bounds, class_index))
            continue;
        bool kept = latencies && keeps(bounds, latencies);
        sim->result->slos[i].requests++;
        sim->result->slos[i].met += kept;
        all_kept &= kept;
    }
    return all_kept;
}

/* A request that is in flight at the end counts where it has broken a bound already; whether it
 * would have kept the others is not known. */
static void judge_in_flight(struct simulation *sim, const struct request *request)
{
    if (request->arrival < sim->warmup)
        return;
    tick_t waited = sim->now - request->arrival;
    struct latencies least = {.ttft = request->emitted > 0 ? request->first_token - request->arrival
                                                           : waited,
                              .tpot = TICK_NEVER,
                              .e2e = waited};
    bool late = false;
    for (size_t i = 0; i < sim->spec->slo_count; i++) {
        const struct bounds *bounds = &sim->bounds[i];
        if (!applies(bounds, request->class_index) || keeps(bounds, &least))
            continue;
        sim->result->slos[i].requests++;
        late = true;
    }
    sim->result->by_class[request->class_index].late += late;
}

/* first: the head of a running list or a waiting queue. */
static void judge_list(struct simulation *sim, uint32_t first)
{
    for (uint32_t number = first; number != REQUEST_NONE;) {
        const struct request *request = &sim->requests.requests[number];
        judge_in_flight(sim, request);
        number = request->next;
    }
}

static void measure_completed(struct simulation *sim, const struct request *request,
                              const struct latencies *latencies)
{
    struct latency_set *set = &sim->result->by_class[request->class_index];
    set->completed++;
    set->prompt_tok += request->prompt_tok;
    set->output_tok += request->output_tok;
    struct pool_result *pool = &sim->result->pools[sim->pool_of[request->replica]];
    histogram_add(&set->queue, latencies->queue, 1);
    histogram_add(&set->ttft, latencies->ttft, 1);
    histogram_add(&pool->ttft, latencies->ttft, 1);
    histogram_add(&set->e2e, latencies->e2e, 1);
    histogram_add(&pool->e2e, latencies->e2e, 1);
    if (latencies->tpot != TICK_NEVER) {
        histogram_add(&set->tpot, latencies->tpot, 1);
        histogram_add(&pool->tpot, latencies->tpot, 1);
    }
    set->slo_met += judge(sim, request->class_index, latencies);
}

static void observe_request(struct simulation *sim, const struct request *request,
                            const struct latencies *latencies)
{
    struct request_record record = {.arrival_s = tick_to_s(request->arrival),
                                    .queue_s = NAN,
                                    .ttft_s = NAN,
                                    .tpot_s = NAN,
                                    .e2e_s = NAN,
                                    .prompt_tok = request->prompt_tok,
                                    .output_tok = request->output_tok,
                                    .class_index = request->class_index,
                                    .pool = sim->pool_of[request->replica],
                                    .replica = request->replica -
                                               sim->first_replica[sim->pool_of[request->replica]],
                                    .preemptions = request->preemptions,
                                    .rejected = latencies == NULL};
    if (latencies) {
        record.queue_s = tick_to_s(latencies->queue);
        record.ttft_s = tick_to_s(latencies->ttft);
        record.tpot_s = latencies->tpot == TICK_NEVER ? NAN : tick_to_s(latencies->tpot);
        record.e2e_s = tick_to_s(latencies->e2e);
    }
    sim->spec->observer.request(sim->spec->observer.context, &record);
}

/* The end of a request frees its client, if it has one that waits (a closed loop). */
static void answer_client(struct simulation *sim, const struct request *request, double when_s)
{
    if (request->client == ARRIVAL_NO_ID)
        return;
    source_ended(sim->spec->source, request->stream, request->client, when_s);
    sim->answered = true;
}

static void add_outstanding(struct simulation *sim, uint32_t pool, double change)
{
    struct time_stat *outstanding = &sim->outstanding[pool];
    time_stat_set(outstanding, sim->now, outstanding->value + change);
}

static void complete(struct simulation *sim, uint32_t number)
{
    const struct request *request = &sim->requests.requests[number];
    uint32_t pool_index = sim->pool_of[request->replica];
    struct pool_result *pool = &sim->result->pools[pool_index];
    add_outstanding(sim, pool_index, -1);
    tick_t overhead = sim->configs[pool_index].request_overhead;
    struct latencies latencies = latencies_of(request, overhead);
    pool->completed++;
    pool->prompt_tok += request->prompt_tok;
    pool->output_tok += request->output_tok;
    if (sim->measuring) {
        sim->result->window_completed++;
        sim->result->window_prompt_tok += request->prompt_tok;
        sim->result->window_output_tok += request->output_tok;
    }
    if (request->arrival >= sim->warmup)
        measure_completed(sim, request, &latencies);
    if (sim->spec->observer.request)
        observe_request(sim, request, &latencies);
    router_release(sim->router, request->replica, request->prompt_tok, request->output_tok);
    answer_client(sim, request, tick_to_s(sim->now + overhead));
    request_pool_give_back(&sim->requests, number);
}

static void reject(struct simulation *sim, const struct request *request)
{
    sim->result->pools[sim->pool_of[request->replica]].rejected++;
    if (request->arrival >= sim->warmup) {
        sim->result->by_class[request->class_index].rejected++;
        judge(sim, request->class_index, NULL);
    }
    if (sim->spec->observer.request)
        observe_request(sim, request, NULL);
    router_release(sim->router, request->replica, request->prompt_tok, request->output_tok);
    answer_client(sim, request, tick_to_s(sim->now) + REFUSED_CLIENT_WAIT_S);
}

/* --- arrivals --- */

/* Schedules the source's next arrival, not before `earliest`. */
static void await_arrival(struct simulation *sim, tick_t earliest)
{
    double time_s;
    tick_t next = TICK_NEVER;
    sim->answered = false;
    switch (source_peek(sim->spec->source, &time_s, sim->error)) {
    case SOURCE_READY:
        if (time_s > CLOCK_MAX_S) {
            error_set(sim->error, ERROR_BAD_INPUT,
                      "a request arrives after %g s; the clock ends at %.0f s (%.0f days)", time_s,
                      CLOCK_MAX_S, CLOCK_MAX_S / 86400);
            error_hint(sim->error, "set \"horizon_s\", or raise the rate");
            sim->failed = true;
            return;
        }
        next = tick_from_s(time_s);
        next = next < earliest ? earliest : next;
        break;
    case SOURCE_WAIT:
    case SOURCE_END:
        break;
    case SOURCE_FAILED:
        sim->failed = true;
        return;
    }
    event_queue_set(&sim->queue, actor_arrival(sim), PRIORITY_ARRIVAL, next);
}

static uint32_t classify(const struct simulation *sim, const struct arrival *arrival)
{
    size_t class_index =
        class_rule_first(sim->spec->classes, sim->spec->class_count, arrival->stream,
                         arrival->prompt_tok, arrival->output_tok);
    assert(class_index < sim->spec->class_count && "the last class matches all");
    return (uint32_t)class_index;
}

static void replica_changed(struct simulation *sim, uint32_t replica)
{
    event_queue_set(&sim->queue, replica, PRIORITY_REPLICA, sim->engines[replica].next);
}

static void submit(struct simulation *sim, const struct request *request)
{
    uint32_t number = request_pool_take(&sim->requests);
    if (number == REQUEST_NONE) {
        error_set(sim->error, ERROR_FAILED, "out of memory with %u requests in flight",
                  sim->requests.in_use);
        sim->failed = true;
        return;
    }
    sim->requests.requests[number] = *request;
    add_outstanding(sim, sim->pool_of[request->replica], 1);
    struct engine *engine = &sim->engines[request->replica];
    tick_t before = engine->next;
    engine_submit(engine, number, sim->now);
    if (engine->next != before)
        replica_changed(sim, request->replica);
}

static uint32_t choose_replica(struct simulation *sim, const struct request *request,
                               const struct arrival *arrival)
{
    struct router_request asked = {.now = sim->now,
                                   .class_index = request->class_index,
                                   .prompt_tok = request->prompt_tok,
                                   .output_tok = request->output_tok,
                                   .session = arrival->session,
                                   .block_tok = arrival->block_tok,
                                   .id_count = arrival->blocks,
                                   .ids = arrival->hash_ids};
    return router_choose(sim->router, &asked);
}

static void arrive(struct simulation *sim)
{
    struct arrival arrival;
    source_take(sim->spec->source, &arrival);
    struct request request = {.arrival = sim->now,
                              .prompt_tok = arrival.prompt_tok,
                              .output_tok = arrival.output_tok,
                              .cached_tok = arrival.cached_tok,
                              .class_index = classify(sim, &arrival),
                              .stream = arrival.stream,
                              .client = arrival.client};
    request.replica = choose_replica(sim, &request, &arrival);
    uint32_t pool = sim->pool_of[request.replica];
    sim->result->pools[pool].arrived++;
    if (engine_accepts(&sim->configs[pool], request.prompt_tok, request.output_tok))
        submit(sim, &request);
    else
        reject(sim, &request);
    await_arrival(sim, sim->now);
}

/* --- replicas --- */

static void observe_span(struct simulation *sim, uint32_t replica)
{
    const struct engine *engine = &sim->engines[replica];
    uint32_t pool = sim->pool_of[replica];
    struct iteration_span span = {.pool = pool,
                                  .replica = replica - sim->first_replica[pool],
                                  .start_s = tick_to_s(engine->boundary),
                                  .end_s = tick_to_s(sim->now),
                                  .iterations = engine->run.iterations,
                                  .decodes = engine->decodes,
                                  .prefill_tok = engine->run.prefill_tok};
    sim->spec->observer.span(sim->spec->observer.context, &span);
}

static void replica_boundary(struct simulation *sim, uint32_t replica)
{
    struct engine *engine = &sim->engines[replica];
    if (sim->spec->observer.span && engine_busy(engine))
        observe_span(sim, replica);
    engine_boundary(engine);
    if (sim->measuring && !engine->itl)
        engine->itl = &sim->result->pools[sim->pool_of[replica]].itl;
    for (uint32_t i = 0; i < engine->ended_count; i++)
        complete(sim, engine->ended[i]);
    replica_changed(sim, replica);
    if (sim->answered)
        await_arrival(sim, sim->now + 1);
}

/* Iterations that begin from now on are measured; runs that span the moment are cut there. */
static void end_warmup(struct simulation *sim)
{
    sim->measuring = true;
    event_queue_remove(&sim->queue, actor_warmup(sim));
    for (uint32_t i = 0; i < sim->replicas; i++) {
        engine_cut(&sim->engines[i], sim->now);
        replica_changed(sim, i);
    }
}

/* --- samples --- */

/* Time of the current run that has passed at `now`. */
static tick_t busy_in_run(const struct engine *engine, tick_t now)
{
    return engine_busy(engine) ? now - engine->boundary : 0;
}

static void sample_pool(struct simulation *sim, uint32_t pool, tick_t blocks_at)
{
    const struct pool_spec *spec = &sim->spec->pools[pool];
    struct pool_sample *sample = &sim->samples[pool];
    *sample = (struct pool_sample){.arrived = sim->result->pools[pool].arrived,
                                   .completed = sim->result->pools[pool].completed};
    tick_t busy = 0;
    int64_t blocks = 0;
    for (uint32_t i = 0; i < spec->replicas; i++) {
        const struct engine *engine = &sim->engines[sim->first_replica[pool] + i];
        sample->waiting += engine->waiting;
        sample->running += engine_running(engine);
        blocks += engine_blocks_at(engine, blocks_at);
        busy += engine->totals.busy + busy_in_run(engine, sim->now);
    }
    double interval_s = tick_to_s(sim->now - sim->sampled);
    double busy_s = tick_to_s(busy - sim->sampled_busy[pool]);
    sample->kv_used =
        (double)blocks / ((double)sim->configs[pool].kv_blocks * (double)spec->replicas);
    sample->busy = interval_s > 0 ? busy_s / (interval_s * spec->replicas) : 0;
    sample->power_w =
        spec->replicas * (spec->idle_w + (spec->busy_w - spec->idle_w) * sample->busy);
    sim->sampled_busy[pool] = busy;
}

/* Returns the seconds until the observer wants the next sample. */
static double sample_pools(struct simulation *sim, tick_t blocks_at)
{
    const struct simulation_observer *observer = &sim->spec->observer;
    for (uint32_t pool = 0; pool < sim->spec->pool_count; pool++)
        sample_pool(sim, pool, blocks_at);
    sim->sampled = sim->now;
    return observer->sample(observer->context, tick_to_s(sim->now), sim->samples,
                            sim->spec->pool_count);
}

static void sample(struct simulation *sim)
{
    double wait_s = sample_pools(sim, sim->now);
    event_queue_remove(&sim->queue, actor_sampler(sim));
    if (wait_s < CLOCK_MAX_S - tick_to_s(sim->now)) {
        tick_t wait = tick_from_s(wait_s);
        event_queue_set(&sim->queue, actor_sampler(sim), PRIORITY_SAMPLE,
                        sim->now + (wait > 0 ? wait : 1));
    }
}

/* Boundaries at the horizon are not part of the simulation. */
static tick_t last_tick(const struct simulation *sim)
{
    return sim->now == sim->horizon ? sim->now - 1 : sim->now;
}

/* What has happened since the last sample goes into one more. */
static void sample_end(struct simulation *sim)
{
    if (event_queue_has(&sim->queue, actor_sampler(sim)) && sim->sampled < sim->now)
        sample_pools(sim, last_tick(sim));
}

/* --- the loop --- */

static bool may_proceed(struct simulation *sim)
{
    const struct simulation_observer *observer = &sim->spec->observer;
    if (!observer->proceed || sim->result->events % EVENTS_PER_PROCEED != 0)
        return true;
    uint64_t completed = 0;
    for (size_t i = 0; i < sim->spec->pool_count; i++)
        completed += sim->result->pools[i].completed;
    sim->result->interrupted =
        !observer->proceed(observer->context, tick_to_s(sim->now), completed);
    return !sim->result->interrupted;
}

/* Is anything pending that can still change a request? The end of the warm-up and the sampler only
 * watch: waiting for them would make the simulation longer than what it simulates. */
static bool work_left(const struct simulation *sim)
{
    uint32_t watchers = event_queue_has(&sim->queue, actor_warmup(sim)) +
                        event_queue_has(&sim->queue, actor_sampler(sim));
    return sim->queue.count > watchers;
}

static void fail_at_clock_end(struct simulation *sim)
{
    error_set(sim->error, ERROR_BAD_INPUT,
              "%u requests are still in flight after %.0f days, the longest that can be simulated",
              sim->requests.in_use, CLOCK_MAX_S / 86400);
    error_hint(sim->error, "set \"horizon_s\", or give the fleet more capacity");
    sim->failed = true;
}

static void simulate(struct simulation *sim)
{
    while (!sim->failed && work_left(sim) && may_proceed(sim)) {
        const struct event_entry *event = event_queue_first(&sim->queue);
        if (event->time >= sim->horizon)
            break;
        sim->now = event->time;
        sim->result->events++;
        uint32_t actor = (uint32_t)event->actor;
        if (actor < sim->replicas)
            replica_boundary(sim, actor);
        else if (actor == actor_arrival(sim))
            arrive(sim);
        else if (actor == actor_sampler(sim))
            sample(sim);
        else
            end_warmup(sim);
    }
    bool ran_out = !sim->failed && !sim->result->interrupted;
    if (ran_out && isfinite(sim->spec->horizon_s))
        sim->now = sim->horizon;
    else if (ran_out && work_left(sim))
        fail_at_clock_end(sim);
    sample_end(sim);
}

/* --- set up and results --- */

static tick_t bound_tick(double bound_s)
{
    return bound_s < CLOCK_MAX_S ? tick_from_s(bound_s) : TICK_NEVER; /* NaN: never */
}

static bool allocate(struct simulation *sim)
{
    const struct simulation_spec *spec = sim->spec;
    struct simulation_result *result = sim->result;
    size_t pools = spec->pool_count;
    for (size_t i = 0; i < pools; i++)
        sim->replicas += spec->pools[i].replicas;
    sim->engines = calloc(sim->replicas, sizeof *sim->engines);
    sim->pool_of = calloc(sim->replicas, sizeof *sim->pool_of);
    sim->first_replica = calloc(pools, sizeof *sim->first_replica);
    sim->configs = calloc(pools, sizeof *sim->configs);
    sim->bounds = calloc(spec->slo_count + 1, sizeof *sim->bounds);
    sim->outstanding = calloc(pools, sizeof *sim->outstanding);
    sim->sampled_busy = calloc(pools, sizeof *sim->sampled_busy);
    sim->samples = calloc(pools, sizeof *sim->samples);
    result->by_class = calloc(spec->class_count, sizeof *result->by_class);
    result->pools = calloc(pools, sizeof *result->pools);
    result->slos = calloc(spec->slo_count + 1, sizeof *result->slos);
    return sim->engines && sim->pool_of && sim->first_replica && sim->configs && sim->bounds &&
           sim->outstanding && sim->sampled_busy && sim->samples && result->by_class &&
           result->pools && result->slos && event_queue_init(&sim->queue, sim->replicas + 3);
}

static bool make_engines(struct simulation *sim)
{
    uint32_t replica = 0;
    for (uint32_t pool = 0; pool < sim->spec->pool_count; pool++) {
        sim->first_replica[pool] = replica;
        sim->configs[pool] = *sim->spec->pools[pool].engine;
        sim->configs[pool].stepwise |= sim->spec->stepwise;
        for (uint32_t i = 0; i < sim->spec->pools[pool].replicas; i++, replica++) {
            sim->pool_of[replica] = pool;
            if (!engine_init(&sim->engines[replica], &sim->configs[pool], &sim->requests, NULL))
                return false;
        }
    }
    return true;
}

void pool_result_clear(struct pool_result *pool)
{
    memset(pool, 0, sizeof *pool);
    histogram_clear(&pool->ttft);
    histogram_clear(&pool->tpot);
    histogram_clear(&pool->e2e);
    histogram_clear(&pool->itl);
}

void latency_set_clear(struct latency_set *set)
{
    *set = (struct latency_set){0};
    histogram_clear(&set->ttft);
    histogram_clear(&set->tpot);
    histogram_clear(&set->e2e);
    histogram_clear(&set->queue);
}

static void clear_histograms(struct simulation *sim)
{
    for (size_t i = 0; i < sim->spec->class_count; i++)
        latency_set_clear(&sim->result->by_class[i]);
    for (size_t i = 0; i < sim->spec->pool_count; i++)
        pool_result_clear(&sim->result->pools[i]);
}

static void set_bounds(struct simulation *sim)
{
    for (size_t i = 0; i < sim->spec->slo_count; i++) {
        const struct slo_rule *rule = &sim->spec->slos[i];
        sim->bounds[i] = (struct bounds){
            .class_index = rule->class_index < 0 ? UINT32_MAX : (uint32_t)rule->class_index,
            .ttft = bound_tick(rule->ttft_s),
            .tpot = bound_tick(rule->tpot_s),
            .e2e = bound_tick(rule->e2e_s)};
    }
}

static void start(struct simulation *sim)
{
    const struct simulation_spec *spec = sim->spec;
    sim->horizon = tick_from_s(fmin(spec->horizon_s, CLOCK_MAX_S));
    sim->warmup = tick_from_s(spec->warmup_s);
    set_bounds(sim);
    event_queue_set(&sim->queue, actor_warmup(sim), PRIORITY_WARMUP, sim->warmup);
    if (spec->observer.sample)
        event_queue_set(&sim->queue, actor_sampler(sim), PRIORITY_SAMPLE,
                        tick_from_s(spec->sample_interval_s));
    await_arrival(sim, 0);
}

static void sum_up_pool(struct simulation *sim, uint32_t pool)
{
    const struct pool_spec *spec = &sim->spec->pools[pool];
    struct pool_result *result = &sim->result->pools[pool];
    tick_t busy = 0;
    unsigned __int128 sequence_ticks = 0;
    int64_t peak_blocks = 0;
    for (uint32_t i = 0; i < spec->replicas; i++) {
        const struct engine *engine = &sim->engines[sim->first_replica[pool] + i];
        const struct engine_totals *totals = &engine->totals;
        tick_t open = busy_in_run(engine, sim->now);
        busy += totals->busy + open;
        sequence_ticks +=
            totals->sequence_ticks +
            (unsigned __int128)(engine->decodes + engine->run.chunks) * (uint64_t)open;
        result->iterations += totals->iterations;
        result->preemptions += totals->preemptions;
        result->prefill_tok += totals->prefill_tok;
        int64_t open_blocks = engine_blocks_at(engine, last_tick(sim));
        peak_blocks = totals->peak_blocks > peak_blocks ? totals->peak_blocks : peak_blocks;
        peak_blocks = open_blocks > peak_blocks ? open_blocks : peak_blocks;
    }
    double end_s = tick_to_s(sim->now);
    result->in_flight = result->arrived - result->completed - result->rejected;
    result->busy_s = tick_to_s(busy);
    result->mean_batch = busy > 0 ? (double)sequence_ticks / (double)busy : 0;
    result->mean_outstanding = time_stat_mean(&sim->outstanding[pool], sim->now);
    result->max_outstanding = (uint64_t)sim->outstanding[pool].max;
    result->kv_blocks = (uint64_t)sim->configs[pool].kv_blocks;
    result->peak_kv = (double)peak_blocks / (double)sim->configs[pool].kv_blocks;
    result->cost_usd = spec->usd_per_hour * spec->replicas * end_s / 3600;
    result->energy_j =
        spec->idle_w * spec->replicas * end_s + (spec->busy_w - spec->idle_w) * result->busy_s;
}

static void sum_up(struct simulation *sim)
{
    struct simulation_result *result = sim->result;
    for (uint32_t i = 0; i < sim->replicas; i++) {
        engine_settle(&sim->engines[i], sim->now);
        judge_list(sim, sim->engines[i].running_head);
        judge_list(sim, sim->engines[i].waiting_head);
    }
    for (uint32_t pool = 0; pool < sim->spec->pool_count; pool++) {
        sum_up_pool(sim, pool);
        result->arrived += result->pools[pool].arrived;
        result->completed += result->pools[pool].completed;
        result->rejected += result->pools[pool].rejected;
        result->in_flight += result->pools[pool].in_flight;
        result->iterations += result->pools[pool].iterations;
    }
    assert(result->in_flight == sim->requests.in_use);
    result->skipped = source_skipped(sim->spec->source);
    result->end_s = tick_to_s(sim->now);
    result->measured_s = fmax(0, result->end_s - sim->spec->warmup_s);
    for (size_t i = 0; i < sim->spec->slo_count; i++) {
        struct slo_result *slo = &result->slos[i];
        double needed = sim->spec->slos[i].percentile / 100 * (double)slo->requests;
        slo->kept = (double)slo->met >= needed * (1 - 1e-12);
    }
}

static void release(struct simulation *sim)
{
    for (uint32_t i = 0; sim->engines && i < sim->replicas; i++)
        engine_free(&sim->engines[i]);
    free(sim->engines);
    free(sim->pool_of);
    free(sim->first_replica);
    free(sim->configs);
    free(sim->bounds);
    free(sim->outstanding);
    free(sim->sampled_busy);
    free(sim->samples);
    request_pool_free(&sim->requests);
    event_queue_free(&sim->queue);
    router_destroy(sim->router);
}

bool simulation_run(const struct simulation_spec *spec, struct simulation_result *result,
                    struct error *error)
{
    assert(spec->class_count >= 1 && spec->class_count <= REQUEST_CLASSES_MAX);
    *result = (struct simulation_result){0};
    struct error own_error = {0};
    struct simulation sim = {.spec = spec, .result = result, .error = error ? error : &own_error};
    request_pool_init(&sim.requests);
    if (!allocate(&sim) || !make_engines(&sim)) {
        error_set(error, ERROR_FAILED, "out of memory");
        sim.failed = true;
    } else if (!(sim.router = routing_create(spec, sim.error))) {
        sim.failed = true;
    } else {
        clear_histograms(&sim);
        start(&sim);
        simulate(&sim);
    }
    if (sim.failed)
        simulation_result_free(result);
    else
        sum_up(&sim);
    release(&sim);
    return !sim.failed;
}

void simulation_result_free(struct simulation_result *result)
{
    free(result->by_class);
    free(result->pools);
    free(result->slos);
    *result = (struct simulation_result){0};
}
