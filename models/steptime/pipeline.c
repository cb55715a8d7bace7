#include "models/steptime/pipeline.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/hardware/hardware.h"
#include "models/steptime/steptime_parts.h"

/* A send between two GPUs of a node: vidur's measurements on DGX A100 and H100 (microsoft/vidur
 * 7d47513, send_recv, 2 KB to 64 MB) are 7.6 and 13 us + bytes at 357 and 286 GB/s: 1.7 and 2.6
 * times a small all-reduce's latency. Between nodes: 19 and 29 us, 36 and 7.8 GB/s. */
#define SEND_LATENCIES      2.0
#define NODE_SEND_LATENCIES 0.5

/* Stages that are alike: their times are compiled once. */
struct stages_alike {
    struct steptime *time; /* of one micro-batch on one of them */
    int64_t count;
};

struct pipeline {
    int64_t micro_batches;
    int64_t budget_tok; /* of one */
    fine_t step, prefill_step;
    size_t kinds;
    struct stages_alike stages[]; /* [kinds] */
};

/* --- links --- */

static double link_gb_s(const struct gpu *gpu, bool across)
{
    return (across ? gpu->node_link_gb_s : gpu->link_gb_s) * fmin(1, gpu->link_efficiency);
}

static double send_latency_us(const struct gpu *gpu, bool across)
{
    return across ? NODE_SEND_LATENCIES * gpu->node_link_latency_us
                  : SEND_LATENCIES * gpu->link_latency_us;
}

struct stage_link stage_link_between(const struct gpu *from, const struct gpu *to, bool across)
{
    return (struct stage_link){
        .latency_s = 1e-6 * fmax(send_latency_us(from, across), send_latency_us(to, across)),
        .bytes_per_s = 1e9 * fmin(link_gb_s(from, across), link_gb_s(to, across))};
}

/* --- a stage's share of the kernels --- */

/* What the kernel functions of one stage are called with. */
struct stage_part {
    const struct pipeline_stage *stage;
    double hidden_bytes; /* 0: sends nothing on */
};

static double layers_s(void *context, int64_t tokens)
{
    const struct stage_part *part = context;
    const struct pipeline_stage *stage = part->stage;
    double send_s =
        part->hidden_bytes > 0
            ? stage->link.latency_s + (double)tokens * part->hidden_bytes / stage->link.bytes_per_s
            : 0;
    return stage->share * stage->kernels.layers_s(stage->kernels.context, tokens) + send_s;
}

static double head_s(void *context, int64_t rows)
{
    const struct pipeline_stage *stage = ((const struct stage_part *)context)->stage;
    return stage->emits && rows > 0 ? stage->kernels.head_s(stage->kernels.context, rows) : 0;
}

static double decode_attention_s(void *context, int64_t n, double context_each)
{
    const struct pipeline_stage *stage = ((const struct stage_part *)context)->stage;
    return stage->share *
           stage->kernels.decode_attention_s(stage->kernels.context, n, context_each);
}

static double mixed_decode_attention_s(void *context, int64_t n, double context_each)
{
    const struct pipeline_stage *stage = ((const struct stage_part *)context)->stage;
    return stage->share *
           stage->kernels.mixed_decode_attention_s(stage->kernels.context, n, context_each);
}

static double prefill_attention_s(void *context, double start, double tokens)
{
    const struct pipeline_stage *stage = ((const struct stage_part *)context)->stage;
    return stage->share * stage->kernels.prefill_attention_s(stage->kernels.context, start, tokens);
}

static struct steptime *compile_stage(const struct pipeline_stage *stage, double hidden_bytes,
                                      const struct steptime_limits *limits, struct error *error)
{
    struct stage_part part = {stage, stage->emits ? 0 : hidden_bytes};
    const struct kernel_sum *all = &stage->kernels;
    const struct kernel_sum kernels = {
        .layers_s = layers_s,
        .head_s = head_s,
        .decode_attention_s = decode_attention_s,
        .mixed_decode_attention_s = all->mixed_decode_attention_s ? mixed_decode_attention_s : NULL,
        .prefill_attention_s = prefill_attention_s,
        .key_s = stage->share * all->key_s,
        .launch_s = stage->share * all->launch_s,
        .context = &part};
    return steptime_compile_sum(&kernels, limits, error);
}

struct steptime *pipeline_stage_compile(const struct pipeline_stage *stage,
                                        const struct steptime_limits *limits, struct error *error)
{
    return compile_stage(stage, 0, limits, error);
}

/* --- rounds --- */

/* Tokens that a micro-batch with so many decodes may have: room for a prompt is always left. */
static int64_t micro_budget(const struct pipeline *pipeline, int64_t decodes)
{
    return pipeline->budget_tok > decodes ? pipeline->budget_tok : decodes + 1;
}

/* Of n, in the fullest micro-batch. */
static int64_t micro_share(const struct pipeline *pipeline, int64_t n)
{
    return (n + pipeline->micro_batches - 1) / pipeline->micro_batches;
}

static fine_t stage_decode(const struct steptime *stage, int64_t n, int64_t context_tok)
{
    struct decode_line line = steptime_decode(stage, n, context_tok);
    return line.base + line.slope * context_tok;
}

static inline fine_t longer(fine_t a, fine_t b)
{
    return a > b ? a : b;
}

/* n decodes that hold context_each tokens each, dealt out as evenly as they can be. */
static fine_t decode_round(const struct pipeline *pipeline, int64_t n, int64_t context_each)
{
    int64_t small = n / pipeline->micro_batches, large = micro_share(pipeline, n);
    int64_t larger = n - small * pipeline->micro_batches; /* micro-batches with one more */
    int64_t larges = larger > 0 ? larger : pipeline->micro_batches;
    int64_t smalls = small > 0 ? pipeline->micro_batches - larges : 0;
    fine_t slowest = 0, through = 0;
    for (size_t i = 0; i < pipeline->kinds; i++) {
        const struct steptime *stage = pipeline->stages[i].time;
        fine_t one = stage_decode(stage, large, large * context_each);
        fine_t rest = smalls > 0 ? stage_decode(stage, small, small * context_each) : 0;
        slowest = longer(slowest, larges * one + smalls * rest);
        through += pipeline->stages[i].count * one;
    }
    return pipeline->step + longer(slowest, through);
}

/* A round with prompts, as its micro-batches are packed one after the other. */
struct packed_round {
    int64_t decodes, context_tok;     /* of a micro-batch */
    int64_t finishing;                /* likewise, at most */
    int64_t used;                     /* micro-batches with prompts so far */
    fine_t through;                   /* the longest way of one of them through all stages */
    fine_t busy[PIPELINE_STAGES_MAX]; /* of a stage of each kind, with all of them */
    int64_t tokens;                   /* in the micro-batch being packed, decodes included */
    double attention[PIPELINE_STAGES_MAX];
};

static void open_micro_batch(const struct pipeline *pipeline, struct packed_round *round)
{
    round->tokens = round->decodes;
    for (size_t i = 0; i < pipeline->kinds; i++)
        round->attention[i] = 0;
}

static void close_micro_batch(const struct pipeline *pipeline, struct packed_round *round)
{
    fine_t through = 0;
    for (size_t i = 0; i < pipeline->kinds; i++) {
        fine_t one =
            steptime_with_prompts(pipeline->stages[i].time, round->decodes, round->context_tok,
                                  round->tokens, round->attention[i], round->finishing);
        round->busy[i] += one;
        through += pipeline->stages[i].count * one;
    }
    round->through = longer(round->through, through);
    round->used++;
    open_micro_batch(pipeline, round);
}

static void pack_chunk(const struct pipeline *pipeline, struct packed_round *round,
                       struct prefill_chunk chunk)
{
    int64_t budget = micro_budget(pipeline, round->decodes);
    while (chunk.tokens > 0) {
        if (round->tokens == budget)
            close_micro_batch(pipeline, round);
        int64_t room = budget - round->tokens;
        struct prefill_chunk part = {chunk.start, chunk.tokens < room ? chunk.tokens : room};
        for (size_t i = 0; i < pipeline->kinds; i++)
            round->attention[i] += steptime_chunk(pipeline->stages[i].time, part);
        round->tokens += part.tokens;
        chunk.start += part.tokens;
        chunk.tokens -= part.tokens;
    }
}

/* Micro-batches that have decodes only. */
static void add_plain_decodes(const struct pipeline *pipeline, struct packed_round *round,
                              int64_t sequences)
{
    if (round->decodes == 0)
        return;
    int64_t left = (sequences + round->decodes - 1) / round->decodes - round->used;
    for (size_t i = 0; left > 0 && i < pipeline->kinds; i++)
        round->busy[i] +=
            left * stage_decode(pipeline->stages[i].time, round->decodes, round->context_tok);
}

static int64_t prompt_tokens(const struct prefill_chunk *chunks, int64_t count)
{
    int64_t tokens = 0;
    for (int64_t i = 0; i < count; i++)
        tokens += chunks[i].tokens;
    return tokens;
}

fine_t pipeline_with_prompts(const struct pipeline *pipeline, int64_t n, int64_t context_tok,
                             const struct prefill_chunk *chunks, int64_t count, int64_t finishing)
{
    int64_t micro = micro_share(pipeline, n), room = micro_budget(pipeline, micro) - micro;
    int64_t used = (prompt_tokens(chunks, count) + room - 1) / room;
    struct packed_round round = {.decodes = micro,
                                 .context_tok = n > 0 ? context_tok * micro / n : 0,
                                 .finishing = (finishing + used - 1) / used};
    open_micro_batch(pipeline, &round);
    for (int64_t i = 0; i < count; i++)
        pack_chunk(pipeline, &round, chunks[i]);
    close_micro_batch(pipeline, &round);
    add_plain_decodes(pipeline, &round, n);
    fine_t longest = round.through;
    for (size_t i = 0; i < pipeline->kinds; i++)
        longest = longer(longest, round.busy[i]);
    return pipeline->step + longest + pipeline->prefill_step;
}

/* --- compiling --- */

static bool alike(const struct pipeline_stage *a, const struct pipeline_stage *b)
{
    return a->kernels.context == b->kernels.context && a->share == b->share &&
           a->emits == b->emits && a->link.latency_s == b->link.latency_s &&
           a->link.bytes_per_s == b->link.bytes_per_s;
}

/* Neighbours that are alike share a table. */
static bool compile_stages(struct pipeline *pipeline, const struct pipeline_stage *stages,
                           size_t count, double hidden_bytes, const struct steptime_limits *limits,
                           struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && alike(&stages[i - 1], &stages[i])) {
            pipeline->stages[pipeline->kinds - 1].count++;
            continue;
        }
        struct steptime *time = compile_stage(&stages[i], hidden_bytes, limits, error);
        if (!time)
            return false;
        pipeline->stages[pipeline->kinds++] = (struct stages_alike){time, 1};
    }
    return true;
}

static bool check_longest_round(const struct pipeline *pipeline,
                                const struct steptime_limits *limits, struct error *error)
{
    double slowest_s = 0, through_s = 0;
    for (size_t i = 0; i < pipeline->kinds; i++) {
        double one_s = steptime_longest_s(pipeline->stages[i].time, limits);
        slowest_s = fmax(slowest_s, one_s);
        through_s += (double)pipeline->stages[i].count * one_s;
    }
    double once_s = (double)(pipeline->step + pipeline->prefill_step) / FINE_PER_S;
    return steptime_check_longest(
        once_s + fmax((double)pipeline->micro_batches * slowest_s, through_s), error);
}

static void fill_decode_rounds(struct steptime *steptime)
{
    fine_t fewer[LINES_MAX] = {0}, values[LINES_MAX];
    for (int64_t n = 1; n <= steptime->max_sequences; n++) {
        for (size_t i = 0; i < steptime->lines; i++) {
            fewer[i] =
                longer(fewer[i], decode_round(steptime->pipeline, n, (int64_t)context_knots[i]));
            values[i] = fewer[i];
        }
        steptime_chain_lines(&steptime->attention[(size_t)n * steptime->lines], steptime->lines, n,
                             values);
    }
}

/* Of a stage, whose batch is a micro-batch. */
static struct steptime_limits stage_limits(const struct steptime_limits *limits)
{
    struct steptime_limits stage = *limits;
    if (stage.max_batch_tokens <= limits->max_sequences)
        stage.max_batch_tokens = limits->max_sequences + 1; /* micro_budget */
    return stage;
}

static struct pipeline *pipeline_create(const struct pipeline_stage *stages, size_t count,
                                        int64_t micro_batches, const struct steptime_limits *limits,
                                        struct error *error)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline + count * sizeof *pipeline->stages);
    if (!pipeline) {
        error_set(error, ERROR_FAILED, "out of memory for step times of %zu stages", count);
        return NULL;
    }
    pipeline->micro_batches = micro_batches;
    pipeline->budget_tok = limits->max_batch_tokens;
    pipeline->step = fine_from_s(fmax(0, stages[0].kernels.step_s));
    pipeline->prefill_step = fine_from_s(fmax(0, stages[0].kernels.prefill_step_s));
    return pipeline;
}

struct steptime *pipeline_compile(const struct pipeline_stage *stages, size_t count,
                                  int64_t micro_batches, double hidden_bytes,
                                  const struct steptime_limits *limits, struct error *error)
{
    assert(count >= 1 && count <= PIPELINE_STAGES_MAX && micro_batches >= 1);
    const struct steptime_limits stage = stage_limits(limits);
    struct steptime *steptime =
        steptime_allocate(&stage, steptime_needed_lines(limits->max_context_tok), error);
    if (!steptime)
        return NULL;
    steptime->pipeline = pipeline_create(stages, count, micro_batches, limits, error);
    if (!steptime->pipeline ||
        !compile_stages(steptime->pipeline, stages, count, hidden_bytes, &stage, error) ||
        !check_longest_round(steptime->pipeline, &stage, error)) {
        steptime_destroy(steptime);
        return NULL;
    }
    fill_decode_rounds(steptime);
    return steptime;
}

void pipeline_destroy(struct pipeline *pipeline)
{
    for (size_t i = 0; pipeline && i < pipeline->kinds; i++)
        steptime_destroy(pipeline->stages[i].time);
    free(pipeline);
}
