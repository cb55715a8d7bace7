/* What tests of the models share: the shipped catalogue, read once per test. */
#ifndef TOKENYARD_TESTS_MODELS_SUPPORT_H
#define TOKENYARD_TESTS_MODELS_SUPPORT_H

#include <criterion/criterion.h>

#include "models/catalog_path.h"
#include "models/llm/llm.h"
#include "models/steptime/calibration.h"
#include "models/steptime/pipeline.h"
#include "models/steptime/roofline.h"
#include "models/steptime/steptime.h"

static inline const struct hardware *shipped_hardware(struct arena *arena)
{
    struct error error = {0};
    const char *folder = catalog_path(arena, &error);
    const struct hardware *hardware = folder ? hardware_read(folder, arena, &error) : NULL;
    cr_assert(hardware, "%s:%ld %s: %s", error.file, error.line, error.json_path, error.message);
    return hardware;
}

static inline const struct gpu *shipped_gpu(struct arena *arena, const char *name)
{
    const struct gpu *gpu = hardware_gpu(shipped_hardware(arena), name, NULL);
    cr_assert(gpu, "no GPU %s", name);
    return gpu;
}

static inline const struct llm *shipped_llm(struct arena *arena, const char *name)
{
    struct error error = {0};
    const char *folder = catalog_path(arena, &error);
    const struct llm *llm = folder ? llm_read(folder, ".", name, arena, &error) : NULL;
    cr_assert(llm, "%s:%ld %s: %s", error.file, error.line, error.json_path, error.message);
    return llm;
}

static inline struct calibration *shipped_calibration(struct arena *arena)
{
    struct error error = {0};
    const char *folder = catalog_path(arena, &error);
    struct calibration *calibration =
        folder ? calibration_read(folder, shipped_hardware(arena), arena, &error) : NULL;
    cr_assert(calibration, "%s:%ld %s: %s", error.file, error.line, error.json_path, error.message);
    return calibration;
}

/* A deployment whose step times are the roofline's. */
struct roofline_request {
    const struct gpu *gpu;
    const struct llm *llm;
    int64_t tensor_parallel, pipeline_parallel; /* 0 stages: 1 */
    enum precision weights, kv;
    int64_t max_sequences, max_batch_tokens, max_context_tok;
    double step_overhead_s;
};

static inline struct steptime *compile_roofline(const struct roofline_request *request,
                                                struct error *error)
{
    const struct step_layout layout = {.gpu = request->gpu,
                                       .llm = request->llm,
                                       .tensor_parallel = request->tensor_parallel,
                                       .attention_dp = 1,
                                       .expert_parallel = 1,
                                       .weights = request->weights,
                                       .expert_weights = request->weights,
                                       .kv = request->kv};
    const struct steptime_limits limits = {.max_sequences = request->max_sequences,
                                           .max_batch_tokens = request->max_batch_tokens,
                                           .max_context_tok = request->max_context_tok};
    struct roofline roofline = roofline_prepare(&layout);
    struct kernel_sum kernels = roofline_kernels(&roofline, request->step_overhead_s);
    if (request->pipeline_parallel <= 1)
        return steptime_compile_sum(&kernels, &limits, error);
    struct pipeline_stage stages[PIPELINE_STAGES_MAX];
    size_t count = (size_t)request->pipeline_parallel;
    for (size_t i = 0; i < count; i++)
        stages[i] =
            (struct pipeline_stage){.kernels = kernels,
                                    .share = 1.0 / (double)count,
                                    .emits = i + 1 == count,
                                    .link = stage_link_between(request->gpu, request->gpu, false)};
    return pipeline_compile(stages, count, request->pipeline_parallel,
                            2 * (double)request->llm->hidden, &limits, error);
}

#endif
