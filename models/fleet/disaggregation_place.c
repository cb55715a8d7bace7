/* Where requests begin: who computes a prompt, and who is charged with it. */
#include <stdlib.h>
#include <string.h>

#include "models/fleet/disaggregation_state.h"
#include "models/fleet/routing.h"

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

/* The three ways to give a request the replica where it begins. One that has emitted something goes
 * on where it is computed once more. */

static uint32_t place_pair(struct simulation *sim, struct request *request,
                           struct handover *handover)
{
    struct mixed_pool *mixed = &sim->disaggregation->mixed;
    handover->pair = request->emitted > 0 ? mixed_pool_choose_one(mixed, request)
                                          : mixed_pool_choose(mixed, request);
    handover->charged = CHARGED_PAIR;
    request->handoff = handover->pair.prompt != handover->pair.token && request->output_tok > 1;
    return handover->pair.prompt;
}

static uint32_t place_apart(struct simulation *sim, struct request *request,
                            struct handover *handover)
{
    struct router_request asked = routing_request(sim, request, request->session);
    handover->charged = CHARGED_PREFILL;
    request->handoff = request->output_tok > 1;
    return router_choose(sim->disaggregation->prefill, &asked);
}

static uint32_t place_together(struct simulation *sim, struct request *request,
                               struct handover *handover)
{
    struct router_request asked = routing_request(sim, request, request->session);
    handover->charged = CHARGED_DECODE;
    request->handoff = false;
    return router_choose(sim->disaggregation->decode, &asked);
}

/* false: no replica is there for it, and nobody is charged. */
static bool place(struct simulation *sim, struct request *request, struct handover *handover)
{
    uint32_t replica;
    *handover = (struct handover){.charged = CHARGED_NOBODY,
                                  .other = REQUEST_NONE,
                                  .complete = TICK_NEVER,
                                  .let_in = TICK_NEVER,
                                  .here = TICK_NEVER};
    if (sim->disaggregation->mixed.machines)
        replica = place_pair(sim, request, handover);
    else if (request->emitted == 0 && decide(sim, request))
        replica = place_apart(sim, request, handover);
    else
        replica = place_together(sim, request, handover);
    if (replica != ROUTER_NO_REPLICA) {
        request->replica = replica;
        return true;
    }
    handover->charged = CHARGED_NOBODY;
    request->handoff = false;
    return false;
}

static bool replica_accepts(const struct simulation *sim, uint32_t replica,
                            const struct request *request, uint32_t asked_tok)
{
    uint32_t here_tok = request->handoff && replica == request->replica ? 1 : asked_tok;
    return engine_accepts(&sim->configs[sim->pool_of[replica]], request->prompt_tok, here_tok);
}

/* Wherever the decode router sends it. */
static bool decoders_accept(const struct simulation *sim, const struct request *request,
                            uint32_t asked_tok)
{
    for (size_t pool = 0; pool < sim->spec->pool_count; pool++)
        if (sim->spec->pools[pool].role != ROLE_PREFILL &&
            !engine_accepts(&sim->configs[pool], request->prompt_tok, asked_tok))
            return false;
    return true;
}

/* Can all who may work on it serve it? */
static bool accepts(const struct simulation *sim, const struct request *request,
                    const struct handover *handover, uint32_t asked_tok)
{
    if (!replica_accepts(sim, request->replica, request, asked_tok))
        return false;
    if (handover->charged == CHARGED_PAIR)
        return replica_accepts(sim, handover->pair.token, request, asked_tok);
    return handover->charged == CHARGED_DECODE || decoders_accept(sim, request, asked_tok);
}

static void release_charge(struct disaggregation *d, const struct handover *handover,
                           const struct request *request)
{
    switch ((enum charged)handover->charged) {
    case CHARGED_PREFILL:
        charge_release(d->prefill, request);
        break;
    case CHARGED_DECODE:
        charge_release(d->decode, request);
        break;
    case CHARGED_PAIR:
        if (handover->complete == TICK_NEVER) { /* both phases on one machine, or one token */
            mixed_pool_prompt_done(&d->mixed, handover->pair, request);
            mixed_pool_cache_gone(&d->mixed, handover->pair, request);
        }
        mixed_pool_tokens_done(&d->mixed, handover->pair, request);
        break;
    case CHARGED_NOBODY:
        break;
    }
}

void handover_keep(struct simulation *sim, uint32_t number, const struct handover *handover)
{
    struct disaggregation *d = sim->disaggregation;
    if (number >= d->handover_capacity) {
        uint32_t capacity = sim->requests.capacity;
        struct handover *larger = realloc(d->handovers, capacity * sizeof *larger);
        if (!larger) {
            disaggregation_out_of_memory(sim);
            return;
        }
        memset(larger + d->handover_capacity, 0,
               (capacity - d->handover_capacity) * sizeof *larger);
        d->handovers = larger;
        d->handover_capacity = capacity;
    }
    d->handovers[number] = *handover;
}

static bool decodes_where_it_begins(const struct handover *handover)
{
    return handover->charged == CHARGED_DECODE ||
           (handover->charged == CHARGED_PAIR && handover->pair.prompt == handover->pair.token);
}

static void count_local(struct simulation *sim, const struct request *request,
                        const struct handover *handover)
{
    if (decodes_where_it_begins(handover) && request->arrival >= sim->warmup)
        sim->result->transfers->local++;
}

static uint32_t hold(struct simulation *sim, struct request *request,
                     const struct handover *handover)
{
    uint32_t number = elastic_hold_arrival(sim, request);
    if (number != REQUEST_NONE)
        handover_keep(sim, number, handover);
    return number;
}

uint32_t disaggregation_arrive(struct simulation *sim, struct request *request, uint32_t asked_tok)
{
    struct handover handover;
    if (!place(sim, request, &handover))
        return hold(sim, request, &handover);
    sim->result->pools[sim->pool_of[request->replica]].arrived++;
    if (sim->elastic)
        elastic_sent(sim, request);
    if (!accepts(sim, request, &handover, asked_tok)) {
        release_charge(sim->disaggregation, &handover, request);
        replica_left(sim, request->replica);
        simulation_reject(sim, request);
        sharing_end(sim, request);
        return REQUEST_NONE;
    }
    count_local(sim, request, &handover);
    uint32_t number = simulation_submit(sim, request);
    if (number != REQUEST_NONE)
        handover_keep(sim, number, &handover);
    return number;
}

bool disaggregation_place(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    struct handover *handover = &sim->disaggregation->handovers[number];
    bool placed = place(sim, request, handover);
    if (placed && !request->sent)
        count_local(sim, request, handover);
    return placed;
}

bool disaggregation_accepts(const struct simulation *sim, uint32_t number)
{
    const struct request *request = &sim->requests.requests[number];
    return accepts(sim, request, &sim->disaggregation->handovers[number], request->output_tok);
}

void disaggregation_ended(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    release_charge(d, &d->handovers[number], request_at(sim, number));
}
