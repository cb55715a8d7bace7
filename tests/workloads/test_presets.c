#include "tests/workloads/workload_support.h"
#include "workloads/presets.h"
#include "workloads/rank_correlation.h"

static const struct {
    const char *preset, *trace, *prompt_field;
} published[] = {
    {"azure-conversation", "azure2023_conv", "input"},
    {"azure-code", "azure2023_code_first_half", "input"},
    {"mooncake-conversation", "mooncake_conversation", "input"},
    {"servegen-chat", "servegen_m-large", "input"},
    {"servegen-reasoning", "servegen_deepseek-r1", "input"},
};

enum { PRESETS = sizeof published / sizeof *published, DRAWS = 200000 };

Test(presets, are_listed_with_their_sources)
{
    size_t count;
    const struct preset *presets = preset_list(&count);
    cr_assert_eq(count, PRESETS);
    for (size_t i = 0; i < count; i++) {
        cr_assert_str_eq(presets[i].name, preset_names[i]);
        cr_assert_str_eq(presets[i].name, published[i].preset);
        cr_assert(strlen(presets[i].summary) > 0 && strlen(presets[i].source) > 0);
    }
    cr_assert_null(preset_names[count]);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

struct quantile_row {
    double mean, quantile[10];
};

static const double levels[] = {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};

/* The row of a trace and field in quantiles.csv. */
static bool read_row(const char *trace, const char *field, struct quantile_row *row)
{
    char path[512], line[1024], key[128];
    if (!test_data_path("traces/quantiles.csv", path, sizeof path))
        return false;
    FILE *file = fopen(path, "r");
    snprintf(key, sizeof key, "%s,%s,", trace, field);
    bool found = false;
    while (!found && fgets(line, sizeof line, file)) {
        char *cell = line + strlen(key);
        found = strncmp(line, key, strlen(key)) == 0;
        row->mean = found ? strtod(cell, &cell) : 0;
        for (size_t i = 0; found && i < 10; i++)
            row->quantile[i] = strtod(cell + 1, &cell);
    }
    fclose(file);
    return found;
}

/* Means within 2 %; quantiles of 200,000 draws between the published values at levels a bit lower
 * and higher, so that a spike or a jump does not fail by its sampling error. */
static void compare(const char *name, uint32_t *tok, const struct quantile_row *row)
{
    double sum = 0;
    for (size_t i = 0; i < DRAWS; i++)
        sum += tok[i];
    cr_assert_float_eq(sum / DRAWS / row->mean, 1, 0.025, "%s: mean %g, published %g", name,
                       sum / DRAWS, row->mean);
    qsort(tok, DRAWS, sizeof *tok, by_value);
    for (size_t i = 0; i < 10; i++) {
        double error = 4 * sqrt(levels[i] * (1 - levels[i]) / DRAWS);
        double low = tok[(size_t)(DRAWS * (levels[i] - error))];
        double high = tok[(size_t)(DRAWS * (levels[i] + error))];
        double slack = 1 + 0.02 * row->quantile[i];
        cr_assert(low - slack <= row->quantile[i] && row->quantile[i] <= high + slack,
                  "%s: quantile %g is %g..%g, published %g", name, levels[i], low, high,
                  row->quantile[i]);
    }
}

Test(presets, lengths_have_the_published_quantiles)
{
    uint32_t *prompt = calloc(DRAWS, sizeof *prompt), *output = calloc(DRAWS, sizeof *output);
    for (size_t p = 0; p < PRESETS; p++) {
        struct quantile_row prompt_row, output_row;
        if (!read_row(published[p].trace, "input", &prompt_row) ||
            !read_row(published[p].trace, "output", &output_row))
            cr_skip_test("no shared data");
        char json[128];
        snprintf(json, sizeof json, "{'preset': '%s'}", published[p].preset);
        size_t count;
        struct arrival *arrivals = test_arrivals(json, 1, DRAWS, &count);
        for (size_t i = 0; i < DRAWS; i++) {
            prompt[i] = arrivals[i].prompt_tok;
            output[i] = arrivals[i].output_tok;
        }
        free(arrivals);
        compare(published[p].preset, prompt, &prompt_row);
        compare(published[p].preset, output, &output_row);
    }
    free(prompt);
    free(output);
}

Test(presets, have_their_published_rates)
{
    const double rates_per_s[] = {5.53, 3.138, 3.401, 195.8, 16.01};
    for (size_t p = 0; p < PRESETS; p++) {
        char json[128];
        snprintf(json, sizeof json, "{'preset': '%s'}", published[p].preset);
        size_t count;
        struct arrival *arrivals = test_arrivals(json, 3, DRAWS, &count);
        double rate_per_s = (double)count / arrivals[count - 1].time_s;
        cr_assert_float_eq(rate_per_s / rates_per_s[p], 1, 0.04, "%s: %g", json, rate_per_s);
        free(arrivals);
    }
}

Test(presets, azure_conversation_is_like_its_trace)
{
    size_t count;
    struct arrival *arrivals = test_arrivals("{'preset': 'azure-conversation'}", 1, DRAWS, &count);
    uint32_t *prompt = calloc(DRAWS, sizeof *prompt), *output = calloc(DRAWS, sizeof *output);
    for (size_t i = 0; i < DRAWS; i++) {
        prompt[i] = arrivals[i].prompt_tok;
        output[i] = arrivals[i].output_tok;
    }
    cr_assert_float_eq(test_intervals(arrivals, count).cv, 1.07, 0.02);
    cr_assert_float_eq(rank_spearman(prompt, output, DRAWS), 0.073, 0.01);
    free(arrivals);
    free(prompt);
    free(output);
}

/* Published: 69.6 % of seconds are empty, inter-arrival cv 13.6, variance over mean of counts 14
 * per second and 191 per minute. */
Test(presets, azure_code_is_in_bursts)
{
    size_t count;
    struct arrival *arrivals = test_arrivals("{'preset': 'azure-code'}", 1, DRAWS, &count);
    size_t seconds = (size_t)arrivals[count - 1].time_s, empty = 0;
    double *per_s = calloc(seconds + 1, sizeof *per_s);
    for (size_t i = 0; i < count; i++)
        per_s[(size_t)arrivals[i].time_s]++;
    for (size_t s = 0; s < seconds; s++)
        empty += per_s[s] == 0;
    struct test_moments moments = test_moments_of(per_s, seconds);
    cr_assert_float_eq((double)empty / (double)seconds, 0.696, 0.05, "%g",
                       (double)empty / (double)seconds);
    cr_assert_float_eq(test_intervals(arrivals, count).cv, 13.6, 2, "%g",
                       test_intervals(arrivals, count).cv);
    cr_assert_float_eq(moments.cv * moments.cv * moments.mean, 14.2, 6, "%g",
                       moments.cv * moments.cv * moments.mean);
    free(per_s);
    free(arrivals);
}
