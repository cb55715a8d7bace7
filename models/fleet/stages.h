/* The pipeline stages of a replica: consecutive layers on GPUs of their own, of one kind as a rule,
 * or of several kinds with as many layers as suit each (Helix, Mei et al., ASPLOS 2025; HexGen,
 * Jiang et al., ICML 2024). The first stage has the input embedding, the last one the head. */
#ifndef TOKENYARD_MODELS_FLEET_STAGES_H
#define TOKENYARD_MODELS_FLEET_STAGES_H

#include "models/llm/llm.h"
#include "models/llm/memory.h"
#include "models/steptime/layer_time.h"
#include "models/steptime/pipeline.h"
#include "sim/arena.h"

struct deployment_request; /* models/fleet/deployment.h */

/* How requests go through the stages of a replica. */
enum pipelining {
    PIPELINING_ROUNDS, /* one after the other, in micro-batches: models/steptime/pipeline.h */
    PIPELINING_QUEUES  /* each stage serves whoever comes: models/engine/stage_queues.h */
};
extern const char *const pipelining_names[]; /* by the enum above; ends with NULL */

struct deployment_stage {
    const struct gpu *gpu;
    int64_t tensor_parallel, layers;
    int64_t first_layer; /* -1: where the stage before ends */
    double share;        /* of the requests that pass it; below 1: others have its layers, too */
    double link_gb_s, link_latency_us;   /* to the next stage; NaN: what the GPUs' nodes have */
    const struct layer_time *layer_time; /* instead of the deployment's step times; NULL: those */
};

struct stage_list {
    const struct deployment_stage *stages;
    size_t count;
    int64_t *kv_blocks; /* [count], once memory was fitted */
};

/* Those that the request gives, or pipeline_parallel even ones. false when they do not make up the
 * model. What it returns lives as long as the arena and the request. */
bool stages_of(const struct deployment_request *request, struct arena *arena,
               struct stage_list *list, struct error *error);

/* Each has a layer_time. */
bool stages_are_timed(const struct stage_list *list);

int64_t stages_gpus(const struct stage_list *list);
/* "L4+H100-SXM": each kind once, cut at size. */
void stages_name_gpus(const struct stage_list *list, char *text, size_t size);
/* Electrical power of their GPUs, busy and idle; NaN where it is not published. */
double stages_busy_w(const struct stage_list *list);
double stages_idle_w(const struct stage_list *list);

/* As memory_fit wants them. */
const struct memory_stage *stages_memory(const struct stage_list *list, struct arena *arena);

/* How stage `index` reaches the next one: by its own link, or by what nodes have: GPUs of one kind
 * are in one node where all of the replica's would fit there. */
struct stage_link stages_link(const struct stage_list *list, size_t index);

/* Indices of the stages of one way through the layers, the first that go on; returns how many. */
size_t stages_way(const struct stage_list *list, const struct llm *llm, size_t *way);

/* What queues need of each stage; `kernels` as pipeline_compile wants them. limits: of a batch on a
 * stage. NULL on error; the caller gives it back with stages_graph_destroy. */
struct stage_graph *stages_graph(const struct stage_list *list,
                                 const struct pipeline_stage *kernels, const struct llm *llm,
                                 const struct steptime_limits *limits, struct error *error);
void stages_graph_destroy(struct stage_graph *graph); /* NULL is allowed */

#endif
