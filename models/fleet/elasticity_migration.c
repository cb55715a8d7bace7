/* Decodes that take their KV cache along when their node is to be taken, as in SpotServe (Miao et
 * al., ASPLOS 2024): they decode on as long as the time that is left suffices for their copies, and
 * a second; then they leave at the end of the iteration. Where they go on they wait for their
 * place, then the cache is copied, then they decode. A node's copies leave one after the other, in
 * the order in which their places were found. What is not there when the node goes is computed
 * again where the request is.
 *
 * A move is the time between the two engines. It keeps its source counted as not empty, for that
 * holds the cache; its request is the destination's already. Few exist at once: a list. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/engine/handover.h"
#include "models/fleet/elasticity_parts.h"
#include "models/fleet/routing.h"

#define SPARE_S 1.0 /* for the iteration that is running, and for what the estimate leaves out */

static struct request *request_at(const struct simulation *sim, uint32_t number)
{
    return &sim->requests.requests[number];
}

static uint32_t find_move(const struct elasticity *elastic, uint32_t number)
{
    uint32_t i = 0;
    while (i < elastic->move_count && elastic->moves[i].request != number)
        i++;
    return i;
}

static struct elastic_move remove_move(struct elasticity *elastic, uint32_t index)
{
    struct elastic_move move = elastic->moves[index];
    elastic->moves[index] = elastic->moves[--elastic->move_count];
    return move;
}

static void add_move(struct simulation *sim, const struct elastic_move *move)
{
    struct elasticity *elastic = sim->elastic;
    if (elastic->move_count == elastic->move_capacity) {
        elastic->move_capacity = elastic->move_capacity ? 2 * elastic->move_capacity : 64;
        elastic->moves = realloc(elastic->moves, elastic->move_capacity * sizeof *elastic->moves);
        if (!elastic->moves)
            out_of_memory();
    }
    elastic->moves[elastic->move_count++] = *move;
}

/* The source lets go of the cache. */
static void let_source_go(struct simulation *sim, const struct elastic_move *move)
{
    engine_release(&sim->engines[move->source], move->blocks, sim->now);
    elastic_left(sim, move->source);
}

/* --- leaving --- */

static double network_gb_s(const struct elastic_pool_spec *given)
{
    double gb_s = given->settings->interruption.migration_gb_s;
    return isnan(gb_s) ? given->network_gb_s : gb_s;
}

static double copy_s(const struct simulation *sim, uint32_t replica, double tokens)
{
    const struct elastic_pool_spec *given = &sim->elastic->spec->pools[sim->pool_of[replica]];
    return fmin(tokens * given->kv_bytes_per_tok / (network_gb_s(given) * 1e9), CLOCK_MAX_S);
}

/* Of all that decode there now, were each to decode until the deadline. */
static double copies_s(const struct simulation *sim, uint32_t replica, double notice_s)
{
    struct engine *engine = &sim->engines[replica];
    engine_settle(engine, sim->now); /* so that it does not matter where runs were cut */
    double growth_tok = notice_s / routing_speed(engine->config).iteration_s;
    double tokens = (double)engine->context_tok + engine->decodes * growth_tok;
    return copy_s(sim, replica, tokens);
}

void elastic_plan_migration(struct simulation *sim, uint32_t replica, tick_t deadline)
{
    double notice_s = tick_to_s(deadline - sim->now);
    double wait_s = fmax(0, notice_s - copies_s(sim, replica, notice_s) - SPARE_S);
    add_move(sim, &(struct elastic_move){.request = REQUEST_NONE,
                                         .source = replica,
                                         .phase = MOVE_PLANNED,
                                         .due = sim->now + tick_from_s(wait_s)});
}

static void migrate(struct simulation *sim, uint32_t replica)
{
    struct engine *engine = &sim->engines[replica];
    uint32_t number = engine->running.head;
    while (number != REQUEST_NONE) {
        uint32_t next = request_at(sim, number)->next;
        engine_extract(engine, number, sim->now);
        number = next;
    }
    replica_changed(sim, replica);
}

/* What a boundary leaves is taken up one tick later, see elasticity.c. */
void elastic_boundary(struct simulation *sim, uint32_t replica)
{
    struct engine *engine = &sim->engines[replica];
    for (uint32_t i = 0; i < engine->handed_count; i++)
        add_move(sim,
                 &(struct elastic_move){.request = engine->handed[i],
                                        .source = replica,
                                        .blocks = request_at(sim, engine->handed[i])->held_blocks,
                                        .phase = MOVE_LEAVING,
                                        .due = sim->now + 1});
    for (uint32_t i = 0; i < engine->fetch_count; i++) {
        uint32_t index = find_move(sim->elastic, engine->fetches[i]);
        assert(index < sim->elastic->move_count);
        struct elastic_move *move = &sim->elastic->moves[index];
        move->phase = MOVE_ADMITTED;
        move->due = sim->now + 1;
    }
    elastic_schedule(sim);
}

/* --- copying --- */

static tick_t copy_time(const struct simulation *sim, const struct elastic_move *move)
{
    const struct request *request = request_at(sim, move->request);
    double tokens = (double)request->prompt_tok + request->emitted;
    return tick_from_s(copy_s(sim, move->source, tokens));
}

static void begin_copy(struct simulation *sim, struct elastic_move *move)
{
    tick_t *free_at = &sim->elastic->replicas[move->source].network_free;
    tick_t begins = *free_at > sim->now ? *free_at : sim->now;
    *free_at = begins + copy_time(sim, move);
    move->phase = MOVE_COPYING;
    move->due = *free_at;
}

static void end_copy(struct simulation *sim, uint32_t index)
{
    struct elastic_move move = remove_move(sim->elastic, index);
    uint32_t replica = request_at(sim, move.request)->replica;
    engine_fetched(&sim->engines[replica], move.request, sim->now);
    replica_changed(sim, replica);
    let_source_go(sim, &move);
    replica_changed(sim, move.source);
    sim->elastic->result->requests.migrated++;
}

/* It is sent elsewhere, with its cache to follow; or, where nobody is there for it, without. */
static void leave(struct simulation *sim, uint32_t index)
{
    struct elastic_move *move = &sim->elastic->moves[index];
    uint32_t number = move->request;
    elastic_joined(sim, move->source);
    move->phase = MOVE_WAITING;
    move->due = TICK_NEVER;
    request_at(sim, number)->remote_kv = true;
    elastic_send_on(sim, number);
}

static void act(struct simulation *sim, uint32_t index)
{
    struct elastic_move *move = &sim->elastic->moves[index];
    switch (move->phase) {
    case MOVE_PLANNED:
        migrate(sim, remove_move(sim->elastic, index).source);
        break;
    case MOVE_LEAVING:
        leave(sim, index);
        break;
    case MOVE_ADMITTED:
        begin_copy(sim, move);
        break;
    case MOVE_COPYING:
        end_copy(sim, index);
        break;
    case MOVE_WAITING:
        break;
    }
}

/* In order of time, then of request: whatever the order of the list. */
static uint32_t first_due(const struct elasticity *elastic)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < elastic->move_count; i++) {
        const struct elastic_move *a = &elastic->moves[i], *b = &elastic->moves[first];
        if (a->due < b->due || (a->due == b->due && a->request < b->request))
            first = i;
    }
    return first;
}

tick_t elastic_next_move(const struct simulation *sim)
{
    const struct elasticity *elastic = sim->elastic;
    return elastic->move_count > 0 ? elastic->moves[first_due(elastic)].due : TICK_NEVER;
}

void elastic_act_on_moves(struct simulation *sim)
{
    while (elastic_next_move(sim) <= sim->now)
        act(sim, first_due(sim->elastic));
}

/* --- what comes in between --- */

void elastic_forget_move(struct simulation *sim, uint32_t number)
{
    struct elasticity *elastic = sim->elastic;
    uint32_t index = find_move(elastic, number);
    if (index == elastic->move_count)
        return;
    struct elastic_move move = remove_move(elastic, index);
    request_at(sim, number)->remote_kv = false;
    if (move.phase == MOVE_LEAVING) /* it is the source's still */
        engine_release(&sim->engines[move.source], move.blocks, sim->now);
    else
        let_source_go(sim, &move);
    replica_changed(sim, move.source);
}

/* Its cache is gone: it is computed again where it is. */
static void compute_again(struct simulation *sim, const struct elastic_move *move)
{
    struct request *request = request_at(sim, move->request);
    uint32_t replica = request->replica;
    elastic_count_lost(sim, move->source, (uint64_t)request->prompt_tok + request->emitted);
    request->remote_kv = false;
    if (request->place == PLACE_HELD)
        return;
    bool out = engine_cancel(&sim->engines[replica], move->request, sim->now);
    assert(out && "it does not run yet");
    (void)out;
    request->cancelled = false;
    engine_resume(&sim->engines[replica], move->request, sim->now);
    replica_changed(sim, replica);
}

/* The source's engine has just been evicted, and its blocks with it. */
void elastic_source_lost(struct simulation *sim, uint32_t replica)
{
    struct elasticity *elastic = sim->elastic;
    for (uint32_t i = 0; i < elastic->move_count;) {
        if (elastic->moves[i].source != replica) {
            i++;
            continue;
        }
        struct elastic_move move = remove_move(elastic, i);
        if (move.phase == MOVE_PLANNED)
            continue;
        if (move.phase == MOVE_LEAVING) {
            elastic_send_on(sim, move.request);
            continue;
        }
        elastic_left(sim, replica);
        compute_again(sim, &move);
    }
}
