#include "models/steptime/kernel.h"

#include <math.h>

#define ACTIVATION_BYTES 2.0 /* activations are 16-bit */

/* Shortest kernels in the tables of nine GPUs (aiconfigurator 095f58a): GEMM 1.8 to 2.9 us, decode
 * attention 7.3 to 10.5 us, a layer of experts 12 to 36 us. Added to the roofline, they leave
 * ratios that change little from small shapes to large ones. */
#define GEMM_START_S      2e-6
#define ATTENTION_START_S 8e-6
#define EXPERTS_START_S   15e-6

const char *const kernel_names[] = {
    "gemm",       "prefill_attention", "decode_attention", "experts",
    "all_reduce", "all_gather",        "all_to_all",       NULL};

static const char *const axis_names[KERNEL_KINDS][SURFACE_AXES_MAX + 1] = {
    [KERNEL_GEMM] = {"rows", "out", "in"},
    [KERNEL_PREFILL_ATTENTION] = {"batch_x_heads", "length", "heads_per_kv_head"},
    [KERNEL_DECODE_ATTENTION] = {"batch_x_kv_heads", "context", "heads_per_kv_head"},
    [KERNEL_EXPERTS] = {"tokens_per_expert", "experts_local", "inter", "hidden"},
    [KERNEL_ALL_REDUCE] = {"bytes"},
    [KERNEL_ALL_GATHER] = {"bytes"},
    [KERNEL_ALL_TO_ALL] = {"bytes"},
};

const char *const *kernel_axis_names(enum kernel_kind kind)
{
    return axis_names[kind];
}

size_t kernel_axis_count(enum kernel_kind kind)
{
    size_t count = 0;
    while (count < SURFACE_AXES_MAX && axis_names[kind][count])
        count++;
    return count;
}

/* Bytes of one weight, its scales counted: NVFP4 has an 8-bit scale per 16 weights, MXFP4 one per
 * 32 (OCP MX specification 1.0), INT4 a 16-bit one per 128. */
static double weight_bytes(enum precision precision)
{
    switch (precision) {
    case PRECISION_FP4:
        return 0.5 + 1.0 / 16;
    case PRECISION_MXFP4:
        return 0.5 + 1.0 / 32;
    case PRECISION_INT4:
        return 0.5 + 2.0 / 128;
    default:
        return precision_bytes(precision);
    }
}

struct kernel kernel_gemm(const struct gpu *gpu, enum precision weights, double rows, double out,
                          double in)
{
    return (struct kernel){.at = {rows, out, in},
                           .bytes = out * in * weight_bytes(weights) +
                                    rows * (out + in) * ACTIVATION_BYTES,
                           .bytes_per_s = 1e9 * gpu->bandwidth_gb_s,
                           .operations = 2 * rows * out * in,
                           .operations_per_s = gpu_peak_ops(gpu, weights),
                           .start_s = GEMM_START_S};
}

/* Kernels work in tiles of about this many keys, so a window that slides over them touches one tile
 * more than it holds: decode tables with a window of 128 lie near the times of 256 keys. */
#define KEY_TILE 128

/* A windowed prompt takes the time of shorter prompts of the same number of tokens, twice as long
 * as the window each: as many pairs of query and key (vLLM on H100, window 128: 387 us for 16384
 * tokens, 64 heads of 64; 128 prompts of 128 take 372). */
static double prompt_length(const struct attention_shape *shape, double length)
{
    return shape->window > 0 ? fmin(length, 2 * shape->window) : length;
}

struct kernel kernel_prefill_attention(const struct gpu *gpu, const struct attention_shape *shape,
                                       enum precision arithmetic, double batch, double length)
{
    double tokens = batch * length, prompt = prompt_length(shape, length);
    double pairs = tokens * (prompt + 1) / 2;
    double moved = tokens * shape->head_dim * ACTIVATION_BYTES;
    return (struct kernel){
        .at = {tokens / prompt * shape->heads, prompt, shape->heads / shape->kv_heads},
        .bytes = moved * 2 * (shape->heads + shape->kv_heads),
        .bytes_per_s = 1e9 * gpu->bandwidth_gb_s,
        .operations = 4 * pairs * shape->heads * shape->head_dim, /* scores, then values */
        .operations_per_s = gpu_peak_ops(gpu, arithmetic),
        .start_s = ATTENTION_START_S};
}

struct kernel kernel_decode_attention(const struct gpu *gpu, const struct attention_shape *shape,
                                      double batch, double context)
{
    double seen = shape->window > 0 ? fmin(context, shape->window + KEY_TILE) : context;
    double keys = batch * seen * shape->head_dim;
    return (struct kernel){.at = {batch * shape->kv_heads, seen, shape->heads / shape->kv_heads},
                           .bytes = 2 * keys * shape->kv_heads * precision_bytes(shape->kv),
                           .bytes_per_s = 1e9 * gpu->bandwidth_gb_s,
                           .operations = 4 * keys * shape->heads,
                           .operations_per_s = gpu_peak_ops(gpu, PRECISION_BF16),
                           .start_s = ATTENTION_START_S};
}

/* Gate, up and down of each expert. Tokens choose experts independently and evenly, so t of them
 * touch the share 1 - (1 - k/E)^t; a skewed choice touches fewer, and the ratio carries that. */
struct kernel kernel_experts(const struct gpu *gpu, const struct expert_shape *shape, double tokens)
{
    double chosen = shape->top_k / shape->experts;
    double touched = shape->experts_local * (1 - pow(1 - chosen, tokens));
    double rows = tokens * chosen * shape->experts_local;
    double matrices = 3 * shape->hidden * shape->inter;
    /* A GPU that gets none but its own tokens works like one that has all experts. */
    double seen = shape->dispatched ? shape->experts : shape->experts_local;
    return (struct kernel){.at = {tokens * chosen, seen, shape->inter, shape->hidden},
                           .bytes =
                               touched * matrices * weight_bytes(shape->weights) +
                               rows * (2 * shape->hidden + 3 * shape->inter) * ACTIVATION_BYTES,
                           .bytes_per_s = 1e9 * gpu->bandwidth_gb_s,
                           .operations = 2 * rows * matrices,
                           .operations_per_s = gpu_peak_ops(gpu, shape->weights),
                           .start_s = EXPERTS_START_S};
}

/* A ring (Patarasuk and Yuan, 2009) sends (n - 1) / n of the vector once to gather or to exchange,
 * twice to reduce. */
struct kernel kernel_collective(const struct gpu *gpu, enum kernel_kind kind, int64_t gpus,
                                double bytes)
{
    double share = (double)(gpus - 1) / (double)gpus;
    return (struct kernel){.at = {bytes},
                           .bytes = (kind == KERNEL_ALL_REDUCE ? 2 : 1) * share * bytes,
                           .bytes_per_s = 1e9 * gpu->link_gb_s,
                           .operations_per_s = 1,
                           .start_s = 1e-6 * gpu->link_latency_us};
}

double kernel_roofline_s(const struct kernel *kernel, double memory_scale, double compute_scale)
{
    double moving_s = memory_scale * kernel->bytes / kernel->bytes_per_s;
    double computing_s = compute_scale * kernel->operations / kernel->operations_per_s;
    return kernel->start_s + fmax(moving_s, computing_s);
}

/* Experts: a skewed choice touches fewer of them than the roofline counts, and MXFP4 ones may
 * compute in 8 bits. Collectives: switches add up on the way, so that less is sent than around a
 * ring. */
double kernel_least_s(const struct kernel *kernel, enum kernel_kind kind)
{
    double share = kind < KERNEL_EXPERTS ? 1 : kind == KERNEL_EXPERTS ? 0.4 : 0.5;
    return share *
           fmax(kernel->bytes / kernel->bytes_per_s, kernel->operations / kernel->operations_per_s);
}
