#include <math.h>
#include <string.h>

#include "analysis/csv.h"
#include "analysis/human.h"
#include "analysis/price_bill.h"
#include "models/money/utc_date.h"

enum { LABEL_COLUMNS = 34, LABEL_SIZE = 4 * LABEL_COLUMNS + 1 };

/* Cost over that of the first bill, less one. */
static double change(const struct bill_report *report, const struct bill_row *row)
{
    double first = report->rows[0].kpis.usd;
    return first > 0 ? row->kpis.usd / first - 1 : NAN;
}

static double share(const struct bill_row *row, enum money_category category)
{
    return row->kpis.usd > 0 ? row->kpis.usd_by_category[category] / row->kpis.usd : NAN;
}

/* --- for people --- */

static void append(char *label, size_t size, const char *text)
{
    size_t length = strlen(label);
    if (text)
        snprintf(label + length, size - length, "%s%.60s", length > 0 ? ", " : "", text);
}

static const char *file_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

static void print_label(const struct bill_row *row, FILE *out)
{
    char label[512] = "", name[LABEL_SIZE];
    append(label, sizeof label, row->terms.api);
    append(label, sizeof label, file_name(row->terms.book));
    append(label, sizeof label, row->terms.at);
    append(label, sizeof label, row->terms.region);
    append(label, sizeof label, row->terms.purchase);
    if (!label[0])
        append(label, sizeof label, "as run");
    if (row->committed)
        append(label, sizeof label, "committed");
    human_put_left(out, human_name(label, LABEL_COLUMNS, name, sizeof name), LABEL_COLUMNS);
}

/* With its sign: "+78.6 %". */
static const char *print_change(double change, char text[HUMAN_SIZE + 1])
{
    text[0] = '+';
    human_percent(change, text + (change > 0));
    return text;
}

static void print_row(const struct bill_report *report, const struct bill_row *row, FILE *out)
{
    const struct money_kpis *kpis = &row->kpis;
    char usd[HUMAN_SIZE], tok[HUMAN_SIZE], requests[HUMAN_SIZE], used[HUMAN_SIZE];
    char than[HUMAN_SIZE + 1];
    print_label(row, out);
    fprintf(out, " %10s %10s %12s %8s", human_usd(kpis->usd, usd),
            human_usd(kpis->usd_per_mtok, tok),
            human_usd(kpis->usd_per_thousand_requests, requests),
            human_percent(share(row, MONEY_USED), used));
    if (row != report->rows)
        fprintf(out, " %10s", print_change(change(report, row), than));
    fprintf(out, "\n");
}

void bill_report_print(FILE *out, const void *opaque)
{
    const struct bill_report *report = opaque;
    char date[32], hours[HUMAN_SIZE], name[4 * 60 + 1];
    utc_date_print(report->start_unix_s, date, sizeof date);
    fprintf(out, "%s: %s hours from %s\n\n", human_name(report->folder, 60, name, sizeof name),
            human_number(report->hours, hours), date);
    fprintf(out, "%*s %10s %10s %12s %8s %10s\n", LABEL_COLUMNS, "", "USD", "per M tok",
            "per 1k req.", "used", "to first");
    for (size_t i = 0; i < report->count; i++)
        print_row(report, &report->rows[i], out);
}

/* --- for programs --- */

static const struct kpi {
    const char *name;
    size_t offset;
} kpis[] = {
    {"usd_per_mtok", offsetof(struct money_kpis, usd_per_mtok)},
    {"usd_per_input_mtok", offsetof(struct money_kpis, usd_per_input_mtok)},
    {"usd_per_output_mtok", offsetof(struct money_kpis, usd_per_output_mtok)},
    {"usd_per_thousand_requests", offsetof(struct money_kpis, usd_per_thousand_requests)},
    {"requests_per_usd", offsetof(struct money_kpis, requests_per_usd)},
    {"good_requests_per_usd", offsetof(struct money_kpis, good_requests_per_usd)},
    {"gpu_hours", offsetof(struct money_kpis, gpu_hours)},
    {"productive_gpu_hours", offsetof(struct money_kpis, productive_gpu_hours)},
    {"usd_per_gpu_hour", offsetof(struct money_kpis, usd_per_gpu_hour)},
    {"usd_per_productive_gpu_hour", offsetof(struct money_kpis, usd_per_productive_gpu_hour)},
};
enum { KPIS = sizeof kpis / sizeof kpis[0] };

static double kpi_value(const struct bill_row *row, const struct kpi *kpi)
{
    return *(const double *)((const char *)&row->kpis + kpi->offset);
}

static void put_row(struct json_writer *writer, const struct bill_report *report,
                    const struct bill_row *row)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "book", row->terms.book);
    json_put_string(writer, "at", row->terms.at);
    json_put_string(writer, "region", row->terms.region);
    json_put_string(writer, "purchase", row->terms.purchase);
    json_put_string(writer, "api", row->terms.api);
    json_put_bool(writer, "committed", row->committed);
    json_put_number(writer, "usd", row->kpis.usd);
    json_put_number(writer, "change", change(report, row));
    json_begin_object(writer, "usd_by_category");
    for (int category = 0; category < MONEY_CATEGORIES; category++)
        json_put_number(writer, money_category_names[category],
                        row->kpis.usd_by_category[category]);
    json_end_object(writer);
    for (size_t i = 0; i < KPIS; i++)
        json_put_number(writer, kpis[i].name, kpi_value(row, &kpis[i]));
    json_end_object(writer);
}

void bill_report_put(struct json_writer *writer, const void *opaque)
{
    const struct bill_report *report = opaque;
    char date[32];
    utc_date_print(report->start_unix_s, date, sizeof date);
    json_begin_object(writer, NULL);
    json_put_string(writer, "run", report->folder);
    json_put_string(writer, "start_time", date);
    json_put_number(writer, "hours", report->hours);
    json_begin_list(writer, "bills");
    for (size_t i = 0; i < report->count; i++)
        put_row(writer, report, &report->rows[i]);
    json_end_list(writer);
    json_end_object(writer);
}

static void put_csv_terms(FILE *out, const struct bill_terms *terms)
{
    const char *const texts[] = {terms->book, terms->at, terms->region, terms->purchase,
                                 terms->api};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        csv_put_text(out, texts[i] ? texts[i] : "");
        fprintf(out, ",");
    }
}

void bill_report_put_csv(FILE *out, const void *opaque)
{
    const struct bill_report *report = opaque;
    fprintf(out, "book,at,region,purchase,api,committed,usd,change");
    for (int category = 0; category < MONEY_CATEGORIES; category++)
        fprintf(out, ",%s_usd", money_category_names[category]);
    for (size_t i = 0; i < KPIS; i++)
        fprintf(out, ",%s", kpis[i].name);
    fprintf(out, "\n");
    for (size_t row = 0; row < report->count; row++) {
        put_csv_terms(out, &report->rows[row].terms);
        fprintf(out, "%s", report->rows[row].committed ? "true" : "false");
        csv_put_number(out, report->rows[row].kpis.usd);
        csv_put_number(out, change(report, &report->rows[row]));
        for (int category = 0; category < MONEY_CATEGORIES; category++)
            csv_put_number(out, report->rows[row].kpis.usd_by_category[category]);
        for (size_t i = 0; i < KPIS; i++)
            csv_put_number(out, kpi_value(&report->rows[row], &kpis[i]));
        fprintf(out, "\n");
    }
}
