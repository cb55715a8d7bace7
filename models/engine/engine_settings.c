#include "models/engine/engine_settings.h"

#include <math.h>
#include <string.h>

#include "models/engine/batching.h"
#include "models/engine/output_prediction.h"
#include "models/engine/queue_order.h"

/* --- the fields --- */

static const char *const prefill_names[] = {[PREFILL_MIXED] = "mixed",
                                            [PREFILL_FIRST] = "first",
                                            [PREFILL_DECODE_FIRST] = "decode_first",
                                            NULL};
static const char *const admission_names[] = {[ADMIT_PREEMPT] = "preempt",
                                              [ADMIT_NO_EVICT] = "no_evict",
                                              [ADMIT_ESTIMATE] = "estimate",
                                              [ADMIT_MAX_UTILIZATION] = "max_utilization",
                                              NULL};
static const char *const kv_allocation_names[] = {[KV_PAGED] = "paged",
                                                  [KV_CONTIGUOUS_MAX] = "contiguous_max",
                                                  [KV_CONTIGUOUS_POW2] = "contiguous_pow2",
                                                  [KV_CONTIGUOUS_EXACT] = "contiguous_exact",
                                                  NULL};
static const char *const preemption_names[] = {
    [PREEMPT_RECOMPUTE] = "recompute", [PREEMPT_SWAP] = "swap", NULL};
static const char *const engine_names[] = {
    [ENGINE_VLLM] = "vllm", [ENGINE_TRTLLM] = "trtllm", [ENGINE_SGLANG] = "sglang", NULL};

#define FIELD(member) offsetof(struct engine_settings, member)

static const struct config_field engine_fields[] = {
    {.name = "name",
     .kind = CONFIG_ENUM,
     .offset = FIELD(name),
     .preset = "\"vllm\"",
     .names = engine_names,
     .doc = "the engine, from `tokenyard list engines`: it decides what null means below"},
    {.name = "prefill",
     .kind = CONFIG_ENUM,
     .offset = FIELD(prefill),
     .optional = true,
     .names = prefill_names,
     .doc =
         "mixed: prompts and decodes share an iteration; first: they never do, and prompts that "
         "fit go first; decode_first: nor do they here, and prompts wait until no decode is left; "
         "null: the engine's"},
    {.name = "admission",
     .kind = CONFIG_ENUM,
     .offset = FIELD(admission),
     .optional = true,
     .names = admission_names,
     .doc = "a request is let in when its prompt fits, others may be preempted (preempt; "
            "TensorRT-LLM's max_utilization does the same); when all tokens of all fit (no_evict); "
            "when an estimate of them does (estimate); null: the engine's"},
    {.name = "max_num_batched_tokens",
     .kind = CONFIG_INT,
     .offset = FIELD(max_num_batched_tokens),
     .optional = true,
     .min = 1,
     .max = 1048576,
     .doc = "tokens of one iteration at most, prompts and decodes together (TensorRT-LLM's "
            "max_num_tokens, SGLang's chunked_prefill_size); null: the engine's, for the GPU"},
    /* Splitwise (Patel et al., ISCA 2024, section IV.C): more than 2048 prompt tokens at a time
     * make a GPU no faster. */
    {.name = "prompt_batch_tok",
     .kind = CONFIG_INT,
     .offset = FIELD(prompt_batch_tok),
     .optional = true,
     .min = 1,
     .max = 1048576,
     .doc = "without chunks: prompts share an iteration up to so many tokens, and a longer one has "
            "it alone (Splitwise: 2048); null: they share max_num_batched_tokens"},
    {.name = "max_num_seqs",
     .kind = CONFIG_INT,
     .offset = FIELD(max_num_seqs),
     .optional = true,
     .min = 1,
     .max = 65536,
     .doc = "sequences that run at the same time at most (TensorRT-LLM's max_batch_size, SGLang's "
            "max_running_requests); null: the engine's, for the GPU"},
    {.name = "block_size",
     .kind = CONFIG_INT,
     .offset = FIELD(block_size),
     .optional = true,
     .min = 1,
     .max = 4096,
     .doc = "tokens in one KV block; null: the engine's"},
    {.name = "enable_chunked_prefill",
     .kind = CONFIG_BOOL,
     .offset = FIELD(enable_chunked_prefill),
     .optional = true,
     .doc = "split prompts over iterations when the token budget asks for it; without it, longer "
            "prompts are rejected; null: the engine's"},
    {.name = "enable_prefix_caching",
     .kind = CONFIG_BOOL,
     .offset = FIELD(enable_prefix_caching),
     .optional = true,
     .doc = "requests that share the beginnings of their prompts (hash_ids of a trace, turns of a "
            "session) share the KV blocks of these and do not compute them again, while nobody has "
            "taken the blocks; null: the engine's"},
    {.name = "gpu_memory_utilization",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(gpu_memory_utilization),
     .optional = true,
     .min = 0,
     .max = 1,
     .above_min = true,
     .doc = "share of each GPU's memory that the engine may use (SGLang's mem_fraction_static); "
            "for trtllm the KV cache's share of what weights and reserve leave "
            "(free_gpu_memory_fraction); null: the engine's"},
    {.name = "reserve_gib",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(reserve_gib),
     .optional = true,
     .min = 0,
     .max = 1024,
     .doc = "memory of each GPU for activations, CUDA graphs and the runtime; null: the engine's"},
    {.name = "cuda_graph_max_batch",
     .kind = CONFIG_INT,
     .offset = FIELD(cuda_graph_max_batch),
     .optional = true,
     .min = 0,
     .max = ENGINE_GRAPH_MAX_BATCH,
     .doc = "largest batch that decodes in a CUDA graph, padded to the next captured size; 0: no "
            "graphs; null: the engine's"},
    {.name = "async_scheduling",
     .kind = CONFIG_BOOL,
     .offset = FIELD(async_scheduling),
     .optional = true,
     .doc = "the scheduler works while the GPU does (overlap scheduling); null: the engine's"},
    {.name = "batch_wait_timeout_iters",
     .kind = CONFIG_INT,
     .offset = FIELD(batch_wait_timeout_iters),
     .preset = "0",
     .min = 0,
     .max = 1e6,
     .doc = "trtllm: while others decode, prompts wait up to so many iterations for more of them"},
    {.name = "batch_wait_max_tokens_ratio",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(batch_wait_max_tokens_ratio),
     .preset = "0",
     .min = 0,
     .max = 1,
     .doc = "trtllm: they stop waiting at this share of max_num_batched_tokens"},
    {.name = "schedule_conservativeness",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(schedule_conservativeness),
     .preset = "1",
     .min = 0,
     .max = 10,
     .doc = "admission \"estimate\": more of it keeps more memory for what others still answer"},
    /* A rough figure: it depends on the CPU and the batch. */
    {.name = "host_overhead_ms",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(host_overhead_ms),
     .preset = "1",
     .min = 0,
     .max = 1000,
     .doc = "the scheduler's own time, added to every iteration without async_scheduling"},
    /* vLLM V0 spent 38 % of the time of a Llama 3 8B on scheduling, preparing inputs and processing
     * outputs, one sequence after the other (its v0.6.0 performance update, blog.vllm.ai, 2024-09);
     * what V1's calibrated constants hold is in sequence_s. So nothing is added unless asked for.
     */
    {.name = "host_sequence_overhead_us",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(host_sequence_overhead_us),
     .preset = "0",
     .min = 0,
     .max = 100000,
     .doc = "and for each sequence in the iteration: preparing its input, processing its output"},
    /* vllm/v1/engine/output_processor.py and config stream_interval, 1 by default; TensorRT-LLM and
     * SGLang have an option of this name, too. The first token is sent at once, then every so many,
     * and at the end what is left. What buffering saves the host is not modelled. */
    {.name = "stream_interval",
     .kind = CONFIG_INT,
     .offset = FIELD(stream_interval),
     .preset = "1",
     .min = 1,
     .max = 1000000,
     .doc = "tokens that a client receives at a time, after the first: inter-token latencies are "
            "the gaps between these"},
    {.name = "step_overhead_ms",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(step_overhead_ms),
     .optional = true,
     .min = 0,
     .max = 1000,
     .doc = "launch time added to every iteration; null: the engine's calibrated constants"},
    {.name = "max_model_len",
     .kind = CONFIG_INT,
     .offset = FIELD(max_model_len),
     .optional = true,
     .min = 1,
     .max = 1e9,
     .doc = "longest prompt plus output that is accepted; null: the model's, or what the KV cache "
            "holds"},
    {.name = "num_gpu_blocks_override",
     .kind = CONFIG_INT,
     .offset = FIELD(num_gpu_blocks_override),
     .optional = true,
     .min = 1,
     .max = 1e12,
     .doc = "KV blocks of a replica; null: what memory leaves"},
    {.name = "speculative",
     .kind = CONFIG_OBJECT,
     .offset = FIELD(speculative),
     .object = &speculative_settings_type,
     .optional = true,
     .doc = "speculative decoding; null: none"},
    {.name = "lora",
     .kind = CONFIG_OBJECT,
     .offset = FIELD(lora),
     .object = &lora_settings_type,
     .optional = true,
     .doc = "low-rank adapters that requests ask for; null: none"},
    {.name = "batching",
     .kind = CONFIG_VARIANT,
     .offset = FIELD(batching),
     .preset = "\"continuous\"",
     .variants = batching_kinds,
     .selector = "kind",
     .doc = "who is served together"},
    {.name = "queue_order",
     .kind = CONFIG_ENUM,
     .offset = FIELD(queue_order),
     .preset = "\"fcfs\"",
     .names = queue_order_names,
     .doc =
         "who goes first of those that wait: fcfs (first come, first served), shortest_prompt, "
         "shortest_output (as predicted), earliest_deadline, priority (by class; also decides who "
         "is preempted) or fair (the tenant served least)"},
    {.name = "output_prediction",
     .kind = CONFIG_VARIANT,
     .offset = FIELD(output_prediction),
     .preset = "\"exact\"",
     .variants = output_prediction_kinds,
     .selector = "kind",
     .doc = "what queue_order \"shortest_output\" believes that a request will answer; the "
            "scenario's is also what routers believe"},
    {.name = "decode_first_max_wait_ms",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(decode_first_max_wait_ms),
     .optional = true,
     .min = 0,
     .max = 1e9,
     .doc =
         "prefill \"decode_first\": a prompt that has waited for so long interrupts the decodes; "
         "null: none does"},
    {.name = "kv_allocation",
     .kind = CONFIG_ENUM,
     .offset = FIELD(kv_allocation),
     .preset = "\"paged\"",
     .names = kv_allocation_names,
     .doc = "what a request takes of the KV cache: blocks as it needs them (paged), or one stretch "
            "from its start: for max_model_len (contiguous_max), for its prompt and its answer "
            "rounded up to a power of two (contiguous_pow2), or just so much (contiguous_exact)"},
    /* SchedulerConfig and BlockSpaceManager of vLLM V0: watermark = 0.01; V1 has none. */
    {.name = "watermark",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(watermark),
     .preset = "0",
     .min = 0,
     .max = 0.5,
     .doc =
         "admission \"preempt\": share of the KV blocks that stays free when a request is let in "
         "(vLLM V0: 0.01)"},
    {.name = "preemption",
     .kind = CONFIG_ENUM,
     .offset = FIELD(preemption),
     .preset = "\"recompute\"",
     .names = preemption_names,
     .doc = "a preempted request is computed again (recompute), or its KV cache is copied to host "
            "memory and back (swap; admission \"preempt\" only)"},
    {.name = "swap_space_gib",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(swap_space_gib),
     .preset = "4",
     .min = 0,
     .max = 65536,
     .doc = "preemption \"swap\": host memory for each GPU of a replica; who finds none left is "
            "recomputed"},
    {.name = "report_kv_slots",
     .kind = CONFIG_BOOL,
     .offset = FIELD(report_kv_slots),
     .preset = "false",
     .doc =
         "count how much of the KV cache is taken, and how much of that holds a token, and say so "
         "in the summary"},
    {.name = "prefix_cache",
     .kind = CONFIG_OBJECT,
     .offset = FIELD(prefix_cache),
     .object = &prefix_settings_type,
     .optional = true,
     .doc = "where prefixes are kept besides the GPU; null: nowhere"},
    {0}};

const struct config_type engine_settings_type = {
    .name = "engine",
    .doc = "Continuous batching as vLLM, TensorRT-LLM or SGLang does it",
    .size = sizeof(struct engine_settings),
    .fields = engine_fields};

const struct engine_settings engine_settings_unset = {.name = ENGINE_VLLM,
                                                      .prefill = -1,
                                                      .admission = -1,
                                                      .max_num_batched_tokens = INT64_MIN,
                                                      .prompt_batch_tok = INT64_MIN,
                                                      .max_num_seqs = INT64_MIN,
                                                      .block_size = INT64_MIN,
                                                      .enable_chunked_prefill = -1,
                                                      .enable_prefix_caching = -1,
                                                      .gpu_memory_utilization = NAN,
                                                      .reserve_gib = NAN,
                                                      .cuda_graph_max_batch = INT64_MIN,
                                                      .async_scheduling = -1,
                                                      .schedule_conservativeness = 1,
                                                      .host_overhead_ms = 1,
                                                      .stream_interval = 1,
                                                      .step_overhead_ms = NAN,
                                                      .max_model_len = INT64_MIN,
                                                      .num_gpu_blocks_override = INT64_MIN,
                                                      .decode_first_max_wait_ms = NAN,
                                                      .swap_space_gib = 4};

/* --- what the engines take --- */

static void settle_int(int64_t *value, int64_t preset)
{
    if (*value == INT64_MIN)
        *value = preset;
}

static void settle_flag(int *value, int preset)
{
    if (*value < 0)
        *value = preset;
}

static void settle_number(double *value, double preset)
{
    if (isnan(*value))
        *value = preset;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Where decodes take from the budget, a limit that is given moves the other's default, so that they
 * agree. */
static void settle_batch(struct engine_settings *settings, int64_t batched, int64_t sequences)
{
    int64_t given = settings->max_num_batched_tokens;
    int64_t decode_tok = engine_decode_tok(settings);
    bool shared = settings->prefill == PREFILL_MIXED;
    if (shared && given != INT64_MIN)
        sequences = lesser(greater(given / decode_tok, 1), sequences);
    settle_int(&settings->max_num_seqs, sequences);
    if (shared)
        batched = greater(settings->max_num_seqs * decode_tok, batched);
    settle_int(&settings->max_num_batched_tokens, batched);
}

/* The server's (EngineArgs.get_batch_defaults, v0.25): GPUs with 70 GiB and more get large batches,
 * A100s do not. Graphs: VllmConfig._set_cudagraph_sizes. */
static void settle_vllm(struct engine_settings *settings, const struct engine_host *host)
{
    bool large = host->gpu->memory_gib >= 70 && strstr(host->gpu->name, "A100") == NULL;
    settle_batch(settings, large ? 8192 : 2048, large ? 1024 : 256);
    int64_t graphs = lesser(2 * settings->max_num_seqs, 512);
    settle_int(&settings->cuda_graph_max_batch, lesser(graphs, settings->max_num_batched_tokens));
}

/* BaseLlmArgs.max_num_tokens and max_batch_size, CudaGraphConfig.max_batch_size (llm_args.py). */
static void settle_trtllm(struct engine_settings *settings, const struct engine_host *host)
{
    (void)host;
    settle_batch(settings, 8192, 2048);
    settle_int(&settings->cuda_graph_max_batch, 128);
}

/* chunked_prefill_size and cuda_graph_max_bs by memory (ServerArgs._handle_gpu_memory_settings,
 * v0.5). */
struct sglang_class {
    double below_gib;
    int64_t chunk, graphs, graphs_of_four; /* the last: from tensor_parallel 4 */
};

static const struct sglang_class sglang_classes[] = {{20, 2048, 8, 8},      /* T4 */
                                                     {35, 2048, 24, 80},    /* A10, RTX 4090 */
                                                     {60, 4096, 32, 160},   /* A100 40GB, L40S */
                                                     {160, 8192, 256, 512}, /* H100, H200 */
                                                     {INFINITY, 16384, 512, 512}}; /* B200 */

/* What activations and graphs are taken to need is left; the rest is weights and KV cache. */
static double sglang_memory_fraction(const struct engine_settings *settings,
                                     const struct engine_host *host)
{
    double gpu_mib = host->gpu->memory_gib * 1024;
    double reserved_mib = 512 + 1.5 * (double)greater(settings->max_num_batched_tokens, 2048) +
                          2 * (double)settings->cuda_graph_max_batch +
                          128 * (double)(host->tensor_parallel * host->pipeline_parallel);
    if (gpu_mib > 60 * 1024)
        reserved_mib = fmax(reserved_mib, 10 * 1024);
    return fmax(round((gpu_mib - reserved_mib) / gpu_mib * 1000) / 1000, 0.001);
}

/* max_running_requests comes from the KV cache, but is 2048 unless that holds more than four of the
 * longest requests (ModelRunnerKVCacheMixin); max_prefill_tokens is 16384. */
static void settle_sglang(struct engine_settings *settings, const struct engine_host *host)
{
    const struct sglang_class *class = sglang_classes;
    while (host->gpu->memory_gib >= class->below_gib)
        class ++;
    settle_batch(settings, settings->enable_chunked_prefill ? class->chunk : 16384, 2048);
    settle_int(&settings->cuda_graph_max_batch,
               host->tensor_parallel < 4 ? class->graphs : class->graphs_of_four);
    settle_number(&settings->gpu_memory_utilization, sglang_memory_fraction(settings, host));
}

/* Appends from, from + step, ... up to `last` and `largest`. */
static size_t add_sizes(int64_t *sizes, size_t count, int64_t from, int64_t last, int64_t step,
                        int64_t largest)
{
    for (int64_t size = from; size <= last && size <= largest; size += step)
        sizes[count++] = size;
    return count;
}

static size_t add_one_two_four(int64_t *sizes, int64_t largest)
{
    size_t count = add_sizes(sizes, 0, 1, 2, 1, largest);
    return add_sizes(sizes, count, 4, 4, 1, largest);
}

/* VllmConfig._set_cudagraph_sizes, v0.25. */
static size_t vllm_graphs(int64_t largest, int64_t *sizes)
{
    size_t count = add_one_two_four(sizes, largest);
    count = add_sizes(sizes, count, 8, 255, 8, largest);
    return add_sizes(sizes, count, 256, largest, 16, largest);
}

/* CudaGraphConfig._generate_cuda_graph_batch_sizes with enable_padding, 1.0 and 1.1. The default of
 * enable_padding is off, which captures 1 to 32, 64 and 128 only; NVIDIA's recipes turn it on. */
static size_t trtllm_graphs(int64_t largest, int64_t *sizes)
{
    size_t count = add_one_two_four(sizes, largest);
    count = add_sizes(sizes, count, 8, 128, 8, largest);
    for (int64_t size = 256; size <= largest; size *= 2)
        sizes[count++] = size;
    if (count > 0 && sizes[count - 1] < largest)
        sizes[count++] = largest;
    return count;
}

/* ServerArgs._generate_cuda_graph_batch_sizes, v0.5. */
static size_t sglang_graphs(int64_t largest, int64_t *sizes)
{
    size_t count = add_one_two_four(sizes, largest);
    count = add_sizes(sizes, count, 8, 12, 4, largest);
    count = add_sizes(sizes, count, 16, 256, 8, largest);
    count = add_sizes(sizes, count, 272, 511, 16, largest);
    return add_sizes(sizes, count, 512, largest, 32, largest);
}

/* Asynchronous scheduling is the default of all three: vLLM since v0.14 (SchedulerConfig),
 * TensorRT-LLM as disable_overlap_scheduler = false, SGLang as disable_overlap_schedule = false.
 * The reserve is a figure of ours, but for SGLang, whose mem_fraction_static has it. */
const struct engine_profile engine_profiles[ENGINE_COUNT] = {
    /* CacheConfig.DEFAULT_BLOCK_SIZE and enable_prefix_caching,
     * SchedulerConfig.enable_chunked_prefill;
     * gpu_memory_utilization was 0.9 for most of its history, 0.92 in v0.25. */
    [ENGINE_VLLM] = {.name = "vllm",
                     .doc = "vLLM V1: prompts and decodes share a token budget; admits on prompt "
                            "blocks, preempts the latest",
                     .prefill = PREFILL_MIXED,
                     .admission = ADMIT_PREEMPT,
                     .block_size = 16,
                     .enable_chunked_prefill = true,
                     .enable_prefix_caching = true,
                     .gpu_memory_utilization = 0.9,
                     .reserve_gib = 3,
                     .settle_limits = settle_vllm,
                     .graph_sizes = vllm_graphs},
    /* llm_args.py, 1.x: SchedulerConfig.capacity_scheduler_policy = GUARANTEED_NO_EVICT,
     * KvCacheConfig.tokens_per_block, enable_block_reuse and free_gpu_memory_fraction,
     * enable_chunked_prefill. */
    [ENGINE_TRTLLM] = {.name = "trtllm",
                       .doc = "TensorRT-LLM: in-flight batching of whole prompts; reserves prompt "
                              "and output, never preempts",
                       .prefill = PREFILL_MIXED,
                       .admission = ADMIT_NO_EVICT,
                       .block_size = 32,
                       .enable_chunked_prefill = false,
                       .enable_prefix_caching = true,
                       .gpu_memory_utilization = 0.9,
                       .utilization_of_rest = true,
                       .reserve_gib = 3,
                       .settle_limits = settle_trtllm,
                       .graph_sizes = trtllm_graphs},
    /* server_args.py, v0.5: page_size, enable_mixed_chunk = false, disable_radix_cache = false. */
    [ENGINE_SGLANG] = {.name = "sglang",
                       .doc = "SGLang: prompts before decodes, never together; reserves part of "
                              "what is still to be answered",
                       .prefill = PREFILL_FIRST,
                       .admission = ADMIT_ESTIMATE,
                       .block_size = 1,
                       .enable_chunked_prefill = true,
                       .enable_prefix_caching = true,
                       .gpu_memory_utilization = NAN,
                       .reserve_gib = 0,
                       .settle_limits = settle_sglang,
                       .graph_sizes = sglang_graphs}};

void engine_settings_settle(struct engine_settings *settings, const struct engine_host *host)
{
    const struct engine_profile *profile = &engine_profiles[settings->name];
    settle_flag(&settings->prefill, (int)profile->prefill);
    settle_flag(&settings->admission, (int)profile->admission);
    settle_int(&settings->block_size, profile->block_size);
    settle_flag(&settings->enable_chunked_prefill, profile->enable_chunked_prefill);
    settle_flag(&settings->enable_prefix_caching, profile->enable_prefix_caching);
    settle_flag(&settings->async_scheduling, true);
    settle_number(&settings->reserve_gib, profile->reserve_gib);
    settle_number(&settings->gpu_memory_utilization, profile->gpu_memory_utilization);
    profile->settle_limits(settings, host);
}

/* --- what contradicts itself --- */

static bool check_budget(const struct engine_settings *settings, struct error *error)
{
    int64_t decode_tok = engine_decode_tok(settings);
    if (settings->prefill != PREFILL_MIXED ||
        settings->max_num_batched_tokens >= settings->max_num_seqs * decode_tok)
        return true;
    if (decode_tok > 1) {
        error_set(error, ERROR_BAD_INPUT,
                  "max_num_batched_tokens (%lld) is below max_num_seqs (%lld) x (%lld drafts + 1)",
                  (long long)settings->max_num_batched_tokens, (long long)settings->max_num_seqs,
                  (long long)(decode_tok - 1));
        return error_hint(error, "all that a running sequence verifies is part of the budget");
    }
    error_set(error, ERROR_BAD_INPUT, "max_num_batched_tokens (%lld) is below max_num_seqs (%lld)",
              (long long)settings->max_num_batched_tokens, (long long)settings->max_num_seqs);
    return error_hint(error, "every running sequence needs a token of the budget to decode");
}

/* TensorRT-LLM itself takes one without the other, and then never waits: a timeout of 0 has passed,
 * and a share of 0 is reached. */
static bool check_batch_wait(const struct engine_settings *settings, struct error *error)
{
    bool iterations = settings->batch_wait_timeout_iters > 0;
    bool tokens = settings->batch_wait_max_tokens_ratio > 0;
    if (!iterations && !tokens)
        return true;
    const char *given = iterations ? "batch_wait_timeout_iters" : "batch_wait_max_tokens_ratio";
    if (settings->name != ENGINE_TRTLLM) {
        error_set(error, ERROR_BAD_INPUT, "%s is a setting of trtllm, but the engine is %s", given,
                  engine_names[settings->name]);
        return error_hint(error, "leave it out, or set engine.name to trtllm");
    }
    if (!iterations || !tokens) {
        error_set(error, ERROR_BAD_INPUT, "%s alone never makes a prompt wait", given);
        return error_hint(error,
                          "give both batch_wait_timeout_iters and batch_wait_max_tokens_ratio");
    }
    if (settings->prefill != PREFILL_MIXED) {
        error_set(error, ERROR_BAD_INPUT, "%s needs prefill \"mixed\", but it is \"%s\"", given,
                  prefill_names[settings->prefill]);
        return error_hint(error, "prompts wait for prompts while others decode; that is \"mixed\"");
    }
    if (settings->queue_order == ORDER_FCFS)
        return true;
    error_set(error, ERROR_BAD_INPUT, "%s needs queue_order \"fcfs\", but it is \"%s\"", given,
              queue_order_names[settings->queue_order]);
    return error_hint(error, "TensorRT-LLM, whose setting it is, serves first who came first");
}

static bool check_conservativeness(const struct engine_settings *settings, struct error *error)
{
    if (settings->schedule_conservativeness == 1 || settings->admission == ADMIT_ESTIMATE)
        return true;
    error_set(error, ERROR_BAD_INPUT,
              "schedule_conservativeness needs admission \"estimate\", but it is \"%s\"",
              admission_names[settings->admission]);
    return error_hint(error, "leave it out, or set engine.name to sglang");
}

static bool preempts(const struct engine_settings *settings)
{
    return settings->admission == ADMIT_PREEMPT || settings->admission == ADMIT_MAX_UTILIZATION;
}

static bool check_preempting(const struct engine_settings *settings, struct error *error)
{
    bool swaps = settings->preemption == PREEMPT_SWAP;
    bool paged = settings->kv_allocation == KV_PAGED;
    if ((!swaps && settings->watermark == 0) || (preempts(settings) && paged))
        return true;
    const char *given = swaps ? "preemption \"swap\"" : "watermark";
    if (!paged) {
        error_set(error, ERROR_BAD_INPUT, "%s needs kv_allocation \"paged\", but it is \"%s\"",
                  given, kv_allocation_names[settings->kv_allocation]);
        return error_hint(error, "who has reserved its memory is never preempted");
    }
    error_set(error, ERROR_BAD_INPUT, "%s needs admission \"preempt\", but it is \"%s\"", given,
              admission_names[settings->admission]);
    return error_hint(error, "leave it out, or set admission to \"preempt\"");
}

static bool check_batching(const struct engine_settings *settings, struct error *error)
{
    int kind = settings->batching.index;
    if (kind != BATCHING_STATIC && kind != BATCHING_DYNAMIC)
        return true;
    if (settings->queue_order == ORDER_FCFS)
        return true;
    error_set(error, ERROR_BAD_INPUT,
              "batching \"%s\" needs queue_order \"fcfs\", but it is \"%s\"",
              batching_kinds[kind].name, queue_order_names[settings->queue_order]);
    return error_hint(error, "batches are filled in order of arrival");
}

static bool check_order(const struct engine_settings *settings, struct error *error)
{
    if (settings->output_prediction.index != PREDICT_EXACT &&
        settings->queue_order != ORDER_SHORTEST_OUTPUT) {
        error_set(error, ERROR_BAD_INPUT,
                  "output_prediction needs queue_order \"shortest_output\", but it is \"%s\"",
                  queue_order_names[settings->queue_order]);
        return error_hint(error, "leave it out, or set queue_order");
    }
    if (isnan(settings->decode_first_max_wait_ms) || settings->prefill == PREFILL_DECODE_FIRST)
        return true;
    error_set(error, ERROR_BAD_INPUT,
              "decode_first_max_wait_ms needs prefill \"decode_first\", but it is \"%s\"",
              prefill_names[settings->prefill]);
    return error_hint(error, "leave it out, or set prefill");
}

static bool check_prompt_batch(const struct engine_settings *settings, struct error *error)
{
    if (settings->prompt_batch_tok == INT64_MIN || !settings->enable_chunked_prefill)
        return true;
    error_set(error, ERROR_BAD_INPUT, "prompt_batch_tok is a limit on whole prompts");
    return error_hint(error, "set enable_chunked_prefill to false, or limit chunks and all with "
                             "max_num_batched_tokens");
}

/* Speculation is a property of decodes that take KV blocks one by one. */
static bool check_speculation(const struct engine_settings *settings, struct error *error)
{
    if (!settings->speculative)
        return true;
    const char *lacks = settings->batching.index != BATCHING_CONTINUOUS ? "batching \"continuous\""
                        : settings->kv_allocation != KV_PAGED           ? "kv_allocation \"paged\""
                        : settings->report_kv_slots                     ? "report_kv_slots false"
                                                                        : NULL;
    if (!lacks)
        return speculative_check(settings->speculative, error);
    error_set(error, ERROR_BAD_INPUT, "\"speculative\" needs %s", lacks);
    return error_hint(error, "leave out one of the two");
}

static bool check_adapters(const struct engine_settings *settings, struct error *error)
{
    if (!settings->lora)
        return true;
    const char *lacks = settings->batching.index != BATCHING_CONTINUOUS ? "batching \"continuous\""
                        : settings->queue_order != ORDER_FCFS           ? "queue_order \"fcfs\""
                        : settings->preemption == PREEMPT_SWAP          ? "preemption \"recompute\""
                        : settings->batch_wait_timeout_iters > 0 ? "batch_wait_timeout_iters 0"
                                                                 : NULL;
    if (!lacks)
        return lora_check(settings->lora, error);
    error_set(error, ERROR_BAD_INPUT, "\"lora\" needs %s", lacks);
    return error_hint(error, "who waits for a slot is passed over in order of arrival alone");
}

bool engine_settings_check(const struct engine_settings *settings, struct error *error)
{
    return check_budget(settings, error) && check_prompt_batch(settings, error) &&
           check_batch_wait(settings, error) && check_conservativeness(settings, error) &&
           check_preempting(settings, error) && check_batching(settings, error) &&
           check_order(settings, error) && check_speculation(settings, error) &&
           check_adapters(settings, error) &&
           prefix_settings_check(settings->prefix_cache, settings->enable_prefix_caching, error);
}

/* --- in the engine's own terms --- */

int64_t engine_decode_tok(const struct engine_settings *settings)
{
    return settings->speculative ? 1 + settings->speculative->tokens : 1;
}

/* Scheduler.__init__ and environ.py, v0.5: SGLANG_INIT_NEW_TOKEN_RATIO,
 * SGLANG_MIN_NEW_TOKEN_RATIO_FACTOR and SGLANG_NEW_TOKEN_RATIO_DECAY_STEPS. */
struct output_share engine_output_share(const struct engine_settings *settings)
{
    double start = fmin(0.7 * settings->schedule_conservativeness, 1);
    double least = 0.14 * start;
    return (struct output_share){.start = llround(start * (double)OUTPUT_SHARE_ONE),
                                 .least = llround(least * (double)OUTPUT_SHARE_ONE),
                                 .step = llround((start - least) / 600 * (double)OUTPUT_SHARE_ONE)};
}

/* CLIP_MAX_NEW_TOKENS of schedule_policy.py (SGLANG_CLIP_MAX_NEW_TOKENS_ESTIMATION). */
uint32_t engine_answer_cap_tok(const struct engine_settings *settings)
{
    const uint32_t clip_tok = 4096;
    return settings->admission == ADMIT_ESTIMATE ? clip_tok : 0;
}

int64_t engine_batch_wait_tok(const struct engine_settings *settings)
{
    return (int64_t)ceil(settings->batch_wait_max_tokens_ratio *
                         (double)settings->max_num_batched_tokens);
}

/* --- CUDA graphs --- */

void engine_graphs_list(const struct engine_settings *settings, struct engine_graphs *graphs)
{
    graphs->count =
        engine_profiles[settings->name].graph_sizes(settings->cuda_graph_max_batch, graphs->sizes);
}
