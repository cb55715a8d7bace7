#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "scenarios/plan_config.h"

/* Reads {"plan": PLAN}; *plan is in the arena. */
static bool read_plan(const char *text, struct arena *arena, struct scenario_plan **plan,
                      struct error *error)
{
    const char *whole = arena_printf(arena, "{\"plan\": %s}", text);
    struct json_document *document = json_read_text("test.json", whole, strlen(whole), error);
    cr_assert_not_null(document);
    *plan = ARENA_NEW(arena, struct scenario_plan);
    bool ok = config_read(&scenario_plan_type, document, json_member(json_root(document), "plan"),
                          "/plan", arena, *plan, error) &&
              scenario_plan_check(*plan, document, error);
    json_free(document);
    return ok;
}

Test(plan_config, fills_in_what_is_not_said)
{
    struct arena *arena = arena_create();
    struct scenario_plan *plan;
    struct error error = {0};
    cr_assert(read_plan("{\"budget_usd_h\": 30, \"offers\": [{\"instance\": \"g5.xlarge\"}]}",
                        arena, &plan, &error),
              "%s", error.message);
    cr_assert_eq(plan->offers.count, 1);
    const struct scenario_offer *offer = plan->offers.items;
    cr_assert_eq(offer->available, INT64_MIN);
    cr_assert(isnan(offer->usd_per_hour) && isnan(plan->within_s));
    cr_assert_eq(plan->layouts.tensor_parallel.count, 4);
    cr_assert_eq(((const int64_t *)plan->layouts.tensor_parallel.items)[3], 8);
    cr_assert_null(plan->given);
    arena_destroy(arena);
}

Test(plan_config, refuses_what_no_single_field_can_tell)
{
    static const struct {
        const char *plan, *path, *message;
    } cases[] = {
        {"{\"budget_usd_h\":1,\"offers\":[{}]}", "/plan/offers/0", "either"},
        {"{\"budget_usd_h\":1,\"offers\":[{\"gpu\":\"L4\",\"instance\":\"g6\"}]}", "/plan/offers/0",
         "either"},
        {"{\"budget_usd_h\":1,\"offers\":[{\"instance\":\"L4\"},{\"instance\":\"L4\"}]}",
         "/plan/offers/1", "twice"},
        {"{\"budget_usd_h\":1,\"offers\":[{\"instance\":\"L4\"}],\"cut\":{\"prompt_edges\":[9,9]}}",
         "/plan/cut/prompt_edges", "rise"},
        {"{\"budget_usd_h\":1,\"offers\":[{\"gpu\":\"a\",\"usd_per_hour\":1}],\"given\":{"
         "\"demand\":[{\"class\":\"w\",\"requests\":1}],"
         "\"configs\":[{\"name\":\"c\",\"offer\":\"b\",\"requests_per_s\":[1]}]}}",
         "/plan/given/configs/0", "not among the offers"},
        {"{\"budget_usd_h\":1,\"offers\":[{\"gpu\":\"a\",\"usd_per_hour\":1}],\"given\":{"
         "\"demand\":[{\"class\":\"w\",\"requests\":1}],"
         "\"configs\":[{\"name\":\"c\",\"offer\":\"a\",\"requests_per_s\":[1,2]}]}}",
         "/plan/given/configs/0", "2 numbers for 1 classes"},
        {"{\"budget_usd_h\":1,\"offers\":[{\"gpu\":\"a\",\"usd_per_hour\":1}],\"given\":{"
         "\"demand\":[{\"class\":\"w\",\"requests\":0}],"
         "\"configs\":[{\"name\":\"c\",\"offer\":\"a\",\"requests_per_s\":[1]}]}}",
         "/plan/given/demand", "no class"},
        {"{\"budget_usd_h\":1,\"offers\":[{\"instance\":\"a\"}],\"given\":{"
         "\"demand\":[{\"class\":\"w\",\"requests\":1}],"
         "\"configs\":[{\"name\":\"c\",\"offer\":\"a\",\"requests_per_s\":[1]}]}}",
         "/plan/offers/0", "not an instance"},
        {"{\"budget_usd_h\":1,\"offers\":[{\"gpu\":\"a\"}]}", "/plan/offers/0", "usd_per_hour"},
        {"{\"budget_usd_h\":1,\"offers\":[{\"gpu\":\"L4\",\"available\":-1}]}",
         "/plan/offers/0/available", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_create();
        struct scenario_plan *plan;
        struct error error = {0};
        cr_assert_not(read_plan(cases[i].plan, arena, &plan, &error), "case %zu", i);
        cr_assert_eq(error.code, ERROR_BAD_INPUT);
        cr_assert_str_eq(error.json_path, cases[i].path, "case %zu: %s", i, error.json_path);
        cr_assert(strstr(error.message, cases[i].message), "case %zu: %s", i, error.message);
        arena_destroy(arena);
    }
}
