/* A compiled step time is four small tables and three numbers:
 *
 *   time = by_tokens[m] + per_decode * n + head[rows] + max(attention_floor, attention)
 *   attention = decode[n].slope * K + what the chunks' attention takes
 *
 * with m tokens in the batch, n of them decodes, and `rows` that emit a token. For an iteration
 * that only decodes m = rows = n, so the first three terms are one number, decode[n].base, and the
 * maximum makes two lines in K: flat up to decode[n].flat_until, then rising. */
#include "models/steptime/steptime.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/steptime/roofline.h"

struct decode_entry {
    fine_t base;
    fine_t slope;       /* per token of context */
    int64_t flat_until; /* largest K whose attention takes no longer than the floor */
};

struct steptime {
    int64_t max_sequences, max_batch_tokens;
    int64_t stages;
    fine_t attention_floor;
    fine_t per_decode;
    double pair, key;            /* of a chunk's attention, in fine units */
    fine_t *by_tokens;           /* [max_batch_tokens + 1] */
    fine_t *head;                /* [max_sequences + 1] */
    struct decode_entry *decode; /* [max_sequences + 1] */
};

static struct steptime *steptime_allocate(int64_t max_sequences, int64_t max_batch_tokens,
                                          struct error *error)
{
    assert(max_sequences >= 1 && max_batch_tokens >= 1);
    /* Engines that allow more sequences than batch tokens still may decode them all at once. */
    if (max_batch_tokens < max_sequences)
        max_batch_tokens = max_sequences;
    struct steptime *steptime = calloc(1, sizeof *steptime);
    if (steptime) {
        steptime->max_sequences = max_sequences;
        steptime->max_batch_tokens = max_batch_tokens;
        steptime->stages = 1;
        steptime->by_tokens = calloc((size_t)max_batch_tokens + 1, sizeof *steptime->by_tokens);
        steptime->head = calloc((size_t)max_sequences + 1, sizeof *steptime->head);
        steptime->decode = calloc((size_t)max_sequences + 1, sizeof *steptime->decode);
        if (steptime->by_tokens && steptime->head && steptime->decode)
            return steptime;
    }
    steptime_destroy(steptime);
    error_set(error, ERROR_FAILED, "out of memory for step times of %lld batch tokens",
              (long long)max_batch_tokens);
    return NULL;
}

void steptime_destroy(struct steptime *steptime)
{
    if (!steptime)
        return;
    free(steptime->by_tokens);
    free(steptime->head);
    free(steptime->decode);
    free(steptime);
}

/* A chunk's queries attend to the tokens before it and, causally, to itself. Pipelines cut it into
 * micro-batches, of which each reads all keys. */
static double chunk_attention(const struct steptime *steptime, struct prefill_chunk chunk)
{
    double tokens = (double)chunk.tokens, start = (double)chunk.start;
    double queries = (double)((chunk.tokens + steptime->stages - 1) / steptime->stages);
    double pairs = queries * (start + 0.5 * (tokens + 1));
    return fmax(pairs * steptime->pair, (start + tokens) * steptime->key);
}

/* Upper bound of any iteration, in seconds: every part at its largest. */
static double longest_s(const struct roofline *roofline, const struct steptime_request *request)
{
    int64_t sequences = request->max_sequences;
    double queries = (double)request->max_batch_tokens, keys = (double)request->max_context_tok;
    return request->step_overhead_s + roofline_layers_s(roofline, request->max_batch_tokens) +
           roofline_layers_s(roofline, sequences) + roofline_head_s(roofline, sequences) +
           roofline_attention_floor_s(roofline) +
           roofline_context_token_s(roofline, 1) * (keys + queries) +
           roofline_pair_s(roofline) * queries * (keys + queries);
}

static bool check_longest(double iteration_s, struct error *error)
{
    if (iteration_s <= FINE_MAX_S)
        return true;
    error_set(error, ERROR_INFEASIBLE,
              "one iteration of this deployment could take %.3g s; at most %.0f s are simulated",
              iteration_s, FINE_MAX_S);
    return error_hint(error, "lower max_num_batched_tokens, or give the pool more or faster GPUs");
}

/* Fills decode[] once all else is known. */
static void fill_decode(struct steptime *steptime, int64_t n, fine_t slope)
{
    steptime->decode[n] = (struct decode_entry){
        .base = steptime->by_tokens[n] + n * steptime->per_decode + steptime->head[n],
        .slope = slope,
        .flat_until = slope > 0 ? steptime->attention_floor / slope : INT64_MAX,
    };
}

struct steptime *steptime_compile(const struct steptime_request *request, struct error *error)
{
    struct roofline roofline = roofline_prepare(request);
    if (!check_longest(longest_s(&roofline, request), error))
        return NULL;
    struct steptime *steptime =
        steptime_allocate(request->max_sequences, request->max_batch_tokens, error);
    if (!steptime)
        return NULL;
    steptime->stages = request->pipeline_parallel;
    steptime->attention_floor = fine_from_s(roofline_attention_floor_s(&roofline));
    steptime->pair = roofline_pair_s(&roofline) * FINE_PER_S;
    steptime->key = roofline_key_s(&roofline) * FINE_PER_S;
    for (int64_t m = 1; m <= steptime->max_batch_tokens; m++)
        steptime->by_tokens[m] =
            fine_from_s(request->step_overhead_s + roofline_layers_s(&roofline, m));
    for (int64_t n = 1; n <= steptime->max_sequences; n++) {
        steptime->head[n] = fine_from_s(roofline_head_s(&roofline, n));
        fill_decode(steptime, n, fine_from_s(roofline_context_token_s(&roofline, n)));
    }
    return steptime;
}

static bool check_given(const struct steptime_given *given, struct error *error)
{
    const double parts[] = {given->base_s, given->per_sequence_s, given->per_context_token_s,
                            given->per_prefill_token_s};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!(parts[i] >= 0 && parts[i] <= FINE_MAX_S))
            return error_set(error, ERROR_BAD_INPUT,
                             "each part of a given step time must be from 0 to %.0f s", FINE_MAX_S);
    return true;
}

struct steptime *steptime_compile_given(const struct steptime_given *given, int64_t max_sequences,
                                        int64_t max_batch_tokens, int64_t max_context_tok,
                                        struct error *error)
{
    double most_s = given->base_s + given->per_sequence_s * (double)max_sequences +
                    given->per_context_token_s * (double)max_context_tok +
                    given->per_prefill_token_s * (double)(max_batch_tokens + max_sequences);
    if (!check_given(given, error) || !check_longest(most_s, error))
        return NULL;
    struct steptime *steptime = steptime_allocate(max_sequences, max_batch_tokens, error);
    if (!steptime)
        return NULL;
    /* A decode is a batch token, too, that costs something else than a prompt's. */
    fine_t base = fine_from_s(given->base_s), per_token = fine_from_s(given->per_prefill_token_s);
    steptime->per_decode = fine_from_s(given->per_sequence_s) - per_token;
    for (int64_t m = 0; m <= steptime->max_batch_tokens; m++)
        steptime->by_tokens[m] = base + m * per_token;
    for (int64_t n = 0; n <= max_sequences; n++)
        fill_decode(steptime, n, fine_from_s(given->per_context_token_s));
    return steptime;
}

struct decode_line steptime_decode(const struct steptime *steptime, int64_t n, int64_t context_tok)
{
    assert(n >= 1 && n <= steptime->max_sequences);
    const struct decode_entry *entry = &steptime->decode[n];
    if (context_tok <= entry->flat_until)
        return (struct decode_line){entry->base + steptime->attention_floor, 0, entry->flat_until};
    return (struct decode_line){entry->base, entry->slope, INT64_MAX};
}

fine_t steptime_mixed(const struct steptime *steptime, int64_t n, int64_t context_tok,
                      const struct prefill_chunk *chunks, int64_t count, int64_t finishing)
{
    int64_t tokens = n;
    double prefill = 0;
    for (int64_t i = 0; i < count; i++) {
        tokens += chunks[i].tokens;
        prefill += chunk_attention(steptime, chunks[i]);
    }
    assert(tokens >= 1 && tokens <= steptime->max_batch_tokens);
    assert(n + finishing <= steptime->max_sequences);
    fine_t attention = steptime->decode[n].slope * context_tok + (fine_t)llround(prefill);
    if (attention < steptime->attention_floor)
        attention = steptime->attention_floor;
    return steptime->by_tokens[tokens] + n * steptime->per_decode + steptime->head[n + finishing] +
           attention;
}
