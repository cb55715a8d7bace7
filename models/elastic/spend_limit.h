/* A hard hourly budget: the sum of the hourly prices of all that is billed, or on its way to be,
 * never passes it at any instant. So no hour, wherever it begins, costs more than the budget.
 *
 * Whoever wants to rent asks first; what is rented holds its price until the last second that it
 * is billed for, minimums included. Where prices are about to rise, the owner gives back until the
 * new ones are allowed. A budget of INFINITY refuses nothing, and still counts. */
#ifndef TOKENYARD_MODELS_ELASTIC_SPEND_LIMIT_H
#define TOKENYARD_MODELS_ELASTIC_SPEND_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/time_stat.h"

struct spend_limit {
    double usd_per_hour;     /* INFINITY: none */
    struct time_stat rate;   /* USD per hour that is held */
    uint64_t refused;        /* times that somebody asked in vain */
    double refused_usd_hour; /* sum of the hourly prices that were asked for then */
    uint64_t shed;           /* nodes given back because prices rose; counted by the owner */
};

void spend_limit_start(struct spend_limit *limit, double usd_per_hour, tick_t now);

/* May something of that price be added? Sums of many prices round: a thousand-millionth of the
 * budget is forgiven. */
bool spend_limit_allows(const struct spend_limit *limit, double usd_per_hour);

/* As above; holds the price when it may, and counts the refusal when not. */
bool spend_limit_take(struct spend_limit *limit, double usd_per_hour, tick_t now);

/* The price of something that is held changes, also to or from 0, allowed or not. */
void spend_limit_change(struct spend_limit *limit, double from_usd_per_hour, double to_usd_per_hour,
                        tick_t now);

#endif
