/* The calibrated step time: an engine's iteration put together from measured kernels.
 *
 *   layers x [ qkv, o, gate and up, down GEMMs + 2 all-reduces + element-wise kernels + layer_s ]
 *   + attention + lm_head + step_s
 *
 * Kernel times come from models/steptime/operators.h, and the few constants that scale and add to
 * them from models/steptime/step_constants.h. A mixture of experts has a router, the experts of
 * this GPU and shared experts in place of the FFN. Kernels without tables (decoding with multi-head
 * latent attention, indexers, linear attention) are rooflines at the share of the peak that
 * FlashMLA reaches.
 */
#ifndef TOKENYARD_MODELS_STEPTIME_ITERATION_H
#define TOKENYARD_MODELS_STEPTIME_ITERATION_H

#include "models/steptime/kernel_sum.h"
#include "models/steptime/layout.h"
#include "models/steptime/operators.h"
#include "models/steptime/step_constants.h"

struct iteration {
    struct step_layout layout;
    const struct operators *operators;
    struct step_constants constants;
    struct attention_shape attention; /* of one layer on one GPU */
    struct expert_shape experts;      /* likewise; experts == 0 for dense models */
    double tp, dp;                    /* as in the layout */
    double gpus;                      /* tp * dp */
};

struct iteration iteration_prepare(const struct step_layout *layout,
                                   const struct operators *operators,
                                   const struct step_constants *constants);

/* Its kernels as a sum to compile; refers to iteration, which must outlive it. */
struct kernel_sum iteration_kernels(struct iteration *iteration);

#endif
