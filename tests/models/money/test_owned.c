/* Hours of owned machines by hand. */
#include <math.h>

#include "models/money/owned.h"
#include "tests/models/settings_support.h"

#define HOURS 8766.0

static struct arena *arena;

static void open_all(void)
{
    arena = arena_create();
}

static void close_all(void)
{
    arena_destroy(arena);
}

TestSuite(owned, .init = open_all, .fini = close_all);

SETTINGS_READER(read_owned, struct owned_settings, owned_config_type, owned_check, arena)

static struct owned_settings settings_of(const char *text)
{
    struct owned_settings settings;
    struct error error = {0};
    cr_assert(read_owned(text, &settings, &error), "%s", test_error_text(&error));
    return settings;
}

/* 300,000 less 10 %, over 5 years; at 6 % on (300,000 + 30,000) / 2 = 9,900 a year; 10 kW at 150 a
 * month; a mean of 4 kW + half of 4 = 6 kW in the plugs, 7.5 in the building, at 10 cents; 2 %. */
Test(owned, straight_line_by_hand)
{
    struct owned_settings settings =
        settings_of("{'capex_usd': 300000, 'residual_share': 0.1, 'years': 5,"
                    "'cost_of_capital': 0.06, 'upkeep_share': 0.02, 'max_w': 10000,"
                    "'colocation_usd_per_kw_month': 150, 'usd_per_kwh': 0.1, 'pue': 1.25,"
                    "'utilisation': 0.5, 'idle_w': 4000, 'busy_w': 8000}");
    struct owned_cost cost = owned_cost_of(&settings);
    cr_expect_float_eq(cost.capital_usd_h, 54000 / HOURS, 1e-12);
    cr_expect_float_eq(cost.interest_usd_h, 9900 / HOURS, 1e-12);
    cr_expect_float_eq(cost.colocation_usd_h, 12 * 1500 / HOURS, 1e-12);
    cr_expect_float_eq(cost.electricity_usd_h, 0.75, 1e-12);
    cr_expect_float_eq(cost.upkeep_usd_h, 6000 / HOURS, 1e-12);
    double total = (54000 + 9900 + 18000 + 6000) / HOURS + 0.75;
    cr_expect_float_eq(cost.total_usd_h, total, 1e-12);
    cr_expect_float_eq(cost.used_usd_h, 2 * total, 1e-12);
}

/* The classic: 100,000 at 10 % over 3 years is 40,211.48 a year. */
Test(owned, annuity_by_hand)
{
    struct owned_settings settings =
        settings_of("{'method': 'annuity', 'capex_usd': 100000, 'busy_w': 0, 'years': 3, "
                    "'cost_of_capital': 0.1}");
    struct owned_cost cost = owned_cost_of(&settings);
    cr_expect_float_eq((cost.capital_usd_h + cost.interest_usd_h) * HOURS, 40211.48, 0.005);
    cr_expect_float_eq(cost.capital_usd_h * HOURS, 100000 / 3.0, 1e-6);
}

/* The payments of an annuity and the residual are worth the price, discounted. */
Test(owned, an_annuity_pays_back_what_it_should)
{
    struct owned_settings settings =
        settings_of("{'method': 'annuity', 'capex_usd': 250000, 'busy_w': 0, 'years': 4,"
                    "'cost_of_capital': 0.08, 'residual_share': 0.2}");
    struct owned_cost cost = owned_cost_of(&settings);
    double payment_usd = (cost.capital_usd_h + cost.interest_usd_h) * HOURS;
    double worth_usd = 50000 * pow(1.08, -4);
    for (int year = 1; year <= 4; year++)
        worth_usd += payment_usd * pow(1.08, -year);
    cr_expect_float_eq(worth_usd, 250000, 1e-6);
}

Test(owned, free_money_bears_no_interest)
{
    const char *methods[] = {
        "{'method': 'annuity', 'capex_usd': 1000, 'busy_w': 0, 'cost_of_capital': 0}",
        "{'capex_usd': 1000, 'busy_w': 0, 'cost_of_capital': 0}"};
    for (int i = 0; i < 2; i++) {
        struct owned_settings settings = settings_of(methods[i]);
        cr_expect_eq(owned_cost_of(&settings).interest_usd_h, 0);
    }
}

Test(owned, contracted_power_is_what_it_draws_when_busy_unless_said)
{
    struct owned_settings settings =
        settings_of("{'capex_usd': 0, 'busy_w': 8000, 'colocation_usd_per_kw_month': 730.5}");
    cr_expect_float_eq(owned_cost_of(&settings).colocation_usd_h, 8, 1e-12);
}

/* An HGX H100 for 250,000 USD: 8 GPUs at 10.2 kW. Rented H100 are 2 to 3 USD an hour; owned ones
 * should be near, and below. */
Test(owned, an_h100_is_near_what_the_market_asks)
{
    struct owned_settings settings =
        settings_of("{'capex_usd': 250000, 'max_w': 10200, 'busy_w': 8400}");
    double usd_per_gpu_hour = owned_cost_of(&settings).total_usd_h / 8;
    cr_expect(usd_per_gpu_hour > 1 && usd_per_gpu_hour < 2.5, "%g", usd_per_gpu_hour);
}

Test(owned, what_is_refused)
{
    const char *wrong[][2] = {
        {"{'busy_w': 1}", ""},
        {"{'capex_usd': 1}", ""},
        {"{'capex_usd': -1, 'busy_w': 1}", "/capex_usd"},
        {"{'capex_usd': 1, 'busy_w': 1, 'years': 0}", "/years"},
        {"{'capex_usd': 1, 'busy_w': 1, 'utilisation': 0}", "/utilisation"},
        {"{'capex_usd': 1, 'busy_w': 1, 'pue': 0.9}", "/pue"},
        {"{'capex_usd': 1, 'busy_w': 1, 'residual_share': 1.1}", "/residual_share"},
        {"{'capex_usd': 1, 'busy_w': 1, 'idle_w': 2}", "/busy_w"},
        {"{'capex_usd': 1, 'busy_w': 3, 'max_w': 2}", "/max_w"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct owned_settings settings;
        struct error error = {0};
        cr_assert_not(read_owned(wrong[i][0], &settings, &error), "%s", wrong[i][0]);
        cr_expect_str_eq(error.json_path, wrong[i][1]);
    }
}
