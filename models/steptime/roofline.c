#include "models/steptime/roofline.h"

#include <math.h>

#define ACTIVATION_BYTES 2.0 /* activations are 16-bit */

/* Shortest GEMM in the kernel tables of nine GPUs (aiconfigurator, vLLM): 1.5 to 2.5 us. */
#define GEMM_FLOOR_S      2e-6
/* A small memory-bound kernel; aiconfigurator's system descriptions, which call it unofficial. */
#define SMALL_FLOOR_S     3e-6
/* Shortest decode attention in the same tables: 7.3 us (B300) to 10.5 us (A100). */
#define ATTENTION_FLOOR_S 8e-6
/* Causal prefill attention reaches about this share of a plain GEMM's rate: FlashAttention-3 (Shah
 * et al., 2024) reports 600 to 650 TFLOPS at head size 128, causal, long sequences, on H100, where
 * large GEMMs reach 956. */
#define ATTENTION_SHARE   0.7

struct roofline roofline_prepare(const struct step_layout *layout)
{
    const struct gpu *gpu = layout->gpu;
    int64_t tp = layout->tensor_parallel;
    bool wide_stage = tp > gpu->gpus_per_node;
    double reduce_gb_s = wide_stage ? gpu->node_link_gb_s : gpu->link_gb_s;
    double bf16_ops = gpu_peak_ops(gpu, PRECISION_BF16) * gpu->gemm_efficiency;
    return (struct roofline){
        .llm = layout->llm,
        .tp = (double)tp,
        .queries = layout_queries(layout),
        .weight_bytes = precision_bytes(layout->weights),
        .memory_bytes_per_s = gpu->bandwidth_gb_s * 1e9 * gpu->bandwidth_efficiency,
        .projection_ops = gpu_peak_ops(gpu, layout->weights) * gpu->gemm_efficiency,
        .bf16_ops = bf16_ops,
        .attention_ops = bf16_ops * ATTENTION_SHARE,
        .kv_heads = (double)llm_kv_heads_per_gpu(layout->llm, tp),
        .kv_bytes = llm_kv_bytes_per_layer(layout->llm, layout->kv, tp),
        .reduce_latency_s = 1e-6 * (wide_stage ? gpu->node_link_latency_us : gpu->link_latency_us),
        .reduce_bytes_per_s = reduce_gb_s * 1e9 * gpu->link_efficiency,
    };
}

/* --- kernels --- */

/* rows x in times in x out, with weights of one format. A mixture of experts reads several such
 * matrices, each for some of the rows. */
struct gemm {
    double rows, in, out;
    double matrices;
};

static double gemm_s(const struct roofline *roofline, struct gemm gemm, double weight_bytes,
                     double ops_per_s)
{
    double matrix = gemm.in * gemm.out;
    double bytes =
        gemm.matrices * matrix * weight_bytes + gemm.rows * (gemm.in + gemm.out) * ACTIVATION_BYTES;
    double busy_s = fmax(bytes / roofline->memory_bytes_per_s, 2 * gemm.rows * matrix / ops_per_s);
    return fmax(GEMM_FLOOR_S, busy_s);
}

static double projection_s(const struct roofline *roofline, double rows, double in, double out)
{
    return gemm_s(roofline, (struct gemm){rows, in, out, 1}, roofline->weight_bytes,
                  roofline->projection_ops);
}

/* An element-wise kernel that moves so many activations. */
static double small_s(const struct roofline *roofline, double elements)
{
    return fmax(SMALL_FLOOR_S, elements * ACTIVATION_BYTES / roofline->memory_bytes_per_s);
}

/* Ring all-reduce (Patarasuk and Yuan, 2009) of one 16-bit hidden state per token. */
static double all_reduce_s(const struct roofline *roofline, double tokens)
{
    if (roofline->tp <= 1)
        return 0;
    double bytes = 2 * (roofline->tp - 1) / roofline->tp * tokens * (double)roofline->llm->hidden *
                   ACTIVATION_BYTES;
    return roofline->reduce_latency_s + bytes / roofline->reduce_bytes_per_s;
}

/* --- layers --- */

/* DeepSeek-V2 (2024), section 2.1. The down-projections are copied on every GPU; the absorbed form
 * that decoding uses reads the same matrices. */
static double mla_projections_s(const struct roofline *roofline, double tokens)
{
    const struct llm *llm = roofline->llm;
    double hidden = (double)llm->hidden, heads = (double)llm->heads / roofline->tp;
    double q_rank = (double)llm->q_lora_rank, kv_rank = (double)llm->kv_lora_rank;
    double q_in = q_rank > 0 ? q_rank : hidden;
    double down_out = q_rank + kv_rank + (double)llm->rope_head_dim;
    double value = (double)llm->value_head_dim;
    return projection_s(roofline, tokens, hidden, down_out) +
           projection_s(roofline, tokens, q_in, heads * (double)llm->head_dim) +
           projection_s(roofline, tokens, kv_rank, heads * ((double)llm->nope_head_dim + value)) +
           projection_s(roofline, tokens, heads * value, hidden);
}

static double attention_projections_s(const struct roofline *roofline, double tokens)
{
    const struct llm *llm = roofline->llm;
    if (llm->kv_lora_rank > 0)
        return mla_projections_s(roofline, tokens);
    double hidden = (double)llm->hidden, size = (double)llm->head_dim;
    double heads = (double)llm->heads / roofline->tp;
    return projection_s(roofline, tokens, hidden, (heads + 2 * roofline->kv_heads) * size) +
           projection_s(roofline, tokens, heads * size, hidden);
}

/* Up (and gate), activation, down; `matrices` experts are read, `rows` tokens pass through one. */
static double ffn_s(const struct roofline *roofline, double rows, int64_t width, double matrices)
{
    double hidden = (double)roofline->llm->hidden, split = (double)width / roofline->tp;
    double up = roofline->llm->gated_ffn ? 2 * split : split;
    return gemm_s(roofline, (struct gemm){rows, hidden, up, matrices}, roofline->weight_bytes,
                  roofline->projection_ops) +
           small_s(roofline, rows * (up + split)) +
           gemm_s(roofline, (struct gemm){rows, split, hidden, matrices}, roofline->weight_bytes,
                  roofline->projection_ops);
}

/* Tokens choose experts independently and evenly, so m of them touch E (1 - (1 - k/E)^m). */
static double experts_s(const struct roofline *roofline, double tokens)
{
    const struct llm *llm = roofline->llm;
    double experts = (double)llm->experts, active = (double)llm->active_experts;
    double touched = experts * (1 - pow(1 - active / experts, tokens));
    double router_s = gemm_s(roofline, (struct gemm){tokens, (double)llm->hidden, experts, 1},
                             precision_bytes(PRECISION_BF16), roofline->bf16_ops) +
                      small_s(roofline, 2 * tokens * experts);
    double shared_s = llm->shared_expert_intermediate > 0
                          ? ffn_s(roofline, tokens, llm->shared_expert_intermediate, 1)
                          : 0;
    return router_s + shared_s +
           ffn_s(roofline, tokens * active, llm->expert_intermediate, touched);
}

/* What every layer has beside its FFN: two norms with residual (read and write both), rotary
 * embedding with the cache write, the attention projections, two all-reduces. */
static double layer_frame_s(const struct roofline *roofline, double tokens)
{
    const struct llm *llm = roofline->llm;
    double hidden = (double)llm->hidden;
    double qkv =
        ((double)llm->heads / roofline->tp + 2 * roofline->kv_heads) * (double)llm->head_dim;
    return 2 * small_s(roofline, 4 * tokens * hidden) + small_s(roofline, 2 * tokens * qkv) +
           attention_projections_s(roofline, tokens) + 2 * all_reduce_s(roofline, tokens);
}

static double layers_s(void *context, int64_t tokens)
{
    const struct roofline *roofline = context;
    const struct llm *llm = roofline->llm;
    double rows = (double)tokens;
    double dense_layers = (double)llm->dense_layers;
    double moe_layers = (double)llm->layers - dense_layers;
    double ffn = dense_layers > 0 ? dense_layers * ffn_s(roofline, rows, llm->intermediate, 1) : 0;
    double moe = moe_layers > 0 ? moe_layers * experts_s(roofline, rows) : 0;
    return (double)llm->layers * layer_frame_s(roofline, rows) + ffn + moe;
}

static double head_s(void *context, int64_t count)
{
    const struct roofline *roofline = context;
    if (count == 0)
        return 0;
    const struct llm *llm = roofline->llm;
    double hidden = (double)llm->hidden, vocab = (double)llm->vocab;
    double rows = (double)count;
    double gather_s = roofline->tp > 1
                          ? roofline->reduce_latency_s +
                                rows * vocab * ACTIVATION_BYTES / roofline->reduce_bytes_per_s
                          : 0;
    return small_s(roofline, 2 * rows * hidden) +
           gemm_s(roofline, (struct gemm){rows, hidden, vocab / roofline->tp, 1},
                  precision_bytes(PRECISION_BF16), roofline->bf16_ops) +
           gather_s + small_s(roofline, 2 * rows * vocab);
}

/* --- attention to the cache --- */

/* Arithmetic of one query with one key and value, in one layer. MLA decodes on its latent. */
static double decode_pair_ops(const struct roofline *roofline)
{
    const struct llm *llm = roofline->llm;
    double heads = (double)llm->heads / roofline->tp;
    if (llm->kv_lora_rank > 0)
        return 2 * heads * (double)(2 * llm->kv_lora_rank + llm->rope_head_dim);
    return 4 * heads * (double)llm->head_dim;
}

/* Reading one cached token in all layers. */
static double key_s(const struct roofline *roofline)
{
    return (double)roofline->llm->layers * roofline->kv_bytes / roofline->memory_bytes_per_s;
}

static double decode_attention_s(void *context, int64_t n, double context_each)
{
    const struct roofline *roofline = context;
    double layers = (double)roofline->llm->layers;
    double pair_ops = roofline->queries * decode_pair_ops(roofline);
    double arithmetic_s = layers * pair_ops / roofline->attention_ops;
    double busy_s = (double)n * context_each * fmax(key_s(roofline), arithmetic_s);
    return fmax(layers * ATTENTION_FLOOR_S, busy_s);
}

static double prefill_attention_s(void *context, double start, double tokens)
{
    const struct roofline *roofline = context;
    const struct llm *llm = roofline->llm;
    int64_t value = llm->kv_lora_rank > 0 ? llm->value_head_dim : llm->head_dim;
    double ops = 2 * (double)llm->heads / roofline->tp * (double)(llm->head_dim + value);
    double pairs = tokens * (start + 0.5 * (tokens + 1));
    return (double)llm->layers * pairs * ops / roofline->attention_ops;
}

struct kernel_sum roofline_kernels(struct roofline *roofline, double step_overhead_s)
{
    return (struct kernel_sum){.layers_s = layers_s,
                               .head_s = head_s,
                               .decode_attention_s = decode_attention_s,
                               .prefill_attention_s = prefill_attention_s,
                               .key_s = key_s(roofline),
                               .step_s = step_overhead_s,
                               .context = roofline};
}
