/* Replicas that come and go, where prefill and decode are apart.
 *
 * When a replica dies, whoever depends on it begins anew, from the prompt, with what it has
 * answered so far: Splitwise restarts a request when either of its machines fails (section IV.E),
 * and Dynamo's migration sends it once more with the tokens so far. That is who computes its prompt
 * there, decodes there, waits there for room, is being fetched from there or to there, or whose
 * complete cache waits there for a decode replica. What it has elsewhere is given back, and its
 * flow is cut. A request that has answered something is computed once more where it decodes: no
 * prefill replica is asked again. A request that is still being computed, and whose layers were
 * sent to the replica, loses only these.
 *
 * When no decode replica is there, complete caches wait on the prefill side, in order, and hold
 * their blocks; an arriving request waits at the gateway as long as the replica that the decider
 * wants for it has no equal that is there. */
#include <assert.h>

#include "models/engine/handover.h"
#include "models/fleet/disaggregation_state.h"

static void find_decoders(struct simulation *sim)
{
    struct disaggregation *d = sim->disaggregation;
    uint32_t count = d->stranded_count;
    d->stranded_count = 0;
    for (uint32_t i = 0; i < count; i++) /* who is stranded again takes a place that is free */
        passage_find_decoder(sim, d->stranded[i]);
}

void disaggregation_set_available(struct simulation *sim, uint32_t replica, bool available)
{
    struct disaggregation *d = sim->disaggregation;
    router_set_available(disaggregation_router_of(sim, replica), replica, available);
    if (d->mixed.machines)
        d->mixed.machines[replica].away = !available;
    if (available)
        find_decoders(sim);
}

uint32_t disaggregation_stranded(const struct simulation *sim)
{
    return sim->disaggregation->stranded_count;
}

/* --- dying --- */

/* What was computed of the prompt for another replica is lost. A token that its client has not seen
 * counts for nothing. */
static void begin_anew(struct request *request)
{
    request_set_free(request);
    request->remote_kv = false;
    if (request->first_token == TICK_NEVER)
        request->emitted = 0;
}

/* The request's shadow was on the replica that died, or is drained: it gets another one. */
static void renew_shadow(struct simulation *sim, uint32_t shadow)
{
    uint32_t number = sim->disaggregation->handovers[shadow].other;
    passage_end(sim, shadow, true);
    passage_free_shadow(sim, number);
    passage_prompt_begun(sim, number);
}

/* Its engine has let go of it. */
static void leave_all(struct simulation *sim, struct evicted *evicted)
{
    const struct handover *handover = &sim->disaggregation->handovers[evicted->request];
    if (handover->other != REQUEST_NONE)
        passage_drop_shadow(sim, evicted->request, true);
    passage_end(sim, evicted->request, true);
    if (handover->held_blocks > 0) {
        evicted->kv_tok += request_at(sim, evicted->request)->prompt_tok;
        passage_release_source(sim, evicted->request);
    }
    begin_anew(request_at(sim, evicted->request));
}

/* Its cache has died with its source, whoever was to decode it. */
static void lose_cache(struct simulation *sim, uint32_t number, struct eviction *out)
{
    struct request *request = request_at(sim, number);
    bool in_engine = sim->disaggregation->handovers[number].passage != PASSAGE_STRANDED;
    passage_end(sim, number, true);
    bool freed = !in_engine || engine_cancel(&sim->engines[request->replica], number, sim->now);
    assert(freed && "it does not run");
    (void)freed;
    replica_changed(sim, request->replica);
    passage_source_is_free(sim, number);
    eviction_add(out, &(struct evicted){.arrival = request->arrival,
                                        .request = number,
                                        .kv_tok = request->prompt_tok,
                                        .place = (enum request_place)request->place});
    request->cancelled = false;
    request->computed = 0;
    begin_anew(request);
}

static void lose_caches(struct simulation *sim, uint32_t replica, struct eviction *out)
{
    const struct disaggregation *d = sim->disaggregation;
    for (uint32_t number = 0; number < d->handover_capacity; number++)
        if (d->handovers[number].held_blocks > 0 && d->handovers[number].source == replica)
            lose_cache(sim, number, out);
}

/* Takes shadows out of the list; they are not requests of their own. */
static void renew_shadows(struct simulation *sim, struct eviction *out)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count; i++)
        if (disaggregation_is_shadow(sim, out->requests[i].request))
            renew_shadow(sim, out->requests[i].request);
        else
            out->requests[kept++] = out->requests[i];
    out->count = kept;
}

void disaggregation_evict(struct simulation *sim, uint32_t replica, struct eviction *out)
{
    assert(sim->disaggregation->notice_count == 0 && "they were taken up before");
    engine_evict(&sim->engines[replica], sim->now, out);
    renew_shadows(sim, out);
    for (uint32_t i = 0; i < out->count; i++)
        leave_all(sim, &out->requests[i]);
    lose_caches(sim, replica, out);
    eviction_sort(out);
    disaggregation_schedule(sim);
}

/* --- draining --- */

/* A request that waited for room there, with its cache at its source. */
static void find_other_decoder(struct simulation *sim, uint32_t number)
{
    struct disaggregation *d = sim->disaggregation;
    struct handover *handover = &d->handovers[number];
    struct request *request = request_at(sim, number);
    uint32_t from = request->replica, source = handover->source;
    if (handover->charged == CHARGED_DECODE)
        charge_release(d->decode, request);
    sim->result->pools[sim->pool_of[from]].moved_out++;
    sim->result->pools[sim->pool_of[source]].moved_in++;
    sim->result->elastic->requests.moved++;
    add_outstanding(sim, sim->pool_of[from], -1);
    add_outstanding(sim, sim->pool_of[source], 1);
    request->replica = source;
    replica_joined(sim, source);
    replica_left(sim, from);
    passage_find_decoder(sim, number);
}

void disaggregation_withdraw(struct simulation *sim, uint32_t replica, struct eviction *out)
{
    const struct disaggregation *d = sim->disaggregation;
    engine_withdraw(&sim->engines[replica], sim->now, out);
    renew_shadows(sim, out);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count; i++)
        if (d->handovers[out->requests[i].request].passage == PASSAGE_WAITING)
            find_other_decoder(sim, out->requests[i].request);
        else
            out->requests[kept++] = out->requests[i];
    out->count = kept;
    disaggregation_schedule(sim);
}
