/* The insides of disaggregation, shared by disaggregation.c and disaggregation_*.c. */
#ifndef TOKENYARD_MODELS_FLEET_DISAGGREGATION_STATE_H
#define TOKENYARD_MODELS_FLEET_DISAGGREGATION_STATE_H

#include "models/fleet/kv_network.h"
#include "models/fleet/mixed_pool.h"
#include "models/fleet/simulation_parts.h"

/* Who counts a request as outstanding. */
enum charged { CHARGED_PREFILL, CHARGED_DECODE, CHARGED_PAIR, CHARGED_NOBODY };

/* Where on its way from prefill to decode a request is. */
enum passage {
    PASSAGE_NONE,     /* not on it: being prefilled, decoding, or prefilled where it decodes */
    PASSAGE_STRANDED, /* no decode replica is there: it waits for one, in no engine */
    PASSAGE_WAITING,  /* for room on the decode side */
    PASSAGE_LET_IN,   /* has room; nothing flows */
    PASSAGE_FLOWING,  /* most of its cache is under way, layer by layer */
    PASSAGE_LAST_PART /* what must come after the complete prompt is under way */
};

/* What is known of a request beside its record in the request pool, by the same number. */
struct handover {
    uint8_t charged, passage; /* enum charged, enum passage */
    bool begun;               /* layer-wise: its prefill has, so that its cache may flow */
    struct machine_pair pair; /* CHARGED_PAIR */
    uint32_t source;          /* replica that holds blocks of it ... */
    uint32_t held_blocks;     /* ... so many; 0: not prefilled yet */
    uint32_t other;           /* layer-wise, until it is prefilled: its record on the other side */
    uint32_t flow;            /* where its passage says that it flows */
    tick_t complete, let_in;  /* when its prompt was; when it got room */
    tick_t here;              /* when its cache was; TICK_NEVER: it was not sent */
    tick_t sent, alone;       /* time that flows took; on links of their own */
};

/* Something that replicas told of at a boundary, taken up right after it. */
struct notice {
    uint32_t request;
    bool complete; /* its prompt is; otherwise its prefill has begun */
};

struct disaggregation {
    const struct disaggregation_config *config;
    struct router *prefill, *decode; /* prefill NULL: no pool has that role */
    struct mixed_pool mixed;         /* no machines: not used */
    struct kv_network network;
    struct kv_size kv_size;
    int64_t layers;
    struct handover *handovers; /* [handover_capacity], by request */
    uint32_t handover_capacity;
    uint32_t *request_of; /* [request_of_capacity], by flow */
    uint32_t request_of_capacity;
    struct notice *notices;
    uint32_t notice_count, notice_capacity;
    uint32_t *stranded; /* PASSAGE_STRANDED, in the order that their prompts were complete */
    uint32_t stranded_count, stranded_capacity;
    bool *stuck;         /* [replicas]: scratch of disaggregation_stuck.c */
    bool look_for_stuck; /* a replica has become idle with a queue */
    uint32_t shadows;    /* layer-wise: second records of requests that are not prefilled yet */
};

static inline struct request *request_at(struct simulation *sim, uint32_t number)
{
    return &sim->requests.requests[number];
}

static inline void charge_release(struct router *router, const struct request *request)
{
    router_release(router, request->replica, request->prompt_tok, request->predicted_tok);
}

/* --- disaggregation.c --- */

/* The simulation has failed. */
void disaggregation_out_of_memory(struct simulation *sim);
/* Flows have changed, or something is to be taken up. */
void disaggregation_schedule(struct simulation *sim);

/* The replica has one more to wait for before it is empty: a request, its shadow, or the cache of
 * one that has gone on; or one less. */
static inline void replica_joined(struct simulation *sim, uint32_t replica)
{
    if (sim->elastic)
        elastic_joined(sim, replica);
}

static inline void replica_left(struct simulation *sim, uint32_t replica)
{
    if (sim->elastic)
        elastic_left(sim, replica);
}

/* --- disaggregation_place.c --- */

/* Keeps what is known of a request. */
void handover_keep(struct simulation *sim, uint32_t number, const struct handover *handover);

/* --- disaggregation_passage.c: of a request by its number --- */

/* Layer-wise: its prompt has begun; its shadow waits for room where it will decode. */
void passage_prompt_begun(struct simulation *sim, uint32_t number);
/* Its prompt is complete: it goes to its decode side. */
void passage_prompt_complete(struct simulation *sim, uint32_t number);
/* The decode side has taken the blocks of its context. */
void passage_let_in(struct simulation *sim, uint32_t number);
void passage_flow_arrived(struct simulation *sim, const struct link_arrival *arrival);

/* What is left of a passage that ends before its end: it is in no list any more, and its flow is
 * cut, or let go by. */
void passage_end(struct simulation *sim, uint32_t number, bool cut);
/* Likewise of a request's shadow, which is over, too. */
void passage_drop_shadow(struct simulation *sim, uint32_t number, bool cut);
/* Likewise where its engine has let go of it already. */
void passage_free_shadow(struct simulation *sim, uint32_t number);
/* The blocks on the prefill side are not needed any more; they are given back, or have gone with
 * their replica. */
void passage_release_source(struct simulation *sim, uint32_t number);
void passage_source_is_free(struct simulation *sim, uint32_t number);
/* A request whose cache is complete, at its source, and that is in no engine goes to a decode
 * replica, or is stranded. */
void passage_find_decoder(struct simulation *sim, uint32_t number);

/* Frees a request from waiting for ever: its cache on the prefill side is given up, and computed
 * again where it waits. */
void disaggregation_recompute(struct simulation *sim, uint32_t number);

/* --- disaggregation_stuck.c --- */

/* A replica has nothing to do, but requests wait for its memory: if that is held by requests that
 * wait, over other replicas, for itself, one of them gives up its cache. */
void disaggregation_unstick(struct simulation *sim);

#endif
