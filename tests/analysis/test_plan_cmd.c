/* `tokenyard plan` from end to end. */
#include <criterion/criterion.h>
#include <math.h>

#include "analysis/plan_cmd.h"
#include "analysis/plan_replay.h"
#include "sim/json.h"
#include "tests/support.h"

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

static bool plan(const char *scenario, const char *set, struct error *error)
{
    char *argv[] = {(char *)scenario, "-q", "-o", (char *)test_folder(), "--set", (char *)set};
    return plan_command(set ? 6 : 4, argv, error);
}

/* The number at a chain of member names in plan.json. */
static double plan_number(const char *a, const char *b)
{
    struct json_document *document = json_read_file(in_folder("plan.json"), NULL);
    cr_assert_not_null(document);
    const cJSON *node = json_member(json_root(document), a);
    if (b)
        node = json_member(node, b);
    cr_assert(cJSON_IsNumber(node), "%s", a);
    double value = node->valuedouble;
    json_free(document);
    return value;
}

Test(plan_cmd, worked_example_of_jiang_2025)
{
    struct error error = {0};
    cr_assert(plan("scenarios/jiang2025/worked-example.json", NULL, &error), "%s",
              test_error_text(&error));
    cr_assert_float_eq(plan_number("objective", "value"), 1450.0 / 51, 1e-9);
    cr_assert_float_eq(plan_number("objective", "gap"), 0, 0);
    cr_assert_float_eq(plan_number("cost_usd_h", NULL), 8, 0);
    /* The best of one type: two t2 under tensor parallelism, 140/3 s. */
    cr_assert_float_eq(plan_number("gain", NULL), 140.0 / 3 / (1450.0 / 51) - 1, 1e-9);
}

/* The cheapest fleet within 50 s is the pair of t2. */
Test(plan_cmd, least_cost_within_a_time)
{
    struct error error = {0};
    char *argv[] = {"scenarios/jiang2025/worked-example.json",
                    "-q",
                    "-o",
                    (char *)test_folder(),
                    "-s",
                    "plan.objective=cost_usd_h",
                    "-s",
                    "plan.within_s=50"};
    cr_assert(plan_command(8, argv, &error), "%s", test_error_text(&error));
    cr_assert_float_eq(plan_number("objective", "value"), 4, 1e-9);
}

Test(plan_cmd, infeasible_is_an_answer_with_its_own_code)
{
    struct error error = {0};
    cr_assert_not(plan("scenarios/jiang2025/worked-example.json", "plan.budget_usd_h=1", &error));
    cr_assert_eq(error.code, ERROR_INFEASIBLE);
    struct json_document *document = json_read_file(in_folder("plan.json"), NULL);
    cr_assert_not_null(document);
    cr_assert_str_eq(json_member(json_root(document), "status")->valuestring, "infeasible");
    json_free(document);
}

Test(plan_cmd, a_time_is_needed_to_be_cheap_in)
{
    struct error error = {0};
    cr_assert_not(
        plan("scenarios/jiang2025/worked-example.json", "plan.objective=cost_usd_h", &error));
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
}

/* --- with a model and a workload --- */

/* A trace beside the scenario, named relative to it; g5.12xlarge holds four GPUs, so that replicas
 * of one and of two GPUs can share one. */
static const char measured_scenario[] =
    "{\"name\": \"measured\", \"model\": \"llama-3.1-8b\",\n"
    " \"workload\": {\"trace\": {\"path\": \"trace.csv\"}},\n"
    " \"slo\": [{\"ttft_s\": 5}],\n"
    " \"plan\": {\"budget_usd_h\": 8.5, \"measure_requests\": 200,\n"
    "   \"offers\": [{\"instance\": \"g5.12xlarge\", \"available\": 1},\n"
    "              {\"instance\": \"g6.xlarge\", \"available\": 4},\n"
    "              {\"gpu\": \"L40S\", \"available\": 1, \"usd_per_hour\": 0.9}],\n"
    "   \"layouts\": {\"tensor_parallel\": [1, 2, 4]}, \"cut\": {\"prompt_bins\": 2}}}\n";

static const char *write_measured_scenario(void)
{
    static char path[256], trace[256];
    char text[65536];
    size_t length =
        (size_t)snprintf(text, sizeof text, "TIMESTAMP,ContextTokens,GeneratedTokens\n");
    for (int i = 0; i < 1000; i++)
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "2024-01-01 00:%02d:%02d.%06d,%d,%d\n", i / 600, i / 10 % 60,
                                   i % 10 * 100000, 50 + i * 7919 % 3000, 10 + i * 104729 % 400);
    test_write_file("trace.csv", text, length, trace, sizeof trace);
    test_write_file("measured.json", measured_scenario, strlen(measured_scenario), path,
                    sizeof path);
    return path;
}

static bool plan_into(const char *scenario, const char *folder, struct error *error)
{
    char *argv[] = {(char *)scenario, "-q", "-o", (char *)folder};
    return plan_command(4, argv, error);
}

static cJSON *member_at(cJSON *root, const char *a, const char *b)
{
    cJSON *node = json_member(json_member(root, a), b);
    cr_assert_not_null(node, "%s.%s", a, b);
    return node;
}

Test(plan_cmd, plans_a_trace_and_replays_the_answer)
{
    char folder[300];
    snprintf(folder, sizeof folder, "%s/deeper/result", test_folder());
    struct error error = {0};
    cr_assert(plan_into(write_measured_scenario(), folder, &error), "%s", test_error_text(&error));
    struct json_document *document = json_read_file(in_folder("deeper/result/plan.json"), &error);
    cr_assert_not_null(document, "%s", test_error_text(&error));
    cJSON *root = json_root(document);
    double cost_usd_h = json_member(root, "cost_usd_h")->valuedouble;
    cr_assert(cost_usd_h > 0 && cost_usd_h <= 8.5);
    /* What the simulator charges is what the plan says, shared instances or not. */
    cJSON *cost = json_member(root, "simulated");
    cr_assert_float_eq(member_at(cost, "cost", "usd_per_hour")->valuedouble, cost_usd_h, 1e-9);
    cr_assert_eq(member_at(cost, "requests", "completed")->valuedouble, 1000);
    /* What the optimum predicts is what the simulator delivers, but for classes sharing a batch and
     * the drain at the end. */
    double predicted = json_member(root, "throughput_requests_per_s")->valuedouble;
    double simulated = json_member(root, "saturated_requests_per_s")->valuedouble;
    cr_assert_float_eq(simulated / predicted, 0.95, 0.1, "%g of %g", simulated, predicted);
    cr_assert_geq(json_member(root, "gain")->valuedouble, 0);
    json_free(document);
}

/* The scenario that is left behind gives the very numbers of the plan's replay. */
Test(plan_cmd, scenario_reproduces_the_replay)
{
    struct error error = {0};
    cr_assert(plan_into(write_measured_scenario(), test_folder(), &error), "%s",
              test_error_text(&error));
    const struct plan_request request = {.prompt_tok = 100, .output_tok = 10};
    const struct plan_sample sample = {(struct plan_request *)&request, 1, 0};
    struct plan_replay replay;
    cr_assert(plan_replay_run(in_folder("scenario.json"), &sample, &replay, &error), "%s",
              test_error_text(&error));
    struct json_document *document = json_read_file(in_folder("plan.json"), NULL);
    cJSON *simulated = json_member(json_root(document), "simulated");
    cr_assert_float_eq(member_at(simulated, "ttft_s", "p99")->valuedouble,
                       replay.summary->ttft_s.p99, 0);
    cr_assert_float_eq(member_at(simulated, "e2e_s", "mean")->valuedouble,
                       replay.summary->e2e_s.mean, 0);
    json_free(document);
    plan_replay_clear(&replay);
}

static char *plan_text(const char *scenario)
{
    struct error error = {0};
    cr_assert(plan_into(scenario, test_folder(), &error), "%s", test_error_text(&error));
    struct json_document *document = json_read_file(in_folder("plan.json"), NULL);
    cJSON_DeleteItemFromObject(json_root(document), "seconds");
    char *text = cJSON_Print(json_root(document));
    json_free(document);
    return text;
}

Test(plan_cmd, same_scenario_same_plan_but_for_the_seconds)
{
    const char *scenario = write_measured_scenario();
    char *first = plan_text(scenario), *second = plan_text(scenario);
    cr_assert_str_eq(first, second);
    free(first);
    free(second);
}

Test(plan_cmd, a_model_that_fits_nowhere_is_infeasible)
{
    char *argv[] = {(char *)write_measured_scenario(),
                    "-q",
                    "-o",
                    (char *)test_folder(),
                    "-s",
                    "model=llama-3.1-405b"};
    struct error error = {0};
    cr_assert_not(plan_command(6, argv, &error));
    cr_assert_eq(error.code, ERROR_INFEASIBLE);
    cr_assert(error.hint[0]);
}

Test(plan_cmd, an_unknown_instance_is_named_with_its_place)
{
    char *argv[] = {(char *)write_measured_scenario(),  "-q", "-o", (char *)test_folder(), "-s",
                    "plan.offers[1].instance=g6.xlrage"};
    struct error error = {0};
    cr_assert_not(plan_command(6, argv, &error));
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
    cr_assert_str_eq(error.json_path, "/plan/offers/1/instance");
    cr_assert(strstr(error.hint, "g6.xlarge"));
}
