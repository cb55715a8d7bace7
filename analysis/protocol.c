#include "analysis/protocol.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static bool begins(const char *text, const char *start)
{
    return strncasecmp(text, start, strlen(start)) == 0;
}

/* --- names --- */

/* Systems as AIConfigurator names them (ai-dynamo/aiconfigurator, names of its systems' description
 * files). */
static const struct {
    const char *system, *gpu;
} systems[] = {
    {"a100_sxm", "A100-80GB-SXM"}, {"h100_sxm", "H100-SXM"},
    {"h200_sxm", "H200-SXM"},      {"b200_sxm", "B200"},
    {"b300_sxm", "B300"},          {"gb200_sxm", "GB200"},
    {"gb300_sxm", "GB300"},        {"rtx_pro_6000_server", "RTX-PRO-6000"},
};

const struct gpu *protocol_gpu(const struct hardware *hardware, const char *system)
{
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        if (strcasecmp(system, systems[i].system) == 0)
            return hardware_gpu(hardware, systems[i].gpu, NULL);
    return hardware_gpu(hardware, system, NULL);
}

const char *protocol_constants(const struct measured_point *point)
{
    static const char *const under_dynamo[] = {"vllm-dynamo", "trtllm-dynamo", "sglang-dynamo"};
    for (size_t i = 0; point->disaggregated && i < sizeof under_dynamo / sizeof *under_dynamo; i++)
        if (begins(under_dynamo[i], point->backend))
            return under_dynamo[i];
    return point->backend;
}

/* Weight formats as AIConfigurator names them (GEMMQuantMode, MoEQuantMode), and as the precision
 * column does. */
static const struct {
    const char *name;
    enum precision precision;
} formats[] = {
    {"bf16", PRECISION_BF16},
    {"bfloat16", PRECISION_BF16},
    {"float16", PRECISION_BF16},
    {"fp8", PRECISION_FP8},
    {"fp8_static", PRECISION_FP8},
    {"fp8_block", PRECISION_FP8_BLOCK},
    {"fp4", PRECISION_FP4},
    {"nvfp4", PRECISION_FP4},
    {"int8", PRECISION_INT8},
    {"int8_wo", PRECISION_INT8},
    {"int4", PRECISION_INT4},
    {"int4_wo", PRECISION_INT4},
    {"mxfp4", PRECISION_MXFP4},
    {"w4a16_mxfp4", PRECISION_MXFP4},
    {"w4a8_mxfp4_mxfp8", PRECISION_MXFP4},
};

static bool find_format(const char *name, enum precision *precision, struct error *error)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcasecmp(name, formats[i].name) == 0) {
            *precision = formats[i].precision;
            return true;
        }
    return error_set(error, ERROR_BAD_INPUT, "weight format \"%s\" is not known", name);
}

/* Checkpoints that hold other formats than the table of results says: OpenAI's gpt-oss, and
 * Moonshot's INT4 ones, quantise the routed experts only, and the FP8 checkpoints of the others
 * have a scale per block ("weight_block_size": [128, 128] in quantization_config of their
 * config.json). */
static const struct {
    const char *model, *precision; /* how a row's begin */
    enum precision weights, expert_weights;
} checkpoints[] = {
    {"gpt-oss", "", PRECISION_BF16, PRECISION_MXFP4},
    {"kimi-k2", "int4", PRECISION_BF16, PRECISION_INT4},
    {"minimax", "fp8", PRECISION_FP8_BLOCK, PRECISION_FP8_BLOCK},
    {"deepseek", "fp8", PRECISION_FP8_BLOCK, PRECISION_FP8_BLOCK},
    {"qwen3-235b", "fp8", PRECISION_FP8_BLOCK, PRECISION_FP8_BLOCK},
    {"qwen3.5", "fp8", PRECISION_FP8_BLOCK, PRECISION_FP8_BLOCK},
    {"glm", "fp8", PRECISION_FP8_BLOCK, PRECISION_FP8_BLOCK},
};

static bool find_weights(const struct measured_point *point, struct protocol_server *server,
                         struct error *error)
{
    for (size_t i = 0; i < sizeof checkpoints / sizeof checkpoints[0]; i++)
        if (begins(point->model, checkpoints[i].model) &&
            begins(point->precision, checkpoints[i].precision)) {
            server->weights = checkpoints[i].weights;
            server->expert_weights = checkpoints[i].expert_weights;
            return true;
        }
    const char *gemm = point->gemm_quant[0] ? point->gemm_quant : point->precision;
    const char *experts = point->moe_quant[0] ? point->moe_quant : gemm;
    return find_format(gemm, &server->weights, error) &&
           find_format(experts, &server->expert_weights, error);
}

/* --- servers --- */

/* The profile of the engine (models/engine/engine_settings.h) decides. */
#define BY_ENGINE  INT64_MIN
/* Room for one prompt beside a token for each client. */
#define ONE_PROMPT INT64_C(-1)

/* FP8 beside weights of 8 bits and fewer, else 16 bits; or always the one or the other. */
enum kv_rule { KV_AS_WEIGHTS, KV_FP8, KV_BF16 };

/* Texts are how a row's begins: "" holds for all. The first rule that matches is taken. */
struct server_rule {
    const char *origin, *backend, *model, *system, *precision;
    int64_t batched_tok; /* per step */
    int64_t sequences;
    double memory_fraction; /* NaN: the engine's */
    enum kv_rule kv;
};

/* infx rows: the start scripts of SemiAnalysis InferenceMAX / InferenceX (github.com/InferenceMAX,
 * SemiAnalysisAI; benchmarks/<model>_<precision>_<gpu>*.sh, October 2025 to April 2026). Scripts
 * change; a row does not say which version it was measured with.
 * Left out: --scheduler-recv-interval of their SGLang scripts for Blackwell, which look for new
 * requests only every 10 or 30 decode iterations; it adds as much to TTFT.
 * Other rows: nobody recorded the settings, so the engines' defaults. TensorRT-LLM's KV cache
 * follows the checkpoint, and NVIDIA's FP8 and NVFP4 checkpoints ask for FP8; those of vLLM's and
 * SGLang's rows do not. */
static const struct server_rule rules[] = {
    /* The measurements' README says FP8 of all vLLM servers. Those on H100 had half that cache: 64
     * clients at 1024/8192 on two GPUs waited 31 s for their first token. */
    {"infx", "vllm", "llama", "h100", "", 8192, 512, 0.9, KV_BF16},
    {"infx", "vllm", "llama", "", "", 8192, 512, 0.9, KV_FP8},
    {"infx", "vllm", "gpt-oss", "h", "", 8192, 512, 0.9, KV_BF16},
    {"infx", "vllm", "gpt-oss", "", "", 8192, 512, 0.9, KV_FP8},
    {"infx", "vllm", "minimax", "", "fp8", BY_ENGINE, BY_ENGINE, 0.95, KV_BF16},
    {"infx", "vllm", "kimi", "", "int4", BY_ENGINE, BY_ENGINE, 0.95, KV_BF16},
    {"infx", "vllm", "", "", "fp4", BY_ENGINE, BY_ENGINE, 0.9, KV_FP8},
    {"infx", "trtllm", "llama", "", "", 16384, BY_ENGINE, 0.9, KV_FP8},
    {"infx", "trtllm", "gpt-oss", "", "", 20000, 512, 0.85, KV_FP8},
    {"infx", "trtllm", "deepseek", "h", "", ONE_PROMPT, BY_ENGINE, 0.75, KV_FP8},
    {"infx", "trtllm", "deepseek", "", "", ONE_PROMPT, BY_ENGINE, 0.8, KV_FP8},
    {"infx", "sglang", "deepseek", "h", "", 32768, BY_ENGINE, 0.82, KV_BF16},
    {"infx", "sglang", "deepseek", "", "fp4", 16384, BY_ENGINE, 0.85, KV_FP8},
    /* Four B200 hold the FP8 weights only with nearly all of their memory. */
    {"infx", "sglang", "deepseek", "b", "fp8", 32768, BY_ENGINE, 0.95, KV_FP8},
    {"infx", "sglang", "glm", "", "", 32768, BY_ENGINE, 0.85, KV_FP8},
    {"infx", "sglang", "", "", "bf16", 32768, BY_ENGINE, 0.82, KV_BF16},
    {"infx", "sglang", "", "", "", 32768, BY_ENGINE, 0.82, KV_FP8},
    {"", "trtllm", "", "", "", BY_ENGINE, BY_ENGINE, NAN, KV_AS_WEIGHTS},
    {"", "", "", "", "", BY_ENGINE, BY_ENGINE, NAN, KV_BF16},
};

static const struct server_rule *find_rule(const struct measured_point *point)
{
    const struct server_rule *rule = rules;
    while (!begins(point->origin, rule->origin) || !begins(point->backend, rule->backend) ||
           !begins(point->model, rule->model) || !begins(point->system, rule->system) ||
           !begins(point->precision, rule->precision))
        rule++;
    return rule;
}

static enum precision kv_precision(enum kv_rule rule, enum precision weights)
{
    bool fp8 = rule == KV_FP8 || (rule == KV_AS_WEIGHTS && weights != PRECISION_BF16);
    return fp8 ? PRECISION_FP8 : PRECISION_BF16;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool set_engine_name(const struct measured_point *point, struct engine_settings *engine,
                            struct error *error)
{
    for (int name = 0; name < ENGINE_COUNT; name++)
        if (strcasecmp(point->backend, engine_profiles[name].name) == 0) {
            engine->name = name;
            return true;
        }
    return error_set(error, ERROR_BAD_INPUT, "engine \"%s\" is not known", point->backend);
}

/* TensorRT-LLM of the Llama-3.1-70B rows (70b_*_trt_*.sh): at 1024 tokens in and out and below 8
 * GPUs, prompts wait for company. */
static void set_batch_wait(const struct measured_point *point, struct engine_settings *engine)
{
    if (!begins(point->origin, "infx") || !begins(point->model, "llama") || point->isl != 1024 ||
        point->osl != 1024 || point->tp >= 8)
        return;
    engine->batch_wait_timeout_iters = 20;
    engine->batch_wait_max_tokens_ratio = 0.9;
}

/* A server that does not cut prompts up must have been given room for the longest request beside a
 * token for every other. The laboratory's rows had no more than that: their TTFT is one prompt's,
 * whatever the number of clients (NVIDIA's AIConfigurator, whose authors ran them, writes a
 * max_num_tokens near the prompt length into the servers that it configures). CUDA graphs for every
 * batch, padded, are what the benchmark's scripts and NVIDIA's recipes ask for. */
static void fit_trtllm(const struct measured_point *point, struct engine_settings *engine)
{
    set_batch_wait(point, engine);
    engine->cuda_graph_max_batch = smaller(point->concurrency, ENGINE_GRAPH_MAX_BATCH);
    int64_t one_prompt = point->isl + point->osl + point->concurrency;
    if (!begins(point->origin, "infx") || engine->max_num_batched_tokens < one_prompt)
        engine->max_num_batched_tokens = one_prompt;
}

bool protocol_server(const struct measured_point *point, const struct gpu *gpu,
                     struct protocol_server *server, struct error *error)
{
    const struct server_rule *rule = find_rule(point);
    struct engine_settings *engine = &server->engine;
    *engine = engine_settings_unset;
    if (!set_engine_name(point, engine, error) || !find_weights(point, server, error))
        return false;
    server->kv = kv_precision(rule->kv, server->weights);
    engine->max_num_batched_tokens =
        rule->batched_tok == ONE_PROMPT
            ? larger(8192, (point->concurrency + point->isl + 127) / 64 * 64)
            : rule->batched_tok;
    engine->max_num_seqs = rule->sequences;
    engine->gpu_memory_utilization = rule->memory_fraction;
    engine_settings_settle(engine, &(struct engine_host){gpu, point->tp, point->pp});
    if (engine->name == ENGINE_TRTLLM)
        fit_trtllm(point, engine);
    /* More never run than there are clients. */
    engine->max_num_seqs = smaller(engine->max_num_seqs, protocol_clients(point));
    return true;
}

/* --- clients --- */

struct protocol_pause protocol_pause(const struct measured_point *point)
{
    /* Requests of one length that start together end together, for ever. Real clients drift apart
     * by the milliseconds that sending and receiving take; such a jitter is what breaks the waves.
     */
    const struct protocol_pause jitter = {0.001, 0.005}, none = {0, 0};
    return point->len_ratio_min == 1 ? jitter : none;
}

/* Nobody recorded it, so this is inferred from the rows themselves. Laboratory rows that serve
 * NVIDIA's own checkpoints of a model took so little time for prompts that they cannot have
 * computed them: Llama-3.1-8B at 2000/100 on one H200 would need 95 % of the GPU's peak for prefill
 * alone, Qwen3-32B at 15000/500 on two B200 three times their peak. Their engines cache prefixes
 * unless told otherwise: prompts were repeated, then. Other laboratory rows show nothing of the
 * kind. */
double protocol_cached_share(const struct measured_point *point)
{
    return begins(point->origin, "lab") && begins(point->model_path, "nvidia/") ? 1 : 0;
}

int64_t protocol_clients(const struct measured_point *point)
{
    return (point->concurrency + point->attn_dp - 1) / point->attn_dp;
}

/* Of the infx rows by their protocol; of the others nobody recorded it. */
int64_t protocol_requests(const struct measured_point *point)
{
    return 10 * protocol_clients(point);
}
