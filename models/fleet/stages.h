/* The pipeline stages of a replica: consecutive layers on GPUs of their own, of one kind as a rule,
 * or of several kinds with as many layers as suit each (Helix, Mei et al., ASPLOS 2025; HexGen,
 * Jiang et al., ICML 2024). The first stage has the input embedding, the last one the head. */
#ifndef TOKENYARD_MODELS_FLEET_STAGES_H
#define TOKENYARD_MODELS_FLEET_STAGES_H

#include "models/llm/llm.h"
#include "models/llm/memory.h"
#include "models/steptime/pipeline.h"
#include "sim/arena.h"

struct deployment_request; /* models/fleet/deployment.h */

struct deployment_stage {
    const struct gpu *gpu;
    int64_t tensor_parallel, layers;
    double link_gb_s, link_latency_us; /* to the next stage; NaN: what the GPUs' nodes have */
};

struct stage_list {
    const struct deployment_stage *stages;
    size_t count;
};

/* Those that the request gives, or pipeline_parallel even ones. false when they do not make up the
 * model. What it returns lives as long as the arena and the request. */
bool stages_of(const struct deployment_request *request, struct arena *arena,
               struct stage_list *list, struct error *error);

int64_t stages_gpus(const struct stage_list *list);
/* Electrical power of their GPUs, busy and idle; NaN where it is not published. */
double stages_busy_w(const struct stage_list *list);
double stages_idle_w(const struct stage_list *list);

/* As memory_fit wants them. */
const struct memory_stage *stages_memory(const struct stage_list *list, struct arena *arena);

/* How stage `index` reaches the next one: by its own link, or by what nodes have: GPUs of one kind
 * are in one node where all of the replica's would fit there. */
struct stage_link stages_link(const struct stage_list *list, size_t index);

#endif
