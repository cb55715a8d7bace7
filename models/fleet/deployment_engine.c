#include "models/fleet/deployment_engine.h"

#include <math.h>

#include "models/engine/stage_graph.h"
#include "models/llm/lora.h"

/* vLLM refuses a max_model_len that the KV cache cannot hold, and one that the model was not made
 * for. */
static bool set_max_model_tok(const struct deployment_request *request,
                              struct deployment *deployment, struct error *error)
{
    int64_t asked_tok = request->engine->max_model_len;
    int64_t held_tok = deployment->memory.kv_blocks * request->engine->block_size;
    int64_t model_tok = request->llm->max_positions;
    if (asked_tok == INT64_MIN) {
        deployment->engine.max_model_tok = held_tok < model_tok ? held_tok : model_tok;
        return true;
    }
    deployment->engine.max_model_tok = asked_tok;
    if (asked_tok > model_tok) {
        error_set(error, ERROR_BAD_INPUT, "max_model_len is %lld, but %s ends at %lld tokens",
                  (long long)asked_tok, request->llm->name, (long long)model_tok);
        return error_hint(error, "lower max_model_len, or leave it out");
    }
    if (asked_tok > held_tok) {
        error_set(error, ERROR_BAD_INPUT,
                  "max_model_len is %lld, but the KV cache holds %lld tokens", (long long)asked_tok,
                  (long long)held_tok);
        return error_hint(error, "lower max_model_len, or use more GPUs or a smaller KV precision");
    }
    return true;
}

/* Swapped blocks cross the PCIe link of their GPU, all GPUs at once. */
static void set_swap(const struct deployment_request *request, struct deployment *deployment)
{
    const struct engine_settings *settings = request->engine;
    if (settings->preemption != PREEMPT_SWAP)
        return;
    double block_bytes =
        deployment->memory.kv_bytes_per_token_per_gpu * (double)settings->block_size;
    double copy_s = block_bytes / (deployment->gpu->pcie_gb_s * 1e9);
    deployment->engine.swap_blocks = (int64_t)(settings->swap_space_gib * 0x1p30 / block_bytes);
    deployment->engine.swap_block_time = fine_from_s(copy_s);
}

static void set_prefix_cache(const struct deployment_request *request,
                             struct deployment *deployment)
{
    double per_gpu = deployment->memory.kv_bytes_per_token_per_gpu;
    int64_t rank_gpus = deployment->gpus / deployment->attention_dp;
    struct prefix_replica replica = {.bytes_per_tok = per_gpu * (double)rank_gpus,
                                     .bytes_per_tok_per_gpu = per_gpu,
                                     .pcie_gb_s = deployment->gpu->pcie_gb_s,
                                     .gpu_tok = deployment->engine.kv_blocks *
                                                deployment->engine.block_tok};
    deployment->engine.prefix = prefix_settings_config(request->engine->prefix_cache, &replica);
}

/* Who gets all its memory at the start is let in when it fits; a batch that is served to its end is
 * not let in one by one. */
static enum engine_admission admission_of(const struct engine_settings *settings)
{
    if (settings->batching.index != BATCHING_CONTINUOUS ||
        settings->admission == ADMIT_MAX_UTILIZATION)
        return ADMIT_PREEMPT;
    return settings->kv_allocation == KV_PAGED ? (enum engine_admission)settings->admission
                                               : ADMIT_NO_EVICT;
}

static tick_t decode_first_wait(const struct engine_settings *settings)
{
    double wait_ms = settings->decode_first_max_wait_ms;
    return isnan(wait_ms) ? TICK_NEVER : tick_from_s(wait_ms / 1e3);
}

/* vLLM V0: the whole of it, rounded down (BlockSpaceManager, watermark_blocks). */
static int64_t watermark_blocks(const struct engine_settings *settings, int64_t kv_blocks)
{
    return (int64_t)(settings->watermark * (double)kv_blocks);
}

/* Prompts are computed whole there, and memory is set aside stage by stage. */
static void set_graph(struct deployment *deployment, const struct engine_settings *settings)
{
    struct engine_config *engine = &deployment->engine;
    engine->graph = deployment->graph;
    engine->kv_blocks = deployment->graph->kv_blocks;
    engine->max_batch_tokens = settings->max_num_batched_tokens;
    engine->chunked_prefill = false;
    engine->admission = ADMIT_PREEMPT;
    engine->batch_wait_iterations = 0;
    engine->keeps_blocks = false;
}

/* Without chunks a prompt must fit one micro-batch, and so must what is recomputed of a request. */
static void cap_unchunked(const struct deployment_request *request, struct deployment *deployment)
{
    int64_t budget_tok = request->engine->max_num_batched_tokens;
    if (deployment->micro_batches > 1 && !request->engine->enable_chunked_prefill &&
        deployment->engine.max_model_tok > budget_tok)
        deployment->engine.max_model_tok = budget_tok;
}

/* Loaded by all GPUs of a replica at once, each over its own link, from a file that each reads
 * whole (vLLM's workers do). */
static bool set_adapters(const struct deployment_request *request, struct deployment *deployment,
                         struct error *error)
{
    const struct lora_settings *settings = request->engine->lora;
    double load_gb_s =
        isnan(settings->load_gb_s) ? deployment->gpu->pcie_gb_s : settings->load_gb_s;
    double slot = lora_bytes_per_gpu(deployment->llm, settings->rank, deployment->tensor_parallel);
    double whole = lora_bytes_per_gpu(deployment->llm, settings->rank, 1);
    deployment->lora = lora_config_create(settings);
    if (!deployment->lora)
        return error_set(error, ERROR_FAILED, "out of memory for %lld adapters",
                         (long long)settings->adapters);
    deployment->lora->host_load = fine_from_s(slot / (load_gb_s * 1e9));
    deployment->lora->disk_load = fine_from_s(whole / (settings->disk_gb_s * 1e9));
    deployment->engine.lora = deployment->lora;
    return true;
}

bool deployment_set_engine(const struct deployment_request *request, struct deployment *deployment,
                           struct error *error)
{
    const struct engine_settings *settings = request->engine;
    deployment->engine = (struct engine_config){
        .steptime = deployment->steptime,
        .max_sequences = settings->max_num_seqs,
        .max_batch_tokens = settings->max_num_batched_tokens * deployment->micro_batches,
        .prompt_batch_tok =
            settings->prompt_batch_tok == INT64_MIN ? 0 : settings->prompt_batch_tok,
        .block_tok = (uint32_t)settings->block_size,
        .kv_blocks = deployment->memory.kv_blocks,
        .request_overhead =
            deployment->engine.request_overhead + tick_from_s(request->network_rtt_s),
        .prefill = (enum engine_prefill)settings->prefill,
        .admission = admission_of(settings),
        .chunked_prefill = settings->enable_chunked_prefill,
        .keeps_blocks = settings->enable_prefix_caching,
        .batch_wait_iterations = settings->batch_wait_timeout_iters,
        .batch_wait_tok = engine_batch_wait_tok(settings),
        .output_share = engine_output_share(settings),
        .batching = batching_of(&settings->batching),
        .queue_order = (enum queue_order)settings->queue_order,
        .output_prediction = output_prediction_of(&settings->output_prediction),
        .decode_first_wait = decode_first_wait(settings),
        .answer_cap_tok = engine_answer_cap_tok(settings),
        .kv_allocation = (enum kv_allocation)settings->kv_allocation,
        .counts_slots = settings->report_kv_slots,
        .stream_interval = settings->stream_interval,
        .watermark_blocks = watermark_blocks(settings, deployment->memory.kv_blocks)};
    set_swap(request, deployment);
    set_prefix_cache(request, deployment);
    if (settings->speculative)
        deployment->engine.speculation = speculation_of(settings->speculative);
    deployment->engine.plain_steptime = deployment->plain_steptime;
    if (settings->lora && !set_adapters(request, deployment, error))
        return false;
    if (!set_max_model_tok(request, deployment, error))
        return false;
    cap_unchunked(request, deployment);
    if (deployment->graph)
        set_graph(deployment, settings);
    return true;
}
