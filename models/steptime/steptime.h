/* How long one engine iteration takes: one compiled object per deployment.
 *
 * The engine asks two things only: the time of an iteration that decodes n sequences holding K
 * tokens of context in all (a line in K, so that many iterations have a closed form), and the extra
 * of an iteration that also prefills. Everything is compiled into arrays of integers (fine units,
 * sim/clock.h) before the run; asking costs a few loads. */
#ifndef TOKENYARD_MODELS_STEPTIME_STEPTIME_H
#define TOKENYARD_MODELS_STEPTIME_STEPTIME_H

#include <stddef.h>
#include <stdint.h>

#include "sim/clock.h"
#include "sim/error.h"

/* time(K) = base + slope * K, valid while K <= until (INT64_MAX on the last line). Lines meet or
 * rise: a longer context never takes less time. */
struct decode_line {
    fine_t base;
    fine_t slope;
    int64_t until;
};

/* A part of a prompt processed in one iteration: `tokens` new ones after `start` already in the
 * cache. */
struct prefill_chunk {
    int64_t start;
    int64_t tokens;
};

struct steptime; /* immutable once compiled; may be shared by replicas and threads */

struct kernel_sum; /* models/steptime/kernel_sum.h */

/* What the engine may ask for. */
struct steptime_limits {
    int64_t max_sequences;    /* n never exceeds it */
    int64_t max_batch_tokens; /* tokens of one iteration never exceed it, decodes alone aside */
    int64_t max_context_tok;  /* K never exceeds it: the tokens that the KV cache holds */
    /* Rising batch sizes that CUDA graphs were captured for: an iteration that only decodes is
     * padded to the next one, if there is one. NULL: none, and no padding. */
    const int64_t *graph_sizes;
    size_t graph_size_count;
    int64_t decode_tok; /* of each decode in one iteration: more where it verifies drafts; 0 is 1 */
};

/* Samples the sum (about 2,000 calls, below a millisecond) and evens it out: more sequences, tokens
 * or context never take less time. NULL on error: an iteration could exceed FINE_MAX_S. The caller
 * destroys it. */
struct steptime *steptime_compile_sum(const struct kernel_sum *sum,
                                      const struct steptime_limits *limits, struct error *error);

/* Adds what drafting costs: in each iteration, `first` over the same tokens (a draft model reads
 * the prompts, too), and `passes` times an iteration of `next`, one token for each sequence. Both
 * were compiled with the limits of `steptime`, `next` with a decode_tok of 1. */
bool steptime_add_draft(struct steptime *steptime, const struct steptime *first,
                        const struct steptime *next, int64_t passes, struct error *error);

/* A step time given outright, for known answers: base_s + per_sequence_s * n + per_context_token_s
 * * K + per_prefill_token_s * tokens. Each of the four is rounded to fine units once; all else is
 * exact. */
struct steptime_given {
    double base_s, per_sequence_s, per_context_token_s, per_prefill_token_s;
};
struct steptime *steptime_compile_given(const struct steptime_given *given, int64_t max_sequences,
                                        int64_t max_batch_tokens, int64_t max_context_tok,
                                        struct error *error);
void steptime_destroy(struct steptime *steptime); /* NULL is allowed */

/* An iteration that only decodes: 1 <= n <= max_sequences, K >= n tokens in the cache at its start.
 * Each sequence adds a token to K by decoding: the caller asks again once K passes `until`. */
struct decode_line steptime_decode(const struct steptime *steptime, int64_t n, int64_t context_tok);

/* An iteration of n decodes (n may be 0) and `count` chunks, of which `finishing` complete their
 * prompt and emit a token. Without chunks it equals steptime_decode's line, to the bit. */
fine_t steptime_mixed(const struct steptime *steptime, int64_t n, int64_t context_tok,
                      const struct prefill_chunk *chunks, int64_t count, int64_t finishing);

#endif
