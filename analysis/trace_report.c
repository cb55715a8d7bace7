#include "analysis/trace_report.h"

#include "analysis/human.h"
#include "sim/json_writer.h"

/* --- table --- */

enum { LABEL_COLUMNS = 24, TITLE_COLUMNS = 60 };

static void put_label(FILE *out, const char *label)
{
    fprintf(out, "  %-*s", LABEL_COLUMNS, label);
}

static void put_number(FILE *out, double value)
{
    char text[HUMAN_SIZE];
    fprintf(out, " %9s", human_number(value, text));
}

static void put_share(FILE *out, double share)
{
    char text[HUMAN_SIZE];
    fprintf(out, " %9s", human_percent(share, text));
}

static void print_head(const char *name, const struct trace_stats *stats, FILE *out)
{
    char title[4 * TITLE_COLUMNS + 1], count[HUMAN_SIZE], span[HUMAN_SIZE], rate[HUMAN_SIZE];
    fprintf(out, "%s: %s requests in %s, %s per second\n",
            human_name(name, TITLE_COLUMNS, title, sizeof title),
            human_count(stats->requests, count), human_duration(stats->arrivals.span_s, span),
            human_number(stats->arrivals.mean_rps, rate));
    if (stats->skipped > 0)
        fprintf(out, "%s more without prompt or output tokens were left out\n",
                human_count(stats->skipped, count));
}

static void print_fit(const struct arrival_stats *arrivals, int kind, FILE *out)
{
    const struct renewal_fit *fit = &arrivals->fit[kind];
    char scale[HUMAN_SIZE];
    put_label(out, renewal_names[kind]);
    put_number(out, fit->shape);
    fprintf(out, " %9s", human_duration(fit->scale_s, scale));
    put_number(out, fit->ks);
    fprintf(out, "%s\n", kind == arrivals->best_fit ? "  best by AIC" : "");
}

static void print_arrivals(const struct arrival_stats *arrivals, FILE *out)
{
    fprintf(out, "\nArrivals\n");
    put_label(out, "inter-arrival cv");
    put_number(out, arrivals->iat_cv);
    fprintf(out, "\n");
    put_label(out, "  median of 5 minutes");
    put_number(out, arrivals->iat_cv_5min_median);
    fprintf(out, "\n");
    put_label(out, "at the same time");
    put_share(out, arrivals->zero_iat_fraction);
    fprintf(out, "\n\n%*s%10s %9s\n", LABEL_COLUMNS + 2, "", "a minute", "a second");
    put_label(out, "peak / mean");
    put_number(out, arrivals->per_minute.peak_to_mean);
    put_number(out, arrivals->per_second.peak_to_mean);
    fprintf(out, "\n");
    put_label(out, "index of dispersion");
    put_number(out, arrivals->per_minute.index_of_dispersion);
    put_number(out, arrivals->per_second.index_of_dispersion);
    fprintf(out, "\n");
    if (arrivals->best_fit < 0)
        return;
    fprintf(out, "\n%-*s%10s %9s %9s\n", LABEL_COLUMNS + 2, "  as a renewal process", "shape",
            "scale", "KS");
    for (int kind = 0; kind < RENEWAL_COUNT; kind++)
        print_fit(arrivals, kind, out);
}

static void print_lengths(const char *label, const struct length_stats *lengths, FILE *out)
{
    fprintf(out, "  %-7s %7.5g %7.5g", label, lengths->mean, lengths->sd);
    for (int i = 0; i < STATS_QUANTILES; i++)
        fprintf(out, " %5u", lengths->quantile[i]);
    fprintf(out, " %6u\n", lengths->max);
}

static void print_lognormal(const char *label, const struct lognormal_fit *fit, FILE *out)
{
    put_label(out, label);
    put_number(out, fit->mu);
    put_number(out, fit->sigma);
    put_number(out, fit->ks);
    fprintf(out, "\n");
}

static void print_tokens(const struct trace_stats *stats, FILE *out)
{
    fprintf(out, "\n  %-7s %7s %7s", "Tokens", "mean", "sd");
    for (int i = 0; i < STATS_QUANTILES; i++) {
        char label[HUMAN_SIZE];
        snprintf(label, sizeof label, "p%g", stats_quantile_percent[i]);
        fprintf(out, " %5s", label);
    }
    fprintf(out, " %6s\n", "max");
    print_lengths("prompt", &stats->prompt, out);
    print_lengths("output", &stats->output, out);
    fprintf(out, "\n%-*s%10s %9s %9s\n", LABEL_COLUMNS + 2, "  as a lognormal", "mu", "sigma",
            "KS");
    print_lognormal("prompt", &stats->prompt.lognormal, out);
    print_lognormal("output", &stats->output.lognormal, out);
    fprintf(out, "\n");
    put_label(out, "Spearman, Kendall");
    fprintf(out, " %9.3f %9.3f\n", stats->spearman, stats->kendall);
}

static void print_prefixes(const struct prefix_stats *prefix, FILE *out)
{
    char blocks[HUMAN_SIZE], unique[HUMAN_SIZE];
    fprintf(out, "\nPrefix blocks of %u tokens: %s, of which %s differ\n", prefix->block_tok,
            human_count(prefix->blocks, blocks), human_count(prefix->unique_blocks, unique));
    put_label(out, "hits, unbounded cache");
    put_share(out, prefix->ideal_block_hit_rate);
    fprintf(out, " of blocks, %.1f %% of tokens\n", 100 * prefix->ideal_token_hit_rate);
    for (int i = 0; i < STATS_CACHES; i++) {
        char label[64];
        snprintf(label, sizeof label, "hits, LRU of %s",
                 human_count(stats_cache_blocks[i], blocks));
        put_label(out, label);
        put_share(out, prefix->lru_block_hit_rate[i]);
        fprintf(out, " of blocks\n");
    }
    put_label(out, "requests reusing 2+");
    put_share(out, prefix->requests_with_2plus_cached_blocks);
    fprintf(out, "\n");
}

void trace_report_table(const char *name, const struct trace_stats *stats, FILE *out)
{
    print_head(name, stats, out);
    print_arrivals(&stats->arrivals, out);
    print_tokens(stats, out);
    if (stats->prefix.block_tok > 0)
        print_prefixes(&stats->prefix, out);
}

/* --- JSON --- */

static void put_count_stats(struct json_writer *json, const char *key,
                            const struct count_stats *stats)
{
    json_begin_object(json, key);
    json_put_number(json, "peak_to_mean", stats->peak_to_mean);
    json_put_number(json, "index_of_dispersion", stats->index_of_dispersion);
    json_end_object(json);
}

static void put_arrivals(struct json_writer *json, const struct arrival_stats *arrivals)
{
    json_begin_object(json, "arrivals");
    json_put_number(json, "span_s", arrivals->span_s);
    json_put_number(json, "mean_rps", arrivals->mean_rps);
    json_put_number(json, "iat_cv", arrivals->iat_cv);
    json_put_number(json, "iat_cv_5min_median", arrivals->iat_cv_5min_median);
    json_put_number(json, "zero_iat_fraction", arrivals->zero_iat_fraction);
    put_count_stats(json, "per_minute", &arrivals->per_minute);
    put_count_stats(json, "per_second", &arrivals->per_second);
    json_begin_object(json, "fits");
    for (int kind = 0; kind < RENEWAL_COUNT; kind++) {
        const struct renewal_fit *fit = &arrivals->fit[kind];
        json_begin_object(json, renewal_names[kind]);
        json_put_number(json, "shape", fit->shape);
        json_put_number(json, "scale_s", fit->scale_s);
        json_put_number(json, "ks", fit->ks);
        json_put_number(json, "aic", fit->aic);
        json_end_object(json);
    }
    json_end_object(json);
    json_put_string(json, "best_fit",
                    arrivals->best_fit < 0 ? NULL : renewal_names[arrivals->best_fit]);
    json_end_object(json);
}

static void put_lengths(struct json_writer *json, const char *key,
                        const struct length_stats *lengths)
{
    json_begin_object(json, key);
    json_put_number(json, "mean", lengths->mean);
    json_put_number(json, "sd", lengths->sd);
    for (int i = 0; i < STATS_QUANTILES; i++) {
        char name[HUMAN_SIZE];
        snprintf(name, sizeof name, "p%g", stats_quantile_percent[i]);
        json_put_integer(json, name, lengths->quantile[i]);
    }
    json_put_integer(json, "max", lengths->max);
    json_begin_object(json, "lognormal");
    json_put_number(json, "mu", lengths->lognormal.mu);
    json_put_number(json, "sigma", lengths->lognormal.sigma);
    json_put_number(json, "ks", lengths->lognormal.ks);
    json_end_object(json);
    json_end_object(json);
}

static void put_prefixes(struct json_writer *json, const struct prefix_stats *prefix)
{
    if (prefix->block_tok == 0) {
        json_put_null(json, "prefix");
        return;
    }
    json_begin_object(json, "prefix");
    json_put_integer(json, "block_tok", prefix->block_tok);
    json_put_integer(json, "blocks", (int64_t)prefix->blocks);
    json_put_integer(json, "unique_blocks", (int64_t)prefix->unique_blocks);
    json_put_number(json, "ideal_block_hit_rate", prefix->ideal_block_hit_rate);
    json_put_number(json, "ideal_token_hit_rate", prefix->ideal_token_hit_rate);
    json_put_number(json, "requests_with_2plus_cached_blocks",
                    prefix->requests_with_2plus_cached_blocks);
    json_begin_object(json, "lru_block_hit_rate");
    for (int i = 0; i < STATS_CACHES; i++) {
        char name[HUMAN_SIZE];
        snprintf(name, sizeof name, "%u", stats_cache_blocks[i]);
        json_put_number(json, name, prefix->lru_block_hit_rate[i]);
    }
    json_end_object(json);
    json_end_object(json);
}

void trace_report_json(const char *name, const struct trace_stats *stats, FILE *out)
{
    struct json_writer *json = json_writer_create();
    json_begin_object(json, NULL);
    json_put_string(json, "trace", name);
    json_put_integer(json, "requests", (int64_t)stats->requests);
    json_put_integer(json, "skipped", (int64_t)stats->skipped);
    put_arrivals(json, &stats->arrivals);
    put_lengths(json, "prompt_tok", &stats->prompt);
    put_lengths(json, "output_tok", &stats->output);
    json_put_number(json, "spearman", stats->spearman);
    json_put_number(json, "kendall", stats->kendall);
    put_prefixes(json, &stats->prefix);
    json_end_object(json);
    fputs(json_writer_text(json, NULL), out);
    json_writer_destroy(json);
}
