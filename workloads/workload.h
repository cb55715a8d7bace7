/* The "workload" object of a scenario: what it may say, and the source it becomes.
 *
 *   {"preset": "azure-conversation", "rate_per_s": 12, "limit": 5000}
 *   {"streams": [{"name": "chat", "preset": "servegen-chat", "rate_per_s": 5},
 *                {"name": "batch", "trace": {"path": "batch.csv"}, "repeat": 10}], "limit": 100000}
 *
 * A stream takes its requests from exactly one of "trace", "preset" (a named generator),
 * "generator", and, in the workload itself, "streams", which are merged by time. What is then done
 * to them has one order, whatever the order in the file: window_s, filter, clip, shared_prefix,
 * rate, repeat, closing a trace's sessions, limit and duration_s, and start_s. rate_per_s and
 * rate_scale multiply a generator's own rates, so that its rhythm (a day's, or that of on and off)
 * keeps its seconds; anything else has its time scaled. */
#ifndef TOKENYARD_WORKLOADS_WORKLOAD_H
#define TOKENYARD_WORKLOADS_WORKLOAD_H

#include "sim/config.h"
#include "workloads/source.h"

struct workload_config; /* opaque here; read by the table below */

extern const struct config_type workload_config_type;

/* Builds the source. base_folder: relative trace paths are relative to it (the scenario's folder).
 * document and pointer locate errors. NULL on error. The config must outlive the source. An endless
 * workload ends where the clock does (sim/clock.h); any other that gets so far fails. */
struct source *workload_open(const void *config, const char *base_folder, uint64_t seed,
                             uint64_t replication, const struct json_document *document,
                             const char *pointer, struct error *error);

/* Would the workload go on for ever? Its run then needs a horizon. */
bool workload_is_endless(const void *config);

/* Names of the streams, for class rules and reports. */
uint32_t workload_stream_count(const void *config);
const char *workload_stream_name(const void *config, uint32_t stream);

#endif
