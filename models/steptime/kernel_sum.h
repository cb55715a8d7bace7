/* An iteration as a sum of kernels: what a step time is compiled from.
 *
 * Whoever knows how long kernels take (curves fitted to measurements, a roofline, a user's profile)
 * fills one of these; steptime_compile_sum samples it into tables. Times are in seconds, for all
 * layers of the model, and depend on their arguments alone. They need be neither monotone nor
 * smooth: the compiled step time is made so. */
#ifndef TOKENYARD_MODELS_STEPTIME_KERNEL_SUM_H
#define TOKENYARD_MODELS_STEPTIME_KERNEL_SUM_H

#include <stdint.h>

/* What low-rank adapters add to the layers; all 0: there are none. */
struct adapter_cost {
    double step_s;  /* per iteration: launches */
    double token_s; /* per batch token */
    double each_s;  /* per adapter in the batch: reading it */
    int64_t slots;  /* there are no more of them */
};

struct kernel_sum {
    /* All layers for so many batch tokens, without attention to the cache. */
    double (*layers_s)(void *context, int64_t tokens);
    /* Final norm, lm_head, sampling and whatever else comes with a row that emits a token. */
    double (*head_s)(void *context, int64_t rows);
    /* Attention of n decodes that hold context_each tokens each (from as many queries each as the
     * tokens of a decode, see steptime_limits). */
    double (*decode_attention_s)(void *context, int64_t n, double context_each);
    /* Likewise, in an iteration with a prompt in it: kernels that take both at once decode slower.
     * NULL: as without a prompt. */
    double (*mixed_decode_attention_s)(void *context, int64_t n, double context_each);
    /* Causal attention of `tokens` new tokens after `start` cached ones, and whatever else comes
     * with a prompt token. Compiled as F(start + tokens) - F(start), with F(x) that of (0, x). */
    double (*prefill_attention_s)(void *context, double start, double tokens);
    double key_s;          /* a chunk reads its keys: at least this much per cached token */
    double step_s;         /* per iteration */
    double launch_s;       /* the host launches the kernels of all layers no faster: 0, or the least
                            * that layers and attention take together */
    double prefill_step_s; /* more, for an iteration with a prompt in it */
    double sequence_s;     /* more, for each sequence that takes part, however many its tokens */
    struct adapter_cost adapters;
    void *context; /* handed to the functions */
};

#endif
