/* KEDA: an operator that polls triggers and takes a pool to and from zero, and the
 * HorizontalPodAutoscaler it makes, which does the rest (models/elastic/hpa.h).
 *
 * Source: kedacore/keda, pkg/scaling/executor/scale_scaledobjects.go, and "ScaledObject
 * specification" in KEDA's documentation (2.15 and later).
 *
 * A trigger is active while its value is above (not at) activation_threshold. A pool at zero with
 * an active trigger goes to the minimum, or 1; a pool without any, for cooldown_period_s after the
 * last poll that saw one, goes to zero, but only where the minimum is 0 or idle_replicas is set. In
 * between, nothing of this is asked. The HPA's own minimum is at least 1; it sees the triggers as
 * external metrics, by default with average_value: the query's value is divided by the threshold,
 * whatever it means. So a query that gives a percentage asks for ceil(100 / threshold) replicas at
 * most, and where its series vanishes with the last replica it cannot wake the pool.
 *
 * A query without a value counts as 0 (ignoreNullValues). A trigger with metric_type utilization
 * stands for KEDA's cpu and memory triggers: a resource metric of the pods, never active. */
#include <math.h>
#include <stdlib.h>

#include "models/elastic/hpa.h"

static const struct config_field trigger_fields[] = {
    SCALER_READING_FIELDS(struct keda_trigger_config, reading, NULL),
    {.name = "threshold",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct keda_trigger_config, threshold),
     .min = 0,
     .above_min = true,
     .max = 1e12,
     .doc = "what the value is divided by, or compared with"},
    {.name = "activation_threshold",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct keda_trigger_config, activation_threshold),
     .preset = "0",
     .min = 0,
     .max = 1e12,
     .doc = "value above which it wakes a pool at zero"},
    {.name = "metric_type",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct keda_trigger_config, metric_type),
     .names = hpa_target_names,
     .preset = "\"average_value\"",
     .doc = "how the HPA takes the threshold"},
    {0}};

static const struct config_type trigger_type = {.name = "keda_trigger",
                                                .doc = "A query and what it asks for",
                                                .size = sizeof(struct keda_trigger_config),
                                                .fields = trigger_fields};

static const struct config_field trigger_element = {.kind = CONFIG_OBJECT, .object = &trigger_type};

static const struct config_field keda_fields[] = {
    SCALER_INTERVAL_FIELD(struct scaler_keda_config, polling_interval_s, "30",
                          "time between polls of the triggers"),
    {.name = "cooldown_period_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_keda_config, cooldown_period_s),
     .preset = "300",
     .min = 0,
     .max = 1e7,
     .doc = "time from the last active trigger to zero replicas; applies to nothing else"},
    {.name = "initial_cooldown_period_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_keda_config, initial_cooldown_period_s),
     .preset = "0",
     .min = 0,
     .max = 1e7,
     .doc = "the same from the start, while no trigger has been active yet"},
    {.name = "idle_replicas",
     .kind = CONFIG_INT,
     .offset = offsetof(struct scaler_keda_config, idle_replicas),
     .optional = true,
     .min = 0,
     .max = 1e6,
     .doc = "replicas while no trigger is active, below min_replicas; null: min_replicas"},
    {.name = "triggers",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct scaler_keda_config, triggers),
     .element = &trigger_element,
     .min = 1,
     .doc = "queries, of which the one that asks for most wins"},
    SCALER_INTERVAL_FIELD(struct scaler_keda_config, sync_s, "15",
                          "time between decisions of the HPA"),
    {.name = "tolerance",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_keda_config, tolerance),
     .preset = "0.1",
     .min = 0,
     .max = 1,
     .doc = "tolerance of the HPA"},
    {.name = "behavior",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct scaler_keda_config, behavior),
     .object = &hpa_behavior_type,
     .optional = true,
     .doc = "behavior of the HPA; null: up to twice as many or to four, down as 300 s allow"},
    {0}};

const struct config_type scaler_keda_type = {.name = "scaler_keda",
                                             .doc = "Parameters of a KEDA ScaledObject",
                                             .size = sizeof(struct scaler_keda_config),
                                             .fields = keda_fields};

static bool check_idle(const struct scaler_keda_config *given, const struct scaler_limits *limits,
                       struct error *error)
{
    if (given->idle_replicas == INT64_MIN)
        return true;
    if (given->idle_replicas >= limits->min_replicas)
        return scaler_refuse(error, "idle_replicas", "must be below min_replicas",
                             "leave it out, and min_replicas 0 lets the pool go to zero");
    return given->idle_replicas == 0 ||
           scaler_refuse(error, "idle_replicas", "the HPA would scale idle replicas up again",
                         "0, which alone switches an HPA off");
}

static bool check_keda(const void *config, const struct scaler_limits *limits, struct error *error)
{
    const struct scaler_keda_config *given = config;
    const struct keda_trigger_config *triggers = given->triggers.items;
    bool can_wake = false;
    for (size_t i = 0; i < given->triggers.count; i++) {
        bool by_pod = triggers[i].metric_type == HPA_UTILIZATION;
        if (by_pod && triggers[i].reading.aggregate >= 0)
            return scaler_refuse_item(error, "triggers", i, "aggregate",
                                      "a utilization is always averaged over the pods",
                                      "leave it out");
        can_wake |= !by_pod;
    }
    if (limits->max_replicas == 0)
        return scaler_refuse(error, NULL, "max_replicas is 0", "KEDA's HPA needs one at least");
    bool to_zero = limits->min_replicas == 0 || given->idle_replicas == 0;
    if (to_zero && !can_wake)
        return scaler_refuse(error, "triggers", "none of them can wake the pool from zero again",
                             "a trigger with another metric_type than utilization, or replicas "
                             "that always stay");
    return check_idle(given, limits, error);
}

struct keda {
    struct scaler scaler;
    struct hpa hpa;
    struct scaler_history history;
    struct hpa_metric *metrics;
    tick_t next_poll, next_sync;
    tick_t last_active; /* -1: never */
};

static bool open_keda(struct scaler *scaler)
{
    struct keda *keda = (struct keda *)scaler;
    const struct scaler_keda_config *config = scaler->config;
    const struct keda_trigger_config *triggers = config->triggers.items;
    keda->hpa = (struct hpa){.tolerance = config->tolerance, .behavior = config->behavior};
    keda->metrics = calloc(config->triggers.count, sizeof *keda->metrics);
    /* No request can have come by time 0: a poll then would send every pool to zero. */
    keda->next_poll = tick_from_s(config->polling_interval_s);
    keda->next_sync = tick_from_s(config->sync_s);
    keda->last_active = -1;
    scaler->next = keda->next_poll < keda->next_sync ? keda->next_poll : keda->next_sync;
    double window_s = 0;
    for (size_t i = 0; i < config->triggers.count; i++)
        window_s = fmax(window_s, triggers[i].reading.window_s); /* or 0 where it is NaN */
    /* Both loops read. */
    double period_s = 1 / (1 / config->sync_s + 1 / config->polling_interval_s);
    return keda->metrics && hpa_open(&keda->hpa, config->sync_s) &&
           scaler_history_open(&keda->history, window_s, period_s);
}

static void close_keda(struct scaler *scaler)
{
    struct keda *keda = (struct keda *)scaler;
    hpa_close(&keda->hpa);
    scaler_history_close(&keda->history);
    free(keda->metrics);
}

/* --- to and from zero --- */

static double query(const struct keda *keda, const struct keda_trigger_config *trigger)
{
    double value = scaler_read(&keda->history, &trigger->reading);
    return isnan(value) ? 0 : value;
}

static bool is_active(const struct keda *keda)
{
    const struct scaler_keda_config *config = keda->scaler.config;
    const struct keda_trigger_config *triggers = config->triggers.items;
    for (size_t i = 0; i < config->triggers.count; i++)
        if (triggers[i].metric_type != HPA_UTILIZATION &&
            query(keda, &triggers[i]) > triggers[i].activation_threshold)
            return true;
    return false;
}

/* KEDA keeps the times that it compares in whole seconds, cut off, so that the poll that comes just
 * when the period ends finds it over. */
static bool has_cooled_down(const struct keda *keda, tick_t now)
{
    const struct scaler_keda_config *config = keda->scaler.config;
    if (keda->last_active < 0)
        return now >= tick_from_s(config->initial_cooldown_period_s);
    return now - keda->last_active >= tick_from_s(config->cooldown_period_s);
}

/* What the operator makes of the pool; the replicas there are where it leaves it to the HPA. */
static struct scaler_decision poll(struct keda *keda, int64_t current, tick_t now)
{
    const struct scaler_keda_config *config = keda->scaler.config;
    int64_t least = keda->scaler.limits.min_replicas;
    bool idles = config->idle_replicas != INT64_MIN;
    if (is_active(keda)) {
        keda->last_active = now;
        if (current == 0 || (idles && current < least))
            return (struct scaler_decision){keda->hpa.limits.min_replicas, "a trigger is active"};
        return (struct scaler_decision){current, "a trigger is active"};
    }
    bool can_idle = idles ? current > config->idle_replicas : current > 0 && least == 0;
    if (can_idle && has_cooled_down(keda, now))
        return (struct scaler_decision){0, "no trigger was active for the cooldown"};
    if (current < least && !idles)
        return (struct scaler_decision){least, "below min_replicas"};
    return (struct scaler_decision){current, "no trigger is active"};
}

/* --- the HPA --- */

static struct scaler_decision sync(struct keda *keda, const struct scaler_metrics *metrics,
                                   tick_t now)
{
    const struct scaler_keda_config *config = keda->scaler.config;
    const struct keda_trigger_config *triggers = config->triggers.items;
    for (size_t i = 0; i < config->triggers.count; i++) {
        const struct keda_trigger_config *trigger = &triggers[i];
        bool by_pod = trigger->metric_type == HPA_UTILIZATION;
        double value = by_pod ? scaler_read_as(&keda->history, &trigger->reading, SCALER_AVERAGE)
                              : query(keda, trigger);
        keda->metrics[i] =
            (struct hpa_metric){by_pod ? HPA_RESOURCE : HPA_EXTERNAL, trigger->metric_type,
                                trigger->threshold, by_pod && metrics->ready == 0 ? NAN : value};
    }
    return hpa_decide(&keda->hpa, keda->metrics, config->triggers.count, metrics, now);
}

/* Where both are due and the operator has acted, the HPA sees that at its next sync. */
static struct scaler_decision decide_keda(struct scaler *scaler,
                                          const struct scaler_metrics *metrics, tick_t now)
{
    struct keda *keda = (struct keda *)scaler;
    const struct scaler_keda_config *config = scaler->config;
    struct scaler_decision decision = {metrics->desired, NULL};
    keda->hpa.limits = scaler->limits;
    if (keda->hpa.limits.min_replicas < 1)
        keda->hpa.limits.min_replicas = 1;
    scaler_history_add(&keda->history, metrics, now);
    bool syncs = now >= keda->next_sync;
    if (now >= keda->next_poll) {
        keda->next_poll = now + tick_from_s(config->polling_interval_s);
        decision = poll(keda, metrics->desired, now);
    }
    if (syncs)
        keda->next_sync = now + tick_from_s(config->sync_s);
    if (syncs && decision.desired == metrics->desired)
        decision = sync(keda, metrics, now);
    scaler->next = keda->next_poll < keda->next_sync ? keda->next_poll : keda->next_sync;
    return decision;
}

const struct scaler_policy scaler_keda = {.size = sizeof(struct keda),
                                          .check = check_keda,
                                          .open = open_keda,
                                          .close = close_keda,
                                          .decide = decide_keda};
