#include "models/fleet/deployment_steptime.h"

#include <math.h>
#include <string.h>

#include "models/llm/lora.h"
#include "models/steptime/iteration.h"
#include "models/steptime/layer_profile.h"
#include "models/steptime/profile_folder.h"
#include "models/steptime/roofline.h"

#define GIVEN(member) offsetof(struct steptime_given, member)

static const struct config_field given_fields[] = {
    {.name = "base_s",
     .kind = CONFIG_NUMBER,
     .offset = GIVEN(base_s),
     .preset = "0",
     .min = 0,
     .max = 60,
     .doc = "time of every iteration"},
    {.name = "per_sequence_s",
     .kind = CONFIG_NUMBER,
     .offset = GIVEN(per_sequence_s),
     .preset = "0",
     .min = 0,
     .max = 60,
     .doc = "and for each sequence that decodes"},
    {.name = "per_context_token_s",
     .kind = CONFIG_NUMBER,
     .offset = GIVEN(per_context_token_s),
     .preset = "0",
     .min = 0,
     .max = 1,
     .doc = "and for each token in the KV cache of those"},
    {.name = "per_prefill_token_s",
     .kind = CONFIG_NUMBER,
     .offset = GIVEN(per_prefill_token_s),
     .preset = "0",
     .min = 0,
     .max = 60,
     .doc = "and for each prompt token computed"},
    {0}};

static const struct config_type given_type = {.name = "step_time_given",
                                              .doc = "Step times given outright",
                                              .size = sizeof(struct steptime_given),
                                              .fields = given_fields};

static const struct config_field calibrated_fields[] = {
    {.name = "constants",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct step_time_calibrated, constants),
     .optional = true,
     .doc = "whose constants: an \"engine\" of the catalogue's engines.json; null: the pool's"},
    {0}};

static const struct config_type calibrated_type = {.name = "step_time_calibrated",
                                                   .doc = "Step times from the catalogue",
                                                   .size = sizeof(struct step_time_calibrated),
                                                   .fields = calibrated_fields};

static const struct config_field profile_fields[] = {
    {.name = "path",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct step_time_profile, path),
     .doc = "folder of a layer profile or of operator tables, relative to this file"},
    {0}};

static const struct config_type profile_type = {.name = "step_time_profile",
                                                .doc = "Step times from measurements of your own",
                                                .size = sizeof(struct step_time_profile),
                                                .fields = profile_fields};

const struct config_variant_type step_time_kinds[] = {
    [STEP_TIME_CALIBRATED] = {"calibrated",
                              "from measured kernels and the engine's fitted constants",
                              &calibrated_type},
    [STEP_TIME_ROOFLINE] = {"roofline", "from the GPU's rates and the model's shape alone", NULL},
    [STEP_TIME_GIVEN] = {"given", "a sum of given terms, for known answers and experiments",
                         &given_type},
    [STEP_TIME_PROFILE] = {"profile",
                           "from your own measurements: of the model's layers, or of the GPU's "
                           "kernels",
                           &profile_type},
    {0}};

/* Clients that wait for answers would make infinitely many requests in no time. */
static bool takes_time(const struct steptime_given *given, struct error *error)
{
    const double shortest_s = 1e-9;
    if (given->base_s + fmin(given->per_sequence_s, given->per_prefill_token_s) >= shortest_s)
        return true;
    error_set(error, ERROR_BAD_INPUT, "every iteration must take at least %g s", shortest_s);
    return error_hint(error,
                      "give base_s, or both per_sequence_s and per_prefill_token_s, above 0");
}

/* graphs: scratch that the limits refer to. */
static struct steptime_limits limits_of(const struct deployment_request *request,
                                        const struct deployment *deployment,
                                        struct engine_graphs *graphs)
{
    const struct engine_settings *engine = request->engine;
    engine_graphs_list(engine, graphs);
    return (struct steptime_limits){.max_sequences = engine->max_num_seqs,
                                    .max_batch_tokens = engine->max_num_batched_tokens,
                                    .max_context_tok =
                                        deployment->memory.kv_blocks * engine->block_size,
                                    .graph_sizes = graphs->sizes,
                                    .graph_size_count = graphs->count,
                                    .decode_tok = engine_decode_tok(engine)};
}

/* Where kernels are put together, and how long that lives. */
struct kernel_site {
    const struct deployment_request *request;
    struct deployment *deployment;
    struct arena *arena; /* until the step time is compiled */
    bool drafts;         /* of a draft model: no iterations of their own */
};

static struct step_layout layout_of(const struct kernel_site *site,
                                    const struct deployment_stage *stage)
{
    const struct deployment *deployment = site->deployment;
    return (struct step_layout){.decode_queries = engine_decode_tok(site->request->engine),
                                .gpu = stage->gpu,
                                .llm = deployment->llm,
                                .tensor_parallel = stage->tensor_parallel,
                                .attention_dp = deployment->attention_dp,
                                .expert_parallel = deployment->expert_parallel,
                                .idle_peers = site->request->idle_peers,
                                .weights = deployment->weights,
                                .expert_weights = deployment->expert_weights,
                                .kv = deployment->kv};
}

static struct steptime *compile_given(const struct deployment_request *request,
                                      struct deployment *deployment, struct error *error)
{
    const struct steptime_given *given = request->step_time->value;
    struct engine_graphs graphs;
    struct steptime_limits limits = limits_of(request, deployment, &graphs);
    if (!takes_time(given, error))
        return NULL;
    return steptime_compile_given(given, limits.max_sequences, limits.max_batch_tokens,
                                  limits.max_context_tok, error);
}

/* calibrated_s: what holds where the settings give none; it was fitted with the scheduler's own
 * time hidden behind the GPU's. */
static double step_overhead_s(const struct engine_settings *engine, double calibrated_s)
{
    double launch_s =
        isnan(engine->step_overhead_ms) ? calibrated_s : engine->step_overhead_ms / 1e3;
    return launch_s + (engine->async_scheduling ? 0 : engine->host_overhead_ms / 1e3);
}

/* The kernels of all layers on one stage's GPUs. */
typedef bool stage_kernels(const struct kernel_site *site, const struct deployment_stage *stage,
                           struct kernel_sum *kernels, struct error *error);

static bool roofline_stage(const struct kernel_site *site, const struct deployment_stage *stage,
                           struct kernel_sum *kernels, struct error *error)
{
    (void)error;
    const double launch_s = 0.65e-3; /* what vLLM's iterations take beyond their kernels */
    struct step_layout layout = layout_of(site, stage);
    struct roofline *roofline = ARENA_NEW(site->arena, struct roofline);
    *roofline = roofline_prepare(&layout);
    *kernels = roofline_kernels(roofline, step_overhead_s(site->request->engine, launch_s));
    return true;
}

/* Of most of the weights. */
static enum precision main_format(const struct deployment *deployment)
{
    return deployment->llm->experts > 0 ? deployment->expert_weights : deployment->weights;
}

static bool no_constants(const char *engine, struct error *error)
{
    error_set(error, ERROR_BAD_INPUT, "the catalogue's engines.json has no constants of %s",
              engine);
    return error_hint(error, "fit them with `tokenyard calibrate`, or give \"step_time\": "
                             "\"roofline\"");
}

/* Whose constants, and kernels where they differ by engine. */
static const char *constants_of(const struct deployment_request *request)
{
    const struct config_variant *step_time = request->step_time;
    if (step_time && step_time->index == STEP_TIME_CALIBRATED && step_time->value) {
        const struct step_time_calibrated *calibrated = step_time->value;
        if (calibrated->constants)
            return calibrated->constants;
    }
    return engine_profiles[request->engine->name].name;
}

/* tables: folder of the user's own; NULL: the catalogue's curves. */
static const struct operators *operators_of(const struct deployment_request *request,
                                            const struct gpu *gpu, const char *tables,
                                            struct error *error)
{
    const char *engine = engine_profiles[request->engine->name].name;
    return tables ? calibration_table_operators(request->calibration, gpu, tables, engine, error)
                  : calibration_operators(request->calibration, gpu, engine, error);
}

static unsigned lacking_of(const struct deployment *deployment,
                           const struct deployment_stage *stage, const struct operators *operators)
{
    const struct operators_use use = {.weights = deployment->weights,
                                      .expert_weights = deployment->expert_weights,
                                      .kv = deployment->kv,
                                      .experts = deployment->llm->experts > 0,
                                      .collectives =
                                          stage->tensor_parallel * deployment->attention_dp > 1};
    return operators_lacking(operators, &use);
}

/* Of a replica on several kinds of GPU, that of the kernels which are least known. */
static void put_basis(struct deployment *deployment, const struct deployment_basis *basis)
{
    if (!deployment->basis.engine || basis->kernels.basis > deployment->basis.kernels.basis)
        deployment->basis = *basis;
}

/* tables: as in operators_of. */
static bool curves_stage(const struct kernel_site *site, const struct deployment_stage *stage,
                         const char *tables, struct kernel_sum *kernels, struct error *error)
{
    const struct deployment_request *request = site->request;
    struct deployment *deployment = site->deployment;
    const char *engine = constants_of(request);
    const struct operators *operators = operators_of(request, stage->gpu, tables, error);
    if (!operators)
        return false;
    const struct engine_calibration *constants =
        calibration_engine(request->calibration, engine, main_format(deployment));
    if (!constants)
        return no_constants(engine, error);
    struct step_layout layout = layout_of(site, stage);
    struct step_constants adjusted = constants->constants;
    adjusted.step_s = step_overhead_s(request->engine, adjusted.step_s);
    if (site->drafts) /* the iteration that drafts has them already */
        adjusted.sequence_s = adjusted.prefill_step_s = adjusted.prefill_token_s = 0;
    struct iteration *iteration = ARENA_NEW(site->arena, struct iteration);
    *iteration = iteration_prepare(&layout, operators, &adjusted);
    *kernels = iteration_kernels(iteration);
    deployment->engine.request_overhead = tick_from_s(constants->constants.request_s);
    const struct deployment_basis basis =
        deployment_basis_calibrated(stage->gpu, operators, lacking_of(deployment, stage, operators),
                                    constants, main_format(deployment));
    put_basis(deployment, &basis);
    return true;
}

static bool calibrated_stage(const struct kernel_site *site, const struct deployment_stage *stage,
                             struct kernel_sum *kernels, struct error *error)
{
    return curves_stage(site, stage, NULL, kernels, error);
}

static const char *profile_path(const struct deployment_request *request, struct arena *arena)
{
    const struct step_time_profile *profile = request->step_time->value;
    if (profile->path[0] == '/' || !request->folder)
        return profile->path;
    return arena_printf(arena, "%s/%s", request->folder, profile->path);
}

static bool layers_stage(const struct kernel_site *site, const struct deployment_stage *stage,
                         const char *path, struct kernel_sum *kernels, struct error *error)
{
    struct profiled_model *model = ARENA_NEW(site->arena, struct profiled_model);
    *model = (struct profiled_model){.profile = layer_profile_read(path, site->arena, error),
                                     .layout = layout_of(site, stage),
                                     .step_s = step_overhead_s(site->request->engine, 0)};
    if (!model->profile || !profiled_model_check(model, error))
        return false;
    *kernels = profiled_model_kernels(model);
    return true;
}

static bool profile_stage(const struct kernel_site *site, const struct deployment_stage *stage,
                          struct kernel_sum *kernels, struct error *error)
{
    const char *path = profile_path(site->request, site->arena);
    enum profile_kind kind;
    if (!profile_folder_kind(path, &kind, error))
        return false;
    if (stage->gpu != site->deployment->gpu)
        return error_set(error, ERROR_BAD_INPUT,
                         "a profile is of one GPU, and the stages are on %s and %s",
                         site->deployment->gpu->name, stage->gpu->name);
    return kind == PROFILE_TABLES ? curves_stage(site, stage, path, kernels, error)
                                  : layers_stage(site, stage, path, kernels, error);
}

static bool load_profile(const struct deployment_request *request, struct error *error)
{
    struct arena *arena = arena_create();
    const char *path = profile_path(request, arena);
    enum profile_kind kind;
    bool loaded = profile_folder_kind(path, &kind, error) &&
                  (kind == PROFILE_LAYERS || operators_of(request, request->gpu, path, error));
    arena_destroy(arena);
    return loaded;
}

enum step_time_kind deployment_step_time_kind(const struct deployment_request *request)
{
    return request->step_time ? (enum step_time_kind)request->step_time->index
                              : STEP_TIME_CALIBRATED;
}

static bool load_curves(const struct deployment_request *request, struct error *error)
{
    for (size_t i = 0; i < request->stage_count; i++)
        if (!operators_of(request, request->stages[i].gpu, NULL, error))
            return false;
    return request->stage_count > 0 || operators_of(request, request->gpu, NULL, error);
}

bool deployment_load_kernels(const struct deployment_request *request, struct error *error)
{
    switch (deployment_step_time_kind(request)) {
    case STEP_TIME_CALIBRATED:
        return load_curves(request, error);
    case STEP_TIME_PROFILE:
        return load_profile(request, error);
    default:
        return true;
    }
}

static struct kernel_sum given_layers(const struct kernel_site *site,
                                      const struct deployment_stage *stage)
{
    struct timed_layers *layers = ARENA_NEW(site->arena, struct timed_layers);
    *layers = (struct timed_layers){*stage->layer_time, (double)site->deployment->llm->layers};
    return layer_time_kernels(layers);
}

static bool same_kernels(const struct deployment_stage *a, const struct deployment_stage *b)
{
    return a->gpu == b->gpu && a->tensor_parallel == b->tensor_parallel && !a->layer_time &&
           !b->layer_time;
}

/* Stages on the same GPUs share their kernels. */
static bool put_kernels(const struct kernel_site *site, stage_kernels *kernels_of,
                        const struct stage_list *list, struct pipeline_stage *stages,
                        struct error *error)
{
    int64_t layers = site->deployment->llm->layers;
    for (size_t i = 0; i < list->count; i++) {
        const struct deployment_stage *stage = &list->stages[i];
        stages[i] = (struct pipeline_stage){.share = (double)stage->layers / (double)layers,
                                            .emits = stage->first_layer + stage->layers == layers,
                                            .link = stages_link(list, i)};
        if (stage->layer_time)
            stages[i].kernels = given_layers(site, stage);
        else if (i > 0 && same_kernels(stage, stage - 1))
            stages[i].kernels = stages[i - 1].kernels;
        else if (!kernels_of(site, stage, &stages[i].kernels, error))
            return false;
    }
    return true;
}

/* One way through stages that are served by queues, in rounds: what routers predict by. */
static struct steptime *compile_way(const struct deployment *deployment,
                                    const struct stage_list *list,
                                    const struct pipeline_stage *stages,
                                    const struct steptime_limits *limits, struct error *error)
{
    size_t way[PIPELINE_STAGES_MAX];
    struct pipeline_stage on_it[PIPELINE_STAGES_MAX];
    size_t count = stages_way(list, deployment->llm, way);
    for (size_t i = 0; i < count; i++)
        on_it[i] = stages[way[i]];
    if (count == 1)
        return steptime_compile_sum(&on_it->kernels, limits, error);
    const double activation_bytes = 2; /* activations are 16-bit */
    return pipeline_compile(on_it, count, deployment->micro_batches,
                            activation_bytes * (double)deployment->llm->hidden, limits, error);
}

static bool compile_graph(const struct kernel_site *site, const struct stage_list *list,
                          const struct pipeline_stage *stages, struct steptime_limits limits,
                          struct error *error)
{
    struct deployment *deployment = site->deployment;
    limits.max_batch_tokens += limits.max_sequences; /* prompts beside all that decode */
    deployment->graph = stages_graph(list, stages, deployment->llm, &limits, error);
    return deployment->graph != NULL;
}

/* Adapters add two kernels to each of the four fused projections of a layer (qkv, o, gate and up,
 * down): shrink and expand (Punica, Chen et al., MLSys 2024; vllm/lora/ops/triton_ops). They read
 * the adapters of the batch and compute as much as these have elements, for each token. */
static struct adapter_cost adapter_cost_of(const struct kernel_site *site,
                                           const struct deployment_stage *stage)
{
    const struct lora_settings *lora = site->request->engine->lora;
    if (!lora)
        return (struct adapter_cost){0};
    const double kernels = 8, kernel_s = 3e-6; /* the latter as in operators.c: SMALL_FLOOR_S */
    const struct gpu *gpu = stage->gpu;
    double bytes = lora_bytes_per_gpu(site->deployment->llm, lora->rank, stage->tensor_parallel);
    double ops = 2 * bytes / precision_bytes(PRECISION_BF16);
    return (struct adapter_cost){
        .step_s = kernels * kernel_s * (double)stage->layers,
        .token_s = ops / (gpu_peak_ops(gpu, PRECISION_BF16) * gpu->gemm_efficiency),
        .each_s = bytes / (gpu->bandwidth_gb_s * 1e9 * gpu->bandwidth_efficiency),
        .slots = lora->max_loras};
}

/* What an iteration takes that the model's kernels do not say. */
static void add_beside_model(const struct kernel_site *site, const struct deployment_stage *stage,
                             struct kernel_sum *kernels)
{
    const struct engine_settings *engine = site->request->engine;
    kernels->sequence_s = engine->async_scheduling ? 0 : engine->host_sequence_overhead_us * 1e-6;
    kernels->adapters = adapter_cost_of(site, stage);
}

static struct steptime *compile_kernels(const struct kernel_site *site, stage_kernels *kernels_of,
                                        const struct stage_list *list, struct error *error)
{
    struct deployment *deployment = site->deployment;
    struct pipeline_stage *stages = ARENA_ARRAY(site->arena, list->count, struct pipeline_stage);
    struct engine_graphs graphs;
    struct steptime_limits limits = limits_of(site->request, deployment, &graphs);
    if (!put_kernels(site, kernels_of, list, stages, error))
        return NULL;
    for (size_t i = 0; i < list->count && !site->drafts; i++)
        add_beside_model(site, &list->stages[i], &stages[i].kernels);
    if (site->request->pipelining == PIPELINING_QUEUES &&
        !compile_graph(site, list, stages, limits, error))
        return NULL;
    return compile_way(deployment, list, stages, &limits, error);
}

/* What the engine of stage_queues.h would silently not do; NULL: nothing. */
static const char *queues_leave_unused(const struct engine_settings *engine)
{
    return engine->batching.index != BATCHING_CONTINUOUS ? "\"batching\" other than \"continuous\""
           : engine->speculative                         ? "\"speculative\""
           : engine->lora                                ? "\"lora\""
           : engine->prefill == PREFILL_DECODE_FIRST     ? "prefill \"decode_first\""
           : engine->preemption == PREEMPT_SWAP          ? "preemption \"swap\""
           : engine->watermark > 0                       ? "a watermark"
           : engine->kv_allocation != KV_PAGED           ? "kv_allocation other than \"paged\""
           : engine->report_kv_slots                     ? "report_kv_slots"
           : engine->prefix_cache                        ? "\"prefix_cache\""
           : engine->batch_wait_timeout_iters > 0        ? "batch_wait_timeout_iters"
                                                         : NULL;
}

/* What is given is of a whole replica. */
static bool check_queues(const struct deployment_request *request, struct error *error)
{
    const struct engine_settings *engine = request->engine;
    if (request->pipelining == PIPELINING_ROUNDS)
        return true;
    if (deployment_step_time_kind(request) == STEP_TIME_GIVEN)
        return error_set(error, ERROR_BAD_INPUT,
                         "a given step time is of a whole replica, and \"pipelining\": \"queues\" "
                         "follows its stages");
    const char *unused = queues_leave_unused(engine);
    if (!unused)
        return true;
    error_set(error, ERROR_BAD_INPUT, "\"pipelining\": \"queues\" does not go with %s", unused);
    return error_hint(error, "stages take whoever comes, reserve the memory of whole answers, and "
                             "keep no prefixes: leave it out, or set pipelining to \"rounds\"");
}

static stage_kernels *const kernels_of_kind[] = {[STEP_TIME_CALIBRATED] = calibrated_stage,
                                                 [STEP_TIME_ROOFLINE] = roofline_stage,
                                                 [STEP_TIME_PROFILE] = profile_stage};

/* Passes of the draft model: the first over all tokens of the iteration, the others over one of
 * each sequence. decode_tok: tokens of a decode in the pass. */
static struct steptime *compile_pass(const struct kernel_site *site, const struct draft *draft,
                                     bool first, struct error *error)
{
    struct speculative_settings speculative = *site->request->engine->speculative;
    struct engine_settings settings = *site->request->engine;
    settings.step_overhead_ms = speculative.draft_overhead_ms;
    settings.async_scheduling = true; /* nothing is scheduled between passes */
    settings.speculative = first ? &speculative : NULL;
    struct deployment_request request = *site->request;
    request.engine = &settings;
    struct deployment deployment = *site->deployment;
    deployment.llm = draft->llm;
    deployment.weights = draft->weights;
    deployment.expert_weights = draft->expert_weights;
    deployment.attention_dp = draft->attention_dp;
    deployment.expert_parallel = draft->expert_parallel;
    const struct deployment_stage stage = {.gpu = site->deployment->gpu,
                                           .tensor_parallel = draft->tensor_parallel,
                                           .layers = draft->llm->layers};
    const struct stage_list list = {.stages = &stage, .count = 1};
    const struct kernel_site own = {&request, &deployment, site->arena, true};
    enum step_time_kind kind = deployment_step_time_kind(site->request);
    return compile_kernels(&own, kernels_of_kind[kind], &list, error);
}

static bool add_draft(const struct kernel_site *site, const struct draft *draft,
                      struct error *error)
{
    struct steptime *first = compile_pass(site, draft, true, error);
    struct steptime *next = first ? compile_pass(site, draft, false, error) : NULL;
    int64_t passes = site->request->engine->speculative->tokens - 1;
    bool added = next && steptime_add_draft(site->deployment->steptime, first, next, passes, error);
    steptime_destroy(first);
    steptime_destroy(next);
    return added;
}

/* Of iterations of too many decodes to draft anything. */
static struct steptime *compile_plain(const struct kernel_site *site, const struct stage_list *list,
                                      struct error *error)
{
    struct engine_settings settings = *site->request->engine;
    settings.speculative = NULL;
    struct deployment_request request = *site->request;
    request.engine = &settings;
    const struct kernel_site plain = {&request, site->deployment, site->arena, false};
    enum step_time_kind kind = deployment_step_time_kind(site->request);
    return compile_kernels(&plain, kernels_of_kind[kind], list, error);
}

static bool compile_speculating(const struct kernel_site *site, const struct stage_list *list,
                                const struct draft *draft, struct error *error)
{
    const struct speculative_settings *speculative = site->request->engine->speculative;
    if (draft->llm && !add_draft(site, draft, error))
        return false;
    if (!speculative || speculative->disable_by_batch_size == INT64_MIN)
        return true;
    site->deployment->plain_steptime = compile_plain(site, list, error);
    return site->deployment->plain_steptime != NULL;
}

bool deployment_compile_steptime(const struct deployment_request *request,
                                 struct deployment *deployment, const struct stage_list *list,
                                 const struct draft *draft, struct error *error)
{
    enum step_time_kind kind = deployment_step_time_kind(request);
    deployment->basis = deployment_basis_of(stages_are_timed(list) ? STEP_TIME_GIVEN : kind);
    if (!check_queues(request, error))
        return false;
    if (kind == STEP_TIME_GIVEN) { /* as if drafting took no time */
        deployment->steptime = compile_given(request, deployment, error);
        return deployment->steptime != NULL;
    }
    struct arena *arena = arena_create();
    const struct kernel_site site = {request, deployment, arena, false};
    deployment->steptime = compile_kernels(&site, kernels_of_kind[kind], list, error);
    bool compiled = deployment->steptime && compile_speculating(&site, list, draft, error);
    arena_destroy(arena);
    return compiled;
}
