#include <cJSON.h>
#include <criterion/criterion.h>
#include <math.h>

#include "analysis/perfetto.h"
#include "tests/analysis/sample_run.h"
#include "tests/support.h"

static const char *trace_path(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/trace.json", test_folder());
    return path;
}

static struct perfetto *open_trace(struct sample_run *run)
{
    struct error error = {0};
    struct perfetto *trace = perfetto_open(trace_path(), &run->spec, &error);
    cr_assert_not_null(trace, "%s", test_error_text(&error));
    return trace;
}

static cJSON *commit_and_parse(struct perfetto *trace)
{
    struct error error = {0};
    cr_assert(perfetto_commit(trace, &error), "%s", test_error_text(&error));
    perfetto_close(trace);
    char *text = test_read_file(trace_path(), NULL);
    cJSON *tree = cJSON_ParseWithOpts(text, NULL, true);
    cr_assert_not_null(tree, "trace.json does not parse");
    free(text);
    return tree;
}

static double number(const cJSON *event, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(event, key);
    cr_assert(cJSON_IsNumber(value), "%s is missing", key);
    return value->valuedouble;
}

static const cJSON *find(const cJSON *tree, const char *phase, const char *name)
{
    const cJSON *event;
    cJSON_ArrayForEach(event, cJSON_GetObjectItem(tree, "traceEvents"))
    {
        if (strcmp(cJSON_GetObjectItem(event, "ph")->valuestring, phase) == 0 &&
            strcmp(cJSON_GetObjectItem(event, "name")->valuestring, name) == 0)
            return event;
    }
    cr_assert_fail("no %s event named %s", phase, name);
    return NULL;
}

Test(perfetto, shows_spans_requests_and_counters)
{
    struct sample_run *run = sample_run_create_empty();
    run->pools[0].name = "a \"b\"\\\n";
    struct perfetto *trace = open_trace(run);
    const struct iteration_span span = {1, 3, 0.5, 0.75, 20, 32, 100};
    perfetto_span(trace, &span);
    const struct request_record record = {.arrival_s = 1,
                                          .queue_s = 0.25,
                                          .ttft_s = 0.5,
                                          .tpot_s = 0.125,
                                          .e2e_s = 2,
                                          .prompt_tok = 1000,
                                          .output_tok = 13,
                                          .pool = 1};
    perfetto_request(trace, &record);
    const struct pool_sample samples[2] = {{.waiting = 4, .running = 5, .kv_used = 0.5}};
    perfetto_sample(trace, 2, samples);
    cJSON *tree = commit_and_parse(trace);

    const cJSON *mixed = find(tree, "X", "mixed");
    cr_assert_eq(number(mixed, "ts"), 500000);
    cr_assert_eq(number(mixed, "dur"), 250000);
    cr_assert_eq(number(mixed, "pid"), 1);
    cr_assert_eq(number(mixed, "tid"), 3);
    cr_assert_eq(number(cJSON_GetObjectItem(mixed, "args"), "batch"), 32);
    cr_assert_eq(number(cJSON_GetObjectItem(mixed, "args"), "iterations"), 20);
    cr_assert_eq(number(find(tree, "b", "prefill"), "ts"), 1250000);
    cr_assert_eq(number(find(tree, "e", "prefill"), "ts"), 1500000);
    cr_assert_eq(number(find(tree, "e", "request"), "ts"), 3000000);
    cr_assert_eq(number(cJSON_GetObjectItem(find(tree, "C", "requests"), "args"), "waiting"), 4);
    const cJSON *process = cJSON_GetObjectItem(find(tree, "M", "process_name"), "args");
    cr_assert_str_eq(cJSON_GetObjectItem(process, "name")->valuestring, "a \"b\"\\\n");
    cr_assert(
        cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetObjectItem(tree, "otherData"), "complete")));
    cJSON_Delete(tree);
    sample_run_destroy(run);
}

Test(perfetto, is_bounded_and_says_where_it_was_cut)
{
    struct sample_run *run = sample_run_create_empty();
    struct perfetto *trace = open_trace(run);
    cr_assert(isinf(perfetto_cut_s(trace)));
    for (int i = 0; i < PERFETTO_EVENTS_MAX + 1000; i++) {
        const struct iteration_span span = {0, 0, i, i + 1.0, 1, 1, 0};
        perfetto_span(trace, &span);
    }
    double cut_s = perfetto_cut_s(trace);
    cr_assert(cut_s > PERFETTO_EVENTS_MAX - 100 && cut_s <= PERFETTO_EVENTS_MAX, "cut at %g",
              cut_s);
    cJSON *tree = commit_and_parse(trace);
    const cJSON *other = cJSON_GetObjectItem(tree, "otherData");
    cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(other, "complete")));
    cr_assert_eq(number(other, "cut_s"), cut_s);
    int events = cJSON_GetArraySize(cJSON_GetObjectItem(tree, "traceEvents"));
    cr_assert_eq(events, PERFETTO_EVENTS_MAX);
    cJSON_Delete(tree);
    sample_run_destroy(run);
}
