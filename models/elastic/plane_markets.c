/* What markets do to nodes.
 *
 * A market is run twice from the same seed: once for the present, and once ahead by its notice.
 * When the second one's capacity falls below what will still be held then, it says now which nodes
 * will go, and at that time the first one's falls: so a fleet never holds more than there is, and
 * each node that is taken had its full notice. */
#include <stdlib.h>

#include "models/elastic/plane_parts.h"

bool markets_create(struct plane *plane)
{
    for (uint32_t i = 0; i < plane->spec->market_count; i++) {
        struct plane_market *market = &plane->markets[i];
        const struct market_spec *spec = plane->spec->markets[i];
        market->last_interruption = market->last_refusal = TICK_NEVER;
        market->last_on_demand_refusal = market->last_ready = TICK_NEVER;
        market->present = market_create(spec, plane->spec->seed, plane->spec->replication);
        market->ahead = market_create(spec, plane->spec->seed, plane->spec->replication);
        market->victims = plane_stream(plane, "victims", market_spec_name(spec));
        if (!market->victims)
            return error_set(plane->error, ERROR_FAILED, "out of memory");
        market->notice = market_notice(market->present);
        time_stat_start(&market->in_use, 0, 0);
        market_advance(market->ahead, market->notice);
    }
    return true;
}

void markets_destroy(struct plane *plane)
{
    for (uint32_t i = 0; plane->markets && i < plane->spec->market_count; i++) {
        market_destroy(plane->markets[i].present);
        market_destroy(plane->markets[i].ahead);
        if (plane->markets[i].victims)
            gsl_rng_free(plane->markets[i].victims);
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t less(int64_t capacity, int64_t held)
{
    return capacity == INT64_MAX ? capacity : capacity - held;
}

int64_t market_room(const struct plane *plane, uint32_t number, bool spot)
{
    const struct plane_market *market = &plane->markets[number];
    int64_t room = spot ? least(less(market_capacity(market->present), market->held),
                                less(market_capacity(market->ahead), market->kept))
                        : less(market_on_demand_capacity(market->present), market->on_demand_held);
    return room > 0 ? room : 0;
}

static void hold_spot(struct plane *plane, struct plane_market *market, int change)
{
    market->held += change;
    time_stat_set(&market->in_use, plane->now, (double)market->held);
}

void market_take(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    if (node->market == MARKET_NONE)
        return;
    struct plane_market *market = &plane->markets[node->market];
    if (!node->spot) {
        market->on_demand_held++;
        return;
    }
    hold_spot(plane, market, 1);
    market->kept++;
}

/* Requested nodes count as held, so that two requests cannot be granted the same room. */
static bool is_overfull(const struct plane_market *market)
{
    return market->held > market_capacity(market->present) ||
           market->kept > market_capacity(market->ahead);
}

/* A request for more than there is, or for a node that will be taken anyhow, is refused. */
bool market_grant(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    if (node->market == MARKET_NONE)
        return true;
    struct plane_market *market = &plane->markets[node->market];
    enum market_terms terms = node->spot ? MARKET_SPOT : MARKET_ON_DEMAND;
    if (node->warned || (node->spot && is_overfull(market)))
        return false;
    if (!plane->starting && !market_grants(market->present, terms))
        return false;
    tick_t life = node->spot ? market_lifetime(market->present) : TICK_NEVER;
    if (life == TICK_NEVER)
        return true;
    node->taken = plane->now + life;
    node->notice = life > market->notice ? node->taken - market->notice : plane->now;
    return true;
}

void market_refused(struct plane *plane, uint32_t number)
{
    const struct node *node = &plane->nodes[number];
    if (node->market == MARKET_NONE)
        return;
    struct plane_market *market = &plane->markets[node->market];
    *(node->spot ? &market->last_refusal : &market->last_on_demand_refusal) = plane->now;
}

void market_warned(struct plane *plane, uint32_t number)
{
    struct plane_market *market = &plane->markets[plane->nodes[number].market];
    market->kept--;
    market->last_interruption = plane->now;
    market->interruptions++;
}

void market_gone(struct plane *plane, uint32_t number)
{
    const struct node *node = &plane->nodes[number];
    if (node->market == MARKET_NONE)
        return;
    struct plane_market *market = &plane->markets[node->market];
    if (!node->spot) {
        market->on_demand_held--;
        return;
    }
    hold_spot(plane, market, -1);
    market->kept -= !node->warned;
}

/* --- capacity that falls --- */

static bool may_be_taken(const struct node *node, uint32_t market)
{
    return node->spot && node->market == market && !node->warned && node->state >= NODE_REQUESTED &&
           node->state <= NODE_UP;
}

/* One of those without a notice, each as likely. */
static uint32_t draw_victim(struct plane *plane, uint32_t number)
{
    struct plane_market *market = &plane->markets[number];
    unsigned long left = gsl_rng_uniform_int(market->victims, (unsigned long)market->kept);
    uint32_t node = 0;
    while (!may_be_taken(&plane->nodes[node], number) || left-- > 0)
        node++;
    return node;
}

static void look_ahead(struct plane *plane, uint32_t number)
{
    struct plane_market *market = &plane->markets[number];
    market_advance(market->ahead, plane->now + market->notice);
    while (market->kept > market_capacity(market->ahead))
        node_give_notice(plane, draw_victim(plane, number), plane->now + market->notice);
}

static void reprice_all(struct plane *plane, uint32_t market)
{
    for (uint32_t i = 0; i < plane->node_count; i++)
        if (plane->nodes[i].market == market && plane->nodes[i].spot &&
            plane->nodes[i].state > NODE_GONE && plane->nodes[i].state < NODE_PAID)
            node_reprice(plane, i);
    nodes_shed(plane);
}

static void make_users_dirty(struct plane *plane, uint32_t market)
{
    for (uint32_t i = 0; i < plane->spec->pool_count; i++)
        for (uint32_t j = 0; j < plane->pools[i].spec->market_count; j++)
            plane->pools[i].dirty |= plane->pools[i].spec->markets[j] == market;
}

void market_schedule(struct plane *plane, uint32_t number)
{
    const struct plane_market *market = &plane->markets[number];
    tick_t present = market_next(market->present), ahead = market_next(market->ahead);
    ahead = ahead == TICK_NEVER ? ahead : ahead - market->notice;
    event_queue_set(&plane->timers, timer_of_market(plane, number), TIMER_MARKET,
                    least(present, ahead));
}

void market_timer(struct plane *plane, uint32_t number)
{
    struct plane_market *market = &plane->markets[number];
    look_ahead(plane, number);
    market_advance(market->present, plane->now);
    if (market_record_is_over(market->present))
        plane->ended_record = market_spec_name(plane->spec->markets[number]);
    market_publish_price(plane, number);
    reprice_all(plane, number);
    make_users_dirty(plane, number);
    market_schedule(plane, number);
}

void market_publish_price(struct plane *plane, uint32_t number)
{
    usage_set_spot_price(plane->spec->usage, number, plane->now,
                         market_spot_usd(plane->markets[number].present));
}
