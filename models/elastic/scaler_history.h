/* What the metrics server remembers: snapshots of a pool's metrics, and queries to them.
 *
 * Before the first snapshot all counters are taken to have been 0 at time 0. The history owns its
 * memory, allocated once: a snapshot is about 700 bytes. A query costs time in the number of
 * snapshots within its window. */
#ifndef TOKENYARD_MODELS_ELASTIC_SCALER_HISTORY_H
#define TOKENYARD_MODELS_ELASTIC_SCALER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "models/elastic/scaler_metrics.h"
#include "models/elastic/scaler_settings.h"
#include "sim/clock.h"

struct scaler_snapshot;

struct scaler_history {
    struct scaler_snapshot *ring;
    size_t capacity, count, newest;
};

/* For windows of up to window_s, read every period_s or seldomer. false: no memory. */
bool scaler_history_open(struct scaler_history *history, double window_s, double period_s);
void scaler_history_close(struct scaler_history *history); /* also of a zeroed one */

void scaler_history_add(struct scaler_history *history, const struct scaler_metrics *metrics,
                        tick_t now);

/* As of the newest snapshot; NaN where the metric is absent: nothing ready to show it, or nothing
 * observed in the window. */
double scaler_read(const struct scaler_history *history, const struct scaler_reading *reading);

/* The same, whatever the reading's aggregate is. */
double scaler_read_as(const struct scaler_history *history, const struct scaler_reading *reading,
                      enum scaler_aggregate aggregate);

#endif
