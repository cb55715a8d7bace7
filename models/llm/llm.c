#include "models/llm/llm.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/llm/hf_config.h"

/* --- files --- */

bool llm_is_path(const char *name_or_path)
{
    size_t length = strlen(name_or_path);
    return strchr(name_or_path, '/') ||
           (length > 5 && strcmp(name_or_path + length - 5, ".json") == 0);
}

/* ".../Llama-3.1-8B/config.json" and ".../Llama-3.1-8B.json" are both "Llama-3.1-8B". */
static const char *name_of_path(const char *path, struct arena *arena)
{
    char *name = arena_strdup(arena, path);
    char *slash = strrchr(name, '/');
    if (slash && strcmp(slash, "/config.json") == 0) {
        *slash = '\0';
        slash = strrchr(name, '/');
    } else if (strlen(name) > 5 && strcmp(name + strlen(name) - 5, ".json") == 0) {
        name[strlen(name) - 5] = '\0';
    }
    return slash ? slash + 1 : name;
}

static const struct llm *read_file(const char *path, const char *name, const char *alias_of,
                                   struct arena *arena, struct error *error)
{
    struct json_document *document = json_read_file(path, error);
    if (!document)
        return NULL;
    struct llm *llm = ARENA_NEW(arena, struct llm);
    llm->name = name;
    llm->file = path;
    llm->alias_of = alias_of;
    bool ok = hf_config_read(document, llm, error);
    json_free(document);
    return ok ? llm : NULL;
}

/* A file of the catalogue: a config.json, or the name of the model whose architecture it shares. */
static const struct llm *read_shipped(const char *catalog_folder, const char *name,
                                      struct arena *arena, struct error *error)
{
    const char *path = arena_printf(arena, "%s/llm/%s.json", catalog_folder, name);
    struct json_document *document = json_read_file(path, error);
    if (!document)
        return NULL;
    const cJSON *member = json_member(json_root(document), "alias_of");
    const char *alias_of = cJSON_IsString(member) ? arena_strdup(arena, member->valuestring) : NULL;
    json_free(document);
    if (alias_of)
        path = arena_printf(arena, "%s/llm/%s.json", catalog_folder, alias_of);
    return read_file(path, name, alias_of, arena, error);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t count_entries(DIR *folder)
{
    size_t count = 0;
    while (readdir(folder))
        count++;
    rewinddir(folder);
    return count;
}

bool llm_catalog_names(const char *catalog_folder, struct arena *arena, struct config_list *names,
                       struct error *error)
{
    const char *path = arena_printf(arena, "%s/llm", catalog_folder);
    DIR *folder = opendir(path);
    if (!folder)
        return error_at(error, ERROR_FAILED, path, 0, NULL, "cannot list the models: %s",
                        strerror(errno));
    size_t room = count_entries(folder);
    const char **list = ARENA_ARRAY(arena, room, const char *);
    *names = (struct config_list){list, 0};
    const struct dirent *entry;
    while ((entry = readdir(folder)) && names->count < room)
        if (llm_is_path(entry->d_name))
            list[names->count++] = name_of_path(entry->d_name, arena);
    closedir(folder);
    qsort(list, names->count, sizeof *list, compare_names);
    return true;
}

static const struct llm *unknown_name(const char *catalog_folder, const char *name,
                                      struct arena *arena, struct error *error)
{
    struct config_list names;
    if (!llm_catalog_names(catalog_folder, arena, &names, error))
        return NULL;
    error_set(error, ERROR_BAD_INPUT, "there is no model named \"%s\" in the catalogue", name);
    const char *nearest = config_nearest(name, names.items, names.count);
    if (nearest)
        error_hint(error, "did you mean \"%s\"?", nearest);
    error_hint(error, "`tokenyard list models` shows them; or give the path of a Hugging Face "
                      "config.json");
    return NULL;
}

const struct llm *llm_read(const char *catalog_folder, const char *base_folder,
                           const char *name_or_path, struct arena *arena, struct error *error)
{
    if (llm_is_path(name_or_path)) {
        bool absolute = name_or_path[0] == '/' || !base_folder || !base_folder[0];
        const char *path = absolute ? arena_strdup(arena, name_or_path)
                                    : arena_printf(arena, "%s/%s", base_folder, name_or_path);
        return read_file(path, name_of_path(path, arena), NULL, arena, error);
    }
    const char *path = arena_printf(arena, "%s/llm/%s.json", catalog_folder, name_or_path);
    if (access(path, F_OK) != 0)
        return unknown_name(catalog_folder, name_or_path, arena, error);
    return read_shipped(catalog_folder, arena_strdup(arena, name_or_path), arena, error);
}

/* --- sizes --- */

static double ffn_weights(const struct llm *llm, int64_t width)
{
    return (llm->gated_ffn ? 3.0 : 2.0) * (double)llm->hidden * (double)width;
}

/* DeepSeek-V2 (2024), section 2.1: queries and keys-values go through low-rank projections. */
static double mla_weights(const struct llm *llm)
{
    double hidden = (double)llm->hidden, heads = (double)llm->heads;
    double q_out = heads * (double)(llm->nope_head_dim + llm->rope_head_dim);
    double q_rank = (double)llm->q_lora_rank, kv_rank = (double)llm->kv_lora_rank;
    double q = q_rank > 0 ? q_rank * (hidden + q_out) : hidden * q_out;
    double kv = hidden * (kv_rank + (double)llm->rope_head_dim) +
                kv_rank * heads * (double)(llm->nope_head_dim + llm->value_head_dim);
    return q + kv + heads * (double)llm->value_head_dim * hidden;
}

/* DeepSeek-V3.2 (2025), section 2.1: queries from MLA's low rank, one key, a weight per head. */
static double indexer_weights(const struct llm *llm)
{
    double heads = (double)llm->index_heads, size = (double)llm->index_head_dim;
    int64_t query_in = llm->q_lora_rank > 0 ? llm->q_lora_rank : llm->hidden;
    return (double)query_in * heads * size + (double)llm->hidden * (size + heads);
}

/* Yang et al., Gated Delta Networks (2025), as Qwen3-Next has it: q, k, v and an output gate, two
 * numbers per head that steer the state, the convolution over q, k and v, the output. */
static double linear_attention_weights(const struct llm *llm)
{
    double hidden = (double)llm->hidden, value_heads = (double)llm->linear_value_heads;
    double keys = (double)llm->linear_key_heads * (double)llm->linear_key_head_dim;
    double values = value_heads * (double)llm->linear_value_head_dim;
    return hidden * (2 * keys + 2 * values + 2 * value_heads) +
           (2 * keys + values) * (double)llm->linear_kernel + values * hidden;
}

static double head_attention_weights(const struct llm *llm)
{
    int64_t query_and_output = (llm->gated_attention ? 3 : 2) * llm->heads;
    return (double)llm->hidden * (double)llm->head_dim *
           (double)(query_and_output + 2 * llm->kv_heads);
}

double llm_attention_weights(const struct llm *llm, enum attention_kind kind)
{
    switch (kind) {
    case ATTENTION_LATENT:
        return mla_weights(llm);
    case ATTENTION_SPARSE_LATENT:
        return mla_weights(llm) + indexer_weights(llm);
    case ATTENTION_LINEAR:
        return linear_attention_weights(llm);
    default:
        return head_attention_weights(llm);
    }
}

double llm_all_attention_weights(const struct llm *llm)
{
    double sum = 0;
    for (size_t i = 0; i < llm->group_count; i++)
        sum += (double)llm->groups[i].layers * llm_attention_weights(llm, llm->groups[i].attention);
    return sum;
}

double llm_dense_ffn_weights(const struct llm *llm)
{
    return ffn_weights(llm, llm->intermediate);
}

double llm_expert_weights(const struct llm *llm)
{
    return ffn_weights(llm, llm->expert_intermediate);
}

double llm_shared_expert_weights(const struct llm *llm)
{
    return ffn_weights(llm, llm->shared_expert_intermediate) +
           (double)llm->hidden * (double)llm->experts;
}

/* The input embedding and lm_head, once if tied. */
static double embedding_weights(const struct llm *llm)
{
    return (llm->tied_embeddings ? 1.0 : 2.0) * (double)llm->vocab * (double)llm->hidden;
}

/* All layers, with `experts` routed experts in each MoE layer. */
static double layer_weights(const struct llm *llm, int64_t experts)
{
    double moe_layers = (double)(llm->layers - llm->dense_layers);
    return llm_all_attention_weights(llm) + (double)llm->dense_layers * llm_dense_ffn_weights(llm) +
           moe_layers *
               (llm_shared_expert_weights(llm) + (double)experts * llm_expert_weights(llm));
}

double llm_total_weights(const struct llm *llm)
{
    return embedding_weights(llm) + layer_weights(llm, llm->experts);
}

double llm_active_weights(const struct llm *llm)
{
    return embedding_weights(llm) + layer_weights(llm, llm->active_experts);
}

int64_t llm_kv_heads_per_gpu(const struct llm *llm, int64_t tensor_parallel)
{
    return (llm->kv_heads + tensor_parallel - 1) / tensor_parallel;
}

/* The indexer's keys are FP8 with a 4-byte scale per 128 of them, whatever the latent's format
 * (vLLM, DeepseekV32IndexerCache). */
static double indexer_key_bytes(const struct llm *llm)
{
    if (llm->index_topk == 0)
        return 0;
    return (double)llm->index_head_dim + 4.0 * (double)((llm->index_head_dim + 127) / 128);
}

double llm_kv_bytes_per_layer(const struct llm *llm, enum precision kv, int64_t tensor_parallel)
{
    if (llm->kv_lora_rank > 0)
        return (double)(llm->kv_lora_rank + llm->rope_head_dim) * precision_bytes(kv) +
               indexer_key_bytes(llm);
    return 2.0 * (double)llm->head_dim * (double)llm_kv_heads_per_gpu(llm, tensor_parallel) *
           precision_bytes(kv);
}

/* Those that attend to all context. */
static int64_t whole_layers(const struct llm *llm)
{
    return llm->layers - llm->window_layers - llm->linear_layers;
}

int64_t llm_growing_layers(const struct llm *llm)
{
    return whole_layers(llm) > 0 ? whole_layers(llm) : llm->window_layers;
}

double llm_kv_bytes_per_token(const struct llm *llm, enum precision kv, int64_t tensor_parallel,
                              int64_t pipeline_parallel)
{
    int64_t layers = (llm_growing_layers(llm) + pipeline_parallel - 1) / pipeline_parallel;
    return llm_kv_bytes_per_layer(llm, kv, tensor_parallel) * (double)layers;
}

/* The state is kept in 32 bits, as SGLang and the published configurations have it; the
 * convolution's last inputs in 16. */
static double linear_state_bytes(const struct llm *llm, int64_t tensor_parallel)
{
    double keys = (double)llm->linear_key_heads * (double)llm->linear_key_head_dim;
    double values = (double)llm->linear_value_heads * (double)llm->linear_value_head_dim;
    double state = values * (double)llm->linear_key_head_dim;
    double inputs = (2 * keys + values) * (double)(llm->linear_kernel - 1);
    return (state * 4 + inputs * precision_bytes(PRECISION_BF16)) / (double)tensor_parallel;
}

/* A window that starts within a block keeps that block. */
double llm_constant_bytes(const struct llm *llm, enum precision kv, int64_t tensor_parallel,
                          int64_t block_tok)
{
    double bytes = 0;
    if (llm->linear_layers > 0)
        bytes += (double)llm->linear_layers * linear_state_bytes(llm, tensor_parallel);
    if (llm->window_layers > 0 && whole_layers(llm) > 0)
        bytes += (double)llm->window_layers * (double)(llm->sliding_window + block_tok) *
                 llm_kv_bytes_per_layer(llm, kv, tensor_parallel);
    return bytes;
}

struct kv_size llm_kv_size(const struct llm *llm, enum precision kv)
{
    double layer_bytes = llm_kv_bytes_per_layer(llm, kv, 1);
    int64_t growing = llm_growing_layers(llm);
    int64_t windows = llm->layers - llm->linear_layers - growing;
    return (struct kv_size){.bytes_per_tok = layer_bytes * (double)growing,
                            .window_bytes_per_tok = layer_bytes * (double)windows,
                            .window_tok = llm->sliding_window,
                            .state_bytes = llm->linear_layers > 0 ? (double)llm->linear_layers *
                                                                        linear_state_bytes(llm, 1)
                                                                  : 0};
}

double kv_size_bytes(const struct kv_size *size, int64_t tokens)
{
    int64_t in_window = tokens < size->window_tok ? tokens : size->window_tok;
    return size->bytes_per_tok * (double)tokens + size->window_bytes_per_tok * (double)in_window +
           size->state_bytes;
}

int64_t llm_kv_parts(const struct llm *llm, int64_t tensor_parallel, int64_t pipeline_parallel)
{
    int64_t parts =
        llm->kv_lora_rank > 0 ? 1 : llm->kv_heads / llm_kv_heads_per_gpu(llm, tensor_parallel);
    return parts * pipeline_parallel;
}
