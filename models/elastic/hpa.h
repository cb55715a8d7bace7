/* The arithmetic of Kubernetes' HorizontalPodAutoscaler, as its controller does it.
 *
 * Source: kubernetes/kubernetes, pkg/controller/podautoscaler/{horizontal,replica_calculator}.go
 * and pkg/apis/autoscaling/v2/defaults.go (1.34), and "Horizontal Pod Autoscaling" in the
 * Kubernetes documentation. At each sync
 *
 *   1. every metric proposes a count of replicas, and the largest is recommended; where one has no
 *      value, the others may scale up, but not down;
 *   2. the recommendation is stabilised: scaling down goes to the largest of the last 300 s;
 *   3. the change is limited by policies: so many pods or percent in so many seconds.
 *
 * "pods" metrics are shown by each ready pod. Pods that run without showing any count at the
 * target (scaling down) or at 0 (scaling up); those that do not run yet count at 0 in scaling up.
 * "object" and "external" metrics are one number, which an average_value divides by the pods there
 * are.
 *
 * The HPA owns its memory, allocated when it is opened. */
#ifndef TOKENYARD_MODELS_ELASTIC_HPA_H
#define TOKENYARD_MODELS_ELASTIC_HPA_H

#include "models/elastic/scaler_history.h"
#include "models/elastic/scaler_policy.h"

extern const struct config_type hpa_behavior_type;
extern const char *const hpa_target_names[];

/* Values with the time they were noted at, oldest overwritten. */
struct hpa_log {
    struct hpa_noted *ring;
    size_t capacity, count, newest;
};

struct hpa {
    struct scaler_limits limits; /* may change from one decision to the next */
    double tolerance;
    const struct hpa_behavior_config *behavior; /* NULL: none */
    struct hpa_log recommendations, changes;
};

/* false: no memory. */
bool hpa_open(struct hpa *hpa, double sync_s);
void hpa_close(struct hpa *hpa); /* also of a zeroed one */

struct hpa_metric {
    enum hpa_source source;
    enum hpa_target target_type;
    double target;
    double value; /* pods, resource: the average of the ready replicas; NaN: none */
};

struct scaler_decision hpa_decide(struct hpa *hpa, const struct hpa_metric *list, size_t count,
                                  const struct scaler_metrics *pool, tick_t now);

#endif
