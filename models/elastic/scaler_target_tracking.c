/* AWS target tracking: two alarms around a target, and capacity in proportion to the metric.
 *
 * Source: "Target tracking scaling policies" in the user guides of Application Auto Scaling, ECS
 * and EC2 Auto Scaling. The alarms are those that AWS makes: above the target for 3 periods of a
 * minute; below 90 % of it (as for ECS) for 15 periods. While one is on, each period asks for
 *
 *   ceil(replicas x metric / target)
 *
 * rounded up, so that too little is never left. The cooldown defaults are those of ECS services and
 * SageMaker endpoints, 300 s. A metric that is absent changes nothing; so a pool at zero replicas,
 * which has nothing to multiply, stays there. */
#include <math.h>

#include "models/elastic/scaler_history.h"
#include "models/elastic/scaler_policy.h"
#include "models/elastic/scaling_alarm.h"

static const struct config_field target_tracking_fields[] = {
    SCALER_READING_FIELDS(struct scaler_target_tracking_config, reading, NULL),
    {.name = "target",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_target_tracking_config, target),
     .min = 0,
     .above_min = true,
     .max = 1e12,
     .doc = "value to keep the metric at; it must fall when replicas are added"},
    SCALER_INTERVAL_FIELD(struct scaler_target_tracking_config, period_s, "60",
                          "length of the alarms' periods"),
    {.name = "out_periods",
     .kind = CONFIG_INT,
     .offset = offsetof(struct scaler_target_tracking_config, out_periods),
     .preset = "3",
     .min = 1,
     .max = 1440,
     .doc = "periods above the target before scaling out"},
    {.name = "in_periods",
     .kind = CONFIG_INT,
     .offset = offsetof(struct scaler_target_tracking_config, in_periods),
     .preset = "15",
     .min = 1,
     .max = 1440,
     .doc = "periods well below the target before scaling in"},
    {.name = "scale_in_share",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_target_tracking_config, scale_in_share),
     .preset = "0.9",
     .min = 0,
     .max = 1,
     .doc = "share of the target that counts as well below it"},
    SCALER_COOLDOWN_FIELDS(struct scaler_target_tracking_config, "300", "300"),
    {.name = "disable_scale_in",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct scaler_target_tracking_config, disable_scale_in),
     .preset = "false",
     .doc = "only ever adds replicas"},
    {0}};

const struct config_type scaler_target_tracking_type = {
    .name = "scaler_target_tracking",
    .doc = "Parameters of AWS target tracking",
    .size = sizeof(struct scaler_target_tracking_config),
    .fields = target_tracking_fields};

struct target_tracking {
    struct scaler scaler;
    struct scaler_history history;
    int64_t high_row, low_row;
    struct scaling_cooldown cooldown;
};

static bool open_target_tracking(struct scaler *scaler)
{
    struct target_tracking *tracking = (struct target_tracking *)scaler;
    const struct scaler_target_tracking_config *config = scaler->config;
    scaler->next = tick_from_s(config->period_s);
    return scaler_history_open(&tracking->history, fmax(0, config->reading.window_s),
                               config->period_s);
}

static void close_target_tracking(struct scaler *scaler)
{
    scaler_history_close(&((struct target_tracking *)scaler)->history);
}

/* The wanted replicas, if they lie in the direction of the alarm and the cooldown lets them be. */
static bool adjust(struct target_tracking *tracking, int64_t current, double ratio, bool out,
                   tick_t now, int64_t *wanted)
{
    const struct scaler_target_tracking_config *config = tracking->scaler.config;
    int64_t base = out ? cooldown_base(&tracking->cooldown, current, now) : current;
    *wanted = scaler_clamp(&tracking->scaler.limits, scaler_ceil((double)base * ratio));
    if (out ? *wanted <= current : *wanted >= current)
        return false;
    double cooldown_s = out ? config->scale_out_cooldown_s : config->scale_in_cooldown_s;
    return cooldown_lets(&tracking->cooldown, current, *wanted, cooldown_s, now);
}

static struct scaler_decision
decide_target_tracking(struct scaler *scaler, const struct scaler_metrics *metrics, tick_t now)
{
    struct target_tracking *tracking = (struct target_tracking *)scaler;
    const struct scaler_target_tracking_config *config = scaler->config;
    int64_t current = metrics->desired, wanted;
    scaler->next = now + tick_from_s(config->period_s);
    scaler_history_add(&tracking->history, metrics, now);
    /* NaN, where the metric is absent, compares as false. */
    double ratio = scaler_read(&tracking->history, &config->reading) / config->target;
    bool high = alarm_period(&tracking->high_row, config->out_periods, ratio > 1);
    bool low = alarm_period(&tracking->low_row, config->in_periods, ratio < config->scale_in_share);
    if (high && adjust(tracking, current, ratio, true, now, &wanted))
        return (struct scaler_decision){wanted, "metric above target"};
    if (config->disable_scale_in)
        return (struct scaler_decision){SCALER_ABSTAINS, "does not scale in"};
    if (low && adjust(tracking, current, ratio, false, now, &wanted))
        return (struct scaler_decision){wanted, "metric well below target"};
    return (struct scaler_decision){scaler_clamp(&scaler->limits, current),
                                    high || low ? "cooling down" : "no alarm"};
}

const struct scaler_policy scaler_target_tracking = {.size = sizeof(struct target_tracking),
                                                     .open = open_target_tracking,
                                                     .close = close_target_tracking,
                                                     .decide = decide_target_tracking};
