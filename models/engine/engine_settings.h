/* What a scenario says of an engine, and what vLLM, TensorRT-LLM and SGLang take where it says
 * nothing.
 *
 * A scenario names an engine and sets what it wants; null leaves a setting to the engine's profile.
 * engine_settings_settle fills in the profile's defaults (some go by the GPU), so that a resolved
 * scenario prints them all; settling twice changes nothing. engine_settings_check refuses what
 * contradicts itself. Settings bear vLLM's name where vLLM has one. */
#ifndef TOKENYARD_MODELS_ENGINE_ENGINE_SETTINGS_H
#define TOKENYARD_MODELS_ENGINE_ENGINE_SETTINGS_H

#include "models/engine/adapters.h"
#include "models/engine/prefix_settings.h"
#include "models/engine/speculation.h"
#include "models/hardware/hardware.h"
#include "sim/config.h"

enum engine_name { ENGINE_VLLM, ENGINE_TRTLLM, ENGINE_SGLANG, ENGINE_COUNT };

/* Who shares an iteration. */
enum engine_prefill {
    PREFILL_MIXED, /* prompts and decodes (vLLM V1, TensorRT-LLM) */
    PREFILL_FIRST, /* prompts or decodes: whatever prompts fit go first (SGLang, vLLM V0) */
    /* prompts or decodes: once decodes have begun, prompts wait until these have ended
     * ("decode-prioritizing", as Agrawal et al., Sarathi-Serve, OSDI 2024, section 3, calls what
     * FasterTransformer does), or until one has waited for decode_first_max_wait_ms */
    PREFILL_DECODE_FIRST,
};

/* When a waiting request is let in, and what happens when KV blocks run out. */
enum engine_admission {
    /* when its prompt fits; the latest is preempted, goes to the head of the queue and is
     * recomputed (vLLM) */
    ADMIT_PREEMPT,
    /* when all its tokens fit beside all tokens of the others; nothing is preempted
     * (TensorRT-LLM) */
    ADMIT_NO_EVICT,
    /* when all its tokens fit beside an estimated share of what the others still have to answer;
     * the latest is preempted, goes to the end of the queue and is recomputed (SGLang) */
    ADMIT_ESTIMATE,
    /* TensorRT-LLM's other capacity policy, MAX_UTILIZATION (MaxUtilizationScheduler in
     * capacityScheduler.cpp): requests are let in while the blocks of their prompts are free; when
     * a running one lacks a block the latest is paused, nobody new is let in, and who was paused is
     * recomputed before all others. Read closely, these are vLLM's rules, and the engine takes them
     * as ADMIT_PREEMPT. Left out: with pipeline stages it looks two tokens ahead. */
    ADMIT_MAX_UTILIZATION,
};

enum preemption_kind { PREEMPT_RECOMPUTE, PREEMPT_SWAP };

enum kv_allocation { KV_PAGED, KV_CONTIGUOUS_MAX, KV_CONTIGUOUS_POW2, KV_CONTIGUOUS_EXACT };

struct engine_settings {
    int name;      /* enum engine_name */
    int prefill;   /* enum engine_prefill; -1: the profile's */
    int admission; /* enum engine_admission; -1: the profile's */
    /* Null (INT64_MIN, -1 of the bool, NaN) of these, too, is the profile's. */
    int64_t max_num_batched_tokens;
    int64_t prompt_batch_tok; /* INT64_MIN: no such limit */
    int64_t max_num_seqs;
    int64_t block_size;
    int enable_chunked_prefill;
    int enable_prefix_caching;
    double gpu_memory_utilization;
    double reserve_gib;
    int64_t cuda_graph_max_batch;
    int async_scheduling;
    int64_t batch_wait_timeout_iters;
    double batch_wait_max_tokens_ratio;
    double schedule_conservativeness;
    double host_overhead_ms, host_sequence_overhead_us;
    int64_t stream_interval;
    double step_overhead_ms; /* NaN: what calibration found; never settled */
    int64_t max_model_len; /* INT64_MIN: the model's, or what the KV cache holds if that is less */
    int64_t num_gpu_blocks_override;                /* INT64_MIN: from memory */
    const struct speculative_settings *speculative; /* NULL: decodes emit a token an iteration */
    const struct lora_settings *lora;               /* NULL: requests need no adapters */

    struct config_variant batching;          /* batching_kinds */
    int queue_order;                         /* enum queue_order */
    struct config_variant output_prediction; /* output_prediction_kinds */
    double decode_first_max_wait_ms;         /* NaN: for ever */
    int kv_allocation;                       /* enum kv_allocation */
    double watermark;                        /* share of the KV blocks */
    int preemption;                          /* enum preemption_kind */
    double swap_space_gib;                   /* of host memory, for each GPU */
    struct prefix_settings *prefix_cache;    /* NULL: prefixes are kept on the GPU alone */
    bool report_kv_slots;
};

extern const struct config_type engine_settings_type;

/* What {} reads as: vLLM, and nothing said. */
extern const struct engine_settings engine_settings_unset;

/* What settings are for. */
struct engine_host {
    const struct gpu *gpu;
    int64_t tensor_parallel, pipeline_parallel;
};

/* A named engine: what it takes where the scenario says nothing. */
struct engine_profile {
    const char *name; /* "vllm" */
    const char *doc;
    enum engine_prefill prefill;
    enum engine_admission admission;
    int64_t block_size;
    bool enable_chunked_prefill;
    bool enable_prefix_caching;
    double gpu_memory_utilization; /* NaN: by the GPU */
    /* gpu_memory_utilization is a share of what weights and reserve leave, not of all memory. */
    bool utilization_of_rest;
    double reserve_gib;
    /* Token budget, sequences, graphs and memory: what goes by the GPU, or by each other. */
    void (*settle_limits)(struct engine_settings *settings, const struct engine_host *host);
    /* Writes the batch sizes captured up to `largest`, rising; returns how many. */
    size_t (*graph_sizes)(int64_t largest, int64_t *sizes);
};

extern const struct engine_profile engine_profiles[ENGINE_COUNT]; /* by enum engine_name */

void engine_settings_settle(struct engine_settings *settings, const struct engine_host *host);

/* Of settled settings. */
bool engine_settings_check(const struct engine_settings *settings, struct error *error);

/* The share of its answer that a decode is expected to need, in units of 1 / OUTPUT_SHARE_ONE: it
 * starts here, falls by a step with each iteration that decodes, down to the least. */
#define OUTPUT_SHARE_ONE ((int64_t)1 << 24)
struct output_share {
    int64_t start, least, step;
};

/* Of settled settings: what they come to, in the engine's own terms. */
int64_t engine_decode_tok(const struct engine_settings *settings); /* batch tokens of a decode */
struct output_share engine_output_share(const struct engine_settings *settings);
uint32_t engine_answer_cap_tok(const struct engine_settings *settings);
int64_t engine_batch_wait_tok(const struct engine_settings *settings);

/* Batch sizes of which CUDA graphs are captured. A batch that only decodes is padded to the next of
 * them: its GEMMs take the rows of padding, too. A larger one runs eagerly, as it is. */
enum { ENGINE_GRAPH_MAX_BATCH = 8192, ENGINE_GRAPHS_MAX = 600 };

struct engine_graphs {
    int64_t sizes[ENGINE_GRAPHS_MAX]; /* rising */
    size_t count;
};

/* Of settled settings. */
void engine_graphs_list(const struct engine_settings *settings, struct engine_graphs *graphs);

#endif
