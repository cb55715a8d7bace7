/* How many replicas should a pool have? Pure arithmetic on what a metrics server sees of it.
 *
 * A scaler is one of the policies of scaler_policies (Kubernetes HPA, KEDA, target tracking, ...)
 * with the semantics and defaults of the system it is named after; their sources are in the
 * policies' own files. It sets no timers: scaler_next says when it wants to be asked. Decisions
 * depend on nothing but the settings and the metrics that were shown, so the same calls give the
 * same answers.
 *
 * A decision lies between the limits, but for two rules of the systems themselves: KEDA's
 * idle_replicas lies below the minimum, and an HPA whose minimum is above zero leaves a pool alone
 * that stands at zero.
 *
 * The scaler owns its memory; the settings must outlive it. Deciding allocates nothing, and costs
 * time in the snapshots of the metrics within its windows (700 bytes each). */
#ifndef TOKENYARD_MODELS_ELASTIC_SCALER_H
#define TOKENYARD_MODELS_ELASTIC_SCALER_H

#include <stdbool.h>
#include <stdint.h>

#include "models/elastic/scaler_metrics.h"
#include "sim/clock.h"
#include "sim/config.h"
#include "sim/error.h"

/* For a CONFIG_VARIANT with the selector "policy". */
extern const struct config_variant_type scaler_policies[];

struct scaler_limits {
    int64_t min_replicas, max_replicas;
    int64_t start_epoch_s; /* time 0 in seconds since 1970-01-01T00:00:00Z, for schedules */
};

/* Do the settings make sense, alone and together? The error's JSON pointer starts at the scaler. */
bool scaler_check(const struct config_variant *config, const struct scaler_limits *limits,
                  struct error *error);

struct scaler;

/* For settings that scaler_check accepts. NULL when out of memory. */
struct scaler *scaler_create(const struct config_variant *config,
                             const struct scaler_limits *limits, struct error *error);
void scaler_destroy(struct scaler *scaler); /* NULL is allowed */

/* When it wants to be asked next; TICK_NEVER: not again. */
tick_t scaler_next(const struct scaler *scaler);

struct scaler_decision {
    int64_t desired;
    const char *why; /* in plain words; static */
};

/* To be called at scaler_next, never earlier, and with metrics as of now. */
struct scaler_decision scaler_decide(struct scaler *scaler, const struct scaler_metrics *metrics,
                                     tick_t now);

#endif
