#include <criterion/criterion.h>

#include "analysis/plan_hours.h"

#define HOURS(h) tick_from_s((h)*3600.0)

/* Time 0 is half past an hour. */
static void start(struct usage *usage)
{
    usage_init(usage, 1800);
    usage_add_pool(usage, &(struct usage_pool){"pool", "model", 1});
    for (int m = 0; m < 2; m++)
        usage_add_market(usage, &(struct usage_market){
                                    .name = "m", .provider = "", .region = "", .sku = "node"});
}

static void rent(struct usage *usage, uint32_t market, enum purchase_option purchase,
                 uint32_t instances, double from_h, double to_h)
{
    tick_t from = HOURS(from_h), to = HOURS(to_h);
    usage_add_node(usage, &(struct node_usage){.market = market,
                                               .instances = instances,
                                               .purchase = purchase,
                                               .requested = from,
                                               .billed_from = from,
                                               .ready = from,
                                               .drain = to,
                                               .end = to});
}

/* A node of two instances at 3 USD from 0:30 to 2:00 by the run's clock: 0, 1 and 0.5 h of it in
 * the clock hours, which begin at -0:30. */
Test(plan_hours, cut_a_life_at_clock_hours)
{
    struct usage usage;
    struct plan_hours hours;
    const double usd[] = {100, 3};
    start(&usage);
    rent(&usage, 1, PURCHASE_ON_DEMAND, 2, 0.5, 2);
    usage.end = HOURS(2);
    plan_hours_of(&usage, usd, &hours);
    cr_assert_eq(hours.count, 3);
    cr_assert_float_eq(hours.usd[0], 0, 0);
    cr_assert_float_eq(hours.usd[1], 6, 1e-9);
    cr_assert_float_eq(hours.usd[2], 3, 1e-9);
    cr_assert_float_eq(hours.node_hours[1], 1, 1e-12);
    cr_assert_float_eq(hours.node_hours[2], 0.5, 1e-12);
    plan_hours_free(&hours);
    usage_free(&usage);
}

/* 1 USD until 1:00, then 4 USD; from 0:45 to 1:15. Beside it a node at a fixed price. */
Test(plan_hours, follow_the_price_of_spot)
{
    struct usage usage;
    struct plan_hours hours;
    const double usd[] = {100, 3};
    start(&usage);
    usage_set_spot_price(&usage, 0, 0, 1);
    usage_set_spot_price(&usage, 0, HOURS(1), 4);
    rent(&usage, 0, PURCHASE_SPOT, 1, 0.75, 1.25);
    rent(&usage, 1, PURCHASE_ON_DEMAND, 1, 0, 0.5);
    usage.end = HOURS(1.5);
    plan_hours_of(&usage, usd, &hours);
    cr_assert_eq(hours.count, 2);
    cr_assert_float_eq(hours.usd[0], 1.5, 1e-9);
    cr_assert_float_eq(hours.usd[1], 0.25 * 1 + 0.25 * 4, 1e-9);
    plan_hours_free(&hours);
    usage_free(&usage);
}
