#include "workloads/stream_config.h"

#include <math.h>
#include <string.h>

#include "sim/clock.h"
#include "workloads/presets.h"
#include "workloads/workload.h"

#define RATE_MAX  1e9
#define COUNT_MAX 1e15

static const struct config_type trace_type = {
    .name = "trace",
    .doc = "requests read from a file, plain or gzip",
    .size = sizeof(struct trace_options),
    .fields =
        (const struct config_field[]){
            {.name = "path",
             .kind = CONFIG_STRING,
             .offset = offsetof(struct trace_options, path),
             .doc = "file; relative to the scenario's folder"},
            {.name = "format",
             .kind = CONFIG_ENUM,
             .offset = offsetof(struct trace_options, format),
             .doc = "auto: told by the content",
             .preset = "\"auto\"",
             .names = trace_format_names},
            {.name = "zero",
             .kind = CONFIG_ENUM,
             .offset = offsetof(struct trace_options, zero),
             .doc = "requests without prompt or output tokens: drop them, read 1 token, or refuse",
             .preset = "\"drop\"",
             .names = trace_zero_names},
            {.name = "sort",
             .kind = CONFIG_BOOL,
             .offset = offsetof(struct trace_options, sort),
             .doc = "sort times that are out of order, in memory",
             .preset = "false"},
            {.name = "sessions",
             .kind = CONFIG_ENUM,
             .offset = offsetof(struct trace_options, sessions),
             .doc = "open: turns come as recorded; closed: none before the answer to the last",
             .preset = "\"open\"",
             .names = trace_sessions_names},
            {0}},
};

static const struct config_field bound_field = {
    .kind = CONFIG_NUMBER, .optional = true, .min = 0, .max = CLOCK_MAX_S};

#define RANGE(type, member, text)                                                                  \
    {                                                                                              \
        .name = #member, .kind = CONFIG_LIST, .offset = offsetof(type, member), .doc = text,       \
        .optional = true, .min = 2, .max = 2, .element = &bound_field                              \
    }

static const struct config_type token_range_type = {
    .name = "token_range",
    .doc = "inclusive bounds on lengths; null leaves a side open",
    .size = sizeof(struct token_range_config),
    .fields =
        (const struct config_field[]){
            RANGE(struct token_range_config, prompt_tok, "[min, max] of the prompt"),
            RANGE(struct token_range_config, output_tok, "[min, max] of the output"),
            {0}},
};

#define AT(member) .offset = offsetof(struct stream_config, member)

#define ORIGIN_FIELDS                                                                              \
    {.name = "name",                                                                               \
     .kind = CONFIG_STRING,                                                                        \
     AT(name),                                                                                     \
     .doc = "for class rules, reports and random streams; default: the preset's, the trace "       \
            "file's, or \"generator\"",                                                            \
     .optional = true},                                                                            \
        {.name = "trace",                                                                          \
         .kind = CONFIG_OBJECT,                                                                    \
         AT(trace),                                                                                \
         .doc = "requests from a file",                                                            \
         .optional = true,                                                                         \
         .object = &trace_type},                                                                   \
        {.name = "preset",                                                                         \
         .kind = CONFIG_ENUM,                                                                      \
         AT(preset),                                                                               \
         .doc = "a named generator",                                                               \
         .optional = true,                                                                         \
         .names = preset_names},                                                                   \
    {                                                                                              \
        .name = "generator", .kind = CONFIG_OBJECT, AT(generator),                                 \
        .doc = "requests made up from distributions", .optional = true, .object = &generator_type  \
    }

#define TRANSFORM_FIELDS                                                                           \
    RANGE(struct stream_config, window_s, "[from, to): only this stretch; from becomes time 0"),   \
        {.name = "filter",                                                                         \
         .kind = CONFIG_OBJECT,                                                                    \
         AT(filter),                                                                               \
         .doc = "only requests of these lengths",                                                  \
         .optional = true,                                                                         \
         .object = &token_range_type},                                                             \
        {.name = "clip",                                                                           \
         .kind = CONFIG_OBJECT,                                                                    \
         AT(clip),                                                                                 \
         .doc = "lengths outside are moved to the nearer bound",                                   \
         .optional = true,                                                                         \
         .object = &token_range_type},                                                             \
        {.name = "shared_prefix",                                                                  \
         .kind = CONFIG_OBJECT,                                                                    \
         AT(shared_prefix),                                                                        \
         .doc = "system prompts in front of the prompts, for prefix caches; not of a trace",       \
         .optional = true,                                                                         \
         .object = &shared_prefix_type},                                                           \
        {.name = "rate_per_s",                                                                     \
         .kind = CONFIG_NUMBER,                                                                    \
         AT(rate_per_s),                                                                           \
         .doc = "mean requests per second that the stream is brought to",                          \
         .optional = true,                                                                         \
         .min = 0,                                                                                 \
         .max = RATE_MAX,                                                                          \
         .above_min = true},                                                                       \
        {.name = "rate_scale",                                                                     \
         .kind = CONFIG_NUMBER,                                                                    \
         AT(rate_scale),                                                                           \
         .doc = "factor on the stream's own rate",                                                 \
         .optional = true,                                                                         \
         .min = 0,                                                                                 \
         .max = RATE_MAX,                                                                          \
         .above_min = true},                                                                       \
        {.name = "repeat",                                                                         \
         .kind = CONFIG_INT,                                                                       \
         AT(repeat),                                                                               \
         .doc = "play the stream this many times, one after the other",                            \
         .preset = "1",                                                                            \
         .min = 1,                                                                                 \
         .max = COUNT_MAX},                                                                        \
        {.name = "limit",                                                                          \
         .kind = CONFIG_INT,                                                                       \
         AT(limit),                                                                                \
         .doc = "end after this many requests",                                                    \
         .optional = true,                                                                         \
         .min = 1,                                                                                 \
         .max = COUNT_MAX},                                                                        \
        {.name = "duration_s",                                                                     \
         .kind = CONFIG_NUMBER,                                                                    \
         AT(duration_s),                                                                           \
         .doc = "end after this time",                                                             \
         .optional = true,                                                                         \
         .min = 0,                                                                                 \
         .max = CLOCK_MAX_S,                                                                       \
         .above_min = true},                                                                       \
    {                                                                                              \
        .name = "start_s", .kind = CONFIG_NUMBER, AT(start_s),                                     \
        .doc = "when the stream's own time begins", .preset = "0", .min = 0, .max = CLOCK_MAX_S    \
    }

static const struct config_type stream_type = {
    .name = "stream",
    .doc = "requests from one origin, and what is done to them",
    .size = sizeof(struct stream_config),
    .fields = (const struct config_field[]){ORIGIN_FIELDS, TRANSFORM_FIELDS, {0}},
};

const struct config_type workload_config_type = {
    .name = "workload",
    .doc = "one stream of requests, or several merged by time",
    .size = sizeof(struct workload_config),
    .fields =
        (const struct config_field[]){
            ORIGIN_FIELDS,
            {.name = "streams",
             .kind = CONFIG_LIST,
             AT(streams),
             .doc = "several streams, merged by time",
             .optional = true,
             .min = 1,
             .max = STREAMS_MAX,
             .element =
                 &(const struct config_field){.kind = CONFIG_OBJECT, .object = &stream_type}},
            TRANSFORM_FIELDS,
            {0}},
};

const char *stream_config_name(const struct stream_config *stream)
{
    if (stream->name)
        return stream->name;
    if (stream->preset >= 0)
        return preset_names[stream->preset];
    if (!stream->trace)
        return "generator";
    const char *slash = strrchr(stream->trace->path, '/');
    return slash ? slash + 1 : stream->trace->path;
}

const struct generator_config *stream_config_generator(const struct stream_config *stream)
{
    size_t count;
    return stream->preset >= 0 ? preset_list(&count)[stream->preset].generator : stream->generator;
}

static bool any_inner(const struct stream_config *stream,
                      bool (*property)(const struct stream_config *stream))
{
    const struct stream_config *inner = stream->streams.items;
    for (size_t i = 0; i < stream->streams.count; i++)
        if (property(&inner[i]))
            return true;
    return false;
}

bool stream_config_is_closed_loop(const struct stream_config *stream)
{
    return any_inner(stream, stream_config_is_closed_loop) ||
           (stream->generator && generator_is_closed_loop(stream->generator)) ||
           stream_config_closes_trace(stream);
}

bool stream_config_closes_trace(const struct stream_config *stream)
{
    return stream->trace && stream->trace->sessions == TRACE_SESSIONS_CLOSED;
}

bool stream_config_is_made_up(const struct stream_config *stream)
{
    return stream_config_generator(stream) || any_inner(stream, stream_config_is_made_up);
}

bool stream_config_is_endless(const struct stream_config *stream)
{
    bool limited = stream->limit != INT64_MIN || !isnan(stream->duration_s);
    bool window_ends =
        stream->window_s.count && !isnan(((const double *)stream->window_s.items)[1]);
    return !limited && !window_ends &&
           (stream_config_generator(stream) || any_inner(stream, stream_config_is_endless));
}

/* The streams of a workload: its list, or itself. */
static const struct stream_config *streams_of(const void *config, uint32_t *count)
{
    const struct stream_config *stream = &((const struct workload_config *)config)->stream;
    *count = stream->streams.count ? (uint32_t)stream->streams.count : 1;
    return stream->streams.count ? stream->streams.items : stream;
}

uint32_t workload_stream_count(const void *config)
{
    uint32_t count;
    streams_of(config, &count);
    return count;
}

const char *workload_stream_name(const void *config, uint32_t stream)
{
    uint32_t count;
    return stream_config_name(&streams_of(config, &count)[stream]);
}

bool workload_is_endless(const void *config)
{
    return stream_config_is_endless(&((const struct workload_config *)config)->stream);
}
