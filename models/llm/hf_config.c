/* Model families name the same numbers differently (num_hidden_layers, n_layer, ...) and leave out
 * what their Python class presets. So each number is looked up under all of its names, and the few
 * presets that matter hang on model_type (`families`). Multimodal models keep the language model's
 * numbers in a nested object. */
#include "models/llm/hf_config.h"

#include <math.h>
#include <string.h>

#define LARGEST    1e9 /* no size in a config.json is larger; products of two fit int64_t */
#define LAYERS_MAX 10000

struct reader {
    const struct json_document *document;
    const cJSON *object; /* that holds the language model's numbers */
    const char *pointer; /* to it */
    struct error *error;
    bool failed;
};

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define REQUIRED  (-1) /* as a fallback: the key must be there */

static const cJSON *find_key(const struct reader *reader, const char *const *keys,
                             const char **found)
{
    for (; *keys; keys++) {
        const cJSON *value = json_member(reader->object, *keys);
        if (value && !cJSON_IsNull(value)) {
            *found = *keys;
            return value;
        }
    }
    return NULL;
}

static int64_t missing(struct reader *reader, const char *const *keys)
{
    reader->failed = true;
    json_error(reader->document, reader->pointer, reader->error,
               "\"%s\" is missing: is this a Hugging Face config.json of a language model?",
               keys[0]);
    if (keys[1])
        error_hint(reader->error, "the number may also be named \"%s\"", keys[1]);
    return 1;
}

/* The whole number under the first of `keys` that is there, or the fallback. */
static int64_t read_integer(struct reader *reader, const char *const *keys, int64_t fallback,
                            int64_t least)
{
    const char *key = NULL;
    const cJSON *value = find_key(reader, keys, &key);
    if (!value)
        return fallback < least ? missing(reader, keys) : fallback;
    double number = cJSON_IsNumber(value) ? value->valuedouble : -1;
    if (number >= (double)least && number <= LARGEST && number == floor(number))
        return (int64_t)number;
    reader->failed = true;
    json_member_error(reader->document, reader->pointer, key, reader->error,
                      "must be a whole number from %lld to %.0f", (long long)least, LARGEST);
    return least;
}

static int64_t read_count(struct reader *reader, const char *const *keys, int64_t fallback)
{
    return read_integer(reader, keys, fallback, 0);
}

static int64_t read_size(struct reader *reader, const char *const *keys, int64_t fallback)
{
    return read_integer(reader, keys, fallback, 1);
}

static bool read_flag(const struct reader *reader, const char *key, bool fallback)
{
    const cJSON *value = json_member(reader->object, key);
    return cJSON_IsBool(value) ? cJSON_IsTrue(value) : fallback;
}

static bool refuse(struct reader *reader, const char *key, const char *what)
{
    reader->failed = true;
    return json_member_error(reader->document, reader->pointer, key, reader->error, "%s", what);
}

/* --- what a model_type presets without saying so in config.json --- */

struct family {
    const char *type;
    bool gated_ffn;       /* gate, up and down; else up and down */
    bool tied_embeddings; /* when "tie_word_embeddings" is absent */
};

/* Source: the configuration and modelling classes of Hugging Face transformers. */
static const struct family families[] = {
    {"opt", false, true},     {"bloom", false, true},      {"gpt2", false, true},
    {"gpt_neo", false, true}, {"gpt_neox", false, false},  {"gptj", false, false},
    {"falcon", false, true},  {"mpt", false, true},        {"gpt_bigcode", false, true},
    {"phi", false, false},    {"starcoder2", false, true}, {"nemotron", false, false},
    {"gemma", true, true},    {"gemma2", true, true},      {"gemma3_text", true, true},
    {"gemma3", true, true},   {"cohere", true, true},      {"cohere2", true, true},
};
static const struct family usual_family = {"", true, false}; /* Llama and its many descendants */

static const struct family *read_family(const struct reader *reader)
{
    const cJSON *type = json_member(reader->object, "model_type");
    if (cJSON_IsString(type))
        for (size_t i = 0; i < sizeof families / sizeof *families; i++)
            if (strcmp(families[i].type, type->valuestring) == 0)
                return &families[i];
    return &usual_family;
}

/* --- parts of an architecture --- */

static void read_shape(struct reader *reader, struct llm *llm)
{
    llm->layers =
        read_size(reader, KEYS("num_hidden_layers", "n_layer", "n_layers", "num_layers"), REQUIRED);
    if (llm->layers > LAYERS_MAX)
        refuse(reader, "num_hidden_layers", "there are more layers than any model has");
    llm->hidden = read_size(reader, KEYS("hidden_size", "n_embd", "d_model", "n_embed"), REQUIRED);
    llm->heads = read_size(reader, KEYS("num_attention_heads", "n_head", "n_heads"), REQUIRED);
    llm->vocab = read_size(reader, KEYS("vocab_size"), REQUIRED);
    llm->max_positions = read_size(reader,
                                   KEYS("max_position_embeddings", "n_positions", "max_seq_len",
                                        "max_sequence_length", "seq_length"),
                                   INT64_MAX);
    if (!read_flag(reader, "use_sliding_window", true))
        return;
    llm->sliding_window = read_count(reader, KEYS("sliding_window"), 0);
}

static void read_attention(struct reader *reader, struct llm *llm)
{
    int64_t all_or_one = read_flag(reader, "multi_query", false) ? 1 : llm->heads;
    llm->kv_heads =
        read_size(reader, KEYS("num_key_value_heads", "num_kv_heads", "n_head_kv"), all_or_one);
    llm->kv_lora_rank = read_count(reader, KEYS("kv_lora_rank"), 0);
    if (llm->kv_lora_rank > 0) {
        llm->q_lora_rank = read_count(reader, KEYS("q_lora_rank"), 0);
        llm->rope_head_dim = read_size(reader, KEYS("qk_rope_head_dim"), REQUIRED);
        llm->nope_head_dim = read_size(reader, KEYS("qk_nope_head_dim"), REQUIRED);
        llm->value_head_dim = read_size(reader, KEYS("v_head_dim"), REQUIRED);
        llm->head_dim = llm->rope_head_dim + llm->nope_head_dim;
        return;
    }
    if (reader->failed)
        return;
    llm->head_dim = read_size(reader, KEYS("head_dim"), llm->hidden / llm->heads);
    if (llm->heads % llm->kv_heads != 0)
        refuse(reader, "num_key_value_heads", "must divide the number of attention heads");
}

/* Does layer `index` of a mixture of experts have a plain FFN? */
static bool is_dense_layer(struct reader *reader, int64_t index)
{
    /* DeepSeek */
    if (index < read_count(reader, KEYS("first_k_dense_replace"), 0) ||
        index % read_size(reader, KEYS("moe_layer_freq"), 1) != 0)
        return true;
    /* Qwen; Llama 4 */
    const char *const *step = KEYS("decoder_sparse_step", "interleave_moe_layer_step");
    if ((index + 1) % read_size(reader, step, 1) != 0)
        return true;
    const cJSON *listed;
    cJSON_ArrayForEach(listed, json_member(reader->object, "mlp_only_layers"))
    {
        if (cJSON_IsNumber(listed) && listed->valuedouble == (double)index)
            return true;
    }
    return false;
}

static void read_experts(struct reader *reader, struct llm *llm)
{
    llm->active_experts = read_size(
        reader, KEYS("num_experts_per_tok", "num_experts_per_token", "moe_top_k"), REQUIRED);
    int64_t width = read_size(
        reader, KEYS("moe_intermediate_size", "intermediate_size", "ffn_hidden_size"), REQUIRED);
    llm->expert_intermediate = width;
    /* Llama 4 has one shared expert beside the routed ones, and says so by no key of its own. */
    bool llama4 = json_member(reader->object, "intermediate_size_mlp") != NULL;
    int64_t shared = read_count(reader, KEYS("n_shared_experts", "num_shared_experts"), llama4);
    llm->shared_expert_intermediate =
        read_count(reader, KEYS("shared_expert_intermediate_size"), shared * width);
    if (!reader->failed && llm->active_experts > llm->experts)
        refuse(reader, "num_experts_per_tok", "must not be above the number of experts");
    for (int64_t i = 0; i < llm->layers && !reader->failed; i++)
        llm->dense_layers += is_dense_layer(reader, i);
}

static void read_ffn(struct reader *reader, struct llm *llm)
{
    llm->experts = read_count(
        reader, KEYS("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"), 0);
    if (llm->experts > 0)
        read_experts(reader, llm);
    else
        llm->dense_layers = llm->layers;
    if (reader->failed || llm->dense_layers == 0)
        return;
    /* GPT-2, BLOOM and Falcon leave the width out: four times the hidden size. */
    int64_t fallback = llm->gated_ffn ? REQUIRED : 4 * llm->hidden;
    llm->intermediate = read_size(
        reader,
        KEYS("intermediate_size_mlp", "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size"),
        fallback);
}

/* Architectures whose memory and time would silently come out wrong. */
static void refuse_foreign(struct reader *reader)
{
    if (read_flag(reader, "is_encoder_decoder", false))
        refuse(reader, "is_encoder_decoder", "encoder-decoder models are not modelled");
    const cJSON *kind;
    cJSON_ArrayForEach(kind, json_member(reader->object, "layer_types"))
    {
        if (!cJSON_IsString(kind) || !strstr(kind->valuestring, "attention") ||
            strstr(kind->valuestring, "linear")) {
            refuse(reader, "layer_types",
                   "layers other than attention over a KV cache (linear "
                   "attention, state space) are not modelled");
            return;
        }
    }
}

static void read_architecture(struct reader *reader, struct llm *llm)
{
    const struct family *family = read_family(reader);
    llm->gated_ffn = family->gated_ffn;
    llm->tied_embeddings = read_flag(reader, "tie_word_embeddings", family->tied_embeddings);
    refuse_foreign(reader);
    read_shape(reader, llm);
    if (reader->failed)
        return;
    read_attention(reader, llm);
    if (!reader->failed)
        read_ffn(reader, llm);
}

/* The object that holds the language model's numbers: the root, or a part of a multimodal model. */
static void enter_language_model(struct reader *reader)
{
    static const char *const nested[] = {"text_config", "llm_config", "language_config"};
    static const char *const pointers[] = {"/text_config", "/llm_config", "/language_config"};
    for (size_t i = 0; i < sizeof nested / sizeof *nested; i++) {
        const cJSON *inner = json_member(reader->object, nested[i]);
        if (cJSON_IsObject(inner)) {
            reader->object = inner;
            reader->pointer = pointers[i];
            return;
        }
    }
}

bool hf_config_read(const struct json_document *document, struct llm *llm, struct error *error)
{
    struct reader reader = {document, json_root(document), "", error, false};
    enter_language_model(&reader);
    read_architecture(&reader, llm);
    return !reader.failed;
}
