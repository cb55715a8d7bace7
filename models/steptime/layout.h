/* A model on the GPUs of one pipeline stage, as step times see it: as if it had all layers. */
#ifndef TOKENYARD_MODELS_STEPTIME_LAYOUT_H
#define TOKENYARD_MODELS_STEPTIME_LAYOUT_H

#include "models/llm/llm.h"

struct step_layout {
    const struct gpu *gpu;
    const struct llm *llm;
    int64_t tensor_parallel;
    int64_t attention_dp; /* ranks with a batch of their own that share the experts; 1: none */
    double idle_peers;    /* share of the other ranks that have no tokens meanwhile; the rest have
                             as many as this one */
    int64_t expert_parallel; /* GPUs that the experts are dealt out to whole; 1: each is split */
    enum precision weights, expert_weights, kv;
    int64_t decode_queries; /* tokens that each decode attends from: more where it verifies drafts;
                             * 0 is 1 */
};

static inline double layout_queries(const struct step_layout *layout)
{
    return layout->decode_queries > 1 ? (double)layout->decode_queries : 1;
}

#endif
