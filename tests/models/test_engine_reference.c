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

enum { SCENES = 4500, REQUESTS_MAX = 60, BLOCKS_MAX = 200, PROMPT_MAX = 120 };

struct scene {
    struct arrival arrivals[REQUESTS_MAX];
    uint64_t ids[REQUESTS_MAX][PROMPT_MAX]; /* hash_ids of the arrivals */
    uint32_t requests;
    struct engine_config engine;
};

/* --- the reference --- */

struct job;

/* A KV block, and the full stretch of tokens that is in it: one that any request may name, or the
 * index-th of one that was preempted. */
struct block {
    uint64_t id;          /* 0: no name */
    int64_t users;        /* of a block with a name */
    const struct job *of; /* NULL: nothing to be found again */
    int64_t index;
};

struct job {
    tick_t arrival, first_scheduled, first_token, last_token;
    int64_t prompt, output;
    int64_t cached; /* of the prompt, before it arrived */
    const struct class_traits *traits;
    uint32_t class_index;
    int64_t rank, ticket; /* in an order other than fcfs */
    int64_t emitted, computed, blocks;
    struct block *held[BLOCKS_MAX];
    const struct arrival *arrival_of_ids;
    int64_t ids;       /* full blocks of prompt and answer that have a name */
    int64_t named;     /* of those held */
    int64_t kept_from; /* `named` when it was preempted */
    int64_t scheduled; /* tokens in this iteration */
    bool decoding;     /* its prompt is complete since it was last admitted */
    bool charged;      /* its prompt, to its tenant */
    bool rejected;
    uint32_t preemptions;
};

struct list {
    struct job *jobs[REQUESTS_MAX];
    uint32_t count;
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

struct reference {
    const struct engine_config *config;
    struct job jobs[REQUESTS_MAX];
    uint32_t arrived, count;
    struct list running, waiting;
    struct list returned; /* preempted: go before those that wait */
    struct list swapped;
    int64_t host_blocks; /* taken by them */
    int64_t copied;      /* blocks, to and from the host for this iteration */
    int64_t tickets;
    int64_t counters[RULE_CLASSES]; /* of tenants: service so far */
    int64_t last_left;              /* the tenant that waited last; -1: none yet */
    bool prompts_before;            /* the iteration before worked on prompts */
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
    uint64_t waits, refusals, stalls, swaps, stand_backs, batches, batched;
    uint64_t passed_over;    /* who has waited longer, by another order than fcfs */
    int64_t shared, doubles; /* blocks that were found by name; that were computed twice */
    int64_t found;           /* blocks found again */
    int64_t cached;          /* blocks that others had left */
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
        *reference->queue[0] = (struct block){0};
        take_block(reference, job, 0);
    }
}

static int64_t available_blocks(const struct reference *reference)
{
    return reference->free_blocks - reference->set_aside;
}

/* kv_cache_manager.py, free(): in reverse order; full blocks can be found again, by all if they
 * have a name. */
static void free_blocks(struct reference *reference, struct job *job)
{
    job->kept_from = job->named;
    while (job->blocks > 0) {
        struct block *block = job->held[--job->blocks];
        bool full = (job->blocks + 1) * reference->config->block_tok <= job->computed;
        if (job->blocks >= job->named)
            *block = (struct block){.of = full ? job : NULL, .index = job->blocks};
        else if (--block->users > 0)
            continue;
        reference->queue[reference->free_blocks++] = block;
    }
    job->named = 0;
}

/* --- names --- */

static uint64_t id_of(const struct job *job, int64_t index)
{
    const struct arrival *arrival = job->arrival_of_ids;
    uint64_t stream = (uint64_t)arrival->stream << 60; /* each has names of its own */
    return stream ^
           (arrival->blocks > 0 ? arrival->hash_ids[index] & (uint64_t)-1 >> 4
                                : (uint64_t)arrival->session << 32 | (uint64_t)(index + 1));
}

static struct block *block_named(struct reference *reference, uint64_t id)
{
    for (int64_t i = 0; i < reference->config->kv_blocks; i++)
        if (reference->blocks[i].id == id)
            return &reference->blocks[i];
    return NULL;
}

static void use_named(struct reference *reference, struct block *block)
{
    if (block->users++ > 0)
        return;
    int64_t at = 0;
    while (reference->queue[at] != block)
        at++;
    for (reference->free_blocks--; at < reference->free_blocks; at++)
        reference->queue[at] = reference->queue[at + 1];
}

static void put_first(struct reference *reference, struct block *block)
{
    for (int64_t i = reference->free_blocks++; i > 0; i--)
        reference->queue[i] = reference->queue[i - 1];
    *block = (struct block){0};
    reference->queue[0] = block;
}

/* kv_cache_manager.py, allocate_slots(): full blocks are known by their name as soon as they are
 * scheduled. What somebody else computed, too, is not kept twice (SGLang, radix_cache.py,
 * cache_unfinished_req()). */
static void name_blocks(struct reference *reference, struct job *job, int64_t tokens)
{
    int64_t full = tokens / reference->config->block_tok;
    for (; job->named < job->ids && job->named < full; job->named++) {
        struct block **own = &job->held[job->named];
        struct block *others = block_named(reference, id_of(job, job->named));
        if (others) {
            use_named(reference, others);
            put_first(reference, *own);
            *own = others;
            reference->doubles++;
        } else {
            **own = (struct block){.id = id_of(job, job->named), .users = 1};
        }
    }
}

/* Leading blocks of what it has to prefill that are there by their names. */
static int64_t shared_blocks(struct reference *reference, const struct job *job)
{
    int64_t most = (job->prompt + job->emitted - 1) / reference->config->block_tok, found = 0;
    while (found < most && found < job->ids && block_named(reference, id_of(job, found)))
        found++;
    return found;
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
static int64_t kept_blocks(struct reference *reference, const struct job *job)
{
    const struct engine_config *config = reference->config;
    int64_t most = (job->prompt + job->emitted - 1) / config->block_tok;
    int64_t found = shared_blocks(reference, job);
    if (!config->keeps_blocks || config->admission != ADMIT_PREEMPT || found != job->kept_from)
        return found;
    while (found < most && place_of(reference, job, found) >= 0)
        found++;
    return found;
}

/* What others have left in the cache of the prompt, or itself. */
static int64_t found_tok(struct reference *reference, const struct job *job)
{
    const struct engine_config *config = reference->config;
    int64_t cached = config->keeps_blocks ? smaller(job->cached, job->prompt - 1) : 0;
    int64_t blocks = larger(cached / config->block_tok, kept_blocks(reference, job));
    return blocks * config->block_tok;
}

/* With names: either what is there, or a copy of what the workload says is cached. */
static bool finds_by_name(struct reference *reference, const struct job *job)
{
    return kept_blocks(reference, job) * reference->config->block_tok >= found_tok(reference, job);
}

static void take_named(struct reference *reference, struct job *job)
{
    for (int64_t shared = shared_blocks(reference, job); job->named < shared; job->named++) {
        struct block *block = block_named(reference, id_of(job, job->named));
        use_named(reference, block);
        job->held[job->blocks++] = block;
        reference->shared++;
    }
}

static void take_found(struct reference *reference, struct job *job)
{
    job->computed = found_tok(reference, job);
    int64_t kept = kept_blocks(reference, job);
    if (job->arrival_of_ids && !finds_by_name(reference, job))
        kept = 0;
    else
        take_named(reference, job);
    while (job->blocks < kept)
        take_block(reference, job, place_of(reference, job, job->blocks));
    for (int64_t i = 0; i < reference->free_blocks; i++)
        if (reference->queue[i]->of == job) /* of no use without what is before it */
            reference->queue[i]->of = NULL;
    reference->found += job->blocks;
    reference->cached += job->computed / reference->config->block_tok - job->blocks;
}

/* --- who goes first --- */

static int64_t rank_of(const struct reference *reference, const struct job *job)
{
    struct request request = {.arrival = job->arrival,
                              .prompt_tok = (uint32_t)job->prompt,
                              .output_tok = (uint32_t)job->output,
                              .stream = job->class_index,
                              .client = ARRIVAL_NO_ID};
    switch (reference->config->queue_order) {
    case ORDER_SHORTEST_PROMPT:
        return job->prompt;
    case ORDER_SHORTEST_OUTPUT:
        return output_predict(&reference->config->output_prediction, &request);
    case ORDER_EARLIEST_DEADLINE:
        return job->traits->deadline == TICK_NEVER ? TICK_NEVER
                                                   : job->arrival + job->traits->deadline;
    case ORDER_PRIORITY:
        return job->traits->priority;
    default:
        return 0;
    }
}

/* Of an output token; a prompt token is half of it. */
static int64_t charge_of(const struct job *job, double tokens)
{
    return llround(tokens * 65536 / job->traits->tenant_weight);
}

static bool goes_before(const struct reference *reference, const struct job *a, const struct job *b)
{
    const int64_t *counters = reference->counters;
    uint32_t tenant_a = a->traits->tenant, tenant_b = b->traits->tenant;
    if (reference->config->queue_order == ORDER_FAIR && tenant_a != tenant_b)
        return counters[tenant_a] != counters[tenant_b] ? counters[tenant_a] < counters[tenant_b]
                                                        : tenant_a < tenant_b;
    return a->rank != b->rank ? a->rank < b->rank : a->ticket < b->ticket;
}

static uint32_t first_of(const struct reference *reference, const struct list *list)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < list->count; i++)
        if (goes_before(reference, list->jobs[i], list->jobs[first]))
            first = i;
    return first;
}

static bool somebody_waits(const struct reference *reference)
{
    return reference->returned.count + reference->waiting.count > 0;
}

static struct job *next_job(const struct reference *reference)
{
    const struct list *waiting = &reference->waiting;
    return reference->returned.count > 0 ? reference->returned.jobs[0]
                                         : waiting->jobs[first_of(reference, waiting)];
}

/* The paper's monitoring stream: a tenant that comes back is lifted. */
static void lift(struct reference *reference, const struct job *job)
{
    int64_t lowest = INT64_MAX;
    for (uint32_t i = 0; i < reference->waiting.count; i++) {
        uint32_t tenant = reference->waiting.jobs[i]->traits->tenant;
        if (tenant == job->traits->tenant)
            return;
        lowest = smaller(lowest, reference->counters[tenant]);
    }
    if (reference->waiting.count == 0)
        lowest = reference->last_left < 0 ? 0 : reference->counters[reference->last_left];
    int64_t *counter = &reference->counters[job->traits->tenant];
    *counter = larger(*counter, lowest);
}

static void queue_up(struct reference *reference, struct job *job)
{
    lift(reference, job);
    insert(&reference->waiting, reference->waiting.count, job);
}

static void take_next(struct reference *reference)
{
    if (reference->returned.count > 0) {
        take_out(&reference->returned, 0);
        return;
    }
    struct list *waiting = &reference->waiting;
    uint32_t at = first_of(reference, waiting);
    struct job *job = waiting->jobs[at];
    for (uint32_t i = 0; i < waiting->count; i++)
        reference->passed_over +=
            waiting->jobs[i]->arrival < job->arrival && waiting->jobs[i]->preemptions == 0;
    take_out(waiting, at);
    bool last = true;
    for (uint32_t i = 0; i < waiting->count; i++)
        last &= waiting->jobs[i]->traits->tenant != job->traits->tenant;
    if (last)
        reference->last_left = job->traits->tenant;
    if (!job->charged)
        reference->counters[job->traits->tenant] += job->prompt * charge_of(job, 1);
    job->charged = true;
}

/* --- preemption --- */

/* Batch tokens of a decode. */
static int64_t batch_tok(const struct reference *reference)
{
    return 1 + reference->config->speculation.draft_tok;
}

/* vLLM's policies: the latest admitted, or max(running, key=(priority, arrival)). */
static uint32_t victim_of(const struct reference *reference)
{
    const struct list *running = &reference->running;
    uint32_t victim = running->count - 1;
    if (reference->config->queue_order != ORDER_PRIORITY)
        return victim;
    for (uint32_t i = 0; i < running->count; i++)
        if (goes_before(reference, running->jobs[victim], running->jobs[i]))
            victim = i;
    return victim;
}

static void requeue(struct reference *reference, struct job *job)
{
    if (reference->config->queue_order == ORDER_PRIORITY) {
        queue_up(reference, job);
    } else if (reference->config->admission == ADMIT_ESTIMATE) {
        job->ticket = reference->tickets++;
        queue_up(reference, job);
    } else {
        insert(&reference->returned, 0, job);
    }
}

/* vLLM V0's _swap_out; false: no room in host memory. */
static bool swap_out(struct reference *reference, struct job *job)
{
    int64_t blocks = blocks_of(reference, job->computed);
    if (!job->decoding || reference->host_blocks + blocks > reference->config->swap_blocks)
        return false;
    reference->host_blocks += blocks;
    reference->copied += blocks;
    reference->swaps++;
    insert(&reference->swapped, reference->swapped.count, job);
    return true;
}

static struct job *preempt(struct reference *reference, uint32_t at)
{
    struct job *job = reference->running.jobs[at];
    take_out(&reference->running, at);
    bool swapped = swap_out(reference, job);
    if (swapped)
        job->computed = 0; /* what is left behind is not found again */
    free_blocks(reference, job);
    bool decodes = job->decoding && job->scheduled > 0;
    reference->budget += decodes ? batch_tok(reference) : job->scheduled;
    job->computed = job->scheduled = 0;
    job->decoding = false;
    job->preemptions++;
    reference->batch_is_full = false;
    if (!swapped)
        requeue(reference, job);
    return job;
}

static void give_tokens(struct reference *reference, struct job *job, int64_t tokens)
{
    take_blocks(reference, job, blocks_of(reference, job->computed + tokens) - job->blocks);
    job->scheduled = tokens;
    reference->budget -= tokens;
    if (job->first_scheduled == TICK_NEVER)
        job->first_scheduled = reference->now;
}

static void give_prompt_tokens(struct reference *reference, struct job *job, int64_t tokens)
{
    give_tokens(reference, job, tokens);
    name_blocks(reference, job, job->computed + tokens);
}

/* What a decode emits in the next iteration that decodes. */
static int64_t next_tok(const struct reference *reference)
{
    const struct speculation *speculation = &reference->config->speculation;
    if (speculation->draft_tok == 0)
        return 1;
    return (int64_t)((reference->begun + speculation->pace.per_turn) / PACE_ONE);
}

static int64_t next_token_blocks(const struct reference *reference, const struct job *job)
{
    int64_t held = job->computed + next_tok(reference) + reference->config->speculation.ahead_tok;
    return blocks_of(reference, held) - job->blocks;
}

static void decode(struct reference *reference, struct job *job)
{
    take_blocks(reference, job, next_token_blocks(reference, job));
    job->scheduled = next_tok(reference);
    reference->budget -= batch_tok(reference);
}

/* One token for each, or several, in order of admission. */
static void schedule_decodes(struct reference *reference)
{
    const struct list *running = &reference->running;
    for (uint32_t i = 0; i < running->count; i++) {
        struct job *job = running->jobs[i];
        if (!job->decoding)
            continue;
        bool gone = false;
        while (!gone && next_token_blocks(reference, job) > reference->free_blocks) {
            uint32_t victim = victim_of(reference);
            gone = preempt(reference, victim) == job;
            i -= victim <= i;
            reference->retracted = true;
        }
        if (!gone)
            decode(reference, job);
    }
}

/* vLLM V0's _schedule_swapped. */
static void schedule_swapped(struct reference *reference, bool take_part)
{
    const struct engine_config *config = reference->config;
    while (reference->swapped.count > 0 && reference->running.count < config->max_sequences) {
        struct job *job = reference->swapped.jobs[0];
        int64_t tokens = job->prompt + job->emitted;
        int64_t needed = tokens - 1 + next_tok(reference) + config->speculation.ahead_tok;
        if (blocks_of(reference, needed) + config->watermark_blocks > available_blocks(reference))
            return;
        take_out(&reference->swapped, 0);
        insert(&reference->running, reference->running.count, job);
        job->decoding = true;
        job->computed = tokens - 1;
        int64_t blocks = blocks_of(reference, job->computed);
        take_blocks(reference, job, blocks);
        reference->host_blocks -= blocks;
        reference->copied += blocks;
        if (take_part)
            decode(reference, job);
        else
            reference->set_aside += next_token_blocks(reference, job);
    }
}

static uint32_t partial_of(const struct reference *reference)
{
    uint32_t at = 0;
    while (at < reference->running.count && reference->running.jobs[at]->decoding)
        at++;
    return at;
}

static void schedule_partial(struct reference *reference)
{
    if (partial_of(reference) == reference->running.count || reference->budget == 0)
        return;
    struct job *job = reference->running.jobs[partial_of(reference)];
    for (;;) {
        int64_t tokens = smaller(job->prompt + job->emitted - job->computed, reference->budget);
        int64_t more = blocks_of(reference, job->computed + tokens) - job->blocks;
        if (more <= available_blocks(reference)) {
            give_prompt_tokens(reference, job, tokens);
            return;
        }
        uint32_t victim = partial_of(reference);
        if (reference->config->queue_order == ORDER_PRIORITY)
            victim = victim_of(reference);
        const struct job *evicted = reference->running.jobs[victim];
        if (reference->set_aside > 0 && evicted != job)
            reference->set_aside -= next_token_blocks(reference, evicted);
        if (preempt(reference, victim) == job)
            return;
    }
}

/* All that a request ever takes: of TensorRT-LLM's blocks, or of one stretch of memory. */
static int64_t lifetime_tok(const struct reference *reference, const struct job *job)
{
    int64_t rounded = 1;
    switch (reference->config->kv_allocation) {
    case KV_CONTIGUOUS_MAX:
        return reference->config->max_model_tok;
    case KV_CONTIGUOUS_POW2:
        while (rounded < job->output)
            rounded += rounded;
        return smaller(job->prompt + rounded, reference->config->max_model_tok);
    default:
        return job->prompt + job->output + reference->config->speculation.draft_tok;
    }
}

/* TensorRT-LLM's GuaranteedNoEvictScheduler. */
static bool fits_for_life(const struct reference *reference, const struct job *job)
{
    int64_t reserved = 0;
    for (uint32_t i = 0; i < reference->running.count; i++)
        reserved += blocks_of(reference, lifetime_tok(reference, reference->running.jobs[i]));
    return blocks_of(reference, lifetime_tok(reference, job)) <=
           reference->config->kv_blocks - reserved;
}

/* Blocks of what it finds that others use now: they need no room. */
static int64_t blocks_in_use(struct reference *reference, const struct job *job)
{
    int64_t in_use = 0;
    if (finds_by_name(reference, job))
        for (int64_t i = shared_blocks(reference, job); i > 0; i--)
            in_use += block_named(reference, id_of(job, i - 1))->users > 0;
    return in_use;
}

/* What a request may still answer, as far as it counts. */
static int64_t counted_tok(const struct reference *reference, const struct job *job)
{
    int64_t cap = reference->config->answer_cap_tok, left = job->output - job->emitted;
    return cap > 0 ? smaller(left, cap) : left;
}

/* SGLang's PrefillAdder. */
static bool fits_by_estimate(struct reference *reference, const struct job *job)
{
    int64_t page = reference->config->block_tok, promised = 0, left = 0;
    for (uint32_t i = 0; i < reference->running.count; i++) {
        const struct job *other = reference->running.jobs[i];
        if (other->decoding)
            left += counted_tok(reference, other);
        else
            promised += counted_tok(reference, other) + page;
    }
    int64_t wanted = job->prompt + job->emitted + counted_tok(reference, job) + page;
    int64_t free = available_blocks(reference) + blocks_in_use(reference, job);
    int64_t spare = free * page - promised - wanted;
    return spare * OUTPUT_SHARE_ONE > left * reference->output_share;
}

static bool fits(struct reference *reference, const struct job *job)
{
    if (reference->config->admission == ADMIT_NO_EVICT)
        return fits_for_life(reference, job);
    if (reference->config->admission == ADMIT_ESTIMATE &&
        (reference->batch_is_full || !fits_by_estimate(reference, job)))
        return false;
    return blocks_of(reference, job->prompt + job->emitted) - blocks_in_use(reference, job) +
               reference->config->watermark_blocks <=
           available_blocks(reference);
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
    while (somebody_waits(reference) && reference->swapped.count == 0 && reference->budget > 0 &&
           reference->running.count < reference->config->max_sequences) {
        struct job *job = next_job(reference);
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
        take_next(reference);
        insert(&reference->running, reference->running.count, job);
        take_found(reference, job);
        give_prompt_tokens(reference, job, smaller(tokens - job->computed, reference->budget));
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
    if (!reference->retracted)
        schedule_swapped(reference, true);
    static struct reference before;
    before = *reference;
    schedule_prompts(reference);
    int64_t tokens = scheduled_prompts_tok(reference), decodes = decodes_of(reference);
    if (reference->config->batch_wait_iterations == 0 || tokens == 0 || decodes == 0)
        return;
    if (reference->waited >= reference->config->batch_wait_iterations ||
        tokens + decodes * batch_tok(reference) >= reference->config->batch_wait_tok) {
        reference->waited = 0;
        return;
    }
    *reference = before;
    reference->waited++;
    reference->waits++;
}

/* Once decodes have begun, prompts wait for their end, unless one has waited long enough. */
static bool prompts_stand_back(const struct reference *reference)
{
    if (reference->config->prefill != PREFILL_DECODE_FIRST || decodes_of(reference) == 0 ||
        reference->prompts_before)
        return false;
    if (!somebody_waits(reference) || reference->config->decode_first_wait == TICK_NEVER)
        return true;
    return reference->now < next_job(reference)->arrival + reference->config->decode_first_wait;
}

/* SGLang's get_next_batch_to_run. What the decodes need next is not for prompts. */
static void schedule_prompts_first(struct reference *reference)
{
    for (uint32_t i = 0; i < reference->running.count; i++) {
        const struct job *job = reference->running.jobs[i];
        if (job->decoding)
            reference->set_aside += next_token_blocks(reference, job);
    }
    schedule_swapped(reference, false);
    if (prompts_stand_back(reference))
        reference->stand_backs += somebody_waits(reference);
    else
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
    reference->copied = 0;
    if (reference->config->prefill == PREFILL_MIXED)
        schedule_mixed(reference);
    else
        schedule_prompts_first(reference);
    reference->prompts_before = scheduled_prompts_tok(reference) > 0;
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
    return reference->copied * reference->config->swap_block_time +
           steptime_mixed(reference->config->steptime, decodes, context, chunks, count, finishing);
}

/* Those that arrive up to the end of an iteration find counters as they were before it. */
static void take_arrivals(struct reference *reference)
{
    for (; reference->arrived < reference->count; reference->arrived++) {
        struct job *job = &reference->jobs[reference->arrived];
        if (job->arrival > reference->now)
            return;
        job->rejected =
            !engine_accepts(reference->config, (uint32_t)job->prompt, (uint32_t)job->output);
        if (job->rejected)
            continue;
        job->ticket = reference->tickets++;
        job->rank = rank_of(reference, job);
        queue_up(reference, job);
    }
}

static void pass(struct reference *reference, fine_t time)
{
    time += reference->fraction;
    reference->now += time >> FINE_SHIFT;
    reference->fraction = time & ((1 << FINE_SHIFT) - 1);
    take_arrivals(reference);
}

static void run_iteration(struct reference *reference)
{
    pass(reference, iteration_time(reference));
    bool decoded = false;
    for (uint32_t i = 0; i < reference->running.count;) {
        struct job *job = reference->running.jobs[i];
        int64_t scheduled = job->scheduled;
        job->computed += scheduled;
        job->scheduled = 0;
        decoded |= job->decoding && scheduled > 0;
        if (job->decoding) {
            reference->counters[job->traits->tenant] += scheduled * charge_of(job, 2);
            job->emitted = smaller(job->emitted + scheduled, job->output);
            job->computed = smaller(job->computed, job->prompt + job->output - 1);
        } else if (scheduled > 0 && job->computed == job->prompt + job->emitted) {
            job->decoding = true;
            reference->counters[job->traits->tenant] += charge_of(job, 2);
            if (job->emitted++ == 0)
                job->first_token = reference->now;
        }
        if (job->emitted == job->output) {
            job->last_token = reference->now;
            name_blocks(reference, job, job->computed);
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

/* --- batches that are served to their end --- */

struct static_shape {
    int64_t places, prompt, output; /* the longest */
};

/* What the batch would be with one more; places 0: it does not fit. */
static struct static_shape with(const struct reference *reference, struct static_shape shape,
                                const struct job *job)
{
    const struct engine_config *config = reference->config;
    struct job longest = {.prompt = larger(shape.prompt, job->prompt),
                          .output = larger(shape.output, job->output)};
    int64_t blocks = blocks_of(reference, lifetime_tok(reference, &longest));
    int64_t places = shape.places + 1;
    if (places > smaller(config->batching.max_batch, config->max_sequences) ||
        places * blocks > config->kv_blocks)
        return (struct static_shape){0};
    return (struct static_shape){places, longest.prompt, longest.output};
}

/* Would one more arrival not change the batch? */
static bool static_is_full(const struct reference *reference)
{
    const struct engine_config *config = reference->config;
    struct static_shape shape = {0};
    for (uint32_t i = 0; i < reference->waiting.count; i++) {
        shape = with(reference, shape, reference->waiting.jobs[i]);
        if (shape.places == 0 ||
            shape.places == smaller(config->batching.max_batch, config->max_sequences))
            return true;
    }
    return false;
}

static void wait_until(struct reference *reference, tick_t time)
{
    reference->now = time;
    reference->fraction = 0;
    take_arrivals(reference);
}

/* Goes to the time the next batch begins. */
static void await_batch(struct reference *reference)
{
    tick_t window = reference->config->batching.window;
    while (!static_is_full(reference)) {
        bool more = reference->arrived < reference->count;
        tick_t arrival = more ? reference->jobs[reference->arrived].arrival : TICK_NEVER;
        tick_t due = TICK_NEVER;
        if (window != TICK_NEVER)
            due = reference->waiting.jobs[0]->arrival + window;
        if (due <= reference->now)
            return;
        if (due == TICK_NEVER && !more) { /* nobody else will come */
            wait_until(reference, reference->now);
            return;
        }
        wait_until(reference, smaller(arrival, due));
    }
}

static fine_t padded_prompts_time(const struct reference *reference, struct static_shape shape)
{
    const struct engine_config *config = reference->config;
    struct prefill_chunk chunks[REQUESTS_MAX];
    int64_t budget = config->max_batch_tokens, count = 0, tokens = 0;
    fine_t time = 0;
    for (int64_t i = 0; i < shape.places; i++)
        for (int64_t start = 0; start < shape.prompt; start += budget) {
            int64_t length = smaller(shape.prompt - start, budget);
            if (tokens + length > budget || (shape.prompt > budget && count > 0)) {
                int64_t end = chunks[count - 1].start + chunks[count - 1].tokens;
                time += steptime_mixed(config->steptime, 0, 0, chunks, count,
                                       end == shape.prompt ? count : 0);
                count = tokens = 0;
            }
            chunks[count++] = (struct prefill_chunk){start, length};
            tokens += length;
        }
    return time + steptime_mixed(config->steptime, 0, 0, chunks, count, count);
}

static void run_batch(struct reference *reference)
{
    const struct engine_config *config = reference->config;
    struct static_shape shape = {0};
    struct list batch = {.count = 0};
    while (reference->waiting.count > 0) {
        struct job *job = next_job(reference);
        struct static_shape more = with(reference, shape, job);
        if (more.places == 0)
            break;
        shape = more;
        take_next(reference);
        job->first_scheduled = reference->now;
        insert(&batch, batch.count, job);
    }
    int64_t places = shape.places;
    pass(reference, padded_prompts_time(reference, shape));
    for (int64_t emitted = 1; emitted <= shape.output; emitted++) {
        if (emitted > 1)
            pass(reference, steptime_mixed(config->steptime, places,
                                           places * (shape.prompt + emitted - 2), NULL, 0, 0));
        for (uint32_t i = 0; i < batch.count; i++) {
            struct job *job = batch.jobs[i];
            if (emitted == 1)
                job->first_token = reference->now;
            if (emitted <= job->output)
                reference->counters[job->traits->tenant] += charge_of(job, 2);
            if (job->output == emitted || !config->batching.returned_early)
                job->last_token = reference->now;
        }
    }
    reference->batches++;
    reference->batched += batch.count;
}

static void run_step(struct reference *reference)
{
    if (reference->config->batching.kind == BATCHING_CONTINUOUS) {
        schedule(reference);
        run_iteration(reference);
    } else {
        await_batch(reference);
        run_batch(reference);
    }
}

/* Full blocks only; a session's answers have names, too, but for the last token. */
static void give_ids(const struct reference *reference, struct job *job,
                     const struct arrival *arrival)
{
    int64_t block = reference->config->block_tok;
    const struct engine_config *config = reference->config;
    if (!config->keeps_blocks || config->kv_allocation != KV_PAGED ||
        config->batching.kind != BATCHING_CONTINUOUS)
        return;
    if (arrival->blocks > 0)
        job->ids = job->prompt / block;
    else if (arrival->session > 0)
        job->ids = (job->prompt + job->output - 1) / block;
    else
        return;
    job->arrival_of_ids = arrival;
}

static void run_reference(const struct scene *scene, struct reference *reference)
{
    *reference = (struct reference){.config = &scene->engine,
                                    .count = scene->requests,
                                    .last_left = -1,
                                    .free_blocks = scene->engine.kv_blocks,
                                    .output_share = scene->engine.output_share.start};
    for (int64_t i = 0; i < reference->free_blocks; i++)
        reference->queue[i] = &reference->blocks[i];
    for (uint32_t i = 0; i < scene->requests; i++)
        reference->jobs[i] = (struct job){.arrival = tick_from_s(scene->arrivals[i].time_s),
                                          .first_scheduled = TICK_NEVER,
                                          .prompt = scene->arrivals[i].prompt_tok,
                                          .output = scene->arrivals[i].output_tok,
                                          .cached = scene->arrivals[i].cached_tok,
                                          .class_index = scene->arrivals[i].stream,
                                          .traits = &rule_traits[scene->arrivals[i].stream]};
    for (uint32_t i = 0; i < scene->requests; i++)
        give_ids(reference, &reference->jobs[i], &scene->arrivals[i]);
    for (;;) {
        take_arrivals(reference);
        if (reference->running.count + reference->swapped.count == 0 &&
            !somebody_waits(reference)) {
            if (reference->arrived == reference->count)
                break;
            reference->now = reference->jobs[reference->arrived].arrival;
            reference->fraction = 0;
            reference->output_share = scene->engine.output_share.start;
            continue;
        }
        run_step(reference);
    }
    cr_assert_eq(reference->free_blocks, scene->engine.kv_blocks);
}

/* --- random scenes --- */

static uint32_t between(gsl_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)gsl_rng_uniform_int(rng, high - low + 1);
}

/* Paths in a tree of few branches, a KV block to an id. */
static void draw_ids(gsl_rng *rng, struct scene *scene, uint32_t number)
{
    struct arrival *arrival = &scene->arrivals[number];
    uint64_t *ids = scene->ids[number], node = 0;
    arrival->block_tok = scene->engine.block_tok;
    arrival->blocks = (arrival->prompt_tok + arrival->block_tok - 1) / arrival->block_tok;
    arrival->hash_ids = ids;
    for (uint32_t i = 0; i < arrival->blocks; i++)
        ids[i] = node = node * 1000003 + 1 + (between(rng, 0, 3) ? 0 : between(rng, 0, 2));
    if (arrival->prompt_tok % arrival->block_tok > 0) /* what a block has in part is another's */
        ids[arrival->blocks - 1] = node ^ ((uint64_t)(number + 1) << 40);
}

/* Requests that share by hash ids, by sessions, or not at all. Who waits for a fuller batch is
 * tried as if those before it had left nothing: not what this reference does. */
static void draw_sharing(gsl_rng *rng, struct scene *scene)
{
    uint32_t kind = between(rng, 0, 2), sessions = between(rng, 1, 10);
    if (kind > 0)
        scene->engine.batch_wait_iterations = scene->engine.batch_wait_tok = 0;
    for (uint32_t i = 0; i < scene->requests; i++) {
        if (kind == 1)
            draw_ids(rng, scene, i);
        else if (kind == 2)
            scene->arrivals[i].session = between(rng, 1, sessions);
    }
}

static void draw_scene(gsl_rng *rng, struct scene *drawn)
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
    if (between(rng, 0, 5) == 0)
        draw_static_batching(rng, &scene.engine);
    else
        draw_speculation(rng, &scene.engine);
    if (scene.engine.speculation.draft_tok > 0) /* kept_blocks.h says why */
        scene.engine.keeps_blocks = false;
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
    uint32_t longest = between(rng, 5, PROMPT_MAX);
    for (uint32_t i = 0; i < scene.requests; i++) {
        time_s += between(rng, 0, 2) ? grid * between(rng, 0, 40) : 0;
        uint32_t prompt = between(rng, 1, longest);
        scene.arrivals[i] = (struct arrival){.time_s = time_s,
                                             .prompt_tok = prompt,
                                             .output_tok = between(rng, 1, longest),
                                             .cached_tok = draw_cached_tok(rng, prompt),
                                             .stream = between(rng, 0, RULE_CLASSES - 1),
                                             .client = ARRIVAL_NO_ID};
    }
    *drawn = scene;
    draw_sharing(rng, drawn);
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

#define STREAM_RULE(rule_name, number)                                                             \
    {                                                                                              \
        .name = (rule_name), .stream = (number), .prompt_max_tok = UINT32_MAX,                     \
        .output_max_tok = UINT32_MAX                                                               \
    }

static void run_engine(const struct scene *scene, struct records *records)
{
    static const struct class_rule streams[RULE_CLASSES] = {
        STREAM_RULE("a", 0), STREAM_RULE("b", 1), STREAM_RULE("c", 2), CLASS_RULE_ALL("d")};
    static const struct router_config router = {.policy = {.index = 0}};
    struct pool_spec pool = {.name = "p", .engine = &scene->engine, .replicas = 1, .weight = 1};
    struct list_source list = LIST_SOURCE(scene->arrivals, scene->requests);
    struct simulation_spec spec = {.source = &list.source,
                                   .pools = &pool,
                                   .pool_count = 1,
                                   .router = &router,
                                   .classes = streams,
                                   .traits = rule_traits,
                                   .class_count = RULE_CLASSES,
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
            record->class_index != job->class_index || !same_times(record, job))
            continue;
        return matched[i] = true;
    }
    return false;
}

static const char *rules_of(const struct engine_config *engine)
{
    static char text[200];
    static const char *const prefill[] = {"mixed", "prompts first", "decodes first"};
    static const char *const admission[] = {"preempt", "no evict", "estimate"};
    snprintf(
        text, sizeof text, "%s, %s, %s, KV allocation %d, swap %lld, watermark %lld, batching %d",
        prefill[engine->prefill], admission[engine->admission],
        queue_order_names[engine->queue_order], engine->kv_allocation,
        (long long)engine->swap_blocks, (long long)engine->watermark_blocks, engine->batching.kind);
    return text;
}

struct tally {
    uint64_t preemptions[3], completed[3]; /* by admission */
    uint64_t waits, refusals, stalls, swaps, stand_backs, batches, batched;
    uint64_t passed_over[ORDER_COUNT], stretches[KV_CONTIGUOUS_EXACT + 1];
    int64_t found[PREFILL_DECODE_FIRST + 1]; /* by prefill */
    int64_t cached[3];                       /* by admission */
    int64_t shared[3], doubles[3];
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
    tally->swaps += reference->swaps;
    tally->stand_backs += reference->stand_backs;
    tally->batches += reference->batches;
    tally->batched += reference->batched;
    tally->passed_over[scene->engine.queue_order] += reference->passed_over;
    tally->stretches[scene->engine.kv_allocation] += records->count;
    tally->found[scene->engine.prefill] += reference->found;
    tally->cached[scene->engine.admission] += reference->cached;
    tally->shared[scene->engine.admission] += reference->shared;
    tally->doubles[scene->engine.admission] += reference->doubles;
}

Test(engine_reference, schedules_as_the_engines_do)
{
    gsl_rng *rng = random_stream(20260301, 0, "test/reference");
    struct tally tally = {0};
    for (int i = 0; i < SCENES; i++) {
        static struct scene scene;
        draw_scene(rng, &scene);
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
        cr_assert(tally.completed[i] > 8000 && tally.cached[i] > 3000 && tally.shared[i] > 1000 &&
                  tally.doubles[i] > 30);
    cr_assert_eq(tally.passed_over[ORDER_FCFS], 0);
    for (int i = ORDER_FCFS + 1; i < ORDER_COUNT; i++)
        cr_assert_gt(tally.passed_over[i], 1000, "%s", queue_order_names[i]);
    for (int i = KV_PAGED; i <= KV_CONTIGUOUS_EXACT; i++)
        cr_assert_gt(tally.stretches[i], 1000);
    cr_assert_gt(tally.swaps, 700);
    cr_assert_gt(tally.stand_backs, 1000);
    cr_assert(tally.batches > 1000 && tally.batched > tally.batches + 1000);
    cr_assert_gt(tally.waits, 1000);
    cr_assert_gt(tally.refusals, 1000);
    cr_assert_gt(tally.stalls, 1000);
    cr_assert_gt(tally.found[PREFILL_MIXED], 300);
    cr_assert_gt(tally.found[PREFILL_FIRST], 300);
    gsl_rng_free(rng);
}
