/* From wanted replicas to orders: first nodes, by the purchase policy, then replicas on them. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/elastic/plane_parts.h"

/* --- what there is --- */

/* May anybody count on the node? */
static bool node_counts(const struct node *node)
{
    return node->state > NODE_GONE && node->state <= NODE_UP && !node->leaving;
}

static bool node_serves(const struct node *node)
{
    return node->state == NODE_UP && node->usage.ready != TICK_NEVER;
}

static int64_t nodes_that_count(const struct plane *plane, uint32_t pool)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < plane->node_count; i++)
        count += plane->nodes[i].pool == pool && node_counts(&plane->nodes[i]);
    return count;
}

static int64_t replicas_that_count(const struct plane *plane, uint32_t pool)
{
    const struct plane_pool *spec = pool_spec_of(plane, pool);
    int64_t count = 0;
    for (uint32_t i = 0; i < spec->slots; i++)
        count += replica_counts(&plane->replicas[spec->first_replica + i]);
    return count;
}

void count_replicas(const struct plane *plane, uint32_t pool, struct scaler_metrics *metrics)
{
    const struct plane_pool *spec = pool_spec_of(plane, pool);
    for (uint32_t i = 0; i < spec->slots; i++) {
        enum replica_state state = plane->replicas[spec->first_replica + i].state;
        metrics->ready += state == REPLICA_READY;
        metrics->unready += state == REPLICA_LOADING || state == REPLICA_WARMING;
    }
    metrics->desired = plane->pools[pool].wanted;
    int64_t missing = metrics->desired - metrics->ready - metrics->unready;
    metrics->pending = missing > 0 ? missing : 0;
}

/* --- nodes --- */

static uint32_t market_of_offer(const struct elastic_pool *pool, uint32_t offer)
{
    return pool->spec->market_count > 0 ? pool->spec->markets[offer] : MARKET_NONE;
}

static double node_hours(const struct plane *plane, const struct plane_market *market)
{
    return time_stat_mean(&market->in_use, plane->now) * tick_to_s(plane->now) / 3600;
}

static struct purchase_market describe_market(const struct plane *plane, uint32_t pool,
                                              uint32_t number)
{
    if (number == MARKET_NONE)
        return (struct purchase_market){.spot_usd_per_hour = INFINITY,
                                        .on_demand_usd_per_hour =
                                            node_price(plane, pool, number, false),
                                        .on_demand_capacity = INT64_MAX,
                                        .last_refusal = TICK_NEVER,
                                        .last_on_demand_refusal = TICK_NEVER,
                                        .last_interruption = TICK_NEVER,
                                        .last_ready = TICK_NEVER};
    const struct plane_market *market = &plane->markets[number];
    return (struct purchase_market){.spot_usd_per_hour = node_price(plane, pool, number, true),
                                    .on_demand_usd_per_hour =
                                        node_price(plane, pool, number, false),
                                    .spot_capacity = market_room(plane, number, true),
                                    .on_demand_capacity = market_room(plane, number, false),
                                    .last_refusal = market->last_refusal,
                                    .last_on_demand_refusal = market->last_on_demand_refusal,
                                    .last_interruption = market->last_interruption,
                                    .last_ready = market->last_ready,
                                    .interruptions = market->interruptions,
                                    .node_hours = node_hours(plane, market)};
}

static int64_t with_held(int64_t room, int64_t held)
{
    return room < INT64_MAX - held ? room + held : INT64_MAX;
}

static void count_held(const struct plane *plane, uint32_t pool, uint32_t market,
                       struct purchase_market *offer)
{
    for (uint32_t i = 0; i < plane->node_count; i++) {
        const struct node *node = &plane->nodes[i];
        if (node->pool != pool || node->market != market || !node_counts(node))
            continue;
        bool serves = node_serves(node) || plane->starting;
        offer->spot_ready += node->spot && serves;
        offer->spot_starting += node->spot && !serves;
        offer->on_demand_ready += !node->spot && serves;
        offer->on_demand_starting += !node->spot && !serves;
    }
    offer->spot_capacity =
        with_held(offer->spot_capacity, offer->spot_ready + offer->spot_starting);
    offer->on_demand_capacity =
        with_held(offer->on_demand_capacity, offer->on_demand_ready + offer->on_demand_starting);
}

static void describe_offers(struct plane *plane, uint32_t number)
{
    struct elastic_pool *pool = &plane->pools[number];
    for (uint32_t i = 0; i < pool->offer_count; i++) {
        uint32_t market = market_of_offer(pool, i);
        pool->offers[i] = describe_market(plane, number, market);
        count_held(plane, number, market, &pool->offers[i]);
    }
}

/* Who is given back first: who does not serve yet, who hosts fewest, the newest. */
bool node_goes_before(const struct node *a, const struct node *b)
{
    if (node_serves(a) != node_serves(b))
        return !node_serves(a);
    if (a->hosted != b->hosted)
        return a->hosted < b->hosted;
    return a->serial > b->serial;
}

static void give_back(struct plane *plane, uint32_t pool, uint32_t market, bool spot)
{
    uint32_t best = NODE_NONE;
    for (uint32_t i = 0; i < plane->node_count; i++) {
        const struct node *node = &plane->nodes[i];
        if (node->pool == pool && node->market == market && node->spot == spot &&
            node_counts(node) && (best == NODE_NONE || node_goes_before(node, &plane->nodes[best])))
            best = i;
    }
    assert(best != NODE_NONE && "purchases give back what is held");
    node_release(plane, best);
}

/* false: the budget refused. */
static bool carry_out(struct plane *plane, uint32_t pool, const struct purchase_order *order)
{
    uint32_t market = market_of_offer(&plane->pools[pool], order->market);
    bool spot = order->kind == BUY_SPOT;
    for (int64_t i = order->nodes; i < 0; i++)
        give_back(plane, pool, market, spot);
    for (int64_t i = 0; i < order->nodes; i++)
        if (!node_order(plane, pool, market, spot))
            return false;
    return true;
}

static int64_t nodes_for(const struct plane_pool *spec, int64_t replicas)
{
    return (replicas + spec->replicas_per_node - 1) / spec->replicas_per_node;
}

void look_again(struct plane *plane, uint32_t pool, tick_t when)
{
    plane->pools[pool].look = when;
    event_queue_set(&plane->timers, timer_of_pool(plane, pool, true), TIMER_PURCHASE, when);
}

static void reconcile_nodes(struct plane *plane, uint32_t number)
{
    struct elastic_pool *pool = &plane->pools[number];
    int64_t target = nodes_for(pool->spec, pool->wanted);
    bool granted = true;
    uint32_t count = 1;
    while (granted && count > 0) {
        describe_offers(plane, number);
        count = purchase_decide(pool->purchase, target, plane->now, pool->offers, pool->orders);
        if (plane->starting && count > 1)
            count = 1; /* what is bought at time 0 is there at once: nothing has to stand in */
        for (uint32_t i = 0; i < count && granted; i++)
            granted = carry_out(plane, number, &pool->orders[i]);
    }
    pool->refused = !granted;
    look_again(plane, number, purchase_next(pool->purchase));
}

/* --- replicas on them --- */

static bool is_fuller(const struct node *a, const struct node *b)
{
    if ((a->state == NODE_UP) != (b->state == NODE_UP))
        return a->state == NODE_UP;
    if (a->hosted != b->hosted)
        return a->hosted > b->hosted;
    return a->serial < b->serial;
}

static uint32_t node_with_room(const struct plane *plane, uint32_t pool)
{
    uint32_t best = NODE_NONE, places = pool_spec_of(plane, pool)->replicas_per_node;
    for (uint32_t i = 0; i < plane->node_count; i++) {
        const struct node *node = &plane->nodes[i];
        if (node->pool == pool && node_counts(node) && node->hosted < places &&
            (best == NODE_NONE || is_fuller(node, &plane->nodes[best])))
            best = i;
    }
    return best;
}

static bool place_one(struct plane *plane, uint32_t pool)
{
    const struct plane_pool *spec = pool_spec_of(plane, pool);
    uint32_t node = node_with_room(plane, pool);
    uint32_t replica = replica_free_slot(plane, pool);
    if (node == NODE_NONE || replica == spec->first_replica + spec->slots)
        return false;
    replica_place(plane, replica, node);
    return true;
}

static bool leaves_before(const struct plane *plane, const struct plane_replica *a,
                          const struct plane_replica *b)
{
    if ((a->state == REPLICA_READY) != (b->state == REPLICA_READY))
        return a->state != REPLICA_READY;
    const struct node *on_a = &plane->nodes[a->node], *on_b = &plane->nodes[b->node];
    if (on_a->hosted != on_b->hosted)
        return on_a->hosted < on_b->hosted;
    return on_a->serial >= on_b->serial;
}

static void drain_one(struct plane *plane, uint32_t pool)
{
    const struct plane_pool *spec = pool_spec_of(plane, pool);
    uint32_t best = UINT32_MAX;
    for (uint32_t i = spec->first_replica; i < spec->first_replica + spec->slots; i++)
        if (replica_counts(&plane->replicas[i]) &&
            (best == UINT32_MAX ||
             leaves_before(plane, &plane->replicas[i], &plane->replicas[best])))
            best = i;
    replica_drain(plane, best, DEPARTURE_DRAIN, plane_drain_deadline(plane, pool));
}

static void reconcile_replicas(struct plane *plane, uint32_t number)
{
    const struct elastic_pool *pool = &plane->pools[number];
    int64_t extra = nodes_that_count(plane, number) - nodes_for(pool->spec, pool->wanted);
    int64_t wanted = pool->wanted;
    if (extra > 0)
        wanted += extra * pool->spec->replicas_per_node;
    int64_t count = replicas_that_count(plane, number);
    for (; count > wanted; count--)
        drain_one(plane, number);
    while (count < wanted && place_one(plane, number))
        count++;
}

void reconcile(struct plane *plane, uint32_t pool)
{
    reconcile_nodes(plane, pool);
    reconcile_replicas(plane, pool);
}

void reconcile_fixed(struct plane *plane, uint32_t pool)
{
    const struct plane_pool *spec = pool_spec_of(plane, pool);
    for (int64_t i = nodes_for(spec, spec->initial); i > 0; i--)
        node_order(plane, pool, spec->market_count > 0 ? spec->markets[0] : MARKET_NONE, false);
    for (uint32_t i = 0; i < spec->initial && place_one(plane, pool); i++) {
    }
}

/* --- set up --- */

bool reconcile_create(struct plane *plane, struct elastic_pool *pool)
{
    const struct plane_pool *spec = pool->spec;
    struct purchase_scope scope = {.market_names = spec->market_names,
                                   .market_count = spec->market_count,
                                   .max_nodes = nodes_for(spec, spec->settings->max_replicas)};
    static const char *const own[] = {"on demand"};
    if (spec->market_count == 0) {
        scope.market_names = own;
        scope.market_count = 1;
    }
    pool->offer_count = scope.market_count;
    pool->purchase = purchase_create(&spec->settings->purchase, &scope);
    pool->offers = calloc(pool->offer_count, sizeof *pool->offers);
    pool->orders =
        calloc((size_t)pool->offer_count * PURCHASE_ORDERS_PER_MARKET, sizeof *pool->orders);
    if (pool->purchase && pool->offers && pool->orders)
        return true;
    return error_set(plane->error, ERROR_FAILED, "out of memory");
}

void reconcile_destroy(struct elastic_pool *pool)
{
    purchase_destroy(pool->purchase);
    free(pool->offers);
    free(pool->orders);
}
