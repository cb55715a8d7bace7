#include "scenarios/scenario.h"

#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/catalog_path.h"
#include "scenarios/pool_hardware.h"
#include "scenarios/scenario_elastic.h"
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
             json_line_near(scenario->document, pointer), pointer, "%s", found->message);
    if (found->hint[0])
        error_hint(error, "%s", found->hint);
    return false;
}

bool scenario_locate_below(const struct scenario *scenario, const char *pointer,
                           const struct error *found, struct error *error)
{
    char whole[POINTER_SIZE];
    snprintf(whole, sizeof whole, "%s%s", pointer, found->json_path);
    return scenario_locate(scenario, whole, found, error);
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

/* What compiling a pool is told, besides its hardware: stages of the config as deployments have
 * them. parts: one for each. */
static const struct deployment_stage *deployment_stages(const struct scenario *scenario,
                                                        const struct scenario_pool *given,
                                                        const struct hardware_part *parts)
{
    const struct scenario_stage *stages = given->stages.items;
    struct deployment_stage *all =
        ARENA_ARRAY(scenario->arena, given->stages.count, struct deployment_stage);
    for (size_t i = 0; i < given->stages.count; i++)
        all[i] = (struct deployment_stage){
            .gpu = parts[i].gpu,
            .tensor_parallel = stages[i].tensor_parallel,
            .layers = stages[i].layers,
            .first_layer = stages[i].first_layer == INT64_MIN ? -1 : stages[i].first_layer,
            .share = stages[i].share,
            .link_gb_s = stages[i].link_gb_s,
            .link_latency_us = stages[i].link_latency_us,
            .layer_time = stages[i].layer_time};
    return all;
}

static bool compile_pool(struct scenario *scenario, size_t index, const struct hardware_part *parts,
                         const char *pointer, struct error *error)
{
    const struct scenario_pool *given =
        &((const struct scenario_pool *)scenario->config.pools.items)[index];
    const enum precision expert_weights = (enum precision)given->expert_weights;
    struct deployment_request request = {
        .gpu = parts->gpu,
        .llm = scenario->models[scenario->pool_models[index]].llm,
        .tensor_parallel = given->tensor_parallel,
        .pipeline_parallel = given->pipeline_parallel,
        .stages = deployment_stages(scenario, given, parts),
        .stage_count = given->stages.count,
        .pipelining = (enum pipelining)given->pipelining,
        .micro_batches = given->micro_batches == INT64_MIN ? 0 : given->micro_batches,
        .attention_dp = given->attention_data_parallel,
        .expert_parallel = given->expert_parallel,
        .weights = (enum precision)given->weights,
        .expert_weights = given->expert_weights < 0 ? NULL : &expert_weights,
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

static bool check_micro_batches(const struct scenario *scenario, const struct scenario_pool *given,
                                const char *pointer, struct error *error)
{
    bool has_pipeline = given->pipeline_parallel > 1 || given->stages.count > 1;
    if (given->micro_batches != INT64_MIN && given->pipelining == PIPELINING_QUEUES)
        return json_member_error(scenario->document, pointer, "micro_batches", error,
                                 "stages that serve queues have no micro-batches");
    if (given->micro_batches <= 1 || has_pipeline)
        return true;
    json_member_error(scenario->document, pointer, "micro_batches", error,
                      "there is no pipeline for %lld micro-batches",
                      (long long)given->micro_batches);
    return error_hint(error, "leave it out, or give pipeline_parallel or stages");
}

static bool check_layout(const struct scenario *scenario, const struct scenario_pool *given,
                         const char *pointer, struct error *error)
{
    bool staged = given->stages.count > 0;
    if (staged && (given->gpu || given->instance || given->tensor_parallel > 1 ||
                   given->pipeline_parallel > 1)) {
        json_member_error(scenario->document, pointer, "stages", error,
                          "the stages say what each runs on, and the pool says it, too");
        return error_hint(error, "leave gpu, instance, tensor_parallel and pipeline_parallel to "
                                 "the stages");
    }
    if (given->pipelining == PIPELINING_QUEUES && given->role != ROLE_MIXED)
        return json_member_error(scenario->document, pointer, "role", error,
                                 "stages that serve queues hand nothing over");
    return check_micro_batches(scenario, given, pointer, error);
}

/* The pool's hardware: one part, or one of each stage. NULL on error. */
static struct hardware_part *find_parts(struct scenario *scenario,
                                        const struct scenario_pool *given, const char *pointer,
                                        size_t *count, struct error *error)
{
    const struct scenario_stage *stages = given->stages.items;
    *count = given->stages.count > 0 ? given->stages.count : 1;
    struct hardware_part *parts = ARENA_ARRAY(scenario->arena, *count, struct hardware_part);
    if (!check_layout(scenario, given, pointer, error))
        return NULL;
    if (given->stages.count == 0) {
        parts->pointer = pointer;
        return hardware_part_find(scenario, given->gpu, given->instance, parts, error) ? parts
                                                                                       : NULL;
    }
    for (size_t i = 0; i < *count; i++) {
        parts[i].pointer = arena_printf(scenario->arena, "%s/stages/%zu", pointer, i);
        if (!hardware_part_find(scenario, stages[i].gpu, stages[i].instance, &parts[i], error))
            return NULL;
        parts[i].gpus = stages[i].tensor_parallel;
    }
    return parts;
}

/* So that the scenario as resolved says it. */
static void settle_engine(struct scenario_pool *given, const struct hardware_part *parts)
{
    const struct scenario_stage *stages = given->stages.items;
    size_t count = given->stages.count;
    const struct engine_host host = {parts->gpu,
                                     count > 0 ? stages->tensor_parallel : given->tensor_parallel,
                                     count > 0 ? (int64_t)count : given->pipeline_parallel};
    engine_settings_settle(&given->engine, &host);
}

static bool resolve_pool(struct scenario *scenario, size_t index, struct error *error)
{
    struct scenario_pool *given = &((struct scenario_pool *)scenario->config.pools.items)[index];
    const struct deployment *deployment = &scenario->deployments[index];
    char pointer[POINTER_SIZE];
    json_pointer_index(pointer, sizeof pointer, "/pools", index);
    size_t count;
    struct hardware_part *parts = find_parts(scenario, given, pointer, &count, error);
    if (!parts)
        return false;
    settle_engine(given, parts);
    if (!check_pool(scenario, index, pointer, error) ||
        !compile_pool(scenario, index, parts, pointer, error))
        return false;
    if (given->stages.count == 0)
        parts->gpus = deployment->gpus;
    if (!pool_price(scenario, parts, count, given->replicas, given->usd_per_gpu_hour,
                    &scenario->prices[index], error))
        return false;
    scenario->pools[index] = (struct pool_spec){
        .name = given->name,
        .engine = &scenario->deployments[index].engine,
        .replicas = (uint32_t)engines_of(given),
        .usd_per_hour = scenario->prices[index].usd_per_hour / fmax(1, (double)engines_of(given)),
        .weight = given->weight,
        .model = scenario->pool_models[index],
        .busy_w = scenario->deployments[index].busy_w,
        .idle_w = scenario->deployments[index].idle_w,
        .role = (enum pool_role)given->role,
        .port = deployment_port(&scenario->deployments[index])};
    return scenario_elastic_pool(scenario, index, parts, pointer, error);
}

static bool resolve_pools(struct scenario *scenario, struct error *error)
{
    size_t count = scenario->config.pools.count;
    scenario->deployments = ARENA_ARRAY(scenario->arena, count, struct deployment);
    scenario->prices = ARENA_ARRAY(scenario->arena, count, struct scenario_price);
    scenario->pools = ARENA_ARRAY(scenario->arena, count, struct pool_spec);
    scenario->elastic_pools = ARENA_ARRAY(scenario->arena, count, struct elastic_pool_spec);
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
        resolve_pools(scenario, error) && resolve_roles(scenario, error) &&
        scenario_elastic_resolve(scenario, error) && scenario_check_plan_markets(scenario, error))
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
    return (struct simulation_spec){
        .pools = scenario->pools,
        .pool_count = scenario->pool_count,
        .router = &config->router,
        .output_prediction = output_prediction_of(&config->engine.output_prediction),
        .disaggregation = scenario->disaggregation,
        .classes = scenario->classes,
        .class_count = scenario->class_count,
        .traits = scenario->traits,
        .class_models = scenario->class_models,
        .model_count = (uint32_t)scenario->model_count,
        .model_names = scenario->model_names,
        .clients = scenario->clients,
        .elastic = scenario->elastic,
        .slos = scenario->slos,
        .slo_count = scenario->slo_count,
        .seed = (uint64_t)config->seed,
        .replication = replication,
        .horizon_s = isnan(config->horizon_s) ? INFINITY : config->horizon_s,
        .warmup_s = config->warmup_s};
}

cJSON *scenario_to_json(const struct scenario *scenario)
{
    cJSON *root = config_to_json(&scenario_config_type, &scenario->config);
    scenario_make_paths_absolute(root, scenario->folder);
    return root;
}
