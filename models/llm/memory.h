/* Does a deployment fit its GPUs, and how many KV blocks are left?
 *
 * Per GPU: memory x gpu_memory_utilization - weights - activations and runtime reserve, over the
 * bytes of one KV block (vLLM's rule; TensorRT-LLM's: gpu_memory_utilization of what weights and
 * reserve leave). The GPU with the least room decides. Projections are stored
 * in the weight precision and routed experts in theirs, with the scales of the format; embeddings,
 * lm_head and routers stay 16-bit, as quantised checkpoints have them.
 *
 * A block holds tokens of the layers whose cache grows with the context. Windows and the states of
 * linear layers take the same for each sequence, however long (vLLM frees what has left a window);
 * how many sequences there will be is not known, so that room is set aside for as many as would fit
 * if each had MEMORY_USUAL_CONTEXT_TOK tokens, but not for more than max_sequences.
 *
 * Data-parallel attention: a replica is attention_dp ranks of tensor_parallel GPUs. Each rank has
 * its own copy of everything but the routed experts, and its own KV cache; the experts are spread
 * over the GPUs of all ranks. */
#ifndef TOKENYARD_MODELS_LLM_MEMORY_H
#define TOKENYARD_MODELS_LLM_MEMORY_H

#include "models/llm/llm.h"

#define MEMORY_USUAL_CONTEXT_TOK 2048

/* One of several pipeline stages, which may be on different GPUs and differ in layers. */
struct memory_stage {
    const struct gpu *gpu;
    int64_t tensor_parallel, first_layer, layers;
};

/* Layers of stage `index` where `stages` share them evenly: vLLM's, too, differ by one at most. */
int64_t memory_even_layers(int64_t layers, int64_t stages, int64_t index);

struct memory_request {
    const struct gpu *gpu;
    const struct llm *llm;
    int64_t tensor_parallel, pipeline_parallel;
    const struct memory_stage *stages; /* [pipeline_parallel], instead of gpu, tensor_parallel and
                                          even layers; NULL: those */
    int64_t attention_dp;              /* ranks; 1 as a rule */
    int64_t expert_parallel; /* parts that whole experts are dealt to; 1: each expert is split over
                                the GPUs of all ranks. Changes bytes only where it does not divide
                                the number of experts */
    enum precision weights, expert_weights, kv;
    int64_t max_sequences;         /* that run at a time; 0: no limit */
    int64_t block_tok;             /* tokens per KV block */
    double gpu_memory_utilization; /* share of the GPU's memory the engine may use */
    bool utilization_of_rest;      /* ... or the KV cache's share of what the others leave */
    double reserve_gib;            /* activations, CUDA graphs, NCCL: per GPU */
    /* Of others that live beside the model, on each GPU: a draft model, adapters. */
    double more_weight_bytes, more_kv_bytes_per_token;
};

struct memory_plan {
    double weight_bytes_per_gpu; /* of the GPU that decides, as is the next */
    double kv_bytes_per_token_per_gpu;
    double constant_bytes_per_sequence_per_gpu; /* windows and linear layers */
    int64_t kv_blocks; /* of one data-parallel rank; the same number on each of its GPUs */
};

/* false, with what is missing in the message, when not one block is left, or when the split is
 * impossible (heads not divisible by tp, more stages than layers, experts not dealt evenly). */
bool memory_fit(const struct memory_request *request, struct memory_plan *plan,
                struct error *error);

/* Likewise, with the blocks of each stage: blocks[pipeline_parallel]. */
bool memory_fit_stages(const struct memory_request *request, struct memory_plan *plan,
                       int64_t *blocks, struct error *error);

#endif
