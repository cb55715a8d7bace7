/* A HorizontalPodAutoscaler over some metrics (models/elastic/hpa.h).
 *
 * Defaults: --horizontal-pod-autoscaler-sync-period 15 s and --horizontal-pod-autoscaler-tolerance
 * 0.1 of kube-controller-manager. Scaling to zero needs the feature gate HPAScaleToZero, and a
 * metric that is there without pods. */
#include <math.h>
#include <stdlib.h>

#include "models/elastic/hpa.h"

static const char *const source_names[] = {"pods", "resource", "object", "external", NULL};

static const struct config_field metric_fields[] = {
    SCALER_READING_FIELDS(struct hpa_metric_config, reading, NULL),
    {.name = "source",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct hpa_metric_config, source),
     .names = source_names,
     .preset = "\"pods\"",
     .doc = "who shows it: each pod, or one object or external system for all"},
    {.name = "target_type",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct hpa_metric_config, target_type),
     .names = hpa_target_names,
     .preset = "\"average_value\"",
     .doc = "what the target is compared with"},
    {.name = "target",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct hpa_metric_config, target),
     .min = 0,
     .above_min = true,
     .max = 1e12,
     .doc = "value to keep"},
    {0}};

static const struct config_type metric_type = {.name = "hpa_metric",
                                               .doc = "A metric and its target",
                                               .size = sizeof(struct hpa_metric_config),
                                               .fields = metric_fields};

static const struct config_field metric_element = {.kind = CONFIG_OBJECT, .object = &metric_type};

static const struct config_field hpa_fields[] = {
    SCALER_INTERVAL_FIELD(struct scaler_hpa_config, sync_s, "15", "time between decisions"),
    {.name = "tolerance",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_hpa_config, tolerance),
     .preset = "0.1",
     .min = 0,
     .max = 1,
     .doc = "distance of value / target from 1 within which nothing changes"},
    {.name = "metrics",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct scaler_hpa_config, metrics),
     .element = &metric_element,
     .min = 1,
     .doc = "metrics, of which the one that proposes most wins"},
    {.name = "behavior",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct scaler_hpa_config, behavior),
     .object = &hpa_behavior_type,
     .optional = true,
     .doc = "how fast it scales; null: up to twice as many or to four, down as 300 s allow"},
    {.name = "scale_to_zero",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct scaler_hpa_config, scale_to_zero),
     .preset = "false",
     .doc = "the feature gate HPAScaleToZero, which min_replicas 0 needs"},
    {0}};

const struct config_type scaler_hpa_type = {.name = "scaler_hpa",
                                            .doc = "Parameters of a HorizontalPodAutoscaler",
                                            .size = sizeof(struct scaler_hpa_config),
                                            .fields = hpa_fields};

static bool check_metric(const struct hpa_metric_config *metric, size_t index, struct error *error)
{
    bool by_pod = metric->source == HPA_PODS || metric->source == HPA_RESOURCE;
    if (metric->source == HPA_PODS && metric->target_type != HPA_AVERAGE_VALUE)
        return scaler_refuse_item(error, "metrics", index, "target_type",
                                  "what pods show can only be averaged",
                                  "target_type average_value, or source object or external");
    if (metric->source == HPA_RESOURCE && metric->target_type == HPA_VALUE)
        return scaler_refuse_item(error, "metrics", index, "target_type",
                                  "a resource has no single value",
                                  "target_type utilization or average_value");
    if (!by_pod && metric->target_type == HPA_UTILIZATION)
        return scaler_refuse_item(error, "metrics", index, "target_type",
                                  "only a resource has a utilization",
                                  "source resource, or target_type value or average_value");
    if (by_pod && metric->reading.aggregate >= 0)
        return scaler_refuse_item(error, "metrics", index, "aggregate",
                                  "what pods show is always averaged over them",
                                  "leave it out, or use source object or external");
    return true;
}

static bool check_hpa(const void *config, const struct scaler_limits *limits, struct error *error)
{
    const struct scaler_hpa_config *given = config;
    const struct hpa_metric_config *metrics = given->metrics.items;
    bool without_pods = false;
    for (size_t i = 0; i < given->metrics.count; i++) {
        if (!check_metric(&metrics[i], i, error))
            return false;
        without_pods |= metrics[i].source == HPA_OBJECT || metrics[i].source == HPA_EXTERNAL;
    }
    if (limits->min_replicas > 0)
        return true;
    if (!given->scale_to_zero)
        return scaler_refuse(error, "scale_to_zero",
                             "min_replicas is 0, but this HPA does not scale to zero",
                             "true, for a cluster with the feature gate HPAScaleToZero");
    return without_pods ||
           scaler_refuse(error, "metrics", "at zero replicas none of the metrics is there",
                         "to scale to zero takes one of source object or external");
}

struct hpa_scaler {
    struct scaler scaler;
    struct hpa hpa;
    struct scaler_history history;
    struct hpa_metric *metrics;
};

static bool open_hpa(struct scaler *scaler)
{
    struct hpa_scaler *state = (struct hpa_scaler *)scaler;
    const struct scaler_hpa_config *config = scaler->config;
    state->hpa = (struct hpa){.tolerance = config->tolerance, .behavior = config->behavior};
    state->metrics = calloc(config->metrics.count, sizeof *state->metrics);
    scaler->next = tick_from_s(config->sync_s);
    const struct hpa_metric_config *given = config->metrics.items;
    double window_s = 0;
    for (size_t i = 0; i < config->metrics.count; i++)
        window_s = fmax(window_s, given[i].reading.window_s); /* or 0 where it is NaN */
    return state->metrics && hpa_open(&state->hpa, config->sync_s) &&
           scaler_history_open(&state->history, window_s, config->sync_s);
}

static void close_hpa(struct scaler *scaler)
{
    struct hpa_scaler *state = (struct hpa_scaler *)scaler;
    hpa_close(&state->hpa);
    scaler_history_close(&state->history);
    free(state->metrics);
}

static struct hpa_metric read_metric(const struct scaler_history *history,
                                     const struct hpa_metric_config *config, bool any_ready)
{
    bool by_pod = config->source == HPA_PODS || config->source == HPA_RESOURCE;
    double value = by_pod ? scaler_read_as(history, &config->reading, SCALER_AVERAGE)
                          : scaler_read(history, &config->reading);
    return (struct hpa_metric){config->source, config->target_type, config->target,
                               by_pod && !any_ready ? NAN : value};
}

static struct scaler_decision decide_hpa(struct scaler *scaler,
                                         const struct scaler_metrics *metrics, tick_t now)
{
    struct hpa_scaler *state = (struct hpa_scaler *)scaler;
    const struct scaler_hpa_config *config = scaler->config;
    const struct hpa_metric_config *given = config->metrics.items;
    scaler->next = now + tick_from_s(config->sync_s);
    scaler_history_add(&state->history, metrics, now);
    for (size_t i = 0; i < config->metrics.count; i++)
        state->metrics[i] = read_metric(&state->history, &given[i], metrics->ready > 0);
    state->hpa.limits = scaler->limits;
    return hpa_decide(&state->hpa, state->metrics, config->metrics.count, metrics, now);
}

const struct scaler_policy scaler_hpa = {.size = sizeof(struct hpa_scaler),
                                         .check = check_hpa,
                                         .open = open_hpa,
                                         .close = close_hpa,
                                         .decide = decide_hpa};
