/* What one replica is, from GPU, model and settings. */
#include "models/fleet/deployment.h"

#include <math.h>
#include <string.h>

#include "models/engine/queue_order.h"
#include "tests/models/support.h"

static struct engine_settings usual_settings(void)
{
    struct engine_settings settings = engine_settings_unset;
    settings.max_num_batched_tokens = 8192;
    settings.max_num_seqs = 256;
    return settings;
}

static struct deployment_request usual_request(struct arena *arena, const char *gpu,
                                               const struct engine_settings *settings)
{
    struct calibration *calibration = shipped_calibration(arena);
    return (struct deployment_request){.gpu = hardware_gpu(calibration->hardware, gpu, NULL),
                                       .calibration = calibration,
                                       .llm = shipped_llm(arena, "llama-3.1-8b"),
                                       .tensor_parallel = 1,
                                       .pipeline_parallel = 1,
                                       .weights = PRECISION_BF16,
                                       .kv = PRECISION_BF16,
                                       .engine = settings};
}

Test(deployment, of_llama_on_an_h100)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct deployment_request request = usual_request(arena, "H100-SXM", &settings);
    struct deployment deployment;
    struct error error = {0};
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    cr_assert_eq(deployment.gpus, 1);
    cr_assert_eq(deployment.engine.max_model_tok, 131072, "the model's own limit");
    cr_assert_eq(deployment.engine.kv_blocks, deployment.memory.kv_blocks);
    cr_assert_eq(deployment.engine.steptime, deployment.steptime);
    cr_assert_gt(deployment.busy_w, deployment.idle_w);
    deployment_clear(&deployment);
    deployment_clear(&deployment); /* harmless */
    arena_destroy(arena);
}

Test(deployment, caches_prefixes_with_every_engine)
{
    struct arena *arena = arena_create();
    for (int name = 0; name < ENGINE_COUNT; name++)
        for (int on = 0; on <= 1; on++) {
            struct engine_settings settings = usual_settings();
            settings.name = name;
            settings.enable_prefix_caching = on;
            struct deployment_request request = usual_request(arena, "H100-SXM", &settings);
            struct deployment deployment;
            struct error error = {0};
            cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
            cr_expect_eq(deployment.engine.keeps_blocks, on, "engine %d", name);
            deployment_clear(&deployment);
        }
    arena_destroy(arena);
}

Test(deployment, experts_may_have_a_format_of_their_own)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct deployment_request request = usual_request(arena, "H200-SXM", &settings);
    request.llm = shipped_llm(arena, "gpt-oss-120b");
    struct deployment deployment;
    struct error error = {0};
    cr_assert_not(deployment_compile(&request, &deployment, &error), "218 GiB in 16 bits");
    const enum precision mxfp4 = PRECISION_MXFP4;
    request.expert_weights = &mxfp4;
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    cr_assert_eq(deployment.weights, PRECISION_BF16);
    cr_assert_eq(deployment.expert_weights, PRECISION_MXFP4);
    deployment_clear(&deployment);
    arena_destroy(arena);
}

/* Where the KV cache is smaller than the model's context, it is the limit. */
Test(deployment, the_cache_limits_the_length)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    settings.num_gpu_blocks_override = 100;
    struct deployment_request request = usual_request(arena, "H100-SXM", &settings);
    struct deployment deployment;
    struct error error = {0};
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    cr_assert_eq(deployment.engine.kv_blocks, 100);
    cr_assert_eq(deployment.engine.max_model_tok, 1600);
    deployment_clear(&deployment);

    settings.max_model_len = 1601;
    cr_assert_not(deployment_compile(&request, &deployment, &error));
    cr_assert(strstr(error.message, "holds 1600 tokens"), "%s", error.message);
    arena_destroy(arena);
}

/* A block of Llama 3.1 8B is 16 times 131,072 bytes: 2 MiB; an H100's link makes 64 GB/s. */
Test(deployment, memory_rules_reach_the_engine_in_blocks)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    settings.num_gpu_blocks_override = 1050;
    settings.watermark = 0.01;
    settings.preemption = PREEMPT_SWAP;
    struct deployment_request request = usual_request(arena, "H100-SXM", &settings);
    struct deployment deployment;
    struct error error = {0};
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    cr_assert_eq(deployment.engine.watermark_blocks, 10);
    cr_assert_eq(deployment.engine.swap_blocks, 2048, "4 GiB");
    cr_assert_float_eq(fine_to_s(deployment.engine.swap_block_time),
                       2097152 / (request.gpu->pcie_gb_s * 1e9), 1e-12);
    deployment_clear(&deployment);

    settings.watermark = 0;
    settings.preemption = PREEMPT_RECOMPUTE;
    settings.kv_allocation = KV_CONTIGUOUS_MAX;
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    cr_assert_eq(deployment.engine.admission, ADMIT_NO_EVICT, "who has reserved is not preempted");
    cr_assert_eq(deployment.engine.swap_blocks, 0);
    deployment_clear(&deployment);
    arena_destroy(arena);
}

Test(deployment, gpus_multiply)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct deployment_request request = usual_request(arena, "A100-80GB-SXM", &settings);
    request.tensor_parallel = 2;
    request.pipeline_parallel = 2;
    struct deployment deployment;
    struct error error = {0};
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    cr_assert_eq(deployment.gpus, 4);
    cr_assert_float_eq(deployment.busy_w, 4 * request.gpu->tdp_w, 1e-9);
    deployment_clear(&deployment);
    arena_destroy(arena);
}

Test(deployment, given_step_times_must_take_time)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct deployment_request request = usual_request(arena, "H100-SXM", &settings);
    struct steptime_given given = {.per_sequence_s = 1};
    struct config_variant step_time = {.index = STEP_TIME_GIVEN, .value = &given};
    request.step_time = &step_time;
    struct deployment deployment;
    struct error error = {0};
    cr_assert_not(deployment_compile(&request, &deployment, &error));
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
    given.per_prefill_token_s = 1e-9;
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    deployment_clear(&deployment);
    arena_destroy(arena);
}

static int64_t kv_blocks_of(struct arena *arena, const struct engine_settings *settings)
{
    struct deployment_request request = usual_request(arena, "H100-SXM", settings);
    struct deployment deployment;
    struct error error = {0};
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    int64_t blocks = deployment.engine.kv_blocks;
    deployment_clear(&deployment);
    return blocks;
}

/* vLLM: 0.9 x 79.6 GiB less weights and reserve. TensorRT-LLM: 0.9 of what all of them leave. */
Test(deployment, memory_is_shared_out_as_the_engine_does)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    settings.block_size = 16;
    int64_t vllm = kv_blocks_of(arena, &settings);
    settings.name = ENGINE_TRTLLM;
    int64_t trtllm = kv_blocks_of(arena, &settings);
    settings.gpu_memory_utilization = 1;
    int64_t all = kv_blocks_of(arena, &settings);
    cr_assert_float_eq((double)trtllm, 0.9 * (double)all, 1);
    settings.name = ENGINE_VLLM;
    cr_assert_eq(kv_blocks_of(arena, &settings), all);
    cr_assert_gt(trtllm, vllm);
    arena_destroy(arena);
}

static fine_t one_decode(struct arena *arena, const struct engine_settings *settings)
{
    struct deployment_request request = usual_request(arena, "H100-SXM", settings);
    struct config_variant roofline = {.index = STEP_TIME_ROOFLINE};
    request.step_time = &roofline;
    struct deployment deployment;
    struct error error = {0};
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    fine_t time = steptime_decode(deployment.steptime, 1, 100).base;
    deployment_clear(&deployment);
    return time;
}

Test(deployment, a_scheduler_that_the_gpu_waits_for_costs_its_time)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    fine_t hidden = one_decode(arena, &settings);
    settings.async_scheduling = false;
    settings.host_overhead_ms = 2;
    fine_t waited = one_decode(arena, &settings);
    cr_assert_float_eq(fine_to_s(waited - hidden), 2e-3, 1e-12);
    arena_destroy(arena);
}

/* What vLLM's server takes where nothing is said: by the GPU; a limit that is given moves the
 * other. */
Test(deployment, limits_are_vllms_for_the_gpu)
{
    struct arena *arena = arena_create();
    const struct {
        const char *gpu;
        int64_t batched, sequences; /* given; INT64_MIN: not */
        int64_t expected_batched, expected_sequences;
    } cases[] = {
        {"H100-SXM", INT64_MIN, INT64_MIN, 8192, 1024},
        {"A100-80GB-SXM", INT64_MIN, INT64_MIN, 2048, 256},
        {"L40S", INT64_MIN, INT64_MIN, 2048, 256},
        {"L40S", 100, INT64_MIN, 100, 100},
        {"L40S", INT64_MIN, 4000, 4000, 4000},
        {"L40S", 512, 8, 512, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct engine_settings settings = usual_settings();
        settings.max_num_batched_tokens = cases[i].batched;
        settings.max_num_seqs = cases[i].sequences;
        struct deployment_request request = usual_request(arena, cases[i].gpu, &settings);
        struct deployment deployment;
        struct error error = {0};
        cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
        cr_expect_eq(deployment.engine.max_batch_tokens, cases[i].expected_batched, "case %zu", i);
        cr_expect_eq(deployment.engine.max_sequences, cases[i].expected_sequences, "case %zu", i);
        deployment_clear(&deployment);
    }
    arena_destroy(arena);
}

static struct deployment compile(struct arena *arena, const struct engine_settings *settings,
                                 int64_t tensor_parallel)
{
    struct deployment_request request = usual_request(arena, "H100-SXM", settings);
    request.llm = shipped_llm(arena, "llama-3.1-70b");
    request.tensor_parallel = tensor_parallel;
    struct deployment deployment;
    struct error error = {0};
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    return deployment;
}

static double iteration_s(const struct deployment *deployment, int64_t n)
{
    struct decode_line line = steptime_decode(deployment->steptime, n, n * 600);
    return fine_to_s(line.base + line.slope * n * 600);
}

static double acceptance_80[] = {0.8};

static struct speculative_settings drafts_of(int method)
{
    return (struct speculative_settings){.method = method,
                                         .tokens = 4,
                                         .acceptance = {acceptance_80, 1},
                                         .draft_tensor_parallel = INT64_MIN,
                                         .draft_weights = -1,
                                         .draft_overhead_ms = 0.2,
                                         .disable_by_batch_size = INT64_MIN};
}

/* Verification is free while weights are read, and is not when arithmetic takes longer: 2 to 3
 * times the tokens at batch 1 (Leviathan et al., 2023), and less than one in large batches. */
Test(deployment, the_gain_of_speculation_shrinks_as_the_batch_grows)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct speculative_settings speculative = drafts_of(DRAFT_MODEL);
    speculative.draft_model = "llama-3.2-1b";
    speculative.draft_tensor_parallel = 1;
    struct deployment plain = compile(arena, &settings, 4);
    settings.speculative = &speculative;
    struct deployment drafting = compile(arena, &settings, 4);
    double before = INFINITY;
    for (int64_t n = 1; n <= 256; n *= 4) {
        double gain = 3.3616 * iteration_s(&plain, n) / iteration_s(&drafting, n);
        cr_assert_lt(gain, before, "%g at %d", gain, (int)n);
        cr_assert(n > 1 || (gain > 2 && gain < 3), "%g", gain);
        before = gain;
    }
    cr_assert_lt(before, 1.1);
    cr_assert_eq(drafting.engine.speculation.draft_tok, 4);
    deployment_clear(&plain);
    deployment_clear(&drafting);
    arena_destroy(arena);
}

/* On one GPU each: the draft's 2.5 GB of weights, and 32 KiB of KV cache beside 327,680 bytes. */
Test(deployment, a_draft_model_takes_memory)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct deployment plain = compile(arena, &settings, 4);
    struct speculative_settings speculative = drafts_of(DRAFT_NGRAM);
    settings.speculative = &speculative;
    struct deployment ngram = compile(arena, &settings, 4);
    cr_assert_eq(ngram.memory.kv_blocks, plain.memory.kv_blocks);
    speculative.method = DRAFT_MODEL;
    speculative.draft_model = "llama-3.2-1b";
    speculative.draft_tensor_parallel = 1;
    struct deployment drafting = compile(arena, &settings, 4);
    double more = drafting.memory.weight_bytes_per_gpu - plain.memory.weight_bytes_per_gpu;
    cr_assert_float_eq(more, 2.47e9, 0.02e9);
    more = drafting.memory.kv_bytes_per_token_per_gpu - plain.memory.kv_bytes_per_token_per_gpu;
    cr_assert_float_eq(more, 32768, 1e-6);
    deployment_clear(&plain);
    deployment_clear(&ngram);
    deployment_clear(&drafting);
    arena_destroy(arena);
}

/* A layer of 80, without its embeddings. */
Test(deployment, a_predictor_is_a_layer_of_the_model)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct deployment plain = compile(arena, &settings, 4);
    struct speculative_settings speculative = drafts_of(DRAFT_MTP);
    settings.speculative = &speculative;
    struct deployment drafting = compile(arena, &settings, 4);
    double more = drafting.memory.weight_bytes_per_gpu - plain.memory.weight_bytes_per_gpu;
    cr_assert_float_eq(more, 2 * 855.6e6 / 4, 1e6);
    cr_assert_gt(iteration_s(&drafting, 1), iteration_s(&plain, 1) * 1.03);
    cr_assert_lt(iteration_s(&drafting, 1), iteration_s(&plain, 1) * 1.3);
    deployment_clear(&plain);
    deployment_clear(&drafting);
    arena_destroy(arena);
}

/* Eight slots of rank 16: 8 x 84 MB on one GPU. */
Test(deployment, adapters_take_memory_and_time)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct deployment_request request = usual_request(arena, "H100-SXM", &settings);
    struct deployment plain, adapted;
    cr_assert(deployment_compile(&request, &plain, NULL));
    const struct lora_settings lora = {.adapters = 64,
                                       .zipf = 1,
                                       .rank = 16,
                                       .max_loras = 8,
                                       .max_cpu_loras = 64,
                                       .load_gb_s = 25,
                                       .disk_gb_s = 2};
    settings.lora = &lora;
    cr_assert(deployment_compile(&request, &adapted, NULL));
    double slot = 2.0 * 16 * 32 * (2 * 8192 + 2 * 5120 + 3 * 18432);
    double more = adapted.memory.weight_bytes_per_gpu - plain.memory.weight_bytes_per_gpu;
    cr_assert_float_eq(more, 8 * slot, 1);
    cr_assert_float_eq(fine_to_s(adapted.engine.lora->host_load), slot / 25e9, 1e-9);
    cr_assert_float_eq(fine_to_s(adapted.engine.lora->disk_load), slot / 2e9, 1e-9);
    double slower = iteration_s(&adapted, 8) - iteration_s(&plain, 8);
    cr_assert(slower > 0.5e-3 && slower < 2e-3, "%g", slower);
    deployment_clear(&plain);
    deployment_clear(&adapted);
    arena_destroy(arena);
}

Test(deployment, each_sequence_costs_the_host_its_time)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    settings.async_scheduling = false;
    struct deployment plain = compile(arena, &settings, 4);
    settings.host_sequence_overhead_us = 20;
    struct deployment slower = compile(arena, &settings, 4);
    cr_assert_float_eq(iteration_s(&slower, 64) - iteration_s(&plain, 64), 64 * 20e-6, 1e-9);
    settings.async_scheduling = true;
    struct deployment hidden = compile(arena, &settings, 4);
    cr_assert_lt(iteration_s(&hidden, 64), iteration_s(&plain, 64));
    deployment_clear(&plain);
    deployment_clear(&slower);
    deployment_clear(&hidden);
    arena_destroy(arena);
}

Test(deployment, a_round_trip_is_part_of_the_way)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct deployment_request request = usual_request(arena, "H100-SXM", &settings);
    struct deployment near, far;
    cr_assert(deployment_compile(&request, &near, NULL));
    request.network_rtt_s = 0.08;
    cr_assert(deployment_compile(&request, &far, NULL));
    cr_assert_eq(far.engine.request_overhead - near.engine.request_overhead, tick_from_s(0.08));
    deployment_clear(&near);
    deployment_clear(&far);
    arena_destroy(arena);
}

static void expect_refused(struct deployment_request *request, const char *word)
{
    struct deployment deployment;
    struct error error = {0};
    cr_assert_not(deployment_compile(request, &deployment, &error));
    cr_assert(strstr(error.message, word), "%s", error.message);
    cr_assert(error.hint[0]);
}

Test(deployment, drafts_and_adapters_that_cannot_be_are_refused)
{
    struct arena *arena = arena_create();
    struct engine_settings settings = usual_settings();
    struct speculative_settings speculative = drafts_of(DRAFT_NGRAM);
    settings.speculative = &speculative;
    struct deployment_request request = usual_request(arena, "H100-SXM", &settings);
    request.pipeline_parallel = 2;
    expect_refused(&request, "one pipeline stage");
    request.pipeline_parallel = 1;
    settings.max_num_batched_tokens = 1000;
    expect_refused(&request, "below max_num_seqs (256) x (4 drafts + 1)");
    settings.max_num_batched_tokens = 8192;
    settings.kv_allocation = KV_CONTIGUOUS_MAX;
    expect_refused(&request, "kv_allocation \"paged\"");
    settings.kv_allocation = KV_PAGED;
    speculative.method = DRAFT_MODEL;
    speculative.draft_model = "llama-3.2-1b";
    speculative.draft_tensor_parallel = 2;
    expect_refused(&request, "draft_tensor_parallel is 2");
    speculative.draft_tensor_parallel = 1;
    speculative.draft_model = "llama-3.2-1";
    expect_refused(&request, "llama-3.2-1");
    settings.speculative = NULL;
    const struct lora_settings lora = {.adapters = 2, .rank = 8, .max_loras = 1, .disk_gb_s = 1};
    settings.lora = &lora;
    settings.queue_order = ORDER_SHORTEST_PROMPT;
    expect_refused(&request, "queue_order \"fcfs\"");
    arena_destroy(arena);
}
