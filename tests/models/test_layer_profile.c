#include "models/steptime/layer_profile.h"

#include <math.h>
#include <sys/stat.h>

#include "models/steptime/measured_grid.h"
#include "models/steptime/steptime.h"
#include "tests/support.h"

static struct arena *arena;

static void begin(void)
{
    arena = arena_create();
}

static void end(void)
{
    arena_destroy(arena);
}

TestSuite(layer_profile, .init = begin, .fini = end);
TestSuite(measured_grid, .init = begin, .fini = end);

/* --- a profile by hand: two layers, round numbers --- */

static const char dense[] = "layer,tokens,time_us\n"
                            "layernorm,1,1\nlayernorm,101,11\n"
                            "qkv_proj,1,10\nqkv_proj,101,110\n"
                            "o_proj,1,10\n"
                            "gate_up_proj,1,20\ngate_up_proj,101,20\n"
                            "down_proj,1,8\n"
                            "embedding,1,3\n";
static const char per_sequence[] = "layer,sequences,time_us\n"
                                   "lm_head,1,100\nlm_head,11,200\nsampler,1,5\n";
static const char attention[] = "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n"
                                "0,0,1,100,10\n0,0,1,200,20\n0,0,3,100,30\n0,0,3,200,60\n"
                                "64,0,0,0,16\n64,100,0,0,18\n128,0,0,0,64\n128,100,0,0,84\n"
                                "64,0,1,100,46\n64,0,3,100,106\n";

static const struct llm llm = {
    .name = "two-layers", .layers = 2, .dense_layers = 2, .hidden = 1000, .max_positions = 4096};

static const struct gpu gpu = {
    .link_gb_s = 100, .link_efficiency = 0.5, .link_latency_us = 7, .gpus_per_node = 8};

static const char *write_in(const char *folder, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    return folder;
}

static const char *write_profile(void)
{
    static char folder[100];
    snprintf(folder, sizeof folder, "%s/profile", test_folder());
    cr_assert_eq(mkdir(folder, 0700), 0);
    write_in(folder, "dense.csv", dense);
    write_in(folder, "per_sequence.csv", per_sequence);
    return write_in(folder, "attention.csv", attention);
}

static struct profiled_model model_of(const char *folder, const struct llm *of, int64_t tp)
{
    struct error error = {0};
    struct profiled_model model = {.profile = layer_profile_read(folder, arena, &error),
                                   .layout = {.gpu = &gpu, .llm = of, .tensor_parallel = tp}};
    cr_assert_not_null(model.profile, "%s", test_error_text(&error));
    return model;
}

#define ASSERT_US(got_s, want_us)                                                                  \
    cr_assert_float_eq((got_s)*1e6, want_us, 1e-6, "%g us, not %g", (got_s)*1e6, want_us)

Test(layer_profile, a_layer_is_the_sum_of_its_kinds)
{
    struct profiled_model model = model_of(write_profile(), &llm, 1);
    struct kernel_sum sum = profiled_model_kernels(&model);
    /* two layernorms; the embedding once in the model */
    ASSERT_US(sum.layers_s(sum.context, 1), 2 * (2 * 1 + 10 + 10 + 20 + 8) + 3.0);
    ASSERT_US(sum.layers_s(sum.context, 51), 2 * (2 * 6 + 60 + 10 + 20 + 8) + 3.0);
    ASSERT_US(sum.layers_s(sum.context, 201), 2 * (2 * 21 + 210 + 10 + 20 + 8) + 3.0);
    ASSERT_US(sum.head_s(sum.context, 6), 150 + 5.0);
}

Test(layer_profile, decodes_are_interpolated_in_number_and_context)
{
    struct profiled_model model = model_of(write_profile(), &llm, 1);
    struct kernel_sum sum = profiled_model_kernels(&model);
    ASSERT_US(sum.decode_attention_s(sum.context, 2, 150), 2 * (15 + 45) / 2.0);
    ASSERT_US(sum.decode_attention_s(sum.context, 3, 300), 2 * 90.0);
    ASSERT_US(sum.decode_attention_s(sum.context, 1, 1), 2 * 10.0);
}

Test(layer_profile, decodes_beside_a_prompt_take_what_they_add_to_it)
{
    struct profiled_model model = model_of(write_profile(), &llm, 1);
    struct kernel_sum sum = profiled_model_kernels(&model);
    ASSERT_US(sum.mixed_decode_attention_s(sum.context, 1, 100), 2 * (46 - 16.0));
    ASSERT_US(sum.mixed_decode_attention_s(sum.context, 2, 100), 2 * (76 - 16.0));
}

Test(layer_profile, long_prompts_are_computed_in_the_largest_measured_chunks)
{
    struct profiled_model model = model_of(write_profile(), &llm, 1);
    struct kernel_sum sum = profiled_model_kernels(&model);
    ASSERT_US(sum.prefill_attention_s(sum.context, 0, 96), 2 * 40.0);
    ASSERT_US(sum.prefill_attention_s(sum.context, 50, 128), 2 * 74.0);
    ASSERT_US(sum.prefill_attention_s(sum.context, 0, 192), 2 * (64 + 16 + 0.02 * 128));
    ASSERT_US(sum.key_s, 2 * 0.02);
}

Test(layer_profile, the_link_reduces_what_was_not_measured)
{
    struct profiled_model model = model_of(write_profile(), &llm, 2);
    struct kernel_sum sum = profiled_model_kernels(&model);
    /* 50 tokens x 1000 x 2 bytes at 50 GB/s, twice a layer */
    double layers_us = 2 * (2 * 5.9 + 59 + 10 + 20 + 8) + 3.0;
    ASSERT_US(sum.layers_s(sum.context, 50), layers_us + 2 * 2 * (7 + 2.0));
    const char *folder = model.profile ? test_folder() : NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/profile", folder);
    char measured[sizeof dense + 64];
    snprintf(measured, sizeof measured, "%sall_reduce,1,4\n", dense);
    write_in(path, "dense.csv", measured);
    model = model_of(path, &llm, 2);
    sum = profiled_model_kernels(&model);
    ASSERT_US(sum.layers_s(sum.context, 50), layers_us + 2 * 2 * 4.0);
}

Test(layer_profile, experts_go_by_tokens_and_how_many_of_them_are_touched)
{
    const char *folder = write_profile();
    write_in(folder, "moe.csv",
             "tokens,activated_experts,time_us\n1,2,10\n2,2,10\n2,4,20\n100,4,40\n");
    struct llm experts = llm;
    experts.experts = 4;
    experts.active_experts = 2;
    struct profiled_model model = model_of(folder, &experts, 1);
    struct kernel_sum sum = profiled_model_kernels(&model);
    struct error error = {0};
    cr_assert(profiled_model_check(&model, &error));
    double one_us = sum.layers_s(sum.context, 1) * 1e6, two_us = sum.layers_s(sum.context, 2) * 1e6;
    cr_assert_float_eq(one_us, 2 * (2 * 1 + 10 + 10 + 20 + 8 + 10) + 3.0, 1e-6, "%g", one_us);
    /* two tokens touch 4 (1 - 0.5^2) = 3 experts */
    cr_assert_float_eq(two_us, 2 * (2 * 1.1 + 11 + 10 + 20 + 8 + 15) + 3.0, 1e-6, "%g", two_us);
    model.layout.llm = &llm;
    cr_assert_not(profiled_model_check(&model, &error));
    cr_assert(strstr(error.message, "two-layers has none"), "%s", error.message);
}

/* A file of the folder, what it holds instead, and what is said of it. */
static const struct {
    const char *name, *text, *message;
    long line;
} bad_profiles[] = {
    {"dense.csv", "layer,tokens,time_us\nqkv_prj,1,1\n", "unknown layer \"qkv_prj\"", 2},
    {"dense.csv", "layer,tokens,time_us\nlayernorm,1,1\n", "no rows of \"qkv_proj\"", 0},
    {"dense.csv", "layer,tokens,time_us\nlayernorm,1,1\nqkv_proj,1,1\no_proj,1,1\n",
     "no rows of \"gate_up_proj\", and there is no moe.csv", 0},
    {"dense.csv", "layer,tokens,time_us\nlayernorm,1,1\nlayernorm,1,2\n",
     "same point was measured on line 2", 3},
    {"per_sequence.csv", "layer,sequences,time_us\nsampler,1,1\n", "no rows of \"lm_head\"", 0},
    {"per_sequence.csv", "layer,sequences\nlm_head,1\n", "no column \"time_us\"", 1},
    {"attention.csv", "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,16,-3\n",
     "\"-3\"", 2},
    {"attention.csv", "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,16,3\n",
     "no rows of prompts alone", 0},
    {"dense.csv", "layer,tokens,time_us\nlayernorm,1,0\n", "column \"time_us\" holds \"0\"", 2},
    {"attention.csv", "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n1e-12,0,0,0,3\n",
     "\"1e-12\", which is not a whole number", 2},
};

Test(layer_profile, a_wrong_file_is_named_with_its_line)
{
    const char *folder = write_profile();
    for (size_t i = 0; i < sizeof bad_profiles / sizeof *bad_profiles; i++) {
        struct error error = {0};
        write_in(folder, bad_profiles[i].name, bad_profiles[i].text);
        cr_assert_null(layer_profile_read(folder, arena, &error));
        cr_assert_eq(error.code, ERROR_BAD_INPUT);
        cr_assert(strstr(error.message, bad_profiles[i].message), "%zu: %s", i, error.message);
        cr_assert_eq(error.line, bad_profiles[i].line, "%zu: line %ld", i, error.line);
        write_in(folder, "dense.csv", dense);
        write_in(folder, "per_sequence.csv", per_sequence);
        write_in(folder, "attention.csv", attention);
    }
}

Test(layer_profile, compiles_with_decodes_slower_beside_prompts)
{
    struct profiled_model model = model_of(write_profile(), &llm, 1);
    struct kernel_sum sum = profiled_model_kernels(&model);
    struct steptime_limits limits = {
        .max_sequences = 4, .max_batch_tokens = 256, .max_context_tok = 1024};
    struct error error = {0};
    struct steptime *steptime = steptime_compile_sum(&sum, &limits, &error);
    cr_assert_not_null(steptime, "%s", test_error_text(&error));
    struct prefill_chunk chunk = {0, 64};
    fine_t alone = steptime_mixed(steptime, 0, 0, &chunk, 1, 0);
    fine_t beside = steptime_mixed(steptime, 2, 256, &chunk, 1, 0);
    double added_us = (double)(beside - alone) / FINE_PER_S * 1e6;
    /* two more rows of norms and qkv, the head, and the attention of decodes beside a prompt */
    double rows_us = 2 * (2 * 0.2 + 2), head_us = 110 + 5, attention_us = 2 * 60;
    cr_assert_float_eq(added_us, rows_us + head_us + attention_us, 0.01, "%g", added_us);
    steptime_destroy(steptime);
}

/* Evened out, a time that stands out holds for all larger batches: the ends alone do not show it.
 */
Test(layer_profile, a_single_time_that_no_iteration_may_take_is_refused)
{
    char text[sizeof dense + 40];
    snprintf(text, sizeof text, "%so_proj,3,1e9\no_proj,4,1\n", dense);
    struct profiled_model model = model_of(write_in(write_profile(), "dense.csv", text), &llm, 1);
    struct llm many = llm;
    many.layers = many.dense_layers = 100;
    model.layout.llm = &many;
    struct kernel_sum sum = profiled_model_kernels(&model);
    struct steptime_limits limits = {
        .max_sequences = 4, .max_batch_tokens = 256, .max_context_tok = 1024};
    struct error error = {0};
    cr_assert_null(steptime_compile_sum(&sum, &limits, &error));
    cr_assert_eq(error.code, ERROR_INFEASIBLE);
}

/* --- the plane --- */

Test(measured_grid, holds_before_the_first_point_and_never_falls_after_the_last)
{
    struct measured_time times[] = {{2, 10, 4, 3}, {1, 10, 5, 2}, {1, 20, 3, 4}, {2, 20, 8, 5}};
    struct measured_grid grid;
    struct error error = {0};
    cr_assert(measured_grid_build(&grid, times, 4, "x.csv", arena, &error));
    cr_assert_eq(measured_grid_at(&grid, 1, 5), 5);
    cr_assert_eq(measured_grid_at(&grid, 0, 15), 4);
    cr_assert_eq(measured_grid_at(&grid, 1, 30), 3); /* it fell, and goes on level */
    cr_assert_eq(measured_grid_at(&grid, 2, 30), 12);
    cr_assert_eq(measured_grid_at(&grid, 1.5, 20), 5.5);
    cr_assert_eq(measured_grid_at(&grid, 3, 10), 4);
    cr_assert_eq(measured_grid_at(&grid, 3, 20), 13);
}
