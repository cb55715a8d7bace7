/* What one replica is, from GPU, model and settings. */
#include "models/fleet/deployment.h"
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
