/* The event loop's side of prefill and decode apart: what replicas tell of, and when it is taken
 * up. Where a request begins is in disaggregation_place.c, its way from there to the replica that
 * decodes it in disaggregation_passage.c.
 *
 * What replicas tell of at a boundary (a prompt is complete, or begun) is taken up one tick later,
 * in an event of its own that comes before the boundaries of that tick, as arrivals do: whether
 * other replicas are at a boundary at that moment must not matter, because a replica that jumps
 * over iterations is not, where one that steps is. Flows are begun at once, but end in such an
 * event, too. */
#include "models/fleet/disaggregation.h"

#include <assert.h>
#include <stdlib.h>

#include "models/fleet/disaggregation_state.h"
#include "models/fleet/routing.h"

void disaggregation_out_of_memory(struct simulation *sim)
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
    free(d->stranded);
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

/* --- events --- */

void disaggregation_schedule(struct simulation *sim)
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
            disaggregation_out_of_memory(sim);
            return;
        }
        d->notices = larger;
        d->notice_capacity = capacity;
    }
    d->notices[d->notice_count++] = (struct notice){number, complete};
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
        passage_let_in(sim, engine->fetches[i]);
    for (uint32_t i = 0; i < engine->handed_count; i++)
        notify(sim, engine->handed[i], true);
    if (d->config->transfer.mode == TRANSFER_LAYERWISE)
        notify_begun(sim, engine);
    /* Only lent machines both give and take. */
    d->look_for_stuck |= d->mixed.machines && engine->next == TICK_NEVER && engine->waiting > 0;
    if (engine->fetch_count > 0 || d->notice_count > 0 || d->look_for_stuck)
        disaggregation_schedule(sim);
}

void disaggregation_event(struct simulation *sim)
{
    struct disaggregation *d = sim->disaggregation;
    links_advance(&d->network.links, sim->now);
    struct link_arrival arrival;
    while (!sim->failed && links_take_arrival(&d->network.links, sim->now, &arrival))
        passage_flow_arrived(sim, &arrival);
    for (uint32_t i = 0; !sim->failed && i < d->notice_count; i++)
        if (d->notices[i].complete)
            passage_prompt_complete(sim, d->notices[i].request);
        else
            passage_prompt_begun(sim, d->notices[i].request);
    d->notice_count = 0;
    if (d->look_for_stuck)
        disaggregation_unstick(sim);
    d->look_for_stuck = false;
    disaggregation_schedule(sim);
}

uint32_t disaggregation_prompt_replica(const struct simulation *sim, const struct request *request)
{
    const struct handover *handover =
        &sim->disaggregation->handovers[request - sim->requests.requests];
    return handover->here == TICK_NEVER ? request->replica : handover->source;
}

void disaggregation_describe(const struct simulation *sim, const struct request *request,
                             struct request_record *record)
{
    const struct handover *handover =
        &sim->disaggregation->handovers[request - sim->requests.requests];
    if (handover->here == TICK_NEVER)
        return;
    record->prefill_pool = sim->pool_of[handover->source];
    record->prefill_replica = handover->source - sim->first_replica[record->prefill_pool];
    record->handover_s = tick_to_s(handover->here - handover->complete);
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
            judge_record(sim, d->notices[i].request);
    for (uint32_t i = 0; i < d->stranded_count; i++)
        judge_record(sim, d->stranded[i]);
    for (uint32_t i = 0; sim->requests.in_use == 0 && i < sim->replicas; i++)
        assert(sim->engines[i].held_blocks == 0 && sim->engines[i].incoming == 0);
}
