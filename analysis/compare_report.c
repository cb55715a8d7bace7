#include "analysis/compare_report.h"

#include <math.h>
#include <string.h>

#include "analysis/csv.h"
#include "analysis/human.h"
#include "sim/out_file.h"

enum { NAME_COLUMNS = 24, VALUE_COLUMNS = 16, NAME_SIZE = 4 * NAME_COLUMNS + 1 };

/* How a metric is called and printed. */
static const struct {
    const char *title;
    char *(*print)(double value, char *text);
    bool more_is_better;
} metrics[COMPARE_METRICS] = {
    [COMPARE_REQUESTS_PER_S] = {"requests completed (1/s)", human_number, true},
    [COMPARE_GOODPUT_REQUESTS_PER_S] = {"requests within their SLO (1/s)", human_number, true},
    [COMPARE_OUTPUT_TOK_PER_S] = {"output tokens (1/s)", human_number, true},
    [COMPARE_TOTAL_TOK_PER_S] = {"prompt and output tokens (1/s)", human_number, true},
    [COMPARE_ATTAINMENT] = {"SLO attainment (share)", human_percent, true},
    [COMPARE_TTFT_MEAN_S] = {"time to first token, mean (s)", human_duration, false},
    [COMPARE_TTFT_P50_S] = {"time to first token, median (s)", human_duration, false},
    [COMPARE_TTFT_P99_S] = {"time to first token, 99th percentile (s)", human_duration, false},
    [COMPARE_TPOT_MEAN_S] = {"time per output token, mean (s)", human_duration, false},
    [COMPARE_TPOT_P50_S] = {"time per output token, median (s)", human_duration, false},
    [COMPARE_TPOT_P99_S] = {"time per output token, 99th percentile (s)", human_duration, false},
    [COMPARE_ITL_P99_S] = {"inter-token latency, 99th percentile (s)", human_duration, false},
    [COMPARE_E2E_MEAN_S] = {"end-to-end latency, mean (s)", human_duration, false},
    [COMPARE_E2E_P50_S] = {"end-to-end latency, median (s)", human_duration, false},
    [COMPARE_E2E_P99_S] = {"end-to-end latency, 99th percentile (s)", human_duration, false},
    [COMPARE_MEAN_BATCH] = {"sequences per iteration, mean", human_number, false},
    [COMPARE_KV_SLOTS_HELD] = {"KV slots taken that hold a token (share)", human_percent, true},
    [COMPARE_USD_PER_MILLION_TOK] = {"USD per million tokens", human_usd, false},
    [COMPARE_USD_PER_MILLION_OUTPUT_TOK] = {"USD per million output tokens", human_usd, false},
    [COMPARE_JOULES_PER_OUTPUT_TOK] = {"joules per output token", human_number, false},
    [COMPARE_COST_USD] = {"the bill (USD)", human_usd, false},
    [COMPARE_REQUESTS_PER_USD] = {"requests per dollar", human_number, true},
    [COMPARE_USED_SHARE] = {"money for work that was of use (share of the bill)", human_percent,
                            true},
    [COMPARE_MEAN_REPLICAS] = {"replicas ready, mean", human_number, false},
    [COMPARE_PEAK_REPLICAS] = {"replicas ready, at most", human_number, false},
    [COMPARE_USD_PER_HOUR] = {"USD per hour, mean", human_usd, false},
    [COMPARE_UP_SHARE] = {"time with any replica ready (share)", human_percent, true},
    [COMPARE_FULL_SHARE] = {"time with as many replicas as wanted (share)", human_percent, true},
    [COMPARE_SPOT_SHARE] = {"nodes on Spot (share)", human_percent, true},
    [COMPARE_INTERRUPTIONS] = {"nodes taken back", human_number, false},
    [COMPARE_HELD_SHARE] = {"requests that no replica was there for (share)", human_percent, false},
    [COMPARE_MOVED_REQUESTS] = {"requests moved to another replica", human_number, false},
    [COMPARE_LOST_REQUESTS] = {"requests lost with a replica", human_number, false},
};

const char *compare_metric_title(enum compare_metric metric)
{
    return metrics[metric].title;
}

/* --- for people --- */

static const char *axis_of(const struct comparison *comparison)
{
    const struct scenario_sweep *sweep = comparison->config->sweep;
    if (!sweep)
        return "";
    return sweep->label ? sweep->label : sweep->set;
}

static void put_cell(const char *text, FILE *out)
{
    char name[4 * VALUE_COLUMNS + 1];
    human_name(text, VALUE_COLUMNS, name, sizeof name);
    fprintf(out, "  ");
    for (size_t width = human_width(name); width < VALUE_COLUMNS; width++)
        fputc(' ', out);
    fputs(name, out);
}

static void put_value(const struct compare_row *row, enum compare_metric metric, FILE *out)
{
    char text[HUMAN_SIZE];
    put_cell(row->done ? metrics[metric].print(row->values[metric], text) : "stopped", out);
}

static void put_name(const char *text, FILE *out)
{
    char name[NAME_SIZE];
    human_put_left(out, human_name(text, NAME_COLUMNS, name, sizeof name), NAME_COLUMNS);
}

/* Values of the sweep downwards, variants across. */
static void print_metric(const struct comparison *comparison, enum compare_metric metric, FILE *out)
{
    const struct scenario_variant *variants = comparison->config->variants.items;
    fprintf(out, "\n%s\n", metrics[metric].title);
    put_name(axis_of(comparison), out);
    for (size_t i = 0; i < comparison->config->variants.count; i++)
        put_cell(variants[i].name, out);
    fputc('\n', out);
    for (size_t at = 0; at < comparison->at_count; at++) {
        char text[HUMAN_SIZE];
        bool swept = comparison->config->sweep != NULL;
        put_name(swept ? human_number(comparison->rows[at].at, text) : "", out);
        for (size_t i = 0; i < comparison->config->variants.count; i++)
            put_value(&comparison->rows[i * comparison->at_count + at], metric, out);
        fputc('\n', out);
    }
}

/* "3.2" or "1.1 to 7.9" */
static void print_range(double least, double most, FILE *out)
{
    char text[HUMAN_SIZE];
    fputs(human_number(least, text), out);
    if (most > least * (1 + 1e-9))
        fprintf(out, " to %s", human_number(most, text));
}

static void print_claim(const struct comparison *comparison, const struct scenario_claim *claim,
                        FILE *out)
{
    struct ratio_range found = compare_ratio(comparison, claim);
    char text[HUMAN_SIZE];
    const double *published = claim->ratio.items;
    fprintf(out, "\n\"%s\" (%s)\n  %s, %s over %s: simulated ", claim->text, claim->source,
            compare_metric_names[claim->metric], claim->of, claim->over);
    print_range(found.least, found.most, out);
    if (comparison->config->sweep && metrics[claim->metric].more_is_better)
        fprintf(out, ", %s at their best", human_number(found.best, text));
    if (claim->ratio.count > 0) {
        fprintf(out, "; published ");
        print_range(published[0], published[claim->ratio.count - 1], out);
    }
    fputc('\n', out);
}

/* Requests that a variant could not take change what its latencies mean. */
static void print_losses(const struct comparison *comparison, FILE *out)
{
    size_t count = comparison->config->variants.count * comparison->at_count;
    for (size_t i = 0; i < count; i++) {
        const struct compare_row *row = &comparison->rows[i];
        char text[HUMAN_SIZE];
        uint64_t dropped = row->shed + row->lost; /* lost attempts may have been made good */
        if (!row->done || row->rejected <= dropped)
            continue;
        fprintf(out, "\n%s", row->variant);
        if (comparison->config->sweep)
            fprintf(out, " at %s", human_number(row->at, text));
        fprintf(out, " rejected %s requests: they are too long for it\n",
                human_count(row->rejected - dropped, text));
    }
}

void compare_print(const struct comparison *comparison, FILE *out)
{
    const struct config_list *shown = &comparison->config->metrics;
    const struct config_list *claims = &comparison->config->claims;
    fprintf(out, "%s\n", comparison->scenario->config.name);
    for (size_t i = 0; i < shown->count; i++)
        print_metric(comparison, (enum compare_metric)((const int *)shown->items)[i], out);
    print_losses(comparison, out);
    for (size_t i = 0; i < claims->count; i++)
        print_claim(comparison, &((const struct scenario_claim *)claims->items)[i], out);
}

/* --- for programs --- */

static void put_row(struct json_writer *writer, const struct compare_row *row)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "variant", row->variant);
    json_put_number(writer, "at", row->at);
    json_put_bool(writer, "done", row->done);
    json_put_integer(writer, "completed", (int64_t)row->completed);
    json_put_integer(writer, "rejected", (int64_t)row->rejected);
    json_put_integer(writer, "in_flight", (int64_t)row->in_flight);
    for (int metric = 0; metric < COMPARE_METRICS; metric++)
        json_put_number(writer, compare_metric_names[metric],
                        row->done ? row->values[metric] : NAN);
    json_end_object(writer);
}

static void put_claim(struct json_writer *writer, const struct comparison *comparison,
                      const struct scenario_claim *claim)
{
    struct ratio_range found = compare_ratio(comparison, claim);
    json_begin_object(writer, NULL);
    json_put_string(writer, "text", claim->text);
    json_put_string(writer, "source", claim->source);
    json_put_string(writer, "metric", compare_metric_names[claim->metric]);
    json_put_string(writer, "of", claim->of);
    json_put_string(writer, "over", claim->over);
    json_begin_list(writer, "published");
    for (size_t i = 0; i < claim->ratio.count; i++)
        json_put_number(writer, NULL, ((const double *)claim->ratio.items)[i]);
    json_end_list(writer);
    json_put_number(writer, "simulated_least", found.least);
    json_put_number(writer, "simulated_most", found.most);
    json_put_number(writer, "simulated_best", found.best);
    json_end_object(writer);
}

void compare_put(struct json_writer *writer, const struct comparison *comparison,
                 const char *const *command, size_t command_count)
{
    const struct config_list *claims = &comparison->config->claims;
    cJSON *resolved = scenario_to_json(comparison->scenario);
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", comparison->scenario->config.name);
    json_put_string(writer, "version", TOKENYARD_VERSION);
    json_begin_list(writer, "command");
    for (size_t i = 0; i < command_count; i++)
        json_put_string(writer, NULL, command[i]);
    json_end_list(writer);
    json_put_bool(writer, "interrupted", comparison->interrupted);
    json_begin_list(writer, "rows");
    for (size_t i = 0; i < comparison->config->variants.count * comparison->at_count; i++)
        put_row(writer, &comparison->rows[i]);
    json_end_list(writer);
    json_begin_list(writer, "claims");
    for (size_t i = 0; i < claims->count; i++)
        put_claim(writer, comparison, &((const struct scenario_claim *)claims->items)[i]);
    json_end_list(writer);
    json_put_tree(writer, "scenario", resolved);
    json_end_object(writer);
    cJSON_Delete(resolved);
}

static void put_csv(const struct comparison *comparison, FILE *out)
{
    fprintf(out, "variant,at,completed,rejected,in_flight");
    for (int metric = 0; metric < COMPARE_METRICS; metric++)
        fprintf(out, ",%s", compare_metric_names[metric]);
    fputc('\n', out);
    for (size_t i = 0; i < comparison->config->variants.count * comparison->at_count; i++) {
        const struct compare_row *row = &comparison->rows[i];
        if (!row->done)
            continue;
        csv_put_text(out, row->variant);
        csv_put_number(out, row->at);
        fprintf(out, ",%llu,%llu,%llu", (unsigned long long)row->completed,
                (unsigned long long)row->rejected, (unsigned long long)row->in_flight);
        for (int metric = 0; metric < COMPARE_METRICS; metric++)
            csv_put_number(out, row->values[metric]);
        fputc('\n', out);
    }
}

bool compare_write_csv(const char *path, const struct comparison *comparison, struct error *error)
{
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return false;
    put_csv(comparison, out_file_stream(file));
    return out_file_commit(file, error);
}
