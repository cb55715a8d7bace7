/* Where requests come from: one interface for traces, generators and what is made of them.
 *
 * A source yields arrivals in time order, one at a time, in bounded memory. Look at the next one
 * with source_peek, accept it with source_take. A closed-loop source yields nothing more until the
 * simulation tells it that an earlier request ended (source_ended). Sources own their inner
 * sources. */
#ifndef TOKENYARD_WORKLOADS_SOURCE_H
#define TOKENYARD_WORKLOADS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/error.h"

#define ARRIVAL_NO_ID UINT32_MAX

struct arrival {
    double time_s;            /* from the start of the simulation; never decreases */
    uint32_t prompt_tok;      /* >= 1 */
    uint32_t output_tok;      /* >= 1 */
    uint32_t cached_tok;      /* of the prompt, in the engine's prefix cache; 0 as a rule */
    uint32_t stream;          /* which of the scenario's workload streams, for class rules */
    uint32_t client;          /* closed loop: who sent it; ARRIVAL_NO_ID otherwise */
    uint32_t session;         /* turns of one conversation share it; ARRIVAL_NO_ID when not known */
    uint32_t turn;            /* 0-based within the session */
    bool after_end;           /* a trace says only how long it comes after the turn before ended */
    uint32_t block_tok;       /* tokens per prefix block, 0 when the trace has no hash_ids */
    uint32_t blocks;          /* number of hash_ids */
    const uint64_t *hash_ids; /* owned by the source, valid until the next peek or take */
};

/* The end of a request, as its client learns of it. */
struct arrival_end {
    uint32_t stream, client;
    uint32_t answer_tok; /* what the client got; 0: it was rejected, or has given up */
    double now_s;
};

enum source_status {
    SOURCE_READY, /* *time_s is the next arrival's time */
    SOURCE_WAIT,  /* nothing until an earlier request ends (closed loop) */
    SOURCE_END,
    SOURCE_FAILED /* error is filled */
};

struct source;

struct source_ops {
    const char *name;
    enum source_status (*peek)(struct source *source, double *time_s, struct error *error);
    /* Only directly after a peek that said SOURCE_READY. */
    void (*take)(struct source *source, struct arrival *arrival);
    /* A request of a client ended; its next arrival is later. NULL when open loop. Called only for
     * arrivals that name a client. */
    void (*ended)(struct source *source, const struct arrival_end *end);
    /* Back to the first arrival, for repeats. NULL when not possible. */
    bool (*rewind)(struct source *source, struct error *error);
    /* Requests of the trace passed over by a documented rule (zero outputs, say). NULL: none. */
    uint64_t (*skipped)(const struct source *source);
    void (*destroy)(struct source *source);
};

/* First member of every implementation. */
struct source {
    const struct source_ops *ops;
};

static inline enum source_status source_peek(struct source *source, double *time_s,
                                             struct error *error)
{
    return source->ops->peek(source, time_s, error);
}

static inline void source_take(struct source *source, struct arrival *arrival)
{
    source->ops->take(source, arrival);
}

static inline void source_ended(struct source *source, const struct arrival_end *end)
{
    if (source->ops->ended)
        source->ops->ended(source, end);
}

/* Back to the first arrival; an error for a source that cannot. */
static inline bool source_rewind(struct source *source, struct error *error)
{
    if (!source->ops->rewind)
        return error_set(error, ERROR_FAILED, "a %s cannot be read twice", source->ops->name);
    return source->ops->rewind(source, error);
}

static inline uint64_t source_skipped(const struct source *source)
{
    return source->ops->skipped ? source->ops->skipped(source) : 0;
}

static inline void source_destroy(struct source *source)
{
    if (source)
        source->ops->destroy(source);
}

#endif
