/* A quantity that is constant between changes: its time integral, mean and maximum. */
#ifndef TOKENYARD_SIM_TIME_STAT_H
#define TOKENYARD_SIM_TIME_STAT_H

#include "sim/clock.h"

struct time_stat {
    tick_t start;      /* when observation began */
    tick_t changed;    /* when value last changed */
    double value;      /* since then */
    double integral_s; /* of value over [start, changed], in value * seconds */
    double max;
};

static inline void time_stat_start(struct time_stat *stat, tick_t now, double value)
{
    *stat = (struct time_stat){.start = now, .changed = now, .value = value, .max = value};
}

/* now must not be before the last change. */
static inline void time_stat_set(struct time_stat *stat, tick_t now, double value)
{
    stat->integral_s += stat->value * tick_to_s(now - stat->changed);
    stat->changed = now;
    stat->value = value;
    if (value > stat->max)
        stat->max = value;
}

/* Mean over [start, now]; the current value when no time has passed. */
static inline double time_stat_mean(const struct time_stat *stat, tick_t now)
{
    if (now <= stat->start)
        return stat->value;
    double integral_s = stat->integral_s + stat->value * tick_to_s(now - stat->changed);
    return integral_s / tick_to_s(now - stat->start);
}

#endif
