/* Purchases: sequences by hand for each strategy, and what must hold for all of them. */
#include "tests/models/purchase_support.h"

/* --- base and percent --- */

/* "Scaling example" of "Auto Scaling groups with multiple instance types and purchase options",
 * Amazon EC2 Auto Scaling User Guide: on demand at 10, 20, 30 and 40 instances. */
Test(purchase, shares_are_those_of_the_user_guide)
{
    static const struct {
        int64_t base, spot_percent, on_demand[4];
    } cases[] = {
        {10, 50, {10, 15, 20, 25}}, {0, 100, {0, 0, 0, 0}},      {0, 40, {6, 12, 18, 24}},
        {0, 0, {10, 20, 30, 40}},   {12, 100, {10, 12, 12, 12}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int k = 0; k < 4; k++) {
            struct purchase_settings settings = {.on_demand_base = cases[i].base,
                                                 .spot_percent_above_base = cases[i].spot_percent};
            int64_t target = 10 * (k + 1);
            struct purchase_split split = purchase_share(&settings, target);
            cr_expect_eq(split.on_demand, cases[i].on_demand[k], "case %zu, %d", i, k);
            cr_expect_eq(split.on_demand + split.spot, target);
        }
}

Test(purchase, fractions_go_to_on_demand)
{
    struct purchase_settings settings = {.on_demand_base = 1, .spot_percent_above_base = 70};
    static const int64_t spot[] = {0, 0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 7};
    for (int64_t target = 0; target < 12; target++)
        cr_expect_eq(purchase_share(&settings, target).spot, spot[target], "of %d", (int)target);
    settings.spot_percent_above_base = 99;
    cr_expect_eq(purchase_share(&settings, INT64_C(1) << 50).spot,
                 ((INT64_C(1) << 50) - 1) / 100 * 99 + ((INT64_C(1) << 50) - 1) % 100 * 99 / 100);
}

/* Nothing said: all on demand, as AWS has it. Who names a strategy wants Spot. */
Test(purchase, naming_a_strategy_asks_for_spot)
{
    struct shop shop;
    shop_open(&shop, "{}", 3);
    SAYS("A+4", shop_want(&shop, 4));
    shop_close(&shop);
    shop_open(&shop, "{\"strategy\": \"diversified\"}", 3);
    SAYS("a+2 b+1 c+1", shop_want(&shop, 4));
    shop_close(&shop);
    shop_open(&shop, "{\"spot_percent_above_base\": 50}", 3);
    SAYS("a+2 A+2", shop_want(&shop, 4));
    shop_close(&shop);
}

/* Base first, then Spot, then on demand; never on demand for Spot that is not had. */
Test(purchase, base_and_percent_are_bought_and_given_back)
{
    struct shop shop;
    shop_open(&shop, "{\"on_demand_base\": 1, \"spot_percent_above_base\": 70}", 2);
    SAYS("A+1 a+3 A+2", shop_want(&shop, 6));
    SAYS("", shop_ready(&shop, 60));
    SAYS("", shop_wait(&shop, 1e6));
    SAYS("a-1 A-1", shop_want(&shop, 4));
    SAYS("a-2 A-1", shop_want(&shop, 1)); /* the base stays */
    SAYS("A-1", shop_want(&shop, 0));
    shop.spot_there[0] = shop.spot_there[1] = 0;
    SAYS("A+1 a+2 A+1 b+2", shop_want(&shop, 4));
    SAYS("", shop_wait(&shop, 59));
    SAYS("a+2 b+2", shop_wait(&shop, 1));
    cr_assert_eq(purchase_next(shop.purchase), shop.now + tick_from_s(60));
    shop_close(&shop);
}

Test(purchase, on_demand_in_order_or_by_price)
{
    struct shop shop;
    shop_open(&shop, "{}", 3);
    shop.markets[0].on_demand_capacity = 2;
    shop.markets[1].on_demand_capacity = PURCHASE_UNSEEN;
    SAYS("A+2 B+3", shop_want(&shop, 5));
    SAYS("B-3 A-1", shop_want(&shop, 1));
    shop_close(&shop);
    shop_open(&shop, "{\"on_demand_strategy\": \"lowest_price\"}", 3);
    shop.markets[2].on_demand_usd_per_hour = 2;
    shop.markets[2].on_demand_capacity = 4;
    shop.markets[0].last_on_demand_refusal = shop.now - 1;
    SAYS("C+4 B+1", shop_want(&shop, 5));
    SAYS("B-1 C-1", shop_want(&shop, 3));
    shop.markets[1].on_demand_capacity = 0;
    shop.markets[2].on_demand_capacity = 0;
    SAYS("", shop_want(&shop, 4));
    cr_assert_eq(purchase_next(shop.purchase), shop.now - 1 + tick_from_s(60));
    SAYS("A+1", shop_wait(&shop, 60));
    shop_close(&shop);
}

/* Nodes on demand that the fleet begins with go as Spot nodes take their place, not before. */
Test(purchase, what_is_ready_stays_until_it_is_replaced)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": \"diversified\"}", 2);
    shop.markets[0].on_demand_ready = 4;
    SAYS("a+2 b+2", shop_want(&shop, 4));
    shop.markets[0].spot_ready = 1;
    shop.markets[0].spot_starting = 1;
    SAYS("A-1", shop_settle(&shop));
    SAYS("A-3", shop_ready(&shop, 10));
    shop_close(&shop);
}

/* Starting nodes go first, wherever they are. */
Test(purchase, starting_nodes_go_first)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": \"capacity_optimized\"}", 2);
    shop_show(&shop, 0, 2);
    shop_show(&shop, 1, 0);
    SAYS("a+2", shop_want(&shop, 2));
    SAYS("", shop_ready(&shop, 60));
    shop_show(&shop, 1, 9);
    SAYS("b+2", shop_want(&shop, 4));
    SAYS("b-2", shop_want(&shop, 2));
    SAYS("a-1", shop_want(&shop, 1));
    shop_close(&shop);
}

Test(purchase, spot_has_a_price_limit)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": \"diversified\", \"spot_max_usd_per_hour\": 1.15}", 3);
    SAYS("a+2 b+2", shop_want(&shop, 4));
    shop_close(&shop);
    shop_open(&shop, "{\"strategy\": \"diversified\"}", 3);
    shop.markets[0].spot_usd_per_hour = 3.01; /* more than on demand: AWS's default limit */
    shop.markets[1].spot_usd_per_hour = INFINITY;
    shop.markets[1].on_demand_usd_per_hour = INFINITY;
    SAYS("c+4", shop_want(&shop, 4));
    shop_close(&shop);
}

/* --- strategies --- */

Test(purchase, lowest_price_fills_two_markets_evenly)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": \"lowest_price\"}", 4);
    shop.markets[3].spot_usd_per_hour = 0.5;
    SAYS("d+3 a+2", shop_want(&shop, 5));
    SAYS("", shop_ready(&shop, 60));
    SAYS("a+1", shop_want(&shop, 6));
    shop.markets[1].spot_usd_per_hour = 0.1; /* nodes don't move */
    SAYS("", shop_wait(&shop, 600));
    SAYS("b+3", shop_want(&shop, 9));     /* b has 0, d has 3 */
    SAYS("a-1 b-3", shop_want(&shop, 5)); /* the starting ones, then the dearest */
    shop.markets[2].spot_ready = 1;
    SAYS("c-1", shop_want(&shop, 5));
    SAYS("a-2", shop_want(&shop, 3));
    shop_close(&shop);
}

Test(purchase, lowest_price_goes_on_to_the_next)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": {\"policy\": \"lowest_price\", \"pools\": 2}}", 4);
    shop_show(&shop, 0, 1);
    shop_show(&shop, 1, 2);
    SAYS("a+1 b+2 c+5", shop_want(&shop, 8));
    shop_close(&shop);
    shop_open(&shop, "{\"strategy\": {\"policy\": \"lowest_price\", \"pools\": 20}}", 4);
    SAYS("a+2 b+2 c+1 d+1", shop_want(&shop, 6));
    shop_close(&shop);
}

/* It does not look at prices, but between equals. */
Test(purchase, capacity_optimized_takes_the_deepest)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": \"capacity_optimized\"}", 4);
    shop_show(&shop, 0, 3);
    shop_show(&shop, 1, 5);
    shop_show(&shop, 2, 5);
    shop_show(&shop, 3, 0);
    SAYS("b+5 c+1", shop_want(&shop, 6));
    SAYS("", shop_ready(&shop, 60));
    SAYS("b-2", shop_want(&shop, 4)); /* b is at its end, c has room for four more */
    shop_close(&shop);
}

Test(purchase, capacity_optimized_goes_by_interruptions_where_it_sees_nothing)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": \"capacity_optimized\"}", 3);
    shop.markets[0].interruptions = 3; /* 3.5 in 124 hours: 0.028 per hour */
    shop.markets[0].node_hours = 100;
    shop.markets[1].interruptions = 1; /* 1.5 in 34: 0.044 */
    shop.markets[1].node_hours = 10;
    shop.markets[2].node_hours = 4; /* 0.5 in 28: 0.018 */
    SAYS("c+4", shop_want(&shop, 4));
    shop.markets[2].interruptions = 1; /* 1.5 in 28: 0.054 */
    SAYS("a+1", shop_want(&shop, 5));
    shop_close(&shop);
}

/* Among the markets with room for all three, the cheapest; then the one with most room. */
Test(purchase, price_capacity_optimized_is_cheap_among_the_deep)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": \"price_capacity_optimized\"}", 4);
    shop_show(&shop, 0, 2);
    shop_show(&shop, 1, 4);
    shop_show(&shop, 2, 9);
    shop_show(&shop, 3, 3);
    SAYS("b+3", shop_want(&shop, 3));
    SAYS("", shop_ready(&shop, 60));
    SAYS("c+6", shop_want(&shop, 9));
    SAYS("", shop_ready(&shop, 60));
    /* Room: a 2, b 1, c 3, d 3. None has room for 5: the better half, c and d, cheapest first. */
    SAYS("c+3 d+2", shop_want(&shop, 14));
    shop_close(&shop);
}

Test(purchase, diversified_stays_even)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": \"diversified\"}", 3);
    SAYS("a+3 b+2 c+2", shop_want(&shop, 7));
    SAYS("", shop_ready(&shop, 60));
    SAYS("b+2 c+1", shop_interrupt(&shop, 1, 2, 1)); /* b has but one */
    SAYS("", shop_ready(&shop, 60));
    SAYS("c-1 a-1", shop_want(&shop, 5));
    SAYS("c-1 a-1", shop_want(&shop, 3));
    SAYS("a+1 b+1 c+1", shop_want(&shop, 5)); /* b has but one, still */
    SAYS("", shop_ready(&shop, 60));
    SAYS("a+1 b+2 c+1 a+1 c+1", shop_want(&shop, 9));
    shop.markets[0].spot_ready += 2;
    shop.markets[0].spot_starting = 0;
    SAYS("c-2 a-1", shop_want(&shop, 6)); /* those that start, and then a holds most */
    shop_close(&shop);
}

Test(purchase, single_stays_where_it_is)
{
    struct shop shop;
    shop_open(&shop,
              "{\"on_demand_base\": 1, \"strategy\": {\"policy\": \"single\", \"market\": \"b\"}}",
              3);
    SAYS("B+1 b+3", shop_want(&shop, 4));
    SAYS("", shop_ready(&shop, 60));
    SAYS("b+2", shop_interrupt(&shop, 1, 2, 1));
    SAYS("b+2", shop_wait(&shop, 60));
    shop_close(&shop);
}

Test(purchase, on_demand_stands_in_after_a_while)
{
    struct shop shop;
    shop_open(&shop,
              "{\"on_demand_base\": 1, \"strategy\": {\"policy\": \"on_demand_fallback\","
              " \"after_s\": 150, \"within\": \"diversified\"}}",
              2);
    shop_show(&shop, 0, 1);
    shop_show(&shop, 1, 0);
    SAYS("A+1 a+1", shop_want(&shop, 4));
    cr_assert_eq(purchase_next(shop.purchase), shop.now + tick_from_s(150));
    SAYS("", shop_ready(&shop, 149));
    SAYS("A+2", shop_wait(&shop, 1));
    SAYS("", shop_ready(&shop, 100));
    shop_show(&shop, 0, 3);
    SAYS("a+2", shop_wait(&shop, 50)); /* granted, but not ready */
    SAYS("A-2", shop_ready(&shop, 100));
    cr_assert_eq(purchase_next(shop.purchase), TICK_NEVER);
    /* The wait begins anew. */
    SAYS("", shop_interrupt(&shop, 0, 1, 2));
    SAYS("", shop_wait(&shop, 149));
    SAYS("A+1", shop_wait(&shop, 1));
    shop_close(&shop);
}

/* One node to each market, then all to the cheapest; on demand until they are ready. */
Test(purchase, spot_hedge_spreads_and_hedges)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": {\"policy\": \"spot_hedge\", \"num_overprovision\": 2}}", 3);
    SAYS("a+3 b+1 c+1 A+3", shop_want(&shop, 3)); /* no more on demand than the target */
    shop.markets[0].spot_starting = 0;
    shop.markets[0].spot_ready = 3;
    shop.markets[0].last_ready = shop.now;
    SAYS("A-1", shop_settle(&shop)); /* 3 + 2 - 3 ready */
    SAYS("A-2", shop_ready(&shop, 100));
    /* An interruption in a: no more of a, until a node becomes ready there. */
    SAYS("b+2 A+2", shop_interrupt(&shop, 0, 2, 1));
    SAYS("A-2", shop_ready(&shop, 100));
    SAYS("b+1 A+1", shop_interrupt(&shop, 0, 1, 0));
    shop_close(&shop);
}

/* A market that is preempted is active again once a node becomes ready there. */
Test(purchase, spot_hedge_returns_to_a_market)
{
    struct shop shop;
    shop_open(&shop,
              "{\"strategy\": {\"policy\": \"spot_hedge\","
              " \"dynamic_ondemand_fallback\": false}}",
              3);
    SAYS("a+1 b+1 c+1", shop_want(&shop, 3));
    SAYS("", shop_ready(&shop, 60));
    SAYS("a+2", shop_want(&shop, 5));
    SAYS("b+1", shop_interrupt(&shop, 0, 1, INT64_MAX));
    SAYS("b+1", shop_want(&shop, 6));
    SAYS("", shop_ready(&shop, 60));
    SAYS("a+1", shop_want(&shop, 7));
    shop.now += 1;
    shop.markets[0].last_ready = shop.now; /* at the same tick, trouble counts */
    SAYS("b+1", shop_interrupt(&shop, 0, 1, INT64_MAX));
    shop_close(&shop);
}

/* With less than two active markets all become active. */
Test(purchase, spot_hedge_tries_all_again)
{
    struct shop shop;
    shop_open(&shop, "{\"strategy\": \"spot_hedge\", \"refusal_cooldown_s\": 20}", 3);
    shop.spot_there[0] = shop.spot_there[1] = shop.spot_there[2] = 0;
    SAYS("a+1 A+1 b+1 c+1", shop_want(&shop, 1));
    SAYS("", shop_wait(&shop, 19));
    SAYS("a+1 b+1 c+1", shop_wait(&shop, 1));
    shop.spot_there[1] = 1;
    SAYS("a+1 b+1", shop_wait(&shop, 20));
    SAYS("A-1", shop_ready(&shop, 60));
    shop_close(&shop);
}

Test(purchase, spot_hedge_keeps_its_base_and_may_do_without_fallback)
{
    struct shop shop;
    shop_open(&shop,
              "{\"on_demand_base\": 1, \"strategy\": {\"policy\": \"spot_hedge\","
              " \"num_overprovision\": 1, \"dynamic_ondemand_fallback\": false}}",
              2);
    SAYS("A+1 a+2 b+1", shop_want(&shop, 3));
    SAYS("", shop_ready(&shop, 60));
    /* With two markets, one that is preempted makes both active. */
    SAYS("a+1 b+1", shop_interrupt(&shop, 0, 1, 1));
    SAYS("b-2 a-1 A-1", shop_want(&shop, 0));
    shop_close(&shop);
}

/* --- checks --- */

static void refused(const char *json, const char *pointer)
{
    struct shop shop = {.scope = {shop_names, 3, 10}};
    shop_read(&shop, json);
    struct error error = {0};
    cr_assert_not(purchase_check(&shop.settings, &shop.scope, &error), "%s", json);
    cr_assert_str_eq(error.json_path, pointer, "%s: at %s", json, error.json_path);
    cr_assert_neq(error.hint[0], '\0');
    json_free(shop.document);
    arena_destroy(shop.arena);
}

Test(purchase, settings_that_fight_each_other_are_refused)
{
    refused("{\"on_demand_base\": 11}", "/on_demand_base");
    refused("{\"strategy\": {\"policy\": \"single\", \"market\": \"z\"}}", "/strategy/market");
    refused("{\"strategy\": \"spot_hedge\", \"spot_percent_above_base\": 70}",
            "/spot_percent_above_base");
}

Test(purchase, settings_that_agree_pass)
{
    static const char *const texts[] = {
        "{}",
        "{\"on_demand_base\": 10}",
        "{\"strategy\": \"single\"}",
        "{\"strategy\": {\"policy\": \"single\", \"market\": \"c\"}}",
        "{\"strategy\": \"spot_hedge\", \"spot_percent_above_base\": 100}",
        "{\"strategy\": {\"policy\": \"lowest_price\", \"pools\": 20}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct shop shop = {.scope = {shop_names, 3, 10}};
        shop_read(&shop, texts[i]);
        cr_assert(purchase_check(&shop.settings, &shop.scope, NULL), "%s", texts[i]);
        json_free(shop.document);
        arena_destroy(shop.arena);
    }
}

static void unreadable(const char *json, const char *pointer)
{
    struct error error = {0};
    struct arena *arena = arena_create();
    struct json_document *document = json_read_text("test", json, strlen(json), &error);
    struct purchase_settings settings;
    cr_assert_not(config_read(&purchase_settings_type, document, json_root(document), "", arena,
                              &settings, &error));
    cr_assert_str_eq(error.json_path, pointer);
    json_free(document);
    arena_destroy(arena);
}

Test(purchase, values_out_of_bounds_are_refused)
{
    unreadable("{\"spot_percent_above_base\": 101}", "/spot_percent_above_base");
    unreadable("{\"on_demand_base\": -1}", "/on_demand_base");
    unreadable("{\"refusal_cooldown_s\": 0}", "/refusal_cooldown_s");
    unreadable("{\"strategy\": {\"policy\": \"lowest_price\", \"pools\": 0}}", "/strategy/pools");
}
