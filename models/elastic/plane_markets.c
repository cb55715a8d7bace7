/* What markets do to nodes.
 *
 * A market is run twice from the same seed: once for the present, and once ahead by its notice.
 * When the second one's capacity falls below what will still be held then, it says now which nodes
 * will go, and at that time the first one's falls: so a fleet never holds more than there is, and
 * each node that is taken had its full notice. That takes that nothing is granted which would be
 * too much for a dip that has been announced: there is room for a node where all the capacities up
 * to the end of the notice leave some. */
#include <stdlib.h>
#include <string.h>

#include "models/elastic/plane_parts.h"

/* --- what comes --- */

static void announce(struct plane_market *market, tick_t from)
{
    int64_t nodes = market_capacity(market->ahead);
    if (market->coming_count == market->coming_capacity) {
        market->coming_capacity = 2 * market->coming_capacity + 4;
        market->coming = realloc(market->coming, market->coming_capacity * sizeof *market->coming);
        if (!market->coming)
            out_of_memory();
    }
    market->coming[market->coming_count++] = (struct capacity_step){from, nodes};
}

/* Runs the market ahead up to then, step by step. */
static void run_ahead(struct plane_market *market, tick_t until)
{
    while (market_next(market->ahead) <= until) {
        tick_t next = market_next(market->ahead);
        market_advance(market->ahead, next);
        announce(market, next);
    }
}

static void forget_past(struct plane_market *market, tick_t now)
{
    uint32_t past = 0;
    while (past < market->coming_count && market->coming[past].from <= now)
        past++;
    market->coming_count -= past;
    memmove(market->coming, market->coming + past, market->coming_count * sizeof *market->coming);
}

/* --- set up --- */

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
        run_ahead(market, market->notice);
    }
    return true;
}

void markets_destroy(struct plane *plane)
{
    for (uint32_t i = 0; plane->markets && i < plane->spec->market_count; i++) {
        market_destroy(plane->markets[i].present);
        market_destroy(plane->markets[i].ahead);
        free(plane->markets[i].coming);
        if (plane->markets[i].victims)
            gsl_rng_free(plane->markets[i].victims);
    }
}

/* --- room --- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t less(int64_t capacity, int64_t held)
{
    return capacity == INT64_MAX ? capacity : capacity - held;
}

static bool may_be_held(const struct node *node, uint32_t market)
{
    return node->spot && node->market == market && node->placed && node->state >= NODE_REQUESTED &&
           node->state <= NODE_UP;
}

/* Of the Spot nodes that are held now. */
static int64_t held_then(const struct plane *plane, uint32_t number, tick_t then)
{
    int64_t held = plane->markets[number].held;
    for (uint32_t i = 0; i < plane->node_count; i++) {
        const struct node *node = &plane->nodes[i];
        held -= may_be_held(node, number) && node->warned && node->taken <= then;
    }
    return held;
}

static int64_t spot_room(const struct plane *plane, uint32_t number)
{
    const struct plane_market *market = &plane->markets[number];
    int64_t room = less(market_capacity(market->present), market->held);
    for (uint32_t i = 0; i < market->coming_count; i++) {
        const struct capacity_step *step = &market->coming[i];
        room = least(room, less(step->nodes, held_then(plane, number, step->from)));
    }
    return room;
}

int64_t market_room(const struct plane *plane, uint32_t number, bool spot)
{
    const struct plane_market *market = &plane->markets[number];
    int64_t room = spot ? spot_room(plane, number)
                        : less(market_on_demand_capacity(market->present), market->on_demand_held);
    return room > 0 ? room : 0;
}

static void make_users_dirty(struct plane *plane, uint32_t market)
{
    for (uint32_t i = 0; i < plane->spec->pool_count; i++)
        for (uint32_t j = 0; j < plane->pools[i].spec->market_count; j++)
            plane->pools[i].dirty |= plane->pools[i].spec->markets[j] == market;
}

static void hold_spot(struct plane *plane, struct plane_market *market, int change)
{
    market->held += change;
    time_stat_set(&market->in_use, plane->now, (double)market->held);
}

void market_take(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    node->placed = true;
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

/* A request for more than there is, or for a node that will be taken anyhow, is refused, and so is
 * one for a node whose notice would come with it: its replacement would be asked for at once, and
 * so on without end. */
bool market_grant(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    if (node->market == MARKET_NONE || !node->placed)
        return node->placed;
    struct plane_market *market = &plane->markets[node->market];
    enum market_terms terms = node->spot ? MARKET_SPOT : MARKET_ON_DEMAND;
    if (node->warned || (node->spot && is_overfull(market)))
        return false;
    if (!plane->starting && !market_grants(market->present, terms))
        return false;
    tick_t life = node->spot ? market_lifetime(market->present) : TICK_NEVER;
    if (life == TICK_NEVER)
        return true;
    if (life <= market->notice && !plane->starting)
        return false;
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
    if (node->market == MARKET_NONE || !node->placed)
        return;
    struct plane_market *market = &plane->markets[node->market];
    make_users_dirty(plane, node->market);
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
    return may_be_held(node, market) && !node->warned;
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
    run_ahead(market, plane->now + market->notice);
    while (market->kept > market_capacity(market->ahead))
        node_give_notice(plane, draw_victim(plane, number), plane->now + market->notice);
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
    forget_past(market, plane->now);
    if (market_record_is_over(market->present))
        plane->ended_record = market_spec_name(plane->spec->markets[number]);
    market_publish_price(plane, number);
    nodes_reprice(plane);
    make_users_dirty(plane, number);
    market_schedule(plane, number);
}

void market_publish_price(struct plane *plane, uint32_t number)
{
    usage_set_spot_price(plane->spec->usage, number, plane->now,
                         market_spot_usd(plane->markets[number].present));
}
