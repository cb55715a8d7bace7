/* The engine against the schedulers of vLLM, TensorRT-LLM and SGLang written down as they read:
 * lists that are walked, blocks that are counted by request, one iteration at a time. The engine
 * does the same with counters, heaps and jumps; every time must agree to the tick. All rules are
 * drawn in all combinations, also in those that no engine has. */
#include <criterion/criterion.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/fleet/simulation.h"
#include "sim/random.h"
#include "tests/models/arrivals.h"
#include "tests/models/engine_rules.h"

enum { SCENES = 4500, REQUESTS_MAX = 60, BLOCKS_MAX = 200 };

struct scene {
    struct arrival arrivals[REQUESTS_MAX];
    uint32_t requests;
    struct engine_config engine;
};

/* --- the reference --- */

struct job;

/* A KV block, and the full stretch of tokens that is in it: the index-th of a request. */
struct block {
    const struct job *of; /* NULL: nothing to be found again */
    int64_t index;
};

struct job {
    tick_t arrival, first_scheduled, first_token, last_token;
    int64_t prompt, output;
    int64_t cached; /* of the prompt, before it arrived */
    int64_t emitted, computed, blocks;
    struct block *held[BLOCKS_MAX];
    int64_t scheduled; /* tokens in this iteration */
    bool decoding;     /* its prompt is complete since it was last admitted */
    bool rejected;
    uint32_t preemptions;
};

struct list {
    struct job *jobs[REQUESTS_MAX];
    uint32_t count;
};

struct reference {
    const struct engine_config *config;
    struct job jobs[REQUESTS_MAX];
    uint32_t arrived, count;
    struct list running, waiting;
    struct block blocks[BLOCKS_MAX];
    struct block *queue[BLOCKS_MAX]; /* free ones: the first is taken first */
    int64_t free_blocks, budget;
    int64_t set_aside;    /* of the free blocks: what stalled decodes need next */
    int64_t waited;       /* iterations, for a fuller batch */
    int64_t output_share; /* SGLang's new_token_ratio, in 1 / OUTPUT_SHARE_ONE */
    bool batch_is_full;   /* SGLang's */
    bool retracted;       /* in this iteration, for blocks that decodes need */
    uint64_t begun;       /* of a token, in 1 / PACE_ONE, that the pace of speculation has begun */
    tick_t now;
    fine_t fraction;
    /* What happened, for the test of the test. */
    uint64_t waits, refusals, stalls;
    int64_t found;  /* blocks found again */
    int64_t cached; /* blocks that others had left */
};

static void insert(struct list *list, uint32_t at, struct job *job)
{
    for (uint32_t i = list->count++; i > at; i--)
        list->jobs[i] = list->jobs[i - 1];
    list->jobs[at] = job;
}

static void take_out(struct list *list, uint32_t at)
{
    list->count--;
    for (uint32_t i = at; i < list->count; i++)
        list->jobs[i] = list->jobs[i + 1];
}

static int64_t blocks_of(const struct reference *reference, int64_t tokens)
{
    int64_t block = reference->config->block_tok;
    return (tokens + block - 1) / block;
}

static void take_block(struct reference *reference, struct job *job, int64_t at)
{
    job->held[job->blocks++] = reference->queue[at];
    reference->free_blocks--;
    for (int64_t i = at; i < reference->free_blocks; i++)
        reference->queue[i] = reference->queue[i + 1];
}

/* vllm/v1/core/block_pool.py, get_new_blocks(): what was in it is forgotten. */
static void take_blocks(struct reference *reference, struct job *job, int64_t count)
{
    for (; count > 0; count--) {
        reference->queue[0]->of = NULL;
        take_block(reference, job, 0);
    }
}

static int64_t available_blocks(const struct reference *reference)
{
    return reference->free_blocks - reference->set_aside;
}

/* kv_cache_manager.py, free(): in reverse order; full blocks can be found again. */
static void free_blocks(struct reference *reference, struct job *job)
{
    while (job->blocks > 0) {
        struct block *block = job->held[--job->blocks];
        bool full = (job->blocks + 1) * reference->config->block_tok <= job->computed;
        *block = (struct block){full ? job : NULL, job->blocks};
        reference->queue[reference->free_blocks++] = block;
    }
}

/* Where in the queue a block of the job is that was not taken since; -1: nowhere. */
static int64_t place_of(const struct reference *reference, const struct job *job, int64_t index)
{
    for (int64_t at = 0; at < reference->free_blocks; at++)
        if (reference->queue[at]->of == job && reference->queue[at]->index == index)
            return at;
    return -1;
}

/* kv_cache_manager.py, get_computed_blocks(): the longest run from the first; the last token is
 * computed anyhow. */
static int64_t kept_blocks(const struct reference *reference, const struct job *job)
{
    const struct engine_config *config = reference->config;
    if (!config->keeps_blocks || config->admission != ADMIT_PREEMPT)
        return 0;
    int64_t most = (job->prompt + job->emitted - 1) / config->block_tok, found = 0;
    while (found < most && place_of(reference, job, found) >= 0)
        found++;
    return found;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What others have left in the cache of the prompt, or itself. */
static int64_t found_tok(const struct reference *reference, const struct job *job)
{
    const struct engine_config *config = reference->config;
    int64_t cached = config->keeps_blocks ? smaller(job->cached, job->prompt - 1) : 0;
    int64_t blocks = larger(cached / config->block_tok, kept_blocks(reference, job));
    return blocks * config->block_tok;
}

static void take_found(struct reference *reference, struct job *job)
{
    job->computed = found_tok(reference, job);
    for (int64_t kept = kept_blocks(reference, job); kept > 0; kept--)
        take_block(reference, job, place_of(reference, job, job->blocks));
    reference->found += job->blocks;
    reference->cached += job->computed / reference->config->block_tok - job->blocks;
}

static void preempt_last(struct reference *reference)
{
    struct job *job = reference->running.jobs[--reference->running.count];
    free_blocks(reference, job);
    job->computed = job->scheduled = 0;
    job->decoding = false;
    job->preemptions++;
    reference->batch_is_full = false;
    bool last = reference->config->admission == ADMIT_ESTIMATE;
    insert(&reference->waiting, last ? reference->waiting.count : 0, job);
}

static void give_tokens(struct reference *reference, struct job *job, int64_t tokens)
{
    take_blocks(reference, job, blocks_of(reference, job->computed + tokens) - job->blocks);
    job->scheduled = tokens;
    reference->budget -= tokens;
    if (job->first_scheduled == TICK_NEVER)
        job->first_scheduled = reference->now;
}

/* What a decode emits in the next iteration that decodes. */
static int64_t next_tok(const struct reference *reference)
{
    const struct speculation *speculation = &reference->config->speculation;
    if (speculation->draft_tok == 0)
        return 1;
    return (int64_t)((reference->begun + speculation->pace.per_turn) / PACE_ONE);
}

/* Blocks for that, for what is beyond it ahead, and for what it has. */
static int64_t decode_blocks(const struct reference *reference, const struct job *job)
{
    return blocks_of(reference, job->computed + next_tok(reference) +
                                    reference->config->speculation.ahead_tok);
}

/* One token for each, or several, in order of admission. */
static void schedule_decodes(struct reference *reference)
{
    for (uint32_t i = 0; i < reference->running.count; i++) {
        struct job *job = reference->running.jobs[i];
        if (!job->decoding)
            continue;
        int64_t more = decode_blocks(reference, job) - job->blocks;
        while (more > reference->free_blocks && i < reference->running.count) {
            preempt_last(reference);
            reference->retracted = true;
        }
        if (i == reference->running.count)
            return;
        take_blocks(reference, job, more);
        job->scheduled = next_tok(reference);
        reference->budget -= 1 + reference->config->speculation.draft_tok;
    }
}

/* The one that is partly prefilled is the last that was admitted. */
static void schedule_partial(struct reference *reference)
{
    if (reference->running.count == 0 || reference->budget == 0)
        return;
    struct job *job = reference->running.jobs[reference->running.count - 1];
    if (job->decoding)
        return;
    int64_t tokens = smaller(job->prompt + job->emitted - job->computed, reference->budget);
    if (blocks_of(reference, job->computed + tokens) - job->blocks > available_blocks(reference))
        preempt_last(reference);
    else
        give_tokens(reference, job, tokens);
}

/* TensorRT-LLM's GuaranteedNoEvictScheduler. */
static bool fits_for_life(const struct reference *reference, const struct job *job)
{
    int64_t reserved = 0;
    for (uint32_t i = 0; i < reference->running.count; i++)
        reserved += blocks_of(reference, reference->running.jobs[i]->prompt +
                                             reference->running.jobs[i]->output +
                                             reference->config->speculation.draft_tok);
    int64_t drafts = reference->config->speculation.draft_tok;
    return blocks_of(reference, job->prompt + job->output + drafts) <=
           reference->config->kv_blocks - reserved;
}

/* SGLang's PrefillAdder. */
static bool fits_by_estimate(const struct reference *reference, const struct job *job)
{
    int64_t page = reference->config->block_tok, promised = 0, left = 0;
    for (uint32_t i = 0; i < reference->running.count; i++) {
        const struct job *other = reference->running.jobs[i];
        if (other->decoding)
            left += other->output - other->emitted;
        else
            promised += other->output - other->emitted + page;
    }
    int64_t spare =
        available_blocks(reference) * page - promised - (job->prompt + job->output + page);
    return spare * OUTPUT_SHARE_ONE > left * reference->output_share;
}

static bool fits(const struct reference *reference, const struct job *job)
{
    if (reference->config->admission == ADMIT_NO_EVICT)
        return fits_for_life(reference, job);
    if (reference->config->admission == ADMIT_ESTIMATE &&
        (reference->batch_is_full || !fits_by_estimate(reference, job)))
        return false;
    return blocks_of(reference, job->prompt + job->emitted) <= available_blocks(reference);
}

static int64_t decodes_of(const struct reference *reference)
{
    int64_t decodes = 0;
    for (uint32_t i = 0; i < reference->running.count; i++)
        decodes += reference->running.jobs[i]->decoding;
    return decodes;
}

static void schedule_waiting(struct reference *reference)
{
    while (reference->waiting.count > 0 && reference->budget > 0 &&
           reference->running.count < reference->config->max_sequences) {
        struct job *job = reference->waiting.jobs[0];
        int64_t tokens = job->prompt + job->emitted;
        if (!reference->config->chunked_prefill &&
            tokens - found_tok(reference, job) > reference->budget)
            break;
        if (!fits(reference, job)) {
            if (reference->config->admission == ADMIT_ESTIMATE && decodes_of(reference) > 0) {
                reference->refusals += !reference->batch_is_full;
                reference->batch_is_full = true;
            }
            break;
        }
        take_out(&reference->waiting, 0);
        insert(&reference->running, reference->running.count, job);
        take_found(reference, job);
        give_tokens(reference, job, smaller(tokens - job->computed, reference->budget));
    }
}

static void schedule_prompts(struct reference *reference)
{
    bool may_admit = !reference->retracted;
    uint32_t running = reference->running.count;
    schedule_partial(reference);
    if (may_admit && reference->running.count >= running)
        schedule_waiting(reference);
}

/* Of all prompts that are part of the iteration, each counted whole. */
static int64_t scheduled_prompts_tok(const struct reference *reference)
{
    int64_t tokens = 0;
    for (uint32_t i = 0; i < reference->running.count; i++) {
        const struct job *job = reference->running.jobs[i];
        if (!job->decoding && job->scheduled > 0)
            tokens += job->prompt + job->emitted;
    }
    return tokens;
}

/* TensorRT-LLM's PyExecutor._waiting_requests: the prompts are scheduled, and taken back. */
static void schedule_mixed(struct reference *reference)
{
    schedule_decodes(reference);
    static struct reference before;
    before = *reference;
    schedule_prompts(reference);
    int64_t tokens = scheduled_prompts_tok(reference), decodes = decodes_of(reference);
    if (reference->config->batch_wait_iterations == 0 || tokens == 0 || decodes == 0)
        return;
    if (reference->waited >= reference->config->batch_wait_iterations ||
        tokens + decodes * (1 + reference->config->speculation.draft_tok) >=
            reference->config->batch_wait_tok) {
        reference->waited = 0;
        return;
    }
    *reference = before;
    reference->waited++;
    reference->waits++;
}

/* SGLang's get_next_batch_to_run. What the decodes need next is not for prompts. */
static void schedule_prompts_first(struct reference *reference)
{
    for (uint32_t i = 0; i < reference->running.count; i++) {
        const struct job *job = reference->running.jobs[i];
        if (job->decoding)
            reference->set_aside += decode_blocks(reference, job) - job->blocks;
    }
    schedule_prompts(reference);
    reference->set_aside = 0;
    if (scheduled_prompts_tok(reference) == 0)
        schedule_decodes(reference);
    else
        reference->stalls += decodes_of(reference) > 0;
}

/* SGLang's update_running_batch and retract_decode. */
static void update_output_share(struct reference *reference)
{
    int64_t answered = 0, answers = 1, decodes = 0;
    for (uint32_t i = 0; i < reference->running.count; i++) {
        const struct job *job = reference->running.jobs[i];
        if (!job->decoding || job->scheduled == 0)
            continue;
        decodes++;
        answered += job->emitted;
        answers += job->output;
    }
    if (decodes == 0)
        return;
    if (reference->retracted)
        reference->output_share =
            smaller(answered + 20 * decodes, answers) * OUTPUT_SHARE_ONE / answers;
    else
        reference->output_share -= reference->config->output_share.step;
    if (reference->output_share < reference->config->output_share.least)
        reference->output_share = reference->config->output_share.least;
}

static void schedule(struct reference *reference)
{
    reference->budget = reference->config->max_batch_tokens;
    reference->retracted = false;
    if (reference->config->prefill == PREFILL_FIRST)
        schedule_prompts_first(reference);
    else
        schedule_mixed(reference);
    if (reference->config->admission == ADMIT_ESTIMATE)
        update_output_share(reference);
}

static fine_t iteration_time(const struct reference *reference)
{
    struct prefill_chunk chunks[REQUESTS_MAX];
    int64_t decodes = 0, context = 0, count = 0, finishing = 0;
    for (uint32_t i = 0; i < reference->running.count; i++) {
        const struct job *job = reference->running.jobs[i];
        if (job->decoding && job->scheduled > 0) {
            decodes++;
            context += job->computed;
        } else if (job->scheduled > 0) {
            chunks[count++] = (struct prefill_chunk){job->computed, job->scheduled};
            finishing += job->computed + job->scheduled == job->prompt + job->emitted;
        }
    }
    return steptime_mixed(reference->config->steptime, decodes, context, chunks, count, finishing);
}

static void run_iteration(struct reference *reference)
{
    fine_t time = reference->fraction + iteration_time(reference);
    reference->now += time >> FINE_SHIFT;
    reference->fraction = time & ((1 << FINE_SHIFT) - 1);
    bool decoded = false;
    for (uint32_t i = 0; i < reference->running.count;) {
        struct job *job = reference->running.jobs[i];
        int64_t scheduled = job->scheduled;
        job->computed += scheduled;
        job->scheduled = 0;
        decoded |= job->decoding && scheduled > 0;
        if (job->decoding) {
            job->emitted = smaller(job->emitted + scheduled, job->output);
        } else if (scheduled > 0 && job->computed == job->prompt + job->emitted) {
            job->decoding = true;
            if (job->emitted++ == 0)
                job->first_token = reference->now;
        }
        if (job->emitted == job->output) {
            job->last_token = reference->now;
            free_blocks(reference, job);
            reference->batch_is_full = false;
            take_out(&reference->running, i);
        } else {
            i++;
        }
    }
    if (decoded)
        reference->begun =
            (reference->begun + reference->config->speculation.pace.per_turn) % PACE_ONE;
}

static void take_arrivals(struct reference *reference)
{
    for (; reference->arrived < reference->count; reference->arrived++) {
        struct job *job = &reference->jobs[reference->arrived];
        if (job->arrival > reference->now)
            return;
        job->rejected =
            !engine_accepts(reference->config, (uint32_t)job->prompt, (uint32_t)job->output);
        if (!job->rejected)
            insert(&reference->waiting, reference->waiting.count, job);
    }
}

static void run_reference(const struct scene *scene, struct reference *reference)
{
    *reference = (struct reference){.config = &scene->engine,
                                    .count = scene->requests,
                                    .free_blocks = scene->engine.kv_blocks,
                                    .output_share = scene->engine.output_share.start};
    for (int64_t i = 0; i < reference->free_blocks; i++)
        reference->queue[i] = &reference->blocks[i];
    for (uint32_t i = 0; i < scene->requests; i++)
        reference->jobs[i] = (struct job){.arrival = tick_from_s(scene->arrivals[i].time_s),
                                          .first_scheduled = TICK_NEVER,
                                          .prompt = scene->arrivals[i].prompt_tok,
                                          .output = scene->arrivals[i].output_tok,
                                          .cached = scene->arrivals[i].cached_tok};
    for (;;) {
        take_arrivals(reference);
        if (reference->running.count == 0 && reference->waiting.count == 0) {
            if (reference->arrived == reference->count)
                break;
            reference->now = reference->jobs[reference->arrived].arrival;
            reference->fraction = 0;
            reference->output_share = scene->engine.output_share.start;
            continue;
        }
        schedule(reference);
        run_iteration(reference);
    }
    cr_assert_eq(reference->free_blocks, scene->engine.kv_blocks);
}

/* --- random scenes --- */

static uint32_t between(gsl_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)gsl_rng_uniform_int(rng, high - low + 1);
}

static struct scene draw_scene(gsl_rng *rng)
{
    struct scene scene = {.requests = between(rng, 1, REQUESTS_MAX)};
    uint32_t sequences = between(rng, 1, between(rng, 1, 20));
    scene.engine = (struct engine_config){.max_sequences = sequences,
                                          .max_batch_tokens = sequences + between(rng, 0, 100),
                                          .block_tok = between(rng, 1, 16),
                                          .kv_blocks = between(rng, 4, between(rng, 8, BLOCKS_MAX)),
                                          .max_model_tok = between(rng, 50, 1000),
                                          .chunked_prefill = between(rng, 0, 4) > 0};
    draw_engine_rules(rng, &scene.engine);
    draw_speculation(rng, &scene.engine);
    double grid = between(rng, 0, 1) ? 0.0009765625 : 0.001 * gsl_rng_uniform_pos(rng);
    struct steptime_given given = {.base_s = grid * between(rng, 0, 8),
                                   .per_sequence_s = grid * between(rng, 1, 3),
                                   .per_context_token_s = grid / 64 * between(rng, 0, 2),
                                   .per_prefill_token_s = grid / 16 * between(rng, 0, 2)};
    scene.engine.steptime =
        steptime_compile_given(&given, sequences, scene.engine.max_batch_tokens,
                               scene.engine.kv_blocks * scene.engine.block_tok, NULL);
    cr_assert_not_null(scene.engine.steptime);
    double time_s = 0;
    uint32_t longest = between(rng, 5, 120);
    for (uint32_t i = 0; i < scene.requests; i++) {
        time_s += between(rng, 0, 2) ? grid * between(rng, 0, 40) : 0;
        uint32_t prompt = between(rng, 1, longest);
        scene.arrivals[i] = (struct arrival){.time_s = time_s,
                                             .prompt_tok = prompt,
                                             .output_tok = between(rng, 1, longest),
                                             .cached_tok = draw_cached_tok(rng, prompt),
                                             .session = i};
    }
    return scene;
}

/* --- the comparison --- */

struct records {
    struct request_record records[REQUESTS_MAX];
    uint32_t count;
};

static void keep(void *context, const struct request_record *record)
{
    struct records *records = context;
    records->records[records->count++] = *record;
}

static void run_engine(const struct scene *scene, struct records *records)
{
    static const struct class_rule all = CLASS_RULE_ALL("all");
    static const struct router_config router = {.policy = {.index = 0}};
    struct pool_spec pool = {.name = "p", .engine = &scene->engine, .replicas = 1, .weight = 1};
    struct list_source list = LIST_SOURCE(scene->arrivals, scene->requests);
    struct simulation_spec spec = {.source = &list.source,
                                   .pools = &pool,
                                   .pool_count = 1,
                                   .router = &router,
                                   .classes = &all,
                                   .class_count = 1,
                                   .horizon_s = INFINITY,
                                   .observer = {.context = records, .request = keep}};
    struct simulation_result result;
    struct error error = {0};
    records->count = 0;
    cr_assert(simulation_run(&spec, &result, &error), "%s", error.message);
    simulation_result_free(&result);
}

static bool same_times(const struct request_record *record, const struct job *job)
{
    if (record->rejected || job->rejected)
        return record->rejected == job->rejected;
    return record->queue_s == tick_to_s(job->first_scheduled - job->arrival) &&
           record->ttft_s == tick_to_s(job->first_token - job->arrival) &&
           record->e2e_s == tick_to_s(job->last_token - job->arrival) &&
           record->preemptions == job->preemptions;
}

/* Records come in order of ends: each must match one request that was not matched yet. */
static bool matches_one(const struct request_record *record, const struct reference *reference,
                        bool *matched)
{
    for (uint32_t i = 0; i < reference->count; i++) {
        const struct job *job = &reference->jobs[i];
        if (matched[i] || record->arrival_s != tick_to_s(job->arrival) ||
            record->prompt_tok != job->prompt || record->output_tok != job->output ||
            !same_times(record, job))
            continue;
        return matched[i] = true;
    }
    return false;
}

static const char *rules_of(const struct engine_config *engine)
{
    static const char *const names[2][3] = {
        {"mixed, preempt", "mixed, no evict", "mixed, estimate"},
        {"prefill first, preempt", "prefill first, no evict", "prefill first, estimate"}};
    return names[engine->prefill][engine->admission];
}

struct tally {
    uint64_t preemptions[3], completed[3]; /* by admission */
    uint64_t waits, refusals, stalls;
    int64_t found[2];  /* by prefill */
    int64_t cached[3]; /* by admission */
};

static void compare(int number, struct tally *tally, const struct scene *scene,
                    const struct reference *reference, const struct records *records)
{
    cr_assert_eq(records->count, scene->requests);
    bool matched[REQUESTS_MAX] = {false};
    for (uint32_t r = 0; r < records->count; r++) {
        const struct request_record *record = &records->records[r];
        cr_assert(
            matches_one(record, reference, matched),
            "scene %d (%s): nothing like arrival %.17g, %u + %u tokens, TTFT %.17g, E2E %.17g",
            number, rules_of(&scene->engine), record->arrival_s, record->prompt_tok,
            record->output_tok, record->ttft_s, record->e2e_s);
        tally->preemptions[scene->engine.admission] += record->preemptions;
        tally->completed[scene->engine.admission] += !record->rejected;
    }
    tally->waits += reference->waits;
    tally->refusals += reference->refusals;
    tally->stalls += reference->stalls;
    tally->found[scene->engine.prefill] += reference->found;
    tally->cached[scene->engine.admission] += reference->cached;
}

Test(engine_reference, schedules_as_the_engines_do)
{
    gsl_rng *rng = random_stream(20260301, 0, "test/reference");
    struct tally tally = {0};
    for (int i = 0; i < SCENES; i++) {
        struct scene scene = draw_scene(rng);
        static struct reference reference;
        static struct records records;
        run_reference(&scene, &reference);
        run_engine(&scene, &records);
        compare(i, &tally, &scene, &reference, &records);
        steptime_destroy((struct steptime *)scene.engine.steptime);
    }
    /* The scenes must have been worth it. */
    cr_assert_gt(tally.preemptions[ADMIT_PREEMPT], 1000);
    cr_assert_gt(tally.preemptions[ADMIT_ESTIMATE], 200);
    cr_assert_eq(tally.preemptions[ADMIT_NO_EVICT], 0);
    for (int i = ADMIT_PREEMPT; i <= ADMIT_ESTIMATE; i++)
        cr_assert(tally.completed[i] > 10000 && tally.cached[i] > 10000);
    cr_assert_gt(tally.waits, 1000);
    cr_assert_gt(tally.refusals, 1000);
    cr_assert_gt(tally.stalls, 1000);
    cr_assert_gt(tally.found[PREFILL_MIXED], 300);
    cr_assert_gt(tally.found[PREFILL_FIRST], 300);
    gsl_rng_free(rng);
}
