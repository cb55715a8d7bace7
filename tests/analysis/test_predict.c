/* Predictions of measured points, and the servers behind them. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "analysis/predict.h"
#include "analysis/protocol.h"
#include "tests/models/support.h"

static struct measured_point a_point(void)
{
    return (struct measured_point){.origin = "lab",
                                   .model = "Llama-3.1-8B",
                                   .model_path = "",
                                   .system = "h100_sxm",
                                   .backend = "vllm",
                                   .backend_version = "",
                                   .precision = "bf16",
                                   .gemm_quant = "",
                                   .moe_quant = "",
                                   .flag = "",
                                   .isl = 1000,
                                   .osl = 100,
                                   .len_ratio_min = 0.8,
                                   .concurrency = 16,
                                   .tp = 1,
                                   .pp = 1,
                                   .attn_dp = 1,
                                   .moe_tp = 1,
                                   .moe_ep = 1,
                                   .ttft_ms = 1,
                                   .tpot_ms = 1};
}

static struct predictor *shipped_predictor(void)
{
    struct error error = {0};
    struct arena *arena = arena_create();
    const char *folder = catalog_path(arena, &error);
    cr_assert(folder, "%s", error.message);
    struct predictor *predictor = predictor_create(folder, &error);
    cr_assert(predictor, "%s:%ld: %s", error.file, error.line, error.message);
    arena_destroy(arena);
    return predictor;
}

static void predict(const struct measured_point *points, size_t count, size_t threads,
                    struct prediction *predictions)
{
    struct predictor *predictor = shipped_predictor();
    const struct predict_options options = {.threads = threads};
    struct error error = {0};
    cr_assert(predict_points(predictor, points, count, &options, predictions, &error), "%s",
              error.message);
    predictor_destroy(predictor);
}

Test(predict, latencies_belong_together)
{
    struct measured_point points[2] = {a_point(), a_point()};
    struct prediction predictions[2];
    points[0].len_ratio_min = points[1].len_ratio_min = 1;
    points[1].concurrency = 64;
    predict(points, 2, 1, predictions);
    for (int i = 0; i < 2; i++) {
        const struct prediction *is = &predictions[i];
        cr_assert_eq(is->state, PREDICTION_DONE, "%s", is->reason);
        cr_expect_float_eq(is->e2e_ms, is->ttft_ms + 99 * is->tpot_ms, 1e-3 * is->e2e_ms);
    }
    cr_expect_gt(predictions[1].tpot_ms, predictions[0].tpot_ms);
    cr_expect_gt(predictions[1].ttft_ms, predictions[0].ttft_ms);
}

Test(predict, threads_change_nothing)
{
    enum { COUNT = 24 };
    struct measured_point points[COUNT];
    struct prediction alone[COUNT], together[COUNT];
    for (int i = 0; i < COUNT; i++) {
        points[i] = a_point();
        points[i].tp = 1 << i % 4;
        points[i].concurrency = 4 + i / 4;
        points[i].backend = i % 3 ? "vllm" : "trtllm";
    }
    predict(points, COUNT, 1, alone);
    predict(points, COUNT, 5, together);
    for (int i = 0; i < COUNT; i++) {
        cr_expect_eq(alone[i].state, PREDICTION_DONE);
        cr_expect_eq(alone[i].ttft_ms, together[i].ttft_ms);
        cr_expect_eq(alone[i].tpot_ms, together[i].tpot_ms);
        cr_expect_eq(alone[i].e2e_ms, together[i].e2e_ms);
    }
}

Test(predict, says_why_a_point_is_not_covered)
{
    struct measured_point points[7];
    static const char *const reasons[] = {
        "model \"gpt-9\"", "GPU \"abacus\"", "engine \"tgi\"", "\"fp3\"", "fit",
        "workers",         "longer"};
    for (int i = 0; i < 7; i++)
        points[i] = a_point();
    points[0].model = "gpt-9";
    points[1].system = "abacus";
    points[2].backend = "tgi";
    points[3].precision = "fp3";
    points[4].model = "Llama-3.1-405B";
    points[5].disaggregated = true;
    points[6].isl = 200000;
    struct prediction predictions[7];
    predict(points, 7, 2, predictions);
    for (int i = 0; i < 7; i++) {
        cr_expect_eq(predictions[i].state, PREDICTION_NOT_COVERED);
        cr_expect(isnan(predictions[i].tpot_ms));
        cr_expect(strstr(predictions[i].reason, reasons[i]), "says: %s", predictions[i].reason);
    }
}

/* Two workers of one GPU that prefill, one of two GPUs that decodes. */
static struct measured_point a_point_apart(void)
{
    struct measured_point point = a_point();
    point.backend = "trtllm";
    point.tp = 0;
    point.disaggregated = true;
    point.prefill = (struct side_layout){
        .workers = 2, .tp = 1, .pp = 1, .attn_dp = 1, .moe_tp = 1, .moe_ep = 1};
    point.decode = point.prefill;
    point.decode.workers = 1;
    point.decode.tp = 2;
    return point;
}

Test(predict, sides_are_simulated_apart)
{
    struct measured_point points[4] = {a_point_apart(), a_point_apart(), a_point_apart(),
                                       a_point_apart()};
    points[1].prefill.workers = 1;
    points[2].decode.workers = 4;
    points[3].concurrency = 0;
    for (int i = 0; i < 3; i++)
        points[i].concurrency = 256;
    struct prediction is[4];
    predict(points, 4, 2, is);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(is[i].state, PREDICTION_DONE, "%s", is[i].reason);
    /* Fewer workers that prefill make prompts wait; more that decode make answers faster. */
    cr_expect_gt(is[1].ttft_ms, 1.5 * is[0].ttft_ms);
    cr_expect_lt(is[2].tpot_ms, 0.9 * is[0].tpot_ms);
    cr_expect_eq(is[3].state, PREDICTION_NOT_COVERED);
    cr_expect(strstr(is[3].reason, "clients"), "says: %s", is[3].reason);
}

static bool never(void *context, size_t done, size_t count)
{
    (void)context, (void)done, (void)count;
    return false;
}

Test(predict, can_be_stopped)
{
    struct predictor *predictor = shipped_predictor();
    struct measured_point points[2] = {a_point(), a_point()};
    points[0].concurrency = points[1].concurrency = 100000;
    points[0].osl = points[1].osl = 10000;
    points[1].tp = 2;
    struct prediction predictions[2];
    const struct predict_options options = {.threads = 1, .proceed = never};
    cr_assert(predict_points(predictor, points, 2, &options, predictions, NULL));
    cr_expect_eq(predictions[1].state, PREDICTION_PENDING);
    predictor_destroy(predictor);
}

/* --- the servers --- */

static struct protocol_server server_of(const struct measured_point *point)
{
    struct predictor *predictor = shipped_predictor();
    struct protocol_server server;
    struct error error = {0};
    const struct gpu *gpu = protocol_gpu(predictor->hardware, point->system);
    cr_assert(protocol_server(point, gpu, &server, &error), "%s", error.message);
    predictor_destroy(predictor);
    return server;
}

Test(protocol, systems_are_gpus)
{
    struct arena *arena = arena_create();
    const struct hardware *hardware = shipped_hardware(arena);
    static const char *const names[][2] = {{"h100_sxm", "H100-SXM"}, {"b200_sxm", "B200"},
                                           {"gb200", "GB200"},       {"l40s", "L40S"},
                                           {"H200-SXM", "H200-SXM"}, {"a100_sxm", "A100-80GB-SXM"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_expect_str_eq(protocol_gpu(hardware, names[i][0])->name, names[i][1]);
    cr_expect_null(protocol_gpu(hardware, "h100"));
    arena_destroy(arena);
}

Test(protocol, weights_and_cache)
{
    struct measured_point point = a_point();
    cr_expect_eq(server_of(&point).weights, PRECISION_BF16);
    cr_expect_eq(server_of(&point).kv, PRECISION_BF16);
    point.precision = "fp8";
    cr_expect_eq(server_of(&point).weights, PRECISION_FP8);
    cr_expect_eq(server_of(&point).kv, PRECISION_BF16);
    point.backend = "trtllm";
    cr_expect_eq(server_of(&point).kv, PRECISION_FP8);
    point.gemm_quant = "fp8_block";
    cr_expect_eq(server_of(&point).weights, PRECISION_FP8_BLOCK);
    point.model = "gpt-oss-120b";
    cr_expect_eq(server_of(&point).weights, PRECISION_BF16);
    cr_expect_eq(server_of(&point).expert_weights, PRECISION_MXFP4);
    point.model = "some-moe";
    cr_expect_eq(server_of(&point).expert_weights, PRECISION_FP8_BLOCK);
    point.moe_quant = "nvfp4";
    cr_expect_eq(server_of(&point).expert_weights, PRECISION_FP4);
}

Test(protocol, the_benchmarks_own_settings)
{
    struct measured_point point = a_point();
    point.origin = "infx_csv";
    point.model = "Llama-3.1-70B";
    point.precision = "fp8";
    point.backend = "trtllm";
    point.isl = point.osl = 1024;
    struct engine_settings engine = server_of(&point).engine;
    cr_expect_eq(engine.max_num_batched_tokens, 16384);
    cr_expect_eq(engine.max_num_seqs, 16);
    cr_expect_eq(engine.batch_wait_timeout_iters, 20);
    point.tp = 8;
    cr_expect_eq(server_of(&point).engine.batch_wait_timeout_iters, 0);
    point.tp = 4;
    point.isl = 8192;
    cr_expect_eq(server_of(&point).engine.batch_wait_timeout_iters, 0);
    point.isl = 40000; /* whole prompts: room for them */
    cr_expect_geq(server_of(&point).engine.max_num_batched_tokens, 40000 + 1024);
    point.backend = "vllm";
    point.system = "h200_sxm";
    engine = server_of(&point).engine;
    cr_expect_eq(engine.max_num_batched_tokens, 8192);
    cr_expect_eq(server_of(&point).kv, PRECISION_FP8);
    point.system = "h100_sxm"; /* what its queues say */
    cr_expect_eq(server_of(&point).kv, PRECISION_BF16);
}

Test(protocol, only_requests_of_one_length_are_jittered)
{
    struct measured_point point = a_point();
    cr_expect_eq(protocol_pause(&point).max_s, 0);
    point.len_ratio_min = 1;
    cr_expect_gt(protocol_pause(&point).max_s, protocol_pause(&point).min_s);
    cr_expect_eq(protocol_requests(&point), 160);
}
