/* Budgets that watch: who is told when that money runs out.
 *
 * A budget is money for a period (a UTC day, a calendar month, or the run), and percentages of it.
 * An actual alert is due when the money spent in the period reaches its percentage; a forecast
 * alert when what will be spent by the period's end is expected to. Each alert comes once a period.
 * A budget holds nobody back: that is the scenario's "budget".
 *
 * Money is known by the hour, at its end. People are told at the budget's next update: AWS Budgets
 * is updated up to three times a day (AWS Cost Management User Guide, "Managing your costs with AWS
 * Budgets"), here every update_hours from midnight UTC.
 *
 * The forecast is a straight line, as AWS does not say how its own is made: `average` goes on at
 * the mean of the period so far, `trend` fits a line to its hourly amounts (least squares) and goes
 * on along it, never below zero. Neither is made before forecast_after_hours of a period are known
 * (AWS wants about five weeks of history). Hours of the period before the run cost nothing and do
 * not count; the run's end does not end the period. */
#ifndef TOKENYARD_MODELS_MONEY_BUDGET_ALERTS_H
#define TOKENYARD_MODELS_MONEY_BUDGET_ALERTS_H

#include "models/money/ledger.h"

enum budget_period { BUDGET_DAY, BUDGET_MONTH, BUDGET_RUN };
enum budget_forecast { FORECAST_AVERAGE, FORECAST_TREND };
extern const char *const budget_period_names[]; /* "day", ...; ends with NULL */

struct budget_config {
    const char *name;
    double usd;
    int period;                          /* enum budget_period */
    struct config_list actual_percent;   /* double */
    struct config_list forecast_percent; /* double */
    int forecast;                        /* enum budget_forecast */
    double forecast_after_hours;
    double update_hours;
};
extern const struct config_type budget_config_type;

struct budget_alert {
    const struct budget_config *budget;
    int64_t period_unix_s; /* when the period (or the run) began */
    double percent;
    bool is_forecast;
    int64_t due_unix_s;  /* end of the hour in which it was reached */
    int64_t told_unix_s; /* the update at or after that; may be after the run */
    double spent_usd;    /* in the period until due */
    double forecast_usd; /* for the period, as of due; NaN: not made yet */
};

struct budget_alerts {
    struct budget_alert *items; /* by due, then budget, then as listed */
    size_t count;
};

/* The alerts that a bill sets off. budgets: of struct budget_config. In the arena. */
struct budget_alerts budget_alerts_find(const struct ledger *ledger,
                                        const struct config_list *budgets, struct arena *arena);

#endif
