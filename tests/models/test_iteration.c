/* The assembly of an iteration: sums worked out by hand on a GPU of round numbers, whose kernels
 * take exactly their roofline; then what holds of the shipped kernels, constants and models. */
#include "models/steptime/iteration.h"

#include <math.h>
#include <string.h>

#include "models/engine/engine_settings.h"
#include "models/steptime/operator_entry.h"
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

TestSuite(iteration, .init = set_up, .fini = tear_down);

/* --- a GPU of round numbers --- */

/* A microsecond moves 1e6 bytes of memory, 1e5 to a neighbour, 1e4 to another node, and computes
 * 1e8 operations. */
static const struct gpu round_gpu = {.name = "round",
                                     .memory_gib = 80,
                                     .bandwidth_gb_s = 1000,
                                     .bf16_tflops = 100,
                                     .fp8_tflops = NAN,
                                     .int8_tops = NAN,
                                     .fp4_tflops = NAN,
                                     .link_gb_s = 100,
                                     .node_link_gb_s = 10,
                                     .link_latency_us = 10,
                                     .node_link_latency_us = 20,
                                     .gpus_per_node = 8,
                                     .gemm_efficiency = 1,
                                     .bandwidth_efficiency = 1,
                                     .link_efficiency = 1};

/* Kernels in microseconds; starts and the floor of small kernels are those of kernel.c and
 * operators.c. Weights are of 16 bits. */
static double roofline_us(double bytes, double operations)
{
    return fmax(bytes / 1e6, operations / 1e8);
}

static double gemm_us(double rows, double out, double in)
{
    return 2 + roofline_us(2 * out * in + 2 * rows * (out + in), 2 * rows * out * in);
}

static double small_us(double elements)
{
    return fmax(3, 2 * elements / 0.8e6);
}

static double gather_us(double gpus, double bytes)
{
    return 10 + (gpus - 1) / gpus * bytes / 1e5;
}

static double all_reduce_us(double gpus, double bytes)
{
    return 10 + 2 * (gpus - 1) / gpus * bytes / 1e5;
}

static double unmeasured_us(double bytes, double operations)
{
    return 8 + roofline_us(bytes, operations) / 0.8;
}

/* Two norms and the rotary embedding. */
static double frame_us(double tokens, double hidden, double qkv)
{
    return 2 * small_us(4 * tokens * hidden) + small_us(2 * tokens * qkv);
}

static double gated_ffn_us(double tokens, double hidden, double width)
{
    return gemm_us(tokens, 2 * width, hidden) + small_us(3 * tokens * width) +
           gemm_us(tokens, hidden, width);
}

static const struct llm dense = {.layers = 2,
                                 .hidden = 1024,
                                 .heads = 16,
                                 .kv_heads = 4,
                                 .head_dim = 64,
                                 .intermediate = 4096,
                                 .vocab = 32000,
                                 .gated_ffn = true,
                                 .dense_layers = 2,
                                 .groups = {{2, ATTENTION_FULL, false}},
                                 .group_count = 1};

static const struct step_constants plain = STEP_CONSTANTS_BARE;

static struct step_layout layout_of(const struct llm *llm)
{
    return (struct step_layout){.gpu = &round_gpu,
                                .llm = llm,
                                .tensor_parallel = 1,
                                .attention_dp = 1,
                                .expert_parallel = 1};
}

static struct kernel_sum sum_of(const struct step_layout *layout,
                                const struct step_constants *constants)
{
    static const struct operator_file no_curves = {.gpu = "round", .source = "none"};
    struct iteration *iteration = ARENA_NEW(arena, struct iteration);
    *iteration = iteration_prepare(
        layout, operators_from_file(&no_curves, layout->gpu, "vllm", arena), constants);
    return iteration_kernels(iteration);
}

static double layers_us(struct step_layout layout, int64_t tokens)
{
    struct kernel_sum sum = sum_of(&layout, &plain);
    return 1e6 * sum.layers_s(sum.context, tokens);
}

static double head_us(struct step_layout layout, int64_t rows)
{
    struct kernel_sum sum = sum_of(&layout, &plain);
    return 1e6 * sum.head_s(sum.context, rows);
}

static double decode_us(struct step_layout layout, int64_t n, double context_each)
{
    struct kernel_sum sum = sum_of(&layout, &plain);
    return 1e6 * sum.decode_attention_s(sum.context, n, context_each);
}

static double prefill_us(struct step_layout layout, double start, double tokens)
{
    struct kernel_sum sum = sum_of(&layout, &plain);
    return 1e6 * sum.prefill_attention_s(sum.context, start, tokens);
}

#define SEQUENCES    192
#define BATCH_TOKENS 2048
#define CONTEXT      2000000

static struct steptime *compile(const struct kernel_sum *sum, const int64_t *sizes, size_t count)
{
    const struct steptime_limits limits = {SEQUENCES, BATCH_TOKENS, CONTEXT, sizes, count, 1};
    struct error error = {0};
    struct steptime *steptime = steptime_compile_sum(sum, &limits, &error);
    cr_assert(steptime, "%s", error.message);
    return steptime;
}

#define assert_us(is, wanted) cr_expect_float_eq(is, wanted, 1e-9 * (wanted), "%.9g us", is)

/* Of few rows, where memory decides and small kernels are at their floor, and of many. */
static const int64_t row_counts[] = {1, 8, 1000};
enum { ROW_COUNTS = sizeof row_counts / sizeof *row_counts };

/* --- layers, by hand --- */

Test(iteration, a_dense_layer_is_four_gemms_and_four_small_kernels)
{
    for (int i = 0; i < ROW_COUNTS; i++) {
        double t = (double)row_counts[i], qkv = (16 + 2 * 4) * 64;
        assert_us(layers_us(layout_of(&dense), row_counts[i]),
                  2 * (frame_us(t, 1024, qkv) + gemm_us(t, qkv, 1024) + gemm_us(t, 1024, 1024) +
                       gated_ffn_us(t, 1024, 4096)));
    }
}

Test(iteration, a_plain_ffn_has_no_gate_and_a_gated_query_is_twice_as_wide)
{
    struct llm llm = dense;
    llm.gated_ffn = false;
    double with = layers_us(layout_of(&dense), 8), without = layers_us(layout_of(&llm), 8);
    assert_us(with - without, 2 * (gemm_us(8, 8192, 1024) - gemm_us(8, 4096, 1024)));
    llm.gated_attention = true;
    assert_us(layers_us(layout_of(&llm), 8) - without,
              2 * (gemm_us(8, (2 * 16 + 2 * 4) * 64, 1024) - gemm_us(8, (16 + 2 * 4) * 64, 1024)));
}

Test(iteration, tensor_parallel_splits_matrices_and_adds_two_all_reduces_a_layer)
{
    for (int i = 0; i < ROW_COUNTS; i++) {
        struct step_layout layout = layout_of(&dense);
        double t = (double)row_counts[i];
        layout.tensor_parallel = 4;
        assert_us(layers_us(layout, row_counts[i]),
                  2 * (frame_us(t, 1024, 6 * 64) + gemm_us(t, 6 * 64, 1024) +
                       gemm_us(t, 1024, 4 * 64) + gated_ffn_us(t, 1024, 1024) +
                       2 * all_reduce_us(4, 2048 * t)));
        layout.tensor_parallel = 8; /* KV heads are copied where there are more GPUs than heads */
        assert_us(layers_us(layout, row_counts[i]),
                  2 * (frame_us(t, 1024, 4 * 64) + gemm_us(t, 4 * 64, 1024) +
                       gemm_us(t, 1024, 2 * 64) + gated_ffn_us(t, 1024, 512) +
                       2 * all_reduce_us(8, 2048 * t)));
    }
}

Test(iteration, the_head_is_a_gemm_a_gather_and_the_sampling_of_all_logits)
{
    struct step_layout layout = layout_of(&dense);
    layout.weights = PRECISION_FP8; /* the head stays in 16 bits */
    assert_us(head_us(layout, 100), gemm_us(100, 32000, 1024) + small_us(2 * 100 * 32000));
    layout.tensor_parallel = 4;
    assert_us(head_us(layout, 100),
              gemm_us(100, 8000, 1024) + gather_us(4, 100 * 32000 * 2) + small_us(2 * 100 * 32000));
}

/* --- attention to the cache, by hand --- */

Test(iteration, decode_attention_reads_keys_and_values_of_every_layer)
{
    struct step_layout layout = layout_of(&dense);
    assert_us(decode_us(layout, 10, 2000), 2 * (8 + 2 * 10 * 2000.0 * 64 * 4 * 2 / 1e6));
    layout.kv = PRECISION_FP8;
    assert_us(decode_us(layout, 10, 2000), 2 * (8 + 2 * 10 * 2000.0 * 64 * 4 / 1e6));
    layout.tensor_parallel = 2;
    assert_us(decode_us(layout, 10, 2000), 2 * (8 + 2 * 10 * 2000.0 * 64 * 2 / 1e6));
    struct kernel_sum sum = sum_of(&layout, &plain);
    assert_us(1e6 * sum.key_s, 2 * 2.0 * 64 * 2 / 1e6);
}

Test(iteration, a_window_bounds_the_layers_that_have_one)
{
    struct llm llm = dense;
    llm.sliding_window = 500;
    llm.window_layers = 1;
    llm.groups[0].layers = 1;
    llm.groups[1] = (struct llm_layer_group){1, ATTENTION_WINDOW, false};
    llm.group_count = 2;
    struct step_layout layout = layout_of(&llm);
    double pair_us = 2 * 10 * 64 * 4 * 2 / 1e6;
    assert_us(decode_us(layout, 10, 300), 2 * (8 + 300 * pair_us));
    assert_us(decode_us(layout, 10, 2000), 8 + 2000 * pair_us + 8 + 500 * pair_us);
    /* Whole prompts: L(L + 1) / 2 pairs, or as many as in prompts of twice the window. */
    double full_us = 8 + 4 * (8000.0 * 8001 / 2) * 16 * 64 / 1e8;
    double window_us = 8 + 4 * (8000.0 * 1001 / 2) * 16 * 64 / 1e8;
    assert_us(prefill_us(layout, 0, 8000), full_us + window_us);
}

Test(iteration, a_chunk_attends_to_what_is_before_it)
{
    struct step_layout layout = layout_of(&dense);
    double pairs = 8000.0 * 8001 / 2 - 6000.0 * 6001 / 2;
    assert_us(prefill_us(layout, 6000, 2000), 2 * 4 * pairs * 16 * 64 / 1e8);
    layout.tensor_parallel = 4;
    assert_us(prefill_us(layout, 6000, 2000), 2 * 4 * pairs * 4 * 64 / 1e8);
}

/* --- latent, sparse and linear attention, by hand --- */

/* As DeepSeek-V3 in small: queries of 96 = 64 + 32, values of 64, latents of 256 + 32. */
static const struct llm latent = {.layers = 3,
                                  .hidden = 1024,
                                  .heads = 16,
                                  .kv_heads = 16,
                                  .head_dim = 96,
                                  .kv_lora_rank = 256,
                                  .q_lora_rank = 384,
                                  .rope_head_dim = 32,
                                  .nope_head_dim = 64,
                                  .value_head_dim = 64,
                                  .intermediate = 2048,
                                  .vocab = 32000,
                                  .gated_ffn = true,
                                  .dense_layers = 3,
                                  .groups = {{3, ATTENTION_LATENT, false}},
                                  .group_count = 1};

static double latent_projections_us(double tokens, double heads)
{
    return gemm_us(tokens, 384 + 256 + 32, 1024) + gemm_us(tokens, heads * 96, 384) +
           gemm_us(tokens, heads * (64 + 64), 256) + gemm_us(tokens, 1024, heads * 64);
}

Test(iteration, latent_attention_projects_down_and_up)
{
    struct step_layout layout = layout_of(&latent);
    assert_us(layers_us(layout, 8), 3 * (frame_us(8, 1024, 48 * 96) + latent_projections_us(8, 16) +
                                         gated_ffn_us(8, 1024, 2048)));
    layout.tensor_parallel = 4; /* the down-projection is copied */
    assert_us(layers_us(layout, 8),
              3 * (frame_us(8, 1024, 12 * 96) + latent_projections_us(8, 4) +
                   gated_ffn_us(8, 1024, 512) + 2 * all_reduce_us(4, 8 * 2048)));
}

Test(iteration, latent_attention_decodes_on_one_latent_and_prefills_with_all_heads)
{
    struct step_layout layout = layout_of(&latent);
    layout.tensor_parallel = 4; /* splits heads, not the latent */
    double pairs = 16 * 3000.0;
    double operations = 2 * 4 * (288 + 256) * pairs, bytes = 288 * 2 * pairs;
    assert_us(decode_us(layout, 16, 3000), 3 * unmeasured_us(bytes, operations));
    layout.kv = PRECISION_FP8;
    assert_us(decode_us(layout, 16, 3000), 3 * unmeasured_us(bytes / 2, operations));
    struct llm many_heads = latent; /* arithmetic decides */
    many_heads.heads = 512;
    layout.llm = &many_heads;
    assert_us(decode_us(layout, 16, 3000), 3 * unmeasured_us(0, 32 * operations));
    layout.llm = &latent;
    double wider = (96 + 64) / 128.0, causal = 8000.0 * 8001 / 2;
    assert_us(prefill_us(layout, 0, 8000), 3 * wider * (8 + 4 * causal * 4 * 64 / 1e8));
}

Test(iteration, sparse_attention_has_an_indexer_and_reads_what_it_picks)
{
    struct llm llm = latent;
    llm.index_topk = 512;
    llm.index_heads = 8;
    llm.index_head_dim = 128;
    llm.groups[0].attention = ATTENTION_SPARSE_LATENT;
    struct step_layout sparse = layout_of(&llm), whole = layout_of(&latent);
    assert_us(layers_us(sparse, 8) - layers_us(whole, 8),
              3 * (gemm_us(8, 8 * 128, 384) + gemm_us(8, 128 + 8, 1024)));
    double pairs = 16 * 3000.0; /* a byte each, and operations at twice the rate of 16 bits */
    double indexer_us = unmeasured_us(128 * pairs, 2 * 8 * 128 / 2 * pairs);
    assert_us(decode_us(sparse, 16, 3000), 3 * indexer_us + decode_us(whole, 16, 512));
    assert_us(prefill_us(sparse, 0, 400), prefill_us(whole, 0, 400));
}

/* As Qwen3-Next in small: 4 key heads of 64, 8 value heads of 128. */
Test(iteration, linear_attention_reads_and_writes_a_state)
{
    struct llm llm = dense;
    llm.linear_layers = 2;
    llm.linear_key_heads = 4;
    llm.linear_key_head_dim = 64;
    llm.linear_value_heads = 8;
    llm.linear_value_head_dim = 128;
    llm.groups[0].attention = ATTENTION_LINEAR;
    struct step_layout layout = layout_of(&llm);
    double keys = 256, values = 1024, t = 1000;
    assert_us(layers_us(layout, 1000),
              2 * (frame_us(t, 1024, 24 * 64) + gemm_us(t, 2 * keys + 2 * values + 16, 1024) +
                   small_us(2 * t * (2 * keys + values)) + gemm_us(t, 1024, values) +
                   gated_ffn_us(t, 1024, 4096)));
    double state = 8 * 128 * 64;
    assert_us(decode_us(layout, 50, 9e9), 2 * unmeasured_us(50 * 8 * state, 50 * 6 * state));
    double per_token = 2 * values * (2 * 64 + 2 * 64);
    assert_us(prefill_us(layout, 0, 3000), 2 * unmeasured_us(0, 3000 * per_token));
    layout.tensor_parallel = 2;
    assert_us(decode_us(layout, 50, 1), 2 * unmeasured_us(50 * 4 * state, 50 * 3 * state));
    assert_us(prefill_us(layout, 0, 3000), 2 * unmeasured_us(0, 3000 * per_token / 2));
}

/* --- mixtures of experts, by hand --- */

/* A dense layer, and 3 of 8 experts, 2 of them chosen. */
static const struct llm mixture = {
    .layers = 4,
    .hidden = 1024,
    .heads = 16,
    .kv_heads = 4,
    .head_dim = 64,
    .intermediate = 4096,
    .vocab = 32000,
    .gated_ffn = true,
    .experts = 8,
    .active_experts = 2,
    .expert_intermediate = 2048,
    .dense_layers = 1,
    .groups = {{1, ATTENTION_FULL, false}, {3, ATTENTION_FULL, true}},
    .group_count = 2};

/* `tokens` choose 2 of 8; `local` of them are here, `inter` wide. */
static double experts_us(double tokens, double local, double inter)
{
    double touched = local * (1 - pow(0.75, tokens)), rows = tokens / 4 * local;
    double matrices = 3 * 1024 * inter;
    return 15 + roofline_us(2 * touched * matrices + 2 * rows * (2 * 1024 + 3 * inter),
                            2 * rows * matrices);
}

static double full_layer_us(double tokens)
{
    return frame_us(tokens, 1024, 24 * 64) + gemm_us(tokens, 24 * 64, 1024) +
           gemm_us(tokens, 1024, 1024);
}

Test(iteration, a_mixture_has_a_router_and_experts_in_its_layers_alone)
{
    struct llm shared = mixture;
    shared.shared_expert_intermediate = 512;
    for (int i = 0; i < ROW_COUNTS; i++) {
        double t = (double)row_counts[i];
        struct step_layout layout = layout_of(&mixture);
        double wanted = 4 * full_layer_us(t) + gated_ffn_us(t, 1024, 4096) +
                        3 * (gemm_us(t, 8, 1024) + experts_us(t, 8, 2048));
        assert_us(layers_us(layout, row_counts[i]), wanted);
        layout.llm = &shared;
        assert_us(layers_us(layout, row_counts[i]), wanted + 3 * gated_ffn_us(t, 1024, 512));
    }
}

Test(iteration, experts_are_split_or_dealt_out)
{
    struct step_layout layout = layout_of(&mixture);
    layout.tensor_parallel = 4;
    double split_us = layers_us(layout, 100);
    layout.expert_parallel = 4;
    assert_us(split_us - layers_us(layout, 100),
              3 * (experts_us(100, 8, 512) - experts_us(100, 2, 2048)));
    layout.expert_parallel = 2;
    assert_us(split_us - layers_us(layout, 100),
              3 * (experts_us(100, 8, 512) - experts_us(100, 4, 1024)));
}

/* Four ranks of one GPU: each has its own attention, all tokens meet at the experts. */
Test(iteration, data_parallel_attention_brings_all_tokens_to_the_experts)
{
    struct step_layout layout = layout_of(&mixture);
    layout.attention_dp = 4;
    layout.expert_parallel = 2;
    double t = 100, exchange_us = 2 * gather_us(4, 4 * t * 2048);
    assert_us(layers_us(layout, 100),
              4 * full_layer_us(t) + gated_ffn_us(t, 1024, 4096) +
                  3 * (gemm_us(t, 8, 1024) + exchange_us + experts_us(4 * t, 4, 1024)));
}

/* Of four GPUs, two experts of a token are on 1 - (3/4)^2 = 7/16 of them on average. */
Test(iteration, tokens_go_to_the_gpus_of_their_experts_alone_where_those_are_few)
{
    struct step_layout layout = layout_of(&mixture);
    layout.attention_dp = 4;
    layout.expert_parallel = 4;
    double t = 100, exchange_us = 2 * gather_us(4, 7.0 / 16 * 4 * t * 2048);
    assert_us(layers_us(layout, 100),
              4 * full_layer_us(t) + gated_ffn_us(t, 1024, 4096) +
                  3 * (gemm_us(t, 8, 1024) + exchange_us + experts_us(4 * t, 2, 2048)));
}

/* Two of the other three ranks have no tokens. */
Test(iteration, idle_ranks_bring_the_experts_nothing)
{
    struct step_layout layout = layout_of(&mixture);
    layout.attention_dp = 4;
    layout.expert_parallel = 2;
    layout.idle_peers = 2.0 / 3;
    double t = 100, exchange_us = 2 * gather_us(4, 2 * t * 2048);
    assert_us(layers_us(layout, 100),
              4 * full_layer_us(t) + gated_ffn_us(t, 1024, 4096) +
                  3 * (gemm_us(t, 8, 1024) + exchange_us + experts_us(2 * t, 4, 1024)));
}

Test(iteration, experts_may_have_a_format_of_their_own)
{
    struct step_layout layout = layout_of(&mixture);
    double before = layers_us(layout, 1);
    layout.expert_weights = PRECISION_FP8; /* a quarter of the 8 experts, half the bytes */
    assert_us(before - layers_us(layout, 1), 3 * 2 * 3 * 1024 * 2048 / 1e6);
    layout.expert_weights = PRECISION_BF16;
    layout.weights = PRECISION_FP8; /* all else but the router */
    double bytes = 4 * (24 * 64 * 1024 + 1024 * 1024) + 3 * 4096 * 1024;
    assert_us(before - layers_us(layout, 1), bytes / 1e6);
}

/* --- constants, by hand --- */

struct parts {
    double layers, head, decode, prefill;
};

static struct parts parts_us(const struct step_layout *layout,
                             const struct step_constants *constants, int64_t tokens)
{
    struct kernel_sum sum = sum_of(layout, constants);
    return (struct parts){1e6 * sum.layers_s(sum.context, tokens),
                          1e6 * sum.head_s(sum.context, tokens),
                          1e6 * sum.decode_attention_s(sum.context, tokens, 1000),
                          1e6 * sum.prefill_attention_s(sum.context, 0, (double)tokens)};
}

/* What the constants add to plain ones. */
static struct parts added_us(const struct step_layout *layout, struct step_constants constants,
                             int64_t tokens)
{
    struct parts with = parts_us(layout, &constants, tokens);
    struct parts without = parts_us(layout, &plain, tokens);
    return (struct parts){with.layers - without.layers, with.head - without.head,
                          with.decode - without.decode, with.prefill - without.prefill};
}

static void assert_added(struct parts is, struct parts wanted)
{
    cr_expect_float_eq(is.layers, wanted.layers, 1e-6, "layers: %g us", is.layers);
    cr_expect_float_eq(is.head, wanted.head, 1e-6, "head: %g us", is.head);
    cr_expect_float_eq(is.decode, wanted.decode, 1e-6, "decode attention: %g us", is.decode);
    cr_expect_float_eq(is.prefill, wanted.prefill, 1e-6, "prefill attention: %g us", is.prefill);
}

Test(iteration, constants_count_once_per_what_they_are_of)
{
    struct step_layout layout = layout_of(&mixture);
    struct step_constants constants = plain;
    constants.layer_s = 5e-6;
    assert_added(added_us(&layout, constants, 7), (struct parts){.layers = 4 * 5});
    constants = plain;
    constants.expert_layer_s = 5e-6;
    assert_added(added_us(&layout, constants, 7), (struct parts){.layers = 3 * 5});
    constants = plain;
    constants.sequence_s = 5e-6;
    assert_added(added_us(&layout, constants, 7), (struct parts){.head = 7 * 5});
    constants = plain;
    constants.prefill_token_s = 5e-6;
    assert_added(added_us(&layout, constants, 7), (struct parts){.prefill = 7 * 5});
    constants = plain;
    constants.step_s = 5e-6;
    constants.prefill_step_s = 6e-6;
    assert_added(added_us(&layout, constants, 7), (struct parts){0});
    struct kernel_sum sum = sum_of(&layout, &constants);
    cr_expect_eq(sum.step_s, 5e-6);
    cr_expect_eq(sum.prefill_step_s, 6e-6);
}

Test(iteration, scales_hold_for_their_kernels_alone)
{
    struct step_layout layout = layout_of(&mixture);
    layout.attention_dp = layout.expert_parallel = 2;
    struct step_constants constants = plain;
    constants.decode_attention = 3;
    assert_added(added_us(&layout, constants, 7),
                 (struct parts){.decode = 2 * decode_us(layout, 7, 1000)});
    constants = plain;
    constants.prefill_attention = 3;
    assert_added(added_us(&layout, constants, 7),
                 (struct parts){.prefill = 2 * prefill_us(layout, 0, 7)});
    constants = plain;
    constants.experts = 3;
    assert_added(added_us(&layout, constants, 7),
                 (struct parts){.layers = 2 * 3 * experts_us(14, 4, 2048)});
    constants = plain;
    constants.all_reduce = 3;
    assert_added(added_us(&layout, constants, 7),
                 (struct parts){.layers = 2 * 3 * 2 * gather_us(2, 14 * 2048)});
    layout = layout_of(&dense);
    layout.tensor_parallel = 2;
    assert_added(added_us(&layout, constants, 7),
                 (struct parts){.layers = 2 * 2 * 2 * all_reduce_us(2, 7 * 2048)});
}

/* All small kernels of a layer and of the head, and none but them. */
Test(iteration, element_wise_scales_small_kernels)
{
    struct step_layout layout = layout_of(&dense);
    struct step_constants constants = plain;
    constants.element_wise = 3;
    double layer_us = frame_us(1000, 1024, 24 * 64) + small_us(3 * 1000.0 * 4096);
    assert_added(added_us(&layout, constants, 1000),
                 (struct parts){.layers = 2 * 2 * layer_us, .head = 2 * small_us(2000.0 * 32000)});
}

/* From 2048 tokens to 4096, and beyond. */
Test(iteration, long_all_reduces_are_scaled_further)
{
    static const struct {
        int64_t tokens;
        double scale;
    } cases[] = {{1, 1}, {2048, 1}, {2896, 2}, {4096, 4}, {16384, 4}};
    struct step_layout layout = layout_of(&dense);
    layout.tensor_parallel = 4;
    struct step_constants constants = plain;
    constants.long_all_reduce = 4;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double more = 4 * (cases[i].scale - 1) * all_reduce_us(4, 2048.0 * (double)cases[i].tokens);
        double is = added_us(&layout, constants, cases[i].tokens).layers;
        cr_expect_float_eq(is, more, 1e-3 * more + 1e-6, "%g us, not %g", is, more);
    }
}

Test(iteration, the_host_launches_the_kernels_of_every_layer)
{
    struct step_layout layout = layout_of(&mixture);
    struct step_constants constants = plain;
    constants.host_layer_s = 5e-3;
    assert_added(added_us(&layout, constants, 7), (struct parts){0});
    struct kernel_sum sum = sum_of(&layout, &constants);
    cr_expect_float_eq(sum.launch_s, 4 * 5e-3, 1e-12);
    struct steptime *slow = compile(&sum, NULL, 0);
    double head_s = 1e-6 * head_us(layout, 1);
    cr_expect_float_eq(fine_to_s(steptime_decode(slow, 1, 100).base), 4 * 5e-3 + head_s, 1e-6);
    steptime_destroy(slow);
}

/* Up to 64 rows gemm_small holds, from 4096 on gemm_large, and halfway the mean of the logarithms.
 */
Test(iteration, the_scale_of_gemms_goes_from_one_to_the_other)
{
    static const struct {
        int64_t rows;
        double scale;
    } cases[] = {{1, 4}, {64, 4}, {512, 6}, {4096, 9}, {8192, 9}};
    struct step_layout layout = layout_of(&dense);
    struct step_constants constants = plain;
    constants.gemm_small = 4;
    constants.gemm_large = 9;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double t = (double)cases[i].rows, more = cases[i].scale - 1;
        double gemms = gemm_us(t, 24 * 64, 1024) + gemm_us(t, 1024, 1024) + gemm_us(t, 8192, 1024) +
                       gemm_us(t, 1024, 4096);
        assert_added(
            added_us(&layout, constants, cases[i].rows),
            (struct parts){.layers = more * 2 * gemms, .head = more * gemm_us(t, 32000, 1024)});
    }
}

/* --- shipped kernels, constants and models --- */

/* GPUs with tables of their own, with those of a relative, and without either. */
static const struct {
    const char *gpu, *llm, *engine;
    int64_t tp, dp, ep;
    enum precision weights, kv;
} deployments[] = {
    {"H100-SXM", "llama-3.1-8b", "vllm", 1, 1, 1, PRECISION_BF16, PRECISION_BF16},
    {"A100-80GB-SXM", "llama-3.1-70b", "sglang", 4, 1, 1, PRECISION_INT4, PRECISION_BF16},
    {"H200-SXM", "llama-3.1-70b", "trtllm", 2, 1, 1, PRECISION_FP8, PRECISION_FP8},
    {"L40S", "gemma-3-27b", "vllm", 2, 1, 1, PRECISION_FP8_BLOCK, PRECISION_BF16},
    {"T4", "opt-13b", "vllm", 4, 1, 1, PRECISION_INT8, PRECISION_BF16},
    {"RTX-PRO-6000", "qwen3-32b", "vllm", 1, 1, 1, PRECISION_FP4, PRECISION_FP8},
    {"B200", "gpt-oss-120b", "trtllm", 4, 1, 4, PRECISION_MXFP4, PRECISION_FP8},
    {"B200", "deepseek-v3", "sglang", 1, 8, 8, PRECISION_FP4, PRECISION_FP8},
    {"H200-SXM", "deepseek-v3.2", "sglang", 2, 4, 8, PRECISION_FP8_BLOCK, PRECISION_BF16},
    {"GB300", "kimi-k2", "trtllm", 4, 2, 8, PRECISION_FP8, PRECISION_FP8},
    {"B300", "qwen3-next-80b-a3b", "vllm", 4, 1, 1, PRECISION_BF16, PRECISION_BF16},
    {"MI300X", "mixtral-8x22b", "vllm", 8, 1, 1, PRECISION_FP8, PRECISION_FP8},
    {"TPU-v5e", "llama-3.1-8b", "vllm", 4, 1, 1, PRECISION_INT8, PRECISION_BF16},
    {"A30", "qwen2.5-7b", "sglang", 16, 1, 1, PRECISION_BF16, PRECISION_BF16},
};
#define DEPLOYMENTS (sizeof deployments / sizeof *deployments)

static struct step_layout deployed(size_t i)
{
    return (struct step_layout){.gpu = shipped_gpu(arena, deployments[i].gpu),
                                .llm = shipped_llm(arena, deployments[i].llm),
                                .tensor_parallel = deployments[i].tp,
                                .attention_dp = deployments[i].dp,
                                .expert_parallel = deployments[i].ep,
                                .weights = deployments[i].weights,
                                .expert_weights = deployments[i].weights,
                                .kv = deployments[i].kv};
}

static const struct step_constants *constants_of(const char *engine, enum precision weights)
{
    const struct engine_calibration *entry =
        calibration_engine(shipped_calibration(arena), engine, weights);
    cr_assert(entry, "no constants of %s", engine);
    return &entry->constants;
}

static struct kernel_sum shipped_sum(const struct step_layout *layout, const char *engine)
{
    struct error error = {0};
    struct iteration *iteration = ARENA_NEW(arena, struct iteration);
    const struct operators *operators =
        calibration_operators(shipped_calibration(arena), layout->gpu, engine, &error);
    cr_assert(operators, "%s", error.message);
    *iteration = iteration_prepare(layout, operators, constants_of(engine, layout->expert_weights));
    return iteration_kernels(iteration);
}

static struct steptime *compile_layout(const struct step_layout *layout, const char *engine)
{
    struct kernel_sum sum = shipped_sum(layout, engine);
    return compile(&sum, NULL, 0);
}

static struct steptime *compile_deployment(size_t i)
{
    struct step_layout layout = deployed(i);
    return compile_layout(&layout, deployments[i].engine);
}

static fine_t decode_time(const struct steptime *steptime, int64_t n, int64_t context_tok)
{
    return steptime_mixed(steptime, n, context_tok, NULL, 0, 0);
}

/* A prompt's time, beside a few decodes. */
static fine_t prompt_time(const struct steptime *steptime, int64_t start, int64_t tokens)
{
    const struct prefill_chunk chunk = {start, tokens};
    return steptime_mixed(steptime, 5, 700, &chunk, 1, 0);
}

Test(iteration, lines_meet_or_rise_and_are_the_iteration_without_chunks)
{
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct steptime *steptime = compile_deployment(i);
        for (int64_t n = 1; n <= SEQUENCES; n++) {
            fine_t before = 0;
            struct decode_line line;
            for (int64_t from = n; from < CONTEXT * 2; from = line.until + 1) {
                line = steptime_decode(steptime, n, from);
                fine_t begins = line.base + line.slope * from;
                cr_assert(line.slope >= 0 && before <= begins, "%s, n %lld at %lld",
                          deployments[i].llm, (long long)n, (long long)from);
                cr_assert_eq(begins, decode_time(steptime, n, from));
                if (line.until == INT64_MAX)
                    break;
                before = line.base + line.slope * line.until;
                cr_assert_eq(before, decode_time(steptime, n, line.until));
            }
        }
        steptime_destroy(steptime);
    }
}

/* Up to the rounding of the slope, half a fine unit per token of context. */
Test(iteration, more_sequences_and_more_context_are_never_faster)
{
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct steptime *steptime = compile_deployment(i);
        for (int64_t each = 1; each <= 8192; each *= 2)
            for (int64_t n = 1; n < SEQUENCES; n++) {
                fine_t time = decode_time(steptime, n, n * each);
                cr_assert_leq(time, decode_time(steptime, n, n * each + each));
                cr_assert_leq(time, decode_time(steptime, n + 1, (n + 1) * each) + n * each,
                              "%s, n %lld of %lld", deployments[i].llm, (long long)n,
                              (long long)each);
            }
        steptime_destroy(steptime);
    }
}

Test(iteration, more_prompt_tokens_are_never_faster_nor_are_later_ones)
{
    static const int64_t starts[] = {0, 1, 1000, 100000};
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct steptime *steptime = compile_deployment(i);
        for (size_t s = 0; s < sizeof starts / sizeof *starts; s++)
            for (int64_t tokens = 1; tokens < BATCH_TOKENS - 5; tokens++) {
                fine_t time = prompt_time(steptime, starts[s], tokens);
                cr_assert_leq(time, prompt_time(steptime, starts[s], tokens + 1), "%s, %lld + %lld",
                              deployments[i].llm, (long long)starts[s], (long long)tokens);
                if (s > 0)
                    cr_assert_leq(prompt_time(steptime, starts[s - 1], tokens), time);
            }
        const struct prefill_chunk chunk = {0, 64};
        cr_assert_leq(steptime_mixed(steptime, 5, 700, &chunk, 1, 0),
                      steptime_mixed(steptime, 5, 700, &chunk, 1, 1));
        steptime_destroy(steptime);
    }
}

/* Up to rounding: the layers of the larger batch, the head and attention of one's own. */
Test(iteration, padding_to_a_cuda_graph_costs_the_layers_of_the_larger_batch)
{
    static const int64_t sizes[] = {1, 2, 4, 16, 64};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    struct step_layout layout = layout_of(&dense);
    struct kernel_sum sum = sum_of(&layout, &plain);
    struct steptime *steptime = compile(&sum, sizes, COUNT);
    for (int64_t n = 1; n <= 100; n++) {
        int64_t rows = n;
        for (size_t i = COUNT; i-- > 0;)
            rows = sizes[i] >= n ? sizes[i] : rows;
        double wanted = sum.layers_s(sum.context, rows) + sum.head_s(sum.context, n) +
                        sum.decode_attention_s(sum.context, n, 128);
        double is = fine_to_s(steptime_decode(steptime, n, 128 * n).base);
        cr_expect_float_eq(is, wanted, 0.002 * wanted, "n %lld: %g, not %g", (long long)n, is,
                           wanted);
    }
    steptime_destroy(steptime);
}

Test(iteration, padding_never_makes_decoding_faster)
{
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        int64_t sizes[ENGINE_GRAPHS_MAX];
        size_t count = engine_profiles[i % ENGINE_COUNT].graph_sizes(128, sizes);
        struct step_layout layout = deployed(i);
        struct kernel_sum sum = shipped_sum(&layout, deployments[i].engine);
        struct steptime *exact = compile(&sum, NULL, 0), *padded = compile(&sum, sizes, count);
        for (int64_t n = 1; n <= SEQUENCES; n++)
            cr_assert_geq(decode_time(padded, n, n * 300), decode_time(exact, n, n * 300));
        cr_assert_eq(decode_time(padded, 128, 12800), decode_time(exact, 128, 12800));
        steptime_destroy(exact);
        steptime_destroy(padded);
    }
}

/* --- what holds between deployments --- */

/* Narrower weights are not compared: measured kernels of FP8 may be slower than those of BF16, at
 * few rows or in small matrices, and the tables say so. */
static void assert_not_slower(const struct step_layout *a, const struct step_layout *b,
                              const char *engine)
{
    struct steptime *better = compile_layout(a, engine), *worse = compile_layout(b, engine);
    for (int64_t n = 1; n <= SEQUENCES; n += n)
        for (int64_t each = 64; each <= 8192; each *= 4)
            cr_expect_leq(decode_time(better, n, n * each), decode_time(worse, n, n * each),
                          "%s on %s: %lld of %lld", b->llm->name, b->gpu->name, (long long)n,
                          (long long)each);
    for (int64_t tokens = 1; tokens <= BATCH_TOKENS - 5; tokens = tokens * 3 + 1)
        cr_expect_leq(prompt_time(better, 1000, tokens), prompt_time(worse, 1000, tokens),
                      "%s on %s: %lld prompt tokens", b->llm->name, b->gpu->name,
                      (long long)tokens);
    steptime_destroy(better);
    steptime_destroy(worse);
}

Test(iteration, a_better_gpu_is_never_slower)
{
    for (size_t i = 0; i < DEPLOYMENTS; i++) {
        struct step_layout layout = deployed(i), same_kernels = layout;
        struct gpu gpu = *layout.gpu;
        same_kernels.gpu = &gpu;
        gpu.bandwidth_gb_s *= 1.3;
        assert_not_slower(&same_kernels, &layout, deployments[i].engine);
        gpu = *layout.gpu;
        gpu.bf16_tflops *= 1.5;
        gpu.fp8_tflops *= 1.5;
        gpu.int8_tops *= 1.5;
        gpu.fp4_tflops *= 1.5;
        assert_not_slower(&same_kernels, &layout, deployments[i].engine);
        gpu = *layout.gpu;
        gpu.link_gb_s *= 2;
        gpu.node_link_gb_s *= 2;
        gpu.node_link_latency_us /= 2;
        assert_not_slower(&same_kernels, &layout, deployments[i].engine);
    }
}

static void assert_two_gpus_faster(const char *gpu, const char *engine, enum precision weights)
{
    struct step_layout layout = {.gpu = shipped_gpu(arena, gpu),
                                 .llm = shipped_llm(arena, "llama-3.1-70b"),
                                 .tensor_parallel = 1,
                                 .attention_dp = 1,
                                 .expert_parallel = 1,
                                 .weights = weights,
                                 .expert_weights = weights};
    struct steptime *one = compile_layout(&layout, engine);
    layout.tensor_parallel = 2;
    struct steptime *two = compile_layout(&layout, engine);
    for (int64_t n = 1; n <= 128; n *= 8) {
        double gain =
            fine_to_s(decode_time(one, n, 1000 * n)) / fine_to_s(decode_time(two, n, 1000 * n));
        cr_expect(gain > 1.3 && gain < 2.1, "%s, %s, n %lld: %g", gpu, engine, (long long)n, gain);
    }
    cr_expect_lt(prompt_time(two, 0, 2000), prompt_time(one, 0, 2000));
    steptime_destroy(one);
    steptime_destroy(two);
}

Test(iteration, two_gpus_on_nvlink_step_a_70b_faster_than_one)
{
    for (int engine = 0; engine < ENGINE_COUNT; engine++) {
        assert_two_gpus_faster("H200-SXM", engine_profiles[engine].name, PRECISION_BF16);
        assert_two_gpus_faster("H100-SXM", engine_profiles[engine].name, PRECISION_FP8);
        assert_two_gpus_faster("B200", engine_profiles[engine].name, PRECISION_BF16);
    }
}

/* --- the cost of compiling --- */

/* A sum that counts how often it is asked. */
struct counter {
    struct kernel_sum of;
    size_t calls;
};

static double count_layers(void *context, int64_t tokens)
{
    struct counter *counter = context;
    counter->calls++;
    return counter->of.layers_s(counter->of.context, tokens);
}

static double count_head(void *context, int64_t rows)
{
    struct counter *counter = context;
    counter->calls++;
    return counter->of.head_s(counter->of.context, rows);
}

static double count_decode(void *context, int64_t n, double context_each)
{
    struct counter *counter = context;
    counter->calls++;
    return counter->of.decode_attention_s(counter->of.context, n, context_each);
}

static double count_prefill(void *context, double start, double tokens)
{
    struct counter *counter = context;
    counter->calls++;
    return counter->of.prefill_attention_s(counter->of.context, start, tokens);
}

/* The largest server that engines are configured for; a call takes about a microsecond. */
Test(iteration, compiling_asks_for_at_most_three_thousand_times)
{
    struct step_layout layout = layout_of(&dense);
    struct counter counter = {.of = sum_of(&layout, &plain)};
    const struct kernel_sum counting = {.layers_s = count_layers,
                                        .head_s = count_head,
                                        .decode_attention_s = count_decode,
                                        .prefill_attention_s = count_prefill,
                                        .context = &counter};
    const struct steptime_limits limits = {2048, 65536, 8000000, NULL, 0, 1};
    struct error error = {0};
    struct steptime *steptime = steptime_compile_sum(&counting, &limits, &error);
    cr_assert(steptime, "%s", error.message);
    cr_expect(counter.calls > 100 && counter.calls <= 3000, "%zu calls", counter.calls);
    steptime_destroy(steptime);
}
