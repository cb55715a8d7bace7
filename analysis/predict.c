/* Compiling a deployment takes about as long as simulating a point, and many points share one. So
 * the points are sorted by deployment and cut into jobs of one deployment each; threads take the
 * next job until none is left. */
#include "analysis/predict.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analysis/protocol.h"
#include "analysis/workers.h"
#include "models/fleet/deployment.h"
#include "models/fleet/simulation.h"
#include "workloads/closed_loop.h"
#include "workloads/transform.h"

/* --- the catalogue --- */

static bool read_llms(struct predictor *predictor, const char *folder, struct error *error)
{
    struct config_list names;
    if (!llm_catalog_names(folder, predictor->arena, &names, error))
        return false;
    const struct llm **llms = ARENA_ARRAY(predictor->arena, names.count, const struct llm *);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = ((const char *const *)names.items)[i];
        llms[i] = llm_read(folder, ".", name, predictor->arena, error);
        if (!llms[i])
            return false;
    }
    predictor->llms = (struct config_list){llms, names.count};
    return true;
}

struct predictor *predictor_create(const char *catalog_folder, struct error *error)
{
    struct arena *arena = arena_create();
    struct predictor *predictor = ARENA_NEW(arena, struct predictor);
    predictor->arena = arena;
    predictor->hardware = hardware_read(catalog_folder, arena, error);
    if (predictor->hardware)
        predictor->calibration =
            calibration_read(catalog_folder, predictor->hardware, arena, error);
    if (predictor->calibration && read_llms(predictor, catalog_folder, error))
        return predictor;
    predictor_destroy(predictor);
    return NULL;
}

void predictor_destroy(struct predictor *predictor)
{
    if (predictor)
        arena_destroy(predictor->arena);
}

/* The catalogue writes names in lower case. */
const struct llm *predictor_llm(const struct predictor *predictor, const char *name)
{
    const struct llm *const *llms = predictor->llms.items;
    for (size_t i = 0; i < predictor->llms.count; i++)
        if (strcasecmp(llms[i]->name, name) == 0)
            return llms[i];
    return NULL;
}

/* --- a point's server --- */

struct job_point {
    const struct measured_point *point;
    struct prediction *prediction;
    const struct gpu *gpu;
    const struct llm *llm;
    struct calibration *calibration;
    const struct config_variant *step_time;
    struct protocol_server server;
};

static void not_covered(struct prediction *prediction, const struct error *why)
{
    prediction->state = PREDICTION_NOT_COVERED;
    snprintf(prediction->reason, sizeof prediction->reason, "%.*s",
             (int)sizeof prediction->reason - 1, why->message);
}

static bool find_server(const struct predictor *predictor, struct job_point *at,
                        struct error *error)
{
    const struct measured_point *point = at->point;
    if (point->disaggregated)
        return error_set(error, ERROR_BAD_INPUT, "prefill and decode on separate servers");
    at->gpu = protocol_gpu(predictor->hardware, point->system);
    if (!at->gpu)
        return error_set(error, ERROR_BAD_INPUT, "no GPU \"%s\" in the catalogue", point->system);
    at->llm = predictor_llm(predictor, point->model);
    if (!at->llm)
        return error_set(error, ERROR_BAD_INPUT, "no model \"%s\" in the catalogue", point->model);
    at->calibration = predictor->calibration;
    return protocol_server(point, at->gpu, &at->server, error);
}

static struct deployment_request deployment_of(const struct job_point *at)
{
    return (struct deployment_request){.gpu = at->gpu,
                                       .llm = at->llm,
                                       .tensor_parallel = at->point->tp,
                                       .pipeline_parallel = at->point->pp,
                                       .attention_dp = at->point->attn_dp,
                                       .expert_parallel = at->point->moe_ep,
                                       .weights = at->server.weights,
                                       .expert_weights = &at->server.expert_weights,
                                       .kv = at->server.kv,
                                       .engine = &at->server.engine,
                                       .step_time = at->step_time,
                                       .calibration = at->calibration};
}

/* Kernel curves are read when first asked for; threads may only look at them. */
static bool load_kernels(const struct job_point *at, struct error *error)
{
    struct deployment_request request = deployment_of(at);
    return deployment_load_kernels(&request, error);
}

/* --- a point's clients --- */

/* What stands behind the pointers of a closed loop's settings. */
struct clients {
    struct length_uniform prompt, output;
    struct think_time pause;
    struct closed_loop_config loop;
    struct length_pair_config lengths;
};

static void set_up_clients(struct clients *clients, const struct measured_point *point)
{
    struct length_range prompt = point_lengths(point->isl, point->len_ratio_min);
    struct length_range output = point_lengths(point->osl, point->len_ratio_min);
    struct protocol_pause pause = protocol_pause(point);
    *clients = (struct clients){.prompt = {prompt.min_tok, prompt.max_tok},
                                .output = {output.min_tok, output.max_tok},
                                .pause = {.min_s = pause.min_s, .max_s = pause.max_s},
                                .loop = {.clients = protocol_clients(point),
                                         .cached_prompt_share = protocol_cached_share(point),
                                         .think = {THINK_UNIFORM, &clients->pause}},
                                .lengths = {.prompt = {LENGTH_UNIFORM, &clients->prompt},
                                            .output = {LENGTH_UNIFORM, &clients->output}}};
}

static struct source *open_clients(const struct clients *clients,
                                   const struct measured_point *point, struct arena *arena,
                                   struct error *error)
{
    const struct stream_seed seed = {
        .seed = 1,
        .stream = arena_printf(arena, "%lldx%lld, %.10g, %lld clients", (long long)point->isl,
                               (long long)point->osl, point->len_ratio_min,
                               (long long)point->concurrency)};
    const struct place nowhere = {0};
    struct source *source =
        closed_loop_open(&clients->loop, &clients->lengths, &seed, arena, &nowhere, error);
    return source ? transform_limit(source, (uint64_t)protocol_requests(point), INFINITY, arena)
                  : NULL;
}

/* --- simulating a point --- */

struct predict_run {
    struct job_point *points; /* sorted by deployment */
    size_t *job_starts;       /* job j is points job_starts[j] to job_starts[j + 1] */
    size_t job_count;
    struct workers *workers;
    atomic_bool failed;
};

static bool keep_going(void *context, double time_s, uint64_t completed)
{
    (void)time_s, (void)completed;
    struct predict_run *run = context;
    return !atomic_load(&run->workers->stop);
}

static bool take_means(const struct simulation_result *result, struct prediction *prediction,
                       struct error *error)
{
    const struct latency_set *latency = &result->by_class[0];
    if (result->rejected > 0)
        return error_set(error, ERROR_BAD_INPUT,
                         "some requests are longer than the KV cache or the model takes");
    prediction->ttft_ms = histogram_mean_s(&latency->ttft) * 1e3;
    prediction->tpot_ms = histogram_mean_s(&latency->tpot) * 1e3;
    prediction->e2e_ms = histogram_mean_s(&latency->e2e) * 1e3;
    prediction->state = PREDICTION_DONE;
    return true;
}

static bool simulate_source(struct predict_run *run, const struct deployment *deployment,
                            struct source *source, struct prediction *prediction,
                            struct error *error)
{
    static const struct class_rule everything = CLASS_RULE_ALL("all");
    static const struct router_config round_robin = {.policy = {.index = 0}};
    const struct pool_spec pool = {
        .name = "server", .engine = &deployment->engine, .replicas = 1, .weight = 1};
    const struct simulation_spec spec = {.source = source,
                                         .pools = &pool,
                                         .pool_count = 1,
                                         .router = &round_robin,
                                         .classes = &everything,
                                         .class_count = 1,
                                         .seed = 1,
                                         .horizon_s = INFINITY,
                                         .observer = {.proceed = keep_going, .context = run}};
    struct simulation_result result;
    if (!simulation_run(&spec, &result, error))
        return false;
    bool done = result.interrupted || take_means(&result, prediction, error);
    simulation_result_free(&result);
    return done;
}

static bool simulate(struct predict_run *run, const struct deployment *deployment,
                     const struct job_point *at, struct error *error)
{
    struct arena *arena = arena_create();
    struct clients clients;
    set_up_clients(&clients, at->point);
    struct source *source = open_clients(&clients, at->point, arena, error);
    bool done = source && simulate_source(run, deployment, source, at->prediction, error);
    source_destroy(source);
    arena_destroy(arena);
    return done;
}

/* --- jobs --- */

#define BY(member)                                                                                 \
    if (a->member != b->member)                                                                    \
    return a->member < b->member ? -1 : 1

/* The bytes of equal settings may differ in padding; those are then compiled twice. */
static int by_deployment(const void *left, const void *right)
{
    const struct job_point *a = left, *b = right;
    BY(gpu);
    BY(llm);
    BY(point->tp);
    BY(point->pp);
    BY(point->attn_dp);
    BY(point->moe_ep);
    BY(server.weights);
    BY(server.expert_weights);
    BY(server.kv);
    return memcmp(&a->server.engine, &b->server.engine, sizeof a->server.engine);
}

/* A point that cannot be simulated says so; a machine that cannot simulate ends everything. */
static void give_up(struct predict_run *run, struct prediction *prediction, const struct error *why)
{
    not_covered(prediction, why);
    if (why->code == ERROR_FAILED) {
        atomic_store(&run->failed, true);
        atomic_store(&run->workers->stop, true);
    }
}

static void run_job(struct workers *workers, size_t job)
{
    struct predict_run *run = workers->context;
    const struct job_point *points = run->points + run->job_starts[job];
    size_t count = run->job_starts[job + 1] - run->job_starts[job];
    struct deployment deployment;
    struct deployment_request request = deployment_of(&points[0]);
    struct error unfit = {0};
    bool compiled = deployment_compile(&request, &deployment, &unfit);
    for (size_t i = 0; i < count && !atomic_load(&workers->stop); i++) {
        struct error why = unfit;
        if (!compiled || !simulate(run, &deployment, &points[i], &why))
            give_up(run, points[i].prediction, &why);
        atomic_fetch_add(&workers->done, 1);
    }
    if (compiled)
        deployment_clear(&deployment);
}

static void cut_into_jobs(struct predict_run *run, size_t count)
{
    run->job_count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || by_deployment(&run->points[i - 1], &run->points[i]) != 0)
            run->job_starts[run->job_count++] = i;
    run->job_starts[run->job_count] = count;
}

bool predict_points(const struct predictor *predictor, const struct measured_point *points,
                    size_t count, const struct predict_options *options,
                    struct prediction *predictions, struct error *error)
{
    struct arena *arena = arena_create();
    struct predict_run run = {.points = ARENA_ARRAY(arena, count, struct job_point),
                              .job_starts = ARENA_ARRAY(arena, count + 1, size_t)};
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        struct job_point at = {
            .point = &points[i], .prediction = &predictions[i], .step_time = options->step_time};
        struct error why = {0};
        predictions[i] = (struct prediction){.ttft_ms = NAN, .tpot_ms = NAN, .e2e_ms = NAN};
        if (find_server(predictor, &at, &why) && load_kernels(&at, &why))
            run.points[found++] = at;
        else
            not_covered(&predictions[i], &why);
    }
    qsort(run.points, found, sizeof *run.points, by_deployment);
    cut_into_jobs(&run, found);
    struct workers workers = {.threads = options->threads,
                              .jobs = run.job_count,
                              .job = run_job,
                              .context = &run,
                              .total = found,
                              .proceed = options->proceed,
                              .proceed_context = options->context};
    run.workers = &workers;
    bool done = workers_run(&workers, error);
    if (done && atomic_load(&run.failed))
        done = error_set(error, ERROR_FAILED, "out of memory");
    arena_destroy(arena);
    return done;
}
