/* What AWS's scaling policies have in common: CloudWatch alarms and cooldowns.
 *
 * An alarm is on while so many periods in a row, to the newest, breach its threshold. A period
 * without a value ends the row: a policy does not act on insufficient data.
 *
 * After scaling out, and until the cooldown ends, further scaling out starts from what there was
 * before, so that only what exceeds the first step is added. After scaling in, scaling in waits for
 * the end of the cooldown, and scaling out does not. While capacity that was added warms up, too,
 * nothing is taken away. Source: "Cooldown period" in the Application Auto Scaling user guide (step
 * scaling and target tracking), "instance warmup" in that of EC2 Auto Scaling. */
#ifndef TOKENYARD_MODELS_ELASTIC_SCALING_ALARM_H
#define TOKENYARD_MODELS_ELASTIC_SCALING_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/clock.h"

/* A period has passed; how many in a row have breached is in *row. Is the alarm on? */
static inline bool alarm_period(int64_t *row, int64_t periods, bool breached)
{
    *row = breached ? *row + 1 : 0;
    return *row >= periods;
}

struct scaling_cooldown {
    tick_t began, length;
    bool after_out;     /* it was scaling out that began it */
    int64_t before_out; /* replicas when it did */
};

static inline bool cooldown_lasts(const struct scaling_cooldown *cooldown, tick_t now)
{
    return now - cooldown->began < cooldown->length;
}

/* What an adjustment counts from. */
static inline int64_t cooldown_base(const struct scaling_cooldown *cooldown, int64_t current,
                                    tick_t now)
{
    return cooldown->after_out && cooldown_lasts(cooldown, now) ? cooldown->before_out : current;
}

/* A policy wants other replicas: may it have them? If so, the cooldown begins. */
static inline bool cooldown_lets(struct scaling_cooldown *cooldown, int64_t current, int64_t wanted,
                                 double cooldown_s, tick_t now)
{
    bool out = wanted > current;
    if (wanted == current || (!out && cooldown_lasts(cooldown, now)))
        return false;
    if (out)
        cooldown->before_out = cooldown_base(cooldown, current, now);
    cooldown->after_out = out;
    cooldown->began = now;
    cooldown->length = tick_from_s(cooldown_s);
    return true;
}

#endif
