/* Pipelines of hand-made stages, whose rounds can be reckoned on paper: all layers of the model
 * take 800 us and 8 us per token on `slow` GPUs, half of that on `fast` ones; the head takes 5 us a
 * row, attention 1 ns per token of context, a prompt's 0.1 us per token. */
#include <criterion/criterion.h>

#include "models/steptime/pipeline.h"
#include "tests/models/support.h"

struct speed {
    double layers_s, token_s;
};
static struct speed slow = {800e-6, 8e-6}, fast = {400e-6, 4e-6};

static double layers_s(void *context, int64_t tokens)
{
    const struct speed *speed = context;
    return speed->layers_s + speed->token_s * (double)tokens;
}

static double head_s(void *context, int64_t rows)
{
    (void)context;
    return 5e-6 * (double)rows;
}

static double decode_attention_s(void *context, int64_t n, double context_each)
{
    (void)context;
    return 1e-9 * (double)n * context_each;
}

static double prefill_attention_s(void *context, double start, double tokens)
{
    (void)context, (void)start;
    return 0.1e-6 * tokens;
}

static struct pipeline_stage stage_of(struct speed *speed, double share)
{
    return (struct pipeline_stage){.kernels = {.layers_s = layers_s,
                                               .head_s = head_s,
                                               .decode_attention_s = decode_attention_s,
                                               .prefill_attention_s = prefill_attention_s,
                                               .step_s = 30e-6,
                                               .prefill_step_s = 40e-6,
                                               .context = speed},
                                   .share = share,
                                   .link = {.latency_s = 10e-6, .bytes_per_s = 1e9}};
}

#define BUDGET 100

static struct steptime *compile(struct pipeline_stage *stages, size_t count, int64_t micro_batches)
{
    const struct steptime_limits limits = {
        .max_sequences = 64, .max_batch_tokens = BUDGET, .max_context_tok = 1000000};
    struct error error = {0};
    stages[count - 1].emits = true;
    struct steptime *steptime =
        pipeline_compile(stages, count, micro_batches, 1000, &limits, &error);
    cr_assert(steptime, "%s", error.message);
    return steptime;
}

static struct steptime *four_even_stages(int64_t micro_batches)
{
    struct pipeline_stage stages[] = {stage_of(&slow, 0.25), stage_of(&slow, 0.25),
                                      stage_of(&slow, 0.25), stage_of(&slow, 0.25)};
    return compile(stages, 4, micro_batches);
}

/* The last stage is quicker by far. */
static struct steptime *unequal_stages(int64_t micro_batches)
{
    struct pipeline_stage stages[] = {stage_of(&slow, 0.75), stage_of(&fast, 0.25)};
    return compile(stages, 2, micro_batches);
}

/* In microseconds; each sequence holds 1024 tokens, where lines meet. */
static double decode_us(const struct steptime *steptime, int64_t n)
{
    return 1e6 * (double)steptime_mixed(steptime, n, 1024 * n, NULL, 0, 0) / FINE_PER_S;
}

static double prompts_us(const struct steptime *steptime, int64_t n,
                         const struct prefill_chunk *chunks, int64_t count, int64_t finishing)
{
    fine_t time = steptime_mixed(steptime, n, 1024 * n, chunks, count, finishing);
    return 1e6 * (double)time / FINE_PER_S;
}

static double prompt_us(const struct steptime *steptime, int64_t tokens)
{
    const struct prefill_chunk chunk = {0, tokens};
    return prompts_us(steptime, 0, &chunk, 1, 0);
}

#define assert_us(actual, expected) cr_assert_float_eq(actual, expected, 0.25, "%.3f us", actual)

/* A quarter of the layers with so many tokens, decodes of 1024 tokens each, and the send. */
static double quarter_us(double tokens, double decodes, bool sends)
{
    return 200 + 2 * tokens + 0.25 * 1.024 * decodes + (sends ? 10 + tokens : 0);
}

Test(pipeline, one_sequence_waits_for_the_sum_of_the_stages)
{
    struct steptime *steptime = four_even_stages(4);
    assert_us(decode_us(steptime, 1),
              30 + 3 * quarter_us(1, 1, true) + quarter_us(1, 1, false) + 5);
    steptime_destroy(steptime);
    steptime = unequal_stages(2);
    double first_us = 600 + 6 + 0.75 * 1.024 + 10 + 1, second_us = 100 + 1 + 0.25 * 1.024 + 5;
    assert_us(decode_us(steptime, 1), 30 + first_us + second_us);
    steptime_destroy(steptime);
}

Test(pipeline, a_full_pipeline_goes_by_its_slowest_stage)
{
    struct steptime *steptime = four_even_stages(4);
    /* 40 sequences, 10 to a micro-batch: the last stage has the head and sends nothing */
    double through_us = 3 * quarter_us(10, 10, true) + quarter_us(10, 10, false) + 50;
    double last_us = 4 * (quarter_us(10, 10, false) + 50);
    cr_assert_gt(last_us, through_us);
    assert_us(decode_us(steptime, 40), 30 + last_us);
    steptime_destroy(steptime);
    steptime = unequal_stages(2);
    double first_us = 600 + 6 * 20 + 0.75 * 1.024 * 20 + 10 + 20;
    assert_us(decode_us(steptime, 40), 30 + 2 * first_us);
    steptime_destroy(steptime);
}

Test(pipeline, more_micro_batches_fill_the_pipeline_and_one_leaves_it_empty)
{
    struct steptime *one = four_even_stages(1), *four = four_even_stages(4);
    assert_us(decode_us(one, 40),
              30 + 3 * quarter_us(40, 40, true) + quarter_us(40, 40, false) + 200);
    cr_assert_lt(decode_us(four, 40), 0.8 * decode_us(one, 40));
    cr_assert_eq(decode_us(four, 1), decode_us(one, 1));
    steptime_destroy(one);
    steptime_destroy(four);
}

Test(pipeline, a_prompt_within_the_budget_passes_all_stages_as_one_micro_batch)
{
    struct steptime *steptime = four_even_stages(4);
    double each_us = 200 + 2 * 80 + 0.25 * 8;
    assert_us(prompt_us(steptime, 80), 30 + 40 + 4 * each_us + 3 * (10 + 80));
    steptime_destroy(steptime);
}

Test(pipeline, prompts_beyond_the_budget_fill_further_micro_batches_at_no_cost_until_it_is_full)
{
    struct steptime *steptime = four_even_stages(4);
    double each_us = 200 + 2 * 100 + 0.25 * 10 + 10 + 100;
    double through_us = 4 * each_us - 110;
    assert_us(prompt_us(steptime, 100), 70 + through_us);
    assert_us(prompt_us(steptime, 300), 70 + through_us);
    assert_us(prompt_us(steptime, 400), 70 + 4 * each_us); /* the slowest is busy all the time */
    steptime_destroy(steptime);
}

Test(pipeline, chunks_are_cut_where_a_micro_batch_is_full)
{
    struct steptime *steptime = four_even_stages(4);
    const struct prefill_chunk three[] = {{0, 60}, {0, 60}, {7, 80}}, one[] = {{0, 200}};
    assert_us(prompts_us(steptime, 0, three, 3, 0), prompts_us(steptime, 0, one, 1, 0));
    steptime_destroy(steptime);
}

Test(pipeline, decodes_follow_the_micro_batch_with_the_prompt)
{
    struct steptime *steptime = four_even_stages(4);
    const struct prefill_chunk chunk = {0, 50};
    /* 40 decodes: 10 go with the prompt, which finishes */
    double heavy_us = quarter_us(60, 10, true) + 0.25 * 5;
    assert_us(prompts_us(steptime, 40, &chunk, 1, 1), 70 + 3 * heavy_us + heavy_us - 70 + 5 * 11);
    steptime_destroy(steptime);
}

Test(pipeline, a_prompt_finds_room_beside_decodes_that_fill_the_budget)
{
    struct pipeline_stage stages[] = {stage_of(&slow, 0.5), stage_of(&slow, 0.5)};
    const struct steptime_limits limits = {
        .max_sequences = 19, .max_batch_tokens = 10, .max_context_tok = 100000};
    stages[1].emits = true;
    struct steptime *steptime = pipeline_compile(stages, 2, 2, 1000, &limits, NULL);
    const struct prefill_chunk chunk = {0, 1};
    cr_assert_gt(prompts_us(steptime, 18, &chunk, 1, 1), decode_us(steptime, 18));
    steptime_destroy(steptime);
}

Test(pipeline, rounds_never_get_shorter)
{
    struct steptime *steptime = unequal_stages(3);
    fine_t before = 0;
    for (int64_t n = 1; n <= 64; n++) {
        fine_t longer = steptime_mixed(steptime, n, 5000, NULL, 0, 0);
        cr_assert_geq(longer, before, "%lld sequences", (long long)n);
        before = longer;
        for (int64_t from = n, end = 0; from < 200000; from = end + 1) {
            struct decode_line line = steptime_decode(steptime, n, from);
            cr_assert_eq(line.base + line.slope * from,
                         steptime_mixed(steptime, n, from, NULL, 0, 0));
            cr_assert_geq(line.slope, 0);
            end = line.until;
            if (end == INT64_MAX)
                break;
        }
    }
    double least_us = 0;
    for (int64_t tokens = 1; tokens <= 300; tokens++) {
        double longer_us = prompt_us(steptime, tokens);
        cr_assert_geq(longer_us, least_us, "%lld tokens", (long long)tokens);
        least_us = longer_us;
    }
    steptime_destroy(steptime);
}

Test(pipeline, a_link_takes_the_slower_end)
{
    struct arena *arena = arena_create();
    const struct gpu *h100 = shipped_gpu(arena, "H100-SXM"), *l4 = shipped_gpu(arena, "L4");
    struct stage_link link = stage_link_between(h100, l4, true);
    struct stage_link same = stage_link_between(h100, h100, false);
    cr_assert_leq(link.bytes_per_s, 1e9 * l4->node_link_gb_s);
    cr_assert_gt(same.bytes_per_s, 10 * link.bytes_per_s);
    arena_destroy(arena);
}
