/* A purchase in the hands of a test: its markets, a control plane that carries orders out, and
 * orders as text. */
#ifndef TOKENYARD_TESTS_MODELS_PURCHASE_SUPPORT_H
#define TOKENYARD_TESTS_MODELS_PURCHASE_SUPPORT_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/elastic/purchase.h"

enum { SHOP_MARKETS = 6, SHOP_ORDERS = SHOP_MARKETS * PURCHASE_ORDERS_PER_MARKET };

static const char *const shop_names[SHOP_MARKETS] = {"a", "b", "c", "d", "e", "f"};

struct shop {
    struct arena *arena;
    struct json_document *document;
    struct purchase_settings settings;
    struct purchase_scope scope;
    struct purchase *purchase;
    tick_t now;
    int64_t target;
    struct purchase_market markets[SHOP_MARKETS];
    int64_t spot_there[SHOP_MARKETS]; /* what Spot there really is, seen or not */
    struct purchase_order orders[SHOP_ORDERS];
    uint32_t order_count;
    char text[512]; /* of all orders since the last look */
};

static inline void shop_read(struct shop *shop, const char *json)
{
    struct error error = {0};
    shop->arena = arena_create();
    shop->document = json_read_text("test", json, strlen(json), &error);
    cr_assert(shop->document, "%s", error.message);
    cr_assert(config_read(&purchase_settings_type, shop->document, json_root(shop->document), "",
                          shop->arena, &shop->settings, &error),
              "%s: %s", error.json_path, error.message);
}

/* Markets with Spot without limit that is not seen, at 1.00, 1.10, ... USD, on demand at 3 USD. */
static inline void shop_open(struct shop *shop, const char *json, uint32_t markets)
{
    *shop = (struct shop){.scope = {shop_names, markets, 1000}, .now = tick_from_s(1000)};
    shop_read(shop, json);
    shop->purchase = purchase_create(&shop->settings, &shop->scope);
    for (uint32_t i = 0; i < markets; i++) {
        shop->spot_there[i] = INT64_MAX;
        shop->markets[i] = (struct purchase_market){.spot_usd_per_hour = 1 + 0.1 * i,
                                                    .on_demand_usd_per_hour = 3,
                                                    .spot_capacity = PURCHASE_UNSEEN,
                                                    .on_demand_capacity = INT64_MAX,
                                                    .last_refusal = TICK_NEVER,
                                                    .last_on_demand_refusal = TICK_NEVER,
                                                    .last_interruption = TICK_NEVER,
                                                    .last_ready = TICK_NEVER};
    }
}

static inline void shop_close(struct shop *shop)
{
    purchase_destroy(shop->purchase);
    json_free(shop->document);
    arena_destroy(shop->arena);
}

/* --- the control plane --- */

static inline int64_t shop_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline void shop_give_back(int64_t nodes, int64_t *starting, int64_t *ready)
{
    int64_t cancelled = shop_min(nodes, *starting);
    *starting -= cancelled;
    *ready -= nodes - cancelled;
    cr_assert_geq(*ready, 0, "more given back than is held");
}

static inline void shop_buy_spot(struct shop *shop, const struct purchase_order *order)
{
    struct purchase_market *market = &shop->markets[order->market];
    int64_t held = market->spot_ready + market->spot_starting;
    int64_t room = shop->spot_there[order->market] - held;
    int64_t granted = shop_min(order->nodes, room > 0 ? room : 0);
    market->spot_starting += granted;
    if (granted < order->nodes)
        market->last_refusal = shop->now;
}

static inline void shop_carry_out(struct shop *shop, const struct purchase_order *order)
{
    struct purchase_market *market = &shop->markets[order->market];
    bool spot = order->kind == BUY_SPOT;
    if (order->nodes > 0 && spot) {
        shop_buy_spot(shop, order);
    } else if (order->nodes > 0) {
        market->on_demand_starting += order->nodes;
    } else if (spot) {
        shop_give_back(-order->nodes, &market->spot_starting, &market->spot_ready);
    } else {
        shop_give_back(-order->nodes, &market->on_demand_starting, &market->on_demand_ready);
    }
}

/* Orders as "a+3" (Spot), "A+3" (on demand), "a-2" (given back). */
static inline void shop_note(struct shop *shop, const struct purchase_order *order)
{
    char name = (char)((order->kind == BUY_SPOT ? 'a' : 'A') + (int)order->market);
    size_t length = strlen(shop->text);
    snprintf(shop->text + length, sizeof shop->text - length, "%s%c%+lld", length ? " " : "", name,
             (long long)order->nodes);
}

static inline uint32_t shop_decide(struct shop *shop)
{
    shop->order_count =
        purchase_decide(shop->purchase, shop->target, shop->now, shop->markets, shop->orders);
    cr_assert_leq(shop->order_count, shop->scope.market_count * PURCHASE_ORDERS_PER_MARKET);
    return shop->order_count;
}

/* Decides and carries out, until nothing is ordered; returns the orders. */
static inline const char *shop_settle(struct shop *shop)
{
    shop->text[0] = '\0';
    for (int rounds = 0; shop_decide(shop) > 0; rounds++) {
        cr_assert_lt(rounds, 2 * SHOP_MARKETS + 2, "decisions find no end");
        for (uint32_t i = 0; i < shop->order_count; i++) {
            shop_note(shop, &shop->orders[i]);
            shop_carry_out(shop, &shop->orders[i]);
        }
    }
    return shop->text;
}

static inline const char *shop_want(struct shop *shop, int64_t target)
{
    shop->target = target;
    return shop_settle(shop);
}

/* What is starting is ready after so many seconds. */
static inline const char *shop_ready(struct shop *shop, double after_s)
{
    shop->now += tick_from_s(after_s);
    for (uint32_t i = 0; i < shop->scope.market_count; i++) {
        struct purchase_market *market = &shop->markets[i];
        if (market->spot_starting > 0)
            market->last_ready = shop->now;
        market->spot_ready += market->spot_starting;
        market->on_demand_ready += market->on_demand_starting;
        market->spot_starting = market->on_demand_starting = 0;
    }
    return shop_settle(shop);
}

static inline const char *shop_wait(struct shop *shop, double seconds)
{
    shop->now += tick_from_s(seconds);
    return shop_settle(shop);
}

/* A market takes ready Spot nodes back, and has only so many from now on. */
static inline const char *shop_interrupt(struct shop *shop, uint32_t index, int64_t nodes,
                                         int64_t there)
{
    struct purchase_market *market = &shop->markets[index];
    market->spot_ready -= nodes;
    market->interruptions += nodes;
    market->last_interruption = shop->now;
    shop->spot_there[index] = there;
    if (market->spot_capacity != PURCHASE_UNSEEN)
        market->spot_capacity = there;
    return shop_settle(shop);
}

static inline void shop_show(struct shop *shop, uint32_t index, int64_t capacity)
{
    shop->spot_there[index] = capacity;
    shop->markets[index].spot_capacity = capacity;
}

#define SAYS(expected, call) cr_assert_str_eq((call), (expected))

#endif
