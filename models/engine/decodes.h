/* The sequences of an engine that decode: when each ends, which blocks they need, what gaps their
 * tokens have.
 *
 * A decoding sequence is never touched while it decodes. Its progress is the difference between
 * engine->token, which counts the tokens that each of the decodes has emitted, and its
 * finish_token. Joining and leaving cost O(log batch). Without speculation, tokens and iterations
 * are the same; with it, an iteration emits several tokens for each, at a pace common to all.
 *
 * A sequence with c tokens in the cache at token t needs a new block for every token u with
 * c + (u - t) divisible by the block size, that is for every token of one phase (u mod block size).
 * Counting sequences by phase gives the blocks that any number of tokens will need. Who speculates
 * holds blocks for ahead_tok tokens beyond its context (speculation.h).
 *
 * While prompts go first the decodes stall, and a request that was decoded elsewhere before has
 * waited, too. Those that emitted their last token at the same time form a group. Who is in which
 * is known without touching those that were decoding when the stall began: they are the first
 * group, and whoever joins while it lasts keeps the number of its group. Numbers of groups are
 * never used again (stall_serial), so those of stalls that are over say nothing.
 *
 * Inlined is what every request or every run passes through. */
#ifndef TOKENYARD_MODELS_ENGINE_DECODES_H
#define TOKENYARD_MODELS_ENGINE_DECODES_H

#include "models/engine/extras.h"
#include "models/engine/kept_blocks.h"
#include "models/engine/queues.h"

/* --- the pace --- */

/* Do the decodes, if they take part in the next iteration, draft tokens? Without speculation,
 * most_decodes is 0. (Asked all the time: most engines have no extras.) */
static inline bool decodes_draft(const struct engine *engine)
{
    return engine->has_extras && engine->decodes <= engine->config->speculation.most_decodes;
}

/* At which they emit tokens if they do, as long as their number stays as it is. */
static inline struct pace draft_pace(const struct engine *engine)
{
    return (struct pace){engine->config->speculation.pace.per_turn, engine->token_phase};
}

/* Batch tokens of the decodes. */
static inline int64_t decodes_tok(const struct engine *engine)
{
    if (!decodes_draft(engine))
        return engine->decodes;
    return engine->decodes * (1 + engine->config->speculation.draft_tok);
}

/* --- finish order --- */

static inline bool finish_before(const struct finish_entry *a, const struct finish_entry *b)
{
    return a->token != b->token ? a->token < b->token : a->order < b->order;
}

/* An entry outlives a preemption of its request, but not its request (finish_forget): the record
 * may soon be another's, on another replica, with the same order. */
static inline bool finish_is_stale(const struct engine *engine, const struct finish_entry *entry)
{
    return request_of(engine, entry->request)->order != entry->order;
}

/* For a heap that is full: stale entries go. */
void finish_drop_all_stale(struct engine *engine);
/* The request leaves before its time: its record may soon be another's, and no entry may stay. */
void finish_forget(struct engine *engine, uint32_t request);
void finish_drop_first(struct engine *engine);

static inline void finish_push(struct engine *engine, struct finish_entry entry)
{
    if (engine->finish_count == engine->finish_capacity)
        finish_drop_all_stale(engine);
    struct finish_entry *heap = engine->finish_heap;
    uint32_t at = engine->finish_count++;
    while (at > 0 && finish_before(&entry, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = entry;
}

/* The next decode to end; there is one whenever something decodes. */
static inline const struct finish_entry *finish_first(struct engine *engine)
{
    while (finish_is_stale(engine, &engine->finish_heap[0]))
        finish_drop_first(engine);
    return &engine->finish_heap[0];
}

/* --- KV blocks of decodes --- */

/* The phase of the tokens for which a sequence with blocks for context_tok needs another. */
static inline uint32_t block_slot(const struct engine *engine, uint32_t context_tok)
{
    uint32_t block_tok = engine->config->block_tok;
    uint32_t behind = context_tok % block_tok;
    uint32_t slot = engine->block_phase + (block_tok - behind);
    return slot >= block_tok ? slot - block_tok : slot;
}

/* Blocks that the decodes need for so many more tokens each. */
static inline int64_t blocks_needed(const struct engine *engine, uint64_t tokens)
{
    uint32_t block_tok = engine->config->block_tok;
    uint64_t cycles = tokens / block_tok;
    uint32_t rest = (uint32_t)(tokens % block_tok);
    int64_t needed = engine->ahead_blocks + (int64_t)cycles * engine->decodes;
    for (uint32_t i = 0, slot = engine->block_phase; i < rest; i++) {
        needed += engine->block_slots[slot];
        if (++slot == block_tok)
            slot = 0;
    }
    return needed;
}

int64_t next_blocks_drafting(const struct engine *engine);

/* Blocks that the decodes need in their next iteration. */
static inline int64_t next_blocks(const struct engine *engine)
{
    return engine->has_extras ? next_blocks_drafting(engine)
                              : engine->block_slots[engine->block_phase];
}

/* For how many of up to `wanted` tokens of each decode the free blocks are enough. */
static inline uint64_t affordable_tokens(const struct engine *engine, uint64_t wanted)
{
    uint32_t block_tok = engine->config->block_tok;
    int64_t left = free_blocks(engine) - engine->ahead_blocks;
    uint64_t cycles = (wanted + block_tok - 1) / block_tok;
    if ((int64_t)cycles * engine->decodes <= left)
        return wanted;
    uint64_t whole = (uint64_t)left / engine->decodes;
    left -= (int64_t)whole * engine->decodes;
    uint64_t affordable = whole * block_tok;
    for (uint32_t slot = engine->block_phase; affordable < wanted; affordable++) {
        left -= engine->block_slots[slot];
        if (left < 0)
            break;
        if (++slot == block_tok)
            slot = 0;
    }
    return affordable < wanted ? affordable : wanted;
}

/* --- stalls --- */

/* The decodes did not take part in an iteration that began at engine->boundary. */
void stall_decodes(struct engine *engine);

/* A decode, counted in engine->decodes, joined that emitted its last token at `since`: at a time
 * when the others stall, or earlier than these. */
void stall_join(struct engine *engine, struct request *request, tick_t since);

/* When the decode, which is about to leave, emitted its last token. */
tick_t stall_leave(struct engine *engine, const struct request *request);

/* Adds the gaps between the tokens before a stall and those of the iteration that ends at `end`. */
void stall_end(struct engine *engine, tick_t end);

/* --- decodes join and leave --- */

/* Tokens that the decodes have still to emit. */
static inline int64_t decodes_left_tok(const struct engine *engine)
{
    return (int64_t)(engine->finish_sum - engine->decodes * engine->token);
}

/* The same, where no answer counts for more than answer_cap_tok (ADMIT_ESTIMATE). */
int64_t decodes_left_capped_tok(const struct engine *engine);

/* What a decode with this much context holds beyond its blocks for that. */
static inline int64_t blocks_ahead(const struct engine *engine, int64_t context_tok)
{
    return blocks_for(engine, context_tok + engine->config->speculation.ahead_tok) -
           blocks_for(engine, context_tok);
}

/* A running request has its whole context in the cache, and emitted its last token at `since`:
 * engine->boundary, or before that, elsewhere. */
static inline void decode_join(struct engine *engine, uint32_t number, tick_t since)
{
    struct request *request = request_of(engine, number);
    uint32_t context_tok = request->prompt_tok + request->emitted - 1;
    engine->decodes++;
    engine->context_tok += context_tok;
    uint32_t ahead_tok = (uint32_t)engine->config->speculation.ahead_tok;
    if (ahead_tok > 0)
        engine->ahead_blocks += blocks_ahead(engine, context_tok);
    engine->block_slots[block_slot(engine, context_tok + ahead_tok)]++;
    request->finish_token = engine->token + (request->output_tok - request->emitted);
    engine->finish_sum += request->finish_token;
    finish_push(engine, (struct finish_entry){request->finish_token, request->order, number});
    if (engine->stall_count > 0 || since < engine->boundary)
        stall_join(engine, request, since);
    if (engine->has_extras)
        extras_count_decode(engine, request, 1);
}

/* Tokens a decode has emitted by now. */
static inline uint32_t decode_emitted(const struct engine *engine, const struct request *request)
{
    return request->output_tok - (uint32_t)(request->finish_token - engine->token);
}

/* Gives back what a decode holds beyond its context. Who leaves before its first iteration has not
 * taken it yet. */
void give_back_ahead(struct engine *engine, const struct request *request, int64_t context_tok,
                     int64_t ahead_tok);

/* Takes a decode with this much context out of the batch; its blocks for that are still in use.
 * beyond_tok: what its last iteration verified beyond the end of the answer. request->emitted is
 * still what it was when it joined. */
static inline void decode_leave(struct engine *engine, uint32_t number, uint32_t context_tok,
                                uint32_t beyond_tok)
{
    engine->decodes--;
    engine->context_tok -= context_tok + beyond_tok;
    uint32_t ahead_tok = (uint32_t)engine->config->speculation.ahead_tok + beyond_tok;
    engine->block_slots[block_slot(engine, context_tok + ahead_tok)]--;
    if (ahead_tok > 0)
        give_back_ahead(engine, request_of(engine, number), context_tok, ahead_tok);
    const struct request *request = request_of(engine, number);
    engine->finish_sum -= request->finish_token;
    if (engine->has_extras)
        extras_count_decode(engine, request, -1);
    running_remove(engine, number);
}

#endif
