/* The names of the KV that requests in flight can share: for each request a list of ids.
 *
 * An id names a stretch of block_tok tokens and all that comes before it, so that equal ids have
 * equal predecessors. A trace's hash_ids are taken as they are (of stream 0; those of other streams
 * are told apart from them); its last one may name less than block_tok tokens. Where a workload has
 * sessions, and no ids for all of the prompt, ids of the rest are made of session and position: a
 * later turn repeats the conversation so far from its start. Then the answer has ids, too, and only
 * whole stretches have one. A request of neither kind has an empty list.
 *
 * Lists lie in one pool and are named by 32-bit numbers; 0 is no list. A list that was given back
 * is used again, so memory is bounded by what was in flight at most, and nothing is allocated in
 * the steady state. Taking one may move the others: hold numbers, not pointers. */
#ifndef TOKENYARD_MODELS_ENGINE_PREFIX_IDS_H
#define TOKENYARD_MODELS_ENGINE_PREFIX_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "workloads/source.h"

#define PREFIX_NONE 0u

enum { PREFIX_SIZES = 32 };

struct prefix_list {
    uint32_t block_tok;  /* tokens that an id names */
    uint32_t prompt_tok; /* of the request */
    uint32_t prompt_ids; /* ids of the prompt; the others are of the answer */
    uint32_t count;
    /* In the cache of the replica it is on, see prefix_cache.h. */
    uint32_t held;      /* the first so many ids are what the request uses there */
    uint32_t kept;      /* after a preemption: what it left there behind ... */
    uint32_t kept_from; /* ... the first so many ids; see kept_id */
    uint32_t size;      /* class of the list's size; free lists are linked by `count` */
    uint64_t kept_id;
    uint64_t ids[];
};

struct prefix_ids {
    uint64_t *words;
    uint32_t used, capacity;     /* words */
    uint32_t free[PREFIX_SIZES]; /* by size class: lists that were given back, or 0 */
};

void prefix_ids_init(struct prefix_ids *pool);
void prefix_ids_free(struct prefix_ids *pool);

/* Does the arrival say what it shares? */
static inline bool prefix_ids_given(const struct arrival *arrival)
{
    return arrival->blocks > 0 || arrival->session != ARRIVAL_NO_ID;
}

/* The list of an arrival. session_block_tok: tokens to an id where its session gives them. */
uint32_t prefix_ids_take(struct prefix_ids *pool, const struct arrival *arrival,
                         uint32_t session_block_tok);
/* Another of the same ids, in no cache yet. */
uint32_t prefix_ids_copy(struct prefix_ids *pool, uint32_t list);
void prefix_ids_give_back(struct prefix_ids *pool, uint32_t list);

static inline struct prefix_list *prefix_list_of(const struct prefix_ids *pool, uint32_t list)
{
    return (struct prefix_list *)(pool->words + list);
}

/* Tokens from the first to the end of an id's stretch. */
static inline uint32_t prefix_end_tok(const struct prefix_list *list, uint32_t id)
{
    uint64_t end = ((uint64_t)id + 1) * list->block_tok;
    bool last = id + 1 == list->prompt_ids && end > list->prompt_tok;
    return last ? list->prompt_tok : (uint32_t)end;
}

#endif
