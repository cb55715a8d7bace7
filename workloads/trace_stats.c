#include "workloads/trace_stats.h"

#include <gsl/gsl_statistics.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/block_cache.h"
#include "workloads/rank_correlation.h"

const double stats_quantile_percent[STATS_QUANTILES] = {1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9};
const uint32_t stats_cache_blocks[STATS_CACHES] = {1000, 10000, 50000};

/* --- prefix blocks: counted while the requests pass --- */

struct prefix_counter {
    struct block_cache *unbounded, *bounded[STATS_CACHES];
    uint32_t block_tok;
    uint64_t requests, reusing, blocks, hits, tokens, hit_tokens, bounded_hits[STATS_CACHES];
};

static void prefix_end(struct prefix_counter *counter)
{
    block_cache_destroy(counter->unbounded);
    for (int i = 0; i < STATS_CACHES; i++)
        block_cache_destroy(counter->bounded[i]);
}

static bool prefix_begin(struct prefix_counter *counter)
{
    *counter = (struct prefix_counter){.unbounded = block_cache_create(SIZE_MAX)};
    bool ok = counter->unbounded != NULL;
    for (int i = 0; i < STATS_CACHES; i++)
        ok &= (counter->bounded[i] = block_cache_create(stats_cache_blocks[i])) != NULL;
    return ok;
}

static void prefix_count(struct prefix_counter *counter, const struct arrival *arrival)
{
    counter->requests++;
    counter->tokens += arrival->prompt_tok;
    if (arrival->blocks == 0)
        return;
    size_t hits = block_cache_use(counter->unbounded, arrival->hash_ids, arrival->blocks);
    uint64_t hit_tokens = (uint64_t)hits * arrival->block_tok; /* the last block may be partial */
    counter->block_tok = arrival->block_tok;
    counter->blocks += arrival->blocks;
    counter->hits += hits;
    counter->reusing += hits >= 2;
    counter->hit_tokens += hit_tokens < arrival->prompt_tok ? hit_tokens : arrival->prompt_tok;
    for (int i = 0; i < STATS_CACHES; i++)
        counter->bounded_hits[i] +=
            block_cache_use(counter->bounded[i], arrival->hash_ids, arrival->blocks);
}

static void prefix_report(const struct prefix_counter *counter, struct prefix_stats *stats)
{
    double blocks = (double)counter->blocks;
    if (counter->blocks == 0)
        return;
    *stats = (struct prefix_stats){
        .block_tok = counter->block_tok,
        .blocks = counter->blocks,
        .unique_blocks = block_cache_held(counter->unbounded),
        .ideal_block_hit_rate = (double)counter->hits / blocks,
        .ideal_token_hit_rate = (double)counter->hit_tokens / (double)counter->tokens,
        .requests_with_2plus_cached_blocks = (double)counter->reusing / (double)counter->requests};
    for (int i = 0; i < STATS_CACHES; i++)
        stats->lru_block_hit_rate[i] = (double)counter->bounded_hits[i] / blocks;
}

/* --- collecting --- */

struct requests {
    double *time_s;
    uint32_t *prompt_tok, *output_tok;
    size_t count, capacity;
};

static void requests_free(struct requests *requests)
{
    free(requests->time_s);
    free(requests->prompt_tok);
    free(requests->output_tok);
}

static bool grow(struct requests *requests)
{
    size_t capacity = requests->capacity ? requests->capacity * 2 : 4096;
    double *time_s = reallocarray(requests->time_s, capacity, sizeof *time_s);
    if (time_s)
        requests->time_s = time_s;
    uint32_t *prompt_tok = reallocarray(requests->prompt_tok, capacity, sizeof *prompt_tok);
    if (prompt_tok)
        requests->prompt_tok = prompt_tok;
    uint32_t *output_tok = reallocarray(requests->output_tok, capacity, sizeof *output_tok);
    if (output_tok)
        requests->output_tok = output_tok;
    if (!time_s || !prompt_tok || !output_tok)
        return false;
    requests->capacity = capacity;
    return true;
}

static bool add(struct requests *requests, const struct arrival *arrival)
{
    if (requests->count == requests->capacity && !grow(requests))
        return false;
    requests->time_s[requests->count] = arrival->time_s;
    requests->prompt_tok[requests->count] = arrival->prompt_tok;
    requests->output_tok[requests->count] = arrival->output_tok;
    requests->count++;
    return true;
}

static bool collect(struct source *source, struct requests *requests, struct prefix_counter *prefix,
                    struct error *error)
{
    double time_s;
    enum source_status status;
    while ((status = source_peek(source, &time_s, error)) == SOURCE_READY) {
        struct arrival arrival;
        source_take(source, &arrival);
        prefix_count(prefix, &arrival);
        if (!add(requests, &arrival))
            return error_set(error, ERROR_FAILED,
                             "out of memory: too many requests for statistics");
    }
    if (status == SOURCE_WAIT)
        return error_set(error, ERROR_BAD_INPUT,
                         "a closed-loop workload has no arrival times before it is simulated");
    return status == SOURCE_END;
}

/* --- arrivals --- */

static double coefficient_of_variation(const double *values, size_t count)
{
    double mean = gsl_stats_mean(values, 1, count);
    return sqrt(gsl_stats_variance_with_fixed_mean(values, 1, count, mean)) / mean;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double median(double *values, size_t count)
{
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof *values, compare_doubles);
    return gsl_stats_median_from_sorted_data(values, 1, count);
}

static struct count_stats count_windows(const struct requests *requests, double span_s,
                                        double window_s)
{
    uint64_t windows = (uint64_t)(span_s / window_s), peak = 0;
    double sum = 0, squares = 0;
    size_t i = 0;
    for (uint64_t w = 0; w < windows && i < requests->count; w++) {
        uint64_t count = 0;
        for (; i < requests->count && requests->time_s[i] < (double)(w + 1) * window_s; i++)
            count++;
        sum += (double)count;
        squares += (double)count * (double)count;
        peak = count > peak ? count : peak;
    }
    double mean = sum / (double)windows;
    if (windows == 0)
        return (struct count_stats){NAN, NAN};
    return (struct count_stats){(double)peak / mean,
                                (squares / (double)windows - mean * mean) / mean};
}

/* iat_s[i] lies between requests i and i + 1. cvs is scratch, as long as iat_s. */
static double windowed_cv(const struct requests *requests, const double *iat_s, double *cvs,
                          double span_s)
{
    const double window_s = 300;
    uint64_t windows = (uint64_t)(span_s / window_s);
    size_t found = 0, i = 0, last = requests->count - 1;
    for (uint64_t w = 0; w < windows && i < last; w++) {
        double end_s = (double)(w + 1) * window_s;
        size_t first = i;
        while (i < last && requests->time_s[i + 1] < end_s)
            i++;
        if (i - first >= 2 && requests->time_s[i] > requests->time_s[first])
            cvs[found++] = coefficient_of_variation(iat_s + first, i - first);
        while (i < last && requests->time_s[i] < end_s) /* the gap that crosses the window's end */
            i++;
    }
    return median(cvs, found);
}

static void fit_arrivals(struct arrival_stats *stats, const double *sorted_s, size_t count)
{
    size_t zeros = 0;
    while (zeros < count && sorted_s[zeros] == 0)
        zeros++;
    stats->zero_iat_fraction = (double)zeros / (double)count;
    stats->best_fit = -1;
    bool is_quantised = stats->zero_iat_fraction > QUANTISED_SHARE;
    for (int kind = 0; kind < RENEWAL_COUNT; kind++) {
        struct renewal_fit *fit = &stats->fit[kind];
        fit_renewal((enum renewal)kind, sorted_s + zeros, is_quantised ? 0 : count - zeros, fit);
        if (isfinite(fit->aic) &&
            (stats->best_fit < 0 || fit->aic < stats->fit[stats->best_fit].aic))
            stats->best_fit = kind;
    }
}

static bool describe_arrivals(const struct requests *requests, struct arrival_stats *stats)
{
    size_t count = requests->count - 1; /* of inter-arrival times */
    double span_s = requests->time_s[count] - requests->time_s[0];
    double *iat_s = calloc(2 * count + 1, sizeof *iat_s);
    if (!iat_s)
        return false;
    for (size_t i = 0; i < count; i++)
        iat_s[i] = requests->time_s[i + 1] - requests->time_s[i];
    stats->span_s = span_s;
    stats->mean_rps = span_s > 0 ? (double)count / span_s : NAN;
    stats->iat_cv = span_s > 0 ? coefficient_of_variation(iat_s, count) : NAN;
    stats->iat_cv_5min_median = windowed_cv(requests, iat_s, iat_s + count, span_s);
    stats->per_minute = count_windows(requests, span_s, 60);
    stats->per_second = count_windows(requests, span_s, 1);
    qsort(iat_s, count, sizeof *iat_s, compare_doubles);
    fit_arrivals(stats, iat_s, count);
    free(iat_s);
    return true;
}

/* --- lengths --- */

static int compare_tokens(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* Sorts the lengths. */
static void describe_lengths(uint32_t *tokens, size_t count, struct length_stats *stats)
{
    qsort(tokens, count, sizeof *tokens, compare_tokens);
    stats->mean = gsl_stats_uint_mean(tokens, 1, count);
    stats->sd = sqrt(gsl_stats_uint_variance_with_fixed_mean(tokens, 1, count, stats->mean));
    for (int i = 0; i < STATS_QUANTILES; i++) {
        double rank = ceil(stats_quantile_percent[i] / 100 * (double)count);
        stats->quantile[i] = tokens[rank < 1 ? 0 : (size_t)rank - 1];
    }
    stats->max = tokens[count - 1];
    fit_lognormal(tokens, count, &stats->lognormal);
}

static bool describe(struct requests *requests, struct trace_stats *stats, struct error *error)
{
    stats->requests = requests->count;
    if (requests->count == 0)
        return error_set(error, ERROR_BAD_INPUT, "the workload has no request");
    stats->spearman = rank_spearman(requests->prompt_tok, requests->output_tok, requests->count);
    stats->kendall = rank_kendall(requests->prompt_tok, requests->output_tok, requests->count);
    describe_lengths(requests->prompt_tok, requests->count, &stats->prompt);
    describe_lengths(requests->output_tok, requests->count, &stats->output);
    return describe_arrivals(requests, &stats->arrivals) ||
           error_set(error, ERROR_FAILED, "out of memory: too many requests for statistics");
}

bool trace_stats_collect(struct source *source, struct trace_stats *stats, struct error *error)
{
    struct requests requests = {0};
    struct prefix_counter prefix;
    *stats = (struct trace_stats){0};
    bool ok = prefix_begin(&prefix) || error_set(error, ERROR_FAILED, "out of memory");
    ok = ok && collect(source, &requests, &prefix, error) && describe(&requests, stats, error);
    if (ok) {
        prefix_report(&prefix, &stats->prefix);
        stats->skipped = source_skipped(source);
    }
    prefix_end(&prefix);
    requests_free(&requests);
    return ok;
}
