/* When alerts come, against hours counted by hand. */
#include "models/money/budget_alerts.h"

#include "tests/models/money/support.h"

TestSuite(budget_alerts, .init = set_up, .fini = tear_down);

#define HOUR 3600.0
#define DAY  (24 * HOUR)

static double actual[] = {50, 100}, expected[] = {100};

static struct budget_config budget_of(double usd, enum budget_period period)
{
    return (struct budget_config){.name = "b",
                                  .usd = usd,
                                  .period = period,
                                  .actual_percent = {actual, 2},
                                  .forecast_percent = {expected, 1},
                                  .forecast_after_hours = 24,
                                  .update_hours = 8};
}

static struct budget_alerts alerts_of(const struct usage *usage, const struct budget_config *budget)
{
    struct ledger ledger;
    bill(usage, good_book(ROUND_BOOK), NULL, &ledger);
    struct config_list budgets = {(void *)budget, 1};
    struct budget_alerts alerts = budget_alerts_find(&ledger, &budgets, arena);
    ledger_free(&ledger);
    return alerts;
}

static void expect_alert(const struct budget_alert *alert, double percent, bool is_forecast,
                         const char *due, const char *told)
{
    cr_expect_eq(alert->percent, percent);
    cr_expect_eq(alert->is_forecast, is_forecast);
    cr_expect_eq(alert->due_unix_s, unix_of(due), "due %+ld h",
                 (long)(alert->due_unix_s - unix_of(due)) / 3600);
    cr_expect_eq(alert->told_unix_s, unix_of(told));
}

/* A node of 3.60 an hour all June: 500 are reached after 139 hours, 1000 after 278; a day's
 * 86.40 foretell 2592. */
Test(budget_alerts, a_steady_month)
{
    struct usage usage;
    make_usage(&usage, "2025-06-01");
    usage.end = tick_from_s(30 * DAY);
    add_life(&usage, 1, PURCHASE_ON_DEMAND, 0, 30 * DAY, NODE_END_HORIZON);
    struct budget_config budget = budget_of(1000, BUDGET_MONTH);
    struct budget_alerts alerts = alerts_of(&usage, &budget);
    cr_assert_eq(alerts.count, 3);
    expect_alert(&alerts.items[0], 100, true, "2025-06-02", "2025-06-02");
    cr_expect_float_eq(alerts.items[0].forecast_usd, 2592, 1e-9);
    expect_alert(&alerts.items[1], 50, false, "2025-06-06T19:00:00Z", "2025-06-07");
    cr_expect_float_eq(alerts.items[1].spent_usd, 139 * 3.6, 1e-9);
    expect_alert(&alerts.items[2], 100, false, "2025-06-12T14:00:00Z", "2025-06-12T16:00:00Z");
    usage_free(&usage);
}

/* At the end of the tenth day a tenfold fleet starts: 3.60 an hour foretell 2592 for the month, so
 * a budget of 5000 is quiet until then. Afterwards 864 + 36 k after k hours: the mean of the
 * period foretells (864 + 36 k) * 720 / (240 + k) >= 5000 from k = 27.6 on; 2500 are spent at
 * k = 45.4, 5000 at k = 114.9. */
Test(budget_alerts, a_runaway_fleet_is_foretold)
{
    struct usage usage;
    make_usage(&usage, "2025-06-01");
    usage.end = tick_from_s(30 * DAY);
    add_life(&usage, 1, PURCHASE_ON_DEMAND, 0, 10 * DAY, NODE_END_SCALE_IN);
    for (int i = 0; i < 10; i++)
        add_life(&usage, 1, PURCHASE_ON_DEMAND, 10 * DAY, 30 * DAY, NODE_END_HORIZON);
    struct budget_config budget = budget_of(5000, BUDGET_MONTH);
    struct budget_alerts alerts = alerts_of(&usage, &budget);
    cr_assert_eq(alerts.count, 3);
    expect_alert(&alerts.items[0], 100, true, "2025-06-12T04:00:00Z", "2025-06-12T08:00:00Z");
    expect_alert(&alerts.items[1], 50, false, "2025-06-12T22:00:00Z", "2025-06-13");
    expect_alert(&alerts.items[2], 100, false, "2025-06-15T19:00:00Z", "2025-06-16");
    usage_free(&usage);
}

/* Hour k costs 3.60 k: in 48 hours, 3.60 * 48 * 49 / 2. A line through the first 24 says so; their
 * mean does not. */
Test(budget_alerts, a_trend_goes_on)
{
    struct usage usage;
    make_usage(&usage, "2025-06-01");
    usage.end = tick_from_s(2 * DAY);
    for (int i = 0; i < 48; i++)
        add_life(&usage, 1, PURCHASE_ON_DEMAND, i * HOUR, 2 * DAY, NODE_END_HORIZON);
    struct budget_config budget = budget_of(3.6 * 48 * 49 / 2, BUDGET_RUN);
    expected[0] = 99.9;
    budget.forecast = FORECAST_TREND;
    struct budget_alerts alerts = alerts_of(&usage, &budget);
    expect_alert(&alerts.items[0], 99.9, true, "2025-06-02", "2025-06-02");
    cr_expect_float_eq(alerts.items[0].forecast_usd, budget.usd, 1e-6);
    budget.forecast = FORECAST_AVERAGE;
    alerts = alerts_of(&usage, &budget);
    cr_expect_not(alerts.items[0].is_forecast);
    expected[0] = 100;
    usage_free(&usage);
}

Test(budget_alerts, every_day_is_a_new_period)
{
    struct usage usage;
    make_usage(&usage, "2025-06-01T12:00:00Z");
    usage.end = tick_from_s(2 * DAY);
    add_life(&usage, 1, PURCHASE_ON_DEMAND, 0, 2 * DAY, NODE_END_HORIZON);
    struct budget_config budget = budget_of(72, BUDGET_DAY); /* 36 after 10 h, 72 after 20 h */
    budget.update_hours = 1;
    struct budget_alerts alerts = alerts_of(&usage, &budget);
    cr_assert_eq(alerts.count, 5);
    expect_alert(&alerts.items[0], 50, false, "2025-06-01T22:00:00Z", "2025-06-01T22:00:00Z");
    expect_alert(&alerts.items[1], 50, false, "2025-06-02T10:00:00Z", "2025-06-02T10:00:00Z");
    expect_alert(&alerts.items[2], 100, false, "2025-06-02T20:00:00Z", "2025-06-02T20:00:00Z");
    expect_alert(&alerts.items[3], 100, true, "2025-06-03", "2025-06-03"); /* a whole day known */
    expect_alert(&alerts.items[4], 50, false, "2025-06-03T10:00:00Z", "2025-06-03T10:00:00Z");
    usage_free(&usage);
}

Test(budget_alerts, a_fleet_within_its_budget_sets_off_nothing)
{
    struct usage usage;
    make_usage(&usage, "2025-06-01");
    usage.end = tick_from_s(30 * DAY);
    add_life(&usage, 1, PURCHASE_ON_DEMAND, 0, 30 * DAY, NODE_END_HORIZON);
    struct budget_config budget = budget_of(6000, BUDGET_MONTH);
    cr_expect_eq(alerts_of(&usage, &budget).count, 0);
    usage_free(&usage);
}
