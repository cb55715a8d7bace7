/* A pool of constant size: what all others are compared with. */
#include "models/elastic/scaler_policy.h"

static const struct config_field fixed_fields[] = {
    {.name = "replicas",
     .kind = CONFIG_INT,
     .offset = offsetof(struct scaler_fixed_config, replicas),
     .optional = true,
     .min = 0,
     .max = 1e6,
     .doc = "replicas from the start; null: as many as there are"},
    {0}};

const struct config_type scaler_fixed_type = {.name = "scaler_fixed",
                                              .doc = "Parameters of a pool of constant size",
                                              .size = sizeof(struct scaler_fixed_config),
                                              .fields = fixed_fields};

static bool check_fixed(const void *config, const struct scaler_limits *limits, struct error *error)
{
    int64_t replicas = ((const struct scaler_fixed_config *)config)->replicas;
    return replicas == INT64_MIN || replicas == scaler_clamp(limits, replicas) ||
           scaler_refuse(error, "replicas", "the pool may not have that many",
                         "from min_replicas to max_replicas");
}

static struct scaler_decision decide_fixed(struct scaler *scaler,
                                           const struct scaler_metrics *metrics, tick_t now)
{
    (void)now;
    int64_t replicas = ((const struct scaler_fixed_config *)scaler->config)->replicas;
    scaler->next = TICK_NEVER;
    replicas = replicas == INT64_MIN ? metrics->desired : replicas;
    return (struct scaler_decision){scaler_clamp(&scaler->limits, replicas), "constant"};
}

const struct scaler_policy scaler_fixed = {
    .size = sizeof(struct scaler), .check = check_fixed, .decide = decide_fixed};
