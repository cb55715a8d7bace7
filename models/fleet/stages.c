#include "models/fleet/stages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/engine/stage_graph.h"
#include "models/fleet/deployment.h"

const char *const pipelining_names[] = {"rounds", "queues", NULL};

/* Who waits for answers would get infinitely many in no time. */
static bool check_layer_times(const struct deployment_request *request, struct error *error)
{
    const double shortest_s = 1e-9;
    for (size_t i = 0; i < request->stage_count; i++) {
        const struct layer_time *time = request->stages[i].layer_time;
        if (time && time->decode_s + time->sequence_s < shortest_s)
            return error_set(error, ERROR_BAD_INPUT,
                             "the layer_time of stage %zu must be %g s at least for a decode", i,
                             shortest_s);
    }
    return true;
}

static bool check_going_with(const struct deployment_request *request, struct error *error)
{
    if (request->attention_dp > 1 || request->expert_parallel > 1)
        return error_set(error, ERROR_BAD_INPUT,
                         "stages of their own do not go with data-parallel attention or "
                         "expert_parallel");
    if (request->stage_count > PIPELINE_STAGES_MAX)
        return error_set(error, ERROR_BAD_INPUT, "there are %zu stages, and may be %d at most",
                         request->stage_count, PIPELINE_STAGES_MAX);
    return check_layer_times(request, error);
}

/* Copies that know their first layer. */
static struct deployment_stage *place_stages(const struct deployment_request *request,
                                             struct arena *arena)
{
    struct deployment_stage *stages =
        ARENA_ARRAY(arena, request->stage_count, struct deployment_stage);
    int64_t end = 0;
    for (size_t i = 0; i < request->stage_count; i++) {
        stages[i] = request->stages[i];
        if (stages[i].first_layer < 0)
            stages[i].first_layer = end;
        end = stages[i].first_layer + stages[i].layers;
    }
    return stages;
}

/* One after the other, with all layers. */
static bool check_chain(const struct deployment_request *request,
                        const struct deployment_stage *stages, struct error *error)
{
    int64_t layers = 0;
    for (size_t i = 0; i < request->stage_count; i++) {
        if (stages[i].first_layer != layers || stages[i].share != 1) {
            error_set(error, ERROR_BAD_INPUT,
                      "stage %zu begins with layer %lld and has a share of %g: in rounds, stages "
                      "follow one another, and all requests pass each",
                      i, (long long)stages[i].first_layer, stages[i].share);
            return error_hint(error, "stages that share layers need \"pipelining\": \"queues\"");
        }
        layers += stages[i].layers;
    }
    if (layers == request->llm->layers)
        return true;
    error_set(error, ERROR_BAD_INPUT, "the stages have %lld layers in all, and %s has %lld",
              (long long)layers, request->llm->name, (long long)request->llm->layers);
    return error_hint(error, "every layer is on one stage: the \"layers\" of all must add up");
}

/* Stages that begin with the layer that this one ends before, or the model's end. */
static bool goes_on(const struct deployment_request *request, const struct deployment_stage *stages,
                    size_t index)
{
    int64_t end = stages[index].first_layer + stages[index].layers;
    bool found = end == request->llm->layers;
    for (size_t i = 0; !found && i < request->stage_count; i++)
        found = stages[i].first_layer == end;
    return found;
}

/* Every request finds each layer, and every stage somebody who goes on. */
static bool check_graph(const struct deployment_request *request,
                        const struct deployment_stage *stages, struct error *error)
{
    for (int64_t layer = 0; layer < request->llm->layers; layer++) {
        double share = 0;
        for (size_t i = 0; i < request->stage_count; i++)
            if (stages[i].first_layer <= layer && layer < stages[i].first_layer + stages[i].layers)
                share += stages[i].share;
        if (fabs(share - 1) > 0.01)
            return error_set(error, ERROR_BAD_INPUT,
                             "layer %lld (the first is 0) is on stages with shares of %g in all; "
                             "they must add up to 1",
                             (long long)layer, share);
    }
    for (size_t i = 0; i < request->stage_count; i++)
        if (!goes_on(request, stages, i))
            return error_set(error, ERROR_BAD_INPUT,
                             "stage %zu ends before layer %lld, with which no stage begins", i,
                             (long long)(stages[i].first_layer + stages[i].layers));
    return true;
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
            .first_layer = request->llm->layers * (int64_t)i / (int64_t)count,
            .share = 1,
            .link_gb_s = NAN,
            .link_latency_us = NAN};
    return stages;
}

/* A process sees one slice, and there is no link between slices. */
static bool check_slices(const struct deployment_request *request, const struct stage_list *list,
                         struct error *error)
{
    const struct gpu *gpu = list->stages->gpu;
    for (size_t i = 0; i < list->count; i++)
        if (list->stages[i].gpu->sliced_from)
            gpu = list->stages[i].gpu;
    if (!gpu->sliced_from || (stages_gpus(list) == 1 && request->attention_dp <= 1))
        return true;
    error_set(error, ERROR_INFEASIBLE, "nothing can be split over MIG slices (%s)", gpu->name);
    return error_hint(error, "set tensor_parallel and pipeline_parallel to 1, and give the pool "
                             "more replicas, or a larger slice");
}

static bool list_stages(const struct deployment_request *request, struct arena *arena,
                        struct stage_list *list, struct error *error)
{
    if (request->stage_count > 0) {
        if (!check_going_with(request, error))
            return false;
        struct deployment_stage *stages = place_stages(request, arena);
        *list = (struct stage_list){stages, request->stage_count, NULL};
        return request->pipelining == PIPELINING_QUEUES ? check_graph(request, stages, error)
                                                        : check_chain(request, stages, error);
    }
    if (request->pipeline_parallel > PIPELINE_STAGES_MAX)
        return error_set(error, ERROR_BAD_INPUT, "pipeline_parallel may be %d at most",
                         PIPELINE_STAGES_MAX);
    *list =
        (struct stage_list){even_stages(request, arena), (size_t)request->pipeline_parallel, NULL};
    return true;
}

bool stages_are_timed(const struct stage_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!list->stages[i].layer_time)
            return false;
    return true;
}

bool stages_of(const struct deployment_request *request, struct arena *arena,
               struct stage_list *list, struct error *error)
{
    return list_stages(request, arena, list, error) && check_slices(request, list, error);
}

int64_t stages_gpus(const struct stage_list *list)
{
    int64_t gpus = 0;
    for (size_t i = 0; i < list->count; i++)
        gpus += list->stages[i].tensor_parallel;
    return gpus;
}

void stages_name_gpus(const struct stage_list *list, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        size_t first = 0;
        while (list->stages[first].gpu != list->stages[i].gpu)
            first++;
        if (first == i && length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? "+" : "",
                                       list->stages[i].gpu->name);
    }
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
                                          list->stages[i].first_layer, list->stages[i].layers};
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
    const struct deployment_stage *from = &list->stages[index];
    const struct gpu *to = list->stages[index + 1 < list->count ? index + 1 : index].gpu;
    struct stage_link link = stage_link_between(from->gpu, to, crosses_nodes(list, index));
    if (!isnan(from->link_gb_s))
        link.bytes_per_s = 1e9 * from->link_gb_s;
    if (!isnan(from->link_latency_us))
        link.latency_s = 1e-6 * from->link_latency_us;
    return link;
}

size_t stages_way(const struct stage_list *list, const struct llm *llm, size_t *way)
{
    size_t count = 0;
    for (int64_t layer = 0; layer < llm->layers; count++) {
        size_t i = 0;
        while (list->stages[i].first_layer != layer)
            i++;
        way[count] = i;
        layer += list->stages[i].layers;
    }
    return count;
}

static struct graph_stage graph_stage_of(const struct stage_list *list, size_t index,
                                         const struct pipeline_stage *kernels,
                                         const struct llm *llm)
{
    const struct deployment_stage *stage = &list->stages[index];
    const double activation_bytes = 2, id_bytes = 4; /* activations are 16-bit */
    const struct stage_link *link = &kernels[index].link;
    return (struct graph_stage){.first_layer = stage->first_layer,
                                .end_layer = stage->first_layer + stage->layers,
                                .share = stage->share,
                                .send = tick_from_s(link->latency_s),
                                .send_token_s =
                                    activation_bytes * (double)llm->hidden / link->bytes_per_s,
                                .send_id_s = id_bytes / link->bytes_per_s};
}

struct stage_graph *stages_graph(const struct stage_list *list,
                                 const struct pipeline_stage *kernels, const struct llm *llm,
                                 const struct steptime_limits *limits, struct error *error)
{
    struct stage_graph *graph = calloc(1, sizeof *graph + list->count * sizeof *graph->stages);
    if (!graph) {
        error_set(error, ERROR_FAILED, "out of memory for %zu stages", list->count);
        return NULL;
    }
    graph->layers = llm->layers;
    for (size_t i = 0; i < list->count; i++) {
        struct graph_stage *stage = &graph->stages[graph->count];
        *stage = graph_stage_of(list, i, kernels, llm);
        stage->kv_blocks = list->kv_blocks[i];
        stage->time = pipeline_stage_compile(&kernels[i], limits, error);
        if (!stage->time) {
            stages_graph_destroy(graph);
            return NULL;
        }
        graph->count++;
        graph->kv_blocks += stage->kv_blocks;
    }
    return graph;
}

void stages_graph_destroy(struct stage_graph *graph)
{
    for (uint32_t i = 0; graph && i < graph->count; i++)
        steptime_destroy(graph->stages[i].time);
    free(graph);
}
