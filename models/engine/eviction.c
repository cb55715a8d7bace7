/* Whoever is taken out of a dying engine is only listed, and its record set free; nothing is given
 * back. The engine is made anew afterwards, so that no rule of it has to be undone. */
#include "models/engine/eviction.h"

#include <assert.h>
#include <stdlib.h>

#include "models/engine/decodes.h"
#include "models/engine/handover.h"
#include "models/engine/prefixes.h"
#include "models/engine/run.h"
#include "models/engine/static_batch.h"
#include "sim/arena.h"

/* --- the list --- */

void eviction_free(struct eviction *eviction)
{
    free(eviction->requests);
    *eviction = (struct eviction){0};
}

void eviction_add(struct eviction *out, const struct evicted *evicted)
{
    if (out->count == out->capacity) {
        uint32_t capacity = out->capacity ? 2 * out->capacity : 64;
        struct evicted *larger = realloc(out->requests, capacity * sizeof *larger);
        if (!larger)
            out_of_memory();
        out->requests = larger;
        out->capacity = capacity;
    }
    out->requests[out->count++] = *evicted;
}

static int by_arrival(const void *left, const void *right)
{
    const struct evicted *a = left, *b = right;
    if (a->arrival != b->arrival)
        return a->arrival < b->arrival ? -1 : 1;
    return a->request < b->request ? -1 : a->request > b->request;
}

void eviction_sort(struct eviction *out)
{
    if (out->count > 1)
        qsort(out->requests, out->count, sizeof *out->requests, by_arrival);
}

/* --- taken out --- */

/* Where a request waits for its cache, or for room for it, its list is still in use at the source.
 */
static bool uses_cache(const struct request *request)
{
    return request->place != PLACE_FETCHING && request->place != PLACE_FETCHED &&
           !request->remote_kv;
}

void request_set_free(struct request *request)
{
    request->place = PLACE_WAITING;
    request->order = 0;
    request->kept_blocks = 0;
    request->held_blocks = 0;
    request->in_order = request->begun_here = request->extracted = false;
}

/* The request is nowhere from now on. What was computed of one that has ended stays known. */
static void take(struct engine *engine, uint32_t number, int64_t kv_tok, struct eviction *out)
{
    struct request *request = request_of(engine, number);
    eviction_add(out, &(struct evicted){.arrival = request->arrival,
                                        .request = number,
                                        .kv_tok = (uint32_t)kv_tok,
                                        .place = (enum request_place)request->place});
    if (engine->prefixes && uses_cache(request))
        prefixes_lose_list(engine, request);
    if (!request->cancelled)
        request->computed = 0;
    request_set_free(request);
}

/* --- dying: who runs --- */

/* The iteration that is lost takes its chunk along. */
static void take_prompt(struct engine *engine, uint32_t number, int64_t chunk_tok,
                        struct eviction *out)
{
    struct request *request = request_of(engine, number);
    list_remove(engine, &engine->running, number);
    request->computed -= (uint32_t)chunk_tok;
    take(engine, number, request->computed, out);
}

static void take_prompts(struct engine *engine, struct eviction *out)
{
    for (uint32_t i = 0; i < engine->run.chunks; i++) {
        uint32_t number = engine->chunk_requests[i];
        take_prompt(engine, number, engine->chunks[i].tokens, out);
        if (number == engine->partial)
            engine->partial = REQUEST_NONE;
    }
    if (engine->partial != REQUEST_NONE)
        take_prompt(engine, engine->partial, 0, out);
}

/* The others of the running list. */
static void take_decodes(struct engine *engine, struct eviction *out)
{
    for (uint32_t number = engine->running.head, next; number != REQUEST_NONE; number = next) {
        struct request *request = request_of(engine, number);
        next = request->next;
        request->emitted = decode_emitted(engine, request);
        request->last_token = stall_leave(engine, request);
        take(engine, number, prefill_length(request) - 1, out);
    }
}

/* Of a batch that is served to its end: what it has emitted by now. */
static void bring_up_to_date(const struct engine *engine, struct request *request)
{
    if (request->computed == 0 || request->emitted == request->output_tok)
        return;
    request->emitted = decode_emitted(engine, request);
    request->last_token = engine->boundary;
}

static void take_batch(struct engine *engine, struct eviction *out)
{
    bool returned_whole = !engine->config->batching.returned_early;
    for (uint32_t number = engine->running.head, next; number != REQUEST_NONE; number = next) {
        struct request *request = request_of(engine, number);
        next = request->next;
        bring_up_to_date(engine, request);
        take(engine, number, request->computed > 0 ? prefill_length(request) - 1 : 0, out);
        if (returned_whole && !request->cancelled)
            request->emitted = 0;
    }
}

/* Of stages that each serve whoever comes. Prompts that are under way are not counted. */
static void take_passengers(struct engine *engine, struct eviction *out)
{
    for (uint32_t number = engine->running.head, next; number != REQUEST_NONE; number = next) {
        const struct request *request = request_of(engine, number);
        next = request->next;
        bool is_prompt = request->computed == 0;
        if (is_prompt)
            engine->totals.prefill_tok -= (uint64_t)prefill_length(request);
        take(engine, number, is_prompt ? 0 : prefill_length(request) - 1, out);
    }
}

static void take_running(struct engine *engine, struct eviction *out)
{
    if (engine->config->batching.kind != BATCHING_CONTINUOUS) {
        take_batch(engine, out);
    } else if (engine->stages) {
        take_passengers(engine, out);
    } else {
        take_prompts(engine, out);
        take_decodes(engine, out);
    }
}

/* --- dying: the others --- */

static int64_t kv_tok_of(const struct request *request)
{
    switch ((enum request_place)request->place) {
    case PLACE_FETCHED:
        return request->computed;
    case PLACE_SWAPPED:
        return prefill_length(request) - 1;
    default: /* nothing yet, or what was found of others */
        return 0;
    }
}

static void take_list(struct engine *engine, const struct request_list *list, struct eviction *out)
{
    for (uint32_t number = list->head, next; number != REQUEST_NONE; number = next) {
        next = request_of(engine, number)->next;
        take(engine, number, kv_tok_of(request_of(engine, number)), out);
    }
}

/* The iteration that is lost has taken its time and its blocks. */
static void count_lost_iteration(struct engine *engine, tick_t now)
{
    struct engine_totals *totals = &engine->totals;
    const struct engine_run *run = &engine->run;
    bool on_stages = engine->stages && engine->decodes > 0;
    if (!engine_busy(engine) && !on_stages)
        return;
    int64_t blocks = engine->used_blocks;
    if (run->decodes > 0 && !blocks_are_reserved(engine->config))
        blocks += blocks_needed(engine, run_tokens(run, 1));
    note_peak(engine, blocks);
    tick_t elapsed = now - engine->boundary;
    totals->busy += elapsed;
    totals->sequence_ticks +=
        (unsigned __int128)(engine->decodes + run->chunks) * (uint64_t)elapsed;
    totals->prefill_tok -= run->prefill_tok;
}

/* --- made anew --- */

/* All but what is counted over the engine's life, and what is remote. */
static void make_anew(struct engine *engine, tick_t now)
{
    struct engine old = *engine;
    engine->prefixes = NULL;
    engine_free(engine);
    if (!engine_init(engine, old.config, old.pool, old.itl))
        out_of_memory();
    engine->boundary = now;
    engine->token = old.token;
    engine->block_phase = old.block_phase;
    engine->totals = old.totals;
    engine->adapters.totals = old.adapters.totals;
    engine->prefixes = old.prefixes;
    if (engine->prefixes)
        prefixes_lose(engine);
}

void engine_evict(struct engine *engine, tick_t now, struct eviction *out)
{
    assert(now <= engine->next);
    out->count = 0;
    engine_settle(engine, now);
    count_lost_iteration(engine, now);
    take_running(engine, out);
    engine_line_up(engine);
    take_list(engine, &engine->queue, out);
    take_list(engine, &engine->fetching, out);
    take_list(engine, &engine->fetched, out);
    take_list(engine, &engine->swapped, out);
    take_list(engine, &engine->loading, out);
    take_list(engine, &engine->loaded, out);
    make_anew(engine, now);
    eviction_sort(out);
}

void engine_restart(struct engine *engine, tick_t now)
{
    assert(engine_running(engine) == 0 && engine->waiting == 0 && engine->incoming == 0);
    assert(engine->used_blocks == 0);
    make_anew(engine, now);
}

/* --- draining --- */

static void withdraw(struct engine *engine, uint32_t number, struct eviction *out)
{
    if (request_of(engine, number)->begun_here)
        return;
    waiting_remove(engine, number);
    take(engine, number, 0, out);
}

static void withdraw_ordered(struct engine *engine, struct eviction *out)
{
    if (engine->waiting == 0)
        return;
    uint32_t *numbers = malloc(engine->waiting * sizeof *numbers);
    if (!numbers)
        out_of_memory();
    uint32_t count = queue_order_list(engine, numbers);
    for (uint32_t i = 0; i < count; i++)
        withdraw(engine, numbers[i], out);
    free(numbers);
}

void engine_withdraw(struct engine *engine, tick_t now, struct eviction *out)
{
    out->count = 0;
    for (uint32_t number = engine->queue.head, next; number != REQUEST_NONE; number = next) {
        next = request_of(engine, number)->next;
        withdraw(engine, number, out);
    }
    withdraw_ordered(engine, out);
    if (engine->config->batching.kind == BATCHING_CONTINUOUS)
        engine_wake(engine, now);
    else if (!engine_busy(engine))
        engine->next = TICK_NEVER; /* it waited for a batch to fill */
    eviction_sort(out);
}

/* --- going on --- */

bool engine_accepts_resumed(const struct engine_config *config, const struct request *request)
{
    uint32_t output_tok = output_here(request);
    int64_t again_tok = prefill_length(request);
    if (!engine_accepts(config, request->prompt_tok, output_tok))
        return false;
    if (config->batching.kind != BATCHING_CONTINUOUS)
        return static_batch_accepts(config, (uint32_t)again_tok, output_tok - request->emitted);
    return config->chunked_prefill || request->remote_kv || again_tok <= config->max_batch_tokens;
}

void engine_resume(struct engine *engine, uint32_t number, tick_t now)
{
    struct request *request = request_of(engine, number);
    tick_t first_scheduled = request->first_scheduled;
    assert(!request->cancelled && (request->emitted == 0 || !request->handoff));
    request->computed = request->kept_blocks = 0; /* they were another engine's */
    engine_submit(engine, number, now);
    request->first_scheduled = first_scheduled;
}

/* --- pauses --- */

void engine_pause(struct engine *engine, tick_t now, tick_t until)
{
    assert(engine_can_extract(engine->config));
    assert(until - now <= tick_from_s(ENGINE_PAUSE_MAX_S));
    engine->paused_until = until;
    engine->has_extras = true; /* pauses are one */
    engine_cut(engine, now);
}
