/* See engine.h for what an engine does. The time of k iterations of a run is a polynomial of second
 * degree in k (run.h), so the iteration an arrival falls into is the root of a quadratic. How the
 * decodes are followed without touching them is in models/engine/decodes.h. */
#include "models/engine/engine.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/engine/batch.h"
#include "models/engine/decodes.h"
#include "models/engine/extras.h"
#include "models/engine/handover.h"
#include "models/engine/loading.h"
#include "models/engine/run.h"
#include "models/engine/stage_queues.h"
#include "models/engine/static_batch.h"

/* --- life --- */

bool engine_init(struct engine *engine, const struct engine_config *config,
                 struct request_pool *pool, struct histogram *itl)
{
    assert(config->prefill != PREFILL_MIXED ||
           config->max_batch_tokens >= config->max_sequences * (1 + config->speculation.draft_tok));
    assert(config->prefill == PREFILL_MIXED || config->batch_wait_iterations == 0);
    size_t sequences = (size_t)config->max_sequences;
    *engine = (struct engine){.next = TICK_NEVER,
                              .config = config,
                              .pool = pool,
                              .itl = itl,
                              .partial = REQUEST_NONE,
                              .running = {REQUEST_NONE, REQUEST_NONE},
                              .queue = {REQUEST_NONE, REQUEST_NONE},
                              .fetching = {REQUEST_NONE, REQUEST_NONE},
                              .fetched = {REQUEST_NONE, REQUEST_NONE},
                              .swapped = {REQUEST_NONE, REQUEST_NONE},
                              .loading = {REQUEST_NONE, REQUEST_NONE},
                              .loaded = {REQUEST_NONE, REQUEST_NONE},
                              .ordered = REQUEST_NONE,
                              .next_order = 1,
                              .output_share = config->output_share.start,
                              .answer_cap_tok =
                                  config->answer_cap_tok ? config->answer_cap_tok : UINT32_MAX,
                              .finish_capacity = (uint32_t)(2 * sequences + 2)};
    bool adapters = !config->lora || adapters_init(&engine->adapters, config->lora);
    engine->block_slots = calloc(config->block_tok, sizeof *engine->block_slots);
    engine->finish_heap = malloc(engine->finish_capacity * sizeof *engine->finish_heap);
    engine->chunk_requests = malloc(sequences * sizeof *engine->chunk_requests);
    engine->chunks = malloc(sequences * sizeof *engine->chunks);
    engine->ended = malloc(sequences * sizeof *engine->ended);
    engine->handed = malloc(sequences * sizeof *engine->handed);
    engine->fetches = malloc(sequences * sizeof *engine->fetches);
    engine->cancelled = malloc(sequences * sizeof *engine->cancelled);
    engine->stalls = malloc((sequences + 1) * sizeof *engine->stalls);
    engine->has_extras = extras_at_work(config);
    if (config->queue_order == ORDER_FAIR)
        engine->fair = fair_share_create(config);
    if (config->graph)
        engine->stages = stage_queues_create(config);
    bool order_is_there = config->queue_order != ORDER_FAIR || engine->fair;
    bool graph_is_there = !config->graph || engine->stages;
    if (adapters && order_is_there && graph_is_there && engine->block_slots &&
        engine->finish_heap && engine->chunk_requests && engine->chunks && engine->ended &&
        engine->handed && engine->fetches && engine->cancelled && engine->stalls)
        return true;
    engine_free(engine);
    return false;
}

void engine_free(struct engine *engine)
{
    free(engine->block_slots);
    free(engine->finish_heap);
    free(engine->chunk_requests);
    free(engine->chunks);
    free(engine->ended);
    free(engine->handed);
    free(engine->fetches);
    free(engine->cancelled);
    free(engine->stalls);
    fair_share_destroy(engine->fair);
    adapters_free(&engine->adapters);
    prefixes_destroy(engine->prefixes);
    stage_queues_destroy(engine->stages);
    *engine = (struct engine){.next = TICK_NEVER};
}

/* vLLM refuses what would pass max_model_len with all of its max_tokens. Without chunks a prompt
 * must fit the token budget, and so must what a preempted request recomputes. Drafts of the last
 * iteration may go beyond the answer. */
bool engine_accepts(const struct engine_config *config, uint32_t prompt_tok, uint32_t output_tok)
{
    int64_t length = (int64_t)prompt_tok + output_tok;
    if (length > config->max_model_tok)
        return false;
    if (config->batching.kind != BATCHING_CONTINUOUS)
        return static_batch_accepts(config, prompt_tok, output_tok);
    bool no_evict = config->admission == ADMIT_NO_EVICT;
    int64_t draft_tok = config->speculation.draft_tok;
    bool computed_once = no_evict || config->graph;
    if (!config->chunked_prefill &&
        (computed_once ? prompt_tok : length - 1) > config->max_batch_tokens)
        return false;
    if (config->admission == ADMIT_ESTIMATE) /* alone, with the page of estimate_fits */
        return length + draft_tok + config->block_tok < config->kv_blocks * config->block_tok;
    if (no_evict)
        return kv_reserved_blocks(config, prompt_tok, output_tok + draft_tok) <= config->kv_blocks;
    int64_t most_tok = draft_tok > 0 ? length + draft_tok : length - 1; /* see speculation_of */
    int64_t blocks = (most_tok + config->block_tok - 1) / config->block_tok;
    return blocks + config->watermark_blocks <= config->kv_blocks;
}
/* --- what a run has done --- */

static void end_request(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->last_token = engine->boundary;
    if (request->preemptions > 0)
        finish_forget(engine, number);
    engine->ended[engine->ended_count++] = number;
}

/* The gaps between tokens of a run that ends a stall. */
static void record_gaps_after_stall(struct engine *engine)
{
    stall_end(engine, run_tick(engine, 1));
    if (engine->itl && engine->run.iterations > 1)
        run_record_later_gaps(&engine->run, engine->itl);
}

/* All that the run's decodes did: tokens, inter-token latencies, blocks. */
static void advance_decodes(struct engine *engine)
{
    const struct engine_run *run = &engine->run;
    const struct engine_config *config = engine->config;
    uint64_t tokens = run->iterations;
    if (engine->has_extras)
        tokens = extras_advance_decodes(engine);
    if (engine->stall_count > 0)
        record_gaps_after_stall(engine);
    else if (engine->itl)
        run_record_gaps(run, engine->itl);
    engine->used_blocks += blocks_needed(engine, tokens);
    engine->ahead_blocks = 0;
    engine->context_tok += (int64_t)tokens * run->decodes;
    engine->token += tokens;
    engine->block_phase = (uint32_t)((engine->block_phase + tokens) % config->block_tok);
}

/* The run's iterations are over. */
static void end_iterations(struct engine *engine)
{
    engine->totals.iterations += engine->run.iterations;
    if (engine->run.decodes > 0)
        advance_decodes(engine);
    else if (engine->decodes > 0)
        stall_decodes(engine);
    if (engine->run.waits)
        engine->waited += (int64_t)engine->run.iterations;
    note_peak(engine, engine->used_blocks);
    run_advance_clock(engine);
}

static void end_finished_decodes(struct engine *engine)
{
    while (engine->decodes > 0) {
        struct finish_entry first = *finish_first(engine);
        if (first.token > engine->token)
            break;
        finish_drop_first(engine);
        struct request *request = request_of(engine, first.request);
        uint32_t context_tok = request->prompt_tok + request->output_tok - 1;
        decode_leave(engine, first.request, context_tok, (uint32_t)(engine->token - first.token));
        leave_blocks(engine, request, context_tok);
        request->emitted = request->output_tok;
        end_request(engine, first.request);
    }
}

/* A prompt is complete: its last token's output is the next token of the answer. */
static void emit_after_prefill(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    if (engine->prefixes && request->emitted == 0)
        prefixes_prompt_complete(engine, request);
    if (request->emitted == 0)
        request->first_token = engine->boundary;
    else if (engine->itl) /* it was preempted after its last token */
        histogram_add(engine->itl, engine->boundary - request->last_token, 1);
    request->emitted++;
    if (engine->fair)
        fair_share_charge_token(engine, request);
    if (request->emitted < request->output_tok) {
        if (request->handoff)
            hand_over(engine, number);
        else
            decode_join(engine, number, engine->boundary);
        return;
    }
    leave_blocks(engine, request, request->computed);
    running_remove(engine, number);
    end_request(engine, number);
}

static void end_prefills(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->run.chunks; i++)
        if (engine->chunk_requests[i] != engine->partial)
            emit_after_prefill(engine, engine->chunk_requests[i]);
}
/* --- the next run --- */

/* How many of up to `most` iterations are sure to find nobody to admit, if this one has not. */
static uint64_t closed_iterations(const struct engine *engine, uint64_t most)
{
    const struct engine_config *config = engine->config;
    /* Blocks that decodes take may change who waits, unless blocks were set aside for all. */
    if (engine->run.waits && config->admission != ADMIT_NO_EVICT)
        return 1;
    /* Who was preempted is somewhere in the queue, and who is at its head was not asked. At its
     * head, it would not fit: if its blocks were free, it would not have been preempted. But others
     * may have what it left, those whose KV was loaded have their blocks, without drafts it needs
     * fewer, and others pass it whose adapters are in their slots. */
    if (engine->run.preempted &&
        (config->admission == ADMIT_ESTIMATE || config->queue_order == ORDER_PRIORITY ||
         config->speculation.draft_tok > 0 || config->lora ||
         engine->swapped.head != REQUEST_NONE || engine->prefixes))
        return 1;
    if (!engine->run.waits)
        return most;
    uint64_t left = (uint64_t)(config->batch_wait_iterations - engine->waited);
    return left < most ? left : most;
}

/* As many iterations as leave the batch and the line of the step time as they are. */
static void plan_decode_run(struct engine *engine)
{
    struct engine_run *run = &engine->run;
    uint64_t most = 1;
    if (!engine->config->stepwise)
        most = run_iterations(run, finish_first(engine)->token - engine->token);
    most = run_follow_line(engine, engine->decodes, most);
    if (run->waits || run->preempted)
        most = closed_iterations(engine, most);
    run->iterations = run_within_clock(run, run_within_blocks(engine, most));
}

static void plan_prefill_run(struct engine *engine, int64_t finishing)
{
    struct engine_run *run = &engine->run;
    run->iterations = 1;
    run->step = 0;
    run->first = steptime_mixed(run_steptime(engine), run->decodes,
                                run->decodes > 0 ? engine->context_tok : 0, engine->chunks,
                                run->chunks, finishing);
    engine->totals.prefill_tok += run->prefill_tok;
}

/* Forms the next batch at engine->boundary and sets the next boundary. */
static void schedule(struct engine *engine)
{
    engine->run = (struct engine_run){0};
    engine->next = TICK_NEVER;
    int64_t finishing = 0;
    if (batch_is_decodes(engine))
        run_take_decodes(engine);
    else
        finishing = batch_form(engine);
    if (engine->run.chunks > 0)
        plan_prefill_run(engine, finishing);
    else if (engine->decodes > 0)
        plan_decode_run(engine);
    if (engine->run.iterations > 0)
        engine->next = run_tick(engine, engine->run.iterations);
    else
        engine->output_share = engine->config->output_share.start;
    if (engine->has_extras && engine->run.iterations > 0)
        extras_adjust_run(engine);
}
/* --- the two calls --- */

/* Ends the run, or the idling, when the next request's KV is here. */
static void wait_for_loads(struct engine *engine)
{
    tick_t loaded = loading_next(engine);
    if (engine_busy(engine))
        engine_cut(engine, loaded);
    else
        engine->next = loaded;
}

void engine_boundary(struct engine *engine)
{
    engine->ended_count = 0;
    engine->handed_count = 0;
    engine->fetch_count = 0;
    if (engine->has_extras && engine->config->batching.kind != BATCHING_CONTINUOUS) {
        static_batch_boundary(engine);
        return;
    }
    if (engine->has_extras && engine->stages) {
        stage_queues_boundary(engine);
        return;
    }
    if (engine->run.iterations > 0) {
        end_iterations(engine);
        end_finished_decodes(engine);
        end_prefills(engine);
        if (engine->cancelled_count > 0)
            take_out_cancelled(engine);
    } else { /* an idle engine that something arrived at */
        engine->boundary = engine->next;
        engine->fraction = 0;
    }
    if (engine->load_count > 0)
        loading_end(engine);
    schedule(engine);
    if (engine->load_count > 0)
        wait_for_loads(engine);
    assert(engine->next != TICK_NEVER || engine->waiting + engine->swapped_count == 0 ||
           engine->incoming > 0 || engine->held_blocks > 0);
}

/* How many iterations, at least 1, lead to the run's first boundary at or after `now`. */
static uint64_t iterations_until(const struct engine *engine, tick_t now)
{
    const struct engine_run *run = &engine->run;
    fine_t target = ((now - engine->boundary) << FINE_SHIFT) - engine->fraction;
    double slope = (double)run->step / 2;
    if (run_is_paced(run))
        slope *= (double)run->pace.per_turn / (double)PACE_ONE;
    double linear = (double)run->first - slope;
    double root = slope > 0
                      ? (sqrt(linear * linear + 4 * slope * (double)target) - linear) / (2 * slope)
                      : (double)target / (double)run->first;
    uint64_t k = root < 1 ? 1 : (uint64_t)root;
    if (k > run->iterations)
        k = run->iterations;
    while (k > 1 && run_time(run, k - 1) >= target)
        k--;
    while (k < run->iterations && run_time(run, k) < target)
        k++;
    return k;
}

void engine_cut(struct engine *engine, tick_t now)
{
    if (engine->run.iterations <= 1)
        return;
    engine->run.iterations = iterations_until(engine, now);
    engine->next = run_tick(engine, engine->run.iterations);
}

void engine_settle(struct engine *engine, tick_t now)
{
    struct engine_run *run = &engine->run;
    if (run->iterations <= 1)
        return;
    uint64_t ended = iterations_until(engine, now) - 1;
    if (ended == 0)
        return;
    struct engine_run rest = *run;
    run_skip(&rest, ended);
    run->iterations = ended;
    if (engine->config->batching.kind == BATCHING_CONTINUOUS)
        end_iterations(engine);
    else
        static_batch_end_iterations(engine);
    *run = rest;
}

/* Only whole blocks are found, and at least the last token is computed (vLLM,
 * kv_cache_manager.py, get_computed_blocks(); it is so in the other two). */
static uint32_t usable_cached_tok(const struct engine_config *config, const struct request *request)
{
    if (!config->keeps_blocks)
        return 0;
    uint32_t most = request->prompt_tok - 1;
    uint32_t tokens = request->cached_tok < most ? request->cached_tok : most;
    return tokens - tokens % config->block_tok;
}

void engine_submit(struct engine *engine, uint32_t number, tick_t now)
{
    struct request *request = request_of(engine, number);
    if (!request->remote_kv)
        request->first_scheduled = TICK_NEVER;
    request->stall_group = 0;
    request->begun_here = false;
    if (request->cached_tok > 0)
        request->cached_tok = usable_cached_tok(engine->config, request);
    if (engine->has_extras) {
        extras_submit(engine, number, now);
        return;
    }
    bool was_empty = engine->waiting == 0;
    waiting_append_fcfs(engine, number);
    if (!engine_busy(engine)) {
        if (now < engine->next)
            engine->next = now; /* begins after all that arrives at this tick */
        return;
    }
    /* Whoever was waiting already is blocked until the run ends: first come, first served. But who
     * waits for a fuller batch has got it, perhaps. */
    if ((was_empty && batch_may_admit(engine, number)) || engine->run.waits)
        engine_cut(engine, now);
}

void engine_last_call(struct engine *engine, tick_t now)
{
    if (engine->config->batching.kind == BATCHING_CONTINUOUS)
        return;
    engine->last_call = true;
    if (engine->next == TICK_NEVER && engine->waiting > 0)
        engine->next = now;
}

void engine_line_up(struct engine *engine)
{
    for (uint32_t number = queue_order_first(engine); number != REQUEST_NONE;
         number = queue_order_first(engine)) {
        queue_order_remove(engine, number);
        list_append(engine, &engine->queue, number);
    }
}

int64_t engine_blocks_at(const struct engine *engine, tick_t now)
{
    const struct engine_run *run = &engine->run;
    if (run->iterations == 0 || run->decodes == 0 || blocks_are_reserved(engine->config))
        return blocks_taken(engine);
    uint64_t current = run->iterations; /* the iteration that `now` falls into, from 1 */
    if (run->iterations > 1 && now < engine->next) {
        current = iterations_until(engine, now);
        if (run_tick(engine, current) <= now)
            current++;
    }
    return engine->used_blocks + blocks_needed(engine, run_tokens(run, current));
}
