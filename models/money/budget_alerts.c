#include "models/money/budget_alerts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/money/utc_date.h"

const char *const budget_period_names[] = {
    [BUDGET_DAY] = "day", [BUDGET_MONTH] = "month", [BUDGET_RUN] = "run", NULL};
static const char *const forecast_names[] = {
    [FORECAST_AVERAGE] = "average", [FORECAST_TREND] = "trend", NULL};

#define MEMBER(kind_, member, doc_, ...)                                                           \
    {                                                                                              \
        .name = #member, .kind = kind_, .offset = offsetof(struct budget_config, member),          \
        .doc = doc_, __VA_ARGS__                                                                   \
    }
#define PERCENTS_MAX 100

static const struct config_field percent_element = {
    .kind = CONFIG_NUMBER, .min = 0, .max = 1000, .above_min = true};

static const struct config_field budget_fields[] = {
    MEMBER(CONFIG_STRING, name, "of the budget", .preset = "\"budget\""),
    MEMBER(CONFIG_NUMBER, usd, "for a period", .min = 0, .max = 1e9, .above_min = true),
    MEMBER(CONFIG_ENUM, period, "that the money is for", .preset = "\"month\"",
           .names = budget_period_names),
    MEMBER(CONFIG_LIST, actual_percent, "of the money, when spent", .preset = "[50, 80, 100]",
           .element = &percent_element, .max = PERCENTS_MAX),
    MEMBER(CONFIG_LIST, forecast_percent, "of the money, when expected to be spent by the end",
           .preset = "[100]", .element = &percent_element, .max = PERCENTS_MAX),
    MEMBER(CONFIG_ENUM, forecast, "how the rest of the period is expected to go",
           .preset = "\"average\"", .names = forecast_names),
    MEMBER(CONFIG_NUMBER, forecast_after_hours, "of a period, at least", .preset = "24", .min = 1,
           .max = 1e4),
    MEMBER(CONFIG_NUMBER, update_hours, "from one update to the next; AWS Budgets: 8",
           .preset = "8", .min = 0.25, .max = 24),
    {0},
};
const struct config_type budget_config_type = {"budget_alerts", "a budget that watches",
                                               sizeof(struct budget_config), budget_fields};

/* What was spent in each hour of the run. */
struct spending {
    int64_t first_unix_s; /* start of hour 0 */
    int64_t start_unix_s, end_unix_s;
    const double *usd; /* [hours] */
    uint32_t hours;
};

/* One period under way. */
struct watch {
    const struct budget_config *budget;
    const struct spending *spending;
    int64_t from_unix_s, until_unix_s; /* of the period; from is not before the run's start */
    double spent_usd;
    uint32_t known;               /* hours */
    double sum_x, sum_xx, sum_xy; /* of hourly amounts over their number, for the line */
    bool *told;                   /* [actual and forecast percentages], in the period */
};

/* --- periods --- */

static int64_t period_start(enum budget_period period, int64_t unix_s,
                            const struct spending *spending)
{
    if (period == BUDGET_RUN)
        return spending->start_unix_s;
    return period == BUDGET_DAY ? utc_day_start(unix_s) : utc_month_start(unix_s);
}

static int64_t period_end(enum budget_period period, int64_t unix_s,
                          const struct spending *spending)
{
    if (period == BUDGET_RUN)
        return spending->end_unix_s;
    return period == BUDGET_DAY ? utc_day_start(unix_s) + S_PER_DAY : utc_next_month(unix_s);
}

static void begin_period(struct watch *watch, int64_t unix_s)
{
    const struct spending *spending = watch->spending;
    enum budget_period period = (enum budget_period)watch->budget->period;
    int64_t start = period_start(period, unix_s, spending);
    watch->from_unix_s = start > spending->start_unix_s ? start : spending->start_unix_s;
    watch->until_unix_s = period_end(period, unix_s, spending);
    watch->spent_usd = watch->sum_x = watch->sum_xx = watch->sum_xy = 0;
    watch->known = 0;
    memset(watch->told, 0,
           (watch->budget->actual_percent.count + watch->budget->forecast_percent.count) *
               sizeof *watch->told);
}

/* --- forecast --- */

/* Hourly amounts along the line, summed over the hours to come. Hour k stands for the time from
 * k - 0.5 to k + 0.5, so that the sum of whole hours is the area under the line. */
static double along_trend(const struct watch *watch, double hours_left)
{
    double n = watch->known, spread = n * watch->sum_xx - watch->sum_x * watch->sum_x;
    double slope = spread > 0 ? (n * watch->sum_xy - watch->sum_x * watch->spent_usd) / spread : 0;
    double now = watch->spent_usd / n + slope * (n + 0.5 - watch->sum_x / n);
    double end = now + slope * hours_left;
    if (now <= 0 && end <= 0)
        return 0;
    if (now >= 0 && end >= 0)
        return hours_left * (now + end) / 2;
    /* The line crosses zero on the way: the triangle above it. */
    double above = now > 0 ? now : end;
    return above * above / fabs(slope) / 2;
}

/* NaN while too little is known. */
static double forecast(const struct watch *watch, int64_t now_unix_s)
{
    double elapsed_h = (double)(now_unix_s - watch->from_unix_s) / (double)S_PER_HOUR;
    double left_h = (double)(watch->until_unix_s - now_unix_s) / (double)S_PER_HOUR;
    if (elapsed_h < watch->budget->forecast_after_hours)
        return NAN;
    if (watch->budget->forecast == FORECAST_TREND)
        return watch->spent_usd + along_trend(watch, left_h);
    return watch->spent_usd * (1 + left_h / elapsed_h);
}

/* --- alerts --- */

static int64_t next_update(const struct budget_config *budget, int64_t unix_s)
{
    int64_t every = llround(budget->update_hours * (double)S_PER_HOUR);
    int64_t into = unix_s - utc_day_start(unix_s);
    int64_t update = utc_day_start(unix_s) + (into + every - 1) / every * every;
    int64_t midnight = utc_day_start(unix_s) + S_PER_DAY;
    return update < midnight ? update : midnight;
}

/* Tells of every percentage that is reached and was not told of. */
static void tell(struct watch *watch, const struct config_list *percents, bool is_forecast,
                 bool *told, struct budget_alert alert, struct budget_alerts *alerts)
{
    const double *percent = percents->items;
    double usd = is_forecast ? alert.forecast_usd : alert.spent_usd;
    for (size_t i = 0; i < percents->count; i++) {
        if (told[i] || !(usd >= watch->budget->usd * percent[i] / 100))
            continue;
        told[i] = true;
        alert.percent = percent[i];
        alert.is_forecast = is_forecast;
        alerts->items[alerts->count++] = alert;
    }
}

static void watch_hour(struct watch *watch, uint32_t hour, struct budget_alerts *alerts)
{
    const struct spending *spending = watch->spending;
    int64_t start = spending->first_unix_s + hour * S_PER_HOUR, now = start + S_PER_HOUR;
    if (now > spending->end_unix_s)
        now = spending->end_unix_s;
    if (start >= watch->until_unix_s && watch->budget->period != BUDGET_RUN)
        begin_period(watch, start);
    double x = ++watch->known;
    watch->spent_usd += spending->usd[hour];
    watch->sum_x += x;
    watch->sum_xx += x * x;
    watch->sum_xy += x * spending->usd[hour];
    struct budget_alert alert = {.budget = watch->budget,
                                 .period_unix_s = watch->from_unix_s,
                                 .due_unix_s = now,
                                 .told_unix_s = next_update(watch->budget, now),
                                 .spent_usd = watch->spent_usd,
                                 .forecast_usd = forecast(watch, now)};
    tell(watch, &watch->budget->actual_percent, false, watch->told, alert, alerts);
    tell(watch, &watch->budget->forecast_percent, true,
         watch->told + watch->budget->actual_percent.count, alert, alerts);
}

static struct spending hourly_spending(const struct ledger *ledger, struct arena *arena)
{
    const struct usage *usage = ledger->usage;
    uint32_t last = 0;
    for (size_t i = 0; i < ledger->count; i++)
        last = ledger->lines[i].hour > last ? ledger->lines[i].hour : last;
    double *usd = ARENA_ARRAY(arena, last + (size_t)1, double);
    for (size_t i = 0; i < ledger->count; i++)
        usd[ledger->lines[i].hour] += (double)ledger->lines[i].nano_usd / NANO_USD_PER_USD;
    int64_t first = usage->start_unix_s + usage_ns(usage_hour_start(usage, 0)) / NS_PER_S;
    int64_t end = usage->start_unix_s + (usage_ns(usage->end) + NS_PER_S - 1) / NS_PER_S;
    int64_t metered = first + last * S_PER_HOUR + 1; /* rounding may reach past the run's end */
    return (struct spending){.first_unix_s = first,
                             .start_unix_s = usage->start_unix_s,
                             .end_unix_s = end > metered ? end : metered,
                             .usd = usd,
                             .hours = last + 1};
}

static size_t percents_of(const struct budget_config *budget)
{
    return budget->actual_percent.count + budget->forecast_percent.count;
}

/* A period of a budget is an hour or longer, so no more alerts can come than this. */
static size_t most_alerts(const struct config_list *budgets, uint32_t hours)
{
    const struct budget_config *configs = budgets->items;
    size_t most = 0;
    for (size_t i = 0; i < budgets->count; i++)
        most += percents_of(&configs[i]) *
                (configs[i].period == BUDGET_RUN ? 1 : hours / 24 + (size_t)2);
    return most;
}

static int compare_alerts(const void *a, const void *b)
{
    const struct budget_alert *left = a, *right = b;
    if (left->due_unix_s != right->due_unix_s)
        return left->due_unix_s < right->due_unix_s ? -1 : 1;
    if (left->budget != right->budget)
        return left->budget < right->budget ? -1 : 1;
    if (left->is_forecast != right->is_forecast)
        return left->is_forecast ? 1 : -1;
    return left->percent < right->percent ? -1 : left->percent > right->percent;
}

struct budget_alerts budget_alerts_find(const struct ledger *ledger,
                                        const struct config_list *budgets, struct arena *arena)
{
    struct spending spending = hourly_spending(ledger, arena);
    const struct budget_config *configs = budgets->items;
    struct budget_alerts alerts = {
        .items = ARENA_ARRAY(arena, most_alerts(budgets, spending.hours) + 1, struct budget_alert)};
    for (size_t i = 0; i < budgets->count; i++) {
        struct watch watch = {.budget = &configs[i],
                              .spending = &spending,
                              .told = ARENA_ARRAY(arena, percents_of(&configs[i]) + 1, bool)};
        begin_period(&watch, spending.start_unix_s);
        for (uint32_t hour = 0; hour < spending.hours; hour++)
            watch_hour(&watch, hour, &alerts);
    }
    if (alerts.count > 0)
        qsort(alerts.items, alerts.count, sizeof *alerts.items, compare_alerts);
    return alerts;
}
