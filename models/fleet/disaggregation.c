/* The way of a request from its prompt's replica to the one that decodes it.
 *
 * What replicas tell of at a boundary (a prompt is complete, or begun) is taken up one tick later,
 * in an event of its own that comes before the boundaries of that tick, as arrivals do: whether
 * other replicas are at a boundary at that moment must not matter, because a replica that jumps
 * over iterations is not, where one that steps is. Flows are begun at once, but end in such an
 * event, too.
 *
 * Layer-wise transfers: when its prompt is begun, a request gets a second record, its shadow, which
 * waits for room on the decode side. From then on, or from when it has room, all layers but the
 * last flow, at whatever rate the links give, and the last layer's part when the prompt is
 * complete: nothing ends before that (Splitwise, section IV.C; Mooncake, section 5.2). Bytes may
 * flow that are not computed yet; that only moves them forward within the time of the prefill. With
 * the prompt's end the shadow takes the request's place. It is asked for only when the prefill has
 * begun, so that who has room on the decode side has it on the prefill side, too. */
#include "models/fleet/disaggregation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "models/engine/handover.h"
#include "models/fleet/disaggregation_state.h"
#include "models/fleet/routing.h"

static struct request *request_at(struct simulation *sim, uint32_t number)
{
    return &sim->requests.requests[number];
}

static void fail_for_memory(struct simulation *sim)
{
    error_set(sim->error, ERROR_FAILED, "out of memory with %u requests in flight",
              sim->requests.in_use);
    sim->failed = true;
}

/* --- life --- */

static bool make_network(struct simulation *sim, struct disaggregation *d)
{
    const struct simulation_spec *spec = sim->spec;
    struct kv_network_pool *pools = calloc(spec->pool_count, sizeof *pools);
    for (size_t i = 0; pools && i < spec->pool_count; i++)
        pools[i] = (struct kv_network_pool){&spec->pools[i].port, spec->pools[i].replicas};
    bool made =
        pools && kv_network_init(&d->network, pools, spec->pool_count, &d->config->transfer);
    free(pools);
    return made;
}

static bool make_mixed_pool(struct simulation *sim, struct disaggregation *d)
{
    if (!d->config->mixed_pool)
        return true;
    d->stuck = calloc(sim->replicas, sizeof *d->stuck);
    if (!d->stuck || !mixed_pool_init(&d->mixed, d->config->mixed_pool, sim->replicas))
        return false;
    for (uint32_t i = 0; i < sim->replicas; i++) {
        uint32_t pool = sim->pool_of[i];
        d->mixed.machines[i] = (struct machine){.home = sim->spec->pools[pool].role,
                                                .memory_tok = sim->configs[pool].kv_blocks *
                                                              sim->configs[pool].block_tok,
                                                .engine = &sim->engines[i]};
    }
    return true;
}

static bool make_routes(struct simulation *sim, struct disaggregation *d)
{
    const struct simulation_spec *spec = sim->spec;
    bool prefills = false;
    for (size_t i = 0; i < spec->pool_count; i++)
        prefills |= spec->pools[i].role == ROLE_PREFILL;
    int decoders = 1 << ROLE_DECODE | 1 << ROLE_MIXED;
    if (prefills)
        d->prefill = routing_create(sim, spec->router, 1 << ROLE_PREFILL, NULL);
    d->decode = routing_create(sim, &d->config->decode_router, decoders, "fleet/decode-router");
    return d->decode && (d->prefill || !prefills);
}

static bool make_result(struct simulation *sim)
{
    struct transfer_result *result = sim->result->transfers = calloc(1, sizeof *result);
    if (!result)
        return false;
    histogram_clear(&result->transfer);
    histogram_clear(&result->link_wait);
    histogram_clear(&result->memory_wait);
    histogram_clear(&result->visible);
    return true;
}

bool disaggregation_start(struct simulation *sim)
{
    struct disaggregation *d = sim->disaggregation = calloc(1, sizeof *d);
    if (!d)
        return error_set(sim->error, ERROR_FAILED, "out of memory");
    const struct kv_port *port = &sim->spec->pools[0].port;
    d->config = sim->spec->disaggregation;
    d->kv_size = llm_kv_size(port->llm, port->kv);
    d->layers = port->llm->layers;
    if (!make_network(sim, d) || !make_mixed_pool(sim, d) || !make_result(sim))
        return error_set(sim->error, ERROR_FAILED, "out of memory");
    return make_routes(sim, d);
}

void disaggregation_stop(struct simulation *sim)
{
    struct disaggregation *d = sim->disaggregation;
    if (!d)
        return;
    router_destroy(d->prefill);
    router_destroy(d->decode);
    mixed_pool_free(&d->mixed);
    kv_network_free(&d->network);
    free(d->handovers);
    free(d->request_of);
    free(d->notices);
    free(d->stuck);
    free(d);
    sim->disaggregation = NULL;
}

struct router *disaggregation_router_of(const struct simulation *sim, uint32_t replica)
{
    const struct disaggregation *d = sim->disaggregation;
    bool prefills = sim->spec->pools[sim->pool_of[replica]].role == ROLE_PREFILL;
    return prefills ? d->prefill : d->decode;
}

/* --- arrivals --- */

static bool prefill_queues_are_short(const struct simulation *sim, int64_t max_waiting)
{
    int64_t waiting = 0;
    for (uint32_t i = 0; i < sim->replicas; i++)
        if (sim->spec->pools[sim->pool_of[i]].role == ROLE_PREFILL)
            waiting += sim->engines[i].waiting;
    return waiting < max_waiting;
}

/* Does a prefill pool compute this prompt? */
static bool decide(const struct simulation *sim, const struct request *request)
{
    const struct config_variant *decider = &sim->disaggregation->config->decider;
    int64_t to_compute_tok = (int64_t)request->prompt_tok - request->cached_tok;
    switch ((enum decider)decider->index) {
    case DECIDE_ALWAYS:
        return true;
    case DECIDE_NEVER:
        return false;
    case DECIDE_PROMPT_LENGTH: {
        const struct decide_by_length *length = decider->value;
        return to_compute_tok > length->above_tok;
    }
    case DECIDE_LOAD_AWARE: {
        const struct decide_by_load *load = decider->value;
        return to_compute_tok > load->above_tok && prefill_queues_are_short(sim, load->max_waiting);
    }
    }
    return false;
}

static bool pool_accepts(const struct simulation *sim, uint32_t replica,
                         const struct request *request, uint32_t output_tok)
{
    return engine_accepts(&sim->configs[sim->pool_of[replica]], request->prompt_tok, output_tok);
}

/* Wherever the decode router sends it. */
static bool decoders_accept(const struct simulation *sim, const struct request *request)
{
    for (size_t pool = 0; pool < sim->spec->pool_count; pool++)
        if (sim->spec->pools[pool].role != ROLE_PREFILL &&
            !engine_accepts(&sim->configs[pool], request->prompt_tok, request->output_tok))
            return false;
    return true;
}

/* The three ways to give a request the replica where it begins. Each returns whether it can be
 * served. */

static bool place_pair(struct simulation *sim, struct request *request, struct handover *handover)
{
    struct machine_pair pair = mixed_pool_choose(&sim->disaggregation->mixed, request);
    handover->charged = CHARGED_PAIR;
    handover->pair = pair;
    request->replica = pair.prompt;
    request->handoff = pair.prompt != pair.token && request->output_tok > 1;
    return pool_accepts(sim, pair.prompt, request, request->handoff ? 1 : request->output_tok) &&
           pool_accepts(sim, pair.token, request, request->output_tok);
}

static bool place_apart(struct simulation *sim, struct request *request,
                        const struct arrival *arrival, struct handover *handover)
{
    struct router_request asked = routing_request(sim, request, arrival->session);
    handover->charged = CHARGED_PREFILL;
    request->replica = router_choose(sim->disaggregation->prefill, &asked);
    request->handoff = request->output_tok > 1;
    return pool_accepts(sim, request->replica, request, 1) && decoders_accept(sim, request);
}

static bool place_together(struct simulation *sim, struct request *request,
                           const struct arrival *arrival, struct handover *handover)
{
    struct router_request asked = routing_request(sim, request, arrival->session);
    handover->charged = CHARGED_DECODE;
    request->replica = router_choose(sim->disaggregation->decode, &asked);
    return pool_accepts(sim, request->replica, request, request->output_tok);
}

static bool place(struct simulation *sim, struct request *request, const struct arrival *arrival,
                  struct handover *handover)
{
    if (sim->disaggregation->mixed.machines)
        return place_pair(sim, request, handover);
    if (decide(sim, request))
        return place_apart(sim, request, arrival, handover);
    return place_together(sim, request, arrival, handover);
}

static void release(struct router *router, const struct request *request)
{
    router_release(router, request->replica, request->prompt_tok, request->predicted_tok);
}

static void release_charge(struct disaggregation *d, const struct handover *handover,
                           const struct request *request)
{
    switch ((enum charged)handover->charged) {
    case CHARGED_PREFILL:
        release(d->prefill, request);
        break;
    case CHARGED_DECODE:
        release(d->decode, request);
        break;
    case CHARGED_PAIR:
        if (handover->complete == TICK_NEVER) { /* both phases on one machine, or one token */
            mixed_pool_prompt_done(&d->mixed, handover->pair, request);
            mixed_pool_cache_gone(&d->mixed, handover->pair, request);
        }
        mixed_pool_tokens_done(&d->mixed, handover->pair, request);
    }
}

/* Keeps what is known of a request. */
static void keep(struct simulation *sim, uint32_t number, const struct handover *handover)
{
    struct disaggregation *d = sim->disaggregation;
    if (number >= d->handover_capacity) {
        uint32_t capacity = sim->requests.capacity;
        struct handover *larger = realloc(d->handovers, capacity * sizeof *larger);
        if (!larger) {
            fail_for_memory(sim);
            return;
        }
        memset(larger + d->handover_capacity, 0,
               (capacity - d->handover_capacity) * sizeof *larger);
        d->handovers = larger;
        d->handover_capacity = capacity;
    }
    d->handovers[number] = *handover;
}

void disaggregation_arrive(struct simulation *sim, struct request *request,
                           const struct arrival *arrival)
{
    struct handover handover = {.other = REQUEST_NONE,
                                .complete = TICK_NEVER,
                                .let_in = TICK_NEVER,
                                .session = arrival->session};
    bool accepted = place(sim, request, arrival, &handover);
    sim->result->pools[sim->pool_of[request->replica]].arrived++;
    if (!accepted) {
        release_charge(sim->disaggregation, &handover, request);
        simulation_reject(sim, request);
        sharing_end(sim, request);
        return;
    }
    if (!request->handoff && request->arrival >= sim->warmup)
        sim->result->transfers->local++;
    uint32_t number = simulation_submit(sim, request);
    if (number != REQUEST_NONE)
        keep(sim, number, &handover);
}

void disaggregation_ended(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    release_charge(d, &d->handovers[number], request_at(sim, number));
}

/* --- events --- */

static void schedule(struct simulation *sim)
{
    const struct disaggregation *d = sim->disaggregation;
    bool soon = d->notice_count > 0 || d->look_for_stuck;
    tick_t next = soon ? sim->now : links_next(&d->network.links);
    if (next <= sim->now)
        next = sim->now + 1;
    event_queue_set(&sim->queue, actor_transfers(sim), PRIORITY_TRANSFER, next);
}

static void notify(struct simulation *sim, uint32_t number, bool complete)
{
    struct disaggregation *d = sim->disaggregation;
    if (d->notice_count == d->notice_capacity) {
        uint32_t capacity = 2 * d->notice_capacity + 64;
        struct notice *larger = realloc(d->notices, capacity * sizeof *larger);
        if (!larger) {
            fail_for_memory(sim);
            return;
        }
        d->notices = larger;
        d->notice_capacity = capacity;
    }
    d->notices[d->notice_count++] = (struct notice){number, complete};
}

/* --- flows --- */

static bool remember_flow(struct disaggregation *d, uint32_t flow, uint32_t number)
{
    if (flow == LINKS_NONE)
        return false;
    if (flow >= d->request_of_capacity) {
        uint32_t capacity = 2 * flow + 16;
        uint32_t *larger = realloc(d->request_of, capacity * sizeof *larger);
        if (!larger)
            return false;
        d->request_of = larger;
        d->request_of_capacity = capacity;
    }
    d->request_of[flow] = number;
    return true;
}

static void send(struct simulation *sim, uint32_t number, enum passage passage, double bytes)
{
    struct disaggregation *d = sim->disaggregation;
    struct handover *handover = &d->handovers[number];
    const struct request *request = request_at(sim, number);
    handover->passage = (uint8_t)passage;
    if (request->arrival >= sim->warmup)
        sim->result->transfers->bytes += bytes;
    uint32_t flow =
        kv_network_send(&d->network, handover->source, request->replica, bytes, sim->now);
    if (!remember_flow(d, flow, number))
        fail_for_memory(sim);
}

static double cache_bytes(struct simulation *sim, uint32_t number)
{
    return kv_size_bytes(&sim->disaggregation->kv_size, request_at(sim, number)->prompt_tok);
}

static double last_layer_bytes(struct simulation *sim, uint32_t number)
{
    return cache_bytes(sim, number) / (double)sim->disaggregation->layers;
}

/* The decode side has taken the blocks of its context. */
static void let_in(struct simulation *sim, uint32_t number)
{
    struct handover *handover = &sim->disaggregation->handovers[number];
    handover->let_in = sim->now;
    double all = cache_bytes(sim, number);
    if (handover->complete != TICK_NEVER)
        send(sim, number, PASSAGE_LAST_PART, all);
    else
        send(sim, number, PASSAGE_FLOWING, all - last_layer_bytes(sim, number));
}

static void measure_transfer(struct simulation *sim, const struct request *request,
                             const struct handover *handover)
{
    if (request->arrival < sim->warmup)
        return;
    struct transfer_result *result = sim->result->transfers;
    tick_t waited = handover->let_in - handover->complete;
    result->transfers++;
    histogram_add(&result->transfer, handover->sent, 1);
    histogram_add(&result->link_wait, handover->sent - handover->alone, 1);
    histogram_add(&result->memory_wait, waited > 0 ? waited : 0, 1);
    histogram_add(&result->visible, sim->now - handover->complete, 1);
}

static void release_source(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    struct handover *handover = &d->handovers[number];
    engine_release(&sim->engines[handover->source], handover->held_blocks, sim->now);
    replica_changed(sim, handover->source);
    handover->held_blocks = 0;
    handover->passage = PASSAGE_NONE;
    if (handover->charged == CHARGED_PAIR)
        mixed_pool_cache_gone(&d->mixed, handover->pair, request_at(sim, number));
}

static void cache_is_here(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    struct request *request = request_at(sim, number);
    measure_transfer(sim, request, &d->handovers[number]);
    release_source(sim, number);
    if (d->config->first_token == FIRST_TOKEN_DECODE)
        request->first_token = request->last_token = sim->now;
    engine_fetched(&sim->engines[request->replica], number, sim->now);
    replica_changed(sim, request->replica);
}

static void flow_arrived(struct simulation *sim, const struct link_arrival *arrival)
{
    struct disaggregation *d = sim->disaggregation;
    uint32_t number = d->request_of[arrival->flow];
    struct handover *handover = &d->handovers[number];
    handover->sent += arrival->took;
    handover->alone += arrival->alone;
    if (handover->passage == PASSAGE_LAST_PART)
        cache_is_here(sim, number);
    else if (handover->complete != TICK_NEVER)
        send(sim, number, PASSAGE_LAST_PART, last_layer_bytes(sim, number));
    else
        handover->passage = PASSAGE_LET_IN;
}

/* --- from one replica to another --- */

static uint32_t choose_decoder(struct simulation *sim, const struct request *request,
                               struct handover *handover)
{
    if (handover->charged == CHARGED_PAIR)
        return handover->pair.token;
    handover->charged = CHARGED_DECODE;
    /* By its prefix it was routed to where it is computed; here that would find nothing (Dynamo's
     * decode routing, too, leaves out the overlap). */
    struct router_request asked = routing_request(sim, request, handover->session);
    asked.id_count = 0;
    return router_choose(sim->disaggregation->decode, &asked);
}

static void submit_to_decoder(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    sim->disaggregation->handovers[number].passage = PASSAGE_WAITING;
    request->handoff = false;
    request->remote_kv = true;
    request->kept_blocks = 0; /* they were the other replica's */
    engine_submit(&sim->engines[request->replica], number, sim->now);
    replica_changed(sim, request->replica);
}

/* Layer-wise: the request's prompt has begun; its shadow waits for room where it will decode. */
static void prefill_begun(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    struct request shadow = *request_at(sim, number);
    struct handover handover = d->handovers[number];
    handover.source = shadow.replica;
    handover.other = number;
    shadow.replica = choose_decoder(sim, &shadow, &handover);
    shadow.emitted = 1;
    shadow.order = 0;
    uint32_t other = request_pool_take(&sim->requests, &shadow);
    if (other == REQUEST_NONE) {
        fail_for_memory(sim);
        return;
    }
    keep(sim, other, &handover);
    if (sim->failed)
        return;
    d->handovers[number].other = other;
    d->shadows++;
    submit_to_decoder(sim, other);
}

/* The shadow takes the request's place. Returns its number. */
static uint32_t become_shadow(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    uint32_t other = d->handovers[number].other;
    const struct request *request = request_at(sim, number);
    struct request *shadow = request_at(sim, other);
    shadow->first_scheduled = request->first_scheduled;
    shadow->first_token = request->first_token;
    shadow->last_token = request->last_token;
    shadow->preemptions = request->preemptions;
    request_pool_give_back(&sim->requests, number);
    d->handovers[other].other = REQUEST_NONE;
    d->shadows--;
    return other;
}

/* It counts for the decode pool from now on. */
static void move_account(struct simulation *sim, uint32_t from, uint32_t to)
{
    uint32_t source = sim->pool_of[from], target = sim->pool_of[to];
    sim->result->pools[source].handed_out++;
    sim->result->pools[target].handed_in++;
    add_outstanding(sim, source, -1);
    add_outstanding(sim, target, 1);
}

static void leave_prefill(struct disaggregation *d, const struct handover *handover,
                          const struct request *request)
{
    if (handover->charged == CHARGED_PAIR)
        mixed_pool_prompt_done(&d->mixed, handover->pair, request);
    else
        release(d->prefill, request);
}

static void prompt_complete(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    struct request *request = request_at(sim, number);
    uint32_t source = request->replica, held_blocks = request->held_blocks;
    request->last_token = request->first_token;
    leave_prefill(d, &d->handovers[number], request);
    bool has_shadow = d->handovers[number].other != REQUEST_NONE;
    if (has_shadow) {
        number = become_shadow(sim, number);
        request = request_at(sim, number);
    } else {
        request->replica = choose_decoder(sim, request, &d->handovers[number]);
    }
    struct handover *handover = &d->handovers[number];
    handover->source = source;
    handover->held_blocks = held_blocks;
    handover->complete = request->first_token;
    if (d->config->first_token == FIRST_TOKEN_DECODE)
        request->first_token = TICK_NEVER;
    move_account(sim, source, request->replica);
    if (!has_shadow)
        submit_to_decoder(sim, number);
    else if (handover->passage == PASSAGE_LET_IN)
        send(sim, number, PASSAGE_LAST_PART, last_layer_bytes(sim, number));
}

void disaggregation_recompute(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    struct engine *engine = &sim->engines[request->replica];
    tick_t first_scheduled = request->first_scheduled;
    release_source(sim, number);
    bool out = engine_cancel(engine, number, sim->now);
    assert(out && "it waits");
    (void)out;
    request->cancelled = false;
    request->remote_kv = false;
    request->computed = 0;
    if (request->first_token == TICK_NEVER) /* nobody has seen the token that it emitted */
        request->emitted = 0;
    engine_submit(engine, number, sim->now);
    request->first_scheduled = first_scheduled;
    replica_changed(sim, request->replica);
    if (request->arrival >= sim->warmup)
        sim->result->transfers->recomputed++;
}

/* --- hooks of the event loop --- */

static void notify_begun(struct simulation *sim, const struct engine *engine)
{
    struct disaggregation *d = sim->disaggregation;
    for (uint32_t i = 0; i < engine->run.chunks; i++) {
        uint32_t number = engine->chunk_requests[i];
        if (!request_at(sim, number)->handoff || d->handovers[number].begun)
            continue;
        d->handovers[number].begun = true;
        notify(sim, number, false);
    }
}

void disaggregation_boundary(struct simulation *sim, uint32_t replica)
{
    struct disaggregation *d = sim->disaggregation;
    const struct engine *engine = &sim->engines[replica];
    for (uint32_t i = 0; i < engine->fetch_count; i++)
        let_in(sim, engine->fetches[i]);
    for (uint32_t i = 0; i < engine->handed_count; i++)
        notify(sim, engine->handed[i], true);
    if (d->config->transfer.mode == TRANSFER_LAYERWISE)
        notify_begun(sim, engine);
    /* Only lent machines both give and take. */
    d->look_for_stuck |= d->mixed.machines && engine->next == TICK_NEVER && engine->waiting > 0;
    if (engine->fetch_count > 0 || d->notice_count > 0 || d->look_for_stuck)
        schedule(sim);
}

void disaggregation_event(struct simulation *sim)
{
    struct disaggregation *d = sim->disaggregation;
    links_advance(&d->network.links, sim->now);
    struct link_arrival arrival;
    while (!sim->failed && links_take_arrival(&d->network.links, sim->now, &arrival))
        flow_arrived(sim, &arrival);
    for (uint32_t i = 0; !sim->failed && i < d->notice_count; i++)
        if (d->notices[i].complete)
            prompt_complete(sim, d->notices[i].request);
        else
            prefill_begun(sim, d->notices[i].request);
    d->notice_count = 0;
    if (d->look_for_stuck)
        disaggregation_unstick(sim);
    d->look_for_stuck = false;
    schedule(sim);
}

bool disaggregation_is_shadow(const struct simulation *sim, uint32_t number)
{
    const struct disaggregation *d = sim->disaggregation;
    const struct handover *handover = &d->handovers[number];
    return handover->other != REQUEST_NONE && !sim->requests.requests[number].handoff;
}

uint32_t disaggregation_shadows(const struct simulation *sim)
{
    return sim->disaggregation ? sim->disaggregation->shadows : 0;
}

void disaggregation_sum_up(struct simulation *sim)
{
    struct disaggregation *d = sim->disaggregation;
    sim->result->transfers->lent = d->mixed.lent;
    for (uint32_t i = 0; i < d->notice_count; i++)
        if (d->notices[i].complete)
            judge_in_flight(sim, request_at(sim, d->notices[i].request));
    for (uint32_t i = 0; sim->requests.in_use == 0 && i < sim->replicas; i++)
        assert(sim->engines[i].held_blocks == 0 && sim->engines[i].incoming == 0);
}
