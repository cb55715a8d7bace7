#include "models/engine/handover.h"

#include <assert.h>

#include "models/engine/decodes.h"
#include "models/engine/eviction.h"
#include "models/engine/loading.h"
#include "models/engine/run.h"

void engine_wake(struct engine *engine, tick_t now)
{
    if (engine->waiting == 0 && engine->fetched.head == REQUEST_NONE &&
        engine->swapped.head == REQUEST_NONE && engine->loaded.head == REQUEST_NONE &&
        !engine->run.waits)
        return;
    if (engine_busy(engine))
        engine_cut(engine, now);
    else if (now < engine->next)
        engine->next = now;
}

/* --- prefilled here --- */

/* It runs no more. Its KV cache, of so many tokens, waits to be copied. */
static void leave_with_cache(struct engine *engine, uint32_t number, int64_t cache_tok)
{
    struct request *request = request_of(engine, number);
    request->place = PLACE_HANDED;
    request->held_blocks = (uint32_t)drop_blocks(engine, request, cache_tok);
    engine->held_blocks += request->held_blocks;
    if (engine->config->admission == ADMIT_NO_EVICT)
        engine->reserved_blocks += request->held_blocks;
    engine->handed[engine->handed_count++] = number;
}

void hand_over(struct engine *engine, uint32_t number)
{
    const struct request *request = request_of(engine, number);
    running_remove(engine, number);
    if (request->preemptions > 0)
        finish_forget(engine, number);
    leave_with_cache(engine, number, request->computed);
}

void engine_release(struct engine *engine, int64_t blocks, tick_t now)
{
    engine_settle(engine, now);
    assert(blocks <= engine->held_blocks);
    engine->held_blocks -= blocks;
    if (engine->config->admission == ADMIT_NO_EVICT)
        engine->reserved_blocks -= blocks;
    give_back_blocks(engine, blocks);
    engine->refused = false;
    engine_wake(engine, now);
}

/* --- prefilled elsewhere --- */

static int64_t context_tok(const struct request *request)
{
    return (int64_t)request->prompt_tok + request->emitted - 1;
}

int64_t fetch_begin(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    int64_t blocks = blocks_for(engine, context_tok(request));
    request->place = PLACE_FETCHING;
    request->remote_kv = false; /* once it is here it is like any other */
    request->computed = (uint32_t)context_tok(request);
    engine->used_blocks += blocks;
    engine->incoming++;
    engine->incoming_promised_tok += promised_tok(engine, request);
    list_append(engine, &engine->fetching, number);
    engine->fetches[engine->fetch_count++] = number;
    return blocks;
}

void engine_fetched(struct engine *engine, uint32_t number, tick_t now)
{
    assert(request_of(engine, number)->place == PLACE_FETCHING);
    list_remove(engine, &engine->fetching, number);
    request_of(engine, number)->place = PLACE_FETCHED;
    list_append(engine, &engine->fetched, number);
    engine_wake(engine, now);
}

static void no_longer_incoming(struct engine *engine, struct request_list *list, uint32_t number)
{
    list_remove(engine, list, number);
    engine->incoming--;
    engine->incoming_promised_tok -= promised_tok(engine, request_of(engine, number));
}

void fetch_join(struct engine *engine)
{
    while (engine->fetched.head != REQUEST_NONE) {
        uint32_t number = engine->fetched.head;
        no_longer_incoming(engine, &engine->fetched, number);
        running_append(engine, number);
        decode_join(engine, number, request_of(engine, number)->last_token);
    }
}

/* --- cancelled --- */

/* Before blocks come back to the cache's queue: the iteration that runs has taken its own from it.
 */
static void settle_with_queue(struct engine *engine, tick_t now)
{
    engine_settle(engine, now);
    if (engine->prefixes && engine->run.decodes > 0)
        prefixes_trim(engine, blocks_needed(engine, run_tokens(&engine->run, 1)));
}

static void cancel_incoming(struct engine *engine, struct request_list *list, uint32_t number,
                            tick_t now)
{
    struct request *request = request_of(engine, number);
    settle_with_queue(engine, now);
    no_longer_incoming(engine, list, number);
    free_set_aside(engine, request);
    adapter_leave(engine, request);
    int64_t blocks = blocks_for(engine, request->computed);
    if (engine->prefixes)
        prefixes_drop_unnamed(engine, blocks);
    give_back_blocks(engine, blocks);
    engine->refused = false;
}

bool engine_cancel(struct engine *engine, uint32_t number, tick_t now)
{
    struct request *request = request_of(engine, number);
    if (request->cancelled) /* while it runs; it is not out yet */
        return false;
    request->cancelled = true;
    switch ((enum request_place)request->place) {
    case PLACE_RUNNING:
        if (!request->extracted) /* it is to be taken out anyhow */
            engine->cancelled[engine->cancelled_count++] = number;
        engine_cut(engine, now);
        return false;
    case PLACE_WAITING:
        waiting_remove(engine, number);
        break;
    case PLACE_FETCHING:
        cancel_incoming(engine, &engine->fetching, number, now);
        break;
    case PLACE_FETCHED:
        cancel_incoming(engine, &engine->fetched, number, now);
        break;
    case PLACE_SWAPPED:
        swapped_remove(engine, number);
        break;
    case PLACE_LOADING:
    case PLACE_LOADED:
        settle_with_queue(engine, now);
        loading_cancel(engine, number);
        break;
    case PLACE_HANDED:
    case PLACE_HELD:
    case PLACE_KEPT:
        assert(false && "it is its owner's");
    }
    if (request->preemptions > 0)
        finish_forget(engine, number);
    engine_wake(engine, now);
    return true;
}

/* --- taken out at a boundary --- */

/* Batches that are served to their end, and stages that each serve whoever comes, keep whom they
 * have. */
bool engine_can_extract(const struct engine_config *config)
{
    return config->batching.kind == BATCHING_CONTINUOUS && !config->graph;
}

bool engine_extract(struct engine *engine, uint32_t number, tick_t now)
{
    struct request *request = request_of(engine, number);
    if (!engine_can_extract(engine->config) || request->place != PLACE_RUNNING ||
        number == engine->partial || request->cancelled || request->extracted)
        return false;
    request->extracted = true;
    engine->cancelled[engine->cancelled_count++] = number;
    engine_cut(engine, now);
    return true;
}

static void stop_decoding(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    uint32_t emitted = decode_emitted(engine, request);
    request->last_token = stall_leave(engine, request);
    decode_leave(engine, number, request->prompt_tok + emitted - 1, 0);
    request->emitted = emitted;
    finish_forget(engine, number);
}

static void take_out(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    if (number == engine->partial) {
        engine->partial = REQUEST_NONE;
        give_back_blocks(engine, drop_blocks(engine, request, request->computed));
        running_remove(engine, number);
        finish_forget(engine, number);
    } else {
        stop_decoding(engine, number);
        leave_blocks(engine, request, context_tok(request));
    }
    engine->ended[engine->ended_count++] = number;
}

static void extract(struct engine *engine, uint32_t number)
{
    stop_decoding(engine, number);
    leave_with_cache(engine, number, context_tok(request_of(engine, number)));
}

/* Who ended, or was handed over, at this very boundary is not running any more: it was too late.
 * Who was preempted before is in the queue. */
void take_out_cancelled(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->cancelled_count; i++) {
        uint32_t number = engine->cancelled[i];
        struct request *request = request_of(engine, number);
        bool runs = request->place == PLACE_RUNNING && request->order != 0;
        request->extracted = false;
        if (runs && request->cancelled)
            take_out(engine, number);
        else if (runs)
            extract(engine, number);
        else
            request->cancelled = false;
    }
    engine->cancelled_count = 0;
}
