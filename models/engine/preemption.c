#include "models/engine/preemption.h"

/* SGLang's retracted requests are queued as if they had just arrived (Scheduler
 * _add_request_to_queue); vLLM's go first. */
static void requeue(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    engine->run.preempted = true;
    request->computed = 0;
    request->preemptions++;
    engine->totals.preemptions++;
    if (engine->config->admission == ADMIT_ESTIMATE)
        waiting_append(engine, number);
    else
        waiting_prepend(engine, number);
}

void preempt_partial(struct engine *engine)
{
    uint32_t number = engine->partial;
    struct request *request = request_of(engine, number);
    give_back_blocks(engine, blocks_for(engine, request->computed));
    keep_blocks(engine, request, request->computed);
    engine->partial = REQUEST_NONE;
    running_remove(engine, number);
    requeue(engine, number);
}

static void preempt_decode(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->emitted = decode_emitted(engine, request);
    request->last_token = stall_leave(engine, request);
    uint32_t context_tok = request->prompt_tok + request->emitted - 1;
    decode_leave(engine, number, context_tok);
    keep_blocks(engine, request, context_tok);
    requeue(engine, number);
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
    while (decodes_lack_blocks(engine)) {
        if (engine->running.tail == engine->partial)
            preempt_partial(engine);
        else
            preempt_decode(engine, engine->running.tail);
    }
    if (engine->config->admission == ADMIT_ESTIMATE)
        raise_output_share(engine);
}
