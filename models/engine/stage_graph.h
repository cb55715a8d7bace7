/* A replica as a graph of stages that each serve whoever comes: what models/engine/stage_queues.h
 * simulates. Immutable once made; shared by the replicas of a pool. */
#ifndef TOKENYARD_MODELS_ENGINE_STAGE_GRAPH_H
#define TOKENYARD_MODELS_ENGINE_STAGE_GRAPH_H

#include "models/steptime/steptime.h"

#define STAGE_GRAPH_MAX 128 /* stages, and so stages that a request passes */

struct graph_stage {
    struct steptime *time;          /* of one batch on it; owned */
    int64_t first_layer, end_layer; /* those from the first up to, not with, the end */
    double share;                   /* of all requests that pass it */
    int64_t kv_blocks;
    tick_t send; /* latency to the next stage, and between first or last and client's side */
    double send_token_s; /* more, for each token's hidden state */
    double send_id_s;    /* or, to and from the client's side, for each token */
};

struct stage_graph {
    int64_t layers;    /* of the model */
    int64_t kv_blocks; /* of all stages */
    uint32_t count;
    struct graph_stage stages[]; /* [count] */
};

#endif
