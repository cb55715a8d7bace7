/* MIG slices as GPUs. */
#include "models/hardware/mig.h"
#include "tests/models/support.h"

static struct arena *arena;
static const struct hardware *hardware;

static void set_up(void)
{
    arena = arena_create();
    hardware = shipped_hardware(arena);
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(mig, .init = set_up, .fini = tear_down);

Test(mig, seven_small_slices_lose_an_eighth_of_the_memory)
{
    const struct gpu *whole = hardware_gpu(hardware, "H100-SXM", NULL);
    const struct gpu *slice = hardware_gpu(hardware, "h100-sxm/1g.10gb", NULL);
    cr_assert(slice);
    cr_expect_float_eq(7 * slice->memory_gib, 0.875 * whole->memory_gib, 1e-9);
    cr_expect_float_eq(7 * slice->bandwidth_gb_s, 0.875 * whole->bandwidth_gb_s, 1e-9);
    cr_expect_float_eq(slice->bf16_tflops, whole->bf16_tflops * 16 / 132, 0.1);
    cr_expect_float_eq(7 * slice->slice_share, 1, 1e-9);
    cr_expect_float_eq(7 * slice->tdp_w, whole->tdp_w, 1e-9);
    cr_expect_str_eq(slice->sliced_from, "H100-SXM");
}

Test(mig, a_slice_is_paid_for_by_what_it_keeps_from_others)
{
    cr_expect_float_eq(hardware_gpu(hardware, "B200/4g.90gb", NULL)->slice_share, 4.0 / 7, 1e-9);
    cr_expect_float_eq(hardware_gpu(hardware, "B200/3g.90gb", NULL)->slice_share, 0.5, 1e-9);
    cr_expect_float_eq(hardware_gpu(hardware, "A100-80GB-SXM/1g.20gb", NULL)->slice_share, 2.0 / 7,
                       0.04);
    cr_expect_eq(hardware_gpu(hardware, "H200-SXM/7g.141gb", NULL)->slice_share, 1);
}

Test(mig, no_profile_is_cut_more_often_than_its_gpu_has_room_for)
{
    cr_assert_gt(hardware->profile_count, 40);
    for (size_t i = 0; i < hardware->profile_count; i++) {
        const struct mig_profile *profile = &hardware->profiles[i];
        cr_expect(hardware_gpu(hardware, profile->gpu, NULL), "%s", profile->gpu);
        cr_expect_leq((double)profile->max_instances * profile->memory, 1, "%s/%s", profile->gpu,
                      profile->profile);
        cr_expect_leq((double)profile->max_instances * profile->compute, 1 + 1e-3, "%s/%s",
                      profile->gpu, profile->profile);
    }
}

Test(mig, an_unknown_slice_has_a_near_one)
{
    const char *nearest = NULL;
    cr_expect_null(hardware_gpu(hardware, "H100-SXM/1g.11gb", &nearest));
    cr_assert_not_null(nearest);
    cr_expect_str_eq(nearest, "H100-SXM/1g.10gb");
}

Test(mig, a_slice_computes_with_its_gpus_kernels_and_is_slower)
{
    struct calibration *calibration = shipped_calibration(arena);
    struct error error = {0};
    const struct gpu *whole = hardware_gpu(calibration->hardware, "H100-SXM", NULL);
    const struct gpu *slice = hardware_gpu(calibration->hardware, "H100-SXM/1g.10gb", NULL);
    const struct operators *all = calibration_operators(calibration, whole, "vllm", &error);
    const struct operators *part = calibration_operators(calibration, slice, "vllm", &error);
    cr_assert(all && part, "%s", error.message);
    cr_expect_eq(operators_quality(part).basis, OPERATORS_RELATIVE);
    cr_expect_str_eq(operators_quality(part).like, "H100-SXM");
    /* a GEMM that is bound by memory, and one by arithmetic */
    double small = operators_gemm_s(part, PRECISION_BF16, 8, 16384, 4096) /
                   operators_gemm_s(all, PRECISION_BF16, 8, 16384, 4096);
    double large = operators_gemm_s(part, PRECISION_BF16, 8192, 16384, 4096) /
                   operators_gemm_s(all, PRECISION_BF16, 8192, 16384, 4096);
    cr_expect(small > 5 && small < 8.1, "%g", small);
    cr_expect(large > 7 && large < 8.3, "%g", large);
}
