/* The "workload" object of a scenario: what it may say, and the source it becomes.
 *
 * A workload is one stream or a list of streams that are merged by time. Each stream is a trace or
 * a generator (or a preset, which is a named generator), followed by its transformations in a fixed
 * order: window, filter, clip, rate scale, repeat, limit. */
#ifndef TOKENYARD_WORKLOADS_WORKLOAD_H
#define TOKENYARD_WORKLOADS_WORKLOAD_H

#include "sim/config.h"
#include "workloads/source.h"

struct workload_config; /* opaque here; read by the table below */

extern const struct config_type workload_config_type;

/* Builds the source. base_folder: relative trace paths are relative to it (the scenario's folder).
 * document and pointer locate errors. NULL on error. The config must outlive the source. */
struct source *workload_open(const void *config, const char *base_folder, uint64_t seed,
                             uint64_t replication, const struct json_document *document,
                             const char *pointer, struct error *error);

/* Names of the streams, for class rules and reports. */
uint32_t workload_stream_count(const void *config);
const char *workload_stream_name(const void *config, uint32_t stream);

#endif
