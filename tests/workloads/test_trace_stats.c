#include <criterion/criterion.h>
#include <gsl/gsl_errno.h>
#include <math.h>

#include "tests/support.h"
#include "workloads/trace.h"
#include "workloads/trace_stats.h"

static void collect(const char *path, struct trace_stats *stats)
{
    struct error error = {0};
    gsl_set_error_handler_off();
    struct source *source = trace_open(&(struct trace_options){.path = path}, &error);
    cr_assert_not_null(source, "%s", test_error_text(&error));
    cr_assert(trace_stats_collect(source, stats, &error), "%s", test_error_text(&error));
    source_destroy(source);
}

static void collect_text(const char *text, struct trace_stats *stats)
{
    char path[256];
    test_write_file("stats", text, strlen(text), path, sizeof path);
    collect(path, stats);
}

/* --- against the published statistics --- */

enum { MAX_CELLS = 64 };

struct reference {
    char header[2048], row[4096];
    size_t columns;
    char *name[MAX_CELLS], *value[MAX_CELLS];
};

static size_t split(char *text, char *cells[MAX_CELLS])
{
    size_t count = 0;
    text[strcspn(text, "\r\n")] = '\0';
    for (char *cell; count < MAX_CELLS && (cell = strsep(&text, ",")); count++)
        cells[count] = cell;
    return count;
}

/* The row whose first cells are key1 and, unless NULL, key2. */
static void read_reference(const char *relative, const char *key1, const char *key2,
                           struct reference *reference)
{
    char path[512];
    if (!test_data_path(relative, path, sizeof path))
        cr_skip_test("no shared data");
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    cr_assert_not_null(fgets(reference->header, sizeof reference->header, file));
    reference->columns = split(reference->header, reference->name);
    do {
        cr_assert_not_null(fgets(reference->row, sizeof reference->row, file), "no row %s", key1);
        split(reference->row, reference->value);
    } while (strcmp(reference->value[0], key1) != 0 ||
             (key2 && strcmp(reference->value[1], key2) != 0));
    fclose(file);
}

static const char *find(const struct reference *reference, const char *name)
{
    for (size_t i = 0; i < reference->columns; i++)
        if (strcmp(reference->name[i], name) == 0)
            return reference->value[i];
    cr_assert_fail("no column %s", name);
    return NULL;
}

/* Equal to the six digits that are printed there. An empty cell: NaN. */
static void expect_digits(const struct reference *reference, const char *name, double actual)
{
    char text[32];
    const char *expected = find(reference, name);
    snprintf(text, sizeof text, "%.6g", actual);
    if (expected[0])
        cr_expect_str_eq(text, expected, "%s %s: %s, expected %s", reference->value[0], name, text,
                         expected);
    else
        cr_expect(isnan(actual), "%s %s: %s, expected nothing", reference->value[0], name, text);
}

/* The reference fitted times rounded to a quarter of a microsecond (doubles that count from 1970)
 * and stopped a little short of the maximum: four digits agree. */
static void expect_fit(const struct reference *reference, const char *name, double actual)
{
    const char *expected = find(reference, name);
    if (!expected[0]) {
        cr_expect(isnan(actual), "%s %s: expected nothing", reference->value[0], name);
        return;
    }
    double value = atof(expected);
    double tolerance = (strncmp(name, "ks_", 3) == 0 ? 1e-3 : 2e-4) * value;
    cr_expect_leq(fabs(actual - value), tolerance, "%s %s: %.6g, expected %s", reference->value[0],
                  name, actual, expected);
}

static void check_arrivals(const struct reference *reference, const struct arrival_stats *stats)
{
    static const char *const fit_columns[RENEWAL_COUNT][3] = {
        {NULL, NULL, "ks_exponential"},
        {"gamma_shape", "gamma_scale_s", "ks_gamma"},
        {"weibull_shape", "weibull_scale_s", "ks_weibull"},
    };
    expect_digits(reference, "span_s", stats->span_s);
    expect_digits(reference, "mean_rps", stats->mean_rps);
    expect_digits(reference, "iat_cv", stats->iat_cv);
    expect_digits(reference, "iat_cv_5min_median", stats->iat_cv_5min_median);
    expect_digits(reference, "zero_iat_frac", stats->zero_iat_fraction);
    expect_digits(reference, "peak_to_mean_per_minute", stats->per_minute.peak_to_mean);
    expect_digits(reference, "iod_per_minute", stats->per_minute.index_of_dispersion);
    expect_digits(reference, "peak_to_mean_per_second", stats->per_second.peak_to_mean);
    expect_digits(reference, "iod_per_second", stats->per_second.index_of_dispersion);
    for (int kind = 0; kind < RENEWAL_COUNT; kind++) {
        if (fit_columns[kind][0])
            expect_fit(reference, fit_columns[kind][0], stats->fit[kind].shape);
        if (fit_columns[kind][1])
            expect_fit(reference, fit_columns[kind][1], stats->fit[kind].scale_s);
        expect_fit(reference, fit_columns[kind][2], stats->fit[kind].ks);
    }
    cr_expect_str_eq(stats->best_fit < 0 ? "" : renewal_names[stats->best_fit],
                     find(reference, "best_arrival_aic"));
}

static void check_lengths(const char *trace, const struct reference *reference, const char *prefix,
                          const char *field, const struct length_stats *stats)
{
    char name[32];
    const struct {
        const char *suffix;
        double value;
    } columns[] = {{"mean", stats->mean},
                   {"sd", stats->sd},
                   {"ln_mu", stats->lognormal.mu},
                   {"ln_sigma", stats->lognormal.sigma},
                   {"ln_ks", stats->lognormal.ks}};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        snprintf(name, sizeof name, "%s_%s", prefix, columns[i].suffix);
        expect_digits(reference, name, columns[i].value);
    }
    static struct reference quantiles;
    read_reference("traces/quantiles.csv", trace, field, &quantiles);
    for (int i = 0; i < STATS_QUANTILES; i++) {
        snprintf(name, sizeof name, "p%g", stats_quantile_percent[i]);
        expect_digits(&quantiles, name, stats->quantile[i]);
    }
    expect_digits(&quantiles, "max", stats->max);
}

static void check_prefixes(const struct reference *reference, const struct prefix_stats *stats)
{
    if (!find(reference, "blocks")[0]) {
        cr_expect_eq(stats->block_tok, 0);
        return;
    }
    expect_digits(reference, "block_tokens", stats->block_tok);
    expect_digits(reference, "blocks", (double)stats->blocks);
    expect_digits(reference, "unique_blocks", (double)stats->unique_blocks);
    expect_digits(reference, "ideal_block_hit_rate", stats->ideal_block_hit_rate);
    expect_digits(reference, "ideal_token_hit_rate", stats->ideal_token_hit_rate);
    expect_digits(reference, "requests_with_2plus_cached_blocks",
                  stats->requests_with_2plus_cached_blocks);
    expect_digits(reference, "lru_hit_1k_blocks", stats->lru_block_hit_rate[0]);
    expect_digits(reference, "lru_hit_10k_blocks", stats->lru_block_hit_rate[1]);
    expect_digits(reference, "lru_hit_50k_blocks", stats->lru_block_hit_rate[2]);
}

static void check_trace(const char *trace, const char *file)
{
    static struct reference reference;
    struct trace_stats stats;
    char relative[256], path[512];
    read_reference("traces/statistics.csv", trace, NULL, &reference);
    snprintf(relative, sizeof relative, "traces/requests/%s", file);
    if (!test_data_path(relative, path, sizeof path))
        cr_skip_test("no shared data");
    collect(path, &stats);
    expect_digits(&reference, "requests", (double)stats.requests);
    check_arrivals(&reference, &stats.arrivals);
    check_lengths(trace, &reference, "in", "input", &stats.prompt);
    check_lengths(trace, &reference, "out", "output", &stats.output);
    expect_digits(&reference, "spearman_in_out", stats.spearman);
    expect_digits(&reference, "kendall_in_out", stats.kendall);
    check_prefixes(&reference, &stats.prefix);
}

Test(trace_stats, azure_conversation_as_published)
{
    check_trace("azure2023_conv", "azure2023_conv.csv");
}

Test(trace_stats, azure_code_as_published)
{
    check_trace("azure2023_code_first_half", "azure2023_code_first_half.csv");
}

Test(trace_stats, mooncake_conversation_as_published)
{
    check_trace("mooncake_conversation", "mooncake_conversation.jsonl");
}

/* --- by hand --- */

#define VIDUR "arrived_at,num_prefill_tokens,num_decode_tokens\n"

Test(trace_stats, small_trace_by_hand)
{
    struct trace_stats stats;
    /* full seconds 0, 1 and 2 hold 3, 0 and 1 requests; the one at 3.5 s is in none */
    collect_text(VIDUR "0,10,1\n0.5,20,2\n0.5,30,3\n2,40,4\n3.5,50,0\n3.5,50,5\n", &stats);
    cr_expect_eq(stats.requests, 5);
    cr_expect_eq(stats.skipped, 1);
    cr_expect_eq(stats.arrivals.span_s, 3.5);
    cr_expect_float_eq(stats.arrivals.mean_rps, 4 / 3.5, 1e-15);
    cr_expect_eq(stats.arrivals.zero_iat_fraction, 0.25);
    cr_expect_float_eq(stats.arrivals.per_second.peak_to_mean, 3 / (4.0 / 3), 1e-12);
    cr_expect_float_eq(stats.arrivals.per_second.index_of_dispersion, (14.0 / 9) / (4.0 / 3),
                       1e-12);
    cr_expect(isnan(stats.arrivals.per_minute.peak_to_mean), "no full minute");
    cr_expect(isnan(stats.arrivals.iat_cv_5min_median), "no full window");
    cr_expect_eq(stats.arrivals.best_fit, -1, "a quarter of the gaps is zero: rounded times");
    cr_expect_eq(stats.prompt.mean, 30);
    cr_expect_float_eq(stats.prompt.sd, sqrt(200), 1e-12);
    cr_expect_eq(stats.prompt.quantile[4], 30);
    cr_expect_eq(stats.prompt.quantile[0], 10);
    cr_expect_eq(stats.prompt.max, 50);
    cr_expect_float_eq(stats.spearman, 1, 1e-12);
    cr_expect_float_eq(stats.kendall, 1, 1e-12);
    cr_expect_eq(stats.prefix.block_tok, 0);
}

Test(trace_stats, one_request_and_no_time)
{
    struct trace_stats stats;
    collect_text(VIDUR "7,10,1\n", &stats);
    cr_expect_eq(stats.requests, 1);
    cr_expect_eq(stats.arrivals.span_s, 0);
    cr_expect(isnan(stats.arrivals.mean_rps));
    cr_expect(isnan(stats.arrivals.iat_cv));
    cr_expect(isnan(stats.spearman));
    cr_expect_eq(stats.arrivals.best_fit, -1);
    cr_expect_eq(stats.prompt.quantile[9], 10);
    collect_text(VIDUR "7,10,1\n7,20,1\n", &stats);
    cr_expect(isnan(stats.arrivals.iat_cv));
    cr_expect_eq(stats.arrivals.zero_iat_fraction, 1);
}

Test(trace_stats, a_partial_block_counts_by_its_tokens)
{
    struct trace_stats stats;
    collect_text("{\"timestamp\":0,\"input_length\":600,\"output_length\":1,\"hash_ids\":[1,2]}\n"
                 "{\"timestamp\":9,\"input_length\":600,\"output_length\":1,\"hash_ids\":[1,2]}\n"
                 "{\"timestamp\":9,\"input_length\":600,\"output_length\":1,\"hash_ids\":[1,3]}\n",
                 &stats);
    cr_expect_eq(stats.prefix.blocks, 6);
    cr_expect_eq(stats.prefix.unique_blocks, 3);
    cr_expect_float_eq(stats.prefix.ideal_block_hit_rate, 3.0 / 6, 1e-15);
    cr_expect_float_eq(stats.prefix.ideal_token_hit_rate, (600.0 + 512) / 1800, 1e-15);
    cr_expect_float_eq(stats.prefix.requests_with_2plus_cached_blocks, 1.0 / 3, 1e-15);
}
