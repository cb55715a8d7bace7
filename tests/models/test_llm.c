#include "models/llm/llm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/models/support.h"
#include "tests/support.h"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_create();
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(llm, .init = set_up, .fini = tear_down);

/* Published totals: model cards, and for older models their papers. */
static const struct {
    const char *name;
    double total, active; /* 0: published without a digit after the point */
} published[] = {
    {"llama-3.1-8b", 8.03e9, 8.03e9},
    {"llama-3.1-70b", 70.6e9, 70.6e9},
    {"llama-3.1-405b", 405.9e9, 405.9e9},
    {"llama-3.2-1b", 1.236e9, 1.236e9},
    {"llama-3.2-3b", 3.213e9, 3.213e9},
    {"llama-2-7b", 6.74e9, 6.74e9},
    {"llama-2-13b", 13.02e9, 13.02e9},
    {"llama-2-70b", 68.98e9, 68.98e9},
    {"mistral-7b-v0.3", 7.25e9, 7.25e9},
    {"mixtral-8x7b", 46.7e9, 12.9e9},
    {"mixtral-8x22b", 140.6e9, 39.1e9},
    {"qwen2.5-7b", 7.62e9, 7.62e9},
    {"qwen2.5-14b", 14.77e9, 14.77e9},
    {"qwen2.5-32b", 32.76e9, 32.76e9},
    {"qwen2.5-72b", 72.7e9, 72.7e9},
    {"qwen3-8b", 8.19e9, 8.19e9},
    {"qwen3-32b", 32.76e9, 32.76e9},
    {"qwen3-30b-a3b", 30.5e9, 3.3e9},
    {"qwen3-235b-a22b", 235e9, 22e9},
    {"gemma-2-9b", 9.24e9, 9.24e9},
    {"gemma-2-27b", 27.2e9, 27.2e9},
    {"phi-3-mini", 3.82e9, 3.82e9},
    {"deepseek-v3", 671e9, 37.5e9},
    {"deepseek-v2-lite", 15.7e9, 2.6e9},
    {"gpt-oss-20b", 20.9e9, 4.2e9},
    {"gpt-oss-120b", 116.8e9, 5.7e9},
    {"opt-13b", 12.85e9, 12.85e9},
    {"opt-66b", 65.7e9, 65.7e9},
    {"bloom-176b", 176.2e9, 176.2e9},
    {"opt-175b", 175e9, 175e9},
    {"llama-30b", 32.5e9, 32.5e9},
    {"llama-3.3-70b", 70.6e9, 70.6e9},
    {"llama-4-scout", 107.8e9, 17.2e9},
    {"llama-4-maverick", 400e9, 17.2e9},
    {"deepseek-v3.1", 671e9, 37.5e9},
    {"deepseek-r1", 671e9, 37.5e9},
    {"deepseek-v3.2", 671e9, 38e9},
    {"glm-5", 744e9, 0},
    {"glm-4.5", 353e9, 0},
    {"glm-4.6", 353e9, 0},
    {"glm-4.7", 353e9, 0},
    {"glm-4.5-air", 106.9e9, 0},
    {"kimi-k2", 1.026e12, 32e9},
    {"kimi-k2-thinking", 1.026e12, 32e9},
    {"kimi-k2.5", 1.026e12, 32e9},
    {"minimax-m2", 228.7e9, 0},
    {"minimax-m2.1", 228.7e9, 0},
    {"minimax-m2.5", 228.7e9, 0},
    {"mistral-small-24b", 23.57e9, 23.57e9},
    {"gemma-3-27b", 27.0e9, 27.0e9},
    {"qwen2.5-3b", 3.09e9, 3.09e9},
    {"qwen3-0.6b", 0.596e9, 0.596e9},
    {"qwen3-1.7b", 1.72e9, 1.72e9},
    {"qwen3-4b", 4.02e9, 4.02e9},
    {"qwen3-14b", 14.77e9, 14.77e9},
    {"qwen3-coder-480b-a35b", 480e9, 35e9},
    {"qwen3-480b-coder", 480e9, 35e9},
    {"qwen3-next-80b-a3b", 80e9, 0},
    {"qwen3.5-27b", 27e9, 27e9},
    {"qwen3.5-35b-a3b", 35e9, 0},
    {"qwen3.5-397b-a17b", 397e9, 17e9},
};

Test(llm, weights_of_shipped_models_are_the_published_totals)
{
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        const struct llm *llm = shipped_llm(arena, published[i].name);
        double total = llm_total_weights(llm), active = llm_active_weights(llm);
        cr_assert_lt(fabs(total / published[i].total - 1), 0.01, "%s: %.4g", llm->name, total);
        if (published[i].active > 0)
            cr_assert_lt(fabs(active / published[i].active - 1), 0.04, "%s active: %.4g", llm->name,
                         active);
    }
}

Test(llm, every_shipped_model_is_listed_sorted_and_checked_above)
{
    struct error error = {0};
    struct config_list names;
    cr_assert(llm_catalog_names(catalog_path(arena, &error), arena, &names, &error));
    cr_assert_eq(names.count, sizeof published / sizeof *published);
    const char *const *list = names.items;
    for (size_t i = 0; i < names.count; i++) {
        shipped_llm(arena, list[i]);
        cr_assert(i == 0 || strcmp(list[i - 1], list[i]) < 0);
    }
}

Test(llm, kv_bytes_per_token)
{
    const struct llm *llama = shipped_llm(arena, "llama-3.1-8b");
    /* 2 x 8 heads x 128 x 32 layers x 2 bytes */
    cr_assert_eq(llm_kv_bytes_per_token(llama, PRECISION_BF16, 1, 1), 131072);
    cr_assert_eq(llm_kv_bytes_per_token(llama, PRECISION_FP8, 1, 1), 65536);
    cr_assert_eq(llm_kv_bytes_per_token(llama, PRECISION_BF16, 4, 2), 131072 / 8);
    /* Sixteen GPUs hold a copy of one of eight heads each. */
    cr_assert_eq(llm_kv_bytes_per_token(llama, PRECISION_BF16, 16, 1), 131072 / 8);
    /* MLA: a latent of 512 and 64 rotary dimensions, 61 layers, never split. */
    const struct llm *deepseek = shipped_llm(arena, "deepseek-v3");
    cr_assert_eq(llm_kv_bytes_per_token(deepseek, PRECISION_BF16, 1, 1), 576 * 61 * 2);
    cr_assert_eq(llm_kv_bytes_per_token(deepseek, PRECISION_BF16, 8, 1), 576 * 61 * 2);
}

Test(llm, the_cache_grows_in_layers_that_attend_to_everything)
{
    /* 12 of gpt-oss-20b's 24 layers, 8 heads of 64. The rest keeps 128 tokens and a block. */
    const struct llm *oss = shipped_llm(arena, "gpt-oss-20b");
    cr_assert_eq(llm_kv_bytes_per_token(oss, PRECISION_BF16, 1, 1), 12 * 2048);
    cr_assert_eq(llm_constant_bytes(oss, PRECISION_BF16, 1, 16), 12 * 2048 * (128 + 16));
    /* 15 of 60 layers; the others have a state of 128 x 128 in each of 64 heads, in 32 bits, and 3
     * inputs of the convolution over 2 x 16 + 64 heads, in 16. */
    const struct llm *qwen = shipped_llm(arena, "qwen3.5-397b-a17b");
    cr_assert_eq(llm_kv_bytes_per_token(qwen, PRECISION_FP8, 1, 1), 15 * 2 * 2 * 256);
    cr_assert_eq(llm_constant_bytes(qwen, PRECISION_FP8, 8, 16),
                 45 * (64 * 128 * 128 * 4 + 3 * 96 * 128 * 2) / 8.0);
    /* The indexer keeps 128 keys in FP8 with one scale beside the latent. */
    const struct llm *sparse = shipped_llm(arena, "deepseek-v3.2");
    cr_assert_eq(llm_kv_bytes_per_token(sparse, PRECISION_FP8, 8, 1), 61 * (576 + 128 + 4));
    cr_assert_eq(llm_constant_bytes(sparse, PRECISION_FP8, 8, 16), 0);
}

/* 8 KV heads of 128 in 32 layers; one latent of 576 in 61; 8 heads of 64 in 24, of which 12 have
 * windows of 128. */
Test(llm, a_cache_is_sent_once_and_windows_end)
{
    struct kv_size llama = llm_kv_size(shipped_llm(arena, "llama-3.1-8b"), PRECISION_BF16);
    cr_expect_eq(kv_size_bytes(&llama, 1000), 1000 * 131072.0);
    struct kv_size latent = llm_kv_size(shipped_llm(arena, "deepseek-v3"), PRECISION_FP8);
    cr_expect_eq(kv_size_bytes(&latent, 10), 10 * 576.0 * 61);
    struct kv_size windows = llm_kv_size(shipped_llm(arena, "gpt-oss-20b"), PRECISION_BF16);
    cr_expect_eq(kv_size_bytes(&windows, 100), 100 * 24 * 2048.0);
    cr_expect_eq(kv_size_bytes(&windows, 3000), (3000 * 12 + 128 * 12) * 2048.0);
}

/* Llama's 8 KV heads: copied beyond eight GPUs. MLA's latent is whole on each. */
Test(llm, parts_of_a_cache_lie_on_different_gpus)
{
    const struct llm *llama = shipped_llm(arena, "llama-3.1-8b");
    const struct llm *latent = shipped_llm(arena, "deepseek-v3");
    cr_expect_eq(llm_kv_parts(llama, 1, 1), 1);
    cr_expect_eq(llm_kv_parts(llama, 4, 1), 4);
    cr_expect_eq(llm_kv_parts(llama, 4, 2), 8);
    cr_expect_eq(llm_kv_parts(llama, 16, 1), 8);
    cr_expect_eq(llm_kv_parts(latent, 8, 1), 1);
    cr_expect_eq(llm_kv_parts(latent, 8, 2), 2);
}

Test(llm, an_alias_has_its_own_name_and_the_other_s_architecture)
{
    const struct llm *alias = shipped_llm(arena, "deepseek-r1");
    cr_assert_str_eq(alias->name, "deepseek-r1");
    cr_assert_str_eq(alias->alias_of, "deepseek-v3");
    cr_assert_eq(alias->kv_lora_rank, 512);
    cr_assert_null(shipped_llm(arena, "deepseek-v3")->alias_of);
}

/* Reads text as a config.json of its own. */
static const struct llm *read_text(const char *text, struct error *error)
{
    *error = (struct error){0};
    char path[128];
    test_write_file("model.json", text, strlen(text), path, sizeof path);
    return llm_read("/nowhere", NULL, path, arena, error);
}

static const struct llm *accept_text(const char *text)
{
    struct error error;
    const struct llm *llm = read_text(text, &error);
    cr_assert(llm, "%s: %s", error.json_path, error.message);
    return llm;
}

Test(llm, gpt2_names_and_presets)
{
    const struct llm *llm =
        accept_text("{\"model_type\": \"gpt2\", \"n_embd\": 768, \"n_head\": 12, \"n_layer\": 12, "
                    "\"n_positions\": 1024, \"n_inner\": null, \"vocab_size\": 50257}");
    cr_assert_eq(llm->kv_heads, 12);
    cr_assert_eq(llm->head_dim, 64);
    cr_assert_eq(llm->intermediate, 3072);
    cr_assert_eq(llm->max_positions, 1024);
    cr_assert(!llm->gated_ffn && llm->tied_embeddings);
    cr_assert_float_eq(llm_total_weights(llm), 124e6, 1e6);
}

Test(llm, falcon_shares_one_kv_head)
{
    const struct llm *llm = accept_text(
        "{\"model_type\": \"falcon\", \"hidden_size\": 4544, \"num_attention_heads\": 71, "
        "\"num_hidden_layers\": 32, \"multi_query\": true, \"vocab_size\": 65024}");
    cr_assert_eq(llm->kv_heads, 1);
    cr_assert_float_eq(llm_total_weights(llm), 6.92e9, 0.02e9);
}

Test(llm, multimodal_models_nest_the_language_model)
{
    /* Llama 4 Scout: 109 billion in all, of which 108 are the text model's. */
    const struct llm *llm = accept_text(
        "{\"model_type\": \"llama4\", \"text_config\": {\"model_type\": \"llama4_text\", "
        "\"hidden_size\": 5120, \"intermediate_size\": 8192, \"intermediate_size_mlp\": 16384, "
        "\"num_hidden_layers\": 48, \"num_attention_heads\": 40, \"num_key_value_heads\": 8, "
        "\"head_dim\": 128, \"num_local_experts\": 16, \"num_experts_per_tok\": 1, "
        "\"interleave_moe_layer_step\": 1, \"vocab_size\": 202048}, \"vision_config\": {}}");
    cr_assert_eq(llm->dense_layers, 0);
    cr_assert_float_eq(llm_total_weights(llm), 107.8e9, 0.5e9);
    cr_assert_float_eq(llm_active_weights(llm), 17.2e9, 0.3e9);
}

/* Published totals and active sizes, of files that say it in ways of their own. */
static const struct {
    const char *text;
    double total, active;
    int64_t kv_heads;
} ways[] = {
    /* Gemma 3 4B: the class presets the vocabulary and the heads. */
    {"{\"model_type\": \"gemma3\", \"text_config\": {\"model_type\": \"gemma3_text\", "
     "\"hidden_size\": "
     "2560, \"intermediate_size\": 10240, \"num_hidden_layers\": 34, \"sliding_window\": 1024}}",
     3.88e9, 3.88e9, 4},
    /* Falcon 7B and 40B: the same keys, read in two ways. */
    {"{\"model_type\": \"falcon\", \"hidden_size\": 4544, \"num_attention_heads\": 71, "
     "\"num_hidden_layers\": 32, \"multi_query\": true, \"num_kv_heads\": 71, "
     "\"new_decoder_architecture\": false, \"vocab_size\": 65024}",
     6.92e9, 6.92e9, 1},
    {"{\"model_type\": \"falcon\", \"hidden_size\": 8192, \"num_attention_heads\": 128, "
     "\"num_hidden_layers\": 60, \"multi_query\": true, \"num_kv_heads\": 8, "
     "\"new_decoder_architecture\": true, \"vocab_size\": 65024}",
     41.3e9, 41.3e9, 8},
    /* StarCoder: multi-query by its class. */
    {"{\"model_type\": \"gpt_bigcode\", \"n_embd\": 6144, \"n_head\": 48, \"n_layer\": 40, "
     "\"n_inner\": "
     "24576, \"vocab_size\": 49152}",
     15.5e9, 15.5e9, 1},
    /* ChatGLM3 6B */
    {"{\"model_type\": \"chatglm\", \"num_layers\": 28, \"hidden_size\": 4096, "
     "\"ffn_hidden_size\": "
     "13696, \"num_attention_heads\": 32, \"multi_query_attention\": true, "
     "\"multi_query_group_num\": 2, \"kv_channels\": 128, \"padded_vocab_size\": 65024}",
     6.24e9, 6.24e9, 2},
    /* DBRX */
    {"{\"model_type\": \"dbrx\", \"d_model\": 6144, \"n_heads\": 48, \"n_layers\": 40, "
     "\"vocab_size\": "
     "100352, \"attn_config\": {\"kv_n_heads\": 8}, \"ffn_config\": {\"ffn_hidden_size\": 10752, "
     "\"moe_num_experts\": 16, \"moe_top_k\": 4}}",
     132e9, 36.5e9, 8},
    /* Qwen 7B, the first: the width counts gate and up. */
    {"{\"model_type\": \"qwen\", \"hidden_size\": 4096, \"intermediate_size\": 22016, "
     "\"num_hidden_layers\": 32, \"num_attention_heads\": 32, \"vocab_size\": 151936}",
     7.72e9, 7.72e9, 32},
    /* Grok 2 */
    {"{\"model_type\": \"git\", \"hidden_size\": 8192, \"intermediate_size\": 32768, "
     "\"moe_intermediate_size\": 16384, \"num_hidden_layers\": 64, \"num_attention_heads\": 64, "
     "\"num_key_value_heads\": 8, \"head_dim\": 128, \"num_local_experts\": 8, "
     "\"num_experts_per_tok\": 2, \"residual_moe\": true, \"vocab_size\": 131072}",
     269.5e9, 114.9e9, 8},
    /* ERNIE 4.5 300B A47B */
    {"{\"model_type\": \"ernie4_5_moe\", \"hidden_size\": 8192, \"intermediate_size\": 28672, "
     "\"num_hidden_layers\": 54, \"num_attention_heads\": 64, \"num_key_value_heads\": 8, "
     "\"moe_num_experts\": 64, \"moe_k\": 8, \"moe_intermediate_size\": 3584, "
     "\"moe_layer_start_index\": 3, \"vocab_size\": 103424}",
     300e9, 47e9, 8},
    /* Granite 4.0 Micro: a hybrid's keys, but every layer is attention. */
    {"{\"model_type\": \"granitemoehybrid\", \"hidden_size\": 2560, \"intermediate_size\": 8192, "
     "\"shared_intermediate_size\": 8192, \"num_hidden_layers\": 2, \"num_attention_heads\": 40, "
     "\"num_key_value_heads\": 8, \"vocab_size\": 100352, \"num_local_experts\": 0, "
     "\"tie_word_embeddings\": true, \"mamba_d_state\": 256, "
     "\"layer_types\": [\"attention\", \"attention\"]}",
     414e6, 414e6, 8},
};

Test(llm, families_have_ways_of_their_own)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const struct llm *llm = accept_text(ways[i].text);
        double total = llm_total_weights(llm), active = llm_active_weights(llm);
        cr_expect_lt(fabs(total / ways[i].total - 1), 0.01, "%s: %.4g", ways[i].text, total);
        cr_expect_lt(fabs(active / ways[i].active - 1), 0.03, "%s: %.4g", ways[i].text, active);
        cr_expect_eq(llm->kv_heads, ways[i].kv_heads, "%s", ways[i].text);
    }
}

#define SMALL_MOE(extra)                                                                           \
    "{\"hidden_size\": 64, \"num_hidden_layers\": 6, \"num_attention_heads\": 4, "                 \
    "\"vocab_size\": 100, \"intermediate_size\": 128, \"num_experts\": 8, "                        \
    "\"num_experts_per_tok\": 2, " extra "}"

Test(llm, dense_layers_of_a_mixture_are_counted)
{
    cr_assert_eq(accept_text(SMALL_MOE("\"decoder_sparse_step\": 2"))->dense_layers, 3);
    cr_assert_eq(accept_text(SMALL_MOE("\"mlp_only_layers\": [0, 5]"))->dense_layers, 2);
    cr_assert_eq(accept_text(SMALL_MOE("\"first_k_dense_replace\": 4"))->dense_layers, 4);
}

Test(llm, sliding_window_counts_only_when_used)
{
    cr_assert_eq(shipped_llm(arena, "qwen2.5-7b")->sliding_window, 0);
    cr_assert_eq(shipped_llm(arena, "mistral-7b-v0.3")->sliding_window, 0);
    cr_assert_eq(shipped_llm(arena, "gpt-oss-20b")->sliding_window, 128);
    /* Without any layer that sees everything, windows cannot shrink the cache. */
    const struct llm *llm = accept_text(SMALL_MOE("\"sliding_window\": 16"));
    cr_assert_eq(llm->window_layers, 6);
    cr_assert_eq(llm_growing_layers(llm), 6);
    cr_assert_eq(llm_constant_bytes(llm, PRECISION_BF16, 1, 16), 0);
}

static int64_t layers_of(const struct llm *llm, enum attention_kind attention, bool experts)
{
    int64_t layers = 0;
    for (size_t i = 0; i < llm->group_count; i++)
        if (llm->groups[i].attention == attention && llm->groups[i].experts == experts)
            layers += llm->groups[i].layers;
    return layers;
}

/* As the configuration classes of transformers lay the layers out. */
static const struct {
    const char *name;
    enum attention_kind attention;
    bool experts;
    int64_t layers;
} groups[] = {
    {"llama-3.1-8b", ATTENTION_FULL, false, 32},
    {"mixtral-8x7b", ATTENTION_FULL, true, 32},
    {"gpt-oss-120b", ATTENTION_WINDOW, true, 18},
    {"gpt-oss-120b", ATTENTION_FULL, true, 18},
    {"gemma-2-9b", ATTENTION_WINDOW, false, 21},
    {"gemma-3-27b", ATTENTION_WINDOW, false, 52},
    {"gemma-3-27b", ATTENTION_FULL, false, 10},
    {"llama-4-maverick", ATTENTION_WINDOW, false, 24},
    {"llama-4-maverick", ATTENTION_WINDOW, true, 12},
    {"llama-4-maverick", ATTENTION_FULL, true, 12},
    {"deepseek-v3", ATTENTION_LATENT, false, 3},
    {"deepseek-v3", ATTENTION_LATENT, true, 58},
    {"glm-5", ATTENTION_SPARSE_LATENT, true, 75},
    {"qwen3.5-397b-a17b", ATTENTION_LINEAR, true, 45},
    {"qwen3.5-27b", ATTENTION_FULL, false, 16},
};

Test(llm, layers_that_are_alike_form_groups)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const struct llm *llm = shipped_llm(arena, groups[i].name);
        cr_expect_eq(layers_of(llm, groups[i].attention, groups[i].experts), groups[i].layers,
                     "%s: group %zu", llm->name, i);
        int64_t layers = 0;
        for (size_t g = 0; g < llm->group_count; g++)
            layers += llm->groups[g].layers;
        cr_expect_eq(layers, llm->layers, "%s", llm->name);
    }
}

static void assert_refused(const char *text, const char *pointer, const char *message)
{
    struct error error;
    cr_assert_null(read_text(text, &error), "%s", text);
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
    cr_assert(strstr(error.file, "/model.json"), "%s", error.file);
    cr_assert_str_eq(error.json_path, pointer);
    cr_assert(strstr(error.message, message), "%s", error.message);
}

Test(llm, what_is_wrong_is_named)
{
    assert_refused("{}", "", "num_hidden_layers");
    assert_refused("[]", "", "num_hidden_layers");
    assert_refused("{\"text_config\": {}}", "/text_config", "num_hidden_layers");
    assert_refused("{\"num_hidden_layers\": \"32\"}", "/num_hidden_layers", "whole number");
    assert_refused("{\"num_hidden_layers\": 1.5}", "/num_hidden_layers", "whole number");
    assert_refused("{\"num_hidden_layers\": 0}", "/num_hidden_layers", "from 1");
    assert_refused("{\"num_hidden_layers\": 1e9}", "/num_hidden_layers", "layers");
    assert_refused("{\"num_hidden_layers\": 2, \"hidden_size\": 8, \"num_attention_heads\": 4, "
                   "\"vocab_size\": 9}",
                   "", "intermediate_size");
    assert_refused(SMALL_MOE("\"num_key_value_heads\": 3"), "/num_key_value_heads", "divide");
    assert_refused(SMALL_MOE("\"head_dim\": 0"), "/head_dim", "from 1");
    assert_refused(SMALL_MOE("\"num_local_experts\": 1"), "/num_experts_per_tok", "number of");
    assert_refused(SMALL_MOE("\"kv_lora_rank\": 16"), "", "qk_rope_head_dim");
    assert_refused(SMALL_MOE("\"is_encoder_decoder\": true"), "/is_encoder_decoder", "encoder");
    assert_refused(SMALL_MOE("\"layer_types\": [\"full_attention\", \"linear_attention\"]"),
                   "/layer_types", "every layer");
    assert_refused(SMALL_MOE("\"layer_types\": [0, 0, 0, 0, 0, 0]"), "/layer_types", "attention");
    assert_refused(SMALL_MOE("\"full_attention_interval\": 2"), "", "linear_num_key_heads");
    assert_refused(SMALL_MOE("\"full_attention_interval\": 7"), "", "linear_num_key_heads");
    assert_refused(SMALL_MOE("\"full_attention_interval\": 0.5"), "/full_attention_interval",
                   "whole number");
    assert_refused(SMALL_MOE("\"kv_lora_rank\": 16, \"qk_rope_head_dim\": 8, \"v_head_dim\": 8, "
                             "\"qk_nope_head_dim\": 8, \"index_topk\": 4"),
                   "", "index_n_heads");
    assert_refused("{\"attn_config\": {\"kv_n_heads\": 0}, \"num_hidden_layers\": 2, "
                   "\"hidden_size\": 8, \"num_attention_heads\": 4, \"vocab_size\": 9}",
                   "/attn_config/kv_n_heads", "from 1");
}

Test(llm, what_is_no_transformer_decoder_is_refused)
{
    assert_refused("{\"model_type\": \"mamba\", \"state_size\": 16}", "/state_size", "attention");
    assert_refused("{\"ssm_cfg\": {}}", "/ssm_cfg", "attention");
    assert_refused(SMALL_MOE("\"mamba_d_state\": 16"), "/mamba_d_state", "attention"); /* Jamba */
    assert_refused(SMALL_MOE("\"full_attention_interval\": 7, \"linear_num_key_heads\": 1, "
                             "\"linear_num_value_heads\": 1, \"linear_key_head_dim\": 8, "
                             "\"linear_value_head_dim\": 8, \"linear_conv_kernel_dim\": 4"),
                   "/layer_types", "state space"); /* and no attention at all */
    assert_refused(SMALL_MOE("\"hybrid_layer_pattern\": [0, 1]"), "/hybrid_layer_pattern", "shape");
    assert_refused(SMALL_MOE("\"attn_type_list\": [0, 1]"), "/attn_type_list", "attention");
    assert_refused(SMALL_MOE("\"block_configs\": [{}]"), "/block_configs", "shape");
    assert_refused(SMALL_MOE("\"model_type\": \"bert\""), "/model_type", "encoders");
    accept_text(SMALL_MOE("\"attn_type_list\": [1, 1]")); /* MiniMax-M2 */
}

Test(llm, an_unknown_name_gets_a_near_one_as_hint)
{
    struct error error = {0};
    const char *folder = catalog_path(arena, &error);
    cr_assert_null(llm_read(folder, ".", "llama-3.1-8c", arena, &error));
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
    cr_assert(strstr(error.hint, "llama-3.1-8b"), "%s", error.hint);
}

Test(llm, a_path_is_relative_to_the_scenario_and_names_the_model)
{
    struct error error = {0};
    const char *folder = catalog_path(arena, &error);
    const struct llm *llm = llm_read("/nowhere", folder, "llm/opt-13b.json", arena, &error);
    cr_assert(llm, "%s", error.message);
    cr_assert_str_eq(llm->name, "opt-13b");
    cr_assert_null(llm_read(folder, folder, "llm/missing.json", arena, &error));
    cr_assert(strstr(error.file, "llm/missing.json"), "%s: %s", error.file, error.message);
}
