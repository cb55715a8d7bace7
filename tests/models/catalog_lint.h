/* What an entry of the catalogue must not say: facts that no datasheet states and no GPU can do.
 *
 * Each function returns NULL where nothing is wrong, else a complaint in plain words, in the arena.
 * It belongs to the tests, not to the program: a user's own GPU may break any of these rules. */
#ifndef TOKENYARD_TESTS_MODELS_CATALOG_LINT_H
#define TOKENYARD_TESTS_MODELS_CATALOG_LINT_H

#include <math.h>
#include <string.h>

#include "analysis/calibrate_engine.h"
#include "models/steptime/operator_entry.h"

/* Dense BF16 rates and bandwidths of the vendors' datasheets; where one gives "with sparsity", half
 * of it. From memory, but for L40 and L40S (a reseller's copy of the datasheet) and H100-SXM, H200
 * and B200 to GB200 (glennklockwood.com/garden/processors, which quotes NVIDIA's documents). */
static const struct {
    const char *gpu;
    double bf16_tflops, bandwidth_gb_s;
    const char *source;
} datasheets[] = {
    {"A100-40GB-SXM", 312, 1555, "NVIDIA A100 datasheet, DS-10031"},
    {"A100-80GB-SXM", 312, 2039, "NVIDIA A100 datasheet, DS-10031"},
    {"A100-80GB-PCIe", 312, 1935, "NVIDIA A100 datasheet, DS-10031"},
    {"A30", 165, 933, "NVIDIA A30 datasheet"},
    {"A40", 149.7, 696, "NVIDIA A40 datasheet"},
    {"RTX-A6000", 154.8, 768, "NVIDIA RTX A6000 datasheet (FP16; 309.7 sparse)"},
    {"L4", 121, 300, "NVIDIA L4 datasheet (242 sparse)"},
    {"L40", 181.05, 864, "NVIDIA L40 datasheet"},
    {"L40S", 362.05, 864, "NVIDIA L40S datasheet"},
    {"H100-PCIe", 756.5, 2000, "NVIDIA H100 datasheet (1513 sparse)"},
    {"H100-SXM", 989.5, 3350, "NVIDIA H100 datasheet (1979 sparse)"},
    {"H100-NVL", 835.5, 3938, "NVIDIA H100 NVL product brief (1671 sparse)"},
    {"H200-SXM", 989.5, 4800, "NVIDIA H200 datasheet (1979 sparse)"},
    {"B200", 2250, 8000, "NVIDIA DGX B200 datasheet, an eighth"},
    {"B300", 2250, 8000, "NVIDIA HGX B300, an eighth"},
    {"GB200", 2500, 8000, "NVIDIA GB200 NVL72 datasheet"},
    {"GB300", 2500, 8000, "NVIDIA GB300 NVL72 datasheet"},
    {"MI300X", 1307.4, 5300, "AMD Instinct MI300X datasheet"},
    {"MI325X", 1307.4, 6000, "AMD Instinct MI325X datasheet"},
    {"T4", 65, 320, "NVIDIA T4 datasheet (FP16)"},
    {"V100-16GB", 125, 900, "NVIDIA V100 datasheet (FP16)"},
    {"V100-32GB", 125, 900, "NVIDIA V100 datasheet (FP16)"},
    {"TPU-v5e", 197, 819, "Google Cloud TPU v5e"},
    {"TPU-v6e", 918, 1640, "Google Cloud TPU v6e"},
    {"Trainium2", 667, 2900, "AWS Trainium2"},
};

/* Within a few percent: datasheets round. */
static inline bool lint_near(double is, double wanted)
{
    return fabs(is / wanted - 1) < 0.05;
}

static inline const char *lint_datasheet(const struct gpu *gpu, struct arena *arena)
{
    for (size_t i = 0; i < sizeof datasheets / sizeof *datasheets; i++) {
        if (strcmp(gpu->name, datasheets[i].gpu) != 0)
            continue;
        if (gpu->bf16_tflops > 1.01 * datasheets[i].bf16_tflops)
            return arena_printf(arena, "%s: %g TFLOPS in BF16; %s has %g", gpu->name,
                                gpu->bf16_tflops, datasheets[i].source, datasheets[i].bf16_tflops);
        if (gpu->bandwidth_gb_s > 1.01 * datasheets[i].bandwidth_gb_s)
            return arena_printf(arena, "%s: %g GB/s; %s has %g", gpu->name, gpu->bandwidth_gb_s,
                                datasheets[i].source, datasheets[i].bandwidth_gb_s);
    }
    return NULL;
}

/* Chips whose 8-bit floats are no faster than 16-bit ones, and whose FP4 was made faster still. */
static const char *const same_rate_fp8[] = {"Inferentia2", "Trainium1", "Arc-Pro-B60", NULL};
static const char *const triple_fp4[] = {"B300", "GB300", NULL};

static inline bool lint_is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* Each halving of the format doubles the rate of tensor cores; any other ratio is a sparse rate
 * beside a dense one. NaN: the chip cannot. */
static inline const char *lint_rates(const struct gpu *gpu, struct arena *arena)
{
    double fp8 = gpu->fp8_tflops / gpu->bf16_tflops, fp4 = gpu->fp4_tflops / gpu->fp8_tflops;
    double int8 = gpu->int8_tops / gpu->bf16_tflops;
    if (!isnan(fp8) && !lint_near(fp8, lint_is_one_of(gpu->name, same_rate_fp8) ? 1 : 2))
        return arena_printf(arena, "%s: FP8 is %.3g times as fast as BF16", gpu->name, fp8);
    if (!isnan(fp4) && !lint_near(fp4, lint_is_one_of(gpu->name, triple_fp4) ? 3 : 2))
        return arena_printf(arena, "%s: FP4 is %.3g times as fast as FP8", gpu->name, fp4);
    /* Consumer cards add up BF16 products at half their rate, so that INT8 is four times. */
    if (int8 > 4.1)
        return arena_printf(arena, "%s: INT8 is %.3g times as fast as BF16", gpu->name, int8);
    return NULL;
}

static inline bool lint_is_source(const char *text)
{
    return text && text[0] && strcmp(text, "not stated") != 0;
}

static inline const char *lint_gpu(const struct gpu *gpu, struct arena *arena)
{
    if (!lint_is_source(gpu->source) || !lint_is_source(gpu->known))
        return arena_printf(arena, "%s: no source", gpu->name);
    if (gpu->gemm_efficiency > 1 || gpu->bandwidth_efficiency > 1)
        return arena_printf(arena, "%s: reaches more than its peak", gpu->name);
    const char *complaint = lint_datasheet(gpu, arena);
    return complaint ? complaint : lint_rates(gpu, arena);
}

/* Faster than the datasheet's arithmetic or bandwidth at any knot: GEMMs, attention, ... */
static inline const char *lint_curve(const struct operator_entry *entry, const struct gpu *gpu,
                                     struct arena *arena)
{
    if (!lint_is_source(entry->source))
        return arena_printf(arena, "%s %s: no source", gpu->name, kernel_names[entry->kind]);
    const struct surface *surface = operator_entry_surface(entry, arena);
    size_t cells = surface_cells(surface);
    for (size_t cell = 0; cell < cells; cell++) {
        double at[SURFACE_AXES_MAX];
        surface_knot(surface, cell, at);
        struct kernel kernel = operator_entry_kernel(entry, gpu, at);
        double time_s = kernel_roofline_s(&kernel, 1, 1) * exp(surface->log_ratio[cell]);
        if (time_s < 0.99 * kernel_least_s(&kernel, (enum kernel_kind)entry->kind))
            return arena_printf(arena, "%s %s %s %s: %g us at %g %g %g %g is impossible", gpu->name,
                                entry->framework, kernel_names[entry->kind], entry->variant,
                                1e6 * time_s, at[0], at[1], at[2], at[3]);
    }
    return NULL;
}

/* Engines without CUDA graphs, fitted to single iterations: their bounds are wider. */
static inline bool lint_is_slow_host(const struct step_constants *constants)
{
    return constants->host_layer_s > 0;
}

static inline bool lint_is_within(const struct fit_constant *constant,
                                  const struct step_constants *constants, double value)
{
    if (!lint_is_slow_host(constants))
        return value >= constant->min && value <= constant->max;
    return constant->scale ? value >= 0.3 && value <= 10 : value >= -25e-6 && value <= 0.5;
}

static inline const char *lint_engine(const struct engine_calibration *entry, struct arena *arena)
{
    const char *name = arena_printf(arena, "%s %s", entry->engine, precision_names[entry->weights]);
    if (!lint_is_source(entry->source))
        return arena_printf(arena, "%s: no source", name);
    /* Of engines that closed loops were fitted to; those of single iterations (vllm-...), eager and
     * older, have bounds of their own, the file's. */
    for (size_t i = 0; strchr(entry->engine, '-') == NULL && i < FIT_CONSTANTS_MAX; i++) {
        const struct fit_constant *constant = &fit_constants[i];
        double value = fit_constant_value(&entry->constants, i);
        if (!lint_is_within(constant, &entry->constants, value))
            return arena_printf(arena, "%s: %s is %g", name, constant->name, value);
    }
    /* A fit that misses by more than half says more about its rows than about the engine. (The
     * worst that is shipped, 0.52, is vllm-dynamo's: 13 rows of a few layouts, ten of them of one,
     * so that without a layout there is little left to fit.) */
    if (entry->tpot_error < 0 || entry->tpot_error > 0.55)
        return arena_printf(arena, "%s: TPOT misses by %g %%", name, 100 * entry->tpot_error);
    return NULL;
}

#endif
