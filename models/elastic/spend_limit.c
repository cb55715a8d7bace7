#include "models/elastic/spend_limit.h"

#include <math.h>

#define FORGIVEN 1e-9 /* of the budget */

void spend_limit_start(struct spend_limit *limit, double usd_per_hour, tick_t now)
{
    *limit = (struct spend_limit){.usd_per_hour = usd_per_hour};
    time_stat_start(&limit->rate, now, 0);
}

bool spend_limit_allows(const struct spend_limit *limit, double usd_per_hour)
{
    return limit->rate.value + usd_per_hour <= limit->usd_per_hour * (1 + FORGIVEN);
}

bool spend_limit_take(struct spend_limit *limit, double usd_per_hour, tick_t now)
{
    if (spend_limit_allows(limit, usd_per_hour)) {
        spend_limit_change(limit, 0, usd_per_hour, now);
        return true;
    }
    limit->refused++;
    limit->refused_usd_hour += usd_per_hour;
    return false;
}

void spend_limit_change(struct spend_limit *limit, double from_usd_per_hour, double to_usd_per_hour,
                        tick_t now)
{
    double rate = limit->rate.value - from_usd_per_hour + to_usd_per_hour;
    time_stat_set(&limit->rate, now, fmax(rate, 0));
}
