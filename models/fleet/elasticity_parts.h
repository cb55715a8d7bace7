/* The insides of an elastic fleet, shared by the files that make it up: elasticity.c (the seam to
 * the control plane), elasticity_requests.c (requests that wait for a replica, or lose theirs).
 * Nobody else includes this. */
#ifndef TOKENYARD_MODELS_FLEET_ELASTICITY_PARTS_H
#define TOKENYARD_MODELS_FLEET_ELASTICITY_PARTS_H

#include "models/engine/eviction.h"
#include "models/fleet/elasticity.h"
#include "models/fleet/simulation_parts.h"

struct elastic_replica {
    bool open;         /* takes requests */
    bool drains;       /* and the plane waits to hear that it is empty */
    uint32_t requests; /* in its engine */
};

/* What a pool's scaler is told, besides what its engines know. */
struct elastic_counters {
    uint64_t arrived_prompt_tok, ended, missed_slo;
    struct scaler_histogram ttft, tpot, e2e;
};

struct elasticity {
    const struct elastic_spec *spec;
    struct elastic_result *result;
    struct plane *plane;
    struct plane_spec plane_spec;
    struct plane_pool *pools;          /* [pools] */
    struct elastic_replica *replicas;  /* [replicas] */
    struct elastic_counters *counters; /* [pools] */
    tick_t *busy;                      /* [pools]: booked so far */
    tick_t hour_ends;                  /* of the usage's clock hour */

    uint32_t held_head, held_tail, held_count; /* linked by the requests' previous and next */
    uint32_t held_fresh;                       /* of these, never sent anywhere */
    uint32_t *emptied;                         /* replicas that drained, to be told the plane */
    uint32_t emptied_count;
    struct eviction evicted;
    tick_t changed; /* when a replica last came or went */
};

/* --- elasticity_requests.c --- */

/* Sends all that wait, in order, as far as there is a replica for them. */
void elastic_release_held(struct simulation *sim);
/* A request that is in no engine goes where the router says, or waits. */
void elastic_send(struct simulation *sim, uint32_t number);
/* Those of elasticity->evicted, which were on the replica, go on elsewhere; lost: they end with an
 * error instead. */
void elastic_relocate(struct simulation *sim, uint32_t replica, bool lost);

/* Replica of a pool: what it takes to compute a token of lost KV cache once more. */
tick_t elastic_recompute_time(const struct simulation *sim, uint32_t pool, uint64_t kv_tok);

#endif
