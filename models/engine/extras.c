#include "models/engine/extras.h"

#include "models/engine/batch.h"
#include "models/engine/kv_slots.h"
#include "models/engine/run.h"
#include "models/engine/static_batch.h"

bool extras_at_work(const struct engine_config *config)
{
    return config->queue_order != ORDER_FCFS || config->swap_blocks > 0 ||
           config->prefill == PREFILL_DECODE_FIRST || config->answer_cap_tok > 0 ||
           config->batching.kind != BATCHING_CONTINUOUS || config->counts_slots ||
           config->admission == ADMIT_ESTIMATE || config->speculation.draft_tok > 0 ||
           config->lora || config->graph;
}

/* --- before prompts --- */

/* PREFILL_DECODE_FIRST: when those that wait may interrupt the decodes. */
static tick_t prompts_due(const struct engine *engine)
{
    tick_t wait = engine->config->decode_first_wait;
    if (wait == TICK_NEVER)
        return TICK_NEVER;
    return request_of(engine, waiting_first(engine))->arrival + wait;
}

/* PREFILL_DECODE_FIRST: once the decodes have begun, prompts wait until they have ended, or until
 * one has waited long enough. */
static bool prompts_stand_back(const struct engine *engine)
{
    if (engine->config->prefill != PREFILL_DECODE_FIRST || engine->decodes == 0 ||
        engine->after_prompts)
        return false;
    return engine->waiting == 0 || engine->boundary < prompts_due(engine);
}

bool extras_before_prompts(struct engine *engine)
{
    if (!engine->run.preempted)
        swap_in(engine);
    return !prompts_stand_back(engine);
}

/* --- decodes --- */

void extras_count_decode(struct engine *engine, const struct request *request, int change)
{
    if (request->output_tok > engine->answer_cap_tok)
        engine->long_answers += (uint32_t)change;
    if (engine->fair)
        fair_share_decodes(engine, request, change);
}

/* --- the run --- */

static void lower_output_share(struct engine *engine)
{
    const struct output_share *share = &engine->config->output_share;
    int64_t lower = engine->output_share - share->step * (int64_t)engine->run.iterations;
    engine->output_share = lower > share->least ? lower : share->least;
}

/* Returns the tokens that each decode has emitted. */
static uint64_t count_verified(struct engine *engine)
{
    const struct engine_run *run = &engine->run;
    uint64_t tokens = run_tokens(run, run->iterations);
    engine->token_phase = pace_after(&run->pace, run->iterations).phase;
    engine->totals.verified += run->iterations * run->decodes;
    engine->totals.verified_tok += tokens * run->decodes;
    return tokens;
}

uint64_t extras_advance_decodes(struct engine *engine)
{
    if (engine->config->admission == ADMIT_ESTIMATE)
        lower_output_share(engine);
    if (engine->config->counts_slots)
        kv_slots_count(engine);
    return run_is_paced(&engine->run) ? count_verified(engine) : engine->run.iterations;
}

/* PREFILL_DECODE_FIRST: the first of those that wait may interrupt the run when it is due. Who has
 * been due for long does not fit. */
static void stop_for_prompts(struct engine *engine)
{
    engine->after_prompts = engine->run.chunks > 0;
    if (engine->config->prefill != PREFILL_DECODE_FIRST || engine->waiting == 0)
        return;
    tick_t due = prompts_due(engine);
    if (due > engine->boundary && due < engine->next)
        engine_cut(engine, due);
}

static fine_t pause_left(const struct engine *engine)
{
    if (engine->paused_until <= engine->boundary)
        return 0;
    return ((engine->paused_until - engine->boundary) << FINE_SHIFT) - engine->fraction;
}

/* KV caches that were swapped, and adapters that a batch needs (vLLM's LRUCacheWorkerLoRAManager),
 * are copied before the iteration begins, and pauses end. */
static void add_delays(struct engine *engine, fine_t pause)
{
    engine->run.iterations = 1;
    engine->run.first +=
        engine->copied_blocks * engine->config->swap_block_time + engine->adapter_load + pause;
    engine->run.step = 0;
    engine->copied_blocks = 0;
    engine->adapter_load = 0;
}

void extras_adjust_run(struct engine *engine)
{
    struct engine_run *run = &engine->run;
    fine_t pause = pause_left(engine);
    if (engine->copied_blocks > 0 || engine->adapter_load > 0 || pause > 0)
        add_delays(engine, pause);
    /* Who was swapped comes back with room for what its next iteration emits. The pace may ask for
     * less of it than the iteration before did. */
    if (run_is_paced(run) && engine->swapped.head != REQUEST_NONE)
        run->iterations = 1;
    if (engine->fair && engine->waiting > 0 && engine->queue.head == REQUEST_NONE)
        run->iterations =
            run_iterations(run, fair_share_tokens(engine, run_tokens(run, run->iterations)));
    engine->next = run_tick(engine, run->iterations);
    stop_for_prompts(engine);
}

/* --- arrivals --- */

/* When the first of those that wait may be let in, if there is room. */
static tick_t let_in_from(const struct engine *engine, tick_t now)
{
    bool stands_back = engine->config->prefill == PREFILL_DECODE_FIRST && engine->run.decodes > 0;
    return stands_back ? int64_max(now, prompts_due(engine)) : now;
}

/* The run ends early if the request may be let in, or may come first before the run ends
 * (ORDER_FAIR). Who waits for a slot for its adapter is passed. */
static void cut_for_arrival(struct engine *engine, uint32_t number, tick_t now)
{
    bool is_first = waiting_first(engine) == number || engine->config->lora;
    /* Who is refused keeps out a better one that comes later: it has to be asked. */
    bool may_be_refused = engine->config->admission == ADMIT_ESTIMATE && !engine->refused;
    bool is_new_tenant = engine->fair && fair_share_only(engine, request_of(engine, number));
    tick_t cut = TICK_NEVER;
    if (is_first && (may_be_refused || batch_may_admit(engine, number)))
        cut = let_in_from(engine, now);
    if (is_new_tenant || engine->run.waits)
        cut = now;
    if (cut < engine->next)
        engine_cut(engine, cut);
}

void extras_submit(struct engine *engine, uint32_t number, tick_t now)
{
    struct request *request = request_of(engine, number);
    if (engine->config->lora)
        request->adapter = lora_adapter_of(engine->config->lora, request->adapter_draw);
    if (engine->config->queue_order != ORDER_FCFS)
        queue_order_rank(engine, number);
    if (engine->fair) /* counters of tenants are compared as they are now */
        engine_settle(engine, now);
    waiting_append(engine, number);
    if (engine->config->batching.kind != BATCHING_CONTINUOUS)
        static_batch_arrived(engine, now);
    else if (engine_busy(engine))
        cut_for_arrival(engine, number, now);
    else if (now < engine->next)
        engine->next = now;
}
