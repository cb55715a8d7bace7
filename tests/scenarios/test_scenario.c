/* Scenario files as users write them: what is resolved, and what is refused, where and why. */
#include <criterion/criterion.h>
#include <math.h>

#include "scenarios/scenario.h"
#include "tests/support.h"

#define MODEL    "'model': 'llama-3.1-8b'"
#define WORKLOAD "'workload': {'preset': 'azure-conversation', 'rate_per_s': 1, 'limit': 10}"
#define POOL     "'pools': [{'name': 'p', 'gpu': 'H100-SXM'}]"

/* text has ' for ", so that tests stay readable. */
static struct scenario *read_text(const char *text, struct error *error)
{
    char json[2048], path[256];
    size_t length = strlen(text);
    cr_assert_lt(length, sizeof json);
    for (size_t i = 0; i <= length; i++)
        json[i] = text[i] == '\'' ? '"' : text[i];
    test_write_file("scenario.json", json, length, path, sizeof path);
    return scenario_read(path, NULL, 0, error);
}

static struct scenario *read_good(const char *text)
{
    struct error error = {0};
    struct scenario *scenario = read_text(text, &error);
    cr_assert_not_null(scenario, "%s", test_error_text(&error));
    return scenario;
}

Test(scenario, fills_in_what_is_not_said)
{
    struct scenario *scenario = read_good("{" MODEL "," WORKLOAD "," POOL "}");
    cr_assert_eq(scenario->pool_count, 1);
    cr_assert_eq(scenario->class_count, 1);
    cr_assert_str_eq(scenario->classes[0].name, "all");
    cr_assert_gt(scenario->pools[0].usd_per_hour, 0.5);
    struct simulation_spec spec = scenario_spec(scenario, 0);
    cr_assert(isinf(spec.horizon_s));
    cr_assert_eq(spec.pools[0].engine->block_tok, 16);
    scenario_free(scenario);
}

Test(scenario, a_pool_inherits_the_engine_and_may_differ)
{
    struct scenario *scenario =
        read_good("{" MODEL "," WORKLOAD ", 'engine': {'block_size': 32, 'max_num_seqs': 7},"
                  "'pools': [{'name': 'a', 'gpu': 'H100-SXM', 'engine': {'max_num_seqs': 9}},"
                  "          {'name': 'b', 'gpu': 'L40S'}]}");
    cr_assert_eq(scenario->pools[0].engine->block_tok, 32);
    cr_assert_eq(scenario->pools[0].engine->max_sequences, 9);
    cr_assert_eq(scenario->pools[1].engine->max_sequences, 7);
    scenario_free(scenario);
}

/* Ten replicas of two GPUs take three machines of eight, and all 24 GPUs are paid for. */
Test(scenario, instances_are_paid_whole)
{
    struct scenario *scenario =
        read_good("{" MODEL "," WORKLOAD ", 'pools': [{'name': 'p', 'instance': 'p5.48xlarge',"
                  "'tensor_parallel': 2, 'replicas': 10, 'usd_per_gpu_hour': 2}]}");
    cr_assert_eq(scenario->prices[0].instances, 3);
    cr_assert_float_eq(scenario->prices[0].usd_per_hour, 48, 1e-9);
    cr_assert_float_eq(scenario->pools[0].usd_per_hour, 4.8, 1e-9);
    scenario_free(scenario);
}

Test(scenario, what_no_class_matches_is_the_rest)
{
    struct scenario *scenario =
        read_good("{" MODEL "," WORKLOAD "," POOL
                  ", 'classes': [{'name': 'long', 'prompt_tok': [2048, null]}]}");
    cr_assert_eq(scenario->class_count, 2);
    cr_assert_eq(scenario->classes[0].prompt_min_tok, 2048);
    cr_assert_eq(scenario->classes[0].prompt_max_tok, UINT32_MAX);
    cr_assert_str_eq(scenario->classes[1].name, "other");
    scenario_free(scenario);
}

Test(scenario, refuses_what_cannot_be_meant)
{
    static const struct {
        const char *text, *path, *message;
        enum error_code code;
    } cases[] = {
        {"{" MODEL ",'pools':[{'name':'p','gpu':'H200-SMX'}]}", "/pools/0/gpu", "unknown GPU",
         ERROR_BAD_INPUT},
        {"{" MODEL ",'pools':[{'name':'p'}]}", "/pools/0", "names no hardware", ERROR_BAD_INPUT},
        {"{" MODEL ",'pools':[{'name':'p','instance':'p5.xl'}]}", "/pools/0/instance",
         "unknown instance", ERROR_BAD_INPUT},
        {"{" MODEL ",'pools':[{'name':'p','instance':'p5.48xlarge','gpu':'L4'}]}", "/pools/0/gpu",
         "has H100-SXM GPUs", ERROR_BAD_INPUT},
        {"{" MODEL ",'pools':[{'name':'p','gpu':'L4'},{'name':'p','gpu':'L4'}]}", "/pools/1",
         "two pools", ERROR_BAD_INPUT},
        {"{'model':'llama-3.1-405b','pools':[{'name':'p','gpu':'L4'}]}", "/pools/0", "does not fit",
         ERROR_INFEASIBLE},
        {"{'model':'llama-3','pools':[{'name':'p','gpu':'L4'}]}", "/model", "llama-3",
         ERROR_BAD_INPUT},
        {"{" POOL "}", "", "no model", ERROR_BAD_INPUT},
        {"{" MODEL "," POOL ",'engine':{'max_num_seqs':64,'max_num_batched_tokens':32}}",
         "/pools/0", "below max_num_seqs", ERROR_BAD_INPUT},
        {"{" MODEL "," POOL ",'engine':{'max_model_len':1000000}}", "/pools/0", "ends at",
         ERROR_BAD_INPUT},
        {"{" MODEL ",'pools':[{'name':'p','gpu':'L4','weight':1e-320}]}", "/pools/0/weight", "",
         ERROR_BAD_INPUT},
        {"{" MODEL ",'pools':[{'name':'p','gpu':'L4','step_time':{'kind':'given'}}]}", "/pools/0",
         "must take", ERROR_BAD_INPUT},
        {"{" MODEL
         ",'pools':[{'name':'p','gpu':'L4','step_time':{'kind':'given','per_sequence_s':1}}]}",
         "/pools/0", "must take", ERROR_BAD_INPUT},
        {"{'classes':[{'name':'a','prompt_tok':[5]}]}", "/classes/0/prompt_tok", "two numbers",
         ERROR_BAD_INPUT},
        {"{'classes':[{'name':'a','output_tok':[5,4]}]}", "/classes/0/output_tok", "above",
         ERROR_BAD_INPUT},
        {"{'classes':[{'name':'a'},{'name':'a'}]}", "/classes/1", "two classes", ERROR_BAD_INPUT},
        {"{" WORKLOAD ",'classes':[{'name':'a','stream':'b'}]}", "/classes/0/stream", "no stream",
         ERROR_BAD_INPUT},
        {"{'slo':[{'percentile':9}]}", "/slo/0", "bounds nothing", ERROR_BAD_INPUT},
        {"{'slo':[{'class':'a','ttft_s':9}]}", "/slo/0", "no class", ERROR_BAD_INPUT},
        {"{'horizon_s':1e9}", "/horizon_s", "", ERROR_BAD_INPUT},
        {"{'horizon_s':0}", "/horizon_s", "", ERROR_BAD_INPUT},
        {"{'output':{'timeline_interval_s':1e-12}}", "/output/timeline_interval_s", "",
         ERROR_BAD_INPUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        cr_assert_null(read_text(cases[i].text, &error), "%s", cases[i].text);
        cr_expect_eq(error.code, cases[i].code, "%s", cases[i].text);
        cr_expect_str_eq(error.json_path, cases[i].path, "%s: %s", cases[i].text, error.json_path);
        cr_expect(strstr(error.message, cases[i].message), "%s: %s", cases[i].text, error.message);
        cr_expect_gt(error.line, 0, "%s", cases[i].text);
    }
}

Test(scenario, an_endless_workload_needs_a_horizon)
{
    static const char endless[] =
        "{%s 'workload': {'preset': 'azure-conversation', 'rate_per_s': 1}}";
    char text[256];
    struct error error = {0};
    snprintf(text, sizeof text, endless, "");
    struct scenario *scenario = read_good(text);
    cr_assert_null(scenario_open_source(scenario, 0, &error));
    cr_assert_str_eq(error.json_path, "/workload");
    cr_assert(strstr(error.message, "never ends"), "%s", error.message);
    scenario_free(scenario);

    snprintf(text, sizeof text, endless, "'horizon_s': 10,");
    scenario = read_good(text);
    struct source *source = scenario_open_source(scenario, 0, &error);
    cr_assert_not_null(source);
    source_destroy(source);
    scenario_free(scenario);
}
