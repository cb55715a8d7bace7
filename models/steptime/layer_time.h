/* The time of one layer given outright, for known answers, and for others' measurements of layers.
 */
#ifndef TOKENYARD_MODELS_STEPTIME_LAYER_TIME_H
#define TOKENYARD_MODELS_STEPTIME_LAYER_TIME_H

#include "models/steptime/kernel_sum.h"
#include "sim/config.h"

/* A batch takes both parts that it has. */
struct layer_time {
    double decode_s, sequence_s;     /* where anybody decodes; and for each who does */
    double prompt_s, prompt_token_s; /* where there is a prompt; and for each token of prompts */
};

extern const struct config_type layer_time_type;

/* What the kernel functions are called with. */
struct timed_layers {
    struct layer_time one;
    double layers;
};

/* Of so many layers; refers to layers, which must outlive it. */
struct kernel_sum layer_time_kernels(struct timed_layers *layers);

#endif
