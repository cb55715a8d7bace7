#include "models/fleet/stages.h"

#include <math.h>

#include "models/fleet/deployment.h"

static bool check_given(const struct deployment_request *request, struct error *error)
{
    int64_t layers = 0;
    if (request->attention_dp > 1 || request->expert_parallel > 1)
        return error_set(error, ERROR_BAD_INPUT,
                         "stages of their own do not go with data-parallel attention or "
                         "expert_parallel");
    if (request->stage_count > PIPELINE_STAGES_MAX)
        return error_set(error, ERROR_BAD_INPUT, "there are %zu stages, and may be %d at most",
                         request->stage_count, PIPELINE_STAGES_MAX);
    for (size_t i = 0; i < request->stage_count; i++)
        layers += request->stages[i].layers;
    if (layers == request->llm->layers)
        return true;
    error_set(error, ERROR_BAD_INPUT, "the stages have %lld layers in all, and %s has %lld",
              (long long)layers, request->llm->name, (long long)request->llm->layers);
    return error_hint(error, "every layer is on one stage: the \"layers\" of all must add up");
}

static const struct deployment_stage *even_stages(const struct deployment_request *request,
                                                  struct arena *arena)
{
    size_t count = (size_t)request->pipeline_parallel;
    struct deployment_stage *stages = ARENA_ARRAY(arena, count, struct deployment_stage);
    for (size_t i = 0; i < count; i++)
        stages[i] = (struct deployment_stage){
            .gpu = request->gpu,
            .tensor_parallel = request->tensor_parallel,
            .layers = memory_even_layers(request->llm->layers, (int64_t)count, (int64_t)i),
            .link_gb_s = NAN,
            .link_latency_us = NAN};
    return stages;
}

bool stages_of(const struct deployment_request *request, struct arena *arena,
               struct stage_list *list, struct error *error)
{
    if (request->stage_count > 0) {
        *list = (struct stage_list){request->stages, request->stage_count};
        return check_given(request, error);
    }
    if (request->pipeline_parallel > PIPELINE_STAGES_MAX)
        return error_set(error, ERROR_BAD_INPUT, "pipeline_parallel may be %d at most",
                         PIPELINE_STAGES_MAX);
    *list = (struct stage_list){even_stages(request, arena), (size_t)request->pipeline_parallel};
    return true;
}

int64_t stages_gpus(const struct stage_list *list)
{
    int64_t gpus = 0;
    for (size_t i = 0; i < list->count; i++)
        gpus += list->stages[i].tensor_parallel;
    return gpus;
}

double stages_busy_w(const struct stage_list *list)
{
    double busy_w = 0;
    for (size_t i = 0; i < list->count; i++)
        busy_w += list->stages[i].gpu->tdp_w * (double)list->stages[i].tensor_parallel;
    return busy_w;
}

double stages_idle_w(const struct stage_list *list)
{
    double idle_w = 0;
    for (size_t i = 0; i < list->count; i++)
        idle_w += list->stages[i].gpu->idle_w * (double)list->stages[i].tensor_parallel;
    return idle_w;
}

const struct memory_stage *stages_memory(const struct stage_list *list, struct arena *arena)
{
    struct memory_stage *stages = ARENA_ARRAY(arena, list->count, struct memory_stage);
    for (size_t i = 0; i < list->count; i++)
        stages[i] = (struct memory_stage){list->stages[i].gpu, list->stages[i].tensor_parallel,
                                          list->stages[i].layers};
    return stages;
}

static bool crosses_nodes(const struct stage_list *list, size_t index)
{
    const struct gpu *gpu = list->stages[index].gpu;
    for (size_t i = 0; i < list->count; i++)
        if (list->stages[i].gpu != gpu)
            return true;
    return stages_gpus(list) > gpu->gpus_per_node;
}

struct stage_link stages_link(const struct stage_list *list, size_t index)
{
    if (index + 1 == list->count)
        return (struct stage_link){0};
    const struct deployment_stage *from = &list->stages[index];
    struct stage_link link = stage_link_between(from->gpu, from[1].gpu, crosses_nodes(list, index));
    if (!isnan(from->link_gb_s))
        link.bytes_per_s = 1e9 * from->link_gb_s;
    if (!isnan(from->link_latency_us))
        link.latency_s = 1e-6 * from->link_latency_us;
    return link;
}
