/* Architectures of language models, read from Hugging Face config.json files as they are.
 *
 * Understood: Llama, Mistral, Qwen, Gemma, Phi, Mixtral, DeepSeek V2/V3 (MLA), GLM, ChatGLM, DBRX,
 * Grok, ERNIE, GPT-OSS, Llama 4 (text), OPT, GPT-2/BLOOM/Falcon/MPT style and anything that uses
 * the same keys; an unknown model_type that lacks a needed key is an error that names the key.
 * Refused: encoders, and layers that are not attention (Mamba, RWKV and hybrids with them). Biases,
 * norms and learned position embeddings (together below 1 % of a model) are not counted. Structs
 * are owned by the arena they were read into. */
#ifndef TOKENYARD_MODELS_LLM_LLM_H
#define TOKENYARD_MODELS_LLM_LLM_H

#include "models/hardware/hardware.h"

struct llm {
    const char *name;
    const char *file; /* where it was read from */
    int64_t layers;
    int64_t hidden;
    int64_t heads;
    int64_t kv_heads;
    int64_t head_dim;
    int64_t intermediate; /* FFN width of dense layers (0 when every layer is MoE) */
    int64_t vocab;
    int64_t max_positions; /* longest sequence; INT64_MAX when not stated */
    bool gated_ffn;        /* gate + up + down (SwiGLU), else up + down */
    bool tied_embeddings;  /* lm_head shares the input embedding */
    /* Mixture of experts; experts == 0 for a dense model. */
    int64_t experts, active_experts, expert_intermediate, shared_expert_intermediate, dense_layers;
    /* Multi-head latent attention (DeepSeek); kv_lora_rank == 0 otherwise. */
    int64_t kv_lora_rank, q_lora_rank, rope_head_dim, nope_head_dim, value_head_dim;
    int64_t sliding_window; /* tokens; 0 when full attention */
};

/* name_or_path: a name in <catalog>/llm/<name>.json, or a path to a config.json (anything with a
 * '/' or ending in ".json"), relative to base_folder. NULL on error. */
const struct llm *llm_read(const char *catalog_folder, const char *base_folder,
                           const char *name_or_path, struct arena *arena, struct error *error);

/* Names of the models in <catalog_folder>/llm, sorted: a list of const char *. */
bool llm_catalog_names(const char *catalog_folder, struct arena *arena, struct config_list *names,
                       struct error *error);

/* Weight elements. The first four are of one layer; attention is q, k, v and o, or MLA's
 * projections; an expert is one routed expert; shared holds the router too. */
double llm_attention_weights(const struct llm *llm);
double llm_dense_ffn_weights(const struct llm *llm);
double llm_expert_weights(const struct llm *llm);
double llm_shared_expert_weights(const struct llm *llm);
double llm_embedding_weights(const struct llm *llm); /* input embedding and lm_head, once if tied */
double llm_total_weights(const struct llm *llm);
double llm_active_weights(const struct llm *llm); /* used by one token */

/* KV heads that ONE GPU holds when they are split over tensor_parallel GPUs (copied beyond). */
int64_t llm_kv_heads_per_gpu(const struct llm *llm, int64_t tensor_parallel);

/* Bytes of KV cache that one token takes on ONE GPU in one layer (MLA's latent is never split), and
 * in all layers of the longest pipeline stage. */
double llm_kv_bytes_per_layer(const struct llm *llm, enum precision kv, int64_t tensor_parallel);
double llm_kv_bytes_per_token(const struct llm *llm, enum precision kv, int64_t tensor_parallel,
                              int64_t pipeline_parallel);

#endif
