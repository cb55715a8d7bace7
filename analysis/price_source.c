#include "analysis/price_source.h"

#include <stdio.h>
#include <string.h>

#include "analysis/price_demand.h"
#include "models/catalog_path.h"
#include "models/money/utc_date.h"
#include "sim/out_file.h"

/* --- what is given --- */

bool price_input_open(const char *path, struct price_input *input, struct error *error)
{
    *input = (struct price_input){.path = path, .is_run = path && price_is_run(path)};
    if (!input->is_run || usage_read(&input->usage, path, error))
        return true;
    return error_hint(error, "what a run used stands in usage.json and the tables beside it");
}

void price_input_close(struct price_input *input)
{
    if (input->is_run)
        usage_free(&input->usage);
}

struct price_book *price_open_book(const char *path, struct arena *arena, struct error *error)
{
    if (!path) {
        const char *catalogue = catalog_path(arena, error);
        if (!catalogue)
            return NULL;
        path = arena_printf(arena, "%s/prices.json", catalogue);
    }
    return price_book_read(path, arena, error);
}

bool price_read_date(const char *text, int64_t *unix_s, struct error *error)
{
    if (utc_date_read(text, unix_s))
        return true;
    error_set(error, ERROR_USAGE, "--at: \"%s\" is no date", text);
    return error_hint(error, "dates are like 2025-06-01");
}

/* --- where it is written --- */

/* NULL: nowhere. */
static const char *output_folder(const struct price_report *report,
                                 const struct price_options *options,
                                 const struct price_input *input, struct arena *arena)
{
    if (options->output || options->json)
        return options->output;
    if (!input->path)
        return arena_printf(arena, "results/%s", report->folder);
    if (input->is_run)
        return input->path;
    const char *slash = strrchr(input->path, '/'), *name = slash ? slash + 1 : input->path;
    const char *dot = strchr(name, '.');
    size_t length = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    return arena_printf(arena, "results/%.*s", (int)length, name);
}

static bool write_csv(const struct price_report *report, const char *path, struct error *error)
{
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return false;
    report->put_csv(out_file_stream(file), report->report);
    return out_file_commit(file, error);
}

static bool write_plots(const struct price_report *report, const char *folder, bool *drawn,
                        struct error *error)
{
    struct plots_outcome outcome;
    if (!report->plot(folder, report->report, &outcome, error))
        return false;
    *drawn = outcome.drawn;
    if (!outcome.drawn)
        fprintf(stderr, "note: %s\n", outcome.why);
    return true;
}

bool price_give(const struct price_report *report, const struct price_options *options,
                const struct price_input *input, struct arena *arena, struct error *error)
{
    const char *folder = output_folder(report, options, input, arena);
    struct json_writer *writer = json_writer_create();
    report->put(writer, report->report);
    bool drawn = false, done = true;
    if (folder) {
        const char *stem = arena_printf(arena, "%s/%s", folder, report->name);
        done = out_folder_make(folder, error) &&
               json_writer_save(writer, arena_printf(arena, "%s.json", stem), error) &&
               write_csv(report, arena_printf(arena, "%s.csv", stem), error) &&
               (!report->plot || options->no_plots ||
                write_plots(report, arena_printf(arena, "%s/plots", folder), &drawn, error));
    }
    if (done && options->json)
        fputs(json_writer_text(writer, NULL), stdout);
    else if (done && !options->quiet)
        report->print(stdout, report->report);
    if (done && folder && !options->json && !options->quiet)
        printf("\nResults are in %s/%s.json and .csv%s.\n", folder, report->name,
               drawn ? ", figures in its plots folder" : "");
    json_writer_destroy(writer);
    return done;
}
