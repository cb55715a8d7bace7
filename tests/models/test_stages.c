/* Replicas as lists of stages: what a deployment makes of them, and what it refuses. */
#include "models/engine/stage_graph.h"
#include "models/fleet/deployment.h"
#include "tests/models/support.h"

static struct arena *arena;
static struct engine_settings settings;
static struct deployment_request request;
static struct deployment_stage stages[4];

static struct deployment_stage stage_on(const char *gpu, int64_t layers)
{
    return (struct deployment_stage){.gpu = hardware_gpu(request.calibration->hardware, gpu, NULL),
                                     .tensor_parallel = 1,
                                     .layers = layers,
                                     .first_layer = -1,
                                     .share = 1,
                                     .link_gb_s = NAN,
                                     .link_latency_us = NAN};
}

/* Llama 3.1 8B, with 32 layers, on an L4 and an H100. */
static void set_up(void)
{
    arena = arena_create();
    settings = engine_settings_unset;
    request = (struct deployment_request){.calibration = shipped_calibration(arena),
                                          .llm = shipped_llm(arena, "llama-3.1-8b"),
                                          .stages = stages,
                                          .stage_count = 2,
                                          .weights = PRECISION_BF16,
                                          .kv = PRECISION_BF16,
                                          .engine = &settings};
    stages[0] = stage_on("L4", 8);
    stages[1] = stage_on("H100-SXM", 24);
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(stages, .init = set_up, .fini = tear_down);

static struct deployment compiled(void)
{
    struct deployment deployment;
    struct error error = {0};
    cr_assert(deployment_compile(&request, &deployment, &error), "%s", error.message);
    return deployment;
}

static void expect_refused(const char *words)
{
    struct deployment deployment;
    struct error error = {0};
    cr_assert_not(deployment_compile(&request, &deployment, &error));
    cr_expect(strstr(error.message, words), "%s", error.message);
}

static double decode_s(const struct deployment *deployment, int64_t n)
{
    return fine_to_s(steptime_mixed(deployment->steptime, n, 1024 * n, NULL, 0, 0));
}

Test(stages, gpus_and_power_add_up)
{
    struct deployment deployment = compiled();
    cr_expect_eq(deployment.gpus, 2);
    cr_expect_eq(deployment.pipeline_parallel, 2);
    cr_expect_eq(deployment.micro_batches, 2);
    cr_expect_str_eq(deployment.gpu_names, "L4+H100-SXM");
    cr_expect_float_eq(deployment.busy_w, stages[0].gpu->tdp_w + stages[1].gpu->tdp_w, 1e-9);
    deployment_clear(&deployment);
}

Test(stages, the_stage_with_the_least_room_decides_on_the_kv_cache)
{
    struct deployment few = compiled();
    stages[0].layers = 20;
    stages[1].layers = 12;
    struct deployment many = compiled();
    cr_expect_lt(many.memory.kv_blocks, few.memory.kv_blocks / 2, "more weights and more cache");
    deployment_clear(&few);
    deployment_clear(&many);
    request.llm = shipped_llm(arena, "llama-3.1-70b");
    stages[0].layers = 20;
    stages[1].layers = 60;
    expect_refused("layers 1 to 20 of llama-3.1-70b does not fit on L4");
}

Test(stages, layers_belong_where_they_are_fast)
{
    struct deployment good = compiled();
    stages[0].layers = 24;
    stages[1].layers = 8;
    struct deployment bad = compiled();
    cr_expect_gt(decode_s(&bad, 64), 2 * decode_s(&good, 64));
    deployment_clear(&good);
    deployment_clear(&bad);
}

Test(stages, a_slow_link_delays_every_token)
{
    struct deployment near = compiled();
    stages[0].link_latency_us = 5000;
    struct deployment far = compiled();
    cr_expect_float_eq(decode_s(&far, 1) - decode_s(&near, 1), 5e-3, 1e-4);
    deployment_clear(&near);
    deployment_clear(&far);
}

Test(stages, equal_stages_are_a_pipeline)
{
    stages[0] = stages[1] = stage_on("H100-SXM", 16);
    struct deployment listed = compiled();
    request.stage_count = 0;
    request.gpu = stages[0].gpu;
    request.tensor_parallel = 1;
    request.pipeline_parallel = 2;
    struct deployment even = compiled();
    cr_expect_eq(listed.memory.kv_blocks, even.memory.kv_blocks);
    cr_expect_eq(decode_s(&listed, 50), decode_s(&even, 50));
    deployment_clear(&listed);
    deployment_clear(&even);
}

Test(stages, given_layers_take_their_time)
{
    const struct layer_time time = {
        .decode_s = 1e-3, .sequence_s = 1e-5, .prompt_s = 2e-3, .prompt_token_s = 1e-5};
    stages[0].layer_time = stages[1].layer_time = &time;
    stages[0].link_latency_us = 0;
    stages[0].link_gb_s = 1e6;
    request.micro_batches = 1;
    struct deployment deployment = compiled();
    cr_expect_float_eq(decode_s(&deployment, 10), 32 * 1.1e-3, 1e-6);
    const struct prefill_chunk chunk = {0, 500};
    cr_expect_float_eq(fine_to_s(steptime_mixed(deployment.steptime, 0, 0, &chunk, 1, 1)),
                       32 * 7e-3, 1e-4);
    cr_expect_eq(deployment.basis.kind, STEP_TIME_GIVEN);
    deployment_clear(&deployment);
}

Test(stages, constants_of_another_engine_are_taken_by_name)
{
    struct deployment usual = compiled();
    struct step_time_calibrated calibrated = {"vllm-helix"};
    const struct config_variant step_time = {STEP_TIME_CALIBRATED, &calibrated};
    request.step_time = &step_time;
    struct deployment helix = compiled();
    cr_expect_neq(decode_s(&usual, 10), decode_s(&helix, 10));
    deployment_clear(&usual);
    deployment_clear(&helix);
    calibrated.constants = "nobody";
    expect_refused("no constants of nobody");
}

Test(stages, a_graph_keeps_the_memory_and_links_of_each_stage)
{
    request.pipelining = PIPELINING_QUEUES;
    request.stage_count = 3;
    stages[1].share = 0.75;
    stages[2] = stage_on("A100-80GB-SXM", 24);
    stages[2].first_layer = 8;
    stages[2].share = 0.25;
    struct deployment deployment = compiled();
    const struct stage_graph *graph = deployment.engine.graph;
    cr_assert_eq(graph->count, 3);
    cr_expect_eq(graph->stages[2].first_layer, 8);
    cr_expect_eq(graph->stages[2].end_layer, 32);
    cr_expect_neq(graph->stages[0].kv_blocks, graph->stages[1].kv_blocks);
    cr_expect_eq(graph->kv_blocks, graph->stages[0].kv_blocks + graph->stages[1].kv_blocks +
                                       graph->stages[2].kv_blocks);
    deployment_clear(&deployment);
    request.pipelining = PIPELINING_ROUNDS;
    expect_refused("in rounds, stages follow one another");
}

Test(stages, what_makes_no_model_is_refused)
{
    stages[1].layers = 25;
    expect_refused("33 layers in all, and llama-3.1-8b has 32");
    request.pipelining = PIPELINING_QUEUES;
    stages[1].layers = 24;
    stages[1].share = 0.5;
    expect_refused("shares of 0.5");
    stages[1].share = 1;
    request.stage_count = 4; /* halves that do not meet */
    stages[0].share = 0.5;
    stages[1].share = 0.5;
    stages[2] = stage_on("H100-SXM", 10);
    stages[2].first_layer = 0;
    stages[2].share = 0.5;
    stages[3] = stage_on("H100-SXM", 22);
    stages[3].share = 0.5;
    struct deployment deployment = compiled(); /* each half by itself */
    deployment_clear(&deployment);
    stages[3].layers = 21;
    expect_refused("shares of 0.5");
    struct layer_time no_time = {.prompt_token_s = 1};
    stages[0].layer_time = &no_time;
    expect_refused("at least for a decode");
}

Test(stages, queues_need_stages_that_can_be_followed)
{
    request.pipelining = PIPELINING_QUEUES;
    const struct steptime_given given = {.base_s = 1};
    const struct config_variant step_time = {STEP_TIME_GIVEN, (void *)&given};
    request.step_time = &step_time;
    expect_refused("a given step time is of a whole replica");
}

Test(stages, nothing_spans_slices)
{
    stages[1] = stage_on("H100-SXM/3g.40gb", 24);
    expect_refused("nothing can be split over MIG slices (H100-SXM/3g.40gb)");
    request.stage_count = 0;
    request.gpu = stages[1].gpu;
    request.tensor_parallel = 2;
    request.pipeline_parallel = 1;
    expect_refused("nothing can be split over MIG slices");
}
