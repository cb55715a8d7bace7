#include "tests/workloads/workload_support.h"

#define POISSON "'arrivals': {'kind': 'poisson', 'rate_per_s': 5}"
#define LENGTHS                                                                                    \
    "'prompt_tok': {'kind': 'uniform', 'min_tok': 1, 'max_tok': 100},"                             \
    "'output_tok': {'kind': 'uniform', 'min_tok': 1, 'max_tok': 50}"
#define STREAM(name) "{'name': '" name "', 'generator': {" POISSON ", " LENGTHS "}}"

enum { SOME = 500 };

static bool same(const struct arrival *a, const struct arrival *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].time_s != b[i].time_s || a[i].prompt_tok != b[i].prompt_tok ||
            a[i].output_tok != b[i].output_tok || a[i].stream != b[i].stream)
            return false;
    return true;
}

Test(workload, same_seed_same_arrivals)
{
    size_t count;
    struct arrival *first = test_arrivals("{'preset': 'servegen-chat'}", 1, SOME, &count);
    struct arrival *again = test_arrivals("{'preset': 'servegen-chat'}", 1, SOME, &count);
    struct arrival *other = test_arrivals("{'preset': 'servegen-chat'}", 2, SOME, &count);
    cr_assert(same(first, again, SOME));
    cr_assert(!same(first, other, SOME));
    struct test_workload workload = test_workload_try("{'preset': 'servegen-chat'}", 1, 1);
    test_take(workload.source, again, SOME, NULL);
    cr_assert(!same(first, again, SOME), "a replication draws anew");
    test_workload_close(&workload);
    free(first);
    free(again);
    free(other);
}

Test(workload, rewinds_to_the_same_arrivals)
{
    const char *const workloads[] = {
        "{'preset': 'azure-conversation'}",
        "{'preset': 'azure-code'}",
        "{'preset': 'servegen-reasoning', 'rate_scale': 3}",
        ("{'generator': {'arrivals': {'kind': 'deterministic', 'interval_s': 1, 'burst': 2},"
         " 'diurnal': 'servegen-chat', " LENGTHS "}, 'filter': {'prompt_tok': [20, null]}}"),
        ("{'streams': [{'preset': 'azure-code', 'limit': 100}, {'preset': 'mooncake-conversation',"
         " 'window_s': [5, 25], 'repeat': 3}], 'rate_scale': 0.5, 'limit': 300}"),
    };
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        struct test_workload workload = test_workload_open(workloads[i], 1);
        struct arrival first[SOME], again[SOME];
        struct error error = {0};
        size_t count = test_take(workload.source, first, SOME, NULL);
        cr_assert(source_rewind(workload.source, &error));
        cr_assert_eq(test_take(workload.source, again, SOME, NULL), count);
        cr_assert(same(first, again, count), "%s", workloads[i]);
        test_workload_close(&workload);
    }
}

Test(workload, merge_is_ordered_and_tells_streams)
{
    size_t count;
    struct arrival *merged = test_arrivals(
        "{'streams': [" STREAM("a") ", " STREAM("b") "], 'limit': 500}", 1, 1000, &count);
    cr_assert_eq(count, 500);
    struct arrival *alone = test_arrivals("{'streams': [" STREAM("b") "]}", 1, SOME, &count);
    size_t seen = 0;
    for (size_t i = 0; i < 500; i++)
        if (merged[i].stream == 1) {
            cr_assert_eq(merged[i].time_s, alone[seen].time_s, "other streams change nothing");
            cr_assert_eq(merged[i].prompt_tok, alone[seen++].prompt_tok);
        }
    cr_assert_float_eq((double)seen, 250, 40);
    free(merged);
    free(alone);
}

Test(workload, names_its_streams)
{
    struct test_workload workload = test_workload_open(
        "{'streams': [{'preset': 'azure-code'}, " STREAM("mine") "], 'limit': 10}", 1);
    cr_assert_eq(workload_stream_count(workload.config), 2);
    cr_assert_str_eq(workload_stream_name(workload.config, 0), "azure-code");
    cr_assert_str_eq(workload_stream_name(workload.config, 1), "mine");
    cr_assert(!workload_is_endless(workload.config));
    test_workload_close(&workload);
    workload = test_workload_open(STREAM("one"), 1);
    cr_assert_eq(workload_stream_count(workload.config), 1);
    cr_assert_str_eq(workload_stream_name(workload.config, 0), "one");
    cr_assert(workload_is_endless(workload.config));
    test_workload_close(&workload);
}

Test(workload, written_settings_read_back_the_same)
{
    struct test_workload first = test_workload_open(
        "{'streams': [{'preset': 'servegen-chat', 'window_s': [10, null], 'rate_scale': 2},"
        "{'generator': {'arrivals': {'kind': 'gamma', 'rate_per_s': 3, 'cv': 2}, 'diurnal':"
        "{'kind': 'servegen-chat', 'start_hour': 9}, 'rank_correlation': 0.5, " LENGTHS "},"
        "'filter': {'prompt_tok': [5, 50]}}], 'limit': 400}",
        1);
    cJSON *tree = config_to_json(&workload_config_type, first.config);
    char *text = cJSON_PrintUnformatted(tree);
    struct test_workload second = test_workload_open(text, 1);
    struct arrival before[SOME], after[SOME];
    cr_assert_eq(test_take(first.source, before, SOME, NULL), 400);
    cr_assert_eq(test_take(second.source, after, SOME, NULL), 400);
    cr_assert(same(before, after, 400));
    cJSON_free(text);
    cJSON_Delete(tree);
    test_workload_close(&first);
    test_workload_close(&second);
}

/* --- what is refused --- */

struct refusal {
    const char *json, *pointer, *message;
};

static void refuse_all(const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct test_workload workload = test_workload_try(cases[i].json, 1, 0);
        const struct error *error = &workload.error;
        cr_assert_null(workload.source, "accepted: %s", cases[i].json);
        cr_assert_eq(error->code, ERROR_BAD_INPUT);
        cr_assert_str_eq(error->json_path, cases[i].pointer, "%s", test_error_text(error));
        cr_assert(strstr(error->message, cases[i].message), "%s: %s", cases[i].json,
                  test_error_text(error));
        cr_assert_str_eq(error->file, "test.json");
        cr_assert_eq(error->line, 1);
        test_workload_close(&workload);
    }
}

#define REFUSE(cases) refuse_all(cases, sizeof cases / sizeof *cases)

Test(workload, refuses_bad_origins)
{
    const struct refusal cases[] = {
        {"{}", "", "nothing says where"},
        {"{'preset': 'azure-code', 'generator': {" POISSON ", " LENGTHS "}}", "", "one origin"},
        {"{'preset': 'azure-code', 'trace': {'path': 'x.csv'}}", "", "one origin"},
        {"{'preset': 'azure-chat'}", "/preset", "unknown name"},
        {"{'streams': []}", "/streams", "at least 1"},
        {"{'streams': [{'limit': 3}]}", "/streams/0", "nothing says where"},
        {"{'streams': [" STREAM("a") "," STREAM("b") "," STREAM("a") "]}", "/streams/2",
         "stream 0 is called \"a\" too"},
        {"{'preset': 'azure-code', 'rate': 3}", "/rate", "unknown key"},
        {"{'streams': [{'streams': [" STREAM("a") "]}]}", "/streams/0/streams", "unknown key"},
    };
    REFUSE(cases);
}

Test(workload, refuses_bad_transformations)
{
    const struct refusal cases[] = {
        {"{'preset': 'azure-code', 'rate_per_s': 0}", "/rate_per_s", "out of range"},
        {"{'preset': 'azure-code', 'rate_per_s': 1, 'rate_scale': 2}", "/rate_scale",
         "already says"},
        {"{'preset': 'azure-code', 'limit': 0}", "/limit", "out of range"},
        {"{'preset': 'azure-code', 'window_s': [9, 3]}", "/window_s", "nothing lies between"},
        {"{'preset': 'azure-code', 'window_s': [9]}", "/window_s", "exactly 2"},
        {"{'preset': 'azure-code', 'filter': {'prompt_tok': [9, 3]}}", "/filter/prompt_tok",
         "nothing lies between"},
        {"{'preset': 'azure-code', 'clip': {'output_tok': [null, 0]}}", "/clip/output_tok",
         "nothing lies between"},
        {"{'preset': 'azure-code', 'repeat': 2, 'limit': 5}", "/repeat", "endless"},
        {"{'streams': [{'preset': 'azure-code'}], 'rate_per_s': 5}", "/rate_per_s", "endless"},
        {"{'streams': [{'preset': 'azure-code', 'limit': 1}], 'rate_per_s': 5}", "/rate_per_s",
         "no mean rate"},
    };
    REFUSE(cases);
}

Test(workload, refuses_to_know_a_closed_loops_future)
{
#define LOOP "'generator': {'arrivals': {'kind': 'closed_loop', 'clients': 2}, " LENGTHS "}"
    const struct refusal cases[] = {
        {"{" LOOP ", 'window_s': [0, 5]}", "/window_s", "closed loop"},
        {"{" LOOP ", 'rate_per_s': 5}", "/rate_per_s", "closed loop"},
        {"{" LOOP ", 'rate_scale': 5}", "/rate_scale", "closed loop"},
        {"{" LOOP ", 'repeat': 5}", "/repeat", "closed loop"},
        {"{'streams': [{" LOOP "}], 'repeat': 5}", "/repeat", "closed loop"},
        {"{'generator': {'arrivals': {'kind': 'closed_loop', 'clients': 0}, " LENGTHS "}}",
         "/generator/arrivals/clients", "out of range"},
        {"{'generator': {'arrivals': {'kind': 'closed_loop', 'clients': 2, 'think': {'kind':"
         "'uniform', 'min_s': 2, 'max_s': 1}}, " LENGTHS "}}",
         "/generator/arrivals/think/max_s", "less than"},
        {"{'generator': {'arrivals': {'kind': 'closed_loop', 'clients': 2}, 'diurnal':"
         "'servegen-chat', " LENGTHS "}}",
         "/generator/diurnal", "no arrival rate"},
    };
    REFUSE(cases);
}

#define ARRIVALS(text) "{'generator': {'arrivals': {" text "}, " LENGTHS "}}"

Test(workload, refuses_bad_arrivals)
{
    const struct refusal cases[] = {
        {ARRIVALS("'kind': 'poisson'"), "/generator/arrivals", "missing"},
        {ARRIVALS("'kind': 'poisson', 'rate_per_s': 0"), "/generator/arrivals/rate_per_s",
         "out of range"},
        {ARRIVALS("'kind': 'poison', 'rate_per_s': 1"), "/generator/arrivals/kind", "unknown"},
        {ARRIVALS("'kind': 'gamma', 'rate_per_s': 1"), "/generator/arrivals", "\"cv\" or"},
        {ARRIVALS("'kind': 'weibull', 'rate_per_s': 1, 'cv': 1, 'shape': 1"), "/generator/arrivals",
         "\"cv\" or"},
        {ARRIVALS("'kind': 'deterministic'"), "/generator/arrivals", "\"rate_per_s\" or"},
        {ARRIVALS("'kind': 'on_off', 'on_rate_per_s': 1, 'mean_on_s': 0, 'mean_off_s': 1"),
         "/generator/arrivals/mean_on_s", "out of range"},
        {ARRIVALS("'kind': 'on_off', 'on_rate_per_s': 1e-6, 'mean_on_s': 1e-3, 'mean_off_s': 1e-3"),
         "/generator/arrivals", "turns of on and off"},
        {ARRIVALS("'kind': 'clients', 'rate_per_s': 1, 'count': 5"), "/generator/arrivals",
         "\"zipf_exponent\" or"},
        {ARRIVALS("'kind': 'clients', 'rate_per_s': 1, 'count': 5, 'top_share': 0.1"),
         "/generator/arrivals/top_share", "at least 1/5"},
        {ARRIVALS("'kind': 'clients', 'rate_per_s': 1, 'count': 5, 'top_share': 0.5, 'cv':"
                  "[{'p': 0, 'cv': 2}, {'p': 1, 'cv': 1}]"),
         "/generator/arrivals/cv/1", "smaller value"},
        {"{'generator': {'arrivals': {'kind': 'closed_loop', 'clients': 2}, " LENGTHS
         "}, 'start_s': 5}",
         "/start_s", "cannot be shifted"},
        {"{'generator': {" POISSON
         ", 'diurnal': {'kind': 'servegen-chat', 'days': [1, 2]}, " LENGTHS "}}",
         "/generator/diurnal/days", "7 days, not 2"},
        {"{'generator': {" POISSON ", 'diurnal': {'kind': 'hourly', 'hourly': [1, 2]}, " LENGTHS
         "}}",
         "/generator/diurnal/hourly", "exactly 24"},
        {"{'generator': {" POISSON ", 'diurnal': {'kind': 'hourly', 'hourly': "
         "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}, " LENGTHS "}}",
         "/generator/diurnal", "above 0"},
    };
    REFUSE(cases);
}

#define PROMPT(text)                                                                               \
    "{'generator': {" POISSON ", 'prompt_tok': {" text "}, 'output_tok': {'kind': 'constant',"     \
    " 'tok': 1}}}"

Test(workload, refuses_bad_lengths)
{
    const struct refusal cases[] = {
        {PROMPT("'kind': 'constant', 'tok': 0"), "/generator/prompt_tok/tok", "out of range"},
        {PROMPT("'kind': 'uniform', 'min_tok': 9, 'max_tok': 3"), "/generator/prompt_tok/max_tok",
         "less than"},
        {PROMPT("'kind': 'lognormal', 'mu': 5"), "/generator/prompt_tok", "pair"},
        {PROMPT("'kind': 'lognormal'"), "/generator/prompt_tok", "pair"},
        {PROMPT("'kind': 'lognormal', 'mu': 5, 'cv': 1"), "/generator/prompt_tok", "pair"},
        {PROMPT("'kind': 'lognormal', 'mu': 5, 'sigma': 1, 'mean_tok': 1, 'cv': 1"),
         "/generator/prompt_tok", "pair"},
        {PROMPT("'kind': 'lognormal', 'mu': 5, 'sigma': 1, 'min_tok': 9, 'max_tok': 3"),
         "/generator/prompt_tok/max_tok", "less than"},
        {PROMPT("'kind': 'mixture', 'components': []"), "/generator/prompt_tok/components",
         "at least 1"},
        {PROMPT("'kind': 'mixture', 'components': [{'weight': 1, 'mu': 5, 'sigma': 1},"
                "{'weight': 1, 'mu': 5}]"),
         "/generator/prompt_tok/components/1", "pair"},
        {PROMPT("'kind': 'table', 'knots': [{'p': 0, 'tok': 5}, {'p': 0.5, 'tok': 4},"
                "{'p': 1, 'tok': 9}]"),
         "/generator/prompt_tok/knots/1", "smaller value"},
        {PROMPT("'kind': 'table', 'knots': [{'p': 0, 'tok': 5}, {'p': 0.5, 'tok': 9}]"),
         "/generator/prompt_tok/knots/1", "must have p 1"},
        {"{'generator': {" POISSON ", " LENGTHS ", 'rank_correlation': 1.5}}",
         "/generator/rank_correlation", "out of range"},
    };
    REFUSE(cases);
}

/* --- what only shows while reading --- */

static void fails_on_first_peek(const char *json, const char *message)
{
    struct test_workload workload = test_workload_open(json, 1);
    double time_s;
    cr_assert_eq(source_peek(workload.source, &time_s, &workload.error), SOURCE_FAILED);
    cr_assert(strstr(workload.error.message, message), "%s", test_error_text(&workload.error));
    test_workload_close(&workload);
}

Test(workload, a_filter_that_nothing_passes_is_an_error_not_a_hang)
{
    fails_on_first_peek("{'preset': 'azure-code', 'filter': {'prompt_tok': [1000000, null]}}",
                        "passes the workload's filter");
}

Test(workload, time_beyond_the_clock_is_an_error_unless_nobody_asked_for_it)
{
    const char *const rare = "{'generator': {'arrivals': {'kind': 'poisson', 'rate_per_s': 1e-9},"
                             " " LENGTHS "}%s}";
    char json[512];
    snprintf(json, sizeof json, rare, ", 'limit': 2");
    fails_on_first_peek(json, "1553 days");
    snprintf(json, sizeof json, rare, "");
    struct test_workload workload = test_workload_open(json, 1);
    double time_s;
    cr_assert_eq(source_peek(workload.source, &time_s, &workload.error), SOURCE_END);
    test_workload_close(&workload);
}
