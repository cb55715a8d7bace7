#include "analysis/predict_steps.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "models/llm/memory.h"
#include "models/steptime/iteration.h"

/* Kernels alone, nothing scaled or added: what profiles of layers are compared with. */
static const struct engine_calibration bare_kernels = {.engine = "kernels",
                                                       .constants = STEP_CONSTANTS_BARE};

static const struct engine_calibration *find_engine(const struct step_plan *plan,
                                                    const struct measured_step *step)
{
    if (strcmp(step->point.backend, bare_kernels.engine) == 0)
        return &bare_kernels;
    return calibration_engine(plan->predictor->calibration, step->point.backend,
                              (enum precision)step->weights);
}

/* --- preparing --- */

static bool same_deployment(const struct measured_step *a, const struct measured_step *b)
{
    return a->point.tp == b->point.tp && a->weights == b->weights && a->kv == b->kv &&
           (a->layers > 0) == (b->layers > 0) && strcmp(a->point.system, b->point.system) == 0 &&
           strcmp(a->point.model, b->point.model) == 0 &&
           strcmp(a->point.backend, b->point.backend) == 0;
}

/* "vllm-2023-...": the tables of vLLM. */
static const char *framework_of(const char *engine)
{
    static const char *const frameworks[] = {"trtllm", "sglang"};
    for (size_t i = 0; i < 2; i++)
        if (strncmp(engine, frameworks[i], strlen(frameworks[i])) == 0)
            return frameworks[i];
    return "vllm";
}

/* What rules all steps of a deployment out. false only when the catalogue is broken. */
static bool look_up(struct step_plan *plan, struct step_deployment *deployment, struct arena *arena,
                    struct error *error)
{
    const struct measured_point *point = &deployment->like->point;
    char *refusal = deployment->refusal;
    size_t size = sizeof deployment->refusal;
    deployment->gpu = hardware_gpu(plan->predictor->hardware, point->system, NULL);
    deployment->llm = predictor_llm(plan->predictor, point->model);
    if (deployment->like->refusal)
        snprintf(refusal, size, "%s", deployment->like->refusal);
    else if (!deployment->gpu)
        snprintf(refusal, size, "no GPU \"%.80s\" in the catalogue", point->system);
    else if (!deployment->llm)
        snprintf(refusal, size, "no model \"%.80s\" in the catalogue", point->model);
    else if (deployment->llm->heads % point->tp != 0)
        snprintf(refusal, size, "%lld heads cannot be split over %lld GPUs",
                 (long long)deployment->llm->heads, (long long)point->tp);
    else if (!find_engine(plan, deployment->like))
        snprintf(refusal, size, "nothing is known of an engine \"%.80s\"", point->backend);
    if (refusal[0])
        return true;
    const struct operators *operators = calibration_operators(
        plan->predictor->calibration, deployment->gpu, framework_of(point->backend), error);
    if (operators)
        deployment->operators = operators_copy(operators, arena);
    return operators != NULL;
}

static int64_t step_tokens(const struct measured_step *step)
{
    return step->decode ? step->batch : step->batch * step->tokens;
}

static void widen(struct steptime_limits *limits, const struct measured_step *step)
{
    int64_t each = step->decode ? step->context : step->tokens;
    if (limits->max_sequences < step->batch)
        limits->max_sequences = step->batch;
    if (limits->max_batch_tokens < step_tokens(step))
        limits->max_batch_tokens = step_tokens(step);
    if (limits->max_context_tok < step->batch * each)
        limits->max_context_tok = step->batch * each;
}

bool step_plan_prepare(struct step_plan *plan, struct predictor *predictor,
                       const struct config_list *steps, struct arena *arena, struct error *error)
{
    *plan = (struct step_plan){.steps = steps->items,
                               .count = steps->count,
                               .deployments =
                                   ARENA_ARRAY(arena, steps->count + 1, struct step_deployment),
                               .deployment_of = ARENA_ARRAY(arena, steps->count + 1, size_t),
                               .predictor = predictor};
    for (size_t i = 0; i < plan->count; i++) {
        const struct measured_step *step = &plan->steps[i];
        size_t d = 0;
        while (d < plan->deployment_count && !same_deployment(step, plan->deployments[d].like))
            d++;
        if (d == plan->deployment_count) {
            plan->deployments[plan->deployment_count++].like = step;
            if (!look_up(plan, &plan->deployments[d], arena, error))
                return false;
        }
        plan->deployment_of[i] = d;
        widen(&plan->deployments[d].limits, step);
    }
    return true;
}

/* --- predicting --- */

static double no_head_s(void *context, int64_t rows)
{
    (void)context, (void)rows;
    return 0;
}

/* Of layers alone there is neither a head, nor what comes once an iteration. */
static struct steptime *compile(const struct step_plan *plan,
                                const struct step_deployment *deployment, struct error *error)
{
    const struct measured_step *like = deployment->like;
    const struct step_layout layout = {.gpu = deployment->gpu,
                                       .llm = deployment->llm,
                                       .tensor_parallel = like->point.tp,
                                       .attention_dp = 1,
                                       .expert_parallel = 1,
                                       .weights = (enum precision)like->weights,
                                       .expert_weights = (enum precision)like->weights,
                                       .kv = (enum precision)like->kv};
    struct iteration iteration =
        iteration_prepare(&layout, deployment->operators, &find_engine(plan, like)->constants);
    struct kernel_sum kernels = iteration_kernels(&iteration);
    if (like->layers > 0) {
        kernels.head_s = no_head_s;
        kernels.step_s = kernels.prefill_step_s = 0;
    }
    return steptime_compile_sum(&kernels, &deployment->limits, error);
}

static double step_ms(const struct steptime *steptime, const struct measured_step *step,
                      struct prefill_chunk *chunks)
{
    fine_t time;
    if (step->decode) {
        int64_t context_tok = step->batch * step->context;
        struct decode_line line = steptime_decode(steptime, step->batch, context_tok);
        time = line.base + line.slope * context_tok;
    } else {
        for (int64_t i = 0; i < step->batch; i++)
            chunks[i] = (struct prefill_chunk){0, step->tokens};
        time = steptime_mixed(steptime, 0, 0, chunks, step->batch, step->batch);
    }
    return 1e3 * (double)time / FINE_PER_S;
}

/* With other constants it may be feasible, so the refusal is not the deployment's. */
static bool compile_or_refuse(const struct step_plan *plan,
                              const struct step_deployment *deployment, struct steptime **steptime,
                              char refusal[REFUSAL_SIZE], struct error *error)
{
    struct error why = {0};
    *steptime = compile(plan, deployment, &why);
    if (*steptime)
        return true;
    snprintf(refusal, REFUSAL_SIZE, "%.*s", REFUSAL_SIZE - 1, why.message);
    return why.code == ERROR_INFEASIBLE || error_set(error, why.code, "%s", why.message);
}

/* A batch that did not fit the KV cache at once ran in more than one iteration. As vLLM's default
 * has it, 90 % of the memory, less what activations and the like need (models/engine). */
static bool fits(const struct step_deployment *deployment, const struct measured_step *step)
{
    const struct memory_request request = {.gpu = deployment->gpu,
                                           .llm = deployment->llm,
                                           .tensor_parallel = step->point.tp,
                                           .pipeline_parallel = 1,
                                           .attention_dp = 1,
                                           .expert_parallel = 1,
                                           .weights = (enum precision)step->weights,
                                           .expert_weights = (enum precision)step->weights,
                                           .kv = (enum precision)step->kv,
                                           .max_sequences = step->batch,
                                           .block_tok = 16,
                                           .gpu_memory_utilization = 0.9,
                                           .reserve_gib = 3};
    int64_t each = step->decode ? step->context : step->tokens;
    struct memory_plan plan;
    return step->layers > 0 || (memory_fit(&request, &plan, NULL) &&
                                plan.kv_blocks >= step->batch * ((each + 15) / 16));
}

static void refuse(struct prediction *prediction, const char *why)
{
    prediction->state = PREDICTION_NOT_COVERED;
    snprintf(prediction->reason, sizeof prediction->reason, "%s", why);
}

static void predict_step(const struct step_deployment *deployment, const struct steptime *steptime,
                         const struct measured_step *step, struct prefill_chunk *chunks,
                         struct prediction *prediction)
{
    if (!fits(deployment, step)) {
        refuse(prediction, "the batch does not fit the KV cache at once");
        return;
    }
    double share = step->layers > 0 ? (double)step->layers / (double)deployment->llm->layers : 1;
    *(step->decode ? &prediction->tpot_ms : &prediction->ttft_ms) =
        share * step_ms(steptime, step, chunks);
    prediction->state = PREDICTION_DONE;
}

static bool is_wanted(const struct step_plan *plan, const bool *wanted, size_t step,
                      size_t deployment)
{
    return plan->deployment_of[step] == deployment && (!wanted || wanted[step]);
}

static bool predict_deployment(const struct step_plan *plan, size_t index, const bool *wanted,
                               struct prediction *predictions, struct arena *arena,
                               struct error *error)
{
    const struct step_deployment *deployment = &plan->deployments[index];
    struct prefill_chunk *chunks =
        ARENA_ARRAY(arena, (size_t)deployment->limits.max_sequences, struct prefill_chunk);
    struct steptime *steptime = NULL;
    char refusal[REFUSAL_SIZE];
    memcpy(refusal, deployment->refusal, sizeof refusal);
    for (size_t i = 0; i < plan->count; i++) {
        if (!is_wanted(plan, wanted, i, index))
            continue;
        predictions[i] = (struct prediction){.ttft_ms = NAN, .tpot_ms = NAN, .e2e_ms = NAN};
        if (!steptime && !refusal[0] &&
            !compile_or_refuse(plan, deployment, &steptime, refusal, error))
            return false;
        if (refusal[0])
            refuse(&predictions[i], refusal);
        else
            predict_step(deployment, steptime, &plan->steps[i], chunks, &predictions[i]);
    }
    steptime_destroy(steptime);
    return true;
}

bool step_plan_predict(const struct step_plan *plan, const bool *wanted,
                       struct prediction *predictions, struct error *error)
{
    struct arena *arena = arena_create();
    bool done = true;
    for (size_t d = 0; done && d < plan->deployment_count; d++)
        done = predict_deployment(plan, d, wanted, predictions, arena, error);
    arena_destroy(arena);
    return done;
}
