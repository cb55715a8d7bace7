#include <math.h>

#include "analysis/csv.h"
#include "analysis/human.h"
#include "analysis/price_break_even.h"

#define MILLION 1e6

void break_even_report_fill(struct break_even_report *report, struct arena *arena)
{
    double api_usd = api_usd_per_tok(&report->api, &report->mix);
    report->found = break_even_find(&report->host, api_usd, arena);
    for (int i = 0; i < UTILISATIONS; i++) {
        struct self_hosting host = report->host;
        host.max_utilisation = 0.1 * (i + 2);
        report->sweep[i] =
            (struct break_even_at){host.max_utilisation, break_even_find(&host, api_usd, arena)};
    }
}

/* Volume from which self-hosting is cheaper for the first time; NaN: never. */
static double first_tok(const struct break_even *found)
{
    return found->count > 0 ? found->crossings[0].tok_per_month : NAN;
}

/* --- for people --- */

/* "12.3 M", "-" where there is no such volume. */
static const char *print_tok(double tok, char text[HUMAN_SIZE + 4])
{
    char digits[HUMAN_SIZE];
    if (!isfinite(tok))
        return "never";
    snprintf(text, HUMAN_SIZE + 4, "%s M", human_number(tok / MILLION, digits));
    return text;
}

static void print_host(const struct break_even_report *report, FILE *out)
{
    const struct self_hosting *host = &report->host;
    char usd[HUMAN_SIZE], tok[HUMAN_SIZE], use[HUMAN_SIZE], spare[HUMAN_SIZE], peak[HUMAN_SIZE];
    fprintf(out, "self-hosting: %s per node-hour, %s tokens/s, run at %s at most, %s spare",
            human_usd(host->usd_per_node_hour, usd), human_number(host->tok_per_s, tok),
            human_percent(host->max_utilisation, use), human_number(host->spare_nodes, spare));
    if (host->min_nodes > 0)
        fprintf(out, ", %s at least", human_number(host->min_nodes, spare));
    if (host->usd_per_month > 0)
        fprintf(out, ", %s a month on top", human_usd(host->usd_per_month, usd));
    fprintf(out, "\n");
    if (report->served_by_run)
        fprintf(out, "  (as in the run while busy, however full; else --node-tok-per-s)\n");
    if (host->load)
        fprintf(out, "load: its peak is %s times its mean; nodes %s\n",
                human_number(load_duration_peak(host->load) / host->load->mean, peak),
                host->follows_load ? "follow it" : "are there for the peak all the time");
}

static void print_api(const struct break_even_report *report, FILE *out)
{
    const struct api_prices *api = &report->api;
    const struct token_mix *mix = &report->mix;
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE];
    if (report->api_name)
        fprintf(out, "%s: ", report->api_name);
    else
        fprintf(out, "API: ");
    fprintf(out, "%s per million tokens in, %s cached, %s out;", human_usd(api->input_usd, a),
            human_usd(api->cached_usd, b), human_usd(api->output_usd, c));
    fprintf(out, " %s of tokens are input, %s of it cached\n", human_percent(mix->input, a),
            human_percent(mix->input > 0 ? mix->cached / mix->input : 0, b));
}

static void print_answers(const struct break_even *found, FILE *out)
{
    char api[HUMAN_SIZE], self[HUMAN_SIZE], tok[HUMAN_SIZE + 4];
    fprintf(out, "\nper million tokens: %s by the API, %s on nodes that are full at their peak\n",
            human_usd(MILLION * found->api_usd_per_tok, api),
            human_usd(MILLION * found->self_usd_per_tok, self));
    fprintf(out, "\ntokens a month from which self-hosting is cheaper\n");
    fprintf(out, "  rent of one node over the API's price  %12s\n",
            print_tok(found->naive_tok, tok));
    fprintf(out, "  for the first time                     %12s\n",
            print_tok(first_tok(found), tok));
    fprintf(out, "  for good                               %12s\n",
            print_tok(found->always_tok, tok));
}

static void print_crossings(const struct break_even *found, FILE *out)
{
    enum { SHOWN_MAX = 12 };
    if (found->count < 2)
        return;
    fprintf(out, "\n%12s  %-14s %8s %14s\n", "from", "cheaper is", "nodes", "USD a month");
    for (size_t i = 0; i < found->count && i < SHOWN_MAX; i++) {
        const struct crossing *each = &found->crossings[i];
        char tok[HUMAN_SIZE + 4], nodes[HUMAN_SIZE], usd[HUMAN_SIZE];
        fprintf(out, "%12s  %-14s %8s %14s\n", print_tok(each->tok_per_month, tok),
                each->to_self_hosting ? "self-hosting" : "the API",
                human_number(each->nodes, nodes), human_usd(each->usd_per_month, usd));
    }
    if (found->more)
        fprintf(out, "and so on: more than %zu crossings\n", found->count);
    else if (found->count > SHOWN_MAX)
        fprintf(out, "and %zu more\n", found->count - SHOWN_MAX);
}

static void print_volume(const struct break_even_report *report, FILE *out)
{
    char tok[HUMAN_SIZE + 4], api[HUMAN_SIZE], self[HUMAN_SIZE], nodes[HUMAN_SIZE];
    double at = report->tok_per_month;
    if (isnan(at))
        return;
    fprintf(out, "\nat %s tokens a month: %s by the API, %s self-hosted on %s nodes\n",
            print_tok(at, tok), human_usd(at * report->found.api_usd_per_tok, api),
            human_usd(self_hosting_usd(&report->host, at), self),
            human_number(self_hosting_nodes(&report->host, at), nodes));
}

static void print_sweep(const struct break_even_report *report, FILE *out)
{
    fprintf(out, "\n%12s %12s %14s %14s\n", "utilisation", "USD/M tok", "first from",
            "for good from");
    for (int i = 0; i < UTILISATIONS; i++) {
        const struct break_even *found = &report->sweep[i].found;
        char usd[HUMAN_SIZE], use[HUMAN_SIZE], first[HUMAN_SIZE + 4], always[HUMAN_SIZE + 4];
        fprintf(out, "%12s %12s %14s %14s\n", human_percent(report->sweep[i].utilisation, use),
                human_usd(MILLION * found->self_usd_per_tok, usd),
                print_tok(first_tok(found), first), print_tok(found->always_tok, always));
    }
}

void break_even_report_print(FILE *out, const void *opaque)
{
    const struct break_even_report *report = opaque;
    print_host(report, out);
    print_api(report, out);
    print_answers(&report->found, out);
    print_crossings(&report->found, out);
    print_volume(report, out);
    print_sweep(report, out);
}

/* --- for programs --- */

static void put_inputs(struct json_writer *writer, const struct break_even_report *report)
{
    const struct self_hosting *host = &report->host;
    json_begin_object(writer, "self_hosting");
    json_put_number(writer, "usd_per_node_hour", host->usd_per_node_hour);
    json_put_number(writer, "tok_per_s", host->tok_per_s);
    json_put_number(writer, "max_utilisation", host->max_utilisation);
    json_put_number(writer, "spare_nodes", host->spare_nodes);
    json_put_number(writer, "min_nodes", host->min_nodes);
    json_put_number(writer, "usd_per_month", host->usd_per_month);
    json_put_number(writer, "peak_to_mean",
                    host->load ? load_duration_peak(host->load) / host->load->mean : 1);
    json_put_bool(writer, "follows_load", host->follows_load);
    json_end_object(writer);
    json_begin_object(writer, "api");
    json_put_string(writer, "name", report->api_name);
    json_put_number(writer, "input_usd_per_mtok", report->api.input_usd);
    json_put_number(writer, "cached_usd_per_mtok", report->api.cached_usd);
    json_put_number(writer, "output_usd_per_mtok", report->api.output_usd);
    json_end_object(writer);
    json_begin_object(writer, "mix");
    json_put_number(writer, "input", report->mix.input);
    json_put_number(writer, "cached", report->mix.cached);
    json_put_number(writer, "output", report->mix.output);
    json_end_object(writer);
}

static void put_answers(struct json_writer *writer, const struct break_even *found)
{
    json_put_number(writer, "api_usd_per_mtok", MILLION * found->api_usd_per_tok);
    json_put_number(writer, "self_usd_per_mtok", MILLION * found->self_usd_per_tok);
    json_put_number(writer, "naive_tok_per_month", found->naive_tok);
    json_put_number(writer, "first_tok_per_month", first_tok(found));
    json_put_number(writer, "always_tok_per_month", found->always_tok);
}

static void put_crossings(struct json_writer *writer, const struct break_even *found)
{
    json_put_bool(writer, "more_crossings", found->more);
    json_begin_list(writer, "crossings");
    for (size_t i = 0; i < found->count; i++) {
        const struct crossing *each = &found->crossings[i];
        json_begin_object(writer, NULL);
        json_put_number(writer, "tok_per_month", each->tok_per_month);
        json_put_number(writer, "usd_per_month", each->usd_per_month);
        json_put_number(writer, "nodes", each->nodes);
        json_put_string(writer, "cheaper_beyond", each->to_self_hosting ? "self_hosting" : "api");
        json_end_object(writer);
    }
    json_end_list(writer);
}

static void put_volume(struct json_writer *writer, const struct break_even_report *report)
{
    double at = report->tok_per_month;
    if (isnan(at)) {
        json_put_null(writer, "at");
        return;
    }
    json_begin_object(writer, "at");
    json_put_number(writer, "tok_per_month", at);
    json_put_number(writer, "api_usd_per_month", at * report->found.api_usd_per_tok);
    json_put_number(writer, "self_usd_per_month", self_hosting_usd(&report->host, at));
    json_put_number(writer, "nodes", self_hosting_nodes(&report->host, at));
    json_end_object(writer);
}

void break_even_report_put(struct json_writer *writer, const void *opaque)
{
    const struct break_even_report *report = opaque;
    json_begin_object(writer, NULL);
    put_inputs(writer, report);
    put_answers(writer, &report->found);
    put_crossings(writer, &report->found);
    put_volume(writer, report);
    json_begin_list(writer, "by_utilisation");
    for (int i = 0; i < UTILISATIONS; i++) {
        json_begin_object(writer, NULL);
        json_put_number(writer, "utilisation", report->sweep[i].utilisation);
        put_answers(writer, &report->sweep[i].found);
        json_end_object(writer);
    }
    json_end_list(writer);
    json_end_object(writer);
}

void break_even_report_put_csv(FILE *out, const void *opaque)
{
    const struct break_even_report *report = opaque;
    fprintf(out, "utilisation,self_usd_per_mtok,api_usd_per_mtok,first_tok_per_month,"
                 "always_tok_per_month\n");
    for (int i = 0; i < UTILISATIONS; i++) {
        const struct break_even *found = &report->sweep[i].found;
        fprintf(out, "%.1f", report->sweep[i].utilisation);
        csv_put_number(out, MILLION * found->self_usd_per_tok);
        csv_put_number(out, MILLION * found->api_usd_per_tok);
        csv_put_number(out, first_tok(found));
        csv_put_number(out, isfinite(found->always_tok) ? found->always_tok : NAN);
        fprintf(out, "\n");
    }
}
