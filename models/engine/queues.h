/* The lists a request is in on its replica: waiting, in the order it will be let in, then running,
 * in order of admission. Inlined: every request passes through both. */
#ifndef TOKENYARD_MODELS_ENGINE_QUEUES_H
#define TOKENYARD_MODELS_ENGINE_QUEUES_H

#include "models/engine/fair_share.h"
#include "models/engine/kv_allocation.h"

static inline struct request *request_of(const struct engine *engine, uint32_t request)
{
    return &engine->pool->requests[request];
}

static inline int64_t blocks_for(const struct engine *engine, int64_t tokens)
{
    uint32_t block_tok = engine->config->block_tok;
    return ((uint32_t)tokens + block_tok - 1) / block_tok;
}

/* Where a request gets all its blocks when it is let in, nothing is taken later. */
static inline bool blocks_are_reserved(const struct engine_config *config)
{
    return config->kv_allocation != KV_PAGED || config->batching.kind != BATCHING_CONTINUOUS;
}

/* Blocks that nobody else can have. */
static inline int64_t blocks_taken(const struct engine *engine)
{
    return engine->config->kv_allocation != KV_PAGED ? engine->reserved_blocks
                                                     : engine->used_blocks;
}

static inline int64_t free_blocks(const struct engine *engine)
{
    return engine->config->kv_blocks - engine->used_blocks;
}

/* Tokens a request has to prefill: its prompt, and what it had answered before a preemption. */
static inline int64_t prefill_length(const struct request *request)
{
    return (int64_t)request->prompt_tok + request->emitted;
}

/* Tokens that the request may emit on this engine in all. */
static inline uint32_t output_here(const struct request *request)
{
    return request->handoff ? 1 : request->output_tok;
}

/* ADMIT_ESTIMATE: what the request may still answer, and a page for rounding. */
static inline int64_t promised_tok(const struct engine *engine, const struct request *request)
{
    int64_t left_tok = (int64_t)output_here(request) - request->emitted;
    return int64_min(left_tok, engine->answer_cap_tok) + engine->config->block_tok;
}

/* What ADMIT_NO_EVICT sets aside: TensorRT-LLM counts the last token, too, though it is never
 * cached, and the drafts that may be verified after it. */
static inline int64_t lifetime_blocks(const struct engine *engine, const struct request *request)
{
    return kv_reserved_blocks(engine->config, request->prompt_tok,
                              output_here(request) + engine->config->speculation.draft_tok);
}

static inline void note_peak(struct engine *engine, int64_t blocks)
{
    if (blocks > engine->totals.peak_blocks)
        engine->totals.peak_blocks = blocks;
}

static inline void set_blocks_aside(struct engine *engine, const struct request *request)
{
    if (engine->config->admission != ADMIT_NO_EVICT)
        return;
    engine->reserved_blocks += lifetime_blocks(engine, request);
    if (engine->config->kv_allocation != KV_PAGED)
        note_peak(engine, engine->reserved_blocks);
}

static inline void free_set_aside(struct engine *engine, const struct request *request)
{
    if (engine->config->admission == ADMIT_NO_EVICT)
        engine->reserved_blocks -= lifetime_blocks(engine, request);
}

/* --- adapters --- */

static inline bool adapter_admits(const struct engine *engine, const struct request *request)
{
    return !engine->config->lora || adapters_admit(&engine->adapters, request->adapter);
}

/* A request is let in; its adapter stays in its slot until it leaves. */
static inline void adapter_take(struct engine *engine, const struct request *request)
{
    if (engine->config->lora)
        engine->adapter_load += adapters_enter(&engine->adapters, request->adapter);
}

static inline void adapter_leave(struct engine *engine, const struct request *request)
{
    if (engine->config->lora)
        adapters_leave(&engine->adapters, request->adapter);
}

/* --- lists --- */

static inline void list_append(struct engine *engine, struct request_list *list, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->previous = list->tail;
    request->next = REQUEST_NONE;
    if (list->tail == REQUEST_NONE)
        list->head = number;
    else
        request_of(engine, list->tail)->next = number;
    list->tail = number;
}

static inline void list_remove(struct engine *engine, struct request_list *list, uint32_t number)
{
    const struct request *request = request_of(engine, number);
    if (request->previous == REQUEST_NONE)
        list->head = request->next;
    else
        request_of(engine, request->previous)->next = request->next;
    if (request->next == REQUEST_NONE)
        list->tail = request->previous;
    else
        request_of(engine, request->next)->previous = request->previous;
}

/* --- running --- */

/* Blocks are set aside for it already (set_blocks_aside). */
static inline void running_append(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->place = PLACE_RUNNING;
    request->order = engine->next_order++;
    engine->next_order += engine->next_order == 0; /* 0 says: not running */
    list_append(engine, &engine->running, number);
}

static inline void running_remove(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->order = 0;
    list_remove(engine, &engine->running, number);
    free_set_aside(engine, request);
    adapter_leave(engine, request);
    engine->refused = false;
}

/* --- waiting --- */

/* Who is let in next, while somebody waits (and, with adapters, if its own has a slot). */
static inline uint32_t waiting_first(const struct engine *engine)
{
    uint32_t head = engine->queue.head;
    return head != REQUEST_NONE ? head : queue_order_first(engine);
}

static inline void waiting_append_fcfs(struct engine *engine, uint32_t number)
{
    request_of(engine, number)->place = PLACE_WAITING;
    list_append(engine, &engine->queue, number);
    engine->waiting++;
}

static inline void waiting_append(struct engine *engine, uint32_t number)
{
    if (engine->config->queue_order == ORDER_FCFS) {
        waiting_append_fcfs(engine, number);
        return;
    }
    request_of(engine, number)->place = PLACE_WAITING;
    queue_order_add(engine, number);
    engine->waiting++;
}

static inline void waiting_prepend(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    struct request_list *queue = &engine->queue;
    request->place = PLACE_WAITING;
    request->previous = REQUEST_NONE;
    request->next = queue->head;
    if (queue->head == REQUEST_NONE)
        queue->tail = number;
    else
        request_of(engine, queue->head)->previous = number;
    queue->head = number;
    engine->waiting++;
}

static inline void waiting_remove(struct engine *engine, uint32_t number)
{
    if (request_of(engine, number)->in_order)
        queue_order_remove(engine, number);
    else
        list_remove(engine, &engine->queue, number);
    engine->waiting--;
}

/* It is let in. */
static inline void waiting_admit(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    bool in_order = request->in_order;
    waiting_remove(engine, number);
    if (in_order && engine->fair && request->preemptions == 0)
        fair_share_charge_prompt(engine, request);
}

/* --- swapped out, see preemption.h --- */

static inline void swapped_remove(struct engine *engine, uint32_t number)
{
    list_remove(engine, &engine->swapped, number);
    engine->swapped_count--;
    engine->swapped_blocks -= blocks_for(engine, prefill_length(request_of(engine, number)) - 1);
}

#endif
