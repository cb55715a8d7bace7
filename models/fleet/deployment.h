/* A model put on GPUs: what one replica of a pool is, compiled and ready to simulate.
 *
 * With data-parallel attention (attention_dp > 1) a replica is as many ranks, each an engine with
 * its own queue, batch and KV cache; only the experts are theirs together.
 *
 * Memory says how many KV blocks are left, the step time is compiled, the engine's limits are
 * checked against both. A deployment is immutable; pools, replicas and threads may share it. */
#ifndef TOKENYARD_MODELS_FLEET_DEPLOYMENT_H
#define TOKENYARD_MODELS_FLEET_DEPLOYMENT_H

#include "models/engine/engine.h"
#include "models/fleet/basis.h"
#include "models/fleet/disaggregation.h"
#include "models/fleet/stages.h"
#include "models/llm/memory.h"
#include "models/steptime/steptime.h"

/* Parameters of STEP_TIME_CALIBRATED. */
struct step_time_calibrated {
    const char *constants; /* an engine of engines.json; NULL: the engine's own */
};

/* Parameters of STEP_TIME_PROFILE. */
struct step_time_profile {
    const char *path; /* of a folder, see models/steptime/profile_folder.h */
};

struct deployment_request {
    const struct gpu *gpu;
    const struct llm *llm;
    int64_t tensor_parallel, pipeline_parallel;
    const struct deployment_stage *stages; /* [stage_count]: instead of gpu, tensor_parallel and
                                              pipeline_parallel; gpu is the first one's */
    size_t stage_count;                    /* 0: pipeline_parallel even stages */
    enum pipelining pipelining;
    int64_t micro_batches;                 /* in flight in a pipeline; 0: the engine's own rule */
    int64_t attention_dp, expert_parallel; /* as in models/llm/memory.h; 0 is 1 */
    double idle_peers; /* of the other ranks, the share that brings the experts no tokens */
    enum precision weights, kv;
    const enum precision *expert_weights; /* of the routed experts; NULL: as weights */
    const struct engine_settings *engine;
    const struct config_variant *step_time; /* of step_time_kinds; NULL: calibrated */
    struct calibration *calibration; /* needed by calibrated step times, and by a user's tables */
    double network_rtt_s;            /* between clients and the replica */
    const char *folder; /* that the path of a profile is relative to; NULL: the current one */
};

struct deployment {
    const struct gpu *gpu;
    const struct llm *llm;
    int64_t tensor_parallel, pipeline_parallel, attention_dp, expert_parallel;
    int64_t micro_batches; /* in flight; 1 without a pipeline */
    char gpu_names[96];    /* "H100-SXM"; of all its stages: "L4+H100-SXM" */
    int64_t gpus;          /* of one replica, with all its data-parallel ranks */
    enum precision weights, expert_weights, kv;
    struct memory_plan memory;
    struct engine_config engine;     /* of one rank */
    struct steptime *steptime;       /* owned; engine.steptime points to it */
    struct steptime *plain_steptime; /* likewise; of iterations that draft nothing, or NULL */
    struct stage_graph *graph;       /* PIPELINING_QUEUES, instead of it; owned, as engine.graph */
    struct lora_config *lora;        /* likewise; NULL: no adapters */
    struct deployment_basis basis;
    double busy_w, idle_w; /* of one rank */
};

/* Reads or fits the kernel curves of the request into its calibration, unless they are there:
 * deployment_compile then only looks at them, so that threads may share them. */
bool deployment_load_kernels(const struct deployment_request *request, struct error *error);

/* Settings that were not settled are, on the way. false when it does not fit, or the engine's
 * limits contradict each other. On success the caller clears it with deployment_clear. */
bool deployment_compile(const struct deployment_request *request, struct deployment *deployment,
                        struct error *error);
void deployment_clear(struct deployment *deployment);

/* For the pool_spec of its replicas. */
struct kv_port deployment_port(const struct deployment *deployment);

#endif
