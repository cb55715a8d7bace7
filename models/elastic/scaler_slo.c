/* Keeps percentiles of latencies (or the share of missed SLOs) within their bounds.
 *
 * The pressure is the worst of value / bound. Above 1, replicas grow by what the pressure is above
 * the share of the bound that is aimed at, but by no more than max_growth at once: latency rises
 * faster than load, so that the proportion asks for enough, and far too much once queues are long.
 * Below scale_in_below, one replica goes at a time, since how latency will answer is not known.
 * In between nothing changes. Cooldowns are those of models/elastic/scaling_alarm.h.
 *
 * Without any value (nothing ended in the window) an idle pool counts as without pressure, and one
 * with requests is left alone; requests that find no replica ask for one. */
#include <math.h>

#include "models/elastic/scaler_history.h"
#include "models/elastic/scaler_policy.h"
#include "models/elastic/scaling_alarm.h"

static const struct config_field objective_fields[] = {
    SCALER_READING_FIELDS(struct slo_objective_config, reading, NULL),
    {.name = "bound",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct slo_objective_config, bound),
     .min = 0,
     .above_min = true,
     .max = 1e7,
     .doc = "bound that the value must not exceed"},
    {0}};

static const struct config_type objective_type = {.name = "slo_objective",
                                                  .doc = "A latency, or a share of misses, and "
                                                         "its bound",
                                                  .size = sizeof(struct slo_objective_config),
                                                  .fields = objective_fields};

static const struct config_field objective_element = {.kind = CONFIG_OBJECT,
                                                      .object = &objective_type};

static const struct config_field slo_fields[] = {
    SCALER_INTERVAL_FIELD(struct scaler_slo_config, sync_s, "30", "time between decisions"),
    {.name = "objectives",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct scaler_slo_config, objectives),
     .element = &objective_element,
     .min = 1,
     .doc = "what is to be kept; the worst counts"},
    {.name = "aim",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_slo_config, aim),
     .preset = "0.8",
     .min = 0,
     .above_min = true,
     .max = 1,
     .doc = "share of the bound that scaling out aims at"},
    {.name = "scale_in_below",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_slo_config, scale_in_below),
     .preset = "0.5",
     .min = 0,
     .max = 1,
     .doc = "share of the bound, below which a replica is removed"},
    {.name = "max_growth",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_slo_config, max_growth),
     .preset = "2",
     .min = 1,
     .max = 1e6,
     .doc = "factor by which a pool grows at most at once"},
    SCALER_COOLDOWN_FIELDS(struct scaler_slo_config, "300", "300"),
    {0}};

const struct config_type scaler_slo_type = {.name = "scaler_slo",
                                            .doc = "Parameters of scaling by latency",
                                            .size = sizeof(struct scaler_slo_config),
                                            .fields = slo_fields};

static bool check_slo(const void *config, const struct scaler_limits *limits, struct error *error)
{
    (void)limits;
    const struct scaler_slo_config *given = config;
    const struct slo_objective_config *objectives = given->objectives.items;
    for (size_t i = 0; i < given->objectives.count; i++)
        if (objectives[i].reading.metric < SCALER_TTFT_S)
            return scaler_refuse_item(error, "objectives", i, "metric",
                                      "is neither a latency nor a share of misses",
                                      "ttft_s, tpot_s, e2e_s or slo_missed_percent");
    return given->scale_in_below < given->aim ||
           scaler_refuse(error, "scale_in_below",
                         "a pool that has just reached its aim would "
                         "be scaled in again",
                         "below aim");
}

struct slo_scaler {
    struct scaler scaler;
    struct scaler_history history;
    struct scaling_cooldown cooldown;
};

static bool open_slo(struct scaler *scaler)
{
    const struct scaler_slo_config *config = scaler->config;
    const struct slo_objective_config *objectives = config->objectives.items;
    double window_s = 0;
    for (size_t i = 0; i < config->objectives.count; i++)
        window_s = fmax(window_s, objectives[i].reading.window_s); /* or 0 where it is NaN */
    scaler->next = tick_from_s(config->sync_s);
    return scaler_history_open(&((struct slo_scaler *)scaler)->history, window_s, config->sync_s);
}

static void close_slo(struct scaler *scaler)
{
    scaler_history_close(&((struct slo_scaler *)scaler)->history);
}

/* The worst of value / bound; NaN where there is no value. */
static double pressure_of(const struct slo_scaler *state)
{
    const struct scaler_slo_config *config = state->scaler.config;
    const struct slo_objective_config *objectives = config->objectives.items;
    double worst = NAN;
    for (size_t i = 0; i < config->objectives.count; i++) {
        double value = scaler_read(&state->history, &objectives[i].reading);
        worst = fmax(worst, value / objectives[i].bound); /* the other, where one is NaN */
    }
    return worst;
}

static int64_t wanted_replicas(const struct slo_scaler *state, const struct scaler_metrics *metrics,
                               tick_t now)
{
    const struct scaler_slo_config *config = state->scaler.config;
    int64_t current = metrics->desired;
    uint64_t outstanding = metrics->held + metrics->waiting + metrics->running;
    double pressure = pressure_of(state);
    if (current == 0)
        return outstanding > 0 ? 1 : 0;
    if (isnan(pressure) && outstanding > 0)
        return current;
    if (isnan(pressure) || pressure < config->scale_in_below)
        return current - 1;
    if (pressure <= 1)
        return current;
    double growth = fmin(pressure / config->aim, config->max_growth);
    int64_t base = cooldown_base(&state->cooldown, current, now);
    int64_t wanted = scaler_ceil((double)base * growth);
    return wanted > current ? wanted : current;
}

static struct scaler_decision decide_slo(struct scaler *scaler,
                                         const struct scaler_metrics *metrics, tick_t now)
{
    struct slo_scaler *state = (struct slo_scaler *)scaler;
    const struct scaler_slo_config *config = scaler->config;
    int64_t current = metrics->desired;
    scaler->next = now + tick_from_s(config->sync_s);
    scaler_history_add(&state->history, metrics, now);
    int64_t wanted = scaler_clamp(&scaler->limits, wanted_replicas(state, metrics, now));
    if (wanted == current)
        return (struct scaler_decision){current, "latencies neither bad nor very good"};
    bool out = wanted > current;
    double cooldown_s = out ? config->scale_out_cooldown_s : config->scale_in_cooldown_s;
    if (!cooldown_lets(&state->cooldown, current, wanted, cooldown_s, now))
        return (struct scaler_decision){current, "cooling down"};
    return (struct scaler_decision){wanted, out ? "latencies out of bounds"
                                                : "latencies far within bounds"};
}

const struct scaler_policy scaler_slo = {.size = sizeof(struct slo_scaler),
                                         .check = check_slo,
                                         .open = open_slo,
                                         .close = close_slo,
                                         .decide = decide_slo};
