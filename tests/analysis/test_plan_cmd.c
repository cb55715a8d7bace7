/* `tokenyard plan` from end to end. */
#include <criterion/criterion.h>
#include <math.h>

#include "analysis/plan_cmd.h"
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
