/* Compiling a deployment takes about as long as simulating a point, and many points share one. So
 * the points are sorted by deployment and cut into jobs of one deployment each; threads take the
 * next job until none is left. */
#include "analysis/predict.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analysis/point_clients.h"
#include "analysis/protocol_sides.h"
#include "analysis/workers.h"
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
    at->sides.decode.layout = (struct side_layout){.workers = 1,
                                                   .tp = point->tp,
                                                   .pp = point->pp,
                                                   .attn_dp = point->attn_dp,
                                                   .moe_tp = point->moe_tp,
                                                   .moe_ep = point->moe_ep};
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

/* The index of a policy on a range, among router_policies. */
static struct router_config router_named(const char *name)
{
    int index = 0;
    while (strcmp(router_policies[index].name, name) != 0)
        index++;
    return (struct router_config){.policy = {.index = index}};
}

/* What a point's requests go to: one pool, or one that prefills and one that decodes. */
struct fleet {
    struct deployment decode, prefill; /* where one does both, it is `decode` */
    bool apart;
    double step_wait_s; /* for the others' step, of a rank that is asked to prefill */
};

static struct pool_spec pool_of(const char *name, const struct deployment *deployment)
{
    return (struct pool_spec){.name = name,
                              .engine = &deployment->engine,
                              .replicas = 1,
                              .weight = 1,
                              .port = {.gpu = deployment->gpu,
                                       .llm = deployment->llm,
                                       .kv = deployment->kv,
                                       .tensor_parallel = deployment->tensor_parallel,
                                       .pipeline_parallel = deployment->pipeline_parallel}};
}

/* Of a side, every rank of every worker is simulated. */
static struct pool_spec side_pool(const char *name, enum pool_role role,
                                  const struct deployment *deployment,
                                  const struct side_layout *layout)
{
    struct pool_spec pool = pool_of(name, deployment);
    pool.role = role;
    pool.replicas = (uint32_t)(layout->workers * layout->attn_dp);
    return pool;
}

/* result: the caller frees it. */
static bool simulate_spec(struct simulation_spec *spec, struct predict_run *run,
                          struct simulation_result *result, struct error *error)
{
    static const struct class_rule everything = CLASS_RULE_ALL("all");
    spec->classes = &everything;
    spec->class_count = 1;
    spec->seed = 1;
    spec->horizon_s = INFINITY;
    spec->observer = (struct simulation_observer){.proceed = keep_going, .context = run};
    return simulation_run(spec, result, error);
}

static bool simulate_together(struct predict_run *run, const struct fleet *fleet,
                              struct source *source, struct simulation_result *result,
                              struct error *error)
{
    const struct router_config round_robin = router_named("round_robin");
    const struct pool_spec pool = pool_of("server", &fleet->decode);
    struct simulation_spec spec = {
        .source = source, .pools = &pool, .pool_count = 1, .router = &round_robin};
    return simulate_spec(&spec, run, result, error);
}

enum { PREFILL_POOL, DECODE_POOL, SIDES };

static bool simulate_apart(struct predict_run *run, const struct fleet *fleet,
                           const struct job_point *at, struct source *source,
                           struct simulation_result *result, struct error *error)
{
    struct arena *arena = arena_create();
    const struct side_layout *prefill = &at->sides.prefill.layout;
    const struct side_layout *decode = &at->sides.decode.layout;
    const struct pool_spec pools[SIDES] = {
        [PREFILL_POOL] = side_pool("prefill", ROLE_PREFILL, &fleet->prefill, prefill),
        [DECODE_POOL] = side_pool("decode", ROLE_DECODE, &fleet->decode, decode)};
    const struct router_config router = router_named(protocol_side_router(at->point, prefill));
    struct disaggregation_config apart = *disaggregation_defaults(arena);
    apart.decode_router = router_named(protocol_side_router(at->point, decode));
    if (fleet->step_wait_s > 0)
        apart.transfer.latency_s = fleet->step_wait_s;
    struct simulation_spec spec = {.source = source,
                                   .pools = pools,
                                   .pool_count = SIDES,
                                   .router = &router,
                                   .disaggregation = &apart};
    bool done = simulate_spec(&spec, run, result, error);
    arena_destroy(arena);
    return done;
}

static bool simulate_once(struct predict_run *run, const struct fleet *fleet,
                          const struct job_point *at, struct simulation_result *result,
                          struct error *error)
{
    struct arena *arena = arena_create();
    struct source *source = point_clients_open(at->point, arena, error);
    bool done = source && (fleet->apart ? simulate_apart(run, fleet, at, source, result, error)
                                        : simulate_together(run, fleet, source, result, error));
    source_destroy(source);
    arena_destroy(arena);
    return done;
}

/* How busy the ranks that prefill are: their share of the time, and one of their iterations. */
struct rank_load {
    double busy, step_s;
};

static struct rank_load prefill_load(const struct simulation_result *result,
                                     const struct side_layout *prefill)
{
    const struct pool_result *pool = &result->pools[PREFILL_POOL];
    double ranks_s = result->end_s * (double)(prefill->workers * prefill->attn_dp);
    return (struct rank_load){
        .busy = ranks_s > 0 ? fmin(1, pool->busy_s / ranks_s) : 0,
        .step_s = pool->iterations > 0 ? pool->busy_s / (double)pool->iterations : 0};
}

/* The ranks of a worker step together, for the experts' sake. One that is idle when it is asked
 * waits for half a step of the others, if any of them is in one. */
static double step_wait_s(const struct rank_load *load, const struct side_layout *prefill)
{
    double others_busy = 1 - pow(1 - load->busy, (double)(prefill->attn_dp - 1));
    return (1 - load->busy) * others_busy * load->step_s / 2;
}

/* Ranks that share experts are compiled as if all of them were busy at once. While there are few
 * clients, a rank that prefills is mostly alone: a first simulation says how much, and counts
 * for nothing else. */
static bool simulate_lone_ranks(struct predict_run *run, const struct fleet *fleet,
                                const struct job_point *at, struct simulation_result *result,
                                struct error *error)
{
    if (!simulate_once(run, fleet, at, result, error))
        return false;
    if (result->interrupted)
        return true;
    struct rank_load load = prefill_load(result, &at->sides.prefill.layout);
    simulation_result_free(result);
    struct deployment_request prefill = deployment_of(at, &at->sides.prefill);
    prefill.idle_peers = 1 - load.busy;
    struct fleet alone = *fleet;
    alone.step_wait_s = step_wait_s(&load, &at->sides.prefill.layout);
    if (!deployment_compile(&prefill, &alone.prefill, error))
        return false;
    bool done = simulate_once(run, &alone, at, result, error);
    deployment_clear(&alone.prefill);
    return done;
}

static bool simulate(struct predict_run *run, const struct fleet *fleet, const struct job_point *at,
                     struct error *error)
{
    struct simulation_result result;
    bool ranks = fleet->apart && at->sides.prefill.layout.attn_dp > 1;
    if (!(ranks ? simulate_lone_ranks : simulate_once)(run, fleet, at, &result, error))
        return false;
    bool done = result.interrupted || take_means(&result, at->prediction, error);
    simulation_result_free(&result);
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
        atomic_store(&run->workers->stop, true);
    }
}

static bool fleet_compile(const struct job_point *at, struct fleet *fleet, struct error *error)
{
    fleet->apart = at->point->disaggregated;
    fleet->step_wait_s = 0;
    struct deployment_request decode = deployment_of(at, &at->sides.decode);
    if (!deployment_compile(&decode, &fleet->decode, error))
        return false;
    struct deployment_request prefill = deployment_of(at, &at->sides.prefill);
    if (!fleet->apart || deployment_compile(&prefill, &fleet->prefill, error))
        return true;
    deployment_clear(&fleet->decode);
    return false;
}

static void fleet_clear(struct fleet *fleet)
{
    deployment_clear(&fleet->decode);
    if (fleet->apart)
        deployment_clear(&fleet->prefill);
}

static void run_job(struct workers *workers, size_t job)
{
    struct predict_run *run = workers->context;
    const struct job_point *points = run->points + run->job_starts[job];
    size_t count = run->job_starts[job + 1] - run->job_starts[job];
    struct fleet fleet;
    struct error unfit = {0};
    bool compiled = fleet_compile(&points[0], &fleet, &unfit);
    for (size_t i = 0; i < count && !atomic_load(&workers->stop); i++) {
        struct error why = unfit;
        if (!compiled || !simulate(run, &fleet, &points[i], &why))
            give_up(run, points[i].prediction, &why);
        atomic_fetch_add(&workers->done, 1);
    }
    if (compiled)
        fleet_clear(&fleet);
}

static void cut_into_jobs(struct predict_run *run, size_t count)
{
    run->job_count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || by_deployment(&run->points[i - 1], &run->points[i]) != 0)
            run->job_starts[run->job_count++] = i;
    run->job_starts[run->job_count] = count;
}

/* Step times by the constants of the row's own server, where the catalogue has them; NULL: by those
 * of its engine. */
static const struct config_variant *own_step_time(const struct predictor *predictor,
                                                  const struct measured_point *point,
                                                  struct arena *arena)
{
    const char *constants = protocol_constants(point);
    if (constants == point->backend ||
        !calibration_engine(predictor->calibration, constants, PRECISION_BF16))
        return NULL;
    struct step_time_calibrated *calibrated = ARENA_NEW(arena, struct step_time_calibrated);
    struct config_variant *step_time = ARENA_NEW(arena, struct config_variant);
    calibrated->constants = constants;
    *step_time = (struct config_variant){STEP_TIME_CALIBRATED, calibrated};
    return step_time;
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
        struct job_point at = {.point = &points[i], .prediction = &predictions[i]};
        at.step_time =
            options->step_time ? options->step_time : own_step_time(predictor, &points[i], arena);
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
