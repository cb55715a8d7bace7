/* A decision: what is held, what is wanted, what goes, what is ordered. */
#include <assert.h>
#include <math.h>

#include "models/elastic/purchase_strategy.h"

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* --- what is held --- */

struct purchase_held purchase_spot_held(const struct purchase *purchase, uint32_t market)
{
    const struct purchase_market *view = &purchase->markets[market];
    return (struct purchase_held){.starting = view->spot_starting, .ready = view->spot_ready};
}

static void add_up(struct purchase *purchase)
{
    purchase->spot_held = purchase->spot_ready = 0;
    purchase->on_demand_held = purchase->on_demand_ready = 0;
    for (uint32_t i = 0; i < purchase->market_count; i++) {
        const struct purchase_market *market = &purchase->markets[i];
        struct purchase_held spot = purchase_spot_held(purchase, i);
        purchase->spot_held += spot.ready + spot.starting;
        purchase->spot_ready += spot.ready;
        purchase->on_demand_held += market->on_demand_ready + market->on_demand_starting;
        purchase->on_demand_ready += market->on_demand_ready;
    }
}

/* --- what can be asked for --- */

void purchase_wake(struct purchase *purchase, tick_t when)
{
    if (when > purchase->now && when < purchase->next)
        purchase->next = when;
}

static tick_t cooled_down(const struct purchase *purchase, tick_t refusal)
{
    return refusal == TICK_NEVER ? purchase->now : refusal + purchase->cooldown;
}

static int64_t room_below(int64_t capacity, int64_t held)
{
    return capacity == PURCHASE_UNSEEN ? INT64_MAX : max_of(capacity - held, 0);
}

static bool buys_in(const struct purchase *purchase, uint32_t market)
{
    return purchase->only == PURCHASE_ANY_MARKET || purchase->only == market;
}

static bool affordable(const struct purchase *purchase, const struct purchase_market *market)
{
    double limit = purchase->settings->spot_max_usd_per_hour;
    double price = market->spot_usd_per_hour;
    return price < INFINITY && price <= (isnan(limit) ? market->on_demand_usd_per_hour : limit);
}

static int64_t spot_room(const struct purchase *purchase, uint32_t market)
{
    const struct purchase_market *view = &purchase->markets[market];
    if (!buys_in(purchase, market) || !affordable(purchase, view) ||
        cooled_down(purchase, view->last_refusal) > purchase->now)
        return 0;
    if (purchase->strategy->room)
        return purchase->strategy->room(purchase, market);
    return room_below(view->spot_capacity, view->spot_ready + view->spot_starting);
}

static int64_t on_demand_room(const struct purchase *purchase, uint32_t market)
{
    const struct purchase_market *view = &purchase->markets[market];
    if (!buys_in(purchase, market) || !(view->on_demand_usd_per_hour < INFINITY) ||
        cooled_down(purchase, view->last_on_demand_refusal) > purchase->now)
        return 0;
    return room_below(view->on_demand_capacity, view->on_demand_ready + view->on_demand_starting);
}

/* --- ranking --- */

static void rank_spot(struct purchase *purchase, int64_t missing)
{
    purchase->even = 0;
    purchase->level = INT64_MAX;
    purchase->strategy->rank(purchase, missing);
}

static void rank_on_demand(struct purchase *purchase)
{
    bool by_price = purchase->settings->on_demand_strategy == ON_DEMAND_LOWEST_PRICE;
    purchase->even = 0;
    purchase->level = INT64_MAX;
    for (uint32_t i = 0; i < purchase->market_count; i++)
        purchase->ranking[i] = (struct purchase_rank){
            .market = i, .keys = {by_price ? purchase->markets[i].on_demand_usd_per_hour : 0}};
    purchase_sort(purchase, purchase->market_count);
}

/* --- giving back --- */

static struct purchase_held held_of(const struct purchase *purchase, enum purchase_kind kind,
                                    uint32_t market)
{
    if (kind == BUY_SPOT)
        return purchase_spot_held(purchase, market);
    const struct purchase_market *view = &purchase->markets[market];
    return (struct purchase_held){.starting = view->on_demand_starting,
                                  .ready = view->on_demand_ready};
}

/* Starting nodes first, then ready ones, the market that ranks last first. Giving back is filling
 * upside down: evenly means that the markets that hold most come down first. */
static void plan_to_give(struct purchase *purchase, enum purchase_kind kind, int64_t excess)
{
    uint32_t count = purchase->market_count;
    struct purchase_slot *starting = purchase->slots[0], *ready = purchase->slots[1];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t market = purchase->ranking[count - 1 - i].market;
        struct purchase_held held = held_of(purchase, kind, market);
        starting[i] = (struct purchase_slot){
            .market = market, .have = -(held.starting + held.ready), .room = held.starting};
        ready[i] = (struct purchase_slot){.market = market, .room = held.ready};
    }
    int64_t left = purchase_spread(starting, count, purchase->even, purchase->level, excess);
    for (uint32_t i = 0; i < count; i++)
        ready[i].have = starting[i].have + starting[i].nodes;
    purchase_spread(ready, count, purchase->even, purchase->level, left);
}

static void add_order(struct purchase *purchase, struct purchase_order order)
{
    if (order.nodes != 0)
        purchase->orders[purchase->order_count++] = order;
}

static void give_back(struct purchase *purchase, enum purchase_kind kind, int64_t excess)
{
    plan_to_give(purchase, kind, excess);
    for (uint32_t i = 0; i < purchase->market_count; i++) {
        uint32_t market = purchase->slots[0][i].market;
        int64_t nodes = purchase->slots[0][i].nodes + purchase->slots[1][i].nodes;
        add_order(purchase, (struct purchase_order){market, kind, -nodes});
    }
}

/* Nodes of a kind that stay: those beyond its share, too, while nothing that is ready can take
 * their place. */
static int64_t to_keep(const struct purchase *purchase, int64_t wanted, int64_t held,
                       int64_t others_ready)
{
    return max_of(wanted, min_of(held, purchase->target - others_ready));
}

static void give_back_spot(struct purchase *purchase, int64_t wanted)
{
    int64_t held = purchase->spot_held;
    int64_t excess = held - to_keep(purchase, wanted, held, purchase->on_demand_ready);
    if (excess <= 0)
        return;
    rank_spot(purchase, 0);
    give_back(purchase, BUY_SPOT, excess);
}

static void give_back_on_demand(struct purchase *purchase, int64_t wanted)
{
    int64_t held = purchase->on_demand_held;
    int64_t excess = held - to_keep(purchase, wanted, held, purchase->spot_ready);
    if (excess <= 0)
        return;
    rank_on_demand(purchase);
    give_back(purchase, BUY_ON_DEMAND, excess);
}

/* --- ordering --- */

static void plan_spot(struct purchase *purchase, int64_t missing)
{
    rank_spot(purchase, missing);
    struct purchase_slot *slots = purchase->slots[BUY_SPOT];
    for (uint32_t i = 0; i < purchase->market_count; i++) {
        uint32_t market = purchase->ranking[i].market;
        struct purchase_held held = purchase_spot_held(purchase, market);
        slots[i] = (struct purchase_slot){
            .market = market, .have = held.starting + held.ready, .room = purchase->room[market]};
    }
    int64_t left =
        purchase_spread(slots, purchase->market_count, purchase->even, purchase->level, missing);
    for (uint32_t i = 0; i < purchase->market_count && left > 0; i++)
        purchase_wake(purchase, cooled_down(purchase, purchase->markets[i].last_refusal));
}

static void plan_on_demand(struct purchase *purchase, int64_t missing)
{
    rank_on_demand(purchase);
    struct purchase_slot *slots = purchase->slots[BUY_ON_DEMAND];
    for (uint32_t i = 0; i < purchase->market_count; i++) {
        uint32_t market = purchase->ranking[i].market;
        slots[i] =
            (struct purchase_slot){.market = market, .room = on_demand_room(purchase, market)};
    }
    int64_t left = purchase_spread(slots, purchase->market_count, 0, INT64_MAX, missing);
    for (uint32_t i = 0; i < purchase->market_count && left > 0; i++)
        purchase_wake(purchase, cooled_down(purchase, purchase->markets[i].last_on_demand_refusal));
}

/* Orders up to so many of the planned nodes, which are then planned no more. */
static void order_planned(struct purchase *purchase, enum purchase_kind kind, int64_t most)
{
    struct purchase_slot *slots = purchase->slots[kind];
    for (uint32_t i = 0; i < purchase->market_count && most > 0; i++) {
        int64_t nodes = min_of(slots[i].nodes, most);
        add_order(purchase, (struct purchase_order){slots[i].market, kind, nodes});
        slots[i].nodes -= nodes;
        most -= nodes;
    }
}

/* On demand up to the base goes first, on demand beyond it last. Mostly nothing is missing, and
 * nothing is ranked. */
static void order(struct purchase *purchase, const struct purchase_split *want)
{
    int64_t spot = max_of(want->spot - purchase->spot_held, 0);
    int64_t on_demand = max_of(want->on_demand - purchase->on_demand_held, 0);
    int64_t base = purchase->settings->on_demand_base - purchase->on_demand_held;
    if (on_demand > 0)
        plan_on_demand(purchase, on_demand);
    if (spot > 0)
        plan_spot(purchase, spot);
    order_planned(purchase, BUY_ON_DEMAND, min_of(base, on_demand));
    order_planned(purchase, BUY_SPOT, spot);
    order_planned(purchase, BUY_ON_DEMAND, on_demand);
}

uint32_t purchase_decide(struct purchase *purchase, int64_t target, tick_t now,
                         const struct purchase_market *markets, struct purchase_order *orders)
{
    assert(target >= 0);
    purchase->markets = markets;
    purchase->target = target;
    purchase->now = now;
    purchase->next = TICK_NEVER;
    purchase->orders = orders;
    purchase->order_count = 0;
    const struct purchase_strategy *strategy = purchase->strategy;
    if (strategy->observe)
        strategy->observe(purchase);
    add_up(purchase);
    for (uint32_t i = 0; i < purchase->market_count; i++)
        purchase->room[i] = spot_room(purchase, i);
    struct purchase_split want =
        strategy->want ? strategy->want(purchase) : purchase_share(purchase->settings, target);
    give_back_spot(purchase, want.spot);
    give_back_on_demand(purchase, want.on_demand);
    order(purchase, &want);
    return purchase->order_count;
}
