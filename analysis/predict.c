/* Compiling a deployment takes about as long as simulating a point, and many points share one. So
 * the points are sorted by deployment and cut into jobs of one deployment each; threads take the
 * next job until none is left. */
#include "analysis/predict.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "analysis/point_clients.h"
#include "analysis/protocol_sides.h"
#include "models/fleet/deployment.h"
#include "models/fleet/simulation.h"

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
    struct protocol_sides sides; /* of a server that does both, only `decode` */
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
    at->gpu = protocol_gpu(predictor->hardware, point->system);
    if (!at->gpu)
        return error_set(error, ERROR_BAD_INPUT, "no GPU \"%s\" in the catalogue", point->system);
    at->llm = predictor_llm(predictor, point->model);
    if (!at->llm)
        return error_set(error, ERROR_BAD_INPUT, "no model \"%s\" in the catalogue", point->model);
    at->calibration = predictor->calibration;
    if (point->disaggregated)
        return protocol_sides(point, at->gpu, &at->sides, error);
    at->sides.decode.layout = (struct side_layout){
        .workers = 1, .tp = point->tp, .pp = point->pp, .attn_dp = point->attn_dp,
        .moe_tp = point->moe_tp, .moe_ep = point->moe_ep};
    return protocol_server(point, at->gpu, &at->sides.decode.server, error);
}

static struct deployment_request deployment_of(const struct job_point *at,
                                               const struct protocol_side *side)
{
    return (struct deployment_request){.gpu = at->gpu,
                                       .llm = at->llm,
                                       .tensor_parallel = side->layout.tp,
                                       .pipeline_parallel = side->layout.pp,
                                       .attention_dp = side->layout.attn_dp,
                                       .expert_parallel = side->layout.moe_ep,
                                       .weights = side->server.weights,
                                       .expert_weights = &side->server.expert_weights,
                                       .kv = side->server.kv,
                                       .engine = &side->server.engine,
                                       .step_time = at->step_time,
                                       .calibration = at->calibration};
}

/* Kernel curves are read when first asked for; threads may only look at them. */
static bool load_kernels(const struct job_point *at, struct error *error)
{
    struct deployment_request request = deployment_of(at, &at->sides.decode);
    return deployment_load_kernels(&request, error);
}

/* --- simulating a point --- */

struct predict_run {
    struct job_point *points; /* sorted by deployment */
    size_t *job_starts;       /* job j is points job_starts[j] to job_starts[j + 1] */
    size_t job_count;
    atomic_size_t next_job, done;
    atomic_bool stop, failed;
};

static bool keep_going(void *context, double time_s, uint64_t completed)
{
    (void)time_s, (void)completed;
    struct predict_run *run = context;
    return !atomic_load(&run->stop);
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
    struct source *source = point_clients_open(at->point, arena, error);
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
static int by_side(const struct protocol_side *a, const struct protocol_side *b)
{
    BY(layout.workers);
    BY(layout.tp);
    BY(layout.pp);
    BY(layout.attn_dp);
    BY(layout.moe_ep);
    BY(server.weights);
    BY(server.expert_weights);
    BY(server.kv);
    return memcmp(&a->server.engine, &b->server.engine, sizeof a->server.engine);
}

static int by_deployment(const void *left, const void *right)
{
    const struct job_point *a = left, *b = right;
    BY(gpu);
    BY(llm);
    BY(point->disaggregated);
    int order = by_side(&a->sides.decode, &b->sides.decode);
    return order != 0 ? order : by_side(&a->sides.prefill, &b->sides.prefill);
}

/* A point that cannot be simulated says so; a machine that cannot simulate ends everything. */
static void give_up(struct predict_run *run, struct prediction *prediction, const struct error *why)
{
    not_covered(prediction, why);
    if (why->code == ERROR_FAILED) {
        atomic_store(&run->failed, true);
        atomic_store(&run->stop, true);
    }
}

static void run_job(struct predict_run *run, const struct job_point *points, size_t count)
{
    struct deployment deployment;
    struct deployment_request request = deployment_of(&points[0]);
    struct error unfit = {0};
    bool compiled = deployment_compile(&request, &deployment, &unfit);
    for (size_t i = 0; i < count && !atomic_load(&run->stop); i++) {
        struct error why = unfit;
        if (!compiled || !simulate(run, &deployment, &points[i], &why))
            give_up(run, points[i].prediction, &why);
        atomic_fetch_add(&run->done, 1);
    }
    if (compiled)
        deployment_clear(&deployment);
}

static void *work(void *context)
{
    struct predict_run *run = context;
    size_t job;
    while ((job = atomic_fetch_add(&run->next_job, 1)) < run->job_count && !atomic_load(&run->stop))
        run_job(run, run->points + run->job_starts[job],
                run->job_starts[job + 1] - run->job_starts[job]);
    return NULL;
}

static void cut_into_jobs(struct predict_run *run, size_t count)
{
    run->job_count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || by_deployment(&run->points[i - 1], &run->points[i]) != 0)
            run->job_starts[run->job_count++] = i;
    run->job_starts[run->job_count] = count;
}

/* --- threads --- */

static size_t thread_count(const struct predict_options *options, size_t jobs)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t threads = options->threads > 0 ? options->threads : cores > 0 ? (size_t)cores : 1;
    return threads < jobs ? threads : jobs;
}

/* Asks whether to go on until all is done. */
static void watch(struct predict_run *run, size_t count, const struct predict_options *options)
{
    const struct timespec tenth = {.tv_nsec = 100000000}, brief = {.tv_nsec = 1000000};
    for (int round = 0; atomic_load(&run->done) < count && !atomic_load(&run->stop); round++) {
        if (options->proceed &&
            !options->proceed(options->context, atomic_load(&run->done), count)) {
            atomic_store(&run->stop, true);
            return;
        }
        nanosleep(round < 100 ? &brief : &tenth, NULL);
    }
}

static bool run_threads(struct predict_run *run, size_t count,
                        const struct predict_options *options, struct arena *arena,
                        struct error *error)
{
    size_t wanted = thread_count(options, run->job_count), started = 0;
    pthread_t *threads = ARENA_ARRAY(arena, wanted, pthread_t);
    while (started < wanted && pthread_create(&threads[started], NULL, work, run) == 0)
        started++;
    if (started > 0)
        watch(run, count, options);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return started > 0 || wanted == 0 || error_set(error, ERROR_FAILED, "cannot start a thread");
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
    bool done = run_threads(&run, found, options, arena, error);
    if (done && atomic_load(&run.failed))
        done = error_set(error, ERROR_FAILED, "out of memory");
    arena_destroy(arena);
    return done;
}
