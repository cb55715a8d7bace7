/* The workers behind rows of servers that prefill and decode apart. */
#include "analysis/protocol_sides.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/models/support.h"

static const struct gpu *a_gpu(struct arena *arena)
{
    struct error error = {0};
    const struct hardware *hardware = hardware_read(catalog_path(arena, &error), arena, &error);
    cr_assert(hardware, "%s", error.message);
    return hardware_gpu(hardware, "GB200", NULL);
}

/* A row of four decode workers of eight GPUs, with so many clients. */
static struct measured_point a_row(const char *backend, int64_t clients)
{
    return (struct measured_point){
        .origin = "infx_dump",
        .model = "DeepSeek-R1",
        .model_path = "",
        .system = "gb200",
        .backend = backend,
        .backend_version = "",
        .precision = "fp4",
        .gemm_quant = "nvfp4",
        .moe_quant = "nvfp4",
        .flag = "",
        .isl = 1024,
        .osl = 1024,
        .len_ratio_min = 0.8,
        .concurrency = clients,
        .attn_dp = 1,
        .disaggregated = true,
        .prefill = {.workers = 1, .tp = 4, .pp = 1, .attn_dp = 1, .moe_tp = 1, .moe_ep = 4},
        .decode = {.workers = 4, .tp = 8, .pp = 1, .attn_dp = 1, .moe_tp = 1, .moe_ep = 8}};
}

static struct protocol_sides sides_of(const struct measured_point *point)
{
    struct arena *arena = arena_create();
    struct protocol_sides sides;
    struct error error = {0};
    cr_assert(protocol_sides(point, a_gpu(arena), &sides, &error), "%s", error.message);
    arena_destroy(arena);
    return sides;
}

/* ctx1_gen4_tep8_batch1 and ..._batch32: up to half as many clients again as places. */
Test(protocol_sides, places_of_a_decode_worker_are_the_recipes)
{
    static const struct {
        int64_t clients, places;
    } rows[] = {{4, 1}, {6, 1}, {7, 7}, {96, 32}, {192, 32}, {564, 564}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct measured_point row = a_row("trtllm", rows[i].clients);
        struct protocol_sides sides = sides_of(&row);
        cr_expect_eq(sides.decode.server.engine.max_num_seqs, rows[i].places,
                     "%lld clients: %lld places", (long long)rows[i].clients,
                     (long long)sides.decode.server.engine.max_num_seqs);
    }
}

/* Every TensorRT-LLM recipe prefills with data-parallel attention, whatever the row calls it. */
Test(protocol_sides, layouts_are_those_that_were_served)
{
    struct measured_point row = a_row("trtllm", 96);
    struct protocol_sides sides = sides_of(&row);
    cr_expect_eq(sides.prefill.layout.attn_dp, 4);
    cr_expect_eq(sides.prefill.layout.tp, 1);
    cr_expect_eq(sides.decode.layout.tp, 8);

    row = a_row("sglang", 96);
    row.decode = (struct side_layout){
        .workers = 1, .tp = 1, .pp = 1, .attn_dp = 32, .moe_tp = 32, .moe_ep = 1};
    sides = sides_of(&row);
    cr_expect_eq(sides.prefill.layout.tp, 4);
    cr_expect_eq(sides.decode.layout.moe_ep, 32);
    cr_expect_eq(sides.decode.layout.moe_tp, 1);
}

Test(protocol_sides, ranks_of_trtllm_share_a_queue_and_workers_take_turns)
{
    struct measured_point row = a_row("trtllm", 96);
    struct side_layout ranks = {.workers = 1, .tp = 1, .pp = 1, .attn_dp = 8};
    cr_expect_str_eq(protocol_side_router(&row, &row.decode), "round_robin");
    cr_expect_str_eq(protocol_side_router(&row, &ranks), "least_outstanding_requests");
    row.backend = "sglang";
    cr_expect_str_eq(protocol_side_router(&row, &ranks), "round_robin");
}

Test(protocol_sides, what_is_not_recorded_is_said)
{
    struct arena *arena = arena_create();
    struct protocol_sides sides;
    struct measured_point rows[2] = {a_row("vllm", 96), a_row("vllm", 0)};
    static const char *const says[] = {"workers", "clients"};
    rows[0].decode.workers = 0;
    for (int i = 0; i < 2; i++) {
        struct error error = {0};
        cr_expect_not(protocol_sides(&rows[i], a_gpu(arena), &sides, &error));
        cr_expect(strstr(error.message, says[i]), "says: %s", error.message);
    }
    arena_destroy(arena);
}

Test(protocol_sides, constants_are_those_under_dynamo)
{
    struct measured_point row = a_row("trtllm", 96);
    cr_expect_str_eq(protocol_constants(&row), "trtllm-dynamo");
    row.disaggregated = false;
    cr_expect_str_eq(protocol_constants(&row), "trtllm");
}
