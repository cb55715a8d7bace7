/* Life of nodes. What can happen to one next (the end of its stage, a notice, being taken, a
 * failure) is one timer: the earliest. */
#include <assert.h>
#include <stdlib.h>

#include "models/elastic/plane_parts.h"

static tick_t earlier(tick_t a, tick_t b)
{
    return a < b ? a : b;
}

static void set_timer(struct plane *plane, uint32_t number)
{
    const struct node *node = &plane->nodes[number];
    tick_t next =
        earlier(earlier(node->stage_end, node->notice), earlier(node->taken, node->fails));
    event_queue_set(&plane->timers, timer_of_node(plane, number), TIMER_NODE, next);
}

/* --- records --- */

static uint32_t unused_record(struct plane *plane)
{
    for (uint32_t i = 0; i < plane->node_count; i++)
        if (plane->nodes[i].state == NODE_GONE)
            return i;
    if (plane->node_count == plane->node_capacity) {
        uint32_t capacity = plane->node_capacity ? 2 * plane->node_capacity : 16;
        struct node *larger = realloc(plane->nodes, capacity * sizeof *larger);
        if (larger)
            plane->nodes = larger;
        if (!larger || !event_queue_grow(&plane->timers, timer_of_node(plane, capacity)))
            return NODE_NONE;
        plane->node_capacity = capacity;
    }
    return plane->node_count++;
}

/* --- money --- */

double node_price(const struct plane *plane, uint32_t pool, uint32_t market, bool spot)
{
    const struct plane_pool *spec = pool_spec_of(plane, pool);
    if (market == MARKET_NONE)
        return spec->on_demand_usd_per_hour;
    const struct market *present = plane->markets[market].present;
    return spec->instances_per_node *
           (spot ? market_spot_usd(present) : market_on_demand_usd(present));
}

static bool is_billed(const struct node *node)
{
    return node->state >= NODE_BOOTING && node->state <= NODE_UP;
}

static void count_cost(struct plane *plane, struct node *node)
{
    plane->pools[node->pool].totals.cost_usd +=
        node->usd_per_hour * tick_to_s(plane->now - node->priced) / 3600;
    node->priced = plane->now;
}

/* Those that the budget refused may try again. */
static void wake_refused(struct plane *plane)
{
    for (uint32_t i = 0; i < plane->spec->pool_count; i++)
        plane->pools[i].dirty |= plane->pools[i].refused;
}

static void hold_price(struct plane *plane, struct node *node, double usd_per_hour)
{
    if (is_billed(node))
        count_cost(plane, node);
    spend_limit_change(&plane->spend, node->usd_per_hour, usd_per_hour, plane->now);
    node->usd_per_hour = usd_per_hour;
}

/* Minimum and granularity: until when would it be paid for if it ended now? */
static tick_t paid_until(const struct plane *plane, const struct node *node)
{
    const struct elastic_settings *settings = pool_spec_of(plane, node->pool)->settings;
    if (!settings || !is_billed(node))
        return plane->now;
    tick_t minimum = tick_from_s(settings->billing_minimum_s);
    tick_t unit = tick_from_s(settings->billing_granularity_s);
    tick_t billed = plane->now - node->billed_from;
    if (unit > 0)
        billed = (billed + unit - 1) / unit * unit;
    return node->billed_from + (billed < minimum ? minimum : billed);
}

/* By how much its price is about to change. One that has ended is billed on at its last price. */
static double price_change(const struct plane *plane, const struct node *node)
{
    if (node->state == NODE_GONE || node->state == NODE_PAID || !node->spot)
        return 0;
    return node_price(plane, node->pool, node->market, true) - node->usd_per_hour;
}

/* How much cheaper would it be by the hour to end it now? */
static double relief(const struct plane *plane, const struct node *node)
{
    double change = price_change(plane, node);
    return paid_until(plane, node) > plane->now ? change : change + node->usd_per_hour;
}

static bool is_dearer(const struct plane *plane, const struct node *a, const struct node *b)
{
    double usd_a = a->usd_per_hour + price_change(plane, a);
    double usd_b = b->usd_per_hour + price_change(plane, b);
    return usd_a > usd_b || (usd_a == usd_b && a->serial > b->serial);
}

/* The dearest of those whose end helps the budget; the newest of equals. */
static uint32_t dearest(const struct plane *plane)
{
    uint32_t best = NODE_NONE;
    for (uint32_t i = 0; i < plane->node_count; i++) {
        const struct node *node = &plane->nodes[i];
        if (node->state == NODE_GONE || node->state == NODE_PAID ||
            !pool_spec_of(plane, node->pool)->settings || !(relief(plane, node) > 0))
            continue;
        if (best == NODE_NONE || is_dearer(plane, node, &plane->nodes[best]))
            best = i;
    }
    return best;
}

static double sum_of_changes(const struct plane *plane)
{
    double sum = 0;
    for (uint32_t i = 0; i < plane->node_count; i++)
        sum += price_change(plane, &plane->nodes[i]);
    return sum;
}

void nodes_reprice(struct plane *plane)
{
    double rise;
    uint32_t number;
    while ((rise = sum_of_changes(plane)) > 0 && !spend_limit_allows(&plane->spend, rise) &&
           (number = dearest(plane)) != NODE_NONE) {
        plane->pools[plane->nodes[number].pool].totals.budget_shed++;
        plane->spend.shed++;
        node_terminate(plane, number, DEPARTURE_BUDGET);
    }
    for (uint32_t i = 0; i < plane->node_count; i++) {
        struct node *node = &plane->nodes[i];
        double change = price_change(plane, node);
        if (change != 0)
            hold_price(plane, node, node_price(plane, node->pool, node->market, true));
        if (change < 0)
            wake_refused(plane);
    }
}

/* --- from request to up --- */

static void count_nodes(struct plane *plane, const struct node *node, int change)
{
    struct plane_totals *totals = &plane->pools[node->pool].totals;
    time_stat_set(&totals->nodes, plane->now, totals->nodes.value + change);
    if (node->spot)
        time_stat_set(&totals->spot, plane->now, totals->spot.value + change);
}

static void begin_record(struct plane *plane, struct node *node)
{
    const struct plane_pool *spec = pool_spec_of(plane, node->pool);
    uint32_t market =
        node->market == MARKET_NONE ? plane->spec->market_count + node->pool : node->market;
    node->usage = (struct node_usage){.pool = node->pool,
                                      .market = market,
                                      .instances = spec->instances_per_node,
                                      .purchase = node->spot ? PURCHASE_SPOT : spec->bought_as,
                                      .requested = node->requested,
                                      .billed_from = plane->now,
                                      .carried = plane->now - node->billed_from,
                                      .ready = TICK_NEVER,
                                      .drain = TICK_NEVER};
    node->priced = plane->now;
    count_nodes(plane, node, 1);
}

static void begin_billing(struct plane *plane, struct node *node)
{
    node->billed_from = plane->now;
    begin_record(plane, node);
    plane->pools[node->pool].totals.nodes_started++;
}

static void end_billing(struct plane *plane, struct node *node, enum node_end why)
{
    struct node_usage *usage = &node->usage;
    usage->end = plane->now;
    usage->ready = earlier(usage->ready, usage->end);
    usage->drain = usage->drain < usage->ready ? usage->ready : earlier(usage->drain, usage->end);
    usage->why = why;
    count_cost(plane, node);
    usage_add_node(plane->spec->usage, usage);
    count_nodes(plane, node, -1);
}

/* Its own price and minimum go on. */
void node_change_pool(struct plane *plane, uint32_t number, uint32_t pool)
{
    struct node *node = &plane->nodes[number];
    assert(node->hosted == 0 && node->leaving && node->state == NODE_UP);
    end_billing(plane, node, NODE_END_MOVED);
    plane->pools[node->pool].totals.nodes_moved_out++;
    plane->pools[pool].totals.nodes_moved_in++;
    node->pool = pool;
    node->requested = plane->now;
    node->leaving = false;
    plane->moving--;
    begin_record(plane, node);
}

static tick_t after(tick_t now, tick_t wait)
{
    return wait == TICK_NEVER ? TICK_NEVER : now + wait;
}

static void come_up(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    const struct elastic_pool *pool = &plane->pools[node->pool];
    node->state = NODE_UP;
    node->stage_end = TICK_NEVER;
    plane->moving--;
    if (pool->spec->settings && pool->spec->settings->failures)
        node->fails = after(plane->now, failure_draw(pool->spec->settings->failures,
                                                     pool->spec->instances_per_node,
                                                     pool->spec->gpus_per_node, pool->failures));
    set_timer(plane, number);
    for (uint32_t i = 0; i < pool->spec->slots; i++) {
        uint32_t replica = pool->spec->first_replica + i;
        if (plane->replicas[replica].state == REPLICA_PLACED &&
            plane->replicas[replica].node == number)
            replica_load(plane, replica);
    }
}

static void refuse(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    plane->pools[node->pool].totals.nodes_refused++;
    market_refused(plane, number);
    node_terminate(plane, number, DEPARTURE_DRAIN);
}

/* The stage is over: the next one that takes any time. */
static void next_stage(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    while (node->stage_end <= plane->now) {
        switch (node->state) {
        case NODE_REQUESTED:
            if (!node->stages.granted || !market_grant(plane, number)) {
                refuse(plane, number);
                return;
            }
            node->state = NODE_PROVISIONING;
            node->stage_end = plane->now + node->stages.provision;
            break;
        case NODE_PROVISIONING:
            begin_billing(plane, node);
            node->state = NODE_BOOTING;
            node->stage_end = plane->now + node->stages.boot;
            break;
        case NODE_BOOTING:
            node->state = NODE_PULLING;
            node->stage_end = plane->now + node->stages.image;
            break;
        case NODE_PULLING:
            come_up(plane, number);
            return;
        case NODE_PAID:
            hold_price(plane, node, 0);
            wake_refused(plane);
            node->state = NODE_GONE;
            node->stage_end = TICK_NEVER;
            event_queue_remove(&plane->timers, timer_of_node(plane, number));
            return;
        case NODE_GONE:
        case NODE_UP:
            return;
        }
    }
    set_timer(plane, number);
}

static struct node_stages draw_stages(struct plane *plane, uint32_t pool, bool spot)
{
    struct elastic_pool *of = &plane->pools[pool];
    if (plane->starting || !of->spec->settings)
        return (struct node_stages){.granted = true};
    struct start_up_context context = of->spec->start_up;
    context.purchase = spot ? PURCHASE_SPOT : PURCHASE_ON_DEMAND;
    return start_up_draw_node(&of->spec->settings->start_up, &context, of->start_up);
}

bool node_order(struct plane *plane, uint32_t pool, uint32_t market, bool spot)
{
    double usd_per_hour = node_price(plane, pool, market, spot);
    bool bound = pool_spec_of(plane, pool)->settings != NULL;
    bool has_room = market == MARKET_NONE || market_room(plane, market, spot) > 0;
    if (bound && !spend_limit_take(&plane->spend, usd_per_hour, plane->now)) {
        plane->pools[pool].totals.budget_refusals++;
        return false;
    }
    if (!bound)
        spend_limit_change(&plane->spend, 0, usd_per_hour, plane->now);
    uint32_t number = unused_record(plane);
    if (number == NODE_NONE) {
        spend_limit_change(&plane->spend, usd_per_hour, 0, plane->now);
        return error_set(plane->error, ERROR_FAILED, "out of memory");
    }
    struct node_stages stages = draw_stages(plane, pool, spot);
    plane->nodes[number] = (struct node){.pool = pool,
                                         .market = market,
                                         .spot = spot,
                                         .heir = POOL_NONE,
                                         .state = NODE_REQUESTED,
                                         .stage_end = plane->now + stages.answer,
                                         .stages = stages,
                                         .notice = TICK_NEVER,
                                         .taken = TICK_NEVER,
                                         .fails = TICK_NEVER,
                                         .requested = plane->now,
                                         .usd_per_hour = usd_per_hour,
                                         .serial = plane->next_serial++,
                                         .usage.drain = TICK_NEVER};
    plane->pools[pool].totals.nodes_ordered++;
    plane->moving++;
    if (has_room)
        market_take(plane, number);
    next_stage(plane, number);
    return true;
}

/* --- to its end --- */

tick_t plane_drain_deadline(const struct plane *plane, uint32_t pool)
{
    tick_t limit = start_up_drain_limit(&pool_spec_of(plane, pool)->settings->start_up);
    return after(plane->now, limit);
}

static void drain_all(struct plane *plane, uint32_t number, enum departure why, tick_t deadline)
{
    const struct plane_pool *spec = pool_spec_of(plane, plane->nodes[number].pool);
    for (uint32_t i = 0; i < spec->slots; i++) {
        uint32_t replica = spec->first_replica + i;
        if (plane->replicas[replica].node == number && replica_counts(&plane->replicas[replica]))
            replica_drain(plane, replica, why, deadline);
    }
}

static void leave(struct plane *plane, struct node *node)
{
    node->leaving = true;
    plane->moving++;
    plane->pools[node->pool].dirty = true;
    node->usage.drain = plane->now;
}

void node_release(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    assert(!node->leaving);
    leave(plane, node);
    drain_all(plane, number, DEPARTURE_DRAIN, plane_drain_deadline(plane, node->pool));
    node_emptied(plane, number);
}

void node_give_notice(struct plane *plane, uint32_t number, tick_t taken)
{
    struct node *node = &plane->nodes[number];
    node->taken = earlier(node->taken, taken);
    node->notice = TICK_NEVER;
    plane->pools[node->pool].totals.notices++;
    if (!node->leaving)
        leave(plane, node);
    market_warned(plane, number);
    rebalance_lose(plane, number);
    node->warned = true;
    set_timer(plane, number);
    if (taken > plane->now)
        drain_all(plane, number, DEPARTURE_NOTICE, taken);
    else
        node_terminate(plane, number, DEPARTURE_TAKEN);
}

void node_emptied(struct plane *plane, uint32_t number)
{
    const struct node *node = &plane->nodes[number];
    if (!node->leaving || node->hosted > 0 || node->warned || node->state == NODE_GONE ||
        node->state == NODE_PAID)
        return;
    if (node->heir != POOL_NONE)
        rebalance_adopt(plane, number);
    else
        node_terminate(plane, number, DEPARTURE_DRAIN);
}

static const enum node_end usage_ends[] = {
    [DEPARTURE_DRAIN] = NODE_END_SCALE_IN,     [DEPARTURE_NOTICE] = NODE_END_INTERRUPTED,
    [DEPARTURE_TAKEN] = NODE_END_INTERRUPTED,  [DEPARTURE_FAILED] = NODE_END_FAILED,
    [DEPARTURE_TIMED_OUT] = NODE_END_SCALE_IN, [DEPARTURE_BUDGET] = NODE_END_SCALE_IN};

/* It breaks, and the plane looks again once that is noticed: or sooner, for another reason. */
static void fail(struct plane *plane, uint32_t number)
{
    uint32_t pool = plane->nodes[number].pool;
    bool dirty = plane->pools[pool].dirty;
    tick_t wait = failure_draw_detection(pool_spec_of(plane, pool)->settings->failures,
                                         plane->pools[pool].failures);
    node_terminate(plane, number, DEPARTURE_FAILED);
    plane->pools[pool].dirty = dirty;
    look_again(plane, pool, earlier(plane->pools[pool].look, after(plane->now, wait)));
}

static void stop_moving(struct plane *plane, struct node *node)
{
    plane->moving -= node->state < NODE_UP;
    plane->moving -= node->leaving;
}

static void end_all(struct plane *plane, uint32_t number, enum departure why)
{
    const struct plane_pool *spec = pool_spec_of(plane, plane->nodes[number].pool);
    for (uint32_t i = 0; i < spec->slots; i++) {
        uint32_t replica = spec->first_replica + i;
        if (plane->replicas[replica].state != REPLICA_FREE &&
            plane->replicas[replica].node == number)
            replica_end(plane, replica, why);
    }
}

void node_terminate(struct plane *plane, uint32_t number, enum departure why)
{
    struct node *node = &plane->nodes[number];
    bool billed = is_billed(node);
    if (why == DEPARTURE_TAKEN)
        plane->pools[node->pool].totals.interruptions++;
    else if (why == DEPARTURE_FAILED)
        plane->pools[node->pool].totals.failures++;
    stop_moving(plane, node);
    rebalance_lose(plane, number);
    market_gone(plane, number);
    tick_t paid = paid_until(plane, node);
    if (billed)
        end_billing(plane, node, usage_ends[why]);
    node->state = NODE_PAID; /* so that nobody counts on it from here on */
    node->leaving = true;
    node->stage_end = paid;
    node->notice = node->taken = node->fails = TICK_NEVER;
    plane->pools[node->pool].dirty = true;
    end_all(plane, number, why);
    next_stage(plane, number);
}

void node_timer(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    if (node->fails <= plane->now)
        fail(plane, number);
    else if (node->notice <= plane->now) /* before it is taken: there may be no time between */
        node_give_notice(plane, number, node->taken);
    else if (node->taken <= plane->now)
        node_terminate(plane, number, DEPARTURE_TAKEN);
    else
        next_stage(plane, number);
}

void nodes_finish(struct plane *plane)
{
    for (uint32_t i = 0; i < plane->node_count; i++) {
        struct node *node = &plane->nodes[i];
        if (is_billed(node))
            end_billing(plane, node, NODE_END_HORIZON);
        node->state = NODE_GONE;
    }
}
