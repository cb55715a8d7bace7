/* A controller of the kind that people write by hand: a few replicas more when the queue is long,
 * one less when it is short and answers are fast; and, if asked for, no fewer than the queue
 * divided by a target. Cooldowns are those of models/elastic/scaling_alarm.h. */
#include <math.h>

#include "models/elastic/scaler_history.h"
#include "models/elastic/scaler_policy.h"
#include "models/elastic/scaling_alarm.h"

static const char *const latency_names[] = {"ttft_s", "tpot_s", "e2e_s", NULL};

static const struct config_field queue_depth_fields[] = {
    SCALER_INTERVAL_FIELD(struct scaler_queue_depth_config, sync_s, "60", "time between decisions"),
    {.name = "target",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_queue_depth_config, target),
     .optional = true,
     .min = 0,
     .above_min = true,
     .max = 1e12,
     .doc = "waiting requests per replica, above which replicas are added; null: not asked"},
    {.name = "high",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_queue_depth_config, high),
     .preset = "50",
     .min = 0,
     .max = 1e12,
     .doc = "waiting requests, above which replicas are added"},
    {.name = "low",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_queue_depth_config, low),
     .preset = "5",
     .min = 0,
     .max = 1e12,
     .doc = "waiting requests, below which replicas are removed"},
    {.name = "add",
     .kind = CONFIG_INT,
     .offset = offsetof(struct scaler_queue_depth_config, add),
     .preset = "2",
     .min = 1,
     .max = 1e6,
     .doc = "replicas added at once"},
    {.name = "remove",
     .kind = CONFIG_INT,
     .offset = offsetof(struct scaler_queue_depth_config, remove),
     .preset = "1",
     .min = 1,
     .max = 1e6,
     .doc = "replicas removed at once"},
    {.name = "latency",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct scaler_queue_depth_config, latency_metric),
     .names = latency_names,
     .preset = "\"e2e_s\"",
     .doc = "latency that latency_below_s is about"},
    {.name = "latency_percentile",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_queue_depth_config, latency_percentile),
     .preset = "50",
     .min = 0,
     .max = 100,
     .doc = "percentile of the latency since the decision before"},
    {.name = "latency_below_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_queue_depth_config, latency_below_s),
     .optional = true,
     .min = 0,
     .max = 1e7,
     .doc = "replicas are removed only while the latency is below; null: whatever it is"},
    SCALER_COOLDOWN_FIELDS(struct scaler_queue_depth_config, "300", "900"),
    {0}};

const struct config_type scaler_queue_depth_type = {.name = "scaler_queue_depth",
                                                    .doc = "Parameters of scaling by the queue",
                                                    .size =
                                                        sizeof(struct scaler_queue_depth_config),
                                                    .fields = queue_depth_fields};

static bool check_queue_depth(const void *config, const struct scaler_limits *limits,
                              struct error *error)
{
    (void)limits;
    const struct scaler_queue_depth_config *given = config;
    return given->low <= given->high ||
           scaler_refuse(error, "low", "is above high: one queue would add and remove replicas",
                         "at most high");
}

struct queue_depth {
    struct scaler scaler;
    struct scaler_history history;
    struct scaling_cooldown cooldown;
};

static bool open_queue_depth(struct scaler *scaler)
{
    const struct scaler_queue_depth_config *config = scaler->config;
    scaler->next = tick_from_s(config->sync_s);
    return scaler_history_open(&((struct queue_depth *)scaler)->history, 0, config->sync_s);
}

static void close_queue_depth(struct scaler *scaler)
{
    scaler_history_close(&((struct queue_depth *)scaler)->history);
}

/* No answer at all is not a slow one. */
static bool is_fast(const struct queue_depth *state, const struct scaler_queue_depth_config *config)
{
    struct scaler_reading latency = {.metric = SCALER_TTFT_S + config->latency_metric,
                                     .aggregate = -1,
                                     .percentile = config->latency_percentile,
                                     .window_s = NAN};
    return !(scaler_read(&state->history, &latency) >= config->latency_below_s);
}

static int64_t wanted_replicas(const struct queue_depth *state, int64_t current, double waiting,
                               tick_t now)
{
    const struct scaler_queue_depth_config *config = state->scaler.config;
    int64_t wanted = current;
    if (waiting > config->high) {
        int64_t added = cooldown_base(&state->cooldown, current, now) + config->add;
        wanted = added > wanted ? added : wanted;
    }
    int64_t by_target = isnan(config->target) ? 0 : scaler_ceil(waiting / config->target);
    wanted = by_target > wanted ? by_target : wanted;
    if (wanted == current && waiting < config->low && by_target < current && is_fast(state, config))
        wanted = current - config->remove;
    return scaler_clamp(&state->scaler.limits, wanted);
}

static struct scaler_decision decide_queue_depth(struct scaler *scaler,
                                                 const struct scaler_metrics *metrics, tick_t now)
{
    struct queue_depth *state = (struct queue_depth *)scaler;
    const struct scaler_queue_depth_config *config = scaler->config;
    int64_t current = metrics->desired;
    scaler->next = now + tick_from_s(config->sync_s);
    scaler_history_add(&state->history, metrics, now);
    double waiting = (double)(metrics->held + metrics->waiting);
    int64_t wanted = wanted_replicas(state, current, waiting, now);
    if (wanted == current)
        return (struct scaler_decision){current, "queue neither long nor short"};
    bool out = wanted > current;
    double cooldown_s = out ? config->scale_out_cooldown_s : config->scale_in_cooldown_s;
    if (!cooldown_lets(&state->cooldown, current, wanted, cooldown_s, now))
        return (struct scaler_decision){current, "cooling down"};
    return (struct scaler_decision){wanted, out ? "long queue" : "short queue"};
}

const struct scaler_policy scaler_queue_depth = {.size = sizeof(struct queue_depth),
                                                 .check = check_queue_depth,
                                                 .open = open_queue_depth,
                                                 .close = close_queue_depth,
                                                 .decide = decide_queue_depth};
