#include <criterion/criterion.h>
#include <string.h>

#include "analysis/summary.h"
#include "analysis/summary_csv.h"
#include "tests/analysis/sample_run.h"

/* The tree of summary.json; the caller deletes it. */
static cJSON *tree_of(struct sample_run *run, const struct simulator_figures *figures)
{
    struct summary *summary = summary_create(&run->facts, &run->result);
    struct json_writer *writer = json_writer_create();
    summary_put(writer, NULL, summary, figures);
    cJSON *tree = cJSON_Parse(json_writer_text(writer, NULL));
    cr_assert_not_null(tree, "not JSON: %s", json_writer_text(writer, NULL));
    json_writer_destroy(writer);
    summary_destroy(summary);
    return tree;
}

/* "slo.rules.1.kept" */
static const cJSON *at(const cJSON *tree, const char *path)
{
    char copy[128];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *rest = copy, *key; tree && (key = strsep(&rest, "."));)
        tree = cJSON_IsArray(tree) ? cJSON_GetArrayItem(tree, atoi(key))
                                   : cJSON_GetObjectItemCaseSensitive(tree, key);
    cr_assert_not_null(tree, "no %s", path);
    return tree;
}

static double number(const cJSON *tree, const char *path)
{
    cr_assert(cJSON_IsNumber(at(tree, path)), "%s is not a number", path);
    return at(tree, path)->valuedouble;
}

static void check_number(const cJSON *tree, const char *path, double expected, double relative)
{
    double value = number(tree, path);
    cr_assert_leq(fabs(value - expected), fabs(expected) * relative, "%s is %.17g, not %.17g", path,
                  value, expected);
}

Test(summary, counts_and_rates_are_those_of_the_result)
{
    struct sample_run *run = sample_run_create();
    cJSON *tree = tree_of(run, NULL);
    check_number(tree, "requests.arrived", 1010, 0);
    check_number(tree, "requests.completed", 900, 0);
    check_number(tree, "requests.rejected", 100, 0);
    check_number(tree, "requests.in_flight", 10, 0);
    check_number(tree, "requests.skipped", 3, 0);
    check_number(tree, "requests.measured", 1000, 0);
    check_number(tree, "tokens.prompt", 900000, 0);
    check_number(tree, "tokens.output", 180000, 0);
    check_number(tree, "throughput.requests_per_s", 9, 1e-12);
    check_number(tree, "throughput.output_tokens_per_s", 1800, 1e-12);
    cJSON_Delete(tree);
    sample_run_destroy(run);
}

/* 300 requests at 0.4..0.8 s and 600 at 0.1..0.2 s: the p50 of all lies in the lower group and
 * their p99 in the upper one, at ranks that can be worked out. */
Test(summary, latencies_merge_the_classes)
{
    struct sample_run *run = sample_run_create();
    cJSON *tree = tree_of(run, NULL);
    check_number(tree, "ttft_s.p50", 0.1 * (1 + 450.0 / 600), 2e-3);
    check_number(tree, "ttft_s.p99", 0.4 * (1 + 291.0 / 300), 2e-3);
    check_number(tree, "ttft_s.max", 0.8, 1e-9);
    check_number(tree, "ttft_s.mean",
                 (300 * 0.4 * (1 + 301.0 / 600) + 600 * 0.1 * (1 + 601.0 / 1200)) / 900, 1e-9);
    check_number(tree, "classes.0.ttft_s.p50", 0.4 * 1.5, 2e-3);
    check_number(tree, "classes.1.ttft_s.p50", 0.1 * 1.5, 2e-3);
    check_number(tree, "itl_s.mean", 0.015, 1e-9);
    check_number(tree, "pools.1.itl_s.p99", 0.020, 2e-3);
    cJSON_Delete(tree);
    sample_run_destroy(run);
}

Test(summary, rejected_requests_miss_their_slo)
{
    struct sample_run *run = sample_run_create();
    cJSON *tree = tree_of(run, NULL);
    check_number(tree, "slo.attainment", 0.75, 1e-12);
    check_number(tree, "slo.goodput_requests_per_s", 7.5, 1e-12);
    check_number(tree, "classes.1.attainment", 450.0 / 700, 1e-12);
    cr_assert(cJSON_IsFalse(at(tree, "slo.kept")));
    cr_assert_str_eq(at(tree, "slo.rules.0.class")->valuestring, "long");
    cr_assert(cJSON_IsNull(at(tree, "slo.rules.1.class")), "a rule about every class");
    cr_assert(cJSON_IsNull(at(tree, "slo.rules.0.tpot_s")), "a bound that was not given");
    cr_assert(cJSON_IsTrue(at(tree, "slo.rules.0.kept")));
    cJSON_Delete(tree);
    sample_run_destroy(run);
}

/* 2 x 3 + 4 x 0.5 = 8 USD/h for 100 s. */
Test(summary, money_is_the_fleet_over_the_whole_run)
{
    struct sample_run *run = sample_run_create();
    cJSON *tree = tree_of(run, NULL);
    double usd = 8 * 100 / 3600.0;
    check_number(tree, "cost.usd_per_hour", 8, 1e-12);
    check_number(tree, "cost.total_usd", usd, 1e-12);
    check_number(tree, "cost.usd_per_million_tokens", usd / 1.08, 1e-12);
    check_number(tree, "cost.usd_per_million_output_tokens", usd / 0.18, 1e-12);
    check_number(tree, "cost.usd_per_1k_requests", usd / 0.9, 1e-12);
    check_number(tree, "cost.requests_per_usd", 900 / usd, 1e-12);
    check_number(tree, "energy.mean_power_w", 2025, 1e-12);
    check_number(tree, "pools.0.utilisation", 0.75, 1e-12);
    check_number(tree, "pools.1.gpus", 8, 0);
    check_number(tree, "pools.1.usd_per_hour", 2, 1e-12);
    cJSON_Delete(tree);
    sample_run_destroy(run);
}

Test(summary, nothing_is_null_and_never_nan)
{
    struct sample_run *run = sample_run_create_empty();
    run->spec.slo_count = 0;
    cJSON *tree = tree_of(run, NULL);
    static const char *const nothings[] = {"ttft_s.mean",
                                           "tpot_s.p50",
                                           "itl_s.p99",
                                           "e2e_s.max",
                                           "queue_s.p90",
                                           "throughput.requests_per_s",
                                           "slo.attainment",
                                           "slo.goodput_requests_per_s",
                                           "cost.usd_per_million_tokens",
                                           "cost.requests_per_usd",
                                           "pools.0.utilisation",
                                           "classes.0.ttft_s.p50"};
    for (size_t i = 0; i < sizeof nothings / sizeof nothings[0]; i++)
        cr_assert(cJSON_IsNull(at(tree, nothings[i])), "%s is not null", nothings[i]);
    check_number(tree, "requests.arrived", 0, 0);
    check_number(tree, "cost.usd_per_hour", 8, 1e-12);
    cJSON_Delete(tree);
    sample_run_destroy(run);
}

Test(summary, the_simulators_own_figures_are_apart)
{
    struct sample_run *run = sample_run_create();
    cJSON *tree = tree_of(run, NULL);
    cr_assert_null(cJSON_GetObjectItem(tree, "simulator"));
    cJSON_Delete(tree);
    const struct simulator_figures figures = {.cpu_s = 0.5, .wall_s = 0.7, .peak_rss_bytes = 4096};
    tree = tree_of(run, &figures);
    check_number(tree, "simulator.requests_per_s", 2000, 0);
    check_number(tree, "simulator.events", 12345, 0);
    check_number(tree, "simulator.iterations", 54321, 0);
    check_number(tree, "simulator.peak_rss_bytes", 4096, 0);
    cJSON_Delete(tree);
    sample_run_destroy(run);
}

static size_t count_cells(const char *line)
{
    size_t cells = 1;
    bool quoted = false;
    for (; *line; line++) {
        quoted ^= *line == '"';
        cells += *line == ',' && !quoted;
    }
    return cells;
}

Test(summary, csv_has_a_cell_for_every_name)
{
    struct sample_run *run = sample_run_create();
    run->pools[0].name = "a \"quoted\", name";
    cJSON *tree = tree_of(run, NULL);
    char text[16384] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    summary_csv_put(tree, out);
    fclose(out);
    char *rest = text, *names = strsep(&rest, "\n"), *values = strsep(&rest, "\n");
    cr_assert_str_eq(rest, "", "two lines and no more");
    cr_assert_eq(count_cells(names), count_cells(values));
    cr_assert_not_null(strstr(names, ",ttft_s.p99,"));
    cr_assert_not_null(strstr(names, ",pools.1.utilisation,"));
    cr_assert_not_null(strstr(values, ",\"a \"\"quoted\"\", name\","));
    cr_assert_null(strstr(values, "null"), "null is an empty cell");
    cJSON_Delete(tree);
    sample_run_destroy(run);
}
