/* Proposals by metric, stabilisation, limits of change: in the order of the controller. */
#include "models/elastic/hpa.h"

#include <math.h>
#include <stdlib.h>

const char *const hpa_target_names[] = {"average_value", "value", "utilization", NULL};

/* --- behavior --- */

static const char *const policy_type_names[] = {"pods", "percent", NULL};
static const char *const select_names[] = {"max", "min", "disabled", NULL};

static const struct config_field policy_fields[] = {
    {.name = "type",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct hpa_policy_config, type),
     .names = policy_type_names,
     .doc = "what the value counts"},
    {.name = "value",
     .kind = CONFIG_INT,
     .offset = offsetof(struct hpa_policy_config, value),
     .min = 1,
     .max = 1e6,
     .doc = "the most that may change within the period"},
    {.name = "period_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct hpa_policy_config, period_s),
     .min = 1,
     .max = 1800,
     .doc = "length of that period"},
    {0}};

static const struct config_type policy_type = {.name = "hpa_policy",
                                               .doc = "A limit of how fast an HPA scales",
                                               .size = sizeof(struct hpa_policy_config),
                                               .fields = policy_fields};

static const struct config_field policy_element = {.kind = CONFIG_OBJECT, .object = &policy_type};

/* Up and down differ in their defaults alone. */
#define RULES_FIELDS(stabilization_preset, policies_preset)                                        \
    {                                                                                              \
        {.name = "stabilization_window_s",                                                         \
         .kind = CONFIG_NUMBER,                                                                    \
         .offset = offsetof(struct hpa_rules_config, stabilization_window_s),                      \
         .preset = stabilization_preset,                                                           \
         .min = 0,                                                                                 \
         .max = 3600,                                                                              \
         .doc = "the most careful recommendation of so long is followed"},                         \
            {.name = "select_policy",                                                              \
             .kind = CONFIG_ENUM,                                                                  \
             .offset = offsetof(struct hpa_rules_config, select_policy),                           \
             .names = select_names,                                                                \
             .preset = "\"max\"",                                                                  \
             .doc = "which of the policies' limits holds, by the change that it allows"},          \
            {.name = "policies",                                                                   \
             .kind = CONFIG_LIST,                                                                  \
             .offset = offsetof(struct hpa_rules_config, policies),                                \
             .element = &policy_element,                                                           \
             .preset = policies_preset,                                                            \
             .min = 1,                                                                             \
             .doc = "limits of change"},                                                           \
            {.name = "tolerance",                                                                  \
             .kind = CONFIG_NUMBER,                                                                \
             .offset = offsetof(struct hpa_rules_config, tolerance),                               \
             .optional = true,                                                                     \
             .min = 0,                                                                             \
             .max = 1,                                                                             \
             .doc = "tolerance in this direction; null: the autoscaler's"},                        \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static const struct config_field scale_up_fields[] =
    RULES_FIELDS("0", "[{\"type\": \"pods\", \"value\": 4, \"period_s\": 15},"
                      " {\"type\": \"percent\", \"value\": 100, \"period_s\": 15}]");

static const struct config_field scale_down_fields[] =
    RULES_FIELDS("300", "[{\"type\": \"percent\", \"value\": 100, \"period_s\": 15}]");

static const struct config_type scale_up_type = {.name = "hpa_scale_up",
                                                 .doc = "How an HPA scales up",
                                                 .size = sizeof(struct hpa_rules_config),
                                                 .fields = scale_up_fields};

static const struct config_type scale_down_type = {.name = "hpa_scale_down",
                                                   .doc = "How an HPA scales down",
                                                   .size = sizeof(struct hpa_rules_config),
                                                   .fields = scale_down_fields};

static const struct config_field behavior_fields[] = {
    {.name = "scale_up",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct hpa_behavior_config, scale_up),
     .object = &scale_up_type,
     .preset = "{}",
     .doc = "rules of scaling up"},
    {.name = "scale_down",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct hpa_behavior_config, scale_down),
     .object = &scale_down_type,
     .preset = "{}",
     .doc = "rules of scaling down"},
    {0}};

const struct config_type hpa_behavior_type = {.name = "hpa_behavior",
                                              .doc = "How fast an HPA scales",
                                              .size = sizeof(struct hpa_behavior_config),
                                              .fields = behavior_fields};

/* --- logs --- */

struct hpa_noted {
    tick_t when;
    int64_t value;
};

static bool log_open(struct hpa_log *log, double span_s, double sync_s)
{
    log->capacity = (size_t)ceil(span_s / sync_s) + 2;
    log->ring = calloc(log->capacity, sizeof *log->ring);
    return log->ring;
}

static void log_add(struct hpa_log *log, int64_t value, tick_t now)
{
    log->newest = (log->newest + 1) % log->capacity;
    if (log->count < log->capacity)
        log->count++;
    log->ring[log->newest] = (struct hpa_noted){now, value};
}

static const struct hpa_noted *log_item(const struct hpa_log *log, size_t age)
{
    return &log->ring[(log->newest + log->capacity - age) % log->capacity];
}

static int64_t sum_after(const struct hpa_log *log, tick_t cutoff)
{
    int64_t sum = 0;
    for (size_t age = 0; age < log->count && log_item(log, age)->when > cutoff; age++)
        sum += log_item(log, age)->value;
    return sum;
}

static double longest_period_s(const struct hpa_rules_config *rules)
{
    const struct hpa_policy_config *policies = rules->policies.items;
    double longest_s = 0;
    for (size_t i = 0; i < rules->policies.count; i++)
        longest_s = fmax(longest_s, policies[i].period_s);
    return longest_s;
}

/* --downscale-stabilization of the controller manager. */
#define STABILIZATION_S 300.0

bool hpa_open(struct hpa *hpa, double sync_s)
{
    const struct hpa_behavior_config *behavior = hpa->behavior;
    if (!behavior)
        return log_open(&hpa->recommendations, STABILIZATION_S, sync_s);
    double window_s = fmax(behavior->scale_up.stabilization_window_s,
                           behavior->scale_down.stabilization_window_s);
    double period_s =
        fmax(longest_period_s(&behavior->scale_up), longest_period_s(&behavior->scale_down));
    return log_open(&hpa->recommendations, window_s, sync_s) &&
           log_open(&hpa->changes, period_s, sync_s);
}

void hpa_close(struct hpa *hpa)
{
    free(hpa->recommendations.ring);
    free(hpa->changes.ring);
}

/* --- what a metric proposes --- */

static double tolerance_of(double general, const struct hpa_rules_config *rules)
{
    return rules && !isnan(rules->tolerance) ? rules->tolerance : general;
}

static bool is_tolerated(const struct hpa *hpa, double ratio)
{
    const struct hpa_behavior_config *behavior = hpa->behavior;
    double down = tolerance_of(hpa->tolerance, behavior ? &behavior->scale_down : NULL);
    double up = tolerance_of(hpa->tolerance, behavior ? &behavior->scale_up : NULL);
    return 1 - down <= ratio && ratio <= 1 + up;
}

/* Values pass through the metrics API in thousandths, utilisation in whole percent; what is below
 * is cut off. */
static double cut(const struct hpa_metric *metric, double value)
{
    return metric->target_type == HPA_UTILIZATION ? trunc(value) : trunc(value * 1000) / 1000;
}

/* What a pod without metrics is taken to show, for the ratio of those that show some. */
static double missing_value(const struct hpa_metric *metric, double ratio)
{
    if (ratio >= 1)
        return 0;
    /* All of the resource it requested. */
    return metric->target_type == HPA_UTILIZATION ? 100 : metric->target;
}

/* Of pods that show a value each. */
static int64_t propose_by_pods(const struct hpa *hpa, const struct hpa_metric *metric,
                               const struct scaler_metrics *pool)
{
    double ready = (double)pool->ready, counted = ready;
    double ratio = cut(metric, metric->value) / metric->target;
    bool idle_pending = pool->pending > 0 && ratio > 1;
    if (!idle_pending && pool->unready == 0)
        return is_tolerated(hpa, ratio) ? pool->desired : scaler_ceil(ratio * ready);
    double sum = metric->value * ready;
    if (metric->target_type != HPA_UTILIZATION || ratio != 1) {
        sum += missing_value(metric, ratio) * (double)pool->unready;
        counted += (double)pool->unready;
    }
    if (idle_pending)
        counted += (double)pool->pending;
    double with_all = cut(metric, sum / counted) / metric->target;
    bool turned = (ratio < 1 && with_all > 1) || (ratio > 1 && with_all < 1);
    if (turned || is_tolerated(hpa, with_all))
        return pool->desired;
    int64_t proposal = scaler_ceil(with_all * counted);
    bool backwards = with_all < 1 ? proposal > pool->desired : proposal < pool->desired;
    return backwards ? pool->desired : proposal;
}

/* Of one number for all pods. From zero, one that is above zero is enough. */
static int64_t propose_by_value(const struct hpa *hpa, const struct hpa_metric *metric,
                                const struct scaler_metrics *pool)
{
    double ratio = cut(metric, metric->value) / metric->target;
    if (pool->desired == 0)
        return scaler_ceil(ratio);
    return is_tolerated(hpa, ratio) ? pool->desired : scaler_ceil(ratio * (double)pool->ready);
}

/* Of one number, shared out to the pods that exist. */
static int64_t propose_by_share(const struct hpa *hpa, const struct hpa_metric *metric,
                                const struct scaler_metrics *pool)
{
    int64_t existing = pool->ready + pool->unready + pool->pending;
    double value = cut(metric, metric->value);
    if (existing > 0 && is_tolerated(hpa, value / (metric->target * (double)existing)))
        return existing;
    return scaler_ceil(value / metric->target);
}

static int64_t propose(const struct hpa *hpa, const struct hpa_metric *metric,
                       const struct scaler_metrics *pool)
{
    if (metric->source == HPA_PODS || metric->source == HPA_RESOURCE)
        return propose_by_pods(hpa, metric, pool);
    return metric->target_type == HPA_VALUE ? propose_by_value(hpa, metric, pool)
                                            : propose_by_share(hpa, metric, pool);
}

/* The largest proposal; -1 where nothing may be done for want of values. */
static int64_t recommend(const struct hpa *hpa, const struct hpa_metric *list, size_t count,
                         const struct scaler_metrics *pool)
{
    int64_t largest = -1;
    bool missing = false;
    for (size_t i = 0; i < count; i++) {
        if (isnan(list[i].value)) {
            missing = true;
            continue;
        }
        int64_t proposal = propose(hpa, &list[i], pool);
        if (proposal > largest)
            largest = proposal;
    }
    return missing && largest < pool->desired ? -1 : largest;
}

/* --- from the recommendation to the decision --- */

/* The lowest (or highest) of a recommendation and those noted after the cutoff. */
static int64_t extreme_after(const struct hpa_log *log, tick_t cutoff, int64_t recommended,
                             bool highest)
{
    int64_t extreme = recommended;
    for (size_t age = 0; age < log->count && log_item(log, age)->when > cutoff; age++) {
        int64_t value = log_item(log, age)->value;
        if (highest ? value > extreme : value < extreme)
            extreme = value;
    }
    return extreme;
}

/* As little change as the recommendations within the windows allow: no more than the lowest in
 * scaling up, no less than the highest in scaling down. */
static int64_t stabilize(struct hpa *hpa, int64_t recommended, int64_t current, tick_t now)
{
    const struct hpa_log *log = &hpa->recommendations;
    const struct hpa_behavior_config *behavior = hpa->behavior;
    int64_t stable = current;
    if (behavior) {
        tick_t up = tick_from_s(behavior->scale_up.stabilization_window_s);
        tick_t down = tick_from_s(behavior->scale_down.stabilization_window_s);
        int64_t lowest = extreme_after(log, now - up, recommended, false);
        int64_t highest = extreme_after(log, now - down, recommended, true);
        stable = stable < lowest ? lowest : stable;
        stable = stable > highest ? highest : stable;
    } else {
        /* Here what is exactly as old as the window still counts. */
        tick_t cutoff = now - tick_from_s(STABILIZATION_S) - 1;
        stable = extreme_after(log, cutoff, recommended, true);
    }
    log_add(&hpa->recommendations, recommended, now);
    return stable;
}

/* The count that one policy allows, from what there was when its period began. */
static int64_t policy_limit(const struct hpa_policy_config *policy, int64_t start, bool up)
{
    if (policy->type == HPA_POLICY_PODS)
        return up ? start + policy->value : start - policy->value;
    double share = (double)policy->value / 100;
    return up ? scaler_ceil((double)start * (1 + share)) : (int64_t)((double)start * (1 - share));
}

/* The farthest count from the current one that the rules allow. */
static int64_t change_limit(const struct hpa *hpa, int64_t current, bool up, tick_t now)
{
    const struct hpa_rules_config *rules =
        up ? &hpa->behavior->scale_up : &hpa->behavior->scale_down;
    if (rules->select_policy == HPA_SELECT_DISABLED)
        return current;
    const struct hpa_policy_config *policies = rules->policies.items;
    bool largest = up == (rules->select_policy == HPA_SELECT_MAX);
    int64_t limit = 0;
    for (size_t i = 0; i < rules->policies.count; i++) {
        tick_t cutoff = now - tick_from_s(policies[i].period_s);
        int64_t start = current - sum_after(&hpa->changes, cutoff);
        int64_t proposed = policy_limit(&policies[i], start, up);
        if (i == 0 || (largest ? proposed > limit : proposed < limit))
            limit = proposed;
    }
    /* A change of before that the rules would not allow by now is not taken back. */
    return (up ? limit < current : limit > current) ? current : limit;
}

/* Before there were behaviors: to twice as many, or to four. */
static int64_t legacy_limit(int64_t current)
{
    return current > 2 ? 2 * current : 4;
}

static int64_t limit_change(const struct hpa *hpa, int64_t wanted, int64_t current, tick_t now)
{
    bool up = wanted > current;
    if (wanted == current || (!hpa->behavior && !up))
        return wanted;
    int64_t limit = hpa->behavior ? change_limit(hpa, current, up, now) : legacy_limit(current);
    return (up ? wanted > limit : wanted < limit) ? limit : wanted;
}

static struct scaler_decision follow(struct hpa *hpa, int64_t recommended, int64_t current,
                                     tick_t now)
{
    int64_t stable = stabilize(hpa, recommended, current, now);
    int64_t desired = scaler_clamp(&hpa->limits, limit_change(hpa, stable, current, now));
    const char *why = desired > current        ? "metrics above target"
                      : desired < current      ? "all metrics below target"
                      : recommended == current ? "metrics at target"
                      : stable == current      ? "stabilised: held by a recent recommendation"
                                               : "held by the limits of change";
    return (struct scaler_decision){desired, why};
}

static struct scaler_decision decide(struct hpa *hpa, const struct hpa_metric *list, size_t count,
                                     const struct scaler_metrics *pool, tick_t now)
{
    int64_t current = pool->desired;
    if (current > hpa->limits.max_replicas)
        return (struct scaler_decision){hpa->limits.max_replicas, "above max_replicas"};
    if (current < hpa->limits.min_replicas)
        return (struct scaler_decision){hpa->limits.min_replicas, "below min_replicas"};
    int64_t recommended = recommend(hpa, list, count, pool);
    if (recommended < 0)
        return (struct scaler_decision){current, "a metric is missing"};
    return follow(hpa, recommended, current, now);
}

struct scaler_decision hpa_decide(struct hpa *hpa, const struct hpa_metric *list, size_t count,
                                  const struct scaler_metrics *pool, tick_t now)
{
    if (hpa->recommendations.count == 0)
        log_add(&hpa->recommendations, pool->desired, now);
    if (pool->desired == 0 && hpa->limits.min_replicas > 0)
        return (struct scaler_decision){0, "an HPA leaves a pool at zero alone"};
    struct scaler_decision decision = decide(hpa, list, count, pool, now);
    if (hpa->behavior && decision.desired != pool->desired)
        log_add(&hpa->changes, decision.desired - pool->desired, now);
    return decision;
}
