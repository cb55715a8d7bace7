/* The batch is the running list. engine->decodes are its places while it decodes, finish_heap has
 * those that still answer: engine->unanswered of them. */
#include "models/engine/static_batch.h"

#include "models/engine/decodes.h"
#include "models/engine/kv_slots.h"
#include "models/engine/run.h"

/* --- who fits --- */

struct padded_batch {
    int64_t places;
    int64_t prompt_tok, output_tok; /* of the longest */
};

static int64_t padded_blocks(const struct engine_config *config, const struct padded_batch *batch)
{
    return batch->places * kv_reserved_blocks(config, batch->prompt_tok, batch->output_tok);
}

static int64_t most_places(const struct engine_config *config)
{
    return int64_min(config->batching.max_batch, config->max_sequences);
}

/* Adds the request, unless there is no place or no memory for it. */
static bool padded_add(const struct engine_config *config, struct padded_batch *batch,
                       const struct request *request)
{
    struct padded_batch more = {
        .places = batch->places + 1,
        .prompt_tok = int64_max(batch->prompt_tok, prefill_length(request)),
        .output_tok = int64_max(batch->output_tok, request->output_tok - request->emitted)};
    if (more.places > most_places(config) || padded_blocks(config, &more) > config->kv_blocks)
        return false;
    *batch = more;
    return true;
}

bool static_batch_accepts(const struct engine_config *config, uint32_t prompt_tok,
                          uint32_t output_tok)
{
    return kv_reserved_blocks(config, prompt_tok, output_tok) <= config->kv_blocks;
}

/* --- when to begin --- */

/* Do more requests wait than one batch takes, or just as many? */
static bool batch_is_full(const struct engine *engine)
{
    const struct engine_config *config = engine->config;
    if (engine->waiting >= most_places(config))
        return true;
    struct padded_batch batch = {0};
    for (uint32_t i = engine->queue.head; i != REQUEST_NONE; i = request_of(engine, i)->next)
        if (!padded_add(config, &batch, request_of(engine, i)))
            return true;
    return false;
}

/* Of an idle engine, if nobody else arrives. */
static tick_t begins_at(const struct engine *engine, tick_t now)
{
    tick_t window = engine->config->batching.window;
    if (engine->waiting == 0)
        return TICK_NEVER;
    if (engine->last_call || batch_is_full(engine))
        return now;
    if (window == TICK_NEVER)
        return TICK_NEVER;
    tick_t due = request_of(engine, waiting_first(engine))->arrival + window;
    return due > now ? due : now;
}

void static_batch_arrived(struct engine *engine, tick_t now)
{
    if (engine->run.iterations == 0)
        engine->next = begins_at(engine, now);
}

/* --- prompts --- */

/* Passes over whole padded prompts, as many at once as the budget takes. */
static fine_t whole_prompts_time(struct engine *engine, const struct padded_batch *batch)
{
    const struct engine_config *config = engine->config;
    int64_t at_once = config->max_batch_tokens / batch->prompt_tok;
    fine_t time = 0;
    for (int64_t left = batch->places; left > 0; left -= at_once) {
        int64_t count = int64_min(left, at_once);
        for (int64_t i = 0; i < count; i++)
            engine->chunks[i] = (struct prefill_chunk){0, batch->prompt_tok};
        time += steptime_mixed(config->steptime, 0, 0, engine->chunks, count, count);
    }
    return time;
}

/* Passes over pieces of one prompt after the other, where the budget does not take a whole one. */
static fine_t split_prompts_time(const struct engine *engine, const struct padded_batch *batch)
{
    const struct engine_config *config = engine->config;
    fine_t time = 0;
    for (int64_t start = 0; start < batch->prompt_tok; start += config->max_batch_tokens) {
        int64_t left = batch->prompt_tok - start;
        struct prefill_chunk chunk = {start, int64_min(left, config->max_batch_tokens)};
        time += steptime_mixed(config->steptime, 0, 0, &chunk, 1, chunk.tokens == left);
    }
    return batch->places * time;
}

static void plan_prompts(struct engine *engine, const struct padded_batch *batch)
{
    struct engine_run *run = &engine->run;
    bool whole = batch->prompt_tok <= engine->config->max_batch_tokens;
    run->iterations = 1;
    run->chunks = (uint32_t)batch->places;
    run->prefill_tok = (uint32_t)(batch->places * batch->prompt_tok);
    run->first = whole ? whole_prompts_time(engine, batch) : split_prompts_time(engine, batch);
    engine->totals.prefill_tok += run->prefill_tok;
}

static void form_batch(struct engine *engine)
{
    struct padded_batch batch = {0};
    while (engine->waiting > 0) {
        uint32_t number = waiting_first(engine);
        struct request *request = request_of(engine, number);
        if (!padded_add(engine->config, &batch, request))
            break;
        waiting_admit(engine, number);
        running_append(engine, number);
        if (request->first_scheduled == TICK_NEVER)
            request->first_scheduled = engine->boundary;
        request->computed = 0;
    }
    engine->last_call = false;
    engine->unanswered = (uint32_t)batch.places;
    engine->used_blocks = engine->reserved_blocks = padded_blocks(engine->config, &batch);
    engine->context_tok = batch.places * batch.prompt_tok; /* when the prompts are complete */
    plan_prompts(engine, &batch);
}

/* --- answers --- */

static void leave(struct engine *engine, uint32_t number)
{
    running_remove(engine, number);
    engine->ended[engine->ended_count++] = number;
}

/* Its last token was emitted. */
static void answer(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->emitted = request->output_tok;
    request->last_token = engine->boundary;
    engine->unanswered--;
    engine->held_tok -= (int64_t)request->prompt_tok + request->output_tok - 1;
    if (engine->config->batching.returned_early)
        leave(engine, number);
}

/* Of those it emits in this batch: who resumes has answered some before. */
static void emit_first_token(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->computed = (uint32_t)prefill_length(request);
    if (request->emitted == 0)
        request->first_token = engine->boundary;
    else if (engine->itl)
        histogram_add(engine->itl, engine->boundary - request->last_token, 1);
    request->emitted++;
    request->finish_token = engine->token + request->output_tok - request->emitted;
    engine->held_tok += request->computed;
    if (engine->fair)
        fair_share_charge_token(engine, request);
    if (request->emitted == request->output_tok) {
        answer(engine, number);
        return;
    }
    finish_push(engine, (struct finish_entry){request->finish_token, request->order, number});
    if (engine->fair)
        fair_share_decodes(engine, request, 1);
}

static void emit_first_tokens(struct engine *engine)
{
    uint32_t next;
    engine->decodes = engine->run.chunks;
    for (uint32_t i = engine->running.head; i != REQUEST_NONE; i = next) {
        next = request_of(engine, i)->next;
        emit_first_token(engine, i);
    }
}

static void emit_last_tokens(struct engine *engine)
{
    while (engine->unanswered > 0 && finish_first(engine)->token <= engine->token) {
        uint32_t number = finish_first(engine)->request;
        finish_drop_first(engine);
        if (engine->fair)
            fair_share_decodes(engine, request_of(engine, number), -1);
        answer(engine, number);
    }
}

/* It was cancelled before its last token. */
static void give_up(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->emitted = decode_emitted(engine, request);
    request->last_token = engine->boundary;
    engine->unanswered--;
    engine->held_tok -= (int64_t)request->prompt_tok + request->emitted - 1;
    if (engine->fair)
        fair_share_decodes(engine, request, -1);
    finish_forget(engine, number);
}

/* Their places stay in the batch. */
static void take_out_cancelled(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->cancelled_count; i++) {
        uint32_t number = engine->cancelled[i];
        struct request *request = request_of(engine, number);
        if (request->order == 0) { /* it has just been answered */
            request->cancelled = false;
            continue;
        }
        if (request->emitted < request->output_tok)
            give_up(engine, number);
        leave(engine, number);
    }
    engine->cancelled_count = 0;
}

static void end_batch(struct engine *engine)
{
    while (engine->running.head != REQUEST_NONE) {
        uint32_t number = engine->running.head;
        request_of(engine, number)->last_token = engine->boundary;
        leave(engine, number);
    }
    engine->decodes = 0;
    engine->context_tok = 0;
    engine->used_blocks = engine->reserved_blocks = 0;
}

/* --- the run --- */

static void advance_decodes(struct engine *engine)
{
    const struct engine_run *run = &engine->run;
    if (engine->itl && engine->unanswered > 0)
        histogram_add_run(engine->itl, run->first, run->step, run->iterations, engine->unanswered);
    int64_t growth_tok = engine->unanswered;
    if (engine->config->counts_slots)
        kv_slots_add(engine, run->iterations, engine->used_blocks, engine->held_tok + growth_tok,
                     growth_tok);
    engine->held_tok += (int64_t)run->iterations * growth_tok;
    engine->context_tok += (int64_t)run->iterations * run->decodes;
    engine->token += run->iterations;
}

void static_batch_end_iterations(struct engine *engine)
{
    engine->totals.iterations += engine->run.iterations;
    if (engine->run.decodes > 0)
        advance_decodes(engine);
    note_peak(engine, engine->used_blocks);
    run_advance_clock(engine);
}

static void plan_decodes(struct engine *engine)
{
    struct engine_run *run = &engine->run;
    uint64_t most = finish_first(engine)->token - engine->token;
    run->decodes = engine->decodes;
    most = run_follow_line(engine, engine->decodes, engine->config->stepwise ? 1 : most);
    run->iterations = run_within_clock(run, most);
}

static void end_run(struct engine *engine)
{
    static_batch_end_iterations(engine);
    if (engine->run.chunks > 0)
        emit_first_tokens(engine);
    emit_last_tokens(engine);
    if (engine->cancelled_count > 0)
        take_out_cancelled(engine);
    if (engine->unanswered == 0)
        end_batch(engine);
}

void static_batch_boundary(struct engine *engine)
{
    if (engine->run.iterations > 0) {
        end_run(engine);
    } else {
        engine->boundary = engine->next;
        engine->fraction = 0;
    }
    engine->run = (struct engine_run){0};
    engine->next = TICK_NEVER;
    if (engine->unanswered > 0) {
        plan_decodes(engine);
    } else {
        tick_t begin = begins_at(engine, engine->boundary);
        if (begin > engine->boundary) {
            engine->next = begin;
            return;
        }
        form_batch(engine);
    }
    engine->next = run_tick(engine, engine->run.iterations);
}
