/* Architectures of language models, read from Hugging Face config.json files as they are.
 *
 * Understood: Llama, Mistral, Qwen (with Qwen3-Next and Qwen3.5), Gemma, Phi, Mixtral, DeepSeek V2
 * to V3.2 (MLA, DSA), Kimi K2, MiniMax-M2, GLM, ChatGLM, DBRX, Grok, ERNIE, GPT-OSS, Llama 4
 * (text), OPT, GPT-2/BLOOM/Falcon/MPT style and anything that uses the same keys; an unknown
 * model_type that lacks a needed key is an error that names the key. Refused: encoders, layers of
 * unequal shape, and layers that are neither attention nor gated linear attention (Mamba, RWKV).
 * Biases, norms and learned position embeddings (together below 1 % of a model) are not counted,
 * nor are the layers that predict further tokens (MTP). Structs are owned by the arena they were
 * read into. */
#ifndef TOKENYARD_MODELS_LLM_LLM_H
#define TOKENYARD_MODELS_LLM_LLM_H

#include "models/hardware/hardware.h"

/* What a layer's attention reads when a token is decoded. */
enum attention_kind {
    ATTENTION_FULL,          /* keys and values of all tokens before */
    ATTENTION_WINDOW,        /* those of the last sliding_window tokens */
    ATTENTION_LINEAR,        /* a state of constant size (gated delta rule) */
    ATTENTION_LATENT,        /* MLA: one latent per token before */
    ATTENTION_SPARSE_LATENT, /* MLA of the index_topk tokens that an indexer picks, which reads a
                                small key of all tokens before (DeepSeek-V3.2: DSA) */
    ATTENTION_KINDS
};

/* Layers that are alike. */
struct llm_layer_group {
    int64_t layers;
    enum attention_kind attention;
    bool experts; /* the FFN is a mixture of experts; else dense, `intermediate` wide */
};

/* A model has one kind of attention over all its context, and windows and linear layers beside it;
 * each with a dense FFN or experts. */
#define LLM_GROUPS_MAX 6

struct llm {
    const char *name;
    const char *file;     /* where it was read from */
    const char *alias_of; /* another model of the catalogue with this architecture, or NULL */
    int64_t layers;
    int64_t hidden;
    int64_t heads;        /* query heads of layers that are not linear */
    int64_t kv_heads;     /* of the same; not used by MLA */
    int64_t head_dim;     /* of a query and key; MLA: nope_head_dim + rope_head_dim */
    int64_t intermediate; /* FFN width of dense layers (0 when every layer is MoE) */
    int64_t vocab;
    int64_t max_positions; /* longest sequence; INT64_MAX when not stated */
    bool gated_ffn;        /* gate + up + down (SwiGLU), else up + down */
    bool gated_attention;  /* the query projection is twice as wide: it makes an output gate, too */
    bool tied_embeddings;  /* lm_head shares the input embedding */
    /* Mixture of experts; experts == 0 for a dense model. dense_layers: those without experts. */
    int64_t experts, active_experts, expert_intermediate, shared_expert_intermediate, dense_layers;
    /* Multi-head latent attention (DeepSeek); kv_lora_rank == 0 otherwise. */
    int64_t kv_lora_rank, q_lora_rank, rope_head_dim, nope_head_dim, value_head_dim;
    /* Sparse attention (DSA): the indexer scores all tokens with index_heads queries of
     * index_head_dim against one key of that size; index_topk == 0 otherwise. */
    int64_t index_topk, index_heads, index_head_dim;
    int64_t sliding_window; /* tokens, of the window_layers; 0 when there are none */
    int64_t window_layers;
    /* Gated delta rule (Qwen3-Next, Qwen3.5); all 0 when there are no linear_layers. A short
     * convolution over linear_kernel tokens goes before the state, which is linear_key_head_dim x
     * linear_value_head_dim per value head; several value heads share a key head. */
    int64_t linear_layers, linear_key_heads, linear_value_heads, linear_key_head_dim,
        linear_value_head_dim, linear_kernel;
    struct llm_layer_group groups[LLM_GROUPS_MAX]; /* all layers, in no order of depth */
    size_t group_count;
};

/* name_or_path: a name in <catalog>/llm/<name>.json, or a path to a config.json (anything with a
 * '/' or ending in ".json"), relative to base_folder. A file of the catalogue may say
 * {"alias_of": "<name>"}: the architecture of that one. NULL on error. */
const struct llm *llm_read(const char *catalog_folder, const char *base_folder,
                           const char *name_or_path, struct arena *arena, struct error *error);

/* Does llm_read take this for a path, rather than for a name of the catalogue? */
bool llm_is_path(const char *name_or_path);

/* Names of the models in <catalog_folder>/llm, sorted: a list of const char *. */
bool llm_catalog_names(const char *catalog_folder, struct arena *arena, struct config_list *names,
                       struct error *error);

/* Weight elements. Of one layer: attention is all projections of that kind (q, k, v and o; MLA's,
 * with the indexer's where it is sparse); an expert is one routed expert; shared holds the router,
 * too. */
double llm_attention_weights(const struct llm *llm, enum attention_kind kind);
double llm_dense_ffn_weights(const struct llm *llm);
double llm_expert_weights(const struct llm *llm);
double llm_shared_expert_weights(const struct llm *llm);
/* Of all layers. */
double llm_all_attention_weights(const struct llm *llm);
double llm_total_weights(const struct llm *llm);
double llm_active_weights(const struct llm *llm); /* used by one token */

/* KV heads that ONE GPU holds when they are split over tensor_parallel GPUs (copied beyond). */
int64_t llm_kv_heads_per_gpu(const struct llm *llm, int64_t tensor_parallel);

/* Bytes of KV cache that one token takes on ONE GPU in one layer that is not linear: keys and
 * values, or MLA's latent (never split) and the indexer's key. */
double llm_kv_bytes_per_layer(const struct llm *llm, enum precision kv, int64_t tensor_parallel);

/* Layers whose cache grows with the context: all but linear and windowed ones. Where no layer
 * attends to all context (Mistral 7B v0.1), windows count as if they did. */
int64_t llm_growing_layers(const struct llm *llm);

/* In all growing layers of the longest pipeline stage. */
double llm_kv_bytes_per_token(const struct llm *llm, enum precision kv, int64_t tensor_parallel,
                              int64_t pipeline_parallel);

/* What a long sequence takes beside that, in all layers and however long it is: the blocks of its
 * windows and the states of linear layers. */
double llm_constant_bytes(const struct llm *llm, enum precision kv, int64_t tensor_parallel,
                          int64_t block_tok);

/* What a sequence's cache takes on all GPUs together, nothing counted twice: what is sent when it
 * moves to others. */
struct kv_size {
    double bytes_per_tok;        /* of layers whose cache grows with the context */
    double window_bytes_per_tok; /* of windowed layers, up to window_tok */
    int64_t window_tok;
    double state_bytes; /* of linear layers */
};

struct kv_size llm_kv_size(const struct llm *llm, enum precision kv);
double kv_size_bytes(const struct kv_size *size, int64_t tokens);

/* Into how many different parts a cache is split over a replica's GPUs. Beyond its KV heads tensor
 * parallelism copies them, and MLA's latent is whole on each GPU. */
int64_t llm_kv_parts(const struct llm *llm, int64_t tensor_parallel, int64_t pipeline_parallel);

#endif
