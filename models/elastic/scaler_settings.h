/* The parameters of the scalers, as a scenario gives them. Their field tables, with bounds,
 * defaults and what they mean, are in the policies' own files. */
#ifndef TOKENYARD_MODELS_ELASTIC_SCALER_SETTINGS_H
#define TOKENYARD_MODELS_ELASTIC_SCALER_SETTINGS_H

#include "models/elastic/scaler_metrics.h"
#include "sim/config.h"

/* --- what is read: a query to the metrics server --- */

enum scaler_aggregate { SCALER_SUM, SCALER_AVERAGE };

extern const char *const scaler_aggregate_names[];

struct scaler_reading {
    int metric;        /* enum scaler_metric */
    int aggregate;     /* enum scaler_aggregate over the ready replicas; -1: the metric's own */
    double percentile; /* of latencies */
    double window_s;   /* of rates, shares and latencies; NaN: since the reading before */
};

/* Rows for the members of `member`, a struct scaler_reading of `type`. preset: of the metric. */
#define SCALER_READING_FIELDS(type, member, metric_preset)                                         \
    {.name = "metric",                                                                             \
     .kind = CONFIG_ENUM,                                                                          \
     .offset = offsetof(type, member.metric),                                                      \
     .names = scaler_metric_names,                                                                 \
     .preset = metric_preset,                                                                      \
     .doc = "what is measured"},                                                                   \
        {.name = "aggregate",                                                                      \
         .kind = CONFIG_ENUM,                                                                      \
         .offset = offsetof(type, member.aggregate),                                               \
         .names = scaler_aggregate_names,                                                          \
         .optional = true,                                                                         \
         .doc = "over the ready replicas; null: the average of percentages and latencies, the "    \
                "sum of all else"},                                                                \
        {.name = "percentile",                                                                     \
         .kind = CONFIG_NUMBER,                                                                    \
         .offset = offsetof(type, member.percentile),                                              \
         .preset = "90",                                                                           \
         .min = 0,                                                                                 \
         .max = 100,                                                                               \
         .doc = "percentile of a latency, from vLLM's buckets"},                                   \
    {                                                                                              \
        .name = "window_s", .kind = CONFIG_NUMBER, .offset = offsetof(type, member.window_s),      \
        .optional = true, .min = 0, .above_min = true, .max = SCALER_WINDOW_MAX_S,                 \
        .doc = "time over which rates, shares and latencies are taken; null: since the "           \
               "reading before"                                                                    \
    }

#define SCALER_WINDOW_MAX_S 3600.0
#define SCALER_SYNC_MIN_S   1.0
#define SCALER_SYNC_MAX_S   36000.0 /* of the ten hours that the clock leaves at its end */

/* The row of a time after which a scaler of `type` looks again. */
#define SCALER_INTERVAL_FIELD(type, member, default_s, text)                                       \
    {                                                                                              \
        .name = #member, .kind = CONFIG_NUMBER, .offset = offsetof(type, member),                  \
        .preset = default_s, .min = SCALER_SYNC_MIN_S, .max = SCALER_SYNC_MAX_S, .doc = text       \
    }

/* Rows for scale_out_cooldown_s and scale_in_cooldown_s. */
#define SCALER_COOLDOWN_FIELDS(type, out_s, in_s)                                                  \
    {.name = "scale_out_cooldown_s",                                                               \
     .kind = CONFIG_NUMBER,                                                                        \
     .offset = offsetof(type, scale_out_cooldown_s),                                               \
     .preset = out_s,                                                                              \
     .min = 0,                                                                                     \
     .max = 1e7,                                                                                   \
     .doc = "time within which replicas just added count as added"},                               \
    {                                                                                              \
        .name = "scale_in_cooldown_s", .kind = CONFIG_NUMBER,                                      \
        .offset = offsetof(type, scale_in_cooldown_s), .preset = in_s, .min = 0, .max = 1e7,       \
        .doc = "time from removing to removing again"                                              \
    }

/* --- fixed --- */

struct scaler_fixed_config {
    int64_t replicas; /* INT64_MIN: as many as there are */
};

/* --- hpa --- */

enum hpa_source { HPA_PODS, HPA_RESOURCE, HPA_OBJECT, HPA_EXTERNAL };

enum hpa_target { HPA_AVERAGE_VALUE, HPA_VALUE, HPA_UTILIZATION };

struct hpa_metric_config {
    struct scaler_reading reading;
    int source;      /* enum hpa_source */
    int target_type; /* enum hpa_target */
    double target;
};

enum hpa_policy_type { HPA_POLICY_PODS, HPA_POLICY_PERCENT };

struct hpa_policy_config {
    int type; /* enum hpa_policy_type */
    int64_t value;
    double period_s;
};

enum hpa_select { HPA_SELECT_MAX, HPA_SELECT_MIN, HPA_SELECT_DISABLED };

struct hpa_rules_config {
    double stabilization_window_s;
    int select_policy;           /* enum hpa_select */
    struct config_list policies; /* struct hpa_policy_config */
    double tolerance;            /* NaN: the controller's */
};

struct hpa_behavior_config {
    struct hpa_rules_config scale_up, scale_down;
};

struct scaler_hpa_config {
    double sync_s;
    double tolerance;
    struct config_list metrics;                 /* struct hpa_metric_config */
    const struct hpa_behavior_config *behavior; /* NULL: the rules from before there was one */
    bool scale_to_zero;
};

/* --- keda --- */

struct keda_trigger_config {
    struct scaler_reading reading;
    double threshold;
    double activation_threshold;
    int metric_type; /* enum hpa_target */
};

struct scaler_keda_config {
    double polling_interval_s;
    double cooldown_period_s;
    double initial_cooldown_period_s;
    int64_t idle_replicas;       /* INT64_MIN: none */
    struct config_list triggers; /* struct keda_trigger_config */
    double sync_s;
    double tolerance;
    const struct hpa_behavior_config *behavior;
};

/* --- target_tracking, step --- */

struct scaler_target_tracking_config {
    struct scaler_reading reading;
    double target;
    double period_s;
    int64_t out_periods, in_periods;
    double scale_in_share; /* of the target, below which the alarm for scaling in goes off */
    double scale_out_cooldown_s, scale_in_cooldown_s;
    bool disable_scale_in;
};

enum step_comparison { STEP_AT_LEAST, STEP_ABOVE, STEP_BELOW, STEP_AT_MOST };

enum step_adjustment { STEP_CHANGE, STEP_PERCENT_CHANGE, STEP_EXACT };

struct step_config {
    double lower, upper; /* relative to the alarm's threshold; NaN: open */
    int64_t adjustment;
};

struct step_policy_config {
    struct scaler_reading reading;
    int comparison; /* enum step_comparison */
    double threshold;
    int64_t periods;
    int adjustment_type;              /* enum step_adjustment */
    struct config_list steps;         /* struct step_config */
    int64_t min_adjustment_magnitude; /* of a percentage */
    double cooldown_s;
};

struct scaler_step_config {
    double period_s;
    struct config_list policies; /* struct step_policy_config */
};

/* --- schedule --- */

enum schedule_day { SCHEDULE_MONDAY, SCHEDULE_SUNDAY = 6, SCHEDULE_DAYS };

struct schedule_action_config {
    struct config_list days; /* int, enum schedule_day; empty: every day */
    const char *time;        /* "HH:MM" */
    int64_t min_replicas, max_replicas, desired_replicas; /* INT64_MIN: as before */
};

struct scaler_schedule_config {
    double utc_offset_h;
    struct config_list actions; /* struct schedule_action_config */
};

/* --- queue_depth --- */

struct scaler_queue_depth_config {
    double sync_s;
    double target; /* waiting requests per replica; NaN: none */
    double high, low;
    int64_t add, remove;
    int latency_metric; /* enum scaler_metric - SCALER_TTFT_S */
    double latency_percentile;
    double latency_below_s; /* NaN: not asked */
    double scale_out_cooldown_s, scale_in_cooldown_s;
};

/* --- slo --- */

struct slo_objective_config {
    struct scaler_reading reading;
    double bound;
};

struct scaler_slo_config {
    double sync_s;
    struct config_list objectives; /* struct slo_objective_config */
    double aim;                    /* share of the bounds that is aimed at */
    double scale_in_below;         /* share of the bounds */
    double max_growth;
    double scale_out_cooldown_s, scale_in_cooldown_s;
};

/* --- predictive --- */

enum predictive_season { PREDICTIVE_DAY, PREDICTIVE_WEEK };

struct scaler_predictive_config {
    struct scaler_reading reading;
    double per_replica; /* of the metric, that a replica can take */
    double period_s;
    int season; /* enum predictive_season */
    double lead_s;
    double headroom_percent;
    double alpha, beta, gamma;
};

/* --- knative --- */

struct scaler_knative_config {
    double target;
    double target_utilisation_percent;
    double stable_window_s;
    double panic_window_percent, panic_threshold_percent;
    double max_scale_up_rate, max_scale_down_rate;
    double scale_to_zero_grace_s;
    double tick_interval_s;
};

/* --- combine --- */

struct scaler_combine_config {
    struct config_list parts; /* struct config_variant of scaler_simple_policies */
};

/* All policies but combine; the first rows of scaler_policies. */
extern const struct config_variant_type scaler_simple_policies[];

extern const struct config_type scaler_fixed_type, scaler_hpa_type, scaler_keda_type,
    scaler_target_tracking_type, scaler_step_type, scaler_schedule_type, scaler_queue_depth_type,
    scaler_slo_type, scaler_predictive_type, scaler_knative_type, scaler_combine_type;

#endif
