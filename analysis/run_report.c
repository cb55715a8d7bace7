#include "analysis/run_report.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "analysis/money_report.h"
#include "analysis/perfetto.h"
#include "analysis/plots.h"
#include "analysis/requests_file.h"
#include "analysis/summary_csv.h"
#include "analysis/timeline.h"
#include "sim/out_file.h"

enum { FILES_MAX = 32, NOTICES_MAX = 4 };

struct run_report {
    struct arena *arena; /* holds it all */
    struct run_report_request request;
    struct timeline *timeline;
    struct column_file *requests; /* NULL: not wanted, or finished */
    struct perfetto *trace;       /* NULL: not wanted, or finished */
    struct summary *summary;      /* NULL until finished */
    const char *files[FILES_MAX]; /* written so far, relative to the folder */
    size_t file_count;
    const char *notices[NOTICES_MAX];
    size_t notice_count;
};

static const char *path_of(struct run_report *report, const char *name)
{
    return arena_printf(report->arena, "%s/%s", report->request.folder, name);
}

static bool note_file(struct run_report *report, const char *name)
{
    assert(report->file_count < FILES_MAX);
    report->files[report->file_count++] = name;
    return true;
}

/* --- watching the simulation --- */

static void on_request(void *context, const struct request_record *record)
{
    struct run_report *report = context;
    if (report->requests)
        requests_file_add(report->requests, record);
    if (report->trace)
        perfetto_request(report->trace, record);
}

static double on_sample(void *context, double time_s, const struct pool_sample *pools, size_t count)
{
    struct run_report *report = context;
    assert(count == report->request.facts.spec->pool_count);
    if (report->trace)
        perfetto_sample(report->trace, time_s, pools);
    return timeline_sample(report->timeline, time_s, pools);
}

static void on_span(void *context, const struct iteration_span *span)
{
    struct run_report *report = context;
    perfetto_span(report->trace, span);
}

static bool on_proceed(void *context, double time_s, uint64_t completed)
{
    const struct run_report_request *request = &((struct run_report *)context)->request;
    return request->proceed(request->proceed_context, time_s, completed);
}

void run_report_observe(struct run_report *report, struct simulation_spec *spec)
{
    spec->observer = (struct simulation_observer){
        .context = report,
        .request = report->requests || report->trace ? on_request : NULL,
        .sample = on_sample,
        .span = report->trace ? on_span : NULL,
        .proceed = report->request.proceed ? on_proceed : NULL,
    };
    spec->sample_interval_s = timeline_first_sample_s(report->timeline);
}

/* --- opening --- */

static bool open_files(struct run_report *report, struct error *error)
{
    const struct run_report_request *request = &report->request;
    const struct simulation_spec *spec = request->facts.spec;
    if (!out_folder_make(request->folder, error))
        return false;
    report->timeline =
        timeline_open(path_of(report, "timeline.csv"), spec, request->timeline_interval_s, error);
    if (!report->timeline)
        return false;
    if (request->requests) {
        report->requests = requests_file_create(path_of(report, "requests.h5"),
                                                spec->disaggregation != NULL, error);
        if (!report->requests)
            return false;
    }
    if (request->trace) {
        report->trace = perfetto_open(path_of(report, "trace.json"), spec, error);
        if (!report->trace)
            return false;
    }
    unlink(path_of(report, "manifest.json")); /* an earlier run's: these files are not its own */
    return true;
}

struct run_report *run_report_open(const struct run_report_request *request, struct error *error)
{
    struct arena *arena = arena_create();
    struct run_report *report = ARENA_NEW(arena, struct run_report);
    report->arena = arena;
    report->request = *request;
    if (open_files(report, error))
        return report;
    run_report_close(report);
    return NULL;
}

/* --- finishing --- */

static bool write_json(struct run_report *report, const char *name, struct json_writer *writer,
                       struct error *error)
{
    return json_writer_save(writer, path_of(report, name), error) && note_file(report, name);
}

static bool write_summary_csv(struct run_report *report, const struct json_writer *summary,
                              struct error *error)
{
    struct out_file *file = out_file_open(path_of(report, "summary.csv"), error);
    if (!file)
        return false;
    cJSON *tree = cJSON_Parse(json_writer_text(summary, NULL));
    summary_csv_put(tree, out_file_stream(file));
    cJSON_Delete(tree);
    return out_file_commit(file, error) && note_file(report, "summary.csv");
}

static bool write_summary(struct run_report *report, struct error *error)
{
    struct json_writer *writer = json_writer_create();
    summary_put(writer, NULL, report->summary, NULL);
    bool ok = write_json(report, "summary.json", writer, error) &&
              write_summary_csv(report, writer, error);
    json_writer_destroy(writer);
    return ok;
}

static void add_notice(struct run_report *report, const char *text)
{
    assert(report->notice_count < NOTICES_MAX);
    report->notices[report->notice_count++] = text;
}

static bool write_requests(struct run_report *report, struct error *error)
{
    struct column_file *requests = report->requests;
    report->requests = NULL;
    if (!requests)
        return true;
    return column_file_commit(requests, error) && note_file(report, "requests.h5");
}

static bool write_trace(struct run_report *report, struct error *error)
{
    if (!report->trace)
        return true;
    double cut_s = perfetto_cut_s(report->trace);
    if (!isinf(cut_s))
        add_notice(report, arena_printf(report->arena,
                                        "trace.json ends at %.6g s of simulated time: it holds at "
                                        "most %d events",
                                        cut_s, PERFETTO_EVENTS_MAX));
    return perfetto_commit(report->trace, error) && note_file(report, "trace.json");
}

static void note_plots(struct run_report *report, const struct plots_outcome *outcome)
{
    static const char *const kinds[] = {"gp", "dat", "svg"};
    size_t kind_count = outcome->drawn ? 3 : 2;
    for (size_t i = 0; i < outcome->count; i++)
        for (size_t kind = 0; kind < kind_count; kind++)
            note_file(report,
                      arena_printf(report->arena, "plots/%s.%s", outcome->names[i], kinds[kind]));
    if (!outcome->drawn)
        add_notice(report, arena_printf(report->arena,
                                        "no plots: %s; their scripts and data are in %s/plots",
                                        outcome->why, report->request.folder));
}

static bool write_plots(struct run_report *report, const struct simulation_result *result,
                        struct error *error)
{
    if (!report->request.plots)
        return true;
    struct plot_input input = {.summary = report->summary, .result = result};
    struct plots_outcome outcome;
    input.rows = timeline_rows(report->timeline, &input.row_count);
    if (!plots_write(path_of(report, "plots"), &input, &outcome, error))
        return false;
    note_plots(report, &outcome);
    return true;
}

static bool write_manifest(struct run_report *report, const struct simulator_figures *figures,
                           struct error *error)
{
    const struct run_report_request *request = &report->request;
    const struct manifest manifest = {
        .command = request->command,
        .command_count = request->command_count,
        .scenario = request->scenario,
        .notes = request->notes,
        .note_count = request->note_count,
        .files = report->files,
        .file_count = report->file_count,
        .summary = report->summary,
        .figures = figures,
    };
    struct json_writer *writer = json_writer_create();
    manifest_put(writer, &manifest);
    bool ok = write_json(report, "manifest.json", writer, error);
    json_writer_destroy(writer);
    return ok;
}

static bool write_bill(struct run_report *report, const struct simulation_result *result,
                       struct error *error)
{
    const struct scenario *scenario = report->request.billed;
    if (!scenario || !result->elastic)
        return true;
    return money_report_make(report->summary, scenario, result, report->request.folder, error) &&
           note_file(report, "usage.json") && note_file(report, "usage_nodes.csv") &&
           note_file(report, "usage_hours.csv") && note_file(report, "usage_served.csv") &&
           (!scenario->config.money || note_file(report, "ledger.csv"));
}

bool run_report_finish(struct run_report *report, const struct simulation_result *result,
                       const struct simulator_figures *figures, struct error *error)
{
    assert(!report->summary);
    report->summary = summary_create(&report->request.facts, result);
    return write_bill(report, result, error) && write_summary(report, error) &&
           timeline_commit(report->timeline, error) && note_file(report, "timeline.csv") &&
           write_requests(report, error) && write_trace(report, error) &&
           write_plots(report, result, error) && write_manifest(report, figures, error);
}

const struct summary *run_report_summary(const struct run_report *report)
{
    return report->summary;
}

const char *run_report_notice(const struct run_report *report, size_t index)
{
    return index < report->notice_count ? report->notices[index] : NULL;
}

void run_report_close(struct run_report *report)
{
    if (!report)
        return;
    timeline_close(report->timeline);
    column_file_discard(report->requests);
    perfetto_close(report->trace);
    summary_destroy(report->summary);
    arena_destroy(report->arena);
}
