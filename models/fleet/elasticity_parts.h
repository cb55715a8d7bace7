/* The insides of an elastic fleet, shared by the files that make it up: elasticity.c (the seam to
 * the control plane), elasticity_requests.c (requests that wait for a replica, or lose theirs),
 * elasticity_migration.c (those that take their KV cache along), elasticity_checkpoint.c (batch
 * jobs, whose answers are saved). Nobody else includes this. */
#ifndef TOKENYARD_MODELS_FLEET_ELASTICITY_PARTS_H
#define TOKENYARD_MODELS_FLEET_ELASTICITY_PARTS_H

#include "models/engine/eviction.h"
#include "models/fleet/elasticity.h"
#include "models/fleet/simulation_parts.h"

struct elastic_replica {
    bool open;                 /* takes requests */
    bool drains;               /* and the plane waits to hear that it is empty */
    uint32_t requests;         /* in its engine; and caches that are copied from it */
    uint32_t kept, kept_count; /* answers that are not saved yet, linked by next */
    bool saves;                /* a checkpoint is being written */
    tick_t network_free;       /* when the last copy that was begun will have left */
};

enum move_phase {
    MOVE_PLANNED,  /* of all that will still decode there: no request yet */
    MOVE_LEAVING,  /* at its source's boundary */
    MOVE_WAITING,  /* for a place, where it goes on */
    MOVE_ADMITTED, /* it has one */
    MOVE_COPYING
};

/* A decode on its way to another replica with its KV cache. */
struct elastic_move {
    uint32_t request, source; /* the replica that still holds the cache ... */
    uint32_t blocks;          /* ... in so many blocks */
    enum move_phase phase;
    tick_t due; /* when the phase ends; TICK_NEVER: when something else happens */
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
    struct elastic_move *moves; /* [move_count] */
    uint32_t move_count, move_capacity;
    struct event_queue checkpoints; /* of replicas that save answers */
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

/* So many tokens of KV cache went with the replica: their work was in
 * vain. Counted as wasted is what it takes to compute them again, which is less than it took to
 * decode those that were answers. */
void elastic_count_lost(struct simulation *sim, uint32_t replica, uint64_t kv_tok);
/* One that has lost its replica, or leaves it, goes on elsewhere. */
void elastic_send_on(struct simulation *sim, uint32_t number);

/* --- elasticity.c --- */

void elastic_schedule(struct simulation *sim);

/* --- elasticity_migration.c --- */

/* Those that decode on the replica, which takes no more, leave it in time with their caches. */
void elastic_plan_migration(struct simulation *sim, uint32_t replica, tick_t deadline);
tick_t elastic_next_move(const struct simulation *sim);
void elastic_act_on_moves(struct simulation *sim);
/* What was on the replica is no more, or there is nothing on it. */
void elastic_source_lost(struct simulation *sim, uint32_t replica);

/* --- elasticity_checkpoint.c: nothing happens on replicas of other policies --- */

/* The replica has come up; will be taken at the deadline. */
void elastic_checkpoints_begin(struct simulation *sim, uint32_t replica);
void elastic_heed_notice(struct simulation *sim, uint32_t replica, tick_t deadline);
tick_t elastic_next_checkpoint(const struct simulation *sim);
void elastic_act_on_checkpoints(struct simulation *sim);
/* Are answers that were under way on the replica begun anew elsewhere? Then makes one so. */
bool elastic_starts_over(const struct simulation *sim, uint32_t replica);
void elastic_start_over(struct simulation *sim, uint32_t number);
/* The replica is no more: what it kept is answered again elsewhere. */
void elastic_lose_kept(struct simulation *sim, uint32_t replica);

/* Replica of a pool: what it takes to compute a token of lost KV cache once more. */
tick_t elastic_recompute_time(const struct simulation *sim, uint32_t pool, uint64_t kv_tok);

#endif
