/* The roofline: a kernel takes as long as its slowest resource, and never less than a floor.
 *
 *   time = max(floor, bytes moved / memory rate, operations / arithmetic rate)
 *
 * A deployment's iteration is a sum of such kernels, plus all-reduces. Rates are
 * datasheet peaks times the GPU's efficiencies (models/hardware). Everything is in seconds; nothing
 * is allocated.
 */
#ifndef TOKENYARD_MODELS_STEPTIME_ROOFLINE_H
#define TOKENYARD_MODELS_STEPTIME_ROOFLINE_H

#include "models/steptime/kernel_sum.h"
#include "models/steptime/layout.h"

struct roofline {
    const struct llm *llm;
    double tp;                 /* tensor parallel */
    double queries;            /* of each decode */
    double weight_bytes;       /* per element of a projection or expert */
    double memory_bytes_per_s; /* rates as reached, per GPU */
    double projection_ops;     /* projections and experts, in the weights' format, 1/s */
    double bf16_ops;           /* router and lm_head, 1/s */
    double attention_ops;      /* 1/s */
    double kv_heads;           /* per GPU */
    double kv_bytes;           /* per token and layer, per GPU */
    double reduce_latency_s, reduce_bytes_per_s; /* among the GPUs of a stage */
};

struct roofline roofline_prepare(const struct step_layout *layout);

/* Its kernels as a sum to compile; refers to roofline, which must outlive it. */
struct kernel_sum roofline_kernels(struct roofline *roofline, double step_overhead_s);

#endif
