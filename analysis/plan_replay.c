#include "analysis/plan_replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/plan_batch.h"
#include "analysis/run.h"

/* How often the sample is served to saturate a fleet. At the end the batches drain, which no longer
 * shows what the fleet can do: the longer the run, the less that weighs. */
#define SATURATION_ROUNDS 4

static void replace_member(cJSON *root, const char *name, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(root, name);
    cJSON_AddItemToObject(root, name, value);
}

/* --- classes --- */

static void add_bounds(cJSON *class_object, const char *name, uint32_t least, uint32_t most)
{
    if (least == 0 && most == UINT32_MAX)
        return;
    cJSON *bounds = cJSON_AddArrayToObject(class_object, name);
    cJSON_AddItemToArray(bounds, cJSON_CreateNumber(least));
    cJSON_AddItemToArray(bounds,
                         most == UINT32_MAX ? cJSON_CreateNull() : cJSON_CreateNumber(most));
}

static cJSON *classes_of(const struct plan_question *question)
{
    cJSON *classes = cJSON_CreateArray();
    for (size_t w = 0; w < question->problem.class_count; w++) {
        const struct class_rule *rule = &question->rules[w];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", rule->name);
        add_bounds(object, "prompt_tok", rule->prompt_min_tok, rule->prompt_max_tok);
        add_bounds(object, "output_tok", rule->output_min_tok, rule->output_max_tok);
        cJSON_AddItemToArray(classes, object);
    }
    return classes;
}

/* --- pools --- */

/* Instances that the pools of an offer would be charged for if none were shared between pools. */
static int64_t unshared_units(const struct plan_problem *problem,
                              const struct plan_solution *solution, size_t offer)
{
    int64_t units = 0, unit_gpus = problem->offers[offer].gpus;
    for (size_t c = 0; c < problem->config_count; c++)
        if (problem->configs[c].offer == offer)
            units += (solution->replicas[c] * problem->configs[c].gpus + unit_gpus - 1) / unit_gpus;
    return units;
}

/* GPUs that replicas really run on, without those that are paid and idle. */
static double used_gpus(const struct plan_question *question, const struct plan_solution *solution,
                        size_t offer)
{
    double gpus = 0;
    for (size_t c = 0; c < question->problem.config_count; c++)
        if (question->problem.configs[c].offer == offer)
            gpus += (double)(solution->replicas[c] *
                             question->candidates.candidates[c].deployment.gpus);
    return gpus;
}

/* A pool is charged for whole instances of its own. Where pools share instances, each is charged
 * for its GPUs at a rate that comes to what the shared instances cost. */
static void add_price(cJSON *pool, const struct plan_question *question,
                      const struct plan_solution *solution, size_t config)
{
    const struct plan_problem *problem = &question->problem;
    const struct plan_candidate *candidate = &question->candidates.candidates[config];
    size_t i = problem->configs[config].offer;
    const struct plan_offer *offer = &problem->offers[i];
    if (unshared_units(problem, solution, i) > solution->units[i]) {
        double usd_h = (double)solution->units[i] * offer->usd_h;
        cJSON_AddNumberToObject(pool, "usd_per_gpu_hour", usd_h / used_gpus(question, solution, i));
        return;
    }
    if (candidate->instance)
        cJSON_AddStringToObject(pool, "instance", candidate->instance->name);
    if (!candidate->instance || candidate->instance->usd_per_hour != offer->usd_h)
        cJSON_AddNumberToObject(pool, "usd_per_gpu_hour", offer->usd_h / (double)offer->gpus);
}

/* The offer's own "elastic", with as many nodes as were planned: those on demand are the base, all
 * above it are on Spot. */
static cJSON *elastic_of(const struct plan_question *question, size_t offer, int64_t replicas,
                         int64_t on_demand_nodes)
{
    const cJSON *plan = json_member(json_root(question->scenario->document), "plan");
    const cJSON *asked = cJSON_GetArrayItem(json_member(plan, "offers"), (int)offer);
    cJSON *elastic = cJSON_Duplicate(json_member(asked, "elastic"), true);
    cJSON *purchase = json_member(elastic, "purchase");
    if (!purchase)
        purchase = cJSON_AddObjectToObject(elastic, "purchase");
    replace_member(purchase, "on_demand_base", cJSON_CreateNumber((double)on_demand_nodes));
    replace_member(purchase, "spot_percent_above_base", cJSON_CreateNumber(100));
    replace_member(elastic, "min_replicas", cJSON_CreateNumber((double)replicas));
    replace_member(elastic, "max_replicas", cJSON_CreateNumber((double)replicas));
    return elastic;
}

static bool has_markets(const struct plan_question *question, size_t config)
{
    const struct scenario_offer *offers = question->scenario->config.plan->offers.items;
    return scenario_offer_has_markets(&offers[question->problem.configs[config].offer]);
}

static cJSON *pool_of(const struct plan_question *question, const struct plan_solution *solution,
                      const struct plan_purchase *bought, size_t config)
{
    const struct deployment *deployment = &question->candidates.candidates[config].deployment;
    cJSON *pool = cJSON_CreateObject();
    cJSON_AddStringToObject(pool, "name", question->problem.configs[config].name);
    cJSON_AddStringToObject(pool, "gpu", deployment->gpu->name);
    cJSON_AddNumberToObject(pool, "replicas", (double)solution->replicas[config]);
    cJSON_AddNumberToObject(pool, "tensor_parallel", (double)deployment->tensor_parallel);
    cJSON_AddNumberToObject(pool, "pipeline_parallel", (double)deployment->pipeline_parallel);
    cJSON_AddStringToObject(pool, "weights", precision_names[deployment->weights]);
    cJSON_AddStringToObject(pool, "expert_weights", precision_names[deployment->expert_weights]);
    cJSON_AddStringToObject(pool, "kv", precision_names[deployment->kv]);
    if (!has_markets(question, config)) {
        add_price(pool, question, solution, config);
        return pool;
    }
    cJSON_AddStringToObject(pool, "instance",
                            question->candidates.candidates[config].instance->name);
    cJSON_AddItemToObject(pool, "elastic",
                          elastic_of(question, question->problem.configs[config].offer,
                                     solution->replicas[config], bought[config].on_demand));
    return pool;
}

static cJSON *pools_of(const struct plan_question *question, const struct plan_solution *solution,
                       const struct plan_purchase *bought)
{
    cJSON *pools = cJSON_CreateArray();
    for (size_t c = 0; c < question->problem.config_count; c++)
        if (solution->replicas[c] > 0)
            cJSON_AddItemToArray(pools, pool_of(question, solution, bought, c));
    return pools;
}

/* --- routing --- */

static cJSON *router_of(const struct plan_question *question, const struct plan_solution *solution)
{
    const struct plan_problem *problem = &question->problem;
    cJSON *router = cJSON_CreateObject();
    cJSON_AddStringToObject(router, "policy", "weighted");
    cJSON_AddStringToObject(router, "within", "least_outstanding_tokens");
    cJSON *shares = cJSON_AddArrayToObject(router, "shares");
    for (size_t w = 0; w < problem->class_count; w++)
        for (size_t c = 0; c < problem->config_count; c++) {
            double share = solution->share[c * problem->class_count + w];
            if (share <= 0)
                continue;
            cJSON *object = cJSON_CreateObject();
            cJSON_AddStringToObject(object, "class", problem->classes[w].name);
            cJSON_AddStringToObject(object, "pool", problem->configs[c].name);
            cJSON_AddNumberToObject(object, "weight", share);
            cJSON_AddItemToArray(shares, object);
        }
    return router;
}

cJSON *plan_replay_scenario(const struct plan_question *question,
                            const struct plan_solution *solution,
                            const struct plan_purchase *bought, const char *name)
{
    const struct scenario *asked = question->scenario;
    cJSON *root = cJSON_Duplicate(json_root(asked->document), true);
    cJSON_DeleteItemFromObjectCaseSensitive(root, "plan");
    replace_member(root, "name", cJSON_CreateString(name));
    scenario_make_paths_absolute(root, asked->folder);
    if (question->cut)
        replace_member(root, "classes", classes_of(question));
    replace_member(root, "pools", pools_of(question, solution, bought));
    replace_member(root, "router", router_of(question, solution));
    return root;
}

bool plan_replay_write(const struct plan_question *question, const struct plan_solution *solution,
                       const struct plan_purchase *bought, const char *name, const char *path,
                       struct error *error)
{
    cJSON *tree = plan_replay_scenario(question, solution, bought, name);
    struct json_writer *writer = json_writer_create();
    json_put_tree(writer, NULL, tree);
    cJSON_Delete(tree);
    bool ok = json_writer_save(writer, path, error);
    json_writer_destroy(writer);
    return ok;
}

/* --- simulation --- */

static bool replay_arrivals(struct plan_replay *replay, struct error *error)
{
    replay->spec.source = scenario_open_source(replay->scenario, 0, error);
    if (!replay->spec.source)
        return false;
    struct simulation_result result;
    bool ok = simulation_run(&replay->spec, &result, error);
    source_destroy(replay->spec.source);
    if (!ok)
        return false;
    struct run_facts facts = {replay->scenario->config.name, &replay->spec, replay->facts};
    replay->summary = summary_create(&facts, &result);
    simulation_result_free(&result);
    return true;
}

static bool replay_saturated(struct plan_replay *replay, const struct plan_sample *sample,
                             struct error *error)
{
    struct plan_batch batch =
        plan_batch(sample->requests, sample->count, SATURATION_ROUNDS * sample->count);
    struct simulation_spec spec = replay->spec;
    spec.source = &batch.source;
    spec.horizon_s = INFINITY;
    spec.warmup_s = 0;
    struct simulation_result result;
    if (!simulation_run(&spec, &result, error))
        return false;
    replay->saturated_requests_per_s = (double)result.completed / result.end_s;
    simulation_result_free(&result);
    return true;
}

bool plan_replay_open(const char *path, struct plan_replay *replay, struct error *error)
{
    *replay = (struct plan_replay){.scenario = scenario_read(path, NULL, 0, error),
                                   .saturated_requests_per_s = NAN};
    if (!replay->scenario)
        return false;
    replay->spec = scenario_spec(replay->scenario, 0);
    replay->facts = run_pool_facts(replay->scenario);
    return true;
}

bool plan_replay_run(const char *path, const struct plan_sample *sample, struct plan_replay *replay,
                     struct error *error)
{
    return plan_replay_open(path, replay, error) && replay_arrivals(replay, error) &&
           replay_saturated(replay, sample, error);
}

void plan_replay_clear(struct plan_replay *replay)
{
    summary_destroy(replay->summary);
    scenario_free(replay->scenario);
    *replay = (struct plan_replay){0};
}
