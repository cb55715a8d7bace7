/* Three parts: the sequences that decode, the one prompt that is partly prefilled, and the waiting
 * requests, first come, first served. Blocks that the decodes need in their next iteration are
 * never given away, whether that iteration is this one or prompts go first. */
#include "models/engine/batch.h"

#include "models/engine/handover.h"
#include "models/engine/preemption.h"
#include "models/engine/run.h"

struct batch {
    int64_t budget_tok;      /* what may still be added */
    int64_t free_blocks;     /* beyond what the decodes need in their next iteration */
    int64_t reserved_blocks; /* ADMIT_NO_EVICT: set aside for prompts that are tried */
    int64_t promised_tok;    /* ADMIT_ESTIMATE: what prompts of this batch may answer */
    int64_t sequences;
    int64_t finishing; /* prompts that will be complete */
};

/* Blocks that the request's next so many tokens need beyond those it has. */
static inline int64_t more_blocks(const struct engine *engine, const struct request *request,
                                  int64_t tokens)
{
    return blocks_for(engine, request->computed + tokens) - blocks_for(engine, request->computed);
}

/* --- admission --- */

/* SGLang's PrefillAdder.add_one_req: prompt and answer, and a page for rounding, must fit beside a
 * share of what the decodes have still to answer and all that others of this batch may. */
static bool estimate_fits(const struct engine *engine, const struct batch *batch,
                          const struct request *request)
{
    int64_t block_tok = engine->config->block_tok;
    int64_t wanted_tok = prefill_length(request) + promised_tok(engine, request);
    int64_t spare_tok = batch->free_blocks * block_tok - batch->promised_tok - wanted_tok;
    return spare_tok * OUTPUT_SHARE_ONE > decodes_left_capped_tok(engine) * engine->output_share;
}

static inline bool memory_admits(const struct engine *engine, const struct batch *batch,
                                 const struct request *request)
{
    switch (engine->config->admission) {
    case ADMIT_NO_EVICT:
        return lifetime_blocks(engine, request) + batch->reserved_blocks <=
               engine->config->kv_blocks - engine->reserved_blocks;
    case ADMIT_ESTIMATE:
        return !engine->refused && estimate_fits(engine, batch, request) &&
               blocks_for(engine, prefill_length(request)) <= batch->free_blocks;
    case ADMIT_PREEMPT:
    case ADMIT_MAX_UTILIZATION:
        break;
    }
    return blocks_for(engine, prefill_length(request)) + engine->config->watermark_blocks <=
           batch->free_blocks;
}

/* Tokens that need not be computed if the request is let in now. The decodes of this iteration have
 * taken their blocks before; where they stall, theirs are set aside, but still in the queue. */
static inline int64_t found_tok(const struct engine *engine, const struct batch *batch,
                                const struct request *request)
{
    if (request->kept_blocks == 0)
        return request->cached_tok;
    int64_t queued = batch->free_blocks;
    if (engine->config->prefill != PREFILL_MIXED)
        queued += next_blocks(engine);
    int64_t kept_tok = kept_blocks_left(engine, request, queued) * engine->config->block_tok;
    return kept_tok > request->cached_tok ? kept_tok : request->cached_tok;
}

static inline bool has_place(const struct engine *engine, const struct batch *batch,
                             const struct request *request)
{
    const struct engine_config *config = engine->config;
    return batch->budget_tok > 0 && batch->sequences < config->max_sequences &&
           (config->chunked_prefill || request->remote_kv ||
            prefill_length(request) - found_tok(engine, batch, request) <= batch->budget_tok);
}

/* Takes the request's next so many tokens, and the blocks they need, out of what the batch may
 * still add. */
static inline void batch_take(const struct engine *engine, struct batch *batch,
                              const struct request *request, int64_t tokens, int64_t new_blocks)
{
    batch->free_blocks -= new_blocks;
    batch->budget_tok -= tokens;
    batch->sequences++;
    if (engine->config->admission == ADMIT_ESTIMATE)
        batch->promised_tok += promised_tok(engine, request);
}

static void add_chunk(struct engine *engine, struct batch *batch, uint32_t number, int64_t tokens)
{
    struct request *request = request_of(engine, number);
    engine->chunks[engine->run.chunks] = (struct prefill_chunk){request->computed, tokens};
    engine->chunk_requests[engine->run.chunks++] = number;
    engine->run.prefill_tok += (uint32_t)tokens;
    int64_t new_blocks = more_blocks(engine, request, tokens);
    engine->used_blocks += new_blocks;
    batch_take(engine, batch, request, tokens, new_blocks);
    request->computed += (uint32_t)tokens;
    if (request->first_scheduled == TICK_NEVER)
        request->first_scheduled = engine->boundary;
    if (request->computed == prefill_length(request)) {
        batch->finishing++;
        engine->partial = REQUEST_NONE;
    } else {
        engine->partial = number;
    }
}

/* The next chunk of the request that is partly prefilled. */
static inline int64_t partial_chunk(const struct engine *engine, const struct batch *batch)
{
    const struct request *request = request_of(engine, engine->partial);
    return int64_min(prefill_length(request) - request->computed, batch->budget_tok);
}

static inline bool partial_fits(const struct engine *engine, const struct batch *batch)
{
    const struct request *request = request_of(engine, engine->partial);
    return more_blocks(engine, request, partial_chunk(engine, batch)) <= batch->free_blocks;
}

/* ORDER_PRIORITY: takes decodes that give way before the partial prompt does out of the batch, with
 * the budget that was theirs, until it fits. */
static void make_room_for_partial(struct engine *engine, struct batch *batch)
{
    bool mixed = engine->config->prefill == PREFILL_MIXED;
    while (!partial_fits(engine, batch)) {
        uint32_t victim = preemption_victim(engine);
        if (victim == engine->partial)
            return;
        int64_t before_tok = decodes_tok(engine);
        preempt(engine, victim);
        batch->free_blocks = free_blocks(engine) - next_blocks(engine);
        batch->sequences--;
        if (mixed)
            batch->budget_tok += before_tok - decodes_tok(engine);
    }
}

/* Preempts it instead where blocks are missing. */
static void continue_partial(struct engine *engine, struct batch *batch)
{
    if (engine->partial == REQUEST_NONE || batch->budget_tok == 0)
        return;
    if (engine->config->queue_order == ORDER_PRIORITY)
        make_room_for_partial(engine, batch);
    if (partial_fits(engine, batch))
        add_chunk(engine, batch, engine->partial, partial_chunk(engine, batch));
    else
        preempt_partial(engine);
}

/* SGLang asks again only when the batch has become smaller (ScheduleBatch.batch_is_full). */
static void refuse(struct engine *engine)
{
    engine->refused = engine->config->admission == ADMIT_ESTIMATE && engine->decodes > 0;
}

/* Blocks of tokens that need not be computed are in use from now on. */
static inline void take_found(struct engine *engine, struct batch *batch, struct request *request)
{
    int64_t tokens = found_tok(engine, batch, request);
    request->kept_blocks = 0;
    if (tokens == 0)
        return;
    request->computed = (uint32_t)tokens;
    int64_t blocks = blocks_for(engine, tokens);
    engine->used_blocks += blocks;
    batch->free_blocks -= blocks;
}

/* It takes its place and its blocks, and no part in iterations before its KV cache is here. */
static void admit_remote(struct engine *engine, struct batch *batch, uint32_t number)
{
    struct request *request = request_of(engine, number);
    int64_t blocks = fetch_begin(engine, number);
    batch_take(engine, batch, request, 0, blocks);
}

/* Who would bring an adapter too many is passed over. */
static uint32_t first_with_slot(const struct engine *engine)
{
    uint32_t number = engine->queue.head;
    while (number != REQUEST_NONE && !adapter_admits(engine, request_of(engine, number)))
        number = request_of(engine, number)->next;
    return number;
}

static void admit_waiting(struct engine *engine, struct batch *batch)
{
    while (engine->waiting > 0 && engine->partial == REQUEST_NONE) {
        uint32_t number = engine->config->lora ? first_with_slot(engine) : waiting_first(engine);
        if (number == REQUEST_NONE)
            return;
        struct request *request = request_of(engine, number);
        if (!has_place(engine, batch, request))
            return;
        if (!memory_admits(engine, batch, request)) {
            refuse(engine);
            return;
        }
        waiting_admit(engine, number);
        set_blocks_aside(engine, request);
        adapter_take(engine, request);
        if (request->remote_kv) {
            admit_remote(engine, batch, number);
            continue;
        }
        running_append(engine, number);
        take_found(engine, batch, request);
        add_chunk(engine, batch, number,
                  int64_min(prefill_length(request) - request->computed, batch->budget_tok));
    }
}

/* --- waiting for a fuller batch --- */

/* Takes as much of the request as fits, without doing it; returns all its tokens. computed_tok:
 * what it has, or would find. */
static int64_t try_prompt(const struct engine *engine, struct batch *batch,
                          const struct request *request, int64_t computed_tok)
{
    int64_t length = prefill_length(request);
    int64_t tokens = int64_min(length - computed_tok, batch->budget_tok);
    int64_t new_blocks =
        blocks_for(engine, computed_tok + tokens) - blocks_for(engine, request->computed);
    batch_take(engine, batch, request, tokens, new_blocks);
    return length;
}

/* Tokens of all prompts that could be worked on now, each counted whole, what is cached, too. */
static int64_t ready_prompts_tok(const struct engine *engine, struct batch batch)
{
    int64_t tokens = 0;
    if (engine->partial != REQUEST_NONE) {
        if (batch.budget_tok == 0 || !partial_fits(engine, &batch))
            return 0;
        const struct request *partial = request_of(engine, engine->partial);
        tokens = try_prompt(engine, &batch, partial, partial->computed);
    }
    if (engine->run.preempted || engine->swapped.head != REQUEST_NONE)
        return tokens;
    for (uint32_t i = engine->queue.head; i != REQUEST_NONE; i = request_of(engine, i)->next) {
        const struct request *request = request_of(engine, i);
        if (request->remote_kv)
            continue;
        if (!has_place(engine, &batch, request) || !memory_admits(engine, &batch, request))
            break;
        batch.reserved_blocks += lifetime_blocks(engine, request);
        tokens += try_prompt(engine, &batch, request, found_tok(engine, &batch, request));
    }
    return tokens;
}

/* TensorRT-LLM, PyExecutor._waiting_requests: while something decodes, prompts wait until there are
 * enough tokens, or for so many iterations. */
static bool prompts_wait(struct engine *engine, const struct batch *batch)
{
    const struct engine_config *config = engine->config;
    if (engine->decodes == 0)
        return false;
    int64_t tokens = ready_prompts_tok(engine, *batch);
    if (tokens == 0)
        return false;
    bool enough = tokens + decodes_tok(engine) >= config->batch_wait_tok;
    engine->run.waits = !enough && engine->waited < config->batch_wait_iterations;
    if (!engine->run.waits)
        engine->waited = 0;
    return engine->run.waits;
}

/* --- the batch --- */

/* Adds prompts to the decodes, or (`mixed` false) forms a batch without these. Returns the number
 * of prompts that will be complete. */
static int64_t add_prompts(struct engine *engine, bool mixed)
{
    const struct engine_config *config = engine->config;
    struct batch batch = {.budget_tok =
                              config->max_batch_tokens - (mixed ? decodes_tok(engine) : 0),
                          .free_blocks = free_blocks(engine) - next_blocks(engine),
                          .promised_tok = engine->incoming_promised_tok,
                          .sequences = (int64_t)engine->decodes + engine->incoming};
    if (config->batch_wait_iterations > 0 && prompts_wait(engine, &batch))
        return 0;
    continue_partial(engine, &batch);
    if (!engine->run.preempted && engine->swapped.head == REQUEST_NONE)
        admit_waiting(engine, &batch);
    return batch.finishing;
}

int64_t batch_form(struct engine *engine)
{
    if (engine->fetched.head != REQUEST_NONE)
        fetch_join(engine);
    bool mixed = engine->config->prefill == PREFILL_MIXED;
    if (mixed && decodes_lack_blocks(engine))
        make_room_for_decodes(engine);
    int64_t finishing = 0;
    bool prompts = engine->waiting > 0 || engine->partial != REQUEST_NONE;
    if (engine->has_extras)
        prompts = extras_before_prompts(engine) && prompts;
    if (prompts)
        finishing = add_prompts(engine, mixed);
    if (mixed) {
        run_take_decodes(engine);
    } else if (engine->run.chunks == 0) {
        if (decodes_lack_blocks(engine))
            make_room_for_decodes(engine);
        run_take_decodes(engine);
    }
    return finishing;
}

/* --- arrivals --- */

bool batch_may_admit(const struct engine *engine, uint32_t number)
{
    const struct engine_config *config = engine->config;
    int64_t sequences = (int64_t)engine->decodes + engine->incoming;
    if (sequences >= config->max_sequences || engine->partial != REQUEST_NONE ||
        engine->swapped.head != REQUEST_NONE)
        return false;
    if (config->prefill == PREFILL_MIXED && engine->decodes >= config->max_batch_tokens)
        return false;
    const struct request *request = request_of(engine, number);
    if (!adapter_admits(engine, request))
        return false;
    if (config->admission == ADMIT_NO_EVICT)
        return lifetime_blocks(engine, request) <= config->kv_blocks - engine->reserved_blocks;
    return !engine->refused && blocks_for(engine, prefill_length(request)) <= free_blocks(engine);
}
