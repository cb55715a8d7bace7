/* What a machine of one's own costs by the hour: purchase spread over its life, money that is bound
 * in it, its place, its electricity, its upkeep.
 *
 * The result is the cost of each hour of the calendar, used or not; what an hour of use costs is
 * that over the utilisation. Pure arithmetic. */
#ifndef TOKENYARD_MODELS_MONEY_OWNED_H
#define TOKENYARD_MODELS_MONEY_OWNED_H

#include "sim/config.h"
#include "workloads/place.h"

enum owned_method {
    OWNED_STRAIGHT_LINE, /* the loss of value in equal parts, interest on the mean book value */
    OWNED_ANNUITY        /* equal yearly payments with the same present value (capital recovery) */
};

struct owned_settings {
    int method;             /* enum owned_method */
    double capex_usd;       /* of one node: server, its share of network and storage */
    double residual_share;  /* of capex_usd, that it is sold for at the end */
    double years;           /* in use */
    double cost_of_capital; /* share per year */
    double upkeep_share;    /* of capex_usd per year: support, repair, staff */
    double busy_w, idle_w;  /* of the whole node, as its plugs see it; idle NaN: as busy */
    double max_w;           /* power that is contracted for one node; NaN: as busy */
    double utilisation;     /* share of the time in which the node computes */
    double pue;             /* building over computers */
    double usd_per_kwh;     /* of electricity */
    double colocation_usd_per_kw_month; /* of max_w, without electricity */
};

extern const struct config_type owned_config_type; /* struct owned_settings */

/* place: of the settings themselves. */
bool owned_check(const struct owned_settings *settings, const struct place *place,
                 struct error *error);

/* USD per node and hour of the calendar: 8,766 in a year. */
struct owned_cost {
    double capital_usd_h;  /* loss of value */
    double interest_usd_h; /* on what is bound in it */
    double colocation_usd_h;
    double electricity_usd_h;
    double upkeep_usd_h;
    double total_usd_h;
    double used_usd_h; /* total over utilisation: of an hour in which it computes */
};

struct owned_cost owned_cost_of(const struct owned_settings *settings);

#endif
