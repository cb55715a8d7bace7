#include "models/steptime/iteration.h"

#include <math.h>

#define ACTIVATION_BYTES 2.0 /* activations are 16-bit */

/* Rows between which the scale of GEMMs goes from gemm_small to gemm_large. */
#define SMALL_ROWS 64.0
#define LARGE_ROWS 4096.0

/* Tokens between which long_all_reduce comes in: single prompts and batches of shorter ones alike
 * take far longer at 4096 tokens than twice what they take at 2048, on 4 and 8 GPUs but not on 2
 * (Splitwise's measurements of vLLM in 2023, DGX A100 and H100). */
#define SHORT_REDUCE_TOK 2048.0
#define LONG_REDUCE_TOK  4096.0

/* Where experts are dealt out to more GPUs than a token has experts, it is sent to those alone
 * (DeepEP; TensorRT-LLM, whose AlltoallMethodType asks for moe_ep_size > top_k); else to all. */
static bool goes_by_all_to_all(const struct step_layout *layout)
{
    return layout->attention_dp > 1 && layout->expert_parallel > layout->llm->active_experts;
}

struct iteration iteration_prepare(const struct step_layout *layout,
                                   const struct operators *operators,
                                   const struct step_constants *constants)
{
    const struct llm *llm = layout->llm;
    double tp = (double)layout->tensor_parallel, dp = (double)layout->attention_dp;
    double ep = (double)layout->expert_parallel;
    struct iteration iteration = {.layout = *layout,
                                  .operators = operators,
                                  .constants = *constants,
                                  .tp = tp,
                                  .dp = dp,
                                  .gpus = tp * dp};
    iteration.attention = (struct attention_shape){
        .heads = fmax(1, (double)llm->heads / tp),
        .kv_heads = (double)llm_kv_heads_per_gpu(llm, layout->tensor_parallel),
        .head_dim = (double)llm->head_dim,
        .kv = layout->kv};
    iteration.experts =
        (struct expert_shape){.hidden = (double)llm->hidden,
                              .inter = (double)llm->expert_intermediate * ep / iteration.gpus,
                              .experts = (double)llm->experts,
                              .experts_local = (double)llm->experts / ep,
                              .top_k = (double)llm->active_experts,
                              .weights = layout->expert_weights,
                              .dispatched = goes_by_all_to_all(layout)};
    return iteration;
}

/* --- kernels with the engine's constants --- */

/* How far count is from low to high on a logarithmic scale: 0 to 1. */
static double log_share(double count, double low, double high)
{
    return fmin(1, fmax(0, log(count / low) / log(high / low)));
}

static double gemm_scale(const struct iteration *iteration, double rows)
{
    double share = log_share(rows, SMALL_ROWS, LARGE_ROWS);
    return pow(iteration->constants.gemm_small, 1 - share) *
           pow(iteration->constants.gemm_large, share);
}

static double gemm_s(const struct iteration *iteration, enum precision weights, double rows,
                     double out, double in)
{
    return gemm_scale(iteration, rows) *
           operators_gemm_s(iteration->operators, weights, rows, out, in);
}

static double projection_s(const struct iteration *iteration, double rows, double out, double in)
{
    return gemm_s(iteration, iteration->layout.weights, rows, out, in);
}

/* An element-wise kernel that moves so many activations. */
static double small_s(const struct iteration *iteration, double elements)
{
    return iteration->constants.element_wise *
           operators_small_s(iteration->operators, elements * ACTIVATION_BYTES);
}

/* Of one hidden state per token, among the GPUs that share a token. */
static double all_reduce_s(const struct iteration *iteration, double tokens)
{
    double bytes = tokens * (double)iteration->layout.llm->hidden * ACTIVATION_BYTES;
    double longer = pow(iteration->constants.long_all_reduce,
                        log_share(tokens, SHORT_REDUCE_TOK, LONG_REDUCE_TOK));
    return iteration->constants.all_reduce * longer *
           operators_all_reduce_s(iteration->operators, iteration->layout.tensor_parallel, bytes);
}

/* --- layers --- */

/* DeepSeek-V2 (2024), section 2.1. The down-projections are copied on every GPU; the absorbed form
 * that decoding uses reads the same matrices. */
static double latent_projections_s(const struct iteration *iteration, double tokens)
{
    const struct llm *llm = iteration->layout.llm;
    double hidden = (double)llm->hidden, heads = iteration->attention.heads;
    double q_rank = (double)llm->q_lora_rank, kv_rank = (double)llm->kv_lora_rank;
    double q_in = q_rank > 0 ? q_rank : hidden;
    double down_out = q_rank + kv_rank + (double)llm->rope_head_dim;
    double value = (double)llm->value_head_dim;
    return projection_s(iteration, tokens, down_out, hidden) +
           projection_s(iteration, tokens, heads * (double)llm->head_dim, q_in) +
           projection_s(iteration, tokens, heads * ((double)llm->nope_head_dim + value), kv_rank) +
           projection_s(iteration, tokens, hidden, heads * value);
}

/* The indexer of sparse attention: its queries from the query latent, a key and weights of each
 * head from the hidden state. Copied on every GPU (DeepSeek-V3.2, 2025, section 2.1). */
static double indexer_projections_s(const struct iteration *iteration, double tokens)
{
    const struct llm *llm = iteration->layout.llm;
    double heads = (double)llm->index_heads, size = (double)llm->index_head_dim;
    double q_in = llm->q_lora_rank > 0 ? (double)llm->q_lora_rank : (double)llm->hidden;
    return projection_s(iteration, tokens, heads * size, q_in) +
           projection_s(iteration, tokens, size + heads, (double)llm->hidden);
}

static double full_projections_s(const struct iteration *iteration, double tokens)
{
    const struct attention_shape *shape = &iteration->attention;
    double hidden = (double)iteration->layout.llm->hidden;
    double queries = iteration->layout.llm->gated_attention ? 2 * shape->heads : shape->heads;
    return projection_s(iteration, tokens, (queries + 2 * shape->kv_heads) * shape->head_dim,
                        hidden) +
           projection_s(iteration, tokens, hidden, shape->heads * shape->head_dim);
}

/* Gated delta rule (Qwen3-Next): q, k, v, output gate and two numbers per head in one projection, a
 * short convolution over q, k and v, the state, the output projection. */
static double linear_projections_s(const struct iteration *iteration, double tokens)
{
    const struct llm *llm = iteration->layout.llm;
    double keys = (double)(llm->linear_key_heads * llm->linear_key_head_dim) / iteration->tp;
    double values = (double)(llm->linear_value_heads * llm->linear_value_head_dim) / iteration->tp;
    double per_head = 2 * (double)llm->linear_value_heads / iteration->tp;
    double hidden = (double)llm->hidden;
    return projection_s(iteration, tokens, 2 * keys + 2 * values + per_head, hidden) +
           small_s(iteration, 2 * tokens * (2 * keys + values)) +
           projection_s(iteration, tokens, hidden, values);
}

static double attention_projections_s(const struct iteration *iteration, enum attention_kind kind,
                                      double tokens)
{
    switch (kind) {
    case ATTENTION_LINEAR:
        return linear_projections_s(iteration, tokens);
    case ATTENTION_SPARSE_LATENT:
        return latent_projections_s(iteration, tokens) + indexer_projections_s(iteration, tokens);
    case ATTENTION_LATENT:
        return latent_projections_s(iteration, tokens);
    default:
        return full_projections_s(iteration, tokens);
    }
}

/* Up (and gate), activation, down. */
static double ffn_s(const struct iteration *iteration, double tokens, int64_t width)
{
    const struct llm *llm = iteration->layout.llm;
    double hidden = (double)llm->hidden, split = (double)width / iteration->tp;
    double up = llm->gated_ffn ? 2 * split : split;
    return projection_s(iteration, tokens, up, hidden) + small_s(iteration, tokens * (up + split)) +
           projection_s(iteration, tokens, hidden, split);
}

/* The share of the GPUs that a token must reach. */
static double reached_share(const struct iteration *iteration)
{
    double gpus = (double)iteration->layout.expert_parallel;
    return iteration->experts.dispatched ? 1 - pow(1 - 1 / gpus, iteration->experts.top_k) : 1;
}

/* Every rank brings its own tokens to the experts: they are gathered, and the sums scattered. */
static double exchange_s(const struct iteration *iteration, double tokens)
{
    if (iteration->dp <= 1)
        return 0;
    double bytes = tokens * (double)iteration->layout.llm->hidden * ACTIVATION_BYTES *
                   reached_share(iteration);
    return 2 * iteration->constants.all_reduce *
           operators_all_gather_s(iteration->operators, (int64_t)iteration->gpus, bytes);
}

static double experts_s(const struct iteration *iteration, double tokens)
{
    const struct llm *llm = iteration->layout.llm;
    double all_tokens = tokens * (1 + (iteration->dp - 1) * (1 - iteration->layout.idle_peers));
    double router_s =
        gemm_s(iteration, PRECISION_BF16, tokens, (double)llm->experts, (double)llm->hidden);
    double shared_s = llm->shared_expert_intermediate > 0
                          ? ffn_s(iteration, tokens, llm->shared_expert_intermediate)
                          : 0;
    return router_s + shared_s + exchange_s(iteration, all_tokens) +
           iteration->constants.experts *
               operators_experts_s(iteration->operators, &iteration->experts, all_tokens);
}

/* What every layer has beside its FFN: two norms with residual (read and write both), rotary
 * embedding with the cache write, the attention projections, two all-reduces. */
static double layer_frame_s(const struct iteration *iteration, enum attention_kind kind,
                            double tokens)
{
    const struct attention_shape *shape = &iteration->attention;
    double hidden = (double)iteration->layout.llm->hidden;
    double qkv = (shape->heads + 2 * shape->kv_heads) * shape->head_dim;
    return 2 * small_s(iteration, 4 * tokens * hidden) + small_s(iteration, 2 * tokens * qkv) +
           attention_projections_s(iteration, kind, tokens) + 2 * all_reduce_s(iteration, tokens);
}

/* Kernels and what comes between them. The latter is negative where CUDA graphs and fusion save
 * launches that kernel tables count. However small the kernels are, some of them is left: this
 * share is a guess, which keeps the time above 0 where the constants were not fitted on such
 * layers. */
static double whole_layer_s(const struct iteration *iteration, double kernels_s, bool experts)
{
    const double least_share = 0.4;
    double between_s =
        iteration->constants.layer_s + (experts ? iteration->constants.expert_layer_s : 0);
    return fmax(kernels_s + between_s, least_share * kernels_s);
}

static double layers_s(void *context, int64_t tokens)
{
    const struct iteration *iteration = context;
    const struct llm *llm = iteration->layout.llm;
    double rows = (double)tokens;
    double dense_s = llm->dense_layers > 0 ? ffn_s(iteration, rows, llm->intermediate) : 0;
    double sparse_s = llm->experts > 0 ? experts_s(iteration, rows) : 0;
    double sum_s = 0;
    for (size_t i = 0; i < llm->group_count; i++) {
        const struct llm_layer_group *group = &llm->groups[i];
        double kernels_s = layer_frame_s(iteration, group->attention, rows) +
                           (group->experts ? sparse_s : dense_s);
        sum_s += (double)group->layers * whole_layer_s(iteration, kernels_s, group->experts);
    }
    return sum_s;
}

static double head_s(void *context, int64_t count)
{
    const struct iteration *iteration = context;
    const struct llm *llm = iteration->layout.llm;
    double hidden = (double)llm->hidden, vocab = (double)llm->vocab;
    double rows = (double)count;
    return gemm_s(iteration, PRECISION_BF16, rows, vocab / iteration->tp, hidden) +
           operators_all_gather_s(iteration->operators, iteration->layout.tensor_parallel,
                                  rows * vocab * ACTIVATION_BYTES) +
           small_s(iteration, 2 * rows * vocab) +
           iteration->constants.sequence_s * rows / layout_queries(&iteration->layout);
}

/* --- attention to the cache --- */

/* Kernels without tables: bytes or arithmetic, whichever takes longer, at this share of the peak
 * (FlashMLA on Hopper: 3000 GB/s and 660 TFLOPS, from its README), and a launch. */
static double unmeasured_s(const struct iteration *iteration, double bytes, double ops)
{
    const struct gpu *gpu = iteration->layout.gpu;
    const double efficiency = 0.8, launch_s = 8e-6;
    double busy_s =
        fmax(bytes / (gpu->bandwidth_gb_s * 1e9), ops / gpu_peak_ops(gpu, PRECISION_BF16));
    return launch_s + busy_s / efficiency;
}

/* Latent attention decodes all heads on one shared latent per token. */
static double latent_decode_s(const struct iteration *iteration, double sequences, double context)
{
    const struct llm *llm = iteration->layout.llm;
    double width = (double)(llm->kv_lora_rank + llm->rope_head_dim);
    double pairs = sequences * context;
    double heads = iteration->attention.heads * layout_queries(&iteration->layout);
    double ops = 2 * heads * (width + (double)llm->kv_lora_rank) * pairs;
    return unmeasured_s(iteration, width * precision_bytes(iteration->layout.kv) * pairs, ops);
}

/* The indexer scores every cached token, in FP8, and latent attention reads those it picks. */
static double sparse_decode_s(const struct iteration *iteration, double sequences, double context)
{
    const struct llm *llm = iteration->layout.llm;
    double key_bytes = (double)llm->index_head_dim * precision_bytes(PRECISION_FP8);
    const double fp8_speed = 2; /* operations are counted at the rate of 16 bits */
    double queries = (double)llm->index_heads * layout_queries(&iteration->layout);
    double ops = 2 * queries * (double)llm->index_head_dim / fp8_speed;
    double pairs = sequences * context;
    return unmeasured_s(iteration, key_bytes * pairs, ops * pairs) +
           latent_decode_s(iteration, sequences, fmin(context, (double)llm->index_topk));
}

/* Reads and writes the state of each sequence, in 32 bits (vLLM keeps it so). */
static double linear_decode_s(const struct iteration *iteration, double sequences)
{
    const struct llm *llm = iteration->layout.llm;
    double state =
        (double)(llm->linear_value_heads * llm->linear_value_head_dim * llm->linear_key_head_dim) /
        iteration->tp;
    double ops = sequences * layout_queries(&iteration->layout) * 6 * state;
    return unmeasured_s(iteration, sequences * 2 * 4 * state, ops);
}

/* Of the kernels that engines decode with today, query heads read the keys they share together.
 * vLLM's paged_attention_v1 and v2 (csrc/attention) give each query head a thread block of its own,
 * and leave it to the cache whether keys are read again. Queries of drafts that are verified share
 * the keys of their sequence as heads do: FlashAttention packs both into the rows of one tile. */
static struct attention_shape decode_shape(const struct iteration *iteration)
{
    struct attention_shape shape = iteration->attention;
    shape.kv_heads += iteration->constants.unshared_keys * (shape.heads - shape.kv_heads);
    shape.heads *= layout_queries(&iteration->layout);
    return shape;
}

static double decode_layer_s(const struct iteration *iteration, enum attention_kind kind,
                             double sequences, double context)
{
    const struct attention_shape shape = decode_shape(iteration);
    switch (kind) {
    case ATTENTION_LINEAR:
        return linear_decode_s(iteration, sequences);
    case ATTENTION_LATENT:
        return latent_decode_s(iteration, sequences, context);
    case ATTENTION_SPARSE_LATENT:
        return sparse_decode_s(iteration, sequences, context);
    case ATTENTION_WINDOW:
        context = fmin(context, (double)iteration->layout.llm->sliding_window);
        break;
    default:
        break;
    }
    return operators_decode_attention_s(iteration->operators, &shape, sequences, context);
}

static double decode_attention_s(void *context, int64_t n, double context_each)
{
    const struct iteration *iteration = context;
    const struct llm *llm = iteration->layout.llm;
    double sequences = (double)n, sum_s = 0;
    for (size_t i = 0; i < llm->group_count; i++)
        sum_s += (double)llm->groups[i].layers *
                 decode_layer_s(iteration, llm->groups[i].attention, sequences, context_each);
    return sum_s * iteration->constants.decode_attention;
}

/* A linear layer works through the prompt in chunks of 64 tokens (flash-linear-attention), each of
 * which costs what attention to a chunk does and an update of the state. */
static double linear_prefill_s(const struct iteration *iteration, double length)
{
    const struct llm *llm = iteration->layout.llm;
    const double chunk_tok = 64;
    double values = (double)(llm->linear_value_heads * llm->linear_value_head_dim) / iteration->tp;
    double ops = 2 * values * (2 * (double)llm->linear_key_head_dim + 2 * chunk_tok);
    return unmeasured_s(iteration, 0, ops * length);
}

/* Causal attention of a whole prompt in one layer. MLA expands its latent to full heads; that of
 * sparse attention is taken for dense, which it is up to index_topk. */
static double prefill_layer_s(const struct iteration *iteration, enum attention_kind kind,
                              double length)
{
    const struct llm *llm = iteration->layout.llm;
    struct attention_shape shape = iteration->attention;
    double wider = 1;
    if (kind == ATTENTION_LINEAR)
        return linear_prefill_s(iteration, length);
    if (kind == ATTENTION_WINDOW)
        shape.window = (double)llm->sliding_window;
    if (kind == ATTENTION_LATENT || kind == ATTENTION_SPARSE_LATENT) {
        shape.kv_heads = shape.heads;
        shape.head_dim = (double)llm->value_head_dim;
        wider = (double)(llm->head_dim + llm->value_head_dim) / (2 * shape.head_dim);
    }
    return wider * operators_prefill_attention_s(iteration->operators, &shape, 1, length);
}

static double whole_prompt_s(const struct iteration *iteration, double length)
{
    const struct llm *llm = iteration->layout.llm;
    double sum_s = 0;
    for (size_t i = 0; length > 0 && i < llm->group_count; i++)
        sum_s += (double)llm->groups[i].layers *
                 prefill_layer_s(iteration, llm->groups[i].attention, length);
    return sum_s;
}

static double prefill_attention_s(void *context, double start, double tokens)
{
    const struct iteration *iteration = context;
    double attention_s =
        whole_prompt_s(iteration, start + tokens) - whole_prompt_s(iteration, start);
    return attention_s * iteration->constants.prefill_attention +
           iteration->constants.prefill_token_s * tokens;
}

struct kernel_sum iteration_kernels(struct iteration *iteration)
{
    const struct llm *llm = iteration->layout.llm;
    double kv_bytes =
        llm_kv_bytes_per_layer(llm, iteration->layout.kv, iteration->layout.tensor_parallel);
    return (struct kernel_sum){.layers_s = layers_s,
                               .head_s = head_s,
                               .decode_attention_s = decode_attention_s,
                               .prefill_attention_s = prefill_attention_s,
                               .key_s = (double)llm_growing_layers(llm) * kv_bytes /
                                        (iteration->layout.gpu->bandwidth_gb_s * 1e9),
                               .step_s = iteration->constants.step_s,
                               .launch_s = iteration->constants.host_layer_s * (double)llm->layers,
                               .prefill_step_s = iteration->constants.prefill_step_s,
                               .context = iteration};
}
