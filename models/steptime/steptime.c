/* See steptime_parts.h for what a compiled step time is. */
#include "models/steptime/steptime.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/steptime/kernel_sum.h"
#include "models/steptime/steptime_parts.h"

const double context_knots[] = {128,  256,   512,   1024,  2048,   4096,
                                8192, 16384, 32768, 65536, 131072, 262144};
_Static_assert(sizeof context_knots / sizeof *context_knots == LINES_MAX, "a line for each");

enum {
    SAMPLED_ALL = 64, /* counts up to here are each sampled */
    SAMPLES_PER_OCTAVE = 16
};

struct steptime *steptime_allocate(const struct steptime_limits *limits, size_t lines,
                                   struct error *error)
{
    int64_t max_sequences = limits->max_sequences, max_batch_tokens = limits->max_batch_tokens;
    assert(max_sequences >= 1 && max_batch_tokens >= 1);
    /* Engines that allow more sequences than batch tokens still may decode them all at once. */
    int64_t decode_tok = limits->decode_tok > 1 ? limits->decode_tok : 1;
    if (max_batch_tokens < max_sequences * decode_tok)
        max_batch_tokens = max_sequences * decode_tok;
    struct steptime *steptime = calloc(1, sizeof *steptime);
    if (steptime) {
        size_t counts = (size_t)max_sequences + 1;
        steptime->max_sequences = max_sequences;
        steptime->max_batch_tokens = max_batch_tokens;
        steptime->decode_tok = decode_tok;
        steptime->lines = lines;
        steptime->by_tokens = calloc((size_t)max_batch_tokens + 1, sizeof *steptime->by_tokens);
        steptime->head = calloc((size_t)(max_sequences * decode_tok) + 1, sizeof *steptime->head);
        steptime->decode_base = calloc(counts, sizeof *steptime->decode_base);
        steptime->attention = calloc(counts * lines, sizeof *steptime->attention);
        steptime->mixed_attention = steptime->attention;
        if (steptime->by_tokens && steptime->head && steptime->decode_base && steptime->attention)
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
    free(steptime->draft);
    free(steptime->decode_base);
    if (steptime->mixed_attention != steptime->attention)
        free(steptime->mixed_attention);
    free(steptime->attention);
    pipeline_destroy(steptime->pipeline);
    free(steptime);
}

bool steptime_check_longest(double iteration_s, struct error *error)
{
    if (iteration_s <= FINE_MAX_S)
        return true;
    error_set(error, ERROR_INFEASIBLE,
              "one iteration of this deployment could take %.3g s; at most %.0f s are simulated",
              iteration_s, FINE_MAX_S);
    return error_hint(error, "lower max_num_batched_tokens, or give the pool more or faster GPUs");
}

/* --- sampling --- */

/* The next count to sample after `count`. */
static int64_t next_sample(int64_t count, int64_t last)
{
    int64_t step = 1;
    if (count >= SAMPLED_ALL)
        step = ((int64_t)1 << (63 - __builtin_clzll((uint64_t)count))) / SAMPLES_PER_OCTAVE;
    return count + step < last ? count + step : last;
}

/* Cut at what check_longest refuses, so that sums of samples stay within the integers. */
static fine_t sample(double time_s)
{
    return fine_from_s(fmin(1.25 * FINE_MAX_S, fmax(0, time_s)));
}

static fine_t between(fine_t low, fine_t high, int64_t part, int64_t whole)
{
    return low + (fine_t)llround((double)(high - low) * (double)part / (double)whole);
}

/* table[1..last] from samples of a time in seconds, never falling. */
static void fill_rising(fine_t *table, int64_t last, double (*time_s)(void *, int64_t),
                        void *context)
{
    table[1] = sample(time_s(context, 1));
    for (int64_t at = 1; at < last;) {
        int64_t next = next_sample(at, last);
        fine_t sampled = sample(time_s(context, next));
        table[next] = sampled > table[at] ? sampled : table[at];
        for (int64_t i = at + 1; i < next; i++)
            table[i] = between(table[at], table[next], i - at, next - at);
        at = next;
    }
}

/* --- decode attention --- */

void steptime_chain_lines(struct decode_line *lines, size_t count, int64_t n, const fine_t *values)
{
    fine_t reached = values[0];
    lines[0] = (struct decode_line){reached, 0, n * (int64_t)context_knots[0]};
    fine_t slope = 0;
    for (size_t i = 1; i < count; i++) {
        int64_t from = n * (int64_t)context_knots[i - 1], to = n * (int64_t)context_knots[i];
        assert(values[i] >= reached); /* they rise, and the lines stay at or below them */
        slope = (values[i] - reached) / (to - from);
        lines[i] = (struct decode_line){reached - slope * from, slope, to};
        reached += slope * (to - from);
    }
    lines[count - 1].until = INT64_MAX;
}

/* Attention of n decodes that hold so much each. */
typedef double attention_function(void *context, int64_t n, double context_each);

static void sample_attention(attention_function *time_s, void *context, int64_t n, size_t count,
                             const fine_t *fewer, fine_t *values)
{
    fine_t least = 0;
    for (size_t i = 0; i < count; i++) {
        fine_t sampled = sample(time_s(context, n, context_knots[i]));
        least = sampled > least ? sampled : least;
        least = fewer[i] > least ? fewer[i] : least;
        values[i] = least;
    }
}

/* launch: what layers and attention take at least, which is made part of the attention. */
static void fill_attention(struct decode_line *attention, const struct steptime *steptime,
                           attention_function *time_s, void *context, fine_t launch)
{
    size_t count = steptime->lines;
    fine_t low[LINES_MAX] = {0}, high[LINES_MAX], here[LINES_MAX];
    int64_t last = steptime->max_sequences;
    for (int64_t at = 0; at < last;) {
        int64_t next = at == 0 ? 1 : next_sample(at, last);
        sample_attention(time_s, context, next, count, low, high);
        for (int64_t n = at + 1; n <= next; n++) {
            for (size_t i = 0; i < count; i++) {
                here[i] = between(low[i], high[i], n - at, next - at);
                if (here[i] < launch - steptime->by_tokens[n * steptime->decode_tok])
                    here[i] = launch - steptime->by_tokens[n * steptime->decode_tok];
            }
            steptime_chain_lines(&attention[(size_t)n * count], count, n, here);
        }
        for (size_t i = 0; i < count; i++)
            low[i] = high[i];
        at = next;
    }
}

/* Beside prompts decodes may be slower, and launches are hidden behind more work. */
static bool add_mixed_attention(struct steptime *steptime, const struct kernel_sum *sum,
                                struct error *error)
{
    if (!sum->mixed_decode_attention_s && steptime->launch == 0)
        return true;
    size_t counts = (size_t)steptime->max_sequences + 1;
    struct decode_line *lines = calloc(counts * steptime->lines, sizeof *lines);
    if (!lines)
        return error_set(error, ERROR_FAILED, "out of memory for step times");
    fill_attention(lines, steptime,
                   sum->mixed_decode_attention_s ? sum->mixed_decode_attention_s
                                                 : sum->decode_attention_s,
                   sum->context, 0);
    steptime->mixed_attention = lines;
    return true;
}

size_t steptime_needed_lines(int64_t max_context_tok)
{
    size_t lines = 2;
    while (lines < LINES_MAX && context_knots[lines - 1] < (double)max_context_tok)
        lines++;
    return lines;
}

/* --- prefill attention --- */

/* Knots four to the octave. Convex: the next token never costs less than the one before it. The
 * first knot's time is what any prompt takes (a launch, mostly): it is returned, and taken off. */
static double fill_prefill(struct prefill_curve *curve, const struct kernel_sum *sum,
                           double longest)
{
    double slope = 0, reached = 0;
    double once = fmax(0, sum->prefill_attention_s(sum->context, 0, 1)) * FINE_PER_S;
    curve->length[0] = 0;
    curve->time[0] = 0;
    curve->knots = 1;
    for (double length = 32; curve->knots < PREFILL_KNOTS_MAX; length *= 1.189207115002721) {
        size_t i = curve->knots++;
        double whole = sum->prefill_attention_s(sum->context, 0, length) * FINE_PER_S - once;
        double step = length - curve->length[i - 1];
        slope = fmax(slope, (whole - reached) / step);
        reached += slope * step;
        curve->length[i] = length;
        curve->time[i] = reached;
        if (length >= longest)
            break;
    }
    return once;
}

static double prefill_time(const struct prefill_curve *curve, double length)
{
    size_t low = 0, high = curve->knots - 1;
    if (high == 0)
        return 0;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (curve->length[middle] <= length)
            low = middle;
        else
            high = middle;
    }
    double share = (length - curve->length[low]) / (curve->length[high] - curve->length[low]);
    return curve->time[low] + share * (curve->time[high] - curve->time[low]);
}

/* A chunk's queries attend to the tokens before it and, causally, to itself; and it reads them. */
static inline double chunk_attention(const struct steptime *steptime, struct prefill_chunk chunk)
{
    double start = (double)chunk.start, end = start + (double)chunk.tokens;
    double causal = prefill_time(&steptime->prefill, end) - prefill_time(&steptime->prefill, start);
    return fmax(causal, end * steptime->key);
}

double steptime_chunk(const struct steptime *steptime, struct prefill_chunk chunk)
{
    return chunk_attention(steptime, chunk);
}

/* --- compiling --- */

/* As many of a batch's tokens as can have an adapter of their own. */
static double adapters_s(const struct adapter_cost *cost, int64_t tokens)
{
    int64_t adapters = tokens < cost->slots ? tokens : cost->slots;
    return cost->step_s + cost->token_s * (double)tokens + cost->each_s * (double)adapters;
}

/* Upper bound of any iteration, in seconds: every part at its largest. */
static double longest_s(const struct kernel_sum *sum, const struct steptime_limits *limits)
{
    double queries = (double)limits->max_batch_tokens, keys = (double)limits->max_context_tok;
    int64_t rows = limits->max_sequences * (limits->decode_tok > 1 ? limits->decode_tok : 1);
    double alone = sum->decode_attention_s(sum->context, 1, keys + queries);
    double spread = sum->decode_attention_s(sum->context, limits->max_sequences,
                                            (keys + queries) / (double)limits->max_sequences);
    double mixed =
        !sum->mixed_decode_attention_s
            ? 0
            : sum->mixed_decode_attention_s(sum->context, limits->max_sequences,
                                            (keys + queries) / (double)limits->max_sequences);
    double prefill = sum->prefill_attention_s(sum->context, keys, queries);
    return sum->step_s + sum->prefill_step_s + sum->launch_s +
           adapters_s(&sum->adapters, limits->max_batch_tokens) +
           sum->layers_s(sum->context, limits->max_batch_tokens) +
           sum->layers_s(sum->context, rows) + sum->head_s(sum->context, rows) +
           sum->sequence_s * (double)limits->max_sequences + fmax(alone, fmax(spread, mixed)) +
           fmax(prefill, sum->key_s * (keys + queries));
}

/* The line of the chain for n decodes, in steptime->attention or mixed_attention. */
static inline const struct decode_line *line_at(const struct steptime *steptime,
                                                const struct decode_line *attention, int64_t n,
                                                int64_t context_tok)
{
    const struct decode_line *line = &attention[(size_t)n * steptime->lines];
    while (context_tok > line->until)
        line++;
    return line;
}

static double longest_attention(const struct steptime *steptime,
                                const struct decode_line *attention, int64_t context_tok)
{
    double longest = 0;
    for (int64_t n = 1; n <= steptime->max_sequences; n++) {
        const struct decode_line *line = line_at(steptime, attention, n, context_tok);
        longest = fmax(longest, (double)line->base + (double)line->slope * (double)context_tok);
    }
    return longest;
}

/* The same bound, of the tables: a time that stands out between the ends holds for all that comes
 * after it. */
double steptime_longest_s(const struct steptime *steptime, const struct steptime_limits *limits)
{
    int64_t keys = limits->max_context_tok + limits->max_batch_tokens;
    struct prefill_chunk last = {limits->max_context_tok, limits->max_batch_tokens};
    double alone = longest_attention(steptime, steptime->attention, keys);
    double mixed = longest_attention(steptime, steptime->mixed_attention, keys);
    double longest = (double)steptime->by_tokens[steptime->max_batch_tokens] +
                     (double)steptime->head[steptime->max_sequences * steptime->decode_tok] +
                     fmax(alone, mixed) + steptime_chunk(steptime, last) +
                     (double)steptime->prefill_step;
    return longest / FINE_PER_S;
}

/* The smallest captured size that holds n tokens; n itself when there is none. */
static int64_t padded(const struct steptime_limits *limits, int64_t n)
{
    for (size_t i = 0; i < limits->graph_size_count; i++)
        if (limits->graph_sizes[i] >= n)
            return limits->graph_sizes[i];
    return n;
}

static void fill_decode_base(struct steptime *steptime, const struct steptime_limits *limits)
{
    for (int64_t n = 1; n <= steptime->max_sequences; n++) {
        int64_t emitting = n * steptime->decode_tok, rows = padded(limits, emitting);
        if (rows > steptime->max_batch_tokens)
            rows = steptime->max_batch_tokens;
        steptime->decode_base[n] = steptime->by_tokens[rows] + steptime->head[emitting];
        if (steptime->decode_base[n] < steptime->decode_base[n - 1])
            steptime->decode_base[n] = steptime->decode_base[n - 1];
    }
}

static double layers_and_step_s(void *context, int64_t tokens)
{
    const struct kernel_sum *sum = context;
    return sum->step_s + sum->layers_s(sum->context, tokens) + adapters_s(&sum->adapters, tokens);
}

struct head_rows {
    const struct kernel_sum *sum;
    int64_t decode_tok;
};

/* A decode that verifies drafts has as many rows, and is one sequence. */
static double head_s(void *context, int64_t rows)
{
    const struct head_rows *head = context;
    return head->sum->head_s(head->sum->context, rows) +
           head->sum->sequence_s * (double)rows / (double)head->decode_tok;
}

struct steptime *steptime_compile_sum(const struct kernel_sum *sum,
                                      const struct steptime_limits *limits, struct error *error)
{
    if (!steptime_check_longest(longest_s(sum, limits), error))
        return NULL;
    struct steptime *steptime =
        steptime_allocate(limits, steptime_needed_lines(limits->max_context_tok), error);
    if (!steptime)
        return NULL;
    fill_rising(steptime->by_tokens, steptime->max_batch_tokens, layers_and_step_s, (void *)sum);
    struct head_rows head = {sum, steptime->decode_tok};
    fill_rising(steptime->head, steptime->max_sequences * steptime->decode_tok, head_s, &head);
    steptime->launch = sum->launch_s > 0 ? fine_from_s(fmax(0, sum->step_s) + sum->launch_s) : 0;
    fill_attention(steptime->attention, steptime, sum->decode_attention_s, sum->context,
                   steptime->launch);
    double once = fill_prefill(&steptime->prefill, sum,
                               (double)(limits->max_context_tok + limits->max_batch_tokens));
    steptime->prefill_step = sample(sum->prefill_step_s) + sample(once / FINE_PER_S);
    steptime->key = sum->key_s * FINE_PER_S;
    if (!add_mixed_attention(steptime, sum, error) ||
        !steptime_check_longest(steptime_longest_s(steptime, limits), error)) {
        steptime_destroy(steptime);
        return NULL;
    }
    fill_decode_base(steptime, limits);
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
    if (!check_given(given, error) || !steptime_check_longest(most_s, error))
        return NULL;
    const struct steptime_limits limits = {.max_sequences = max_sequences,
                                           .max_batch_tokens = max_batch_tokens,
                                           .max_context_tok = max_context_tok};
    struct steptime *steptime = steptime_allocate(&limits, 1, error);
    if (!steptime)
        return NULL;
    /* A decode is a batch token, too, that costs something else than a prompt's. */
    fine_t base = fine_from_s(given->base_s), per_token = fine_from_s(given->per_prefill_token_s);
    fine_t per_sequence = fine_from_s(given->per_sequence_s);
    fine_t per_context_token = fine_from_s(given->per_context_token_s);
    steptime->per_decode = per_sequence - per_token;
    steptime->prefill.knots = 1;
    for (int64_t m = 0; m <= steptime->max_batch_tokens; m++)
        steptime->by_tokens[m] = base + m * per_token;
    for (int64_t n = 0; n <= steptime->max_sequences; n++) {
        steptime->decode_base[n] = base + n * per_sequence;
        steptime->attention[n] = (struct decode_line){0, per_context_token, INT64_MAX};
    }
    return steptime;
}

/* --- asking --- */

struct decode_line steptime_decode(const struct steptime *steptime, int64_t n, int64_t context_tok)
{
    assert(n >= 1 && n <= steptime->max_sequences);
    struct decode_line line = *line_at(steptime, steptime->attention, n, context_tok);
    line.base += steptime->decode_base[n];
    return line;
}

static fine_t decode_time(const struct steptime *steptime, int64_t n, int64_t context_tok)
{
    const struct decode_line *line = line_at(steptime, steptime->attention, n, context_tok);
    return steptime->decode_base[n] + line->base + line->slope * context_tok;
}

static inline fine_t with_prompts(const struct steptime *steptime, int64_t n, int64_t context_tok,
                                  int64_t tokens, double attention, int64_t finishing)
{
    assert(tokens >= 1 && tokens <= steptime->max_batch_tokens);
    assert(n + finishing <= steptime->max_sequences);
    fine_t work = steptime->by_tokens[tokens] + (fine_t)llround(attention);
    if (n > 0) {
        const struct decode_line *line =
            line_at(steptime, steptime->mixed_attention, n, context_tok);
        work += line->base + line->slope * context_tok;
    }
    int64_t rows = n * steptime->decode_tok + finishing;
    work = (work > steptime->launch ? work : steptime->launch) + n * steptime->per_decode +
           steptime->head[rows] + steptime->prefill_step;
    return steptime->draft ? work + steptime->draft[n + finishing] : work;
}

fine_t steptime_with_prompts(const struct steptime *steptime, int64_t n, int64_t context_tok,
                             int64_t tokens, double attention, int64_t finishing)
{
    return with_prompts(steptime, n, context_tok, tokens, attention, finishing);
}

fine_t steptime_mixed(const struct steptime *steptime, int64_t n, int64_t context_tok,
                      const struct prefill_chunk *chunks, int64_t count, int64_t finishing)
{
    if (count == 0)
        return decode_time(steptime, n, context_tok);
    if (steptime->pipeline)
        return pipeline_with_prompts(steptime->pipeline, n, context_tok, chunks, count, finishing);
    int64_t tokens = n * steptime->decode_tok;
    double attention = 0;
    for (int64_t i = 0; i < count; i++) {
        tokens += chunks[i].tokens;
        attention += chunk_attention(steptime, chunks[i]);
    }
    return with_prompts(steptime, n, context_tok, tokens, attention, finishing);
}
