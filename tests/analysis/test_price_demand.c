#include <criterion/criterion.h>
#include <math.h>

#include "analysis/price_demand.h"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1, fabs(b));
}

static const double HOUR_S = 3600;

/* From 10:30 to 13:15: two clock hours whole, a half and a quarter of two others. */
static void start(struct usage *usage)
{
    usage_init(usage, 1748773800); /* 2025-06-01T10:30:00Z */
    usage->end = tick_from_s(2.75 * HOUR_S);
    usage_add_pool(usage, &(struct usage_pool){"chat", "llama", 1});
    usage_add_market(usage, &(struct usage_market){"a", "AWS", "east", "big", 8, NAN});
    usage_add_market(usage, &(struct usage_market){"b", "AWS", "west", "small", 1, NAN});
    usage_add_class(usage, &(struct usage_class){"all", ""});
}

static void add_node(struct usage *usage, uint32_t market, uint32_t instances,
                     enum purchase_option purchase, double from_h, double to_h)
{
    tick_t from = tick_from_s(from_h * HOUR_S), to = tick_from_s(to_h * HOUR_S);
    usage_add_node(usage, &(struct node_usage){.market = market,
                                               .instances = instances,
                                               .purchase = purchase,
                                               .requested = from,
                                               .billed_from = from,
                                               .ready = from,
                                               .drain = to,
                                               .end = to});
}

struct case_of {
    struct arena *arena;
    struct usage usage;
    struct price_demand demand;
};

static void setup(struct case_of *of)
{
    of->arena = arena_create();
    start(&of->usage);
}

static void teardown(struct case_of *of)
{
    usage_free(&of->usage);
    arena_destroy(of->arena);
}

Test(price_demand, is_the_mean_of_each_clock_hour)
{
    struct case_of of = {0};
    setup(&of);
    add_node(&of.usage, 0, 2, PURCHASE_ON_DEMAND, 0, 2.75);
    add_node(&of.usage, 0, 1, PURCHASE_ON_DEMAND, 0.75, 1.5); /* 11:15 to 12:00 */
    cr_assert(price_demand_of_run(&of.usage, "big", false, of.arena, &of.demand, NULL));
    cr_assert_eq(of.demand.curve->count, 2);
    cr_assert(near(of.demand.curve->hours, 2.75));
    cr_assert(near(load_duration_floor(of.demand.curve), 2));
    cr_assert(near(load_duration_peak(of.demand.curve), 2.75));
    cr_assert(near(of.demand.curve->share_above[0], 1 / 2.75));
    cr_assert_str_eq(of.demand.region, "east");
    teardown(&of);
}

Test(price_demand, counts_one_type_and_what_was_on_demand)
{
    struct case_of of = {0};
    setup(&of);
    add_node(&of.usage, 0, 1, PURCHASE_ON_DEMAND, 0, 2.75);
    add_node(&of.usage, 0, 1, PURCHASE_SPOT, 0, 2.75);
    add_node(&of.usage, 1, 1, PURCHASE_ON_DEMAND, 0, 2.75);
    cr_assert(price_demand_of_run(&of.usage, "big", false, of.arena, &of.demand, NULL));
    cr_assert(near(of.demand.curve->mean, 1));
    cr_assert(price_demand_of_run(&of.usage, "big", true, of.arena, &of.demand, NULL));
    cr_assert(near(of.demand.curve->mean, 2));
    teardown(&of);
}

Test(price_demand, asks_which_type_is_meant)
{
    struct case_of of = {0};
    setup(&of);
    struct error error = {0};
    cr_assert_not(price_demand_of_run(&of.usage, NULL, false, of.arena, &of.demand, &error));
    cr_assert_eq(error.code, ERROR_USAGE);
    error = (struct error){0};
    cr_assert_not(price_demand_of_run(&of.usage, "bog", false, of.arena, &of.demand, &error));
    cr_assert(strstr(error.hint, "big"), "%s", error.hint);
    error = (struct error){0};
    cr_assert_not(price_demand_of_run(&of.usage, "small", false, of.arena, &of.demand, &error));
    cr_assert(strstr(error.message, "no small on demand"), "%s", error.message);
    teardown(&of);
}

Test(price_demand, load_is_what_was_served_by_the_hour)
{
    struct case_of of = {0};
    setup(&of);
    struct usage_class_hour *served =
        usage_class_hour(&of.usage, 0, 0, tick_from_s(0.1 * HOUR_S)); /* in a half of an hour */
    served->prompt_tok = 300;
    served->output_tok = 200;
    usage_class_hour(&of.usage, 0, 0, tick_from_s(HOUR_S))->output_tok = 500;
    struct load_duration *load = price_load_of_run(&of.usage, of.arena, NULL);
    cr_assert(near(load_duration_peak(load), 1000));
    cr_assert(near(load_duration_floor(load), 0));
    cr_assert(near(load->mean, 1000 / 2.75));
    teardown(&of);
}
