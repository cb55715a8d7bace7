#include "analysis/plan_question.h"

#include <math.h>
#include <string.h>

#include "analysis/plan_throughput.h"

static const struct scenario_plan *plan_of(const struct plan_question *question)
{
    return question->scenario->config.plan;
}

/* --- given throughputs --- */

static void take_demand(struct plan_question *question)
{
    const struct config_list *list = &plan_of(question)->given->demand;
    const struct scenario_demand *demand = list->items;
    struct plan_class *classes =
        ARENA_ARRAY(question->scenario->arena, list->count, struct plan_class);
    for (size_t w = 0; w < list->count; w++)
        classes[w] = (struct plan_class){demand[w].name, demand[w].requests};
    question->problem.classes = classes;
    question->problem.class_count = list->count;
}

static size_t offer_index(const struct plan_candidates *candidates, const char *name)
{
    size_t i = 0;
    while (strcmp(candidates->offers[i].name, name) != 0)
        i++; /* scenario_plan_check has seen to it that there is one */
    return i;
}

static void take_given_configs(struct plan_question *question)
{
    struct arena *arena = question->scenario->arena;
    const struct config_list *list = &plan_of(question)->given->configs;
    const struct scenario_given_config *given = list->items;
    size_t classes = question->problem.class_count;
    struct plan_config *configs = ARENA_ARRAY(arena, list->count, struct plan_config);
    double *throughput = ARENA_ARRAY(arena, list->count * classes, double);
    for (size_t c = 0; c < list->count; c++) {
        configs[c] = (struct plan_config){
            given[c].name, offer_index(&question->candidates, given[c].offer), given[c].gpus};
        memcpy(throughput + c * classes, given[c].requests_per_s.items, classes * sizeof(double));
    }
    question->problem.configs = configs;
    question->problem.config_count = list->count;
    question->problem.throughput = throughput;
}

static bool take_given(struct plan_question *question, struct error *error)
{
    const struct scenario *scenario = question->scenario;
    if (!plan_offers_list(plan_of(question), NULL, scenario->document, scenario->arena,
                          &question->candidates, error))
        return false;
    take_demand(question);
    take_given_configs(question);
    return true;
}

/* --- measured throughputs --- */

static bool read_sample(struct plan_question *question, struct error *error)
{
    const struct scenario *scenario = question->scenario;
    struct source *source = scenario_open_source(scenario, 0, error);
    if (!source)
        return false;
    bool ok = plan_sample_read(source, (size_t)plan_of(question)->sample_requests, scenario->arena,
                               &question->sample, error);
    source_destroy(source);
    return ok;
}

static struct plan_axis axis_of(int64_t bins, const struct config_list *edges)
{
    return (struct plan_axis){
        .bins = (size_t)bins, .edges = edges->items, .edge_count = edges->count};
}

/* The scenario's own classes, where it has any; otherwise the sample is cut. */
static void take_classes(struct plan_question *question)
{
    const struct scenario *scenario = question->scenario;
    const struct scenario_cut *cut = &plan_of(question)->cut;
    size_t count = scenario->class_count;
    question->rules = scenario->classes;
    question->cut = scenario->config.classes.count == 0;
    if (question->cut) {
        struct plan_axis prompt = axis_of(cut->prompt_bins, &cut->prompt_edges);
        struct plan_axis output = axis_of(cut->output_bins, &cut->output_edges);
        struct class_rule *rules;
        count = plan_cut(&question->sample, &prompt, &output, scenario->arena, &rules);
        question->rules = rules;
    }
    question->groups =
        plan_group_requests(&question->sample, question->rules, count, scenario->arena);
    struct plan_class *classes = ARENA_ARRAY(scenario->arena, count, struct plan_class);
    for (size_t w = 0; w < count; w++)
        classes[w] =
            (struct plan_class){question->rules[w].name, (double)question->groups[w].count};
    question->problem.classes = classes;
    question->problem.class_count = count;
}

static bool list_candidates(struct plan_question *question, struct error *error)
{
    const struct scenario *scenario = question->scenario;
    if (!scenario->llm) {
        json_error(scenario->document, "/plan", error, "the scenario names no model to plan for");
        return error_hint(error, "give \"model\", or the throughputs under /plan/given");
    }
    if (scenario->model_count > 1) {
        json_error(scenario->document, "/plan", error,
                   "a plan is for one model, and the scenario has %zu", scenario->model_count);
        return error_hint(error, "plan for each model by itself");
    }
    struct plan_catalogue catalogue = {scenario->hardware, scenario->llm, &scenario->config.engine,
                                       scenario->calibration};
    if (!plan_candidates_list(plan_of(question), &catalogue, scenario->document, scenario->arena,
                              &question->candidates, error))
        return false;
    question->problem.configs = question->candidates.configs;
    question->problem.config_count = question->candidates.count;
    return true;
}

static bool measure(struct plan_question *question, struct error *error)
{
    size_t classes = question->problem.class_count, configs = question->problem.config_count;
    double *throughput = ARENA_ARRAY(question->scenario->arena, configs * classes, double);
    size_t requests = (size_t)plan_of(question)->measure_requests;
    for (size_t c = 0; c < configs; c++)
        for (size_t w = 0; w < classes; w++)
            if (question->groups[w].count > 0 &&
                !plan_throughput(&question->candidates.candidates[c].deployment.engine,
                                 &question->groups[w], requests, &throughput[c * classes + w],
                                 error))
                return false;
    question->problem.throughput = throughput;
    return true;
}

static bool measure_all(struct plan_question *question, struct error *error)
{
    if (!list_candidates(question, error) || !read_sample(question, error))
        return false;
    take_classes(question);
    return measure(question, error);
}

/* --- the question as a whole --- */

/* A throughput measured for one pool says nothing of two that work together. */
static bool check_roles(const struct scenario *scenario, struct error *error)
{
    if (!scenario->disaggregation && !scenario->config.disaggregation)
        return true;
    json_error(scenario->document, scenario->config.disaggregation ? "/disaggregation" : "/pools",
               error, "a plan finds pools that prefill and decode, but no pools with roles");
    return error_hint(error, "leave out \"disaggregation\" and the \"role\" of pools, or compare "
                             "fleets with `tokenyard compare`");
}

bool plan_question_build(const struct scenario *scenario, struct plan_question *question,
                         struct error *error)
{
    *question = (struct plan_question){.scenario = scenario};
    if (!scenario->config.plan) {
        json_error(scenario->document, "", error, "the scenario has no \"plan\"");
        return error_hint(error, "give \"plan\": what may be rented, and the budget");
    }
    if (!check_roles(scenario, error))
        return false;
    bool given = scenario->config.plan->given != NULL;
    if (!(given ? take_given(question, error) : measure_all(question, error)))
        return false;
    struct plan_problem *problem = &question->problem;
    problem->offers = question->candidates.offers;
    problem->offer_count = question->candidates.offer_count;
    problem->gpu_type_count = question->candidates.gpu_type_count;
    problem->budget_usd_h = scenario->config.plan->budget_usd_h;
    struct plan_options options = plan_question_options(question);
    if (options.objective == PLAN_MIN_COST && !(options.within_s > 0)) {
        json_error(scenario->document, "/plan", error, "cost_usd_h needs a time to keep");
        return error_hint(error, "give \"within_s\"");
    }
    return true;
}

void plan_question_clear(struct plan_question *question)
{
    plan_candidates_clear(&question->candidates);
}

struct plan_options plan_question_options(const struct plan_question *question)
{
    const struct scenario_plan *plan = plan_of(question);
    return (struct plan_options){
        .objective = (enum plan_objective)plan->objective,
        .within_s = isnan(plan->within_s) ? question->sample.span_s : plan->within_s,
        .gpu_type = PLAN_ANY_TYPE,
        .time_limit_s = plan->time_limit_s,
        .mip_gap = plan->mip_gap,
    };
}
