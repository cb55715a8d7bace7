/* The event loop. Actors of the event queue: replicas 0 .. R-1, then the arrival stream, the end of
 * the warm-up, the sampler, transfers, clients and the control plane. At one tick, arrivals,
 * transfers, clients and the control plane come before the boundaries of replicas (so that what
 * arrives at a boundary joins there), and samples come last.
 */
#include "models/fleet/simulation.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/engine/handover.h"
#include "models/fleet/routing.h"
#include "models/fleet/simulation_parts.h"

#define EVENTS_PER_PROCEED    16384 /* a power of two; some milliseconds of work */
/* A client that was refused is not back at once: one that can never be served would stop time. */
#define REFUSED_CLIENT_WAIT_S 1.0

/* --- ends of requests --- */

void simulation_answer_client(struct simulation *sim, const struct request *request,
                              uint32_t answer_tok, double when_s)
{
    if (request->client == ARRIVAL_NO_ID)
        return;
    source_ended(sim->spec->source,
                 &(struct arrival_end){request->stream, request->client, answer_tok, when_s});
    sim->answered = true;
}

void add_outstanding(struct simulation *sim, uint32_t pool, double change)
{
    struct time_stat *outstanding = &sim->outstanding[pool];
    time_stat_set(outstanding, sim->now, outstanding->value + change);
}

void simulation_let_go(struct simulation *sim, uint32_t number)
{
    const struct request *request = &sim->requests.requests[number];
    add_outstanding(sim, sim->pool_of[request->replica], -1);
    if (sim->disaggregation)
        disaggregation_ended(sim, number);
    else
        router_release(sim->router, request->replica, request->prompt_tok, request->predicted_tok);
    if (sim->elastic) {
        elastic_forget_move(sim, number);
        elastic_left(sim, request->replica);
    }
    sharing_end(sim, request);
    request_pool_give_back(&sim->requests, number);
}

bool simulation_cancel(struct simulation *sim, uint32_t number)
{
    uint32_t replica = sim->requests.requests[number].replica;
    if (sim->elastic && !sim->disaggregation &&
        sim->requests.requests[number].place == PLACE_HANDED) {
        elastic_forget_move(sim, number);
        return true;
    }
    if (sim->requests.requests[number].place == PLACE_HELD) {
        elastic_cancel_held(sim, number);
        return true;
    }
    if (sim->disaggregation)
        return disaggregation_cancel(sim, number);
    bool out = engine_cancel(&sim->engines[replica], number, sim->now);
    replica_changed(sim, replica);
    return out;
}

void simulation_count_completed(struct simulation *sim, uint32_t number)
{
    const struct request *request = &sim->requests.requests[number];
    uint32_t pool_index = sim->pool_of[request->replica];
    struct pool_result *pool = &sim->result->pools[pool_index];
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
        observe_request(sim, request, &latencies, OUTCOME_COMPLETED);
    if (sim->elastic)
        elastic_completed(sim, request, &latencies);
    simulation_answer_client(sim, request, request->output_tok, tick_to_s(sim->now + overhead));
    simulation_let_go(sim, number);
}

static void complete(struct simulation *sim, uint32_t number)
{
    if (sim->clients && clients_ended(sim, number))
        return;
    if (!sim->elastic || !elastic_keeps(sim, number))
        simulation_count_completed(sim, number);
}

void simulation_reject(struct simulation *sim, const struct request *request)
{
    sim->result->pools[sim->pool_of[request->replica]].rejected++;
    if (request->arrival >= sim->warmup)
        measure_rejected(sim, request);
    if (sim->spec->observer.request)
        observe_request(sim, request, NULL, OUTCOME_REJECTED);
    simulation_answer_client(sim, request, 0, tick_to_s(sim->now) + REFUSED_CLIENT_WAIT_S);
}

void simulation_refuse(struct simulation *sim, uint32_t number)
{
    simulation_reject(sim, &sim->requests.requests[number]);
    simulation_let_go(sim, number);
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

void replica_changed(struct simulation *sim, uint32_t replica)
{
    event_queue_set(&sim->queue, replica, PRIORITY_REPLICA, sim->engines[replica].next);
}

uint32_t simulation_submit(struct simulation *sim, const struct request *request)
{
    uint32_t number = request_pool_take(&sim->requests, request);
    if (number == REQUEST_NONE) {
        error_set(sim->error, ERROR_FAILED, "out of memory with %u requests in flight",
                  sim->requests.in_use);
        sim->failed = true;
        return REQUEST_NONE;
    }
    add_outstanding(sim, sim->pool_of[request->replica], 1);
    struct engine *engine = &sim->engines[request->replica];
    tick_t before = engine->next;
    engine_submit(engine, number, sim->now);
    if (engine->next != before)
        replica_changed(sim, request->replica);
    return number;
}

uint32_t simulation_route(struct simulation *sim, struct request *request,
                          const struct arrival *arrival, uint32_t asked_tok)
{
    if (sim->disaggregation)
        return disaggregation_arrive(sim, request, asked_tok);
    struct router_request asked = routing_request(sim, request, arrival->session);
    request->replica = router_choose(sim->router, &asked);
    if (request->replica == ROUTER_NO_REPLICA)
        return elastic_hold_arrival(sim, request);
    uint32_t pool = sim->pool_of[request->replica];
    sim->result->pools[pool].arrived++;
    if (sim->elastic)
        elastic_sent(sim, request);
    if (engine_accepts(&sim->configs[pool], request->prompt_tok, asked_tok))
        return simulation_submit(sim, request);
    router_release(sim->router, request->replica, request->prompt_tok, request->predicted_tok);
    if (sim->elastic)
        elastic_left(sim, request->replica);
    simulation_reject(sim, request);
    sharing_end(sim, request);
    return REQUEST_NONE;
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
                              .client = arrival.client,
                              .session = arrival.session,
                              .prefix = sharing_arrive(sim, &arrival)};
    if (sim->adapters)
        request.adapter_draw = (uint32_t)gsl_rng_get(sim->adapters);
    request.predicted_tok = routing_predict(sim, &request);
    if (sim->clients)
        clients_arrive(sim, &request, &arrival);
    else
        simulation_route(sim, &request, &arrival, request.output_tok);
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
    if (!engine->itl && sim->measuring && !streams_in_parts(engine->config))
        engine->itl = &sim->result->pools[sim->pool_of[replica]].itl;
    for (uint32_t i = 0; i < engine->ended_count; i++)
        complete(sim, engine->ended[i]);
    if (sim->disaggregation)
        disaggregation_boundary(sim, replica);
    else if (sim->elastic && engine->handed_count + engine->fetch_count > 0)
        elastic_boundary(sim, replica);
    replica_changed(sim, replica);
    if (sim->answered)
        await_arrival(sim, sim->now + 1);
}

static void clients_act(struct simulation *sim)
{
    clients_event(sim);
    if (sim->answered)
        await_arrival(sim, sim->now + 1);
}

static void elastic_act(struct simulation *sim)
{
    elastic_event(sim);
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
    if (sim->elastic && elastic_only_watches(sim))
        watchers += event_queue_has(&sim->queue, actor_elastic(sim));
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

/* Nothing else will happen, so nobody will come who could fill a batch that is waited for. Returns
 * whether somebody waited for that. */
static bool call_last(struct simulation *sim)
{
    bool called = false;
    for (uint32_t i = 0; i < sim->replicas; i++) {
        struct engine *engine = &sim->engines[i];
        engine_last_call(engine, sim->now);
        if (engine->next == TICK_NEVER)
            continue;
        event_queue_set(&sim->queue, i, PRIORITY_REPLICA, engine->next);
        called = true;
    }
    return called;
}

/* Up to a horizon nodes come and go, and are paid for, whether there are requests or not. */
static bool fleet_lives_on(const struct simulation *sim)
{
    return sim->elastic && isfinite(sim->spec->horizon_s) &&
           event_queue_has(&sim->queue, actor_elastic(sim));
}

static void simulate(struct simulation *sim)
{
    while (!sim->failed && (work_left(sim) || call_last(sim) || fleet_lives_on(sim)) &&
           may_proceed(sim)) {
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
        else if (actor == actor_transfers(sim))
            disaggregation_event(sim);
        else if (actor == actor_clients(sim))
            clients_act(sim);
        else if (actor == actor_elastic(sim))
            elastic_act(sim);
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
           result->pools && result->slos &&
           event_queue_init(&sim->queue, sim->replicas + ACTORS_BESIDE_REPLICAS);
}

static bool make_engines(struct simulation *sim)
{
    uint32_t replica = 0;
    for (uint32_t pool = 0; pool < sim->spec->pool_count; pool++) {
        sim->first_replica[pool] = replica;
        sim->configs[pool] = *sim->spec->pools[pool].engine;
        sim->configs[pool].stepwise |= sim->spec->stepwise;
        if (sim->spec->traits)
            sim->configs[pool].traits = sim->spec->traits;
        sim->configs[pool].classes = (uint32_t)sim->spec->class_count;
        for (uint32_t i = 0; i < sim->spec->pools[pool].replicas; i++, replica++) {
            sim->pool_of[replica] = pool;
            if (!engine_init(&sim->engines[replica], &sim->configs[pool], &sim->requests, NULL))
                return false;
        }
    }
    return true;
}

/* Where some pool has adapters, whatever the others have: who asks for what does not depend on
 * where it goes. */
static bool make_adapters(struct simulation *sim)
{
    bool wanted = false;
    for (size_t i = 0; i < sim->spec->pool_count; i++)
        wanted |= sim->configs[i].lora != NULL;
    if (wanted)
        sim->adapters = random_stream(sim->spec->seed, sim->spec->replication, "engine/adapters");
    return !wanted || sim->adapters;
}

static void clear_histograms(struct simulation *sim)
{
    for (size_t i = 0; i < sim->spec->class_count; i++)
        latency_set_clear(&sim->result->by_class[i]);
    for (size_t i = 0; i < sim->spec->pool_count; i++)
        pool_result_clear(&sim->result->pools[i]);
}

/* Who says where requests go. */
static bool make_routing(struct simulation *sim)
{
    if (sim->spec->disaggregation)
        return disaggregation_start(sim);
    sim->router = routing_create(sim, sim->spec->router, ROUTING_ALL, NULL);
    return sim->router != NULL;
}

static void start(struct simulation *sim)
{
    const struct simulation_spec *spec = sim->spec;
    sim->horizon = tick_from_s(fmin(spec->horizon_s, CLOCK_MAX_S));
    sim->warmup = tick_from_s(spec->warmup_s);
    measuring_start(sim);
    event_queue_set(&sim->queue, actor_warmup(sim), PRIORITY_WARMUP, sim->warmup);
    sampling_start(sim);
    await_arrival(sim, 0);
}

static void release(struct simulation *sim)
{
    for (uint32_t i = 0; sim->engines && i < sim->replicas; i++)
        engine_free(&sim->engines[i]);
    sharing_release(sim);
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
    if (sim->adapters)
        gsl_rng_free(sim->adapters);
    router_destroy(sim->router);
    disaggregation_stop(sim);
    clients_stop(sim);
    elastic_stop(sim);
}

bool simulation_run(const struct simulation_spec *spec, struct simulation_result *result,
                    struct error *error)
{
    assert(spec->class_count >= 1 && spec->class_count <= REQUEST_CLASSES_MAX);
    *result = (struct simulation_result){0};
    struct error own_error = {0};
    struct simulation sim = {.spec = spec, .result = result, .error = error ? error : &own_error};
    request_pool_init(&sim.requests);
    prefix_ids_init(&sim.prefix_ids);
    if (!allocate(&sim) || !make_engines(&sim) || !make_adapters(&sim)) {
        error_set(error, ERROR_FAILED, "out of memory");
        sim.failed = true;
    } else if (!make_routing(&sim) || !clients_start(&sim) || !elastic_start(&sim)) {
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
