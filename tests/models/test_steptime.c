#include "models/steptime/steptime.h"

#include <math.h>
#include <string.h>

#include "models/steptime/kernel_sum.h"
#include "tests/models/support.h"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_create();
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(steptime, .init = set_up, .fini = tear_down);

#define SEQUENCES    256
#define BATCH_TOKENS 2048

static struct roofline_request request_of(const char *gpu, const char *llm)
{
    return (struct roofline_request){.gpu = shipped_gpu(arena, gpu),
                                     .llm = shipped_llm(arena, llm),
                                     .tensor_parallel = 1,
                                     .max_sequences = SEQUENCES,
                                     .max_batch_tokens = BATCH_TOKENS,
                                     .max_context_tok = 1000000,
                                     .step_overhead_s = 0.0005};
}

static struct steptime *compile(struct roofline_request request)
{
    struct error error = {0};
    struct steptime *steptime = compile_roofline(&request, &error);
    cr_assert(steptime, "%s", error.message);
    return steptime;
}

static fine_t decode_time(const struct steptime *steptime, int64_t n, int64_t context_tok)
{
    struct decode_line line = steptime_decode(steptime, n, context_tok);
    cr_assert_geq(line.until, context_tok);
    return line.base + line.slope * context_tok;
}

/* One decode iteration of a deployment, in seconds. */
static double decode_s(struct roofline_request request, int64_t n, int64_t context_tok)
{
    struct steptime *steptime = compile(request);
    double seconds = fine_to_s(decode_time(steptime, n, context_tok));
    steptime_destroy(steptime);
    return seconds;
}

static double prefill_s(struct roofline_request request, int64_t tokens)
{
    struct steptime *steptime = compile(request);
    struct prefill_chunk chunk = {0, tokens};
    double seconds = fine_to_s(steptime_mixed(steptime, 0, 0, &chunk, 1, 1));
    steptime_destroy(steptime);
    return seconds;
}

/* --- given step times --- */

Test(steptime, given_parts_add_up_exactly)
{
    const struct steptime_given given = {0.01, 1e-4, 1e-8, 3e-6};
    struct error error = {0};
    struct steptime *steptime = steptime_compile_given(&given, 64, 512, 100000, &error);
    fine_t base = fine_from_s(0.01), sequence = fine_from_s(1e-4);
    fine_t context = fine_from_s(1e-8), token = fine_from_s(3e-6);
    struct decode_line line = steptime_decode(steptime, 7, 1234);
    cr_assert_eq(line.base, base + 7 * sequence);
    cr_assert_eq(line.slope, context);
    cr_assert_eq(line.until, INT64_MAX);
    const struct prefill_chunk chunks[] = {{0, 100}, {300, 57}};
    cr_assert_eq(steptime_mixed(steptime, 7, 1234, chunks, 2, 1),
                 base + 7 * sequence + 1234 * context + 157 * token);
    cr_assert_eq(steptime_mixed(steptime, 0, 0, chunks, 1, 0), base + 100 * token);
    steptime_destroy(steptime);
}

Test(steptime, given_parts_out_of_range_are_refused)
{
    const struct {
        struct steptime_given given;
        enum error_code code;
    } cases[] = {
        {{.base_s = -1}, ERROR_BAD_INPUT},
        {{.base_s = NAN}, ERROR_BAD_INPUT},
        {{.per_context_token_s = INFINITY}, ERROR_BAD_INPUT},
        {{.base_s = 5000}, ERROR_BAD_INPUT},
        {{.per_prefill_token_s = 10}, ERROR_INFEASIBLE},
        {{.per_context_token_s = 0.1}, ERROR_INFEASIBLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        cr_assert_null(steptime_compile_given(&cases[i].given, 64, 512, 100000, &error));
        cr_assert_eq(error.code, cases[i].code, "case %zu: %s", i, error.message);
    }
}

/* --- kernels that are not monotone --- */

/* Every fifth count, and every other context, is faster than those before it. */
static double wiggly_tokens(void *context, int64_t tokens)
{
    (void)context;
    return 1e-6 * (double)tokens * (tokens % 5 == 0 ? 0.5 : 1);
}

static double wiggly_attention(void *context, int64_t n, double context_each)
{
    double dip = (int64_t)log2(context_each) % 2 == 0 || n % 5 == 0 ? 0.4 : 1;
    return *(const double *)context * (double)n * context_each * dip;
}

static double wiggly_prefill(void *context, double start, double tokens)
{
    (void)context;
    double end = start + tokens;
    return 1e-9 * end * (1 + sin(end / 50));
}

static struct steptime *compile_wiggly(double per_pair_s, double key_s)
{
    const struct kernel_sum sum = {.layers_s = wiggly_tokens,
                                   .head_s = wiggly_tokens,
                                   .decode_attention_s = wiggly_attention,
                                   .prefill_attention_s = wiggly_prefill,
                                   .key_s = key_s,
                                   .context = &per_pair_s};
    const struct steptime_limits limits = {64, 512, 1000000, NULL, 0, 1};
    struct error error = {0};
    struct steptime *steptime = steptime_compile_sum(&sum, &limits, &error);
    cr_assert(steptime, "%s", error.message);
    return steptime;
}

Test(steptime, kernels_that_wiggle_are_evened_out)
{
    struct steptime *steptime = compile_wiggly(1e-9, 0);
    for (int64_t each = 1; each < 20000; each = each * 5 / 4 + 1)
        for (int64_t n = 1; n < 64; n++) {
            fine_t time = decode_time(steptime, n, n * each);
            cr_assert_leq(time, decode_time(steptime, n, n * (each * 5 / 4 + 1)), "%lld x %lld",
                          (long long)n, (long long)each);
            cr_assert_leq(time, decode_time(steptime, n + 1, (n + 1) * each) + n * each,
                          "%lld x %lld", (long long)n, (long long)each);
        }
    for (int64_t tokens = 1; tokens < 500; tokens++) {
        const struct prefill_chunk chunks[] = {{300, tokens}, {300, tokens + 1}};
        fine_t time = steptime_mixed(steptime, 3, 30, &chunks[0], 1, 0);
        cr_assert_leq(time, steptime_mixed(steptime, 3, 30, &chunks[1], 1, 0));
    }
    steptime_destroy(steptime);
}

/* However little attention costs: the keys of all that is before it. */
Test(steptime, a_chunk_reads_at_least_its_keys)
{
    struct steptime *without = compile_wiggly(0, 0), *with = compile_wiggly(0, 1e-6);
    const struct prefill_chunk chunk = {100000, 1};
    double more_s = fine_to_s(steptime_mixed(with, 0, 0, &chunk, 1, 0) -
                              steptime_mixed(without, 0, 0, &chunk, 1, 0));
    cr_assert_float_eq(more_s, 0.100001, 1e-4);
    steptime_destroy(without);
    steptime_destroy(with);
}

Test(steptime, a_prompt_that_ends_takes_a_row_of_the_head)
{
    struct steptime *steptime = compile_wiggly(0, 0);
    const struct prefill_chunk chunks[] = {{0, 10}, {0, 10}};
    fine_t none = steptime_mixed(steptime, 1, 1, chunks, 2, 0);
    cr_assert_eq(steptime_mixed(steptime, 1, 1, chunks, 2, 1) - none, fine_from_s(1e-6));
    cr_assert_eq(steptime_mixed(steptime, 1, 1, chunks, 2, 2) - none, fine_from_s(2e-6));
    steptime_destroy(steptime);
}

/* --- the roofline, by hand --- */

Test(steptime, one_sequence_reads_all_weights_once)
{
    struct roofline_request request = request_of("H100-SXM", "llama-3.1-8b");
    request.step_overhead_s = 0;
    double bandwidth = 3350e9 * request.gpu->bandwidth_efficiency;
    double read = 2 * (llm_total_weights(request.llm) - 128256.0 * 4096); /* one row of a table */
    /* Per layer three small kernels beside the activation's, and attention at its floor. */
    double kernels = 32 * (4 * 3e-6 + 8e-6) + 2 * 3e-6;
    double activations =
        2 * (32.0 * (4096 + 6144 + 4096 + 4096 + 4096 + 28672 + 14336 + 4096) + 4096 + 128256);
    cr_assert_float_eq(decode_s(request, 1, 100), (read + activations) / bandwidth + kernels, 1e-9);
}

Test(steptime, a_large_prefill_is_bound_by_arithmetic)
{
    struct roofline_request request = request_of("H100-SXM", "llama-3.1-8b");
    double rate = 989e12 * request.gpu->gemm_efficiency;
    double tables = 2 * 128256.0 * 4096;
    double floor_s = 2 * 2048 * (llm_total_weights(request.llm) - tables) / rate;
    double measured = prefill_s(request, 2048);
    cr_assert(measured > floor_s && measured < 1.25 * floor_s, "%g against %g", measured, floor_s);
}

Test(steptime, context_costs_its_bytes)
{
    struct roofline_request request = request_of("H100-SXM", "llama-3.1-8b");
    double bandwidth = 3350e9 * request.gpu->bandwidth_efficiency;
    double more = decode_s(request, 64, 164000) - decode_s(request, 64, 64000);
    cr_assert_float_eq(more, 100000 * 131072.0 / bandwidth, 1e-9);
    request.kv = PRECISION_FP8;
    double less = decode_s(request, 64, 164000) - decode_s(request, 64, 64000);
    cr_assert_float_eq(less, more / 2, 1e-9);
}

Test(steptime, a_mixture_reads_the_experts_that_its_tokens_choose)
{
    struct roofline_request request = request_of("H200-SXM", "mixtral-8x7b");
    double bandwidth = 4800e9 * request.gpu->bandwidth_efficiency;
    double expert = 2 * llm_expert_weights(request.llm) * 32;
    /* Of 8 experts, 1 token touches 2 and 2 tokens touch 8 (1 - (6/8)^2) = 3.5. */
    double more = decode_s(request, 2, 100) - decode_s(request, 1, 100);
    cr_assert_float_eq(more, 1.5 * expert / bandwidth, 0.02 * more);
}

Test(steptime, tensor_parallel_adds_two_all_reduces_per_layer)
{
    struct roofline_request request = request_of("H100-SXM", "llama-3.1-70b");
    request.tensor_parallel = 2;
    struct gpu slow = *request.gpu;
    slow.link_latency_us += 10;
    double before = decode_s(request, 1, 100);
    request.gpu = &slow;
    /* And one gather of the logits. */
    cr_assert_float_eq(decode_s(request, 1, 100) - before, (2 * 80 + 1) * 10e-6, 1e-9);
}

Test(steptime, tensor_parallel_beyond_the_node_uses_the_node_link)
{
    struct roofline_request request = request_of("H100-SXM", "llama-3.1-70b");
    struct gpu split = *request.gpu;
    split.gpus_per_node = 4;
    request.tensor_parallel = 8;
    double within = decode_s(request, 64, 6400);
    request.gpu = &split;
    cr_assert_gt(decode_s(request, 64, 6400), 2 * within);
}

/* --- what holds for every deployment --- */

static const struct {
    const char *gpu, *llm;
    int64_t tp;
    enum precision weights;
} deployments[] = {
    {"H100-SXM", "llama-3.1-8b", 1, PRECISION_BF16},
    {"A100-80GB-SXM", "llama-3.1-70b", 4, PRECISION_INT4},
    {"L40S", "llama-2-13b", 2, PRECISION_FP8},
    {"T4", "opt-13b", 4, PRECISION_INT8},
    {"H200-SXM", "mixtral-8x22b", 8, PRECISION_FP8},
    {"B200", "deepseek-v3", 8, PRECISION_FP4},
    {"H100-SXM", "deepseek-v2-lite", 1, PRECISION_BF16},
    {"H100-SXM", "gpt-oss-120b", 16, PRECISION_FP4},
};
#define DEPLOYMENTS (sizeof deployments / sizeof *deployments)

static struct steptime *compile_deployment(size_t i)
{
    struct roofline_request request = request_of(deployments[i].gpu, deployments[i].llm);
    request.tensor_parallel = deployments[i].tp;
    request.weights = deployments[i].weights;
    return compile(request);
}

/* 1 us a token, 1 ns a token of context, and a host that launches all layers in launch_s. */
static double launched_layers_s(void *context, int64_t tokens)
{
    (void)context;
    return 1e-6 * (double)tokens;
}

static double launched_head_s(void *context, int64_t rows)
{
    (void)context, (void)rows;
    return 0;
}

static double launched_decode_s(void *context, int64_t n, double context_each)
{
    (void)context;
    return 1e-9 * (double)n * context_each;
}

static double launched_prefill_s(void *context, double start, double tokens)
{
    (void)context, (void)start, (void)tokens;
    return 0;
}

Test(steptime, without_graphs_no_iteration_is_shorter_than_its_launches)
{
    const struct kernel_sum sum = {.layers_s = launched_layers_s,
                                   .head_s = launched_head_s,
                                   .decode_attention_s = launched_decode_s,
                                   .prefill_attention_s = launched_prefill_s,
                                   .step_s = 2e-3,
                                   .launch_s = 1e-3};
    const struct steptime_limits limits = {
        .max_sequences = 64, .max_batch_tokens = 4096, .max_context_tok = 4000000};
    struct error error = {0};
    struct steptime *steptime = steptime_compile_sum(&sum, &limits, &error);
    const struct prefill_chunk few = {0, 100}, many = {0, 2000};
    cr_assert_float_eq(fine_to_s(decode_time(steptime, 1, 1000)), 3e-3, 1e-9);
    cr_assert_float_eq(fine_to_s(decode_time(steptime, 64, 64 * 65536)), 2e-3 + 64e-6 + 4.194e-3,
                       1e-5);
    cr_assert_float_eq(fine_to_s(steptime_mixed(steptime, 0, 0, &few, 1, 1)), 3e-3, 1e-9);
    cr_assert_float_eq(fine_to_s(steptime_mixed(steptime, 1, 1000, &many, 1, 1)),
                       2e-3 + 2001e-6 + 1e-6, 1e-8);
    steptime_destroy(steptime);
}

Test(steptime, lines_meet_or_rise_where_they_end)
{
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct steptime *steptime = compile_deployment(i);
        for (int64_t n = 1; n <= SEQUENCES; n++) {
            struct decode_line line = steptime_decode(steptime, n, n);
            while (line.until != INT64_MAX) {
                struct decode_line next = steptime_decode(steptime, n, line.until + 1);
                cr_assert_leq(line.base + line.slope * line.until,
                              next.base + next.slope * (line.until + 1), "%zu, n %lld", i,
                              (long long)n);
                cr_assert_gt(next.until, line.until);
                line = next;
            }
            cr_assert_gt(line.slope, 0);
        }
        steptime_destroy(steptime);
    }
}

Test(steptime, an_iteration_without_chunks_is_the_decode_line)
{
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct steptime *steptime = compile_deployment(i);
        for (int64_t n = 1; n <= SEQUENCES; n++)
            for (int64_t context = n; context < 3000000; context = context * 3 + 1)
                cr_assert_eq(steptime_mixed(steptime, n, context, NULL, 0, 0),
                             decode_time(steptime, n, context));
        steptime_destroy(steptime);
    }
}

/* Up to the rounding of the slope, half a fine unit per token of context. */
Test(steptime, more_sequences_with_their_context_are_never_faster)
{
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct steptime *steptime = compile_deployment(i);
        for (int64_t each = 1; each <= 4096; each *= 8)
            for (int64_t n = 1; n < SEQUENCES; n++) {
                fine_t time = decode_time(steptime, n, n * each);
                fine_t more = decode_time(steptime, n + 1, (n + 1) * each);
                cr_assert_leq(time, more + n * each, "%zu, n %lld", i, (long long)n);
            }
        steptime_destroy(steptime);
    }
}

Test(steptime, more_prompt_tokens_are_never_faster)
{
    const int64_t starts[] = {0, 1, 1000, 100000};
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct steptime *steptime = compile_deployment(i);
        for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
            fine_t before = decode_time(steptime, 5, 700);
            for (int64_t tokens = 1; tokens <= BATCH_TOKENS - 5; tokens++) {
                struct prefill_chunk chunk = {starts[s], tokens};
                fine_t time = steptime_mixed(steptime, 5, 700, &chunk, 1, 0);
                cr_assert_leq(before, time, "%zu, start %lld, %lld tokens", i, (long long)starts[s],
                              (long long)tokens);
                before = time;
            }
        }
        steptime_destroy(steptime);
    }
}

Test(steptime, a_later_chunk_and_a_finishing_one_are_never_faster)
{
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct steptime *steptime = compile_deployment(i);
        const struct prefill_chunk early = {0, 512}, late = {200000, 512};
        fine_t first = steptime_mixed(steptime, 3, 99, &early, 1, 0);
        cr_assert_lt(first, steptime_mixed(steptime, 3, 99, &late, 1, 0));
        cr_assert_leq(first, steptime_mixed(steptime, 3, 99, &early, 1, 1));
        steptime_destroy(steptime);
    }
}

/* --- what holds between deployments --- */

static void assert_not_slower(struct roofline_request a, struct roofline_request b)
{
    cr_assert_leq(decode_s(a, 1, 100), decode_s(b, 1, 100));
    cr_assert_leq(decode_s(a, 200, 400000), decode_s(b, 200, 400000));
    cr_assert_leq(prefill_s(a, 2000), prefill_s(b, 2000));
}

Test(steptime, a_better_gpu_is_never_slower)
{
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct roofline_request request = request_of(deployments[i].gpu, deployments[i].llm);
        request.tensor_parallel = deployments[i].tp;
        struct roofline_request better = request;
        struct gpu gpu = *request.gpu;
        better.gpu = &gpu;
        gpu.bandwidth_gb_s *= 2;
        assert_not_slower(better, request);
        gpu.bf16_tflops *= 2;
        assert_not_slower(better, request);
        gpu.link_gb_s *= 2;
        gpu.node_link_gb_s *= 2;
        assert_not_slower(better, request);
        gpu.node_link_latency_us /= 2;
        assert_not_slower(better, request);
    }
}

Test(steptime, two_gpus_on_nvlink_step_a_70b_faster_than_one)
{
    struct roofline_request one = request_of("H200-SXM", "llama-3.1-70b");
    struct roofline_request two = one;
    two.tensor_parallel = 2;
    cr_assert_lt(decode_s(two, 1, 100), 0.6 * decode_s(one, 1, 100));
    cr_assert_lt(decode_s(two, 128, 128000), 0.6 * decode_s(one, 128, 128000));
    cr_assert_lt(prefill_s(two, 2048), 0.7 * prefill_s(one, 2048));
}

Test(steptime, fewer_bits_are_never_slower)
{
    struct roofline_request bf16 = request_of("H100-SXM", "llama-3.1-8b");
    struct roofline_request fp8 = bf16, int4 = bf16;
    fp8.weights = PRECISION_FP8;
    int4.weights = PRECISION_INT4;
    assert_not_slower(fp8, bf16);
    assert_not_slower(int4, bf16);
    cr_assert_lt(decode_s(int4, 1, 100), decode_s(fp8, 1, 100));
}

Test(steptime, more_sequences_than_batch_tokens_are_allowed)
{
    struct roofline_request request = request_of("H100-SXM", "llama-3.1-8b");
    request.max_batch_tokens = 1;
    cr_assert_gt(decode_s(request, SEQUENCES, SEQUENCES), 0);
}

Test(steptime, iterations_too_long_for_the_clock_are_refused)
{
    struct roofline_request request = request_of("T4", "llama-3.1-405b");
    request.step_overhead_s = 5000;
    struct error error = {0};
    cr_assert_null(compile_roofline(&request, &error));
    cr_assert_eq(error.code, ERROR_INFEASIBLE);
    cr_assert(strstr(error.message, "4096"), "%s", error.message);
    cr_assert(error.hint[0]);
}
