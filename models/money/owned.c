/* Where the defaults come from. Years: the big clouds write servers off over 5 (Amazon, some since
 * 2025), 5.5 (Meta) and 6 years (Google, Microsoft), by their annual reports (high). Colocation:
 * 184.06 USD per kW and month, asked for 250 to 500 kW in North America's primary markets at the
 * end of 2024, electricity apart (CBRE, "North America Data Center Trends H2 2024"; high).
 * Electricity: 8.15 cents, average of industry in the United States in 2024 (EIA, Electric Power
 * Monthly; medium, from memory). PUE: 1.56, average of Uptime Institute's survey of 2024 (medium:
 * new sites are better). Cost of capital 8 % and upkeep 5 % a year: usual in such sums (low). */
#include "models/money/owned.h"

#include <math.h>

#define HOURS_PER_YEAR  8766.0 /* of 365.25 days */
#define HOURS_PER_MONTH (HOURS_PER_YEAR / 12)
#define W_PER_KW        1000.0

static const char *const method_names[] = {"straight_line", "annuity", NULL};

#define NUMBER(member, least, most, text)                                                          \
    .name = #member, .kind = CONFIG_NUMBER, .offset = offsetof(struct owned_settings, member),     \
    .doc = text, .min = least, .max = most

static const struct config_field fields[] = {
    {.name = "method",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct owned_settings, method),
     .names = method_names,
     .preset = "\"straight_line\"",
     .doc = "straight_line: interest on the mean book value; annuity: equal yearly payments"},
    {NUMBER(capex_usd, 0, 1e9, "price of one node with its share of network and storage")},
    {NUMBER(residual_share, 0, 1, "of capex_usd that it is sold for at the end"), .preset = "0"},
    {NUMBER(years, 0, 50, "in use"), .above_min = true, .preset = "5"},
    {NUMBER(cost_of_capital, 0, 1, "share of the money bound, per year"), .preset = "0.08"},
    {NUMBER(upkeep_share, 0, 1, "of capex_usd per year: support, repair, staff"), .preset = "0.05"},
    {NUMBER(busy_w, 0, 1e6, "power of one node that computes, at its plugs")},
    {NUMBER(idle_w, 0, 1e6, "of one that does not; null: the same"), .optional = true},
    {NUMBER(max_w, 0, 1e6, "contracted for one node; null: busy_w"), .optional = true},
    {NUMBER(utilisation, 0, 1, "share of the time in which it computes"), .above_min = true,
     .preset = "1"},
    {NUMBER(pue, 1, 10, "energy of the whole building over that of its computers"),
     .preset = "1.56"},
    {NUMBER(usd_per_kwh, 0, 100, "price of electricity"), .preset = "0.0815"},
    {NUMBER(colocation_usd_per_kw_month, 0, 1e5, "of the power contracted, without electricity"),
     .preset = "184.06"},
    {0}};

const struct config_type owned_config_type = {
    .name = "owned_hardware",
    .doc = "What a machine of one's own costs",
    .size = sizeof(struct owned_settings),
    .fields = fields,
};

static bool check_not_less(const struct place *place, const char *key, double is_w, double least_w,
                           struct error *error)
{
    if (isnan(is_w) || isnan(least_w) || is_w >= least_w)
        return true;
    struct place at = place_key(place, key);
    return place_error(&at, error, "%s %g is less than what it must cover, %g W", key, is_w,
                       least_w);
}

bool owned_check(const struct owned_settings *settings, const struct place *place,
                 struct error *error)
{
    return check_not_less(place, "busy_w", settings->busy_w, settings->idle_w, error) &&
           check_not_less(place, "max_w", settings->max_w, settings->busy_w, error);
}

static double residual_usd(const struct owned_settings *settings)
{
    return settings->capex_usd * settings->residual_share;
}

static double straight_line_interest_usd_year(const struct owned_settings *settings)
{
    double mean_book_usd = (settings->capex_usd + residual_usd(settings)) / 2;
    return settings->cost_of_capital * mean_book_usd;
}

/* What the yearly payment (C - R v^n) r / (1 - v^n), v = 1 / (1 + r), exceeds the loss of value
 * by. */
static double annuity_interest_usd_year(const struct owned_settings *settings, double loss_usd_year)
{
    double rate = settings->cost_of_capital;
    if (rate == 0)
        return 0;
    double discount = pow(1 + rate, -settings->years);
    double present_usd = settings->capex_usd - residual_usd(settings) * discount;
    return present_usd * rate / (1 - discount) - loss_usd_year;
}

static double colocation_usd_h(const struct owned_settings *settings)
{
    double max_w = isnan(settings->max_w) ? settings->busy_w : settings->max_w;
    return max_w / W_PER_KW * settings->colocation_usd_per_kw_month / HOURS_PER_MONTH;
}

static double electricity_usd_h(const struct owned_settings *settings)
{
    double idle_w = isnan(settings->idle_w) ? settings->busy_w : settings->idle_w;
    double mean_w = idle_w + (settings->busy_w - idle_w) * settings->utilisation;
    return mean_w / W_PER_KW * settings->pue * settings->usd_per_kwh;
}

struct owned_cost owned_cost_of(const struct owned_settings *settings)
{
    double loss_usd_year = (settings->capex_usd - residual_usd(settings)) / settings->years;
    double interest_usd_year = settings->method == OWNED_ANNUITY
                                   ? annuity_interest_usd_year(settings, loss_usd_year)
                                   : straight_line_interest_usd_year(settings);
    struct owned_cost cost = {
        .capital_usd_h = loss_usd_year / HOURS_PER_YEAR,
        .interest_usd_h = interest_usd_year / HOURS_PER_YEAR,
        .colocation_usd_h = colocation_usd_h(settings),
        .electricity_usd_h = electricity_usd_h(settings),
        .upkeep_usd_h = settings->capex_usd * settings->upkeep_share / HOURS_PER_YEAR,
    };
    cost.total_usd_h = cost.capital_usd_h + cost.interest_usd_h + cost.colocation_usd_h +
                       cost.electricity_usd_h + cost.upkeep_usd_h;
    cost.used_usd_h = cost.total_usd_h / settings->utilisation;
    return cost;
}
