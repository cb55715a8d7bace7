/* One replica: queue, batch and KV cache of a serving engine.
 *
 * An engine lives from boundary to boundary. At a boundary it ends the iterations that ran, emits
 * their tokens, forms the next batch and says when the next boundary is. It knows no event loop:
 * the owner calls engine_submit when a request arrives, engine_boundary when engine->next comes,
 * and looks at engine->next after each call.
 *
 * Fast-forward: while nothing can change the batch, one boundary spans many iterations ("a run").
 * An arrival that might be admitted cuts the run at the end of the iteration it falls into.
 * Stepwise engines make every run one iteration long; both give the same bits.
 *
 * What follows is continuous batching. Batches that are served to their end (static_batch.h) and
 * stages that each serve whoever comes (stage_queues.h) take the place of it behind the same calls.
 *
 * Batching follows the schedulers of three engines, as engine_config says. Prompts and decodes
 * share iterations (vLLM V1 and TensorRT-LLM: decodes first, one token each; what is left of the
 * token budget goes to prompts), prompts go first (SGLang, vLLM V0: while any fit, decodes stall),
 * or decodes do (FasterTransformer: extras.h). At most one prompt is partly prefilled; it is
 * continued before waiting requests are admitted, in the order of queue_order.h (first come, first
 * served, unless told otherwise), by one of the rules of enum engine_admission.
 *
 * vLLM: vllm/v1/core/sched/scheduler.py, schedule(), v0.25 with its default settings. A request is
 * admitted when the whole prompt's KV blocks are free (scheduler_reserve_full_isl, the default
 * since early 2026). KV blocks are allocated as tokens are computed. When a block is missing the
 * latest admitted request is preempted: it gives back its blocks, goes to the head of the queue and
 * is recomputed, but for what it finds again of them (kept_blocks.h); nothing is admitted in an
 * iteration that preempted. Others may be chosen, and copied out instead: preemption.h.
 * TensorRT-LLM: cpp/tensorrt_llm/batch_manager/capacityScheduler.cpp (GuaranteedNoEvictScheduler)
 * and microBatchScheduler.cpp, tensorrt_llm/_torch/pyexecutor/py_executor.py, 1.x.
 * SGLang: python/sglang/srt/managers/scheduler.py (get_next_batch_to_run, update_running_batch) and
 * schedule_policy.py (PrefillAdder), v0.5. It retracts who has answered least; here it is the
 * latest admitted, as under vLLM.
 *
 * Prefix caching: requests that name what they share find it on the GPU, or in the tiers below it,
 * from where it is loaded (prefixes.h, loading.h). Where the workload says instead how much is
 * cached (cached_tok), the whole blocks of that are found whenever the request is let in, and take
 * neither time nor token budget. They take memory as if computed: a copy of the request's own, as
 * if nobody shared them, and nothing pushes them out of the cache.
 *
 * Requests that come or go half done (prefill and decode on different engines) and those whose
 * client gives up are told of in models/engine/handover.h; engines that die, are drained and come
 * back, in models/engine/eviction.h.
 *
 * Speculation: a decode emits several tokens in an iteration, and progress among decodes is counted
 * in tokens instead of iterations (speculation.h, decodes.h). The tokens of an iteration arrive
 * together: inter-token latencies are the gaps between iterations, as vLLM measures them, while
 * TPOT counts every token.
 *
 * Left out of all: that overlapped schedulers know of ends one iteration later. */
#ifndef TOKENYARD_MODELS_ENGINE_ENGINE_H
#define TOKENYARD_MODELS_ENGINE_ENGINE_H

#include "models/engine/adapters.h"
#include "models/engine/batching.h"
#include "models/engine/class_traits.h"
#include "models/engine/engine_settings.h"
#include "models/engine/output_prediction.h"
#include "models/engine/prefix_tiers.h"
#include "models/engine/queue_order.h"
#include "models/engine/request.h"
#include "models/engine/speculation.h"
#include "models/steptime/steptime.h"
#include "sim/histogram.h"

struct stage_graph; /* stage_graph.h */

/* What a replica is built from; shared by the replicas of a pool, not owned by them. */
struct engine_config {
    const struct steptime *steptime;
    int64_t max_sequences;
    int64_t max_batch_tokens; /* >= max_sequences where decodes take part of it */
    int64_t prompt_batch_tok; /* whole prompts share an iteration up to this; 0: no such limit */
    uint32_t block_tok;
    int64_t kv_blocks;
    int64_t max_model_tok; /* longest prompt + output accepted */
    /* A request's way in and out (HTTP, tokeniser). The owner of the engine adds it to TTFT and
     * E2E; it takes no GPU time. */
    tick_t request_overhead;
    enum engine_prefill prefill;
    enum engine_admission admission;
    bool chunked_prefill;
    bool keeps_blocks;           /* prefix caching: see above, and kept_blocks.h */
    struct prefix_config prefix; /* of that */
    bool stepwise;
    int64_t batch_wait_iterations;     /* prompts wait at most so long for ... */
    int64_t batch_wait_tok;            /* so many tokens in the batch; PREFILL_MIXED only */
    struct output_share output_share;  /* ADMIT_ESTIMATE */
    const struct class_traits *traits; /* by request->class_index; NULL: all classes are alike */
    uint32_t classes;                  /* in traits */

    const struct stage_graph *graph; /* stage_queues.h; NULL: one step time for the whole replica */

    struct batching batching;
    enum queue_order queue_order;               /* static and dynamic batches: ORDER_FCFS */
    struct output_prediction output_prediction; /* ORDER_SHORTEST_OUTPUT */
    tick_t decode_first_wait;         /* PREFILL_DECODE_FIRST: a prompt waits at most so long */
    uint32_t answer_cap_tok;          /* ADMIT_ESTIMATE: no answer counts for more; 0: no cap */
    enum kv_allocation kv_allocation; /* other than paged: ADMIT_NO_EVICT */
    int64_t watermark_blocks;         /* ADMIT_PREEMPT: stay free when somebody is let in */
    int64_t swap_blocks;              /* ADMIT_PREEMPT: places in host memory; 0: recomputes */
    fine_t swap_block_time;           /* of copying a block out or in */
    bool counts_slots;                /* kv_slots.h */
    int64_t stream_interval; /* tokens that an answer is streamed in; the owner measures by it */

    struct speculation speculation;
    const struct steptime *plain_steptime; /* of iterations that draft nothing; NULL: the same */
    const struct lora_config *lora;        /* NULL: requests need no adapters */
};

/* Totals since the start; exact integers, so that they do not depend on how runs were cut. */
struct engine_totals {
    uint64_t iterations;
    uint64_t prefill_tok;
    uint64_t preemptions;
    uint64_t swaps; /* preemptions that copied the KV cache out */
    tick_t busy;
    unsigned __int128 sequence_ticks; /* integral of the batch size over busy time */
    int64_t peak_blocks;
    uint64_t slots_taken, slots_held; /* kv_slots.h: summed over iterations that decode */
    uint64_t verified;                /* decodes of iterations that drafted, ... */
    uint64_t verified_tok; /* ... and what they emitted, also beyond the ends of answers */
};

/* The iterations between two boundaries: `iterations` of them, taking first, first + step, ... */
struct engine_run {
    uint64_t iterations;
    fine_t first, step;   /* step: for each token that the decodes have emitted */
    struct pace pace;     /* at which they do; per_turn 0: one in each iteration */
    uint32_t decodes;     /* those that take part: all or none */
    uint32_t chunks;      /* prompts worked on: the first `chunks` of engine->chunk_requests */
    uint32_t prefill_tok; /* tokens of them */
    bool waits;           /* prompts that could run wait for a fuller batch */
    bool preempted;       /* somebody was, so nobody was admitted */
};

struct finish_entry {
    uint64_t token;
    uint32_t order;
    uint32_t request;
};

/* Decodes that emitted their last token at the same time, before a stall. */
struct stalled_group {
    tick_t since;
    uint32_t decodes;
};

/* Linked through request->previous and next. */
struct request_list {
    uint32_t head, tail; /* REQUEST_NONE while empty */
};

struct fair_share;
struct stage_queues;

struct engine {
    tick_t next;           /* when to call engine_boundary; TICK_NEVER while idle */
    tick_t boundary;       /* when the current run began ... */
    fine_t fraction;       /* ... and how many fine units after that tick, < 2^FINE_SHIFT */
    struct engine_run run; /* the current run */
    /* Tokens that a decode would have emitted so far had it always been there: the iterations that
     * decodes took part in, where they do not speculate. */
    uint64_t token;
    uint64_t token_phase; /* of the pace at which they do */

    const struct engine_config *config;
    struct request_pool *pool;
    struct histogram *itl; /* of the pool; NULL: not recorded */

    uint32_t decodes;    /* sequences that decode */
    int64_t context_tok; /* tokens they hold in the KV cache */
    uint32_t partial;    /* the request that is partly prefilled, or REQUEST_NONE */
    int64_t used_blocks;
    int64_t freed_blocks;  /* given back so far */
    int64_t ahead_blocks;  /* that new decodes take beyond their context in the next iteration */
    uint32_t block_phase;  /* token mod block_tok */
    uint32_t *block_slots; /* [p]: decodes that need a new block for tokens of phase p */

    struct request_list running; /* in order of admission */
    struct request_list queue;   /* in the order they will be let in; before those of ... */
    uint32_t ordered;            /* ... the root of queue_order.h's heap ... */
    struct fair_share *fair;     /* ... or, ORDER_FAIR, its tenants */
    uint32_t waiting;            /* in all of these */
    uint32_t next_ticket;
    uint32_t next_order;

    struct request_list fetching, fetched; /* PLACE_FETCHING; PLACE_FETCHED, in order of arrival */
    uint32_t incoming;                     /* in these two lists */
    int64_t incoming_promised_tok;         /* ADMIT_ESTIMATE: what they may answer */
    int64_t held_blocks;                   /* of requests that were handed over: part of used */

    struct request_list swapped; /* PLACE_SWAPPED, in order of preemption */
    uint32_t swapped_count;
    int64_t swapped_blocks; /* of host memory */
    int64_t copied_blocks;  /* to and from it, before the next iteration */

    struct engine_prefixes *prefixes;    /* NULL: requests do not name what they share */
    struct request_list loading, loaded; /* PLACE_LOADING: load_count of them; PLACE_LOADED */
    uint32_t load_count;

    struct finish_entry *finish_heap; /* decodes by last token; stale entries go lazily */
    uint32_t finish_count, finish_capacity;
    uint64_t finish_sum; /* of the decodes' last tokens */

    int64_t waited;          /* iterations that prompts have waited for a fuller batch */
    int64_t reserved_blocks; /* ADMIT_NO_EVICT: set aside for all that run */
    int64_t output_share;    /* ADMIT_ESTIMATE */
    bool refused;            /* ADMIT_ESTIMATE: nobody is let in before somebody leaves */
    uint32_t answer_cap_tok; /* ADMIT_ESTIMATE: the config's; UINT32_MAX: none */
    uint32_t long_answers;   /* decodes whose whole answer is longer */

    struct stage_queues *stages; /* of config->graph */

    bool after_prompts; /* PREFILL_DECODE_FIRST: the iteration before worked on prompts */
    /* Rules at work that few engines have (orders other than fcfs, PREFILL_DECODE_FIRST, swapping,
     * capped answers, batches served to their end, ...): the others look at this alone. */
    bool has_extras;

    bool last_call;      /* static_batch.h: nobody else will come before an answer */
    uint32_t unanswered; /* static_batch.h: of the current batch ... */
    int64_t held_tok;    /* ... and the tokens that these have in the cache */

    struct stalled_group *stalls; /* [max_sequences + 1]; none while the decodes take part */
    uint32_t stall_count;
    uint64_t stall_serial; /* groups of stalls that are over */

    uint32_t *chunk_requests; /* [max_sequences] */
    struct prefill_chunk *chunks;

    /* What the last boundary left for the owner, who takes it up before the next call. */
    uint32_t *ended; /* completed, or cancelled while they ran; the owner gives them back */
    uint32_t ended_count;
    uint32_t *handed; /* prefilled or extracted, to go on elsewhere */
    uint32_t handed_count;
    uint32_t *fetches; /* let in: the owner brings their KV cache */
    uint32_t fetch_count;

    uint32_t *cancelled; /* or extracted, while they run: to be taken out at the next boundary */
    uint32_t cancelled_count;
    tick_t paused_until; /* engine_pause */

    struct adapters adapters; /* unused without config->lora */
    fine_t adapter_load;      /* what the next iteration takes longer for them */

    struct engine_totals totals;
};

/* false when out of memory. */
bool engine_init(struct engine *engine, const struct engine_config *config,
                 struct request_pool *pool, struct histogram *itl);
void engine_free(struct engine *engine);

/* Can this engine ever serve such a request? Asked before engine_submit; for an engine that is to
 * hand it over, output_tok is 1. */
bool engine_accepts(const struct engine_config *config, uint32_t prompt_tok, uint32_t output_tok);

/* A request arrives now. */
void engine_submit(struct engine *engine, uint32_t request, tick_t now);

/* To be called at engine->next. */
void engine_boundary(struct engine *engine);

/* Makes the current run end at its first boundary at or after `now`: an order from outside. */
void engine_cut(struct engine *engine, tick_t now);

/* Counts the iterations of the current run that ended before `now` as ended; the others go on. For
 * totals and latencies of a simulation that stops in the middle of a run. */
void engine_settle(struct engine *engine, tick_t now);

/* Nobody else will come before an engine answers: whoever waits for a batch to fill need not wait
 * longer (static_batch.h). */
void engine_last_call(struct engine *engine, tick_t now);

/* Moves all that wait into the list `queue`, in order: for looking at them at the end. */
void engine_line_up(struct engine *engine);

/* KV blocks in use at `now`, which lies in the current run; may be called at any time. */
int64_t engine_blocks_at(const struct engine *engine, tick_t now);

/* Iterating at the moment? (An engine told to begin at this very tick has not begun.) */
static inline bool engine_busy(const struct engine *engine)
{
    return engine->run.iterations > 0;
}

static inline uint32_t engine_running(const struct engine *engine)
{
    return engine->decodes + engine->run.chunks +
           (engine->partial != REQUEST_NONE && engine->run.chunks == 0);
}

#endif
