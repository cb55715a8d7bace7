/* Three parts: the sequences that decode, the one prompt that is partly prefilled, and the waiting
 * requests, first come, first served. Blocks that the decodes need in their next iteration are
 * never given away, whether that iteration is this one or prompts go first. */
#include "models/engine/batch.h"

#include "models/engine/handover.h"
#include "models/engine/loading.h"
#include "models/engine/preemption.h"
#include "models/engine/run.h"

struct batch {
    int64_t budget_tok;      /* what may still be added */
    int64_t prompt_tok;      /* of prompts, so far */
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
                          const struct request *request, int64_t shared_blocks)
{
    int64_t block_tok = engine->config->block_tok;
    int64_t wanted_tok = prefill_length(request) + promised_tok(engine, request);
    int64_t spare_tok =
        (batch->free_blocks + shared_blocks) * block_tok - batch->promised_tok - wanted_tok;
    return spare_tok * OUTPUT_SHARE_ONE > decodes_left_capped_tok(engine) * engine->output_share;
}

/* shared_blocks: of its prompt, those that others use now. (TensorRT-LLM's rule as if each request
 * had a copy of its own: it sets more aside than is needed.) */
static inline bool memory_admits(const struct engine *engine, const struct batch *batch,
                                 const struct request *request, int64_t shared_blocks)
{
    int64_t needed = blocks_for(engine, prefill_length(request)) - shared_blocks;
    switch (engine->config->admission) {
    case ADMIT_NO_EVICT:
        return lifetime_blocks(engine, request) + batch->reserved_blocks <=
               engine->config->kv_blocks - engine->reserved_blocks;
    case ADMIT_ESTIMATE:
        return !engine->refused && estimate_fits(engine, batch, request, shared_blocks) &&
               needed <= batch->free_blocks;
    case ADMIT_PREEMPT:
    case ADMIT_MAX_UTILIZATION:
        break;
    }
    return needed + engine->config->watermark_blocks <= batch->free_blocks;
}

/* The decodes of this iteration take their blocks before prompts do; where they stall, theirs are
 * set aside, but still in the queue. */
static void trim_queue(struct engine *engine)
{
    bool mixed = engine->config->prefill == PREFILL_MIXED;
    prefixes_trim(engine, mixed ? next_blocks(engine) : 0);
}

/* Tokens that need not be computed where requests do not name what they share. */
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

/* May a whole prompt of so many tokens join those of the batch? */
static inline bool whole_prompt_fits(const struct engine_config *config, const struct batch *batch,
                                     int64_t tokens)
{
    bool shares = config->prompt_batch_tok == 0 || batch->prompt_tok == 0 ||
                  batch->prompt_tok + tokens <= config->prompt_batch_tok;
    return shares && tokens <= batch->budget_tok;
}

/* What need not be computed if the request is let in now. */
static inline void look_up(struct engine *engine, const struct batch *batch,
                           const struct request *request, struct prefix_found *found)
{
    if (engine->prefixes && !request->remote_kv) {
        trim_queue(engine);
        *found = prefixes_find(engine, request);
    } else {
        found->tok = request->remote_kv ? 0 : found_tok(engine, batch, request);
        found->shared_blocks = 0;
    }
}

static inline bool has_place(const struct engine *engine, const struct batch *batch)
{
    return batch->budget_tok > 0 && batch->sequences < engine->config->max_sequences;
}

/* computed_tok: of the request, or found. */
static inline bool within_budget(const struct engine *engine, const struct batch *batch,
                                 const struct request *request, int64_t computed_tok)
{
    return engine->config->chunked_prefill || request->remote_kv ||
           whole_prompt_fits(engine->config, batch, prefill_length(request) - computed_tok);
}

/* Takes the request's next so many tokens, and the blocks they need, out of what the batch may
 * still add. */
static inline void batch_take(const struct engine *engine, struct batch *batch,
                              const struct request *request, int64_t tokens, int64_t new_blocks)
{
    batch->free_blocks -= new_blocks;
    batch->budget_tok -= tokens;
    batch->prompt_tok += tokens;
    batch->sequences++;
    if (engine->config->admission == ADMIT_ESTIMATE)
        batch->promised_tok += promised_tok(engine, request);
}

/* Others that are let in now share it already. */
static void name_computed(struct engine *engine, struct batch *batch, const struct request *request)
{
    trim_queue(engine);
    int64_t given = prefixes_name(engine, request);
    engine->used_blocks -= given;
    batch->free_blocks += given;
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
    if (engine->prefixes)
        name_computed(engine, batch, request);
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
static inline void take_found(struct engine *engine, struct batch *batch, struct request *request,
                              const struct prefix_found *found)
{
    request->kept_blocks = 0;
    if (!engine->prefixes && found->tok == 0)
        return;
    request->computed = (uint32_t)found->tok;
    int64_t blocks =
        engine->prefixes ? prefixes_take(engine, request, found) : blocks_for(engine, found->tok);
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

/* It is part of this iteration, with what fits of it. */
static inline void join(struct engine *engine, struct batch *batch, uint32_t number)
{
    const struct request *request = request_of(engine, number);
    running_append(engine, number);
    add_chunk(engine, batch, number,
              int64_min(prefill_length(request) - request->computed, batch->budget_tok));
}

/* Is part of it still to be loaded from a lower tier? Then it takes the blocks of its prompt. */
static bool starts_loading(struct engine *engine, struct batch *batch, uint32_t number,
                           const struct prefix_found *found)
{
    int64_t blocks = loading_begin(engine, number, found);
    batch->free_blocks -= blocks;
    return blocks > 0;
}

static void admit(struct engine *engine, struct batch *batch, uint32_t number,
                  const struct prefix_found *found)
{
    struct request *request = request_of(engine, number);
    waiting_admit(engine, number);
    set_blocks_aside(engine, request);
    adapter_take(engine, request);
    if (request->remote_kv) {
        admit_remote(engine, batch, number);
        return;
    }
    if (engine->prefixes && starts_loading(engine, batch, number, found))
        return;
    take_found(engine, batch, request, found);
    join(engine, batch, number);
}

static void admit_waiting(struct engine *engine, struct batch *batch)
{
    while (engine->waiting > 0 && engine->partial == REQUEST_NONE) {
        uint32_t number = engine->config->lora ? first_with_slot(engine) : waiting_first(engine);
        if (number == REQUEST_NONE)
            return;
        const struct request *request = request_of(engine, number);
        if (!has_place(engine, batch))
            return;
        struct prefix_found found;
        look_up(engine, batch, request, &found);
        if (!within_budget(engine, batch, request, found.tok))
            return;
        if (!memory_admits(engine, batch, request, found.shared_blocks)) {
            refuse(engine);
            return;
        }
        admit(engine, batch, number, &found);
    }
}

/* Those whose KV was loaded have their blocks. */
static void admit_loaded(struct engine *engine, struct batch *batch)
{
    while (engine->loaded.head != REQUEST_NONE && engine->partial == REQUEST_NONE) {
        uint32_t number = engine->loaded.head;
        const struct request *request = request_of(engine, number);
        if (!has_place(engine, batch) || !within_budget(engine, batch, request, request->computed))
            return;
        batch->free_blocks += loading_admit(engine, number);
        join(engine, batch, number);
    }
}

/* --- waiting for a fuller batch --- */

/* Takes as much of the request as fits, without doing it; returns all its tokens. computed_tok:
 * what it has, or would find, some of it in blocks that others use. */
static int64_t try_prompt(const struct engine *engine, struct batch *batch,
                          const struct request *request, int64_t computed_tok,
                          int64_t shared_blocks)
{
    int64_t length = prefill_length(request);
    int64_t tokens = int64_min(length - computed_tok, batch->budget_tok);
    int64_t new_blocks = blocks_for(engine, computed_tok + tokens) -
                         blocks_for(engine, request->computed) - shared_blocks;
    batch_take(engine, batch, request, tokens, new_blocks);
    return length;
}

/* Of those whose KV was loaded; they have the blocks of their prompts. */
static int64_t loaded_prompts_tok(const struct engine *engine, struct batch *batch)
{
    int64_t tokens = 0;
    for (uint32_t i = engine->loaded.head; i != REQUEST_NONE; i = request_of(engine, i)->next) {
        const struct request *request = request_of(engine, i);
        if (!has_place(engine, batch) || !within_budget(engine, batch, request, request->computed))
            break;
        int64_t left_tok = prefill_length(request) - request->computed;
        batch_take(engine, batch, request, int64_min(left_tok, batch->budget_tok), 0);
        tokens += prefill_length(request);
    }
    return tokens;
}

/* Tokens of all prompts that could be worked on now, each counted whole, what is cached, too. */
static int64_t ready_prompts_tok(struct engine *engine, struct batch batch)
{
    int64_t tokens = 0;
    if (engine->partial != REQUEST_NONE) {
        if (batch.budget_tok == 0 || !partial_fits(engine, &batch))
            return 0;
        const struct request *partial = request_of(engine, engine->partial);
        tokens = try_prompt(engine, &batch, partial, partial->computed, 0);
    }
    if (!engine->run.preempted)
        tokens += loaded_prompts_tok(engine, &batch);
    if (engine->run.preempted || engine->swapped.head != REQUEST_NONE)
        return tokens;
    for (uint32_t i = engine->queue.head; i != REQUEST_NONE; i = request_of(engine, i)->next) {
        const struct request *request = request_of(engine, i);
        if (!has_place(engine, &batch))
            break;
        struct prefix_found found;
        look_up(engine, &batch, request, &found);
        if (!within_budget(engine, &batch, request, found.tok) ||
            !memory_admits(engine, &batch, request, found.shared_blocks))
            break;
        batch.reserved_blocks += lifetime_blocks(engine, request);
        if (request->remote_kv) /* nothing to compute; but who does not fit keeps others out */
            batch_take(engine, &batch, request, 0, blocks_for(engine, prefill_length(request) - 1));
        else
            tokens += try_prompt(engine, &batch, request, found.tok, found.shared_blocks);
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

static inline struct batch open_batch(const struct engine *engine, bool mixed)
{
    int64_t budget_tok = engine->config->max_batch_tokens;
    return (struct batch){.budget_tok = budget_tok - (mixed ? decodes_tok(engine) : 0),
                          .free_blocks = free_blocks(engine) - next_blocks(engine),
                          .promised_tok = engine->incoming_promised_tok,
                          .sequences = (int64_t)engine->decodes + engine->incoming};
}

/* Adds prompts to the decodes, or (`mixed` false) forms a batch without these. Returns the number
 * of prompts that will be complete. */
static int64_t add_prompts(struct engine *engine, bool mixed)
{
    struct batch batch = open_batch(engine, mixed);
    if (engine->config->batch_wait_iterations > 0 && prompts_wait(engine, &batch))
        return 0;
    continue_partial(engine, &batch);
    if (engine->loaded.head != REQUEST_NONE && !engine->run.preempted)
        admit_loaded(engine, &batch);
    if (!engine->run.preempted && engine->swapped.head == REQUEST_NONE &&
        engine->loaded.head == REQUEST_NONE)
        admit_waiting(engine, &batch);
    return batch.finishing;
}

/* All gave way, but not those whose KV was loaded: they may have what the others lack. */
static int64_t go_on_with_loaded(struct engine *engine, bool mixed)
{
    struct batch batch = open_batch(engine, mixed);
    admit_loaded(engine, &batch);
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
    bool prompts = engine->waiting > 0 || engine->partial != REQUEST_NONE ||
                   engine->loaded.head != REQUEST_NONE;
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
    if (engine->loaded.head != REQUEST_NONE && engine->decodes + engine->run.chunks == 0)
        finishing = go_on_with_loaded(engine, mixed);
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
    if (engine->loaded.head != REQUEST_NONE) /* they go first, when prompts are due */
        return config->prefill == PREFILL_DECODE_FIRST;
    if (config->prefill == PREFILL_MIXED && engine->decodes >= config->max_batch_tokens)
        return false;
    const struct request *request = request_of(engine, number);
    if (!adapter_admits(engine, request))
        return false;
    if (config->admission == ADMIT_NO_EVICT)
        return lifetime_blocks(engine, request) <= config->kv_blocks - engine->reserved_blocks;
    int64_t needed = blocks_for(engine, prefill_length(request));
    if (needed > free_blocks(engine) && engine->prefixes)
        needed -= prefixes_find(engine, request).shared_blocks;
    return !engine->refused && needed <= free_blocks(engine);
}
