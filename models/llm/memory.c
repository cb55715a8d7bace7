#include "models/llm/memory.h"

#include <math.h>
#include <stdio.h>

#define GIB 1073741824.0

/* A pipeline stage: consecutive layers. */
struct stage {
    const struct gpu *gpu;
    int64_t tensor_parallel;
    int64_t first_layer, end_layer;
    bool embeds, emits; /* holds the input embedding; the lm_head */
};

int64_t memory_even_layers(int64_t layers, int64_t stages, int64_t index)
{
    return layers * (index + 1) / stages - layers * index / stages;
}

static struct memory_stage given_stage(const struct memory_request *request, int64_t index)
{
    if (request->stages)
        return request->stages[index];
    int64_t layers = request->llm->layers, stages = request->pipeline_parallel;
    return (struct memory_stage){request->gpu, request->tensor_parallel, layers * index / stages,
                                 memory_even_layers(layers, stages, index)};
}

static struct stage stage_at(const struct memory_request *request, int64_t index)
{
    struct memory_stage given = given_stage(request, index);
    int64_t end_layer = given.first_layer + given.layers;
    return (struct stage){.gpu = given.gpu,
                          .tensor_parallel = given.tensor_parallel,
                          .first_layer = given.first_layer,
                          .end_layer = end_layer,
                          .embeds = given.first_layer == 0,
                          .emits = end_layer == request->llm->layers};
}

/* Embedding tables that a stage holds: vLLM keeps a tied one on both the first and last stage. */
static double stage_embedding_elements(const struct llm *llm, struct stage stage)
{
    double one = (double)llm->vocab * (double)llm->hidden;
    bool shared = llm->tied_embeddings && stage.embeds && stage.emits;
    return one * (shared ? 1 : stage.embeds + stage.emits);
}

/* Which layers of a mixture of experts are dense hardly matters; the first, as in DeepSeek. */
static int64_t stage_dense_layers(const struct llm *llm, struct stage stage)
{
    int64_t layers = stage.end_layer - stage.first_layer;
    int64_t dense = llm->dense_layers - stage.first_layer;
    return dense < 0 ? 0 : dense > layers ? layers : dense;
}

/* What a stage has of something that is spread over the layers evenly. */
static double stage_share(const struct llm *llm, struct stage stage, double of_all_layers)
{
    return of_all_layers * (double)(stage.end_layer - stage.first_layer) / (double)llm->layers;
}

/* Of one MoE layer on one GPU. */
static double routed_expert_bytes(const struct memory_request *request, int64_t tensor_parallel)
{
    const struct llm *llm = request->llm;
    int64_t parts = request->expert_parallel;
    int64_t gpus_each = tensor_parallel * request->attention_dp / parts;
    int64_t experts = (llm->experts + parts - 1) / parts;
    return (double)experts * llm_expert_weights(llm) *
           precision_weight_bytes(request->expert_weights) / (double)gpus_each;
}

static double stage_weight_bytes(const struct memory_request *request, struct stage stage)
{
    const struct llm *llm = request->llm;
    double dense = (double)stage_dense_layers(llm, stage);
    double moe = (double)(stage.end_layer - stage.first_layer) - dense;
    double router = (double)llm->hidden * (double)llm->experts;
    double linear = stage_share(llm, stage, llm_all_attention_weights(llm)) +
                    dense * llm_dense_ffn_weights(llm) +
                    moe * (llm_shared_expert_weights(llm) - router);
    double split = linear * precision_weight_bytes(request->weights) +
                   stage_embedding_elements(llm, stage) * precision_bytes(PRECISION_BF16);
    double copied = moe * router * precision_bytes(PRECISION_BF16);
    double routed = moe > 0 ? moe * routed_expert_bytes(request, stage.tensor_parallel) : 0;
    return split / (double)stage.tensor_parallel + copied + routed;
}

static bool check_experts(const struct memory_request *request, int64_t tensor_parallel,
                          struct error *error)
{
    const struct llm *llm = request->llm;
    int64_t dp = request->attention_dp, ep = request->expert_parallel;
    int64_t gpus = tensor_parallel * dp;
    if (dp < 1 || ep < 1)
        return error_set(error, ERROR_BAD_INPUT,
                         "attention_data_parallel and expert_parallel must be 1 or more");
    if (llm->experts == 0 && (dp > 1 || ep > 1)) {
        error_set(error, ERROR_INFEASIBLE,
                  "%s has no experts to spread (attention_data_parallel = %lld, expert_parallel = "
                  "%lld)",
                  llm->name, (long long)dp, (long long)ep);
        return error_hint(error, "leave them out, and give the pool more replicas");
    }
    if (gpus % ep != 0 || (ep > 1 && ep > llm->experts))
        return error_set(
            error, ERROR_INFEASIBLE,
            "the %lld experts of %s cannot be dealt to expert_parallel = %lld parts of "
            "%lld GPUs (tensor_parallel x attention_data_parallel)",
            (long long)llm->experts, llm->name, (long long)ep, (long long)gpus);
    return true;
}

/* Beyond the KV heads, tensor parallelism copies them: see llm_kv_heads_per_gpu. */
static bool check_heads(const struct llm *llm, int64_t tp, struct error *error)
{
    if (llm->heads % tp != 0)
        return error_set(error, ERROR_INFEASIBLE,
                         "%s has %lld attention heads, which cannot be split over "
                         "tensor_parallel = %lld GPUs",
                         llm->name, (long long)llm->heads, (long long)tp);
    if (llm->kv_lora_rank == 0 && llm->kv_heads % tp != 0 && tp % llm->kv_heads != 0)
        return error_set(error, ERROR_INFEASIBLE,
                         "%s has %lld KV heads, which can be neither split nor copied evenly over "
                         "tensor_parallel = %lld GPUs",
                         llm->name, (long long)llm->kv_heads, (long long)tp);
    return true;
}

static bool check_split(const struct memory_request *request, struct error *error)
{
    const struct llm *llm = request->llm;
    int64_t pp = request->pipeline_parallel;
    if (pp < 1 || (!request->stages && request->tensor_parallel < 1))
        return error_set(error, ERROR_BAD_INPUT,
                         "tensor_parallel and pipeline_parallel must be 1 or more");
    if (pp > llm->layers)
        return error_set(error, ERROR_INFEASIBLE,
                         "pipeline_parallel = %lld stages are more than the %lld layers of %s",
                         (long long)pp, (long long)llm->layers, llm->name);
    for (int64_t i = 0; i < (request->stages ? pp : 1); i++) {
        int64_t tp = given_stage(request, i).tensor_parallel;
        if (!check_heads(llm, tp, error) || !check_experts(request, tp, error))
            return false;
    }
    return true;
}

/* Of most of the weights. */
static const char *weight_format(const struct memory_request *request)
{
    bool experts = request->llm->experts > 0;
    return precision_names[experts ? request->expert_weights : request->weights];
}

/* Bytes for weights, reserve and KV cache. */
static double usable_bytes(const struct memory_request *request, const struct gpu *gpu)
{
    double all = gpu->memory_gib * GIB;
    return request->utilization_of_rest ? all : all * request->gpu_memory_utilization;
}

static void hint_at_more_gpus(const struct memory_request *request, struct error *error)
{
    if (request->stages)
        error_hint(error, "give the stage fewer layers or more GPUs (tensor_parallel), or store "
                          "the weights in fewer bits (weights: fp8, int4)");
    else
        error_hint(error,
                   "split the model over more GPUs (tensor_parallel, now %lld; "
                   "pipeline_parallel, now %lld) or store the weights in fewer bits "
                   "(weights: fp8, int4)",
                   (long long)request->tensor_parallel, (long long)request->pipeline_parallel);
}

/* stage: the one with the least room. */
static bool does_not_fit(const struct memory_request *request, const struct stage *stage,
                         const struct memory_plan *plan, struct error *error)
{
    double block = plan->kv_bytes_per_token_per_gpu * (double)request->block_tok;
    double needed = (plan->weight_bytes_per_gpu + block) / GIB + request->reserve_gib;
    double usable = usable_bytes(request, stage->gpu) / GIB;
    char layers[64] = "";
    if (request->stages)
        snprintf(layers, sizeof layers, "layers %lld to %lld of ",
                 (long long)stage->first_layer + 1, (long long)stage->end_layer);
    error_set(
        error, ERROR_INFEASIBLE,
        "%s%s does not fit on %s: each GPU needs %.1f GiB (weights in %s %.1f, runtime reserve "
        "%.1f, one KV block %.3f) and may use %.1f (%.0f %% of %.1f)",
        layers, request->llm->name, stage->gpu->name, needed, weight_format(request),
        plan->weight_bytes_per_gpu / GIB, request->reserve_gib, block / GIB, usable,
        100 * usable / stage->gpu->memory_gib, stage->gpu->memory_gib);
    hint_at_more_gpus(request, error);
    return false;
}

/* Bytes for what sequences take however long they are, of the `room` for them and for blocks. */
static double constant_room(const struct memory_request *request, const struct memory_plan *plan,
                            double room)
{
    double constant = plan->constant_bytes_per_sequence_per_gpu;
    double usual = plan->kv_bytes_per_token_per_gpu * MEMORY_USUAL_CONTEXT_TOK;
    double sequences = floor(room / (usual + constant));
    if (request->max_sequences > 0)
        sequences = fmin(sequences, (double)request->max_sequences);
    return fmax(0, sequences) * constant;
}

static struct memory_plan plan_stage(const struct memory_request *request, struct stage stage)
{
    const struct llm *llm = request->llm;
    int64_t tp = stage.tensor_parallel;
    double growing = (double)llm_growing_layers(llm);
    double constant = llm_constant_bytes(llm, request->kv, tp, request->block_tok);
    struct memory_plan plan = {
        .weight_bytes_per_gpu = stage_weight_bytes(request, stage) + request->more_weight_bytes,
        .kv_bytes_per_token_per_gpu =
            stage_share(llm, stage, growing * llm_kv_bytes_per_layer(llm, request->kv, tp)) +
            request->more_kv_bytes_per_token,
        .constant_bytes_per_sequence_per_gpu = stage_share(llm, stage, constant)};
    double room =
        usable_bytes(request, stage.gpu) - plan.weight_bytes_per_gpu - request->reserve_gib * GIB;
    if (request->utilization_of_rest)
        room *= request->gpu_memory_utilization;
    room -= constant_room(request, &plan, room);
    plan.kv_blocks =
        (int64_t)floor(room / (plan.kv_bytes_per_token_per_gpu * (double)request->block_tok));
    return plan;
}

bool memory_fit_stages(const struct memory_request *request, struct memory_plan *plan,
                       int64_t *blocks, struct error *error)
{
    if (!check_split(request, error))
        return false;
    struct stage tightest = {0};
    for (int64_t i = 0; i < request->pipeline_parallel; i++) {
        struct stage stage = stage_at(request, i);
        struct memory_plan other = plan_stage(request, stage);
        if (blocks)
            blocks[i] = other.kv_blocks;
        if (i == 0 || other.kv_blocks < plan->kv_blocks) {
            *plan = other;
            tightest = stage;
        }
    }
    return plan->kv_blocks >= 1 || does_not_fit(request, &tightest, plan, error);
}

bool memory_fit(const struct memory_request *request, struct memory_plan *plan, struct error *error)
{
    return memory_fit_stages(request, plan, NULL, error);
}
