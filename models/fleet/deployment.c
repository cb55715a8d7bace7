#include "models/fleet/deployment.h"

#include "models/engine/stage_graph.h"
#include "models/fleet/deployment_engine.h"
#include "models/fleet/deployment_steptime.h"
#include "models/llm/lora.h"

/* Of adapters' slots, on each GPU. */
static double slot_bytes(const struct deployment_request *request,
                         const struct deployment *deployment)
{
    const struct lora_settings *lora = request->engine->lora;
    return !lora ? 0
                 : (double)lora->max_loras *
                       lora_bytes_per_gpu(deployment->llm, lora->rank, deployment->tensor_parallel);
}

static bool fit_memory(const struct deployment_request *request, struct deployment *deployment,
                       struct stage_list *list, const struct draft *draft, struct arena *arena,
                       struct error *error)
{
    const struct engine_settings *engine = request->engine;
    struct memory_request fit = {
        .gpu = request->gpu,
        .llm = request->llm,
        .tensor_parallel = request->tensor_parallel,
        .pipeline_parallel = (int64_t)list->count,
        .stages = request->stage_count > 0 ? stages_memory(list, arena) : NULL,
        .attention_dp = deployment->attention_dp,
        .expert_parallel = deployment->expert_parallel,
        .weights = request->weights,
        .expert_weights = deployment->expert_weights,
        .kv = request->kv,
        .max_sequences = engine->max_num_seqs,
        .block_tok = engine->block_size,
        .gpu_memory_utilization = engine->gpu_memory_utilization,
        .utilization_of_rest = engine_profiles[engine->name].utilization_of_rest,
        .reserve_gib = engine->reserve_gib,
        .more_weight_bytes = draft->weight_bytes_per_gpu + slot_bytes(request, deployment),
        .more_kv_bytes_per_token = draft->kv_bytes_per_token_per_gpu};
    list->kv_blocks = ARENA_ARRAY(arena, list->count, int64_t);
    if (!memory_fit_stages(&fit, &deployment->memory, list->kv_blocks, error))
        return false;
    if (engine->num_gpu_blocks_override == INT64_MIN)
        return true;
    deployment->memory.kv_blocks = engine->num_gpu_blocks_override;
    for (size_t i = 0; i < list->count; i++)
        list->kv_blocks[i] = engine->num_gpu_blocks_override;
    return true;
}

/* Engines keep as many micro-batches in flight as there are stages (pipeline.h). */
static int64_t micro_batches_of(const struct deployment_request *request,
                                const struct stage_list *list)
{
    if (deployment_step_time_kind(request) == STEP_TIME_GIVEN) /* of a whole round */
        return 1;
    return request->micro_batches > 0 ? request->micro_batches : (int64_t)list->count;
}

static void describe(const struct deployment_request *request, const struct stage_list *list,
                     struct deployment *deployment)
{
    int64_t ranks = request->attention_dp == 0 ? 1 : request->attention_dp;
    *deployment = (struct deployment){
        .gpu = list->stages->gpu,
        .llm = request->llm,
        .tensor_parallel = list->stages->tensor_parallel,
        .pipeline_parallel = (int64_t)list->count,
        .micro_batches = micro_batches_of(request, list),
        .attention_dp = ranks,
        .expert_parallel = request->expert_parallel == 0 ? 1 : request->expert_parallel,
        .gpus = stages_gpus(list) * ranks,
        .weights = request->weights,
        .expert_weights = request->expert_weights ? *request->expert_weights : request->weights,
        .kv = request->kv,
        .busy_w = stages_busy_w(list),
        .idle_w = stages_idle_w(list)};
    stages_name_gpus(list, deployment->gpu_names, sizeof deployment->gpu_names);
}

static bool compile(const struct deployment_request *request, struct stage_list *list,
                    struct deployment *deployment, struct arena *arena, struct error *error)
{
    struct draft draft;
    return engine_settings_check(request->engine, error) &&
           draft_of(request, deployment, arena, &draft, error) &&
           fit_memory(request, deployment, list, &draft, arena, error) &&
           deployment_compile_steptime(request, deployment, list, &draft, error) &&
           deployment_set_engine(request, deployment, error);
}

bool deployment_compile(const struct deployment_request *request, struct deployment *deployment,
                        struct error *error)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = *request->engine;
    struct deployment_request settled = *request;
    settled.engine = &settings;
    struct stage_list list;
    bool compiled = false;
    *deployment = (struct deployment){0};
    if (stages_of(request, arena, &list, error)) {
        describe(request, &list, deployment);
        engine_settings_settle(&settings,
                               &(struct engine_host){list.stages->gpu, deployment->tensor_parallel,
                                                     deployment->pipeline_parallel});
        compiled = compile(&settled, &list, deployment, arena, error);
    }
    arena_destroy(arena);
    if (!compiled)
        deployment_clear(deployment);
    return compiled;
}

void deployment_clear(struct deployment *deployment)
{
    steptime_destroy(deployment->steptime);
    stages_graph_destroy(deployment->graph);
    steptime_destroy(deployment->plain_steptime);
    lora_config_destroy(deployment->lora);
    *deployment = (struct deployment){0};
}

struct kv_port deployment_port(const struct deployment *deployment)
{
    return (struct kv_port){.gpu = deployment->gpu,
                            .llm = deployment->llm,
                            .kv = deployment->kv,
                            .tensor_parallel = deployment->tensor_parallel,
                            .pipeline_parallel = deployment->pipeline_parallel};
}
