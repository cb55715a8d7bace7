#include "models/engine/preemption.h"

static void count_preemption(struct engine *engine, struct request *request)
{
    engine->run.preempted = true;
    request->preemptions++;
    request->begun_here = true;
    engine->totals.preemptions++;
}

/* SGLang's retracted requests are queued as if they had just arrived (Scheduler
 * _add_request_to_queue); vLLM's go first, or by their priority. */
static void requeue(struct engine *engine, uint32_t number)
{
    const struct engine_config *config = engine->config;
    struct request *request = request_of(engine, number);
    count_preemption(engine, request);
    request->computed = 0;
    if (config->queue_order == ORDER_PRIORITY) {
        waiting_append(engine, number);
    } else if (config->admission == ADMIT_ESTIMATE) {
        queue_order_renew_ticket(engine, number);
        waiting_append(engine, number);
    } else {
        waiting_prepend(engine, number);
    }
}

void preempt_partial(struct engine *engine)
{
    uint32_t number = engine->partial;
    struct request *request = request_of(engine, number);
    keep_blocks(engine, request, request->computed);
    engine->partial = REQUEST_NONE;
    running_remove(engine, number);
    requeue(engine, number);
}

/* --- swapping --- */

static bool swap_out(struct engine *engine, uint32_t number, uint32_t context_tok)
{
    struct request *request = request_of(engine, number);
    int64_t blocks = blocks_for(engine, context_tok);
    if (engine->swapped_blocks + blocks > engine->config->swap_blocks)
        return false;
    count_preemption(engine, request);
    request->place = PLACE_SWAPPED;
    list_append(engine, &engine->swapped, number);
    engine->swapped_count++;
    engine->swapped_blocks += blocks;
    engine->copied_blocks += blocks;
    engine->totals.swaps++;
    return true;
}

static bool swapped_fits(const struct engine *engine, const struct request *request)
{
    int64_t sequences =
        (int64_t)engine->decodes + engine->incoming + (engine->partial != REQUEST_NONE);
    int64_t free = free_blocks(engine) - next_blocks(engine);
    struct pace pace = draft_pace(engine);
    int64_t next_tok = decodes_draft(engine) ? (int64_t)pace_steps(&pace, 1) : 1;
    int64_t held_tok = prefill_length(request) - 1 + engine->config->speculation.ahead_tok;
    int64_t needed = blocks_for(engine, held_tok + next_tok);
    return sequences < engine->config->max_sequences &&
           needed + engine->config->watermark_blocks <= free;
}

void swap_in(struct engine *engine)
{
    while (engine->swapped.head != REQUEST_NONE) {
        uint32_t number = engine->swapped.head;
        struct request *request = request_of(engine, number);
        if (!swapped_fits(engine, request))
            return;
        int64_t blocks = blocks_for(engine, prefill_length(request) - 1);
        swapped_remove(engine, number);
        engine->copied_blocks += blocks;
        engine->used_blocks += blocks;
        running_append(engine, number);
        decode_join(engine, number, request->last_token);
    }
}

/* --- decodes --- */

static void preempt_decode(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    uint32_t emitted = decode_emitted(engine, request);
    uint32_t context_tok = request->prompt_tok + emitted - 1;
    request->last_token = stall_leave(engine, request);
    decode_leave(engine, number, context_tok, 0);
    request->emitted = emitted;
    if (swap_out(engine, number, context_tok)) {
        give_back_blocks(engine, drop_blocks(engine, request, context_tok));
        return;
    }
    keep_blocks(engine, request, context_tok);
    requeue(engine, number);
}

void preempt(struct engine *engine, uint32_t number)
{
    if (number == engine->partial)
        preempt_partial(engine);
    else
        preempt_decode(engine, number);
}

/* SGLang's new_token_ratio after a retraction: what the others have answered so far, and what they
 * will have in 20 iterations more, of all they will answer (ScheduleBatch.retract_decode). */
static void raise_output_share(struct engine *engine)
{
    const int64_t retract_decode_steps = 20;
    int64_t answers_tok = 0;
    for (uint32_t i = engine->running.head; i != REQUEST_NONE; i = request_of(engine, i)->next)
        if (i != engine->partial)
            answers_tok += request_of(engine, i)->output_tok;
    int64_t answered_tok = answers_tok - decodes_left_tok(engine);
    int64_t expected_tok =
        int64_min(answered_tok + retract_decode_steps * engine->decodes, answers_tok + 1);
    /* The iteration that retracts does not lower it, and it is about to. */
    engine->output_share =
        expected_tok * OUTPUT_SHARE_ONE / (answers_tok + 1) + engine->config->output_share.step;
}

void make_room_for_decodes(struct engine *engine)
{
    while (decodes_lack_blocks(engine))
        preempt(engine, preemption_victim(engine));
    if (engine->config->admission == ADMIT_ESTIMATE)
        raise_output_share(engine);
}
