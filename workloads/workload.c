/* A workload is a tree of two levels. The scenario's object is a stream like any other, but may
 * take its requests from a list of streams instead of a trace, preset or generator. Every stream is
 * opened the same way: its origin, then its transformations around it. All parts of a workload lie
 * in one arena, which the outermost source owns. */
#include "workloads/workload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/clock.h"
#include "workloads/generator.h"
#include "workloads/merge.h"
#include "workloads/presets.h"
#include "workloads/trace.h"
#include "workloads/transform.h"

#define STREAMS_MAX 64
#define RATE_MAX    1e9
#define COUNT_MAX   1e15

/* [from, to], either of them NaN (null in JSON) where open; empty when absent. */
struct range_config {
    struct config_list bounds; /* of double */
};

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
    double rate_per_s, rate_scale;
    int64_t repeat;
    int64_t limit; /* INT64_MIN: none */
    double duration_s;
};

struct workload_config {
    struct stream_config stream;
};

/* Field tables. */

static const char *const zero_rules[] = {"drop", "one", "error", NULL};

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
             .names = zero_rules},
            {.name = "sort",
             .kind = CONFIG_BOOL,
             .offset = offsetof(struct trace_options, sort),
             .doc = "sort times that are out of order, in memory",
             .preset = "false"},
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
    {                                                                                              \
        .name = "duration_s", .kind = CONFIG_NUMBER, AT(duration_s), .doc = "end after this time", \
        .optional = true, .min = 0, .max = CLOCK_MAX_S, .above_min = true                          \
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

/* Names. */

static const struct stream_config *workload_streams(const void *config, uint32_t *count)
{
    const struct stream_config *stream = &((const struct workload_config *)config)->stream;
    *count = stream->streams.count ? (uint32_t)stream->streams.count : 1;
    return stream->streams.count ? stream->streams.items : stream;
}

static const char *stream_name(const struct stream_config *stream)
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

uint32_t workload_stream_count(const void *config)
{
    uint32_t count;
    workload_streams(config, &count);
    return count;
}

const char *workload_stream_name(const void *config, uint32_t stream)
{
    uint32_t count;
    return stream_name(&workload_streams(config, &count)[stream]);
}

static bool endless(const struct stream_config *stream)
{
    if (stream->limit != INT64_MIN || !isnan(stream->duration_s))
        return false;
    if (stream->window_s.count && !isnan(((const double *)stream->window_s.items)[1]))
        return false;
    const struct stream_config *inner = stream->streams.items;
    for (size_t i = 0; i < stream->streams.count; i++)
        if (endless(&inner[i]))
            return true;
    return stream->preset >= 0 || stream->generator;
}

bool workload_is_endless(const void *config)
{
    return endless(&((const struct workload_config *)config)->stream);
}

/* Opening. */

struct opening {
    struct arena *arena;
    const char *base_folder;
    uint64_t seed, replication;
    struct error *error;
};

static bool closed_loop(const struct stream_config *stream)
{
    const struct stream_config *inner = stream->streams.items;
    for (size_t i = 0; i < stream->streams.count; i++)
        if (closed_loop(&inner[i]))
            return true;
    return stream->generator && generator_is_closed_loop(stream->generator);
}

/* Generators change their rate themselves; the time of everything else is scaled. */
static bool makes_own_rate(const struct stream_config *stream)
{
    return stream->generator || stream->preset >= 0;
}

static bool refuse(const struct place *place, const char *key, struct error *error, const char *why,
                   const char *hint)
{
    struct place at = place_key(place, key);
    place_error(&at, error, "%s", why);
    return error_hint(error, "%s", hint);
}

static bool check_origin(const struct stream_config *stream, const struct place *place,
                         struct error *error)
{
    int origins = (stream->trace != NULL) + (stream->preset >= 0) + (stream->generator != NULL) +
                  (stream->streams.count > 0);
    if (origins == 1)
        return true;
    place_error(place, error,
                origins ? "requests can come from one origin only"
                        : "nothing says where requests come from");
    return error_hint(error, "give one of \"trace\", \"preset\", \"generator\" and, in the "
                             "workload itself, \"streams\"");
}

/* What needs a future that a closed loop, which follows the system, does not have. */
static bool check_closed_loop(const struct stream_config *stream, const struct place *place,
                              struct error *error)
{
    const struct {
        const char *key;
        bool given;
    } needs_future[] = {{"window_s", stream->window_s.count > 0},
                        {"rate_per_s", !isnan(stream->rate_per_s)},
                        {"rate_scale", !isnan(stream->rate_scale)},
                        {"repeat", stream->repeat > 1}};
    for (size_t i = 0; i < sizeof needs_future / sizeof *needs_future; i++)
        if (needs_future[i].given)
            return refuse(place, needs_future[i].key, error,
                          "a closed loop has no arrival times of its own to change",
                          "filter, clip, limit and duration_s work on a closed loop");
    return true;
}

static bool check_rate(const struct stream_config *stream, const struct place *place,
                       struct error *error)
{
    if (!isnan(stream->rate_per_s) && !isnan(stream->rate_scale))
        return refuse(place, "rate_scale", error,
                      "\"rate_per_s\" already says what the rate shall be",
                      "give only one of the two");
    return true;
}

/* Does the stream end before its own repetition and limit are applied? */
static bool ends_by_itself(const struct stream_config *stream)
{
    struct stream_config bare = *stream;
    bare.limit = INT64_MIN;
    bare.duration_s = NAN;
    return !endless(&bare);
}

static bool check_ending(const struct stream_config *stream, const struct place *place,
                         struct error *error)
{
    if (ends_by_itself(stream))
        return true;
    if (stream->repeat > 1)
        return refuse(place, "repeat", error, "an endless stream cannot be repeated",
                      "say with window_s which stretch of it to repeat");
    if (!isnan(stream->rate_per_s) && !makes_own_rate(stream))
        return refuse(place, "rate_per_s", error, "endless streams together have no mean rate yet",
                      "give rate_scale here, or a rate_per_s to each stream");
    return true;
}

static bool check_stream(const struct stream_config *stream, const struct place *place,
                         struct error *error)
{
    return check_origin(stream, place, error) && check_rate(stream, place, error) &&
           (closed_loop(stream) ? check_closed_loop(stream, place, error)
                                : check_ending(stream, place, error));
}

static bool check_names(const struct stream_config *streams, size_t count,
                        const struct place *place, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(stream_name(&streams[i]), stream_name(&streams[j])) == 0) {
                struct place at = place_index(place, i);
                place_error(&at, error, "stream %zu is called \"%s\" too", j,
                            stream_name(&streams[i]));
                return error_hint(error, "give each a \"name\" of its own");
            }
    return true;
}

/* Bounds of a range, 0 and INFINITY where open. */
static bool read_range(const struct config_list *range, double bounds[2], const struct place *place,
                       const char *key, struct error *error)
{
    const double *given = range->items;
    bounds[0] = range->count && !isnan(given[0]) ? given[0] : 0;
    bounds[1] = range->count && !isnan(given[1]) ? given[1] : INFINITY;
    struct place at = place_key(place, key);
    return bounds[0] <= bounds[1] ||
           place_error(&at, error, "starts at %g, after its end %g", bounds[0], bounds[1]);
}

static uint32_t token_bound(double bound)
{
    return bound > UINT32_MAX ? UINT32_MAX : (uint32_t)bound;
}

static bool read_token_range(const struct token_range_config *config, struct token_range *range,
                             const struct place *place, const char *key, struct error *error)
{
    struct place at = place_key(place, key);
    double prompt[2], output[2];
    if (!read_range(&config->prompt_tok, prompt, &at, "prompt_tok", error) ||
        !read_range(&config->output_tok, output, &at, "output_tok", error))
        return false;
    *range = (struct token_range){
        .prompt_min_tok = token_bound(fmax(1, ceil(prompt[0]))),
        .prompt_max_tok = token_bound(fmax(1, floor(prompt[1]))),
        .output_min_tok = token_bound(fmax(1, ceil(output[0]))),
        .output_max_tok = token_bound(fmax(1, floor(output[1]))),
    };
    return true;
}

/* Transformations, one function each: they take the source so far and give the next, or NULL. On
 * failure the source so far is destroyed. */

static struct source *add_window(struct source *source, const struct stream_config *stream,
                                 const struct opening *opening, const struct place *place)
{
    double bounds[2];
    if (!source || !stream->window_s.count)
        return source;
    if (read_range(&stream->window_s, bounds, place, "window_s", opening->error))
        return transform_window(source, bounds[0], bounds[1], opening->arena);
    source_destroy(source);
    return NULL;
}

static struct source *add_filter(struct source *source, const struct stream_config *stream,
                                 const struct opening *opening, const struct place *place)
{
    struct token_range range;
    if (!source || !stream->filter)
        return source;
    if (read_token_range(stream->filter, &range, place, "filter", opening->error))
        return transform_filter(source, &range, opening->arena);
    source_destroy(source);
    return NULL;
}

static struct source *add_clip(struct source *source, const struct stream_config *stream,
                               const struct opening *opening, const struct place *place)
{
    struct token_range range;
    if (!source || !stream->clip)
        return source;
    if (read_token_range(stream->clip, &range, place, "clip", opening->error))
        return transform_clip(source, &range, opening->arena);
    source_destroy(source);
    return NULL;
}

static struct source *add_rate(struct source *source, const struct stream_config *stream,
                               const struct opening *opening)
{
    if (!source || makes_own_rate(stream))
        return source;
    double factor = isnan(stream->rate_scale) ? 1 : stream->rate_scale;
    if (!isnan(stream->rate_per_s)) {
        double own_rate_per_s;
        if (!source_mean_rate(source, &own_rate_per_s, opening->error)) {
            source_destroy(source);
            return NULL;
        }
        factor = stream->rate_per_s / own_rate_per_s;
    }
    return factor == 1 ? source : transform_rate(source, factor, opening->arena);
}

static struct source *add_repeat(struct source *source, const struct stream_config *stream,
                                 const struct opening *opening)
{
    if (!source || stream->repeat == 1)
        return source;
    return transform_repeat(source, (uint64_t)stream->repeat, opening->arena);
}

static struct source *add_limit(struct source *source, const struct stream_config *stream,
                                const struct opening *opening)
{
    bool counted = stream->limit != INT64_MIN, timed = !isnan(stream->duration_s);
    if (!source || (!counted && !timed))
        return source;
    return transform_limit(source, counted ? (uint64_t)stream->limit : UINT64_MAX,
                           timed ? stream->duration_s : INFINITY, opening->arena);
}

static struct source *add_transforms(struct source *source, const struct stream_config *stream,
                                     const struct opening *opening, const struct place *place)
{
    source = add_window(source, stream, opening, place);
    source = add_filter(source, stream, opening, place);
    source = add_clip(source, stream, opening, place);
    source = add_rate(source, stream, opening);
    source = add_repeat(source, stream, opening);
    return add_limit(source, stream, opening);
}

static struct source *open_trace(const struct stream_config *stream, const struct opening *opening)
{
    struct trace_options options = *stream->trace;
    if (options.path[0] != '/' && opening->base_folder)
        options.path = arena_printf(opening->arena, "%s/%s", opening->base_folder, options.path);
    return trace_open(&options, opening->error);
}

static struct source *open_generator(const struct stream_config *stream,
                                     const struct opening *opening, const struct place *place)
{
    size_t count;
    const struct generator_config *config =
        stream->generator ? stream->generator : preset_list(&count)[stream->preset].generator;
    const struct generator_rate rate = {stream->rate_per_s, stream->rate_scale};
    const struct stream_seed seed = {opening->seed, opening->replication, stream_name(stream)};
    struct place at = place_key(place, stream->generator ? "generator" : "preset");
    return generator_open(config, rate, &seed, opening->arena, &at, opening->error);
}

static struct source *open_stream(const struct stream_config *stream, const struct opening *opening,
                                  const struct place *place);

static struct source *open_merge(const struct stream_config *stream, const struct opening *opening,
                                 const struct place *place)
{
    const struct stream_config *inner = stream->streams.items;
    uint32_t count = (uint32_t)stream->streams.count;
    struct place list = place_key(place, "streams");
    if (!check_names(inner, count, &list, opening->error))
        return NULL;
    struct source *sources[STREAMS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        struct place at = place_index(&list, i);
        sources[i] = open_stream(&inner[i], opening, &at);
        if (!sources[i]) {
            while (i > 0)
                source_destroy(sources[--i]);
            return NULL;
        }
    }
    return merge_create(sources, count, opening->arena);
}

static struct source *open_stream(const struct stream_config *stream, const struct opening *opening,
                                  const struct place *place)
{
    if (!check_stream(stream, place, opening->error))
        return NULL;
    struct source *origin = stream->trace           ? open_trace(stream, opening)
                            : stream->streams.count ? open_merge(stream, opening, place)
                                                    : open_generator(stream, opening, place);
    return add_transforms(origin, stream, opening, place);
}

/* The outermost source: owns the arena, and knows how far the clock goes. An endless stream ends
 * there, since nobody can have meant to see the rest; one that was given an end of its own must
 * not be cut short silently. */
struct workload {
    struct source base;
    struct source *inner;
    struct arena *arena;
    bool endless;
};

static enum source_status workload_peek(struct source *source, double *time_s, struct error *error)
{
    const struct workload *workload = (const struct workload *)source;
    enum source_status status = source_peek(workload->inner, time_s, error);
    if (status != SOURCE_READY || *time_s <= CLOCK_MAX_S)
        return status;
    if (workload->endless)
        return SOURCE_END;
    error_set(error, ERROR_BAD_INPUT,
              "requests arrive after %.0f days, the longest that can be "
              "simulated",
              CLOCK_MAX_S / 86400);
    error_hint(error, "raise the workload's rate, or lower its limit or repeat");
    return SOURCE_FAILED;
}

static void workload_take(struct source *source, struct arrival *arrival)
{
    source_take(((struct workload *)source)->inner, arrival);
}

static void workload_ended(struct source *source, uint32_t stream, uint32_t client, double now_s)
{
    source_ended(((struct workload *)source)->inner, stream, client, now_s);
}

static bool workload_rewind(struct source *source, struct error *error)
{
    struct source *inner = ((struct workload *)source)->inner;
    if (!inner->ops->rewind)
        return error_set(error, ERROR_FAILED, "a %s cannot be read twice", inner->ops->name);
    return inner->ops->rewind(inner, error);
}

static uint64_t workload_skipped(const struct source *source)
{
    return source_skipped(((const struct workload *)source)->inner);
}

static void workload_destroy(struct source *source)
{
    struct workload *workload = (struct workload *)source;
    source_destroy(workload->inner);
    arena_destroy(workload->arena);
}

static const struct source_ops workload_ops = {
    .name = "workload",
    .peek = workload_peek,
    .take = workload_take,
    .ended = workload_ended,
    .rewind = workload_rewind,
    .skipped = workload_skipped,
    .destroy = workload_destroy,
};

struct source *workload_open(const void *config, const char *base_folder, uint64_t seed,
                             uint64_t replication, const struct json_document *document,
                             const char *pointer, struct error *error)
{
    const struct stream_config *stream = &((const struct workload_config *)config)->stream;
    const struct opening opening = {arena_create(), base_folder, seed, replication, error};
    struct place place = {.document = document};
    snprintf(place.pointer, sizeof place.pointer, "%s", pointer);
    struct workload *workload = ARENA_NEW(opening.arena, struct workload);
    *workload = (struct workload){.base = {&workload_ops},
                                  .inner = open_stream(stream, &opening, &place),
                                  .arena = opening.arena,
                                  .endless = endless(stream)};
    if (workload->inner)
        return &workload->base;
    arena_destroy(opening.arena);
    return NULL;
}
