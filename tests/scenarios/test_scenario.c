/* Scenario files as users write them: what is resolved, and what is refused, where and why. */
#include <criterion/criterion.h>
#include <math.h>

#include "scenarios/scenario.h"
#include "tests/support.h"

#define MODEL    "'model': 'llama-3.1-8b'"
#define WORKLOAD "'workload': {'preset': 'azure-conversation', 'rate_per_s': 1, 'limit': 10}"
#define POOL     "'pools': [{'name': 'p', 'gpu': 'H100-SXM'}]"

/* Hardware with round prices: big has eight GPUs for 16 USD/h, small one for 3, and there is no
 * instance with an "own". */
#define GPU(name)                                                                                  \
    "{'name': '" name "', 'memory_gib': 80, 'bandwidth_gb_s': 1000, 'bf16_tflops': 100,"           \
    " 'link_gb_s': 100}"
#define HARDWARE                                                                                   \
    "'hardware': {'gpus': [" GPU("round") "," GPU(                                                 \
        "own") "], 'instances': ["                                                                 \
               " {'name': 'small', 'provider': 'A', 'gpu': 'round', 'usd_per_hour': 3},"           \
               " {'name': 'big', 'provider': 'B', 'gpu': 'round', 'gpus': 8, 'usd_per_hour': "     \
               "16}]}"

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

Test(scenario, data_parallel_ranks_are_replicas_of_their_own)
{
    struct scenario *scenario =
        read_good("{'model': 'gpt-oss-20b'," WORKLOAD ", 'pools': [{'name': 'a', 'gpu': 'H100-SXM',"
                  " 'replicas': 3, 'tensor_parallel': 2, 'attention_data_parallel': 4,"
                  " 'expert_parallel': 8, 'expert_weights': 'mxfp4', 'usd_per_gpu_hour': 1}]}");
    const struct deployment *deployment = &scenario->deployments[0];
    cr_assert_eq(deployment->gpus, 8);
    cr_assert_eq(deployment->expert_weights, PRECISION_MXFP4);
    cr_assert_eq(scenario->pools[0].replicas, 12);
    cr_assert_float_eq(scenario->prices[0].usd_per_hour, 24, 1e-9);
    cr_assert_float_eq(scenario->pools[0].usd_per_hour, 2, 1e-9);
    cr_assert_float_eq(scenario->pools[0].busy_w, 2 * deployment->gpu->tdp_w, 1e-9);
    scenario_free(scenario);
    struct error error = {0};
    cr_assert_null(read_text("{'model': 'gpt-oss-20b'," WORKLOAD ", 'pools': [{'name': 'a', 'gpu':"
                             " 'B200', 'replicas': 50000, 'attention_data_parallel': 3}]}",
                             &error));
    cr_assert(strstr(error.message, "150000"), "%s", error.message);
}

/* What a pool on the hardware above costs per hour, and how many instances it rents. */
static void expect_price(const char *pool, double usd_per_hour, int64_t instances)
{
    char text[2048];
    snprintf(text, sizeof text, "{" MODEL "," HARDWARE ", 'pools': [{'name': 'p', %s}]}", pool);
    struct scenario *scenario = read_good(text);
    double replicas = (double)scenario->pools[0].replicas;
    cr_expect_float_eq(scenario->prices[0].usd_per_hour, usd_per_hour, 1e-9, "%s: %g USD/h", pool,
                       scenario->prices[0].usd_per_hour);
    cr_expect_eq(scenario->prices[0].instances, instances, "%s: %lld instances", pool,
                 (long long)scenario->prices[0].instances);
    cr_expect_float_eq(scenario->pools[0].usd_per_hour * replicas, usd_per_hour, 1e-9);
    scenario_free(scenario);
}

Test(scenario, instances_are_paid_whole)
{
    expect_price("'instance': 'small', 'replicas': 5", 15, 5);
    expect_price("'instance': 'big'", 16, 1);
    expect_price("'instance': 'big', 'replicas': 8", 16, 1);
    expect_price("'instance': 'big', 'replicas': 9", 32, 2);
    /* two replicas of four GPUs to an instance */
    expect_price("'instance': 'big', 'tensor_parallel': 4, 'replicas': 3", 32, 2);
    /* two replicas of three GPUs to an instance, whose other two idle and are paid for */
    expect_price("'instance': 'big', 'pipeline_parallel': 3, 'replicas': 3", 32, 2);
    /* two instances to a replica of sixteen GPUs, and to one of ten */
    expect_price("'instance': 'big', 'tensor_parallel': 8, 'pipeline_parallel': 2, 'replicas': 3",
                 96, 6);
    expect_price("'instance': 'big', 'pipeline_parallel': 10", 32, 2);
}

Test(scenario, stages_are_paid_for_one_by_one)
{
    expect_price("'replicas': 2, 'stages': [{'instance': 'small', 'layers': 16},"
                 " {'instance': 'big', 'layers': 16}]",
                 2 * 3 + 16, 3);
    expect_price("'usd_per_gpu_hour': 2, 'stages': [{'gpu': 'own', 'layers': 10},"
                 " {'gpu': 'own', 'tensor_parallel': 4, 'layers': 22}]",
                 10, 0);
}

Test(scenario, a_slice_costs_its_share_of_a_gpu)
{
    expect_price(
        "'gpu': 'H100-SXM/1g.20gb', 'weights': 'fp8', 'replicas': 4, 'usd_per_gpu_hour': 7", 7, 0);
    expect_price("'gpu': 'B200/4g.90gb', 'usd_per_gpu_hour': 7", 4, 0);
}

Test(scenario, a_price_per_gpu_wins_and_is_paid_for_all_gpus_rented)
{
    expect_price("'gpu': 'own', 'tensor_parallel': 4, 'replicas': 3, 'usd_per_gpu_hour': 2", 24, 0);
    expect_price("'instance': 'big', 'tensor_parallel': 4, 'replicas': 3, 'usd_per_gpu_hour': 1.5",
                 24, 2);
    expect_price("'instance': 'big', 'usd_per_gpu_hour': 0", 0, 1);
}

Test(scenario, without_a_price_that_of_the_cheapest_instance_per_gpu_counts)
{
    expect_price("'gpu': 'round', 'replicas': 3", 6, 0);
    struct scenario *scenario =
        read_good("{" MODEL "," HARDWARE ", 'pools': [{'name': 'p', 'gpu': 'round'}]}");
    cr_assert(strstr(scenario->prices[0].source, "B big"), "%s", scenario->prices[0].source);
    scenario_free(scenario);
    struct error error = {0};
    cr_assert_null(
        read_text("{" MODEL "," HARDWARE ", 'pools': [{'name': 'p', 'gpu': 'own'}]}", &error));
    cr_assert(strstr(error.message, "no price is known for own"), "%s", error.message);
    cr_assert(strstr(error.hint, "usd_per_gpu_hour"), "%s", error.hint);
}

Test(scenario, a_gpu_of_the_scenarios_own_wins_over_the_catalogues)
{
    struct scenario *scenario = read_good("{" MODEL ", 'hardware': {'gpus': [" GPU(
        "L4") "]},"
              "'pools': [{'name': 'p', 'gpu': 'L4', 'replicas': 2},"
              "          {'name': 'q', 'instance': 'g6.xlarge'}]}");
    cr_assert_float_eq(scenario->deployments[0].gpu->memory_gib, 80, 0);
    cr_assert_eq(scenario->deployments[1].gpu, scenario->deployments[0].gpu);
    scenario_free(scenario);
}

Test(scenario, a_model_file_is_found_beside_the_scenario)
{
    static const char config[] =
        "{\"model_type\": \"llama\", \"hidden_size\": 512, \"intermediate_size\": 2048,"
        " \"num_hidden_layers\": 8, \"num_attention_heads\": 8, \"num_key_value_heads\": 2,"
        " \"vocab_size\": 1000, \"max_position_embeddings\": 777}";
    char path[256];
    test_write_file("tiny.json", config, strlen(config), path, sizeof path);
    struct scenario *scenario =
        read_good("{'model': 'tiny.json', 'pools': [{'name': 'p', 'gpu': 'L4'}]}");
    cr_assert_eq(scenario->llm->layers, 8);
    cr_assert_eq(scenario->pools[0].engine->max_model_tok, 777);
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

Test(scenario, a_last_class_that_matches_all_is_the_rest_itself)
{
    struct scenario *scenario =
        read_good("{" MODEL "," POOL ", 'workload': {'limit': 10, 'streams': ["
                  "   {'name': 'chat', 'preset': 'azure-conversation'},"
                  "   {'name': 'code', 'preset': 'azure-code'}]},"
                  " 'classes': [{'name': 'code', 'stream': 'code', 'output_tok': [null, 99]},"
                  "             {'name': 'all else'}],"
                  " 'slo': [{'class': 'all else', 'ttft_s': 1}, {'e2e_s': 9}]}");
    cr_assert_eq(scenario->class_count, 2);
    cr_assert_eq(scenario->classes[0].stream, 1);
    cr_assert_eq(scenario->classes[0].output_min_tok, 0);
    cr_assert_eq(scenario->classes[0].output_max_tok, 99);
    cr_assert_eq(scenario->classes[1].stream, -1);
    cr_assert_eq(scenario->slos[0].class_index, 1);
    cr_assert_eq(scenario->slos[1].class_index, -1);
    scenario_free(scenario);
}

Test(scenario, an_error_names_the_line_or_the_assignment)
{
    static const char text[] = "{\n\"model\": \"llama-3.1-8b\",\n\"pools\": [\n"
                               "  { \"name\": \"p\",\n    \"gpu\": \"L4S\" }\n]\n}";
    char path[256];
    test_write_file("lines.json", text, strlen(text), path, sizeof path);
    struct error error = {0};
    cr_assert_null(scenario_read(path, NULL, 0, &error));
    cr_assert_eq(error.line, 5);
    cr_assert_str_eq(error.file, path);
    cr_assert_str_eq(error.json_path, "/pools/0/gpu");

    static const char *const sets[] = {"pools[0].gpu=L4", "model=llama-3.1-405b"};
    struct scenario *scenario = scenario_read(path, sets, 1, NULL);
    cr_assert_not_null(scenario);
    scenario_free(scenario);
    error = (struct error){0};
    cr_assert_null(scenario_read(path, sets, 2, &error));
    cr_assert_eq(error.line, 4, "the pool begins on line 4, not %ld", error.line);
    static const char *const wrong[] = {"pools[0].gpu=L4SS"};
    error = (struct error){0};
    cr_assert_null(scenario_read(path, wrong, 1, &error));
    cr_assert_eq(error.line, 0);
    cr_assert_str_eq(error.file, "--set pools[0].gpu=L4SS");
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
        {"{" MODEL "," POOL
         ",'router':{'policy':'weighted','shares':[{'class':'all','pool':'q','weight':1}]}}",
         "/router/shares/0/pool", "no pool \"q\"", ERROR_BAD_INPUT},
        {"{" MODEL "," POOL
         ",'router':{'policy':'weighted','shares':[{'class':'a','pool':'p','weight':1}]}}",
         "/router/shares/0/class", "no class \"a\"", ERROR_BAD_INPUT},
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
