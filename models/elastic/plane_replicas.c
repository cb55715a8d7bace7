/* Life of replicas on their nodes. */
#include <assert.h>

#include "models/elastic/plane_parts.h"

static struct elastic_pool *pool_of(struct plane *plane, uint32_t replica)
{
    return &plane->pools[plane->pool_of[replica]];
}

static void enter(struct plane *plane, uint32_t replica, enum replica_state state, tick_t until)
{
    struct plane_replica *of = &plane->replicas[replica];
    of->state = state;
    of->stage_end = until;
    event_queue_set(&plane->timers, timer_of_replica(plane, replica), TIMER_REPLICA, until);
}

static void change(struct time_stat *stat, tick_t now, int by)
{
    time_stat_set(stat, now, stat->value + by);
}

static void count_ready(struct plane *plane, uint32_t replica, int by)
{
    change(&pool_of(plane, replica)->totals.ready, plane->now, by);
    note_readiness(plane, pool_of(plane, replica));
}

static void count_serving(struct plane *plane, uint32_t replica, int by)
{
    change(&pool_of(plane, replica)->totals.serving, plane->now, by);
}

uint32_t replica_free_slot(const struct plane *plane, uint32_t pool)
{
    const struct plane_pool *spec = pool_spec_of(plane, pool);
    uint32_t replica = spec->first_replica, end = spec->first_replica + spec->slots;
    while (replica < end && plane->replicas[replica].state != REPLICA_FREE)
        replica++;
    return replica;
}

/* --- coming --- */

static void become_ready(struct plane *plane, uint32_t replica)
{
    struct plane_replica *of = &plane->replicas[replica];
    struct node *node = &plane->nodes[of->node];
    struct plane_totals *totals = &pool_of(plane, replica)->totals;
    enter(plane, replica, REPLICA_READY, TICK_NEVER);
    plane->moving--;
    if (node->usage.ready == TICK_NEVER)
        node->usage.ready = plane->now;
    if (node->spot)
        plane->markets[node->market].last_ready = plane->now;
    totals->replicas_started++;
    if (!plane->starting) {
        totals->cold_starts++;
        totals->cold_start_s += tick_to_s(plane->now - of->wanted);
    }
    pool_of(plane, replica)->dirty = true; /* what it takes the place of may go */
    count_ready(plane, replica, 1);
    count_serving(plane, replica, 1);
    plane->spec->actions.up(plane->spec->actions.context, replica, plane->now);
}

static void next_stage(struct plane *plane, uint32_t replica)
{
    struct plane_replica *of = &plane->replicas[replica];
    if (of->state == REPLICA_LOADING) {
        plane->nodes[of->node].loading--;
        enter(plane, replica, REPLICA_WARMING, plane->now + of->warm_up);
    }
    if (of->state == REPLICA_WARMING && of->stage_end <= plane->now)
        become_ready(plane, replica);
}

void replica_load(struct plane *plane, uint32_t replica)
{
    struct plane_replica *of = &plane->replicas[replica];
    struct node *node = &plane->nodes[of->node];
    struct elastic_pool *pool = pool_of(plane, replica);
    struct replica_stages stages = {0};
    node->loading++;
    if (!plane->starting && pool->spec->settings)
        stages = start_up_draw_replica(&pool->spec->settings->start_up, &pool->spec->start_up,
                                       node->loading, pool->start_up);
    of->warm_up = stages.warm_up;
    enter(plane, replica, REPLICA_LOADING, plane->now + stages.weights);
    if (stages.weights == 0)
        next_stage(plane, replica);
}

void replica_place(struct plane *plane, uint32_t replica, uint32_t number)
{
    struct plane_replica *of = &plane->replicas[replica];
    struct node *node = &plane->nodes[number];
    assert(of->state == REPLICA_FREE && !node->leaving);
    of->node = number;
    of->wanted = plane->now;
    node->hosted++;
    plane->moving++;
    enter(plane, replica, REPLICA_PLACED, TICK_NEVER);
    if (node->state == NODE_UP)
        replica_load(plane, replica);
}

/* --- going --- */

/* Whoever ends a node does not want to hear that it is empty. */
static void vacate(struct plane *plane, uint32_t replica)
{
    struct plane_replica *of = &plane->replicas[replica];
    struct node *node = &plane->nodes[of->node];
    if (of->state == REPLICA_LOADING)
        node->loading--;
    if (of->state != REPLICA_READY)
        plane->moving--;
    if (of->state >= REPLICA_READY)
        count_serving(plane, replica, -1);
    node->hosted--;
    pool_of(plane, replica)->dirty = true;
    enter(plane, replica, REPLICA_FREE, TICK_NEVER);
}

void replica_drain(struct plane *plane, uint32_t replica, enum departure why, tick_t deadline)
{
    const struct plane_actions *actions = &plane->spec->actions;
    uint32_t node = plane->replicas[replica].node;
    pool_of(plane, replica)->totals.replicas_drained++;
    if (plane->replicas[replica].state != REPLICA_READY) {
        vacate(plane, replica);
        node_emptied(plane, node);
        return;
    }
    count_ready(plane, replica, -1);
    plane->moving++;
    enter(plane, replica, REPLICA_DRAINING, deadline);
    if (!actions->drain(actions->context, replica, why, plane->now, deadline))
        return;
    vacate(plane, replica);
    node_emptied(plane, node);
}

void replica_end(struct plane *plane, uint32_t replica, enum departure why)
{
    const struct plane_actions *actions = &plane->spec->actions;
    enum replica_state was = plane->replicas[replica].state;
    if (was == REPLICA_READY)
        count_ready(plane, replica, -1);
    vacate(plane, replica);
    if (was != REPLICA_READY && was != REPLICA_DRAINING)
        return;
    pool_of(plane, replica)->totals.replicas_lost++;
    actions->down(actions->context, replica, why, plane->now);
}

static void drained_in_vain(struct plane *plane, uint32_t replica)
{
    uint32_t node = plane->replicas[replica].node;
    replica_end(plane, replica, DEPARTURE_TIMED_OUT);
    node_emptied(plane, node);
}

void replica_emptied(struct plane *plane, uint32_t replica)
{
    assert(plane->replicas[replica].state == REPLICA_DRAINING);
    uint32_t node = plane->replicas[replica].node;
    vacate(plane, replica);
    node_emptied(plane, node);
}

void replica_timer(struct plane *plane, uint32_t replica)
{
    if (plane->replicas[replica].state == REPLICA_DRAINING)
        drained_in_vain(plane, replica);
    else
        next_stage(plane, replica);
}
