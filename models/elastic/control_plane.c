/* The plane's time: what is due is done, then the pools that something happened to are reconciled,
 * each once. */
#include "models/elastic/control_plane.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/elastic/plane_parts.h"
#include "sim/random.h"

gsl_rng *plane_stream(const struct plane *plane, const char *purpose, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "elastic/%s/%s", purpose, name);
    return random_stream(plane->spec->seed, plane->spec->replication, full);
}

/* --- set up --- */

static void start_totals(struct plane_totals *totals)
{
    time_stat_start(&totals->wanted, 0, 0);
    time_stat_start(&totals->ready, 0, 0);
    time_stat_start(&totals->serving, 0, 0);
    time_stat_start(&totals->nodes, 0, 0);
    time_stat_start(&totals->spot, 0, 0);
}

static bool make_scaler(struct plane *plane, struct elastic_pool *pool)
{
    const struct elastic_settings *settings = pool->spec->settings;
    struct scaler_limits limits = {settings->min_replicas, settings->max_replicas,
                                   plane->spec->start_unix_s};
    pool->scaler = scaler_create(&settings->scaler, &limits, plane->error);
    pool->start_up = plane_stream(plane, "start_up", pool->spec->name);
    pool->failures = plane_stream(plane, "failures", pool->spec->name);
    return pool->scaler && pool->start_up && pool->failures && reconcile_create(plane, pool);
}

static bool make_pools(struct plane *plane)
{
    for (uint32_t i = 0; i < plane->spec->pool_count; i++) {
        struct elastic_pool *pool = &plane->pools[i];
        pool->spec = &plane->spec->pools[i];
        pool->wanted = pool->spec->initial;
        pool->look = TICK_NEVER;
        start_totals(&pool->totals);
        if (pool->spec->settings && !make_scaler(plane, pool))
            return false;
        for (uint32_t j = 0; j < pool->spec->slots; j++)
            plane->pool_of[pool->spec->first_replica + j] = i;
    }
    return true;
}

static bool allocate(struct plane *plane)
{
    const struct plane_spec *spec = plane->spec;
    for (uint32_t i = 0; i < spec->pool_count; i++)
        plane->replica_count += spec->pools[i].slots;
    plane->pools = calloc(spec->pool_count, sizeof *plane->pools);
    plane->markets = calloc(spec->market_count + 1, sizeof *plane->markets);
    plane->replicas = calloc(plane->replica_count, sizeof *plane->replicas);
    plane->pool_of = calloc(plane->replica_count, sizeof *plane->pool_of);
    return plane->pools && plane->markets && plane->replicas && plane->pool_of &&
           event_queue_init(&plane->timers, timer_of_node(plane, 0));
}

struct plane *plane_create(const struct plane_spec *spec, struct error *error)
{
    struct plane *plane = calloc(1, sizeof *plane);
    if (!plane) {
        error_set(error, ERROR_FAILED, "out of memory");
        return NULL;
    }
    plane->spec = spec;
    plane->error = error;
    if (!allocate(plane)) {
        error_set(error, ERROR_FAILED, "out of memory");
    } else if (markets_create(plane) && make_pools(plane)) {
        spend_limit_start(&plane->spend, spec->budget_usd_per_hour, 0);
        return plane;
    }
    plane_destroy(plane);
    return NULL;
}

void plane_destroy(struct plane *plane)
{
    if (!plane)
        return;
    for (uint32_t i = 0; plane->pools && i < plane->spec->pool_count; i++) {
        struct elastic_pool *pool = &plane->pools[i];
        scaler_destroy(pool->scaler);
        reconcile_destroy(pool);
        if (pool->start_up)
            gsl_rng_free(pool->start_up);
        if (pool->failures)
            gsl_rng_free(pool->failures);
    }
    markets_destroy(plane);
    event_queue_free(&plane->timers);
    free(plane->pools);
    free(plane->markets);
    free(plane->replicas);
    free(plane->pool_of);
    free(plane->nodes);
    free(plane);
}

/* --- time --- */

/* What one pool's nodes do may concern another's: they share a budget and markets. */
static bool settle_once(struct plane *plane)
{
    bool any = false;
    for (uint32_t i = 0; i < plane->spec->pool_count; i++) {
        if (!plane->pools[i].dirty)
            continue;
        plane->pools[i].dirty = false;
        if (!plane->pools[i].scaler)
            continue;
        reconcile(plane, i);
        any = true;
    }
    return any;
}

/* Where nothing takes time, what was ordered may be ready at once, and change the orders. */
static void settle(struct plane *plane)
{
    while (settle_once(plane)) {
    }
    assert(plane_keeps_capacity(plane));
}

void plane_start(struct plane *plane)
{
    plane->starting = true;
    for (uint32_t i = 0; i < plane->spec->market_count; i++) {
        market_publish_price(plane, i);
        market_schedule(plane, i);
    }
    for (uint32_t i = 0; i < plane->spec->pool_count; i++) {
        struct elastic_pool *pool = &plane->pools[i];
        time_stat_set(&pool->totals.wanted, 0, (double)pool->wanted);
        note_readiness(plane, pool);
        if (!pool->scaler)
            reconcile_fixed(plane, i); /* first: they are paid whatever the budget says */
    }
    for (uint32_t i = 0; i < plane->spec->pool_count; i++) {
        struct elastic_pool *pool = &plane->pools[i];
        if (!pool->scaler)
            continue;
        reconcile(plane, i);
        event_queue_set(&plane->timers, timer_of_pool(plane, i, false), TIMER_SCALER,
                        scaler_next(pool->scaler));
    }
    plane->starting = false;
    rebalance_begin(plane);
    settle(plane);
}

struct scaler_metrics plane_metrics(const struct plane *plane, uint32_t pool)
{
    struct scaler_metrics metrics = {0};
    plane->spec->actions.metrics(plane->spec->actions.context, pool, &metrics);
    count_replicas(plane, pool, &metrics);
    return metrics;
}

void pool_want(struct plane *plane, uint32_t number, int64_t replicas)
{
    struct elastic_pool *pool = &plane->pools[number];
    pool->wanted = replicas;
    pool->dirty = true;
    time_stat_set(&pool->totals.wanted, plane->now, (double)replicas);
    note_readiness(plane, pool);
}

static void ask_scaler(struct plane *plane, uint32_t number)
{
    struct elastic_pool *pool = &plane->pools[number];
    struct scaler_metrics metrics = plane_metrics(plane, number);
    struct scaler_decision decision = scaler_decide(pool->scaler, &metrics, plane->now);
    event_queue_set(&plane->timers, timer_of_pool(plane, number, false), TIMER_SCALER,
                    scaler_next(pool->scaler));
    if (decision.desired == pool->wanted)
        return;
    pool->totals.scale_outs += decision.desired > pool->wanted;
    pool->totals.scale_ins += decision.desired < pool->wanted;
    pool_want(plane, number, decision.desired);
}

static void look(struct plane *plane, uint32_t pool)
{
    plane->pools[pool].look = TICK_NEVER;
    plane->pools[pool].dirty = true;
}

static void ring(struct plane *plane, uint32_t actor)
{
    uint32_t pools = plane->spec->market_count, rebalance = timer_of_rebalance(plane);
    uint32_t replicas = timer_of_replica(plane, 0), nodes = timer_of_node(plane, 0);
    if (actor < pools)
        market_timer(plane, actor);
    else if (actor < rebalance && (actor - pools) % 2 == 0)
        ask_scaler(plane, (actor - pools) / 2);
    else if (actor < rebalance)
        look(plane, (actor - pools) / 2);
    else if (actor == rebalance)
        rebalance_timer(plane);
    else if (actor < nodes)
        replica_timer(plane, actor - replicas);
    else
        node_timer(plane, actor - nodes);
}

tick_t plane_next(const struct plane *plane)
{
    const struct event_entry *first = event_queue_first(&plane->timers);
    return first ? first->time : TICK_NEVER;
}

void plane_advance(struct plane *plane, tick_t now)
{
    const struct event_entry *first;
    plane->now = now;
    while ((first = event_queue_first(&plane->timers)) && first->time <= now) {
        uint32_t actor = (uint32_t)first->actor;
        event_queue_remove(&plane->timers, actor);
        ring(plane, actor);
    }
    settle(plane);
}

void plane_emptied(struct plane *plane, uint32_t replica, tick_t now)
{
    plane->now = now;
    replica_emptied(plane, replica);
    settle(plane);
}

void plane_finish(struct plane *plane, tick_t now)
{
    plane->now = now;
    nodes_finish(plane);
    plane->spec->usage->end = now;
}

/* --- what it says of itself --- */

bool plane_is_moving(const struct plane *plane)
{
    return plane->moving > 0;
}

const char *plane_ended_record(const struct plane *plane)
{
    return plane->ended_record;
}

const struct plane_totals *plane_totals_of(const struct plane *plane, uint32_t pool)
{
    return &plane->pools[pool].totals;
}

static double spot_capacity(const struct plane *plane, const struct plane_pool *pool)
{
    double nodes = 0;
    for (uint32_t i = 0; i < pool->market_count; i++) {
        int64_t capacity = market_capacity(plane->markets[pool->markets[i]].present);
        nodes += capacity == INT64_MAX ? INFINITY : (double)capacity;
    }
    return nodes;
}

struct plane_view plane_look(const struct plane *plane, uint32_t number)
{
    const struct elastic_pool *pool = &plane->pools[number];
    struct plane_view view = {.wanted = pool->totals.wanted.value,
                              .ready = pool->totals.ready.value,
                              .spot_capacity = spot_capacity(plane, pool->spec)};
    for (uint32_t i = 0; i < plane->node_count; i++) {
        const struct node *node = &plane->nodes[i];
        if (node->pool != number || node->state < NODE_BOOTING || node->state > NODE_UP)
            continue;
        *(node->spot ? &view.spot_nodes : &view.on_demand_nodes) += 1;
        view.usd_per_hour += node->usd_per_hour;
    }
    return view;
}

const struct spend_limit *plane_spend(const struct plane *plane)
{
    return &plane->spend;
}

bool plane_keeps_capacity(const struct plane *plane)
{
    for (uint32_t i = 0; i < plane->spec->market_count; i++) {
        const struct plane_market *market = &plane->markets[i];
        if (market->held > market_capacity(market->present) ||
            market->on_demand_held > market_on_demand_capacity(market->present))
            return false;
    }
    return true;
}
