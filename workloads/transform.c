#include "workloads/transform.h"

#include <math.h>

#include "workloads/place.h"

/* First member of every transformation. */
struct stage {
    struct source base;
    struct source *inner;
};

static struct source *inner_of(const struct source *source)
{
    return ((const struct stage *)source)->inner;
}

static enum source_status stage_peek(struct source *source, double *time_s, struct error *error)
{
    return source_peek(inner_of(source), time_s, error);
}

static void stage_ended(struct source *source, const struct arrival_end *end)
{
    source_ended(inner_of(source), end);
}

static bool stage_rewind(struct source *source, struct error *error)
{
    return source_rewind(inner_of(source), error);
}

static uint64_t stage_skipped(const struct source *source)
{
    return source_skipped(inner_of(source));
}

static void stage_destroy(struct source *source)
{
    source_destroy(inner_of(source));
}

#define STAGE_OPS                                                                                  \
    .peek = stage_peek, .ended = stage_ended, .rewind = stage_rewind, .skipped = stage_skipped,    \
    .destroy = stage_destroy

/* --- window --- */

struct window {
    struct stage stage;
    double from_s, to_s;
};

static enum source_status window_peek(struct source *source, double *time_s, struct error *error)
{
    const struct window *window = (const struct window *)source;
    enum source_status status;
    struct arrival before;
    while ((status = stage_peek(source, time_s, error)) == SOURCE_READY && *time_s < window->from_s)
        source_take(window->stage.inner, &before);
    if (status == SOURCE_READY && *time_s >= window->to_s)
        return SOURCE_END;
    if (status == SOURCE_READY)
        *time_s -= window->from_s;
    return status;
}

static void window_take(struct source *source, struct arrival *arrival)
{
    source_take(inner_of(source), arrival);
    arrival->time_s -= ((const struct window *)source)->from_s;
}

struct source *transform_window(struct source *inner, double from_s, double to_s,
                                struct arena *arena)
{
    static const struct source_ops ops = {
        .name = "window",
        .peek = window_peek,
        .take = window_take,
        .rewind = stage_rewind,
        .skipped = stage_skipped,
        .destroy = stage_destroy,
    };
    struct window *window = ARENA_NEW(arena, struct window);
    *window = (struct window){{{&ops}, inner}, from_s, to_s};
    return &window->stage.base;
}

/* --- filter --- */

/* Lengths show only once a request is taken, so peek takes it and take hands it on. */
struct filter {
    struct stage stage;
    struct token_range keep;
    uint64_t patience;
    bool holds; /* kept is the next request */
    struct arrival kept;
};

static bool in_range(const struct token_range *range, const struct arrival *arrival)
{
    return arrival->prompt_tok >= range->prompt_min_tok &&
           arrival->prompt_tok <= range->prompt_max_tok &&
           arrival->output_tok >= range->output_min_tok &&
           arrival->output_tok <= range->output_max_tok;
}

static enum source_status filter_fail(const struct filter *filter, struct error *error)
{
    error_set(error, ERROR_BAD_INPUT, "none of %llu requests in a row passes the workload's filter",
              (unsigned long long)filter->patience);
    error_hint(error, "widen the bounds of \"filter\"");
    return SOURCE_FAILED;
}

static void end_at_once(struct source *inner, const struct arrival *arrival)
{
    source_ended(inner, &(struct arrival_end){.stream = arrival->stream,
                                              .client = arrival->client,
                                              .answer_tok = arrival->output_tok,
                                              .now_s = arrival->time_s});
}

static enum source_status filter_peek(struct source *source, double *time_s, struct error *error)
{
    struct filter *filter = (struct filter *)source;
    struct source *inner = filter->stage.inner;
    for (uint64_t tries = 0; !filter->holds; tries++) {
        enum source_status status = source_peek(inner, time_s, error);
        if (status != SOURCE_READY)
            return status;
        if (tries == filter->patience)
            return filter_fail(filter, error);
        source_take(inner, &filter->kept);
        filter->holds = in_range(&filter->keep, &filter->kept);
        if (!filter->holds && filter->kept.client != ARRIVAL_NO_ID)
            end_at_once(inner, &filter->kept);
    }
    *time_s = filter->kept.time_s;
    return SOURCE_READY;
}

static void filter_take(struct source *source, struct arrival *arrival)
{
    struct filter *filter = (struct filter *)source;
    *arrival = filter->kept;
    filter->holds = false;
}

static bool filter_rewind(struct source *source, struct error *error)
{
    ((struct filter *)source)->holds = false;
    return stage_rewind(source, error);
}

struct source *transform_filter(struct source *inner, const struct token_range *keep,
                                uint64_t patience, struct arena *arena)
{
    static const struct source_ops ops = {
        .name = "filter",
        .peek = filter_peek,
        .take = filter_take,
        .ended = stage_ended,
        .rewind = filter_rewind,
        .skipped = stage_skipped,
        .destroy = stage_destroy,
    };
    struct filter *filter = ARENA_NEW(arena, struct filter);
    *filter = (struct filter){.stage = {{&ops}, inner}, .keep = *keep, .patience = patience};
    return &filter->stage.base;
}

/* --- clip --- */

struct clip {
    struct stage stage;
    struct token_range range;
};

static uint32_t clamp(uint32_t value, uint32_t min, uint32_t max)
{
    return value < min ? min : value > max ? max : value;
}

static void clip_take(struct source *source, struct arrival *arrival)
{
    const struct token_range *range = &((const struct clip *)source)->range;
    source_take(inner_of(source), arrival);
    arrival->prompt_tok = clamp(arrival->prompt_tok, range->prompt_min_tok, range->prompt_max_tok);
    arrival->output_tok = clamp(arrival->output_tok, range->output_min_tok, range->output_max_tok);
}

struct source *transform_clip(struct source *inner, const struct token_range *range,
                              struct arena *arena)
{
    static const struct source_ops ops = {STAGE_OPS, .name = "clip", .take = clip_take};
    struct clip *clip = ARENA_NEW(arena, struct clip);
    *clip = (struct clip){{{&ops}, inner}, *range};
    return &clip->stage.base;
}

/* --- rate --- */

struct rate {
    struct stage stage;
    double factor;
};

static enum source_status rate_peek(struct source *source, double *time_s, struct error *error)
{
    enum source_status status = stage_peek(source, time_s, error);
    if (status == SOURCE_READY)
        *time_s /= ((const struct rate *)source)->factor;
    return status;
}

static void rate_take(struct source *source, struct arrival *arrival)
{
    source_take(inner_of(source), arrival);
    arrival->time_s /= ((const struct rate *)source)->factor;
}

struct source *transform_rate(struct source *inner, double factor, struct arena *arena)
{
    static const struct source_ops ops = {
        .name = "rate",
        .peek = rate_peek,
        .take = rate_take,
        .rewind = stage_rewind,
        .skipped = stage_skipped,
        .destroy = stage_destroy,
    };
    struct rate *rate = ARENA_NEW(arena, struct rate);
    *rate = (struct rate){{{&ops}, inner}, factor};
    return &rate->stage.base;
}

/* --- repeat --- */

/* The first pass measures what the others are shifted by. */
struct repeat {
    struct stage stage;
    uint64_t times;
    uint64_t pass;     /* the one that is being read, from 0 */
    uint64_t taken;    /* in the first pass */
    uint32_t sessions; /* of one pass: the largest number plus 1 */
    double first_s, last_s;
    double period_s; /* from one pass to the next; known after the first */
};

static bool next_pass(struct repeat *repeat, struct error *error)
{
    if (repeat->pass == 0) {
        if (repeat->taken < 2)
            return error_set(error, ERROR_BAD_INPUT,
                             "a stream of fewer than two requests has no mean time between "
                             "arrivals and cannot be repeated");
        double intervals = (double)(repeat->taken - 1);
        repeat->period_s = (repeat->last_s - repeat->first_s) * (double)repeat->taken / intervals;
    }
    repeat->pass++;
    return stage_rewind(&repeat->stage.base, error);
}

static enum source_status repeat_peek(struct source *source, double *time_s, struct error *error)
{
    struct repeat *repeat = (struct repeat *)source;
    enum source_status status = stage_peek(source, time_s, error);
    if (status == SOURCE_END && repeat->pass + 1 < repeat->times) {
        if (!next_pass(repeat, error))
            return SOURCE_FAILED;
        status = stage_peek(source, time_s, error);
    }
    if (status == SOURCE_READY)
        *time_s += (double)repeat->pass * repeat->period_s;
    return status;
}

static void repeat_measure(struct repeat *repeat, const struct arrival *arrival)
{
    if (repeat->taken++ == 0)
        repeat->first_s = arrival->time_s;
    repeat->last_s = arrival->time_s;
    if (arrival->session != ARRIVAL_NO_ID && arrival->session >= repeat->sessions)
        repeat->sessions = arrival->session + 1;
}

static void repeat_take(struct source *source, struct arrival *arrival)
{
    struct repeat *repeat = (struct repeat *)source;
    source_take(repeat->stage.inner, arrival);
    if (repeat->pass == 0) {
        repeat_measure(repeat, arrival);
        return;
    }
    arrival->time_s += (double)repeat->pass * repeat->period_s;
    if (arrival->session != ARRIVAL_NO_ID)
        arrival->session += (uint32_t)repeat->pass * repeat->sessions;
}

static bool repeat_rewind(struct source *source, struct error *error)
{
    struct repeat *repeat = (struct repeat *)source;
    repeat->pass = repeat->taken = repeat->sessions = 0;
    repeat->period_s = 0;
    return stage_rewind(source, error);
}

struct source *transform_repeat(struct source *inner, uint64_t times, struct arena *arena)
{
    static const struct source_ops ops = {
        .name = "repeat",
        .peek = repeat_peek,
        .take = repeat_take,
        .rewind = repeat_rewind,
        .skipped = stage_skipped,
        .destroy = stage_destroy,
    };
    struct repeat *repeat = ARENA_NEW(arena, struct repeat);
    *repeat = (struct repeat){.stage = {{&ops}, inner}, .times = times};
    return &repeat->stage.base;
}

/* --- limit --- */

struct limit {
    struct stage stage;
    uint64_t count, taken;
    double duration_s;
};

static enum source_status limit_peek(struct source *source, double *time_s, struct error *error)
{
    const struct limit *limit = (const struct limit *)source;
    if (limit->taken == limit->count)
        return SOURCE_END;
    enum source_status status = stage_peek(source, time_s, error);
    return status == SOURCE_READY && *time_s >= limit->duration_s ? SOURCE_END : status;
}

static void limit_take(struct source *source, struct arrival *arrival)
{
    ((struct limit *)source)->taken++;
    source_take(inner_of(source), arrival);
}

static bool limit_rewind(struct source *source, struct error *error)
{
    ((struct limit *)source)->taken = 0;
    return stage_rewind(source, error);
}

struct source *transform_limit(struct source *inner, uint64_t count, double duration_s,
                               struct arena *arena)
{
    static const struct source_ops ops = {
        .name = "limit",
        .peek = limit_peek,
        .take = limit_take,
        .ended = stage_ended,
        .rewind = limit_rewind,
        .skipped = stage_skipped,
        .destroy = stage_destroy,
    };
    struct limit *limit = ARENA_NEW(arena, struct limit);
    *limit = (struct limit){.stage = {{&ops}, inner}, .count = count, .duration_s = duration_s};
    return &limit->stage.base;
}

bool source_mean_rate(struct source *inner, double *rate_per_s, struct error *error)
{
    struct arrival arrival;
    double time_s, first_s = 0, last_s = 0;
    uint64_t count = 0;
    enum source_status status;
    while ((status = source_peek(inner, &time_s, error)) == SOURCE_READY) {
        source_take(inner, &arrival);
        first_s = count++ == 0 ? time_s : first_s;
        last_s = time_s;
    }
    if (status == SOURCE_FAILED)
        return false;
    *rate_per_s = last_s > first_s ? (double)(count - 1) / (last_s - first_s) : NAN;
    return source_rewind(inner, error);
}
