/* The way of a request from its prompt's replica to the one that decodes it.
 *
 * Layer-wise transfers: when its prompt is begun, a request gets a second record, its shadow, which
 * waits for room on the decode side. From then on, or from when it has room, all layers but the
 * last flow, at whatever rate the links give, and the last layer's part when the prompt is
 * complete: nothing ends before that (Splitwise, section IV.C; Mooncake, section 5.2). Bytes may
 * flow that are not computed yet; that only moves them forward within the time of the prefill. With
 * the prompt's end the shadow takes the request's place. It is asked for only when the prefill has
 * begun, so that who has room on the decode side has it on the prefill side, too. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "models/engine/handover.h"
#include "models/fleet/disaggregation_state.h"
#include "models/fleet/routing.h"

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
    handover->flow = flow;
    if (!remember_flow(d, flow, number))
        disaggregation_out_of_memory(sim);
}

static double cache_bytes(struct simulation *sim, uint32_t number)
{
    return kv_size_bytes(&sim->disaggregation->kv_size, request_at(sim, number)->prompt_tok);
}

static double last_layer_bytes(struct simulation *sim, uint32_t number)
{
    return cache_bytes(sim, number) / (double)sim->disaggregation->layers;
}

void passage_let_in(struct simulation *sim, uint32_t number)
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

void passage_source_is_free(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    struct handover *handover = &d->handovers[number];
    handover->held_blocks = 0;
    handover->passage = PASSAGE_NONE;
    if (handover->charged == CHARGED_PAIR)
        mixed_pool_cache_gone(&d->mixed, handover->pair, request_at(sim, number));
    replica_left(sim, handover->source);
}

void passage_release_source(struct simulation *sim, uint32_t number)
{
    const struct handover *handover = &sim->disaggregation->handovers[number];
    engine_release(&sim->engines[handover->source], handover->held_blocks, sim->now);
    replica_changed(sim, handover->source);
    passage_source_is_free(sim, number);
}

static void cache_is_here(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    struct request *request = request_at(sim, number);
    d->handovers[number].here = sim->now;
    measure_transfer(sim, request, &d->handovers[number]);
    passage_release_source(sim, number);
    if (d->config->first_token == FIRST_TOKEN_DECODE)
        request->first_token = request->last_token = sim->now;
    engine_fetched(&sim->engines[request->replica], number, sim->now);
    replica_changed(sim, request->replica);
}

void passage_flow_arrived(struct simulation *sim, const struct link_arrival *arrival)
{
    struct disaggregation *d = sim->disaggregation;
    uint32_t number = d->request_of[arrival->flow];
    if (number == REQUEST_NONE) /* it was cancelled on the way */
        return;
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

/* --- cancelled --- */

static void no_longer_stranded(struct disaggregation *d, uint32_t number)
{
    uint32_t place = 0;
    while (d->stranded[place] != number)
        place++;
    d->stranded_count--;
    memmove(&d->stranded[place], &d->stranded[place + 1],
            (d->stranded_count - place) * sizeof *d->stranded);
}

void passage_end(struct simulation *sim, uint32_t number, bool cut)
{
    struct disaggregation *d = sim->disaggregation;
    struct handover *handover = &d->handovers[number];
    bool flows = handover->passage == PASSAGE_FLOWING || handover->passage == PASSAGE_LAST_PART;
    if (flows && cut)
        links_stop(&d->network.links, handover->flow, sim->now);
    else if (flows)
        d->request_of[handover->flow] = REQUEST_NONE;
    else if (handover->passage == PASSAGE_STRANDED)
        no_longer_stranded(d, number);
    handover->passage = PASSAGE_NONE;
}

void passage_free_shadow(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    uint32_t other = d->handovers[number].other;
    const struct request *shadow = request_at(sim, other);
    if (d->handovers[other].charged == CHARGED_DECODE)
        charge_release(d->decode, shadow);
    replica_left(sim, shadow->replica);
    request_pool_give_back(&sim->requests, other);
    d->handovers[number].other = REQUEST_NONE;
    d->shadows--;
}

void passage_drop_shadow(struct simulation *sim, uint32_t number, bool cut)
{
    uint32_t other = sim->disaggregation->handovers[number].other;
    uint32_t replica = request_at(sim, other)->replica;
    passage_end(sim, other, cut);
    bool out = engine_cancel(&sim->engines[replica], other, sim->now);
    assert(out && "it does not run");
    (void)out;
    replica_changed(sim, replica);
    passage_free_shadow(sim, number);
}

bool disaggregation_cancel(struct simulation *sim, uint32_t number)
{
    const struct handover *handover = &sim->disaggregation->handovers[number];
    struct request *request = request_at(sim, number);
    bool in_engine = handover->passage != PASSAGE_STRANDED;
    if (handover->other != REQUEST_NONE)
        passage_drop_shadow(sim, number, false);
    passage_end(sim, number, false);
    if (handover->held_blocks > 0)
        passage_release_source(sim, number);
    request->cancelled |= !in_engine;
    bool out = !in_engine || engine_cancel(&sim->engines[request->replica], number, sim->now);
    replica_changed(sim, request->replica);
    return out;
}

/* --- from one replica to another --- */

/* ROUTER_NO_REPLICA when none is there. */
static uint32_t choose_decoder(struct simulation *sim, const struct request *request,
                               struct handover *handover)
{
    struct disaggregation *d = sim->disaggregation;
    if (handover->charged == CHARGED_PAIR)
        return mixed_pool_token_machine(&d->mixed, &handover->pair, request);
    /* By its prefix it was routed to where it is computed; here that would find nothing (Dynamo's
     * decode routing, too, leaves out the overlap). */
    struct router_request asked = routing_request(sim, request, request->session);
    asked.id_count = 0;
    uint32_t replica = router_choose(d->decode, &asked);
    handover->charged = replica == ROUTER_NO_REPLICA ? CHARGED_NOBODY : CHARGED_DECODE;
    return replica;
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

void passage_prompt_begun(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    struct request shadow = *request_at(sim, number);
    struct handover handover = d->handovers[number];
    handover.source = shadow.replica;
    handover.other = number;
    shadow.replica = choose_decoder(sim, &shadow, &handover);
    if (shadow.replica == ROUTER_NO_REPLICA)
        return; /* the whole cache will follow the prompt */
    d->handovers[number].pair = handover.pair;
    shadow.emitted = 1;
    shadow.order = 0;
    uint32_t other = request_pool_take(&sim->requests, &shadow);
    if (other == REQUEST_NONE) {
        disaggregation_out_of_memory(sim);
        return;
    }
    handover_keep(sim, other, &handover);
    if (sim->failed)
        return;
    d->handovers[number].other = other;
    d->shadows++;
    replica_joined(sim, shadow.replica);
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
    if (sim->clients)
        clients_renamed(sim, number, other);
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
    replica_left(sim, from);
}

static void strand(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    if (d->stranded_count == d->stranded_capacity) {
        uint32_t capacity = 2 * d->stranded_capacity + 16;
        uint32_t *larger = realloc(d->stranded, capacity * sizeof *larger);
        if (!larger) {
            disaggregation_out_of_memory(sim);
            return;
        }
        d->stranded = larger;
        d->stranded_capacity = capacity;
    }
    d->stranded[d->stranded_count++] = number;
    d->handovers[number].passage = PASSAGE_STRANDED;
}

void passage_find_decoder(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    struct handover *handover = &sim->disaggregation->handovers[number];
    uint32_t replica = choose_decoder(sim, request, handover);
    if (replica == ROUTER_NO_REPLICA) {
        strand(sim, number);
        return;
    }
    request->replica = replica;
    replica_joined(sim, replica);
    move_account(sim, handover->source, replica);
    submit_to_decoder(sim, number);
}

static void leave_prefill(struct disaggregation *d, const struct handover *handover,
                          const struct request *request)
{
    if (handover->charged == CHARGED_PAIR)
        mixed_pool_prompt_done(&d->mixed, handover->pair, request);
    else
        charge_release(d->prefill, request);
}

void passage_prompt_complete(struct simulation *sim, uint32_t number)
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
    }
    struct handover *handover = &d->handovers[number];
    handover->source = source;
    handover->held_blocks = held_blocks;
    handover->complete = request->first_token;
    if (d->config->first_token == FIRST_TOKEN_DECODE)
        request->first_token = TICK_NEVER;
    replica_joined(sim, source); /* it waits for the cache to be fetched */
    if (has_shadow)
        move_account(sim, source, request->replica);
    else
        passage_find_decoder(sim, number);
    if (has_shadow && handover->passage == PASSAGE_LET_IN)
        send(sim, number, PASSAGE_LAST_PART, last_layer_bytes(sim, number));
    if (sim->clients)
        clients_moved(sim, number);
}

void disaggregation_recompute(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    struct engine *engine = &sim->engines[request->replica];
    tick_t first_scheduled = request->first_scheduled;
    passage_release_source(sim, number);
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
