#include "models/engine/decodes.h"

/* --- finish order --- */

static void finish_sift_down(struct engine *engine, uint32_t at, struct finish_entry entry)
{
    struct finish_entry *heap = engine->finish_heap;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= engine->finish_count)
            break;
        if (child + 1 < engine->finish_count && finish_before(&heap[child + 1], &heap[child]))
            child++;
        if (!finish_before(&heap[child], &entry))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = entry;
}

void finish_drop_first(struct engine *engine)
{
    struct finish_entry last = engine->finish_heap[--engine->finish_count];
    if (engine->finish_count > 0)
        finish_sift_down(engine, 0, last);
}

/* Drops the entries that are stale or of this request (REQUEST_NONE: of nobody). */
static void finish_keep_others(struct engine *engine, uint32_t request)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < engine->finish_count; i++) {
        const struct finish_entry *entry = &engine->finish_heap[i];
        if (entry->request != request && !finish_is_stale(engine, entry))
            engine->finish_heap[kept++] = *entry;
    }
    engine->finish_count = kept;
    for (uint32_t i = kept / 2; i-- > 0;)
        finish_sift_down(engine, i, engine->finish_heap[i]);
}

void finish_drop_all_stale(struct engine *engine)
{
    finish_keep_others(engine, REQUEST_NONE);
}

void finish_forget(struct engine *engine, uint32_t request)
{
    finish_keep_others(engine, request);
}

/* --- what is left --- */

int64_t decodes_left_capped_tok(const struct engine *engine)
{
    int64_t left_tok = decodes_left_tok(engine);
    if (engine->long_answers == 0)
        return left_tok;
    int64_t cap_tok = engine->answer_cap_tok;
    for (uint32_t i = 0; i < engine->finish_count; i++) {
        const struct finish_entry *entry = &engine->finish_heap[i];
        int64_t over_tok = (int64_t)(entry->token - engine->token) - cap_tok;
        if (over_tok > 0 && !finish_is_stale(engine, entry))
            left_tok -= over_tok;
    }
    return left_tok;
}

/* --- stalls --- */

void stall_decodes(struct engine *engine)
{
    if (engine->stall_count == 0)
        engine->stalls[engine->stall_count++] =
            (struct stalled_group){engine->boundary, engine->decodes};
}

/* At most max_sequences groups are not empty, and the first is never given to anybody else. */
static uint32_t empty_group(struct engine *engine)
{
    if (engine->stall_count <= engine->config->max_sequences)
        return engine->stall_count++;
    uint32_t group = 1;
    while (engine->stalls[group].decodes > 0)
        group++;
    return group;
}

void stall_join(struct engine *engine, struct request *request, tick_t since)
{
    if (engine->stall_count == 0) /* the others have just emitted a token */
        engine->stalls[engine->stall_count++] =
            (struct stalled_group){engine->boundary, engine->decodes - 1};
    uint32_t group = engine->stall_count - 1;
    if (group == 0 || engine->stalls[group].since != since) {
        group = empty_group(engine);
        engine->stalls[group] = (struct stalled_group){since, 0};
    }
    engine->stalls[group].decodes++;
    request->stall_group = engine->stall_serial + group;
}

tick_t stall_leave(struct engine *engine, const struct request *request)
{
    if (engine->stall_count == 0)
        return engine->boundary;
    uint64_t group = request->stall_group > engine->stall_serial
                         ? request->stall_group - engine->stall_serial
                         : 0;
    engine->stalls[group].decodes--;
    return engine->stalls[group].since;
}

void stall_end(struct engine *engine, tick_t end)
{
    if (engine->itl)
        for (uint32_t i = 0; i < engine->stall_count; i++)
            if (engine->stalls[i].decodes > 0)
                histogram_add(engine->itl, end - engine->stalls[i].since,
                              engine->stalls[i].decodes);
    engine->stall_serial += engine->stall_count;
    engine->stall_count = 0;
}

/* --- drafts --- */

int64_t next_blocks_drafting(const struct engine *engine)
{
    struct pace pace = draft_pace(engine);
    return blocks_needed(engine, decodes_draft(engine) ? pace_steps(&pace, 1) : 1);
}

void give_back_ahead(struct engine *engine, const struct request *request, int64_t context_tok,
                     int64_t ahead_tok)
{
    int64_t blocks = blocks_for(engine, context_tok + ahead_tok) - blocks_for(engine, context_tok);
    if (request->emitted == decode_emitted(engine, request)) {
        engine->ahead_blocks -= blocks;
        return;
    }
    if (engine->prefixes)
        prefixes_drop_unnamed(engine, blocks);
    give_back_blocks(engine, blocks);
}
