/* A workload is a tree of two levels. The scenario's object is a stream like any other, but may
 * take its requests from a list of streams instead of a trace, preset or generator. Every stream is
 * opened the same way: its origin, then its transformations around it. All parts of a workload lie
 * in one arena, which the outermost source owns. */
#include "workloads/workload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/clock.h"
#include "workloads/closed_replay.h"
#include "workloads/merge.h"
#include "workloads/stream_config.h"
#include "workloads/transform.h"

/* Made-up requests in a row that a filter may leave out; one that leaves out more, if it ever lets
 * any pass, takes too long. */
#define FILTER_PATIENCE 1000000

struct opening {
    struct arena *arena;
    const char *base_folder;
    uint64_t seed, replication;
    struct error *error;
};

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
    return !stream_config_is_endless(&bare);
}

static bool check_ending(const struct stream_config *stream, const struct place *place,
                         struct error *error)
{
    if (ends_by_itself(stream))
        return true;
    if (stream->repeat > 1)
        return refuse(place, "repeat", error, "an endless stream cannot be repeated",
                      "say with window_s which stretch of it to repeat");
    if (!isnan(stream->rate_per_s) && !stream_config_generator(stream))
        return refuse(place, "rate_per_s", error, "endless streams together have no mean rate yet",
                      "give rate_scale here, or a rate_per_s to each stream");
    return true;
}

/* A trace may name blocks itself. */
static bool check_shared_prefix(const struct stream_config *stream, const struct place *place,
                                struct error *error)
{
    return !stream->shared_prefix || stream_config_generator(stream) ||
           refuse(place, "shared_prefix", error,
                  "system prompts are put in front of made-up prompts only",
                  "give it to a stream that has a preset or a generator");
}

static bool check_start(const struct stream_config *stream, const struct place *place,
                        struct error *error)
{
    return stream->start_s == 0 || !stream_config_is_closed_loop(stream) ||
           refuse(place, "start_s", error, "a closed loop's times cannot be shifted",
                  "clients of a closed loop can begin one after the other, by ramp_s");
}

static bool check_stream(const struct stream_config *stream, const struct place *place,
                         struct error *error)
{
    bool follows = stream_config_is_closed_loop(stream) && !stream_config_closes_trace(stream);
    return check_origin(stream, place, error) && check_rate(stream, place, error) &&
           check_shared_prefix(stream, place, error) && check_start(stream, place, error) &&
           (follows ? check_closed_loop(stream, place, error) : check_ending(stream, place, error));
}

static bool check_names(const struct stream_config *streams, size_t count,
                        const struct place *place, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(stream_config_name(&streams[i]), stream_config_name(&streams[j])) == 0) {
                struct place at = place_index(place, i);
                place_error(&at, error, "stream %zu is called \"%s\" too", j,
                            stream_config_name(&streams[i]));
                return error_hint(error, "give each a \"name\" of its own");
            }
    return true;
}

/* Bounds of a range; where open, least and INFINITY. */
static bool read_range(const struct config_list *range, double least, double bounds[2],
                       const struct place *place, const char *key, struct error *error)
{
    const double *given = range->items;
    bounds[0] = range->count && given[0] > least ? given[0] : least;
    bounds[1] = range->count && !isnan(given[1]) ? given[1] : INFINITY;
    struct place at = place_key(place, key);
    return bounds[0] <= bounds[1] ||
           place_error(&at, error, "nothing lies between %g and %g", bounds[0], bounds[1]);
}

static uint32_t token_bound(double bound)
{
    return bound > UINT32_MAX ? UINT32_MAX : (uint32_t)bound;
}

/* config: NULL where absent. */
static bool read_token_range(const struct token_range_config *config, struct token_range *range,
                             const struct place *place, const char *key, struct error *error)
{
    struct place at = place_key(place, key);
    double prompt[2], output[2];
    if (!config)
        return true;
    if (!read_range(&config->prompt_tok, 1, prompt, &at, "prompt_tok", error) ||
        !read_range(&config->output_tok, 1, output, &at, "output_tok", error))
        return false;
    *range = (struct token_range){
        .prompt_min_tok = token_bound(ceil(prompt[0])),
        .prompt_max_tok = token_bound(prompt[1]),
        .output_min_tok = token_bound(ceil(output[0])),
        .output_max_tok = token_bound(output[1]),
    };
    return true;
}

struct ranges {
    double window_s[2];
    struct token_range filter, clip; /* where given */
};

static bool read_ranges(const struct stream_config *stream, struct ranges *ranges,
                        const struct place *place, struct error *error)
{
    return read_range(&stream->window_s, 0, ranges->window_s, place, "window_s", error) &&
           read_token_range(stream->filter, &ranges->filter, place, "filter", error) &&
           read_token_range(stream->clip, &ranges->clip, place, "clip", error);
}

/* What the times of the stream are to be divided by: 1 for a generator, which changes its rate
 * itself. NaN on error. */
static double time_factor(struct source *source, const struct stream_config *stream,
                          const struct place *place, struct error *error)
{
    if (stream_config_generator(stream))
        return 1;
    if (isnan(stream->rate_per_s))
        return isnan(stream->rate_scale) ? 1 : stream->rate_scale;
    double own_rate_per_s;
    if (!source_mean_rate(source, &own_rate_per_s, error))
        return NAN;
    if (isnan(own_rate_per_s))
        refuse(place, "rate_per_s", error, "this stream has no mean rate that could be changed",
               "it needs at least two requests, at different times");
    return stream->rate_per_s / own_rate_per_s;
}

/* The source wrapped in what can be done to it without looking at it. */
static struct source *select_requests(struct source *source, const struct stream_config *stream,
                                      const struct ranges *ranges, struct arena *arena)
{
    uint64_t patience = stream_config_is_made_up(stream) ? FILTER_PATIENCE : UINT64_MAX;
    if (stream->window_s.count)
        source = transform_window(source, ranges->window_s[0], ranges->window_s[1], arena);
    if (stream->filter)
        source = transform_filter(source, &ranges->filter, patience, arena);
    if (stream->clip)
        source = transform_clip(source, &ranges->clip, arena);
    return source;
}

static struct source *stretch_time(struct source *source, const struct stream_config *stream,
                                   double factor, struct arena *arena)
{
    bool timed = !isnan(stream->duration_s), counted = stream->limit != INT64_MIN;
    if (factor != 1)
        source = transform_rate(source, factor, arena);
    if (stream->repeat > 1)
        source = transform_repeat(source, (uint64_t)stream->repeat, arena);
    if (stream_config_closes_trace(stream))
        source = closed_replay_create(source, arena);
    if (timed || counted)
        source = transform_limit(source, counted ? (uint64_t)stream->limit : UINT64_MAX,
                                 timed ? stream->duration_s : INFINITY, arena);
    if (stream->start_s > 0)
        source = transform_window(source, -stream->start_s, INFINITY, arena);
    return source;
}

/* A closed replay of a trace that names no sessions would be an open one. */
static struct source *check_sessions(struct source *trace, const struct stream_config *stream,
                                     const struct place *place, struct error *error)
{
    if (!trace || !stream_config_closes_trace(stream) || trace_names_sessions(trace))
        return trace;
    source_destroy(trace);
    struct place at = place_key(place, "trace");
    refuse(&at, "sessions", error, "this trace's format names no sessions that could be closed",
           "aiperf, bailian, burstgpt and blis do");
    return NULL;
}

static struct source *open_trace(const struct stream_config *stream, const struct opening *opening,
                                 const struct place *place)
{
    struct trace_options options = *stream->trace;
    if (options.path[0] != '/' && opening->base_folder)
        options.path = arena_printf(opening->arena, "%s/%s", opening->base_folder, options.path);
    return check_sessions(trace_open(&options, opening->error), stream, place, opening->error);
}

static struct source *open_generator(const struct stream_config *stream,
                                     const struct opening *opening, const struct place *place)
{
    const struct generator_rate rate = {stream->rate_per_s, stream->rate_scale};
    const struct stream_seed seed = {opening->seed, opening->replication,
                                     stream_config_name(stream)};
    struct place at = place_key(place, stream->generator ? "generator" : "preset");
    return generator_open(stream_config_generator(stream), rate, &seed, opening->arena, &at,
                          opening->error);
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

static struct source *add_shared_prefix(struct source *source, const struct stream_config *stream,
                                        const struct opening *opening)
{
    const struct stream_seed seed = {opening->seed, opening->replication,
                                     stream_config_name(stream)};
    if (!stream->shared_prefix)
        return source;
    return shared_prefix_open(source, stream->shared_prefix, &seed, opening->arena, opening->error);
}

static struct source *open_stream(const struct stream_config *stream, const struct opening *opening,
                                  const struct place *place)
{
    struct ranges ranges;
    if (!check_stream(stream, place, opening->error) ||
        !read_ranges(stream, &ranges, place, opening->error))
        return NULL;
    struct source *source = stream->trace           ? open_trace(stream, opening, place)
                            : stream->streams.count ? open_merge(stream, opening, place)
                                                    : open_generator(stream, opening, place);
    if (!source)
        return NULL;
    source = select_requests(source, stream, &ranges, opening->arena);
    source = add_shared_prefix(source, stream, opening);
    if (!source)
        return NULL;
    double factor = time_factor(source, stream, place, opening->error);
    if (!isnan(factor))
        return stretch_time(source, stream, factor, opening->arena);
    source_destroy(source);
    return NULL;
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

static void workload_ended(struct source *source, const struct arrival_end *end)
{
    source_ended(((struct workload *)source)->inner, end);
}

static bool workload_rewind(struct source *source, struct error *error)
{
    return source_rewind(((struct workload *)source)->inner, error);
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
                                  .endless = stream_config_is_endless(stream)};
    if (workload->inner)
        return &workload->base;
    arena_destroy(opening.arena);
    return NULL;
}
