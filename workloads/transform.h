/* What can be done to a stream of requests: sources that wrap a source.
 *
 * Every function wraps `inner`, which it owns from then on, in a source allocated in the arena;
 * costs a few nanoseconds per request and O(1) memory. Sources that cannot be rewound (closed
 * loops) may be filtered, clipped and limited only: the others need to know the future. */
#ifndef TOKENYARD_WORKLOADS_TRANSFORM_H
#define TOKENYARD_WORKLOADS_TRANSFORM_H

#include "sim/arena.h"
#include "workloads/source.h"

/* Inclusive bounds on both lengths. */
struct token_range {
    uint32_t prompt_min_tok, prompt_max_tok, output_min_tok, output_max_tok;
};

/* Only arrivals with from_s <= time < to_s; from_s becomes time 0; a negative
 * one delays all. */
struct source *transform_window(struct source *inner, double from_s, double to_s,
                                struct arena *arena);

/* Only requests in the range. In a closed loop a request left out ends at once. An error when more
 * than `patience` in a row are left out: an endless source would never return. */
struct source *transform_filter(struct source *inner, const struct token_range *keep,
                                uint64_t patience, struct arena *arena);

/* Lengths outside the range are moved to its nearer bound. */
struct source *transform_clip(struct source *inner, const struct token_range *range,
                              struct arena *arena);

/* Times are divided by the factor, so that the rate is multiplied by it. */
struct source *transform_rate(struct source *inner, double factor, struct arena *arena);

/* The whole stream `times` times, one after the other. The gap from the last arrival to the first
 * of the next repetition is the mean time between arrivals, so that the mean rate stays. Sessions
 * get new numbers in each repetition; hash_ids stay: a prefix cache sees the same blocks again. */
struct source *transform_repeat(struct source *inner, uint64_t times, struct arena *arena);

/* At most `count` requests (UINT64_MAX: any number), and only those that arrive before
 * duration_s. */
struct source *transform_limit(struct source *inner, uint64_t count, double duration_s,
                               struct arena *arena);

/* Reads inner to its end and rewinds it: requests per second, (n - 1) over the time from the first
 * to the last arrival; NaN when fewer than two requests arrive at different times. */
bool source_mean_rate(struct source *inner, double *rate_per_s, struct error *error);

#endif
