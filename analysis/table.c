#include "analysis/table.h"

#include <math.h>

#include "analysis/basis_report.h"
#include "analysis/client_report.h"
#include "analysis/elastic_report.h"
#include "analysis/human.h"
#include "analysis/model_report.h"
#include "analysis/money_report.h"
#include "analysis/prefix_report.h"
#include "analysis/transfer_report.h"

enum {
    NAME_COLUMNS = 18,
    NAME_SIZE = 4 * NAME_COLUMNS + 1,
    CLASS_COLUMNS_MAX = 40,
    TITLE_COLUMNS = 60
};

static void put_name(FILE *out, const char *name)
{
    char text[NAME_SIZE];
    human_put_left(out, human_name(name, NAME_COLUMNS, text, sizeof text), NAME_COLUMNS);
}

static void put_right(FILE *out, const char *text, int columns)
{
    fprintf(out, " %*s", columns - 1, text);
}

static void print_head(const struct summary *summary, FILE *out)
{
    char title[4 * TITLE_COLUMNS + 1], a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE], d[HUMAN_SIZE];
    fprintf(out, "%s", human_name(summary->facts.scenario, TITLE_COLUMNS, title, sizeof title));
    fprintf(out, ": %s simulated%s\n", human_duration(summary->simulated_s, a),
            summary->interrupted ? ", then INTERRUPTED: what follows covers only that" : "");
    fprintf(out, "%s requests: %s completed, %s rejected, %s in flight at the end",
            human_count(summary->arrived, a), human_count(summary->completed, b),
            human_count(summary->rejected, c), human_count(summary->in_flight, d));
    if (summary->clients)
        fprintf(out, ", %s cancelled", human_count(summary->cancelled, a));
    if (summary->skipped)
        fprintf(out, ", %s skipped", human_count(summary->skipped, a));
    if (summary->measured < summary->completed + summary->rejected + summary->cancelled)
        fprintf(out, "\n%s of them arrived after the warm-up and are measured",
                human_count(summary->measured, a));
    fprintf(out, "\n");
}

void table_print_latency(const char *name, const struct quantiles *quantiles, FILE *out)
{
    const double columns[] = {quantiles->mean, quantiles->p50, quantiles->p90,
                              quantiles->p95,  quantiles->p99, quantiles->max};
    char text[HUMAN_SIZE];
    human_put_left(out, name, NAME_COLUMNS);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        put_right(out, human_duration(columns[i], text), 11);
    fprintf(out, "\n");
}

static void print_latencies(const struct summary *summary, FILE *out)
{
    human_put_left(out, "\nlatency", NAME_COLUMNS + 1);
    const char *const columns[] = {"mean", "p50", "p90", "p95", "p99", "max"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        put_right(out, columns[i], 11);
    fprintf(out, "\n");
    table_print_latency("  TTFT", &summary->ttft_s, out);
    table_print_latency("  TPOT", &summary->tpot_s, out);
    table_print_latency("  ITL", &summary->itl_s, out);
    table_print_latency("  E2E", &summary->e2e_s, out);
    table_print_latency("  queue", &summary->queue_s, out);
}

static void print_totals(const struct summary *summary, FILE *out)
{
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE], d[HUMAN_SIZE];
    fprintf(out, "\nthroughput  %s requests/s, %s output tokens/s, %s tokens/s in all\n",
            human_number(summary->requests_per_s, a), human_number(summary->output_tok_per_s, b),
            human_number(summary->total_tok_per_s, c));
    fprintf(out,
            "cost        %s per hour, %s in all: %s per million tokens, %s per 1,000 requests\n",
            human_usd(summary->usd_per_hour, a), human_usd(summary->cost_usd, b),
            human_usd(summary->usd_per_million_tok, c), human_usd(summary->usd_per_1k_requests, d));
    fprintf(out, "energy      %s, %s W on average, %s J per output token\n",
            human_energy(summary->energy_j, a), human_number(summary->mean_power_w, b),
            human_number(summary->joules_per_output_tok, c));
}

static void print_bound(const char *name, double bound_s, const char **separator, FILE *out)
{
    if (isnan(bound_s))
        return;
    bool in_ms = bound_s < 1;
    fprintf(out, "%s%s <= %g %s", *separator, name, in_ms ? bound_s * 1e3 : bound_s,
            in_ms ? "ms" : "s");
    *separator = ", ";
}

static void print_rule(const struct slo_summary *slo, FILE *out)
{
    char a[HUMAN_SIZE], b[HUMAN_SIZE];
    fprintf(out, "  ");
    put_name(out, slo->class_name ? slo->class_name : "every request");
    const char *separator = "";
    print_bound("TTFT", slo->rule->ttft_s, &separator, out);
    print_bound("TPOT", slo->rule->tpot_s, &separator, out);
    print_bound("E2E", slo->rule->e2e_s, &separator, out);
    fprintf(out, " for %g %%: ", slo->rule->percentile);
    if (slo->requests == 0)
        fprintf(out, "no such requests\n");
    else
        fprintf(out, "%s (%s of %s)\n", slo->kept ? "kept" : "MISSED",
                human_percent(slo->attainment, a), human_count(slo->requests, b));
}

static void print_slos(const struct summary *summary, FILE *out)
{
    if (summary->facts.spec->slo_count == 0)
        return;
    char a[HUMAN_SIZE], b[HUMAN_SIZE];
    fprintf(out, "SLO         %s of requests within every bound, goodput %s requests/s\n",
            human_percent(summary->attainment, a),
            human_number(summary->goodput_requests_per_s, b));
    for (size_t i = 0; i < summary->facts.spec->slo_count; i++)
        print_rule(&summary->slos[i], out);
}

static void print_class(const struct class_summary *class, size_t name_columns, FILE *out)
{
    char text[HUMAN_SIZE], name[4 * CLASS_COLUMNS_MAX + 1];
    fprintf(out, "  ");
    human_put_left(out, human_name(class->name, name_columns, name, sizeof name), name_columns);
    put_right(out, human_count(class_summary_requests(class), text), 12);
    put_right(out, human_duration(class->ttft_s.p50, text), 10);
    put_right(out, human_duration(class->ttft_s.p99, text), 10);
    put_right(out, human_duration(class->tpot_s.p50, text), 10);
    put_right(out, human_duration(class->tpot_s.p99, text), 10);
    put_right(out, human_duration(class->e2e_s.p99, text), 10);
    put_right(out, human_percent(class->attainment, text), 9);
    fprintf(out, "\n");
}

/* Room for the longest name: a plan's classes differ only towards their ends. */
static size_t class_columns(const struct summary *summary, size_t count)
{
    size_t columns = NAME_COLUMNS;
    for (size_t i = 0; i < count; i++) {
        size_t width = human_width(summary->classes[i].name);
        columns = width > columns ? width : columns;
    }
    return columns < CLASS_COLUMNS_MAX ? columns : CLASS_COLUMNS_MAX;
}

static void print_classes(const struct summary *summary, FILE *out)
{
    if (summary->facts.spec->class_count < 2)
        return;
    size_t count = summary_shown_classes(summary);
    size_t columns = class_columns(summary, count);
    fprintf(out, "\n%-*s%12s%10s%10s%10s%10s%10s%9s\n", (int)columns + 2, "class", "requests",
            "TTFT p50", "TTFT p99", "TPOT p50", "TPOT p99", "E2E p99", "SLO");
    for (size_t i = 0; i < count; i++)
        print_class(&summary->classes[i], columns, out);
}

static void print_pool(const struct pool_summary *pool, FILE *out)
{
    char text[HUMAN_SIZE], gpu[NAME_SIZE], gpus[NAME_SIZE + 48];
    fprintf(out, "  ");
    put_name(out, pool->name);
    human_name(pool->facts->gpu, 13, gpu, sizeof gpu);
    snprintf(gpus, sizeof gpus, "%lld %s", (long long)pool->gpus, gpu);
    fprintf(out, " ");
    human_put_left(out, gpus, 16);
    put_right(out, human_count(pool->completed, text), 10);
    put_right(out, human_percent(pool->utilisation, text), 8);
    put_right(out, human_number(pool->mean_batch, text), 7);
    put_right(out, human_percent(pool->peak_kv, text), 8);
    put_right(out, human_count(pool->preemptions, text), 9);
    put_right(out, human_usd(pool->usd_per_hour, text), 9);
    put_right(out, human_usd(pool->usd_per_million_tok, text), 8);
    fprintf(out, "\n");
}

static void print_pools(const struct summary *summary, FILE *out)
{
    fprintf(out, "\n%-21s%-16s%10s%8s%7s%8s%9s%9s%8s\n", "pool", "GPUs", "completed", "busy",
            "batch", "KV peak", "preempt", "per hour", "/M tok");
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++)
        print_pool(&summary->pools[i], out);
}

static void print_step_times(const struct summary *summary, FILE *out)
{
    fprintf(out, "\nstep times\n");
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++) {
        fprintf(out, "  ");
        put_name(out, summary->pools[i].name);
        fprintf(out, " ");
        basis_print(summary->pools[i].facts->basis, out);
        fprintf(out, "\n");
    }
}

void table_print(const struct summary *summary, FILE *out)
{
    print_head(summary, out);
    print_latencies(summary, out);
    print_totals(summary, out);
    client_report_print(summary, out);
    elastic_report_print(summary, out);
    money_report_print(summary, out);
    print_slos(summary, out);
    print_classes(summary, out);
    model_report_print(summary, out);
    print_pools(summary, out);
    transfer_report_print(summary, out);
    prefix_report_print(summary, out);
    print_step_times(summary, out);
}
