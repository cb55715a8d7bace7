#include "models/fleet/draft.h"

#include "models/catalog_path.h"

/* The layer of the model that a predictor of further tokens looks like: the last kind that attends
 * to all context, with experts if the model has them. */
static struct llm_layer_group predictor_layer(const struct llm *llm)
{
    struct llm_layer_group layer = llm->groups[0];
    for (size_t i = 0; i < llm->group_count; i++) {
        const struct llm_layer_group *group = &llm->groups[i];
        bool partial = group->attention == ATTENTION_LINEAR || group->attention == ATTENTION_WINDOW;
        if (!partial && group->experts >= layer.experts)
            layer = *group;
    }
    layer.layers = 1;
    return layer;
}

static const struct llm *predictor_of(const struct llm *llm, struct arena *arena)
{
    struct llm *predictor = ARENA_NEW(arena, struct llm);
    struct llm_layer_group layer = predictor_layer(llm);
    *predictor = *llm;
    predictor->layers = 1;
    predictor->dense_layers = !layer.experts;
    predictor->window_layers = layer.attention == ATTENTION_WINDOW;
    predictor->linear_layers = layer.attention == ATTENTION_LINEAR;
    predictor->groups[0] = layer;
    predictor->group_count = 1;
    return predictor;
}

static const struct llm *read_model(const struct deployment_request *request, const char *name,
                                    struct arena *arena, struct error *error)
{
    const char *folder = catalog_path(arena, error);
    return folder ? llm_read(folder, request->folder ? request->folder : ".", name, arena, error)
                  : NULL;
}

/* vLLM: draft_tensor_parallel_size is 1 or the model's (SpeculativeConfig). */
static bool check_tensor_parallel(const struct draft *draft, const struct deployment *deployment,
                                  struct error *error)
{
    if (draft->tensor_parallel == 1 || draft->tensor_parallel == deployment->tensor_parallel)
        return true;
    error_set(error, ERROR_BAD_INPUT,
              "speculative.draft_tensor_parallel is %lld, and may be 1 or %lld, as the model's",
              (long long)draft->tensor_parallel, (long long)deployment->tensor_parallel);
    return error_hint(error, "leave it out");
}

/* By what the model would need alone: the rest is not looked at. */
static bool weigh(const struct deployment_request *request, struct draft *draft, bool shares_ends,
                  struct arena *arena, struct error *error)
{
    struct llm *weighed = ARENA_NEW(arena, struct llm);
    *weighed = *draft->llm;
    if (shares_ends)
        weighed->vocab = 0;
    const struct memory_request alone = {.gpu = request->gpu,
                                         .llm = weighed,
                                         .tensor_parallel = draft->tensor_parallel,
                                         .pipeline_parallel = 1,
                                         .attention_dp = draft->attention_dp,
                                         .expert_parallel = draft->expert_parallel,
                                         .weights = draft->weights,
                                         .expert_weights = draft->expert_weights,
                                         .kv = request->kv,
                                         .block_tok = request->engine->block_size,
                                         .gpu_memory_utilization = 1};
    struct memory_plan plan;
    if (!memory_fit(&alone, &plan, error))
        return false;
    draft->weight_bytes_per_gpu = plan.weight_bytes_per_gpu;
    draft->kv_bytes_per_token_per_gpu = plan.kv_bytes_per_token_per_gpu;
    return true;
}

static bool choose_model(const struct deployment_request *request,
                         const struct deployment *deployment, struct arena *arena,
                         struct draft *draft, struct error *error)
{
    const struct speculative_settings *settings = request->engine->speculative;
    bool own = settings->method == DRAFT_MODEL;
    bool said = settings->draft_weights >= 0;
    enum precision weights = said ? (enum precision)settings->draft_weights : deployment->weights;
    *draft = (struct draft){.llm = own ? read_model(request, settings->draft_model, arena, error)
                                       : predictor_of(deployment->llm, arena),
                            .tensor_parallel = settings->draft_tensor_parallel == INT64_MIN
                                                   ? deployment->tensor_parallel
                                                   : settings->draft_tensor_parallel,
                            .attention_dp = own ? 1 : deployment->attention_dp,
                            .expert_parallel = own ? 1 : deployment->expert_parallel,
                            .weights = weights,
                            .expert_weights = said ? weights : deployment->expert_weights};
    return draft->llm && check_tensor_parallel(draft, deployment, error) &&
           weigh(request, draft, !own, arena, error);
}

bool draft_of(const struct deployment_request *request, const struct deployment *deployment,
              struct arena *arena, struct draft *draft, struct error *error)
{
    const struct speculative_settings *settings = request->engine->speculative;
    *draft = (struct draft){0};
    if (!settings)
        return true;
    if (deployment->pipeline_parallel > 1) {
        error_set(error, ERROR_BAD_INPUT, "\"speculative\" needs one pipeline stage, not %lld",
                  (long long)deployment->pipeline_parallel);
        return error_hint(error, "leave it out, or set pipeline_parallel to 1");
    }
    return settings->method == DRAFT_NGRAM ||
           choose_model(request, deployment, arena, draft, error);
}
