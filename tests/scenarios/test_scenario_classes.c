/* What classes say beyond which requests they are: traits, models, clients. */
#include <criterion/criterion.h>
#include <math.h>

#include "scenarios/scenario.h"
#include "tests/support.h"

#define WORKLOAD "'workload': {'preset': 'azure-conversation', 'rate_per_s': 1, 'limit': 200}"
#define POOLS    "'pools': [{'name': 'p', 'gpu': 'H100-SXM'}]"

/* text has ' for ", and is what stands in the braces beside the workload. */
static struct scenario *read_members(const char *text, struct error *error)
{
    char json[2048], path[256];
    int length = snprintf(json, sizeof json, "{%s,%s}", WORKLOAD, text);
    cr_assert_lt(length, (int)sizeof json);
    for (char *c = json; *c; c++)
        if (*c == '\'')
            *c = '"';
    test_write_file("scenario.json", json, (size_t)length, path, sizeof path);
    return scenario_read(path, NULL, 0, error);
}

static struct scenario *read_good(const char *text)
{
    struct error error = {0};
    struct scenario *scenario = read_members(text, &error);
    cr_assert_not_null(scenario, "%s", test_error_text(&error));
    return scenario;
}

static void expect_refused(const char *text, const char *pointer)
{
    struct error error = {0};
    cr_assert_null(read_members(text, &error), "%s", text);
    cr_expect_str_eq(error.json_path, pointer, "%s", test_error_text(&error));
    cr_expect(error.line > 0, "%s", test_error_text(&error));
}

Test(scenario_classes, nothing_said_is_nothing_done)
{
    struct scenario *scenario = read_good("'model': 'llama-3.1-8b'," POOLS);
    struct simulation_spec spec = scenario_spec(scenario, 0);
    cr_assert_null(spec.clients);
    cr_assert(spec.traits[0].priority == 0 && spec.traits[0].deadline == TICK_NEVER);
    cr_assert(spec.traits[0].tenant == 0 && spec.traits[0].tenant_weight == 1);
    cr_assert_eq(spec.model_count, 1);
    scenario_free(scenario);
}

Test(scenario_classes, traits)
{
    struct scenario *scenario =
        read_good("'model': 'llama-3.1-8b', 'classes': ["
                  " {'name': 'a', 'prompt_tok': [0, 10], 'priority': -3, 'tenant': 'acme',"
                  "  'tenant_weight': 2, 'deadline': {'ttft_s': 2, 'e2e_s': 30}},"
                  " {'name': 'b', 'prompt_tok': [0, 20]},"
                  " {'name': 'c', 'prompt_tok': [0, 30], 'tenant': 'acme', 'tenant_weight': 2,"
                  "  'deadline': {'e2e_s': 5, 'drop_expired': true}}]," POOLS);
    const struct class_traits *traits = scenario->traits;
    cr_assert_eq(traits[0].priority, -3);
    cr_assert_eq(traits[0].deadline, tick_from_s(2));
    cr_assert_eq(traits[2].deadline, tick_from_s(5));
    cr_assert(traits[0].tenant == 0 && traits[1].tenant == 1 && traits[2].tenant == 0);
    cr_assert_eq(traits[3].tenant, 2, "the rest is a tenant of its own");
    cr_assert_eq(traits[2].tenant_weight, 2);
    cr_assert(isinf(scenario->clients[0].shed_after_s) && scenario->clients[2].shed_after_s == 5);
    scenario_free(scenario);
}

Test(scenario_classes, clients_inherit_and_may_differ)
{
    struct scenario *scenario =
        read_good("'model': 'llama-3.1-8b', 'client': {'ttft_timeout_s': 5, 'retries': 3},"
                  "'classes': [{'name': 'a', 'prompt_tok': [0, 10], 'client': {'retries': 0}},"
                  "            {'name': 'b', 'prompt_tok': [0, 20], 'client': null}]," POOLS);
    const struct client_rule *clients = scenario->clients;
    cr_assert(clients[0].settings->ttft_timeout_s == 5 && clients[0].settings->retries == 0);
    cr_assert_null(clients[1].settings);
    cr_assert_eq(clients[2].settings->retries, 3);
    scenario_free(scenario);
}

Test(scenario_classes, what_contradicts_itself_is_refused)
{
    static const struct {
        const char *classes, *pointer;
    } bad[] = {
        {"{'name': 'a', 'tenant': 't', 'prompt_tok': [0, 9]},"
         "{'name': 'b', 'tenant': 't', 'tenant_weight': 3}",
         "/classes/1/tenant_weight"},
        {"{'name': 'a', 'deadline': {'drop_expired': true}}", "/classes/0/deadline"},
        {"{'name': 'a', 'client': {'retries': 2}}", "/classes/0/client/retries"},
        {"{'name': 'a', 'client': {'ttft_timeout_s': 9, 'e2e_timeout_s': 3}}",
         "/classes/0/client/ttft_timeout_s"},
        {"{'name': 'a', 'client': {'stop_share': 0.5}}", "/classes/0/client/stop_share"},
        {"{'name': 'a', 'client': {'stop_after_tok': {'kind': 'constant', 'tok': 5}}}",
         "/classes/0/client/stop_after_tok"},
        {"{'name': 'a', 'client': {'stop_share': 1, 'stop_after_tok':"
         " {'kind': 'uniform', 'min_tok': 5, 'max_tok': 2}}}",
         "/classes/0/client/stop_after_tok"},
        {"{'name': 'a', 'client': {'e2e_timeout_s': 0}}", "/classes/0/client/e2e_timeout_s"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[1024];
        snprintf(text, sizeof text, "'model': 'llama-3.1-8b', 'classes': [%s]," POOLS,
                 bad[i].classes);
        struct error error = {0};
        cr_assert_null(read_members(text, &error), "%s", text);
        cr_expect(strncmp(error.json_path, bad[i].pointer, strlen(bad[i].pointer)) == 0, "%s",
                  test_error_text(&error));
    }
    expect_refused("'model': 'llama-3.1-8b', 'client': {'retries': 2}," POOLS, "/client/retries");
}

#define TWO_POOLS                                                                                  \
    "'pools': [{'name': 'small', 'gpu': 'L40S'},"                                                  \
    "          {'name': 'big', 'gpu': 'H100-SXM', 'model': 'qwen3-8b'}]"

Test(scenario_classes, requests_go_to_pools_that_serve_their_model)
{
    struct scenario *scenario =
        read_good("'model': 'llama-3.1-8b', 'classes': ["
                  " {'name': 'long', 'prompt_tok': [1000, null], 'model': 'qwen3-8b'}]," TWO_POOLS);
    cr_assert_eq(scenario->model_count, 2);
    cr_assert_str_eq(scenario->deployments[1].llm->name, "qwen3-8b");
    struct simulation_spec spec = scenario_spec(scenario, 0);
    struct error error = {0};
    struct simulation_result result;
    spec.source = scenario_open_source(scenario, 0, &error);
    cr_assert(simulation_run(&spec, &result, &error), "%s", test_error_text(&error));
    cr_assert(result.pools[0].completed > 20 && result.pools[1].completed > 20);
    cr_assert_eq(result.pools[1].completed, result.by_class[0].completed);
    cr_assert_eq(result.pools[0].completed, result.by_class[1].completed);
    simulation_result_free(&result);
    source_destroy(spec.source);
    scenario_free(scenario);
}

Test(scenario_classes, models_that_nobody_serves_are_refused)
{
    expect_refused(
        "'model': 'llama-3.1-8b', 'classes': [{'name': 'a', 'model': 'llama-3.1-70b'}]," POOLS,
        "/classes/0/model");
    expect_refused("'model': 'llama-3.1-8b', 'classes': [{'name': 'a', 'model': 'nope'}]," POOLS,
                   "/classes/0/model");
    expect_refused("'model': 'llama-3.1-8b',"
                   "'pools': [{'name': 'p', 'gpu': 'H100-SXM', 'model': 'qwen3-8b'}]",
                   "/model");
    expect_refused("'pools': [{'name': 'p', 'gpu': 'H100-SXM', 'model': 'nope'}]",
                   "/pools/0/model");
    expect_refused("'classes': [{'name': 'a'}],"
                   "'pools': [{'name': 'p', 'gpu': 'H100-SXM', 'model': 'qwen3-8b'},"
                   "          {'name': 'q', 'gpu': 'H100-SXM', 'model': 'llama-3.1-8b'}]",
                   "/classes/0");
}

Test(scenario_classes, shares_of_pools_that_serve_another_model_are_refused)
{
    expect_refused("'model': 'llama-3.1-8b', 'classes': [{'name': 'a', 'model': 'qwen3-8b'}],"
                   "'router': {'policy': 'weighted', 'shares': ["
                   " {'class': 'a', 'pool': 'small', 'weight': 1}]}," TWO_POOLS,
                   "/router/shares/0/pool");
}

Test(scenario_classes, one_model_need_not_be_named_twice)
{
    struct scenario *scenario =
        read_good("'pools': [{'name': 'p', 'gpu': 'H100-SXM', 'model': 'qwen3-8b'}]");
    cr_assert_eq(scenario->class_models[0], scenario->pool_models[0]);
    scenario_free(scenario);
}

#define ROLES(more)                                                                                \
    "'pools': [{'name': 'p', 'gpu': 'H100-SXM', 'role': 'prefill'},"                               \
    "          {'name': 'd', 'gpu': 'H100-SXM', 'role': 'decode'" more "}]"

Test(scenario_classes, pools_with_roles_have_one_model)
{
    struct error error = {0};
    cr_assert_null(read_members("'model': 'llama-3.1-8b'," ROLES(", 'model': 'qwen3-8b'"), &error));
    cr_assert(strstr(error.message, "one model"), "%s", test_error_text(&error));
    scenario_free(read_good("'model': 'llama-3.1-8b', 'client': {'e2e_timeout_s': 9}," ROLES("")));
}
