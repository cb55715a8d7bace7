#include "scenarios/scenario.h"

#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/catalog_path.h"
#include "scenarios/scenario_parts.h"
#include "scenarios/scenario_roles.h"

#define ENGINES_MAX 100000 /* in a pool; more are a slip of the pen */

bool scenario_locate(const struct scenario *scenario, const char *pointer,
                     const struct error *found, struct error *error)
{
    if (found->file[0]) { /* of a file that the scenario names: it says where, itself */
        *error = *found;
        return false;
    }
    error_at(error, found->code, json_origin(scenario->document, pointer),
             json_line(scenario->document, pointer), pointer, "%s", found->message);
    if (found->hint[0])
        error_hint(error, "%s", found->hint);
    return false;
}

/* --- reading --- */

/* What the member says in the scenario holds for every element of a list that does not say
 * otherwise. */
static void inherit(cJSON *root, const char *member, const char *list)
{
    const cJSON *shared = json_member(root, member);
    cJSON *elements = json_member(root, list);
    if (!cJSON_IsObject(shared) || !cJSON_IsArray(elements))
        return;
    cJSON *element;
    cJSON_ArrayForEach(element, elements)
    {
        if (!cJSON_IsObject(element))
            continue;
        cJSON *own = json_member(element, member);
        if (!own)
            own = cJSON_AddObjectToObject(element, member);
        if (!cJSON_IsObject(own))
            continue;
        const cJSON *setting;
        cJSON_ArrayForEach(setting, shared) if (!json_member(own, setting->string))
            cJSON_AddItemToObject(own, setting->string, cJSON_Duplicate(setting, true));
    }
}

static bool read_config(struct scenario *scenario, const char *const *sets, size_t set_count,
                        struct error *error)
{
    scenario->document = json_read_file(scenario->path, error);
    if (!scenario->document)
        return false;
    for (size_t i = 0; i < set_count; i++)
        if (!json_set(scenario->document, sets[i], error))
            return false;
    cJSON *root = json_root(scenario->document);
    inherit(root, "engine", "pools");
    inherit(root, "client", "classes");
    return config_read(&scenario_config_type, scenario->document, root, "", scenario->arena,
                       &scenario->config, error) &&
           (!scenario->config.plan ||
            scenario_plan_check(scenario->config.plan, scenario->document, error)) &&
           (!scenario->config.compare ||
            scenario_compare_check(scenario->config.compare, scenario->document, error));
}

static bool read_catalogue(struct scenario *scenario, struct error *error)
{
    scenario->catalog_folder = catalog_path(scenario->arena, error);
    if (!scenario->catalog_folder)
        return false;
    scenario->hardware = hardware_read(scenario->catalog_folder, scenario->arena, error);
    if (scenario->hardware && scenario->config.hardware)
        scenario->hardware =
            hardware_extend(scenario->hardware, scenario->config.hardware, scenario->document,
                            "/hardware", scenario->arena, error);
    if (!scenario->hardware)
        return false;
    scenario->calibration =
        calibration_read(scenario->catalog_folder, scenario->hardware, scenario->arena, error);
    if (!scenario->calibration)
        return false;
    return scenario_read_models(scenario, error);
}

/* --- SLOs --- */

static bool resolve_slos(struct scenario *scenario, struct error *error)
{
    const struct scenario_slo *given = scenario->config.slo.items;
    scenario->slo_count = scenario->config.slo.count;
    scenario->slos = ARENA_ARRAY(scenario->arena, scenario->slo_count, struct slo_rule);
    for (size_t i = 0; i < scenario->slo_count; i++) {
        struct slo_rule *rule = &scenario->slos[i];
        *rule = (struct slo_rule){.class_index = -1,
                                  .ttft_s = given[i].ttft_s,
                                  .tpot_s = given[i].tpot_s,
                                  .e2e_s = given[i].e2e_s,
                                  .percentile = given[i].percentile};
        char pointer[POINTER_SIZE];
        json_pointer_index(pointer, sizeof pointer, "/slo", i);
        if (isnan(rule->ttft_s) && isnan(rule->tpot_s) && isnan(rule->e2e_s)) {
            json_error(scenario->document, pointer, error, "this SLO bounds nothing");
            return error_hint(error, "give ttft_s, tpot_s or e2e_s");
        }
        if (given[i].class_name &&
            !scenario_find_class(scenario, given[i].class_name, &rule->class_index)) {
            json_error(scenario->document, pointer, error, "there is no class \"%s\"",
                       given[i].class_name);
            return error_hint(error, "classes are named under \"classes\"");
        }
    }
    return true;
}

/* --- pools --- */

static const struct instance *cheapest_with(const struct hardware *hardware, const struct gpu *gpu)
{
    const struct instance *best = NULL;
    for (size_t i = 0; i < hardware->instance_count; i++) {
        const struct instance *each = &hardware->instances[i];
        const char *nearest;
        if (hardware_gpu(hardware, each->gpu, &nearest) != gpu)
            continue;
        if (!best ||
            each->usd_per_hour * (double)best->gpus < best->usd_per_hour * (double)each->gpus)
            best = each;
    }
    return best;
}

/* Whole instances are rented: as many replicas to an instance as its GPUs hold, or as many
 * instances to a replica as it needs. */
static int64_t instances_needed(const struct instance *instance, int64_t replica_gpus,
                                int64_t replicas)
{
    if (replica_gpus > instance->gpus)
        return replicas * ((replica_gpus + instance->gpus - 1) / instance->gpus);
    int64_t replicas_each = instance->gpus / replica_gpus;
    return (replicas + replicas_each - 1) / replicas_each;
}

static bool price_pool(struct scenario *scenario, size_t index, const struct instance *instance,
                       const char *pointer, struct error *error)
{
    const struct scenario_pool *given =
        &((struct scenario_pool *)scenario->config.pools.items)[index];
    const struct deployment *deployment = &scenario->deployments[index];
    struct scenario_price *price = &scenario->prices[index];
    double gpus = (double)(deployment->gpus * given->replicas);
    if (instance)
        price->instances = instances_needed(instance, deployment->gpus, given->replicas);
    if (!isnan(given->usd_per_gpu_hour)) {
        double rented = instance ? (double)(price->instances * instance->gpus) : gpus;
        price->usd_per_hour = given->usd_per_gpu_hour * rented;
        price->source = "the scenario's usd_per_gpu_hour";
        return true;
    }
    if (instance) {
        price->usd_per_hour = instance->usd_per_hour * (double)price->instances;
        price->source = arena_printf(scenario->arena, "%s %s, %s: %s", instance->provider,
                                     instance->name, instance->as_of, instance->source);
        return true;
    }
    const struct instance *cheapest = cheapest_with(scenario->hardware, deployment->gpu);
    if (!cheapest) {
        json_error(scenario->document, pointer, error, "no price is known for %s",
                   deployment->gpu->name);
        return error_hint(error, "give this pool \"usd_per_gpu_hour\" or an \"instance\"");
    }
    price->usd_per_hour = cheapest->usd_per_hour / (double)cheapest->gpus * gpus;
    price->source =
        arena_printf(scenario->arena, "by the GPU, from the cheapest instance: %s %s, %s: %s",
                     cheapest->provider, cheapest->name, cheapest->as_of, cheapest->source);
    return true;
}

static bool find_instance(struct scenario *scenario, const struct scenario_pool *pool,
                          const char *pointer, const struct instance **instance,
                          struct error *error)
{
    *instance = NULL;
    if (!pool->instance)
        return true;
    const char *nearest;
    *instance = hardware_instance(scenario->hardware, pool->instance, &nearest);
    if (*instance)
        return true;
    json_member_error(scenario->document, pointer, "instance", error, "unknown instance \"%s\"",
                      pool->instance);
    return hardware_hint(error, nearest, "instances");
}

static const struct gpu *find_gpu(struct scenario *scenario, const struct scenario_pool *pool,
                                  const struct instance *instance, const char *pointer,
                                  struct error *error)
{
    const char *name = pool->gpu ? pool->gpu : instance ? instance->gpu : NULL;
    if (!name) {
        json_error(scenario->document, pointer, error, "the pool names no hardware");
        error_hint(error, "give it a \"gpu\" or an \"instance\"");
        return NULL;
    }
    const char *nearest;
    const struct gpu *gpu = hardware_gpu(scenario->hardware, name, &nearest);
    if (!gpu) {
        json_member_error(scenario->document, pointer, "gpu", error, "unknown GPU \"%s\"", name);
        hardware_hint(error, nearest, "gpus");
        return NULL;
    }
    if (instance && gpu != hardware_gpu(scenario->hardware, instance->gpu, &nearest)) {
        json_member_error(scenario->document, pointer, "gpu", error,
                          "instance %s has %s GPUs, not %s", instance->name, instance->gpu,
                          gpu->name);
        return NULL;
    }
    return gpu;
}

/* Each data-parallel rank is simulated as a replica: requests are routed to ranks. */
static int64_t engines_of(const struct scenario_pool *pool)
{
    return pool->replicas * pool->attention_data_parallel;
}

static bool check_pool(const struct scenario *scenario, size_t index, const char *pointer,
                       struct error *error)
{
    const struct scenario_pool *pools = scenario->config.pools.items, *given = &pools[index];
    for (size_t i = 0; i < index; i++)
        if (strcmp(pools[i].name, given->name) == 0)
            return json_error(scenario->document, pointer, error, "two pools are named \"%s\"",
                              given->name);
    if (engines_of(given) <= ENGINES_MAX)
        return true;
    return json_error(scenario->document, pointer, error,
                      "replicas x attention_data_parallel is %lld, and may be %d at most",
                      (long long)engines_of(given), ENGINES_MAX);
}

static bool compile_pool(struct scenario *scenario, size_t index, const struct gpu *gpu,
                         const char *pointer, struct error *error)
{
    const struct scenario_pool *given =
        &((const struct scenario_pool *)scenario->config.pools.items)[index];
    const enum precision expert_weights = (enum precision)given->expert_weights;
    struct deployment_request request = {.gpu = gpu,
                                         .llm = scenario->models[scenario->pool_models[index]].llm,
                                         .tensor_parallel = given->tensor_parallel,
                                         .pipeline_parallel = given->pipeline_parallel,
                                         .attention_dp = given->attention_data_parallel,
                                         .expert_parallel = given->expert_parallel,
                                         .weights = (enum precision)given->weights,
                                         .expert_weights =
                                             given->expert_weights < 0 ? NULL : &expert_weights,
                                         .kv = (enum precision)given->kv,
                                         .network_rtt_s = given->network_rtt_ms / 1e3,
                                         .engine = &given->engine,
                                         .step_time = &given->step_time,
                                         .calibration = scenario->calibration,
                                         .folder = scenario->folder};
    struct error found = {0};
    if (deployment_compile(&request, &scenario->deployments[index], &found))
        return true;
    return scenario_locate(scenario, pointer, &found, error);
}

static bool resolve_pool(struct scenario *scenario, size_t index, struct error *error)
{
    struct scenario_pool *given = &((struct scenario_pool *)scenario->config.pools.items)[index];
    char pointer[POINTER_SIZE];
    json_pointer_index(pointer, sizeof pointer, "/pools", index);
    const struct instance *instance;
    if (!find_instance(scenario, given, pointer, &instance, error))
        return false;
    const struct gpu *gpu = find_gpu(scenario, given, instance, pointer, error);
    if (!gpu)
        return false;
    /* So that the scenario as resolved says it. */
    engine_settings_settle(&given->engine, &(struct engine_host){gpu, given->tensor_parallel,
                                                                 given->pipeline_parallel});
    if (!check_pool(scenario, index, pointer, error) ||
        !compile_pool(scenario, index, gpu, pointer, error) ||
        !price_pool(scenario, index, instance, pointer, error))
        return false;
    scenario->pools[index] = (struct pool_spec){
        .name = given->name,
        .engine = &scenario->deployments[index].engine,
        .replicas = (uint32_t)engines_of(given),
        .usd_per_hour = scenario->prices[index].usd_per_hour / (double)engines_of(given),
        .weight = given->weight,
        .model = scenario->pool_models[index],
        .busy_w = scenario->deployments[index].busy_w,
        .idle_w = scenario->deployments[index].idle_w,
        .role = (enum pool_role)given->role,
        .port = deployment_port(&scenario->deployments[index])};
    return true;
}

static bool resolve_pools(struct scenario *scenario, struct error *error)
{
    size_t count = scenario->config.pools.count;
    scenario->deployments = ARENA_ARRAY(scenario->arena, count, struct deployment);
    scenario->prices = ARENA_ARRAY(scenario->arena, count, struct scenario_price);
    scenario->pools = ARENA_ARRAY(scenario->arena, count, struct pool_spec);
    for (size_t i = 0; i < count; i++) {
        if (!resolve_pool(scenario, i, error))
            return false;
        scenario->pool_count++;
    }
    return true;
}

/* --- what several parts must agree on --- */

static bool resolve_roles(struct scenario *scenario, struct error *error)
{
    struct error found = {0};
    return (scenario_roles_resolve(scenario, &found) && scenario_routers_check(scenario, &found)) ||
           scenario_locate(scenario, found.json_path, &found, error);
}

/* --- life --- */

static struct scenario *scenario_create(const char *path)
{
    struct arena *arena = arena_create();
    struct scenario *scenario = ARENA_NEW(arena, struct scenario);
    scenario->arena = arena;
    scenario->path = arena_strdup(arena, path);
    scenario->folder = dirname(arena_strdup(arena, path));
    return scenario;
}

struct scenario *scenario_read(const char *path, const char *const *sets, size_t set_count,
                               struct error *error)
{
    struct scenario *scenario = scenario_create(path);
    if (read_config(scenario, sets, set_count, error) && read_catalogue(scenario, error) &&
        scenario_resolve_classes(scenario, error) && resolve_slos(scenario, error) &&
        resolve_pools(scenario, error) && resolve_roles(scenario, error))
        return scenario;
    scenario_free(scenario);
    return NULL;
}

void scenario_free(struct scenario *scenario)
{
    if (!scenario)
        return;
    /* The arena zeroes: clearing a deployment that was not compiled does nothing. */
    for (size_t i = 0; scenario->deployments && i < scenario->config.pools.count; i++)
        deployment_clear(&scenario->deployments[i]);
    json_free(scenario->document);
    arena_destroy(scenario->arena);
}

struct source *scenario_open_source(const struct scenario *scenario, uint64_t replication,
                                    struct error *error)
{
    if (!scenario->config.workload) {
        json_error(scenario->document, "", error, "the scenario has no workload");
        error_hint(error, "give \"workload\": a trace, a generator or a preset");
        return NULL;
    }
    if (isnan(scenario->config.horizon_s) && workload_is_endless(scenario->config.workload)) {
        json_error(scenario->document, "/workload", error, "the workload never ends");
        error_hint(error, "give it a \"limit\" or \"duration_s\", or the scenario \"horizon_s\"");
        return NULL;
    }
    return workload_open(scenario->config.workload, scenario->folder,
                         (uint64_t)scenario->config.seed, replication, scenario->document,
                         "/workload", error);
}

struct simulation_spec scenario_spec(const struct scenario *scenario, uint64_t replication)
{
    const struct scenario_config *config = &scenario->config;
    return (struct simulation_spec){.pools = scenario->pools,
                                    .pool_count = scenario->pool_count,
                                    .router = &config->router,
                                    .output_prediction =
                                        output_prediction_of(&config->engine.output_prediction),
                                    .disaggregation = scenario->disaggregation,
                                    .classes = scenario->classes,
                                    .class_count = scenario->class_count,
                                    .traits = scenario->traits,
                                    .class_models = scenario->class_models,
                                    .model_count = (uint32_t)scenario->model_count,
                                    .model_names = scenario->model_names,
                                    .clients = scenario->clients,
                                    .slos = scenario->slos,
                                    .slo_count = scenario->slo_count,
                                    .seed = (uint64_t)config->seed,
                                    .replication = replication,
                                    .horizon_s =
                                        isnan(config->horizon_s) ? INFINITY : config->horizon_s,
                                    .warmup_s = config->warmup_s};
}

cJSON *scenario_to_json(const struct scenario *scenario)
{
    cJSON *root = config_to_json(&scenario_config_type, &scenario->config);
    scenario_make_paths_absolute(root, scenario->folder);
    return root;
}
