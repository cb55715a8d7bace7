/* Low-rank adapters of a model (Hu et al., "LoRA", 2021): two thin matrices beside each projection
 * of attention and of dense FFNs, in x rank and rank x out. Experts have none, as engines serve
 * adapters of mixtures of experts (vLLM: attention alone). */
#ifndef TOKENYARD_MODELS_LLM_LORA_H
#define TOKENYARD_MODELS_LLM_LORA_H

#include "models/llm/llm.h"

/* Bytes of one adapter on each of tensor_parallel GPUs, in 16 bits. Of each pair of matrices, one
 * is split and the other copied (vllm/lora/layers, without fully_sharded_loras). */
double lora_bytes_per_gpu(const struct llm *llm, int64_t rank, int64_t tensor_parallel);

#endif
