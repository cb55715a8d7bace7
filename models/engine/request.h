/* Requests in flight: a pool of fixed-size records, named by 32-bit numbers.
 *
 * A record is taken when a request arrives and given back when it has ended, so the pool is as
 * large as the most that was ever in flight. Growing moves the records: hold numbers, not pointers,
 * across request_pool_take. */
#ifndef TOKENYARD_MODELS_ENGINE_REQUEST_H
#define TOKENYARD_MODELS_ENGINE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/clock.h"

#define REQUEST_NONE UINT32_MAX

/* Where in its engine a request is. */
enum request_place {
    PLACE_WAITING,
    PLACE_RUNNING,  /* being prefilled, or decoding */
    PLACE_FETCHING, /* let in; its KV cache is on the way from elsewhere */
    PLACE_FETCHED,  /* which has arrived: it decodes from the next iteration on */
    PLACE_HANDED,   /* prefilled for another engine; this one still holds its blocks */
    PLACE_SWAPPED,  /* preempted; its KV cache is in host memory */
    PLACE_LOADING,  /* the cached beginning of its prompt is on the way from a lower tier */
    PLACE_LOADED,   /* which has arrived: it is let in before all that wait */
    PLACE_KEPT,     /* in no engine: it has completed, but its answer is not saved */
    PLACE_HELD      /* in no engine: no replica is there for it */
};

struct request {
    tick_t arrival;
    tick_t first_scheduled; /* TICK_NEVER until it is first part of an iteration */
    tick_t first_token;
    tick_t last_token; /* of the last token emitted before a preemption, or of the very last one */
    uint32_t prompt_tok, output_tok;
    uint32_t emitted;  /* output tokens so far; while decoding: when it (re)joined the decodes */
    uint32_t computed; /* tokens in the KV cache while it is being prefilled */
    uint32_t order;    /* admission number on its replica while running, 0 otherwise */
    /* Of the prompt: those that a prefix cache has, as the workload says; in an engine, whole
     * blocks of them, or 0 where it caches no prefixes. */
    uint32_t cached_tok;
    uint32_t found_tok;      /* of the prompt, in the engine's own prefix cache and its tiers */
    uint64_t stall_group;    /* while decoding, see decodes.h */
    uint64_t finish_token;   /* while decoding: the replica's engine->token at its last one */
    uint32_t previous, next; /* neighbours in its replica's running list, or waiting queue */
    uint32_t preemptions;
    uint32_t kept_blocks; /* after a preemption, see kept_blocks.h */
    int64_t kept_end;
    tick_t kv_loaded; /* PLACE_LOADING: when it will be there */
    uint32_t prefix;  /* its list of prefix_ids.h; 0: none */
    int64_t rank; /* in an order other than fcfs: lower goes first, and of equals the lower ... */
    uint32_t ticket;  /* ... number of arrival */
    uint32_t child;   /* while it waits in such an order, see queue_order.c */
    uint32_t replica; /* in the fleet */
    uint32_t class_index;
    uint32_t adapter_draw;   /* of all 2^32: says which adapter it asks for, ... */
    uint32_t adapter;        /* ... in an engine that has some (adapters.h) */
    uint32_t predicted_tok;  /* output tokens that routers believe in */
    uint32_t stream, client; /* who sent it, for closed loops */
    uint32_t session;        /* or ARRIVAL_NO_ID */
    tick_t held_since;       /* PLACE_HELD */
    uint32_t held_blocks;    /* PLACE_HANDED: blocks that wait for engine_release */
    uint8_t place;           /* enum request_place */
    bool handoff;            /* prefilled here, decoded elsewhere */
    bool remote_kv;          /* prefilled elsewhere: its KV cache is to be fetched */
    bool cancelled;          /* ended by engine_cancel */
    bool sent;               /* to a replica, once at least; kept by fleets that are elastic */
    bool ttft_seen;          /* by the scaler of its pool; likewise */
    bool in_order;           /* waits in queue_order.h, not in the list */
    bool begun_here;         /* it was preempted on its replica */
    bool extracted;          /* engine_extract: leaves at the end of the iteration */
};

struct request_pool {
    struct request *requests;
    uint32_t capacity;
    uint32_t free_head; /* linked by next */
    uint32_t in_use;
};

void request_pool_init(struct request_pool *pool);
void request_pool_free(struct request_pool *pool);

/* A record that is a copy of `initial`, which is not one of the pool's; REQUEST_NONE when out of
 * memory. */
uint32_t request_pool_take(struct request_pool *pool, const struct request *initial);
void request_pool_give_back(struct request_pool *pool, uint32_t request);

#endif
