/* What a scenario says about a stream of requests, as read: the structs behind
 * workload_config_type. Shared by the files that make up the workload; see workloads/workload.h. */
#ifndef TOKENYARD_WORKLOADS_STREAM_CONFIG_H
#define TOKENYARD_WORKLOADS_STREAM_CONFIG_H

#include "sim/config.h"
#include "workloads/generator.h"
#include "workloads/shared_prefix.h"
#include "workloads/trace.h"

#define STREAMS_MAX 64

/* Each is [from, to] as doubles, NaN where open, or empty when absent. */
struct token_range_config {
    struct config_list prompt_tok, output_tok; /* of double */
};

struct stream_config {
    const char *name;
    /* Where requests come from: exactly one. */
    struct trace_options *trace;
    int preset; /* of preset_list; -1: none */
    struct generator_config *generator;
    struct config_list streams; /* of struct stream_config; only in the workload itself */
    /* What is done to them. */
    struct config_list window_s; /* of double */
    struct token_range_config *filter, *clip;
    struct shared_prefix_config *shared_prefix;
    double rate_per_s, rate_scale;
    int64_t repeat;
    int64_t limit; /* INT64_MIN: none */
    double duration_s;
    double start_s;
};

struct workload_config {
    struct stream_config stream;
};

const char *stream_config_name(const struct stream_config *stream);

/* The settings of its generator, also where that is a preset; NULL when it is none. */
const struct generator_config *stream_config_generator(const struct stream_config *stream);

/* Is it, or does it merge, a closed loop? */
bool stream_config_is_closed_loop(const struct stream_config *stream);

/* Is it a trace whose sessions are replayed closed? Its recorded times may be changed, before. */
bool stream_config_closes_trace(const struct stream_config *stream);

/* Does any of its requests come from a generator? */
bool stream_config_is_made_up(const struct stream_config *stream);

/* Would it go on for ever? */
bool stream_config_is_endless(const struct stream_config *stream);

#endif
