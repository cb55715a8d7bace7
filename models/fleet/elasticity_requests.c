/* Requests that wait for a replica, or lose theirs. */
#include <assert.h>
#include <math.h>

#include "models/fleet/elasticity_parts.h"
#include "models/fleet/routing.h"

static struct request *request_at(const struct simulation *sim, uint32_t number)
{
    return &sim->requests.requests[number];
}

static struct elastic_requests *totals_of(const struct simulation *sim)
{
    return &sim->elastic->result->requests;
}

/* --- waiting at the gateway --- */

static void append(struct simulation *sim, uint32_t number)
{
    struct elasticity *elastic = sim->elastic;
    struct request *request = request_at(sim, number);
    request->place = PLACE_HELD;
    request->previous = elastic->held_tail;
    request->next = REQUEST_NONE;
    *(elastic->held_tail == REQUEST_NONE ? &elastic->held_head
                                         : &request_at(sim, elastic->held_tail)->next) = number;
    elastic->held_tail = number;
    elastic->held_count++;
    elastic->held_fresh += !request->sent;
}

static void unlink(struct simulation *sim, uint32_t number)
{
    struct elasticity *elastic = sim->elastic;
    struct request *request = request_at(sim, number);
    *(request->previous == REQUEST_NONE ? &elastic->held_head
                                        : &request_at(sim, request->previous)->next) =
        request->next;
    *(request->next == REQUEST_NONE ? &elastic->held_tail
                                    : &request_at(sim, request->next)->previous) =
        request->previous;
    request->place = PLACE_WAITING;
    elastic->held_count--;
    elastic->held_fresh -= !request->sent;
    totals_of(sim)->held_s += tick_to_s(sim->now - request->held_since);
}

static void hold(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    request->held_since = sim->now;
    totals_of(sim)->held++;
    append(sim, number);
}

/* --- sending --- */

void elastic_sent(struct simulation *sim, struct request *request)
{
    request->sent = true;
    sim->elastic->replicas[request->replica].requests++;
    sim->elastic->counters[sim->pool_of[request->replica]].arrived_prompt_tok +=
        request->prompt_tok;
}

/* One that waited, or lost its replica. */
static void count_sent(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    uint32_t pool = sim->pool_of[request->replica];
    struct pool_result *result = &sim->result->pools[pool];
    *(request->sent ? &result->moved_in : &result->arrived) += 1;
    add_outstanding(sim, pool, 1);
    elastic_sent(sim, request);
}

/* Gives the request a replica. false: none is there for it. */
static bool find_replica(struct simulation *sim, uint32_t number)
{
    if (sim->disaggregation)
        return disaggregation_place(sim, number);
    struct request *request = request_at(sim, number);
    struct router_request asked = routing_request(sim, request, request->session);
    uint32_t replica = router_choose(sim->router, &asked);
    if (replica != ROUTER_NO_REPLICA)
        request->replica = replica;
    return replica != ROUTER_NO_REPLICA;
}

static bool is_accepted(const struct simulation *sim, uint32_t number)
{
    const struct request *request = request_at(sim, number);
    return engine_accepts_resumed(sim->engines[request->replica].config, request) &&
           (!sim->disaggregation || disaggregation_accepts(sim, number));
}

static void refuse(struct simulation *sim, uint32_t number)
{
    if (sim->clients)
        clients_refused(sim, number);
    else
        simulation_refuse(sim, number);
}

/* false: no replica is there for it. */
static bool try_to_send(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    if (!find_replica(sim, number))
        return false;
    if (request->place == PLACE_HELD)
        unlink(sim, number);
    bool resumes = request->sent;
    uint32_t replica = request->replica;
    count_sent(sim, number);
    struct engine *engine = &sim->engines[replica];
    if (!is_accepted(sim, number))
        refuse(sim, number);
    else if (resumes)
        engine_resume(engine, number, sim->now);
    else
        engine_submit(engine, number, sim->now);
    replica_changed(sim, replica);
    return true;
}

void elastic_send(struct simulation *sim, uint32_t number)
{
    if (!try_to_send(sim, number))
        hold(sim, number);
}

/* Those of another model may have a replica where the first has none. */
void elastic_release_held(struct simulation *sim)
{
    uint32_t number = sim->elastic->held_head;
    while (number != REQUEST_NONE) {
        uint32_t next = request_at(sim, number)->next;
        if (!try_to_send(sim, number) && sim->spec->model_count <= 1)
            return;
        number = next;
    }
}

/* Where one that waits counts as being: on the first replica that could serve its model. */
static uint32_t stand_in(const struct simulation *sim, uint32_t class_index)
{
    uint32_t model = sim->spec->class_models ? sim->spec->class_models[class_index] : 0;
    uint32_t pool = 0;
    while (pool + 1 < sim->spec->pool_count && sim->spec->pools[pool].model != model)
        pool++;
    return sim->first_replica[pool];
}

uint32_t elastic_hold_arrival(struct simulation *sim, struct request *request)
{
    request->replica = stand_in(sim, request->class_index);
    uint32_t number = request_pool_take(&sim->requests, request);
    if (number == REQUEST_NONE) {
        error_set(sim->error, ERROR_FAILED, "out of memory with %u requests in flight",
                  sim->requests.in_use);
        sim->failed = true;
        return number;
    }
    struct request *held = request_at(sim, number);
    held->first_scheduled = held->first_token = TICK_NEVER;
    hold(sim, number);
    return number;
}

void elastic_cancel_held(struct simulation *sim, uint32_t number)
{
    const struct request *request = request_at(sim, number);
    unlink(sim, number);
    if (!sim->disaggregation) /* which has charged nobody */
        router_charge(sim->router, request->replica, request->prompt_tok, request->predicted_tok);
    count_sent(sim, number);
}

/* --- replicas that go --- */

static void leave_replica(struct simulation *sim, const struct request *request)
{
    uint32_t pool = sim->pool_of[request->replica];
    add_outstanding(sim, pool, -1);
    if (sim->disaggregation)
        disaggregation_ended(sim, (uint32_t)(request - sim->requests.requests));
    else
        router_release(sim->router, request->replica, request->prompt_tok, request->predicted_tok);
    elastic_left(sim, request->replica);
}

static void lose(struct simulation *sim, uint32_t number)
{
    totals_of(sim)->lost++;
    if (sim->clients)
        clients_lost(sim, number);
    else
        simulation_refuse(sim, number);
}

void elastic_send_on(struct simulation *sim, uint32_t number)
{
    leave_replica(sim, request_at(sim, number));
    sim->result->pools[sim->pool_of[request_at(sim, number)->replica]].moved_out++;
    totals_of(sim)->moved++;
    elastic_send(sim, number);
}

static void relocate(struct simulation *sim, uint32_t number, bool lost)
{
    elastic_forget_move(sim, number);
    if (sim->clients && clients_abandoned(sim, number)) {
        clients_ended(sim, number);
    } else if (lost) {
        lose(sim, number);
    } else {
        if (elastic_starts_over(sim, request_at(sim, number)->replica))
            elastic_start_over(sim, number);
        elastic_send_on(sim, number);
    }
}

tick_t elastic_recompute_time(const struct simulation *sim, uint32_t pool, uint64_t kv_tok)
{
    double tok_s = routing_speed(&sim->configs[pool]).per_prompt_tok_s;
    return tick_from_s(fmin((double)kv_tok * tok_s, CLOCK_MAX_S));
}

void elastic_count_lost(struct simulation *sim, uint32_t replica, uint64_t kv_tok)
{
    uint32_t pool = sim->pool_of[replica];
    totals_of(sim)->lost_kv_tok += kv_tok;
    usage_hour(&sim->elastic->result->usage, pool, sim->now)->wasted_ticks +=
        elastic_recompute_time(sim, pool, kv_tok);
}

void elastic_relocate(struct simulation *sim, uint32_t replica, bool lost)
{
    struct elasticity *elastic = sim->elastic;
    uint64_t kv_tok = 0;
    for (uint32_t i = 0; i < elastic->evicted.count; i++) {
        kv_tok += elastic->evicted.requests[i].kv_tok;
        relocate(sim, elastic->evicted.requests[i].request, lost);
    }
    elastic_count_lost(sim, replica, kv_tok);
}
