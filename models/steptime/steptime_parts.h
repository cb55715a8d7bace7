/* The insides of a compiled step time, shared by the files that compile one: steptime.c (one
 * stage), pipeline.c (several) and draft.c (with a draft model's). Nobody else includes this.
 *
 * A compiled step time is a few tables:
 *
 *   decodes only:  decode_base[n] + attention(n, K)
 *   with prompts:  max(by_tokens[m] + mixed_attention(n, K) + what each chunk's attention takes,
 *                  launch) + per_decode * n + head[rows] + prefill_step
 *
 * with m tokens in the batch, n decodes with K tokens of context in all, and `rows` that may emit a
 * token. With a draft model, draft[n] comes for the n sequences that emit. attention(n, .) and
 * mixed_attention(n, .), which may be the same, are chains of lines in K; they meet exactly, in
 * integers, so the time never falls where one line hands over to the next. decode_base differs from
 * the other sum by the padding to CUDA graph sizes.
 *
 * Tables over m and n are sampled: each value up to 64, then 16 to the octave, with straight lines
 * between, which is far finer than what is known of the kernels.
 *
 * A pipeline's decodes are such chains, too, made from those of its stages; with prompts the stages
 * are asked one by one. */
#ifndef TOKENYARD_MODELS_STEPTIME_STEPTIME_PARTS_H
#define TOKENYARD_MODELS_STEPTIME_STEPTIME_PARTS_H

#include "models/steptime/steptime.h"

struct pipeline; /* pipeline.c */

/* Context of each sequence at which the lines of decode attention meet. */
extern const double context_knots[];

enum {
    LINES_MAX = 12, /* context_knots */
    PREFILL_KNOTS_MAX = 128,
};

/* F(length): attention of a whole prompt, in fine units, convex and rising. */
struct prefill_curve {
    size_t knots;
    double length[PREFILL_KNOTS_MAX], time[PREFILL_KNOTS_MAX];
};

struct steptime {
    int64_t max_sequences, max_batch_tokens;
    int64_t decode_tok; /* of each decode */
    size_t lines;       /* per n */
    fine_t per_decode;  /* of a batch with prompts */
    fine_t prefill_step;
    fine_t launch;                       /* step and layers take no less */
    double key;                          /* fine units */
    fine_t *by_tokens;                   /* [max_batch_tokens + 1] */
    fine_t *head;                        /* [max_sequences * decode_tok + 1] */
    fine_t *draft;                       /* [max_sequences + 1]; NULL: none */
    fine_t *decode_base;                 /* [max_sequences + 1] */
    struct decode_line *attention;       /* [max_sequences + 1][lines], without decode_base */
    struct decode_line *mixed_attention; /* likewise, beside prompts; may be the same array */
    struct prefill_curve prefill;
    struct pipeline *pipeline; /* NULL: one stage, whose tables these are */
};

/* Zeros, with `lines` per n. NULL and an error when out of memory. */
struct steptime *steptime_allocate(const struct steptime_limits *limits, size_t lines,
                                   struct error *error);

/* Lines that a sequence of the longest context can reach. */
size_t steptime_needed_lines(int64_t max_context_tok);

/* A chain of lines through (n * knot, value), flat before the first. Values rise. Slopes are whole
 * fine units; each line starts where the last one ended. */
void steptime_chain_lines(struct decode_line *lines, size_t count, int64_t n, const fine_t *values);

bool steptime_check_longest(double iteration_s, struct error *error);

/* Of the tables: no iteration takes longer. In seconds. */
double steptime_longest_s(const struct steptime *steptime, const struct steptime_limits *limits);

/* A chunk's attention, in fine units. */
double steptime_chunk(const struct steptime *steptime, struct prefill_chunk chunk);

/* An iteration of n decodes and prompts, of `tokens` in all; `attention`: of the prompts' chunks.
 */
fine_t steptime_with_prompts(const struct steptime *steptime, int64_t n, int64_t context_tok,
                             int64_t tokens, double attention, int64_t finishing);

/* --- pipeline.c --- */

fine_t pipeline_with_prompts(const struct pipeline *pipeline, int64_t n, int64_t context_tok,
                             const struct prefill_chunk *chunks, int64_t count, int64_t finishing);
void pipeline_destroy(struct pipeline *pipeline); /* NULL is allowed */

#endif
