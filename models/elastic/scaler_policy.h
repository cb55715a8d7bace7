/* How a scaler is written; for models/elastic/scaler*.c only.
 *
 * Who adds a policy writes a struct scaler_policy, whose state has a struct scaler as its first
 * member, and adds a row to SCALER_SIMPLE_POLICIES. */
#ifndef TOKENYARD_MODELS_ELASTIC_SCALER_POLICY_H
#define TOKENYARD_MODELS_ELASTIC_SCALER_POLICY_H

#include "models/elastic/scaler.h"
#include "models/elastic/scaler_settings.h"

#define SCALER_SIMPLE_POLICIES(ROW)                                                                \
    ROW(fixed, "as many as there are, or a given number", &scaler_fixed_type)                      \
    ROW(hpa, "Kubernetes' HorizontalPodAutoscaler", &scaler_hpa_type)                              \
    ROW(keda,                                                                                      \
        "KEDA: a HorizontalPodAutoscaler above one replica, polled triggers to and from "          \
        "zero",                                                                                    \
        &scaler_keda_type)                                                                         \
    ROW(target_tracking, "keeps a metric at a target, as AWS Application Auto Scaling does",       \
        &scaler_target_tracking_type)                                                              \
    ROW(step, "alarms with steps by how far they are exceeded, as AWS step scaling",               \
        &scaler_step_type)                                                                         \
    ROW(schedule, "bounds and replicas by weekday and time of day", &scaler_schedule_type)         \
    ROW(queue_depth, "adds and removes a few replicas by the length of the queue",                 \
        &scaler_queue_depth_type)                                                                  \
    ROW(slo, "keeps percentiles of latencies within their bounds", &scaler_slo_type)               \
    ROW(predictive, "ahead of a seasonal forecast of the load (Holt-Winters)",                     \
        &scaler_predictive_type)                                                                   \
    ROW(knative, "Knative's pod autoscaler: concurrency over a stable and a panic window",         \
        &scaler_knative_type)

#define SCALER_POLICIES(ROW)                                                                       \
    SCALER_SIMPLE_POLICIES(ROW)                                                                    \
    ROW(combine, "several policies, of which the one that asks for most wins", &scaler_combine_type)

/* A decision's `desired` of a policy that has nothing to say: others may decide. */
#define SCALER_ABSTAINS (-1)

struct scaler_policy {
    size_t size; /* of its state */
    /* NULL: nothing to check. */
    bool (*check)(const void *config, const struct scaler_limits *limits, struct error *error);
    /* Sets up what is its own (zeroed; the scaler is ready, its next is 0). false: no memory. */
    bool (*open)(struct scaler *scaler);
    void (*close)(struct scaler *scaler); /* also after an open that failed. NULL: nothing */
    /* Also says when it is next. */
    struct scaler_decision (*decide)(struct scaler *scaler, const struct scaler_metrics *metrics,
                                     tick_t now);
    /* Narrows the limits to those that it sets for now. NULL: it does not set any. */
    void (*narrow)(const struct scaler *scaler, struct scaler_limits *limits);
};

#define AS_DECLARATION(name, doc, type) extern const struct scaler_policy scaler_##name;
SCALER_POLICIES(AS_DECLARATION)
#undef AS_DECLARATION

struct scaler {
    const struct scaler_policy *policy;
    const void *config;
    struct scaler_limits limits;
    tick_t next;
};

static inline int64_t scaler_clamp(const struct scaler_limits *limits, int64_t replicas)
{
    if (replicas > limits->max_replicas)
        replicas = limits->max_replicas;
    return replicas < limits->min_replicas ? limits->min_replicas : replicas;
}

/* Its limits, as narrowed by what it sets for now. */
struct scaler_limits scaler_limits_now(const struct scaler *scaler);

/* The nearest whole number of replicas from above, for any value that is not NaN. */
int64_t scaler_ceil(double replicas);

/* Refuses the member `key` (NULL: all of the settings), or that of an element of a list. Returns
 * false. */
bool scaler_refuse(struct error *error, const char *key, const char *message, const char *hint);
bool scaler_refuse_item(struct error *error, const char *list, size_t index, const char *key,
                        const char *message, const char *hint);

#endif
