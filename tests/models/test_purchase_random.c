/* What must hold for purchases of all strategies, in random states and through random storms of
 * interruptions, refusals and targets. */
#include "tests/models/purchase_support.h"

#include <gsl/gsl_rng.h>

#include "sim/random.h"

enum { DRAWS = 3000, STORMS = 400, STEPS = 60 };

static const char *const strategies[] = {
    "\"price_capacity_optimized\"",
    "\"capacity_optimized\"",
    "\"diversified\"",
    "{\"policy\": \"lowest_price\", \"pools\": 3}",
    "\"single\"",
    "{\"policy\": \"on_demand_fallback\", \"within\": \"diversified\", \"after_s\": 90}",
    "{\"policy\": \"on_demand_fallback\", \"after_s\": 0}",
    "{\"policy\": \"spot_hedge\", \"num_overprovision\": 2}",
    "{\"policy\": \"spot_hedge\", \"dynamic_ondemand_fallback\": false}",
};
enum { STRATEGIES = sizeof strategies / sizeof *strategies, HEDGES = 7, SINGLE = 4 };

static int64_t draw(gsl_rng *rng, int64_t below)
{
    return (int64_t)gsl_rng_uniform_int(rng, (unsigned long)below);
}

/* --- drawing --- */

static void draw_shop(struct shop *shop, gsl_rng *rng, int strategy)
{
    char json[512], percent[64] = "";
    if (strategy < HEDGES)
        snprintf(percent, sizeof percent, "\"spot_percent_above_base\": %d, ", (int)draw(rng, 101));
    snprintf(json, sizeof json, "{\"on_demand_base\": %d, %s\"strategy\": %s}", (int)draw(rng, 5),
             percent, strategies[strategy]);
    shop_open(shop, json, (uint32_t)(1 + draw(rng, SHOP_MARKETS)));
    for (uint32_t i = 0; i < shop->scope.market_count; i++)
        shop->markets[i].spot_usd_per_hour = 0.5 + 0.1 * (double)draw(rng, 10);
}

/* Any state at all, also one that the purchase would not have come to. */
static void draw_state(struct shop *shop, gsl_rng *rng)
{
    for (uint32_t i = 0; i < shop->scope.market_count; i++) {
        struct purchase_market *market = &shop->markets[i];
        market->spot_ready = draw(rng, 4);
        market->spot_starting = draw(rng, 3);
        market->on_demand_ready = draw(rng, 3);
        market->on_demand_starting = draw(rng, 2);
        if (draw(rng, 2))
            shop_show(shop, i, draw(rng, 12));
        if (draw(rng, 4) == 0)
            market->last_refusal = shop->now - tick_from_s((double)draw(rng, 100));
        if (draw(rng, 4) == 0)
            market->last_interruption = shop->now - tick_from_s((double)draw(rng, 100));
        market->interruptions = draw(rng, 5);
        market->node_hours = (double)draw(rng, 50);
    }
    shop->target = draw(rng, 16);
}

/* --- sums --- */

struct sums {
    int64_t spot, spot_ready, on_demand, on_demand_ready;
};

static struct sums add_up(const struct shop *shop)
{
    struct sums sums = {0};
    for (uint32_t i = 0; i < shop->scope.market_count; i++) {
        const struct purchase_market *market = &shop->markets[i];
        sums.spot += market->spot_ready + market->spot_starting;
        sums.spot_ready += market->spot_ready;
        sums.on_demand += market->on_demand_ready + market->on_demand_starting;
        sums.on_demand_ready += market->on_demand_ready;
    }
    return sums;
}

/* What the pool comes to where everything is had. */
static struct purchase_split goal(const struct shop *shop, int strategy)
{
    if (strategy < HEDGES)
        return purchase_share(&shop->settings, shop->target);
    int64_t base = shop_min(shop->settings.on_demand_base, shop->target);
    return (struct purchase_split){
        .on_demand = base,
        .spot = shop->target > 0 ? shop->target - base + purchase_extra_nodes(&shop->settings) : 0};
}

/* --- one decision in any state --- */

static void check_order(const struct shop *shop, const struct purchase_order *order)
{
    cr_assert_lt(order->market, shop->scope.market_count);
    cr_assert_neq(order->nodes, 0);
    const struct purchase_market *market = &shop->markets[order->market];
    bool spot = order->kind == BUY_SPOT;
    int64_t held = spot ? market->spot_ready + market->spot_starting
                        : market->on_demand_ready + market->on_demand_starting;
    cr_assert_leq(-order->nodes, held, "more is given back than held");
    if (spot && order->nodes > 0)
        cr_assert(market->last_refusal == TICK_NEVER ||
                      shop->now - market->last_refusal >= tick_from_s(60),
                  "asked while it cools down");
}

static void check_sums(const struct shop *shop, int strategy)
{
    const struct sums held = add_up(shop);
    struct purchase_split want = goal(shop, strategy);
    int64_t ordered[2] = {0}, given[2] = {0};
    for (uint32_t i = 0; i < shop->order_count; i++) {
        const struct purchase_order *order = &shop->orders[i];
        if (order->nodes > 0)
            ordered[order->kind] += order->nodes;
        else
            given[order->kind] -= order->nodes;
    }
    cr_assert_leq(ordered[BUY_SPOT], want.spot > held.spot ? want.spot - held.spot : 0,
                  "more than is missing");
    cr_assert(ordered[BUY_SPOT] == 0 || given[BUY_SPOT] == 0, "to and fro");
    cr_assert(ordered[BUY_ON_DEMAND] == 0 || given[BUY_ON_DEMAND] == 0, "to and fro");
    cr_assert_geq(held.spot - given[BUY_SPOT], shop_min(held.spot, want.spot));
    int64_t on_demand = held.on_demand + ordered[BUY_ON_DEMAND] - given[BUY_ON_DEMAND];
    cr_assert_geq(on_demand, shop_min(shop->settings.on_demand_base, shop->target),
                  "the base is kept");
    cr_assert_leq(ordered[BUY_ON_DEMAND], shop->target);
}

/* What is ready does not sink below the target by being given back. */
static void check_ready(const struct shop *before, struct shop *after)
{
    struct sums was = add_up(before), is = add_up(after);
    cr_assert_geq(is.spot_ready + is.on_demand_ready,
                  shop_min(was.spot_ready + was.on_demand_ready, before->target));
}

Test(purchase_random, one_decision_is_sound)
{
    gsl_rng *rng = random_stream(1, 0, "test/purchase");
    for (int i = 0; i < DRAWS; i++) {
        int strategy = i % STRATEGIES;
        struct shop shop;
        draw_shop(&shop, rng, strategy);
        draw_state(&shop, rng);
        shop_decide(&shop);
        struct shop before = shop;
        for (uint32_t k = 0; k < shop.order_count; k++)
            check_order(&shop, &shop.orders[k]);
        check_sums(&shop, strategy);
        for (uint32_t k = 0; k < shop.order_count; k++)
            shop_carry_out(&shop, &shop.orders[k]);
        check_ready(&before, &shop);
        shop_close(&shop);
    }
    gsl_rng_free(rng);
}

/* --- where everything is had, the pool comes to what is wanted, and stays --- */

Test(purchase_random, all_come_to_their_goal)
{
    gsl_rng *rng = random_stream(2, 0, "test/purchase");
    for (int i = 0; i < DRAWS; i++) {
        int strategy = i % STRATEGIES;
        struct shop shop;
        draw_shop(&shop, rng, strategy);
        draw_state(&shop, rng);
        for (uint32_t k = 0; k < shop.scope.market_count; k++)
            shop_show(&shop, k, INT64_MAX);
        for (int k = 0; k < 4; k++)
            shop_ready(&shop, 100);
        struct sums held = add_up(&shop);
        struct purchase_split want = goal(&shop, strategy);
        cr_assert_eq(held.spot, want.spot, "strategy %d: %d Spot of %d", strategy, (int)held.spot,
                     (int)want.spot);
        cr_assert_eq(held.on_demand, want.on_demand, "strategy %d", strategy);
        SAYS("", shop_wait(&shop, 1e5));
        cr_assert_eq(purchase_next(shop.purchase), TICK_NEVER);
        shop_close(&shop);
    }
    gsl_rng_free(rng);
}

/* --- storms --- */

static void strike(struct shop *shop, gsl_rng *rng)
{
    uint32_t market = (uint32_t)draw(rng, shop->scope.market_count);
    struct purchase_market *view = &shop->markets[market];
    switch (draw(rng, 4)) {
    case 0:
        shop_ready(shop, (double)draw(rng, 200));
        break;
    case 1:
        shop_want(shop, draw(rng, 16));
        break;
    case 2:
        shop->spot_there[market] = draw(rng, 8);
        if (view->spot_capacity != PURCHASE_UNSEEN)
            view->spot_capacity = shop->spot_there[market];
        if (view->spot_ready > shop->spot_there[market])
            shop_interrupt(shop, market, view->spot_ready - shop->spot_there[market],
                           shop->spot_there[market]);
        shop_settle(shop);
        break;
    default:
        shop_wait(shop, (double)draw(rng, 100));
    }
}

/* Called again only when it asks to be, a purchase gets all Spot that there is. */
static void calm(struct shop *shop, int strategy)
{
    for (uint32_t i = 0; i < shop->scope.market_count; i++) {
        shop->spot_there[i] = 20;
        if (shop->markets[i].spot_capacity != PURCHASE_UNSEEN)
            shop->markets[i].spot_capacity = 20;
    }
    for (int rounds = 0; rounds < 100; rounds++) {
        while (*shop_ready(shop, 0))
            ;
        tick_t next = purchase_next(shop->purchase);
        if (next == TICK_NEVER)
            break;
        cr_assert_gt(next, shop->now);
        shop->now = next;
        shop_settle(shop);
    }
    struct sums held = add_up(shop);
    struct purchase_split want = goal(shop, strategy);
    cr_assert_eq(held.spot, want.spot, "strategy %d: %d Spot of %d", strategy, (int)held.spot,
                 (int)want.spot);
    cr_assert_eq(held.on_demand, want.on_demand, "strategy %d", strategy);
}

Test(purchase_random, storms_pass)
{
    gsl_rng *rng = random_stream(3, 0, "test/purchase");
    for (int i = 0; i < STORMS; i++) {
        int strategy = i % STRATEGIES;
        struct shop shop;
        draw_shop(&shop, rng, strategy);
        for (uint32_t k = 0; k < shop.scope.market_count; k++)
            if (draw(rng, 2))
                shop_show(&shop, k, draw(rng, 12));
            else
                shop.spot_there[k] = draw(rng, 12);
        for (int step = 0; step < STEPS; step++) {
            strike(&shop, rng);
            struct sums held = add_up(&shop);
            cr_assert_geq(held.on_demand, shop_min(shop.settings.on_demand_base, shop.target));
            SAYS("", shop_settle(&shop)); /* no flapping */
        }
        calm(&shop, strategy);
        shop_close(&shop);
    }
    gsl_rng_free(rng);
}

/* The same things told, the same orders, in the same order. */
Test(purchase_random, decisions_are_deterministic)
{
    gsl_rng *rng = random_stream(4, 0, "test/purchase");
    for (int i = 0; i < DRAWS; i++) {
        struct shop shop;
        draw_shop(&shop, rng, i % STRATEGIES);
        draw_state(&shop, rng);
        shop_decide(&shop);
        struct shop again = shop;
        again.purchase = purchase_create(&shop.settings, &shop.scope);
        memset(again.orders, 0, sizeof again.orders);
        shop_decide(&again);
        cr_assert_eq(again.order_count, shop.order_count);
        for (uint32_t k = 0; k < shop.order_count; k++) {
            cr_assert_eq(again.orders[k].market, shop.orders[k].market);
            cr_assert_eq(again.orders[k].nodes, shop.orders[k].nodes);
        }
        purchase_destroy(again.purchase);
        shop_close(&shop);
    }
    gsl_rng_free(rng);
}
