#include "models/hardware/hardware.h"

#include <math.h>
#include <string.h>

#include "tests/models/support.h"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_create();
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(hardware, .init = set_up, .fini = tear_down);

/* base extended by the entries in text; NULL, with the error, when they are refused. */
static const struct hardware *extend(const struct hardware *base, const char *text,
                                     struct error *error)
{
    *error = (struct error){0};
    struct json_document *document = json_read_text("mine.json", text, strlen(text), error);
    cr_assert(document, "%s", error->message);
    struct hardware_entries entries;
    const struct hardware *all = NULL;
    if (config_read(&hardware_config_type, document, json_root(document), "", arena, &entries,
                    error))
        all = hardware_extend(base, &entries, document, "", arena, error);
    json_free(document);
    return all;
}

#define GPU "\"memory_gib\": 10, \"bandwidth_gb_s\": 100, \"bf16_tflops\": 10, \"link_gb_s\": 32"

Test(hardware, shipped_catalogue_reads_and_every_entry_says_how_well_it_is_known)
{
    const struct hardware *hardware = shipped_hardware(arena);
    cr_assert_geq(hardware->gpu_count, 31);
    for (size_t i = 0; i < hardware->gpu_count; i++) {
        const struct gpu *gpu = &hardware->gpus[i];
        cr_assert(strcmp(gpu->known, "not stated") && strcmp(gpu->source, "not stated"), "%s",
                  gpu->name);
        cr_assert(isnan(gpu->fp8_tflops) || gpu->fp8_tflops >= gpu->bf16_tflops, "%s", gpu->name);
    }
    for (size_t i = 0; i < hardware->instance_count; i++)
        cr_assert(hardware->instances[i].usd_per_hour > 0 && hardware->instances[i].as_of[0], "%s",
                  hardware->instances[i].name);
}

Test(hardware, rates_are_dense_and_known_traps_avoided)
{
    const struct hardware *hardware = shipped_hardware(arena);
    cr_assert_eq(hardware_gpu(hardware, "L40S", NULL)->fp8_tflops, 733);
    cr_assert_eq(hardware_gpu(hardware, "H100-SXM", NULL)->bf16_tflops, 989);
    cr_assert_eq(hardware_gpu(hardware, "A10G", NULL)->bf16_tflops, 70);
    cr_assert_eq(hardware_gpu(hardware, "L4", NULL)->bf16_tflops, 121);
    cr_assert_eq(hardware_gpu(hardware, "T4", NULL)->bf16_tflops, 65);
}

Test(hardware, prices_are_of_the_whole_instance)
{
    const struct hardware *hardware = shipped_hardware(arena);
    const struct instance *p5 = hardware_instance(hardware, "p5.48xlarge", NULL);
    cr_assert_eq(p5->gpus, 8);
    cr_assert_eq(p5->usd_per_hour, 55.04);
    cr_assert_str_eq(p5->gpu, "H100-SXM");
    cr_assert_eq(hardware_instance(hardware, "jiang2025-h100", NULL)->usd_per_hour, 2.99);
}

Test(hardware, names_compare_without_case_and_misspellings_get_a_hint)
{
    const struct hardware *hardware = shipped_hardware(arena);
    const char *nearest = NULL;
    cr_assert_not_null(hardware_gpu(hardware, "h100-sxm", NULL));
    cr_assert_null(hardware_gpu(hardware, "H100-SXN", &nearest));
    cr_assert_str_eq(nearest, "H100-SXM");
    cr_assert_null(hardware_instance(hardware, "p5.48xlarg", &nearest));
    cr_assert_str_eq(nearest, "p5.48xlarge");
}

Test(hardware, peak_of_a_format_the_gpu_lacks_is_that_of_bf16)
{
    const struct gpu *a100 = shipped_gpu(arena, "A100-80GB-SXM");
    cr_assert_eq(gpu_peak_ops(a100, PRECISION_FP8), 312e12);
    cr_assert_eq(gpu_peak_ops(a100, PRECISION_INT8), 624e12);
    cr_assert_eq(gpu_peak_ops(a100, PRECISION_INT4), 312e12);
    const struct gpu *b200 = shipped_gpu(arena, "B200");
    cr_assert_eq(gpu_peak_ops(b200, PRECISION_FP4), 9000e12);
    cr_assert_eq(gpu_peak_ops(b200, PRECISION_BF16), 2250e12);
}

Test(hardware, entries_of_a_scenario_are_added_and_take_the_place_of_the_catalogue_s)
{
    const struct hardware *base = shipped_hardware(arena);
    struct error error;
    const struct hardware *all = extend(base,
                                        "{\"gpus\": [{\"name\": \"Mine\", " GPU "}, "
                                        "{\"name\": \"h100-sxm\", " GPU "}], \"instances\": "
                                        "[{\"name\": \"box\", \"gpu\": \"mine\", \"gpus\": 4, "
                                        "\"usd_per_hour\": 3}]}",
                                        &error);
    cr_assert(all, "%s", error.message);
    cr_assert_eq(all->gpu_count, base->gpu_count + 1);
    cr_assert_eq(hardware_gpu(all, "H100-SXM", NULL)->memory_gib, 10);
    cr_assert_eq(hardware_instance(all, "box", NULL)->gpus, 4);
    cr_assert_neq(hardware_gpu(base, "H100-SXM", NULL)->memory_gib, 10);
}

static void assert_refused(const char *text, const char *pointer, const char *message)
{
    struct error error;
    cr_assert_null(extend(shipped_hardware(arena), text, &error));
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
    cr_assert_str_eq(error.json_path, pointer);
    cr_assert(strstr(error.message, message), "%s", error.message);
}

Test(hardware, impossible_entries_are_refused_where_they_stand)
{
    assert_refused("{\"gpus\": [{\"name\": \"x\", " GPU "}, {\"name\": \"X\", " GPU "}]}",
                   "/gpus/1/name", "twice");
    assert_refused("{\"gpus\": [{\"name\": \"x\", " GPU ", \"tdp_w\": 100, \"idle_w\": 200}]}",
                   "/gpus/0/idle_w", "idle");
    assert_refused("{\"gpus\": [{\"name\": \"x\", " GPU ", \"gemm_efficiency\": 1.5}]}",
                   "/gpus/0/gemm_efficiency", "");
    assert_refused("{\"instances\": [{\"name\": \"x\", \"gpu\": \"H100-SMX\", "
                   "\"usd_per_hour\": 1}]}",
                   "/instances/0/gpu", "H100-SMX");
}
