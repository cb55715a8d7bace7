/* Who drafts in a deployment that speculates: a model beside the model, on the same GPUs.
 *
 * A smaller model of the catalogue or of a file; or, for MTP modules and EAGLE heads, one layer of
 * the model itself, which shares its embeddings and lm_head (vLLM, v1/spec_decode/eagle.py; what
 * joins the hidden state and the embedding, two hidden x hidden, is left out). Its KV cache holds
 * as many tokens as the model's, in the same blocks. */
#ifndef TOKENYARD_MODELS_FLEET_DRAFT_H
#define TOKENYARD_MODELS_FLEET_DRAFT_H

#include "models/fleet/deployment.h"

struct draft {
    const struct llm *llm; /* NULL: nobody drafts, or nobody on the GPU */
    int64_t tensor_parallel, attention_dp, expert_parallel;
    enum precision weights, expert_weights;
    double weight_bytes_per_gpu, kv_bytes_per_token_per_gpu;
};

/* deployment: as far as it is described. What it returns lives as long as the arena and the
 * request. */
bool draft_of(const struct deployment_request *request, const struct deployment *deployment,
              struct arena *arena, struct draft *draft, struct error *error);

#endif
