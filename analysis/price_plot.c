/* The figures of `tokenyard price`: the load duration curve with what is committed of it, and what
 * self-hosting and an API cost over the volume. */
#include <math.h>

#include "analysis/gnuplot.h"
#include "analysis/human.h"
#include "analysis/price_break_even.h"
#include "analysis/price_commit.h"
#include "sim/out_file.h"

/* A figure whose data and script are written by functions of its report. */
struct figure {
    struct plot plot;
    const void *report;
    void (*put_data)(const struct figure *figure, FILE *out);
    void (*put_script)(const struct figure *figure, FILE *out);
};

static bool write_text(const char *path, void (*put)(const struct figure *figure, FILE *out),
                       const struct figure *figure, struct error *error)
{
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return false;
    put(figure, out_file_stream(file));
    return out_file_commit(file, error);
}

static bool draw(const char *folder, const struct figure *figure, struct plots_outcome *outcome,
                 struct error *error)
{
    *outcome = (struct plots_outcome){.names = {figure->plot.name}, .count = 1};
    struct arena *arena = arena_create();
    const char *stem = arena_printf(arena, "%s/%s", folder, figure->plot.name);
    bool done = out_folder_make(folder, error) &&
                write_text(arena_printf(arena, "%s.dat", stem), figure->put_data, figure, error) &&
                write_text(arena_printf(arena, "%s.gp", stem), figure->put_script, figure, error);
    arena_destroy(arena);
    if (done)
        outcome->drawn = gnuplot_draw(folder, outcome->names, 1, outcome->why, sizeof outcome->why);
    return done;
}

static void put_title(const struct figure *figure, const char *of, FILE *out)
{
    enum { TITLE_SIZE = 512 };
    char title[TITLE_SIZE];
    snprintf(title, sizeof title, "%s: %.400s", figure->plot.title, of);
    plot_put_head(&figure->plot, out);
    fprintf(out, "set title ");
    plot_put_text(title, 70, out);
    fprintf(out, " font ',16'\n");
}

/* --- the load duration curve --- */

static void put_curve(const struct load_duration *curve, FILE *out)
{
    for (size_t i = curve->count; i-- > 0;) {
        double from = curve->share_above[i], to = i == 0 ? 1 : curve->share_above[i - 1];
        fprintf(out, "%.8g %.8g\n%.8g %.8g\n", 100 * from, curve->instances[i], 100 * to,
                curve->instances[i]);
    }
}

static void put_load_duration(const struct figure *figure, FILE *out)
{
    const struct commit_report *report = figure->report;
    fprintf(out, "# percent of the time, instances in use for at least that long\n");
    put_curve(report->question->curve, out);
}

/* A horizontal line with its name at the right end. */
static void put_level(double level, const char *name, const char *colour, double offset, FILE *out)
{
    char number[HUMAN_SIZE], text[64];
    snprintf(text, sizeof text, "%.30s %s", name, human_number(level, number));
    fprintf(out,
            "set arrow from 0, %.8g to 100, %.8g nohead linewidth 1.5 linecolor '%s' front\n"
            "set label ",
            level, level, colour);
    plot_put_text(text, 60, out);
    fprintf(out, " at 99, %.8g right offset 0,%.1f font ',12' textcolor '%s' front\n", level,
            offset, colour);
}

/* What the plan commits to of all offers, at first. */
static double committed_first(const struct commitment_plan *plan)
{
    double instances = 0;
    for (size_t offer = 0; offer < plan->question->offer_count; offer++)
        instances += plan->instances[offer * plan->periods];
    return instances;
}

static void put_load_duration_script(const struct figure *figure, FILE *out)
{
    const struct commit_report *report = figure->report;
    const struct load_duration *curve = report->question->curve;
    put_title(figure, report->name, out);
    fprintf(out, "set xlabel 'share of the time (%%)'\nset ylabel 'instances in use'\n"
                 "set xrange [0:100]\nset yrange [0:*]\nset style fill solid 0.25 noborder\n");
    put_level(load_duration_floor(curve), "floor", plot_colour(1), -0.7, out);
    put_level(committed_first(&report->rows[report->row_count - 1].plan), "optimum", plot_colour(2),
              0.7, out);
    fprintf(out,
            "plot '%s.dat' using 1:2 with filledcurves y=0 linecolor '%s', \\\n"
            "  '%s.dat' using 1:2 linewidth 2 linecolor '%s'\nunset output\n",
            figure->plot.name, plot_colour(0), figure->plot.name, plot_colour(0));
}

bool commit_report_plot(const char *folder, const void *opaque, struct plots_outcome *outcome,
                        struct error *error)
{
    const struct figure figure = {
        .plot = {.name = "load_duration", .title = "Load duration and commitment"},
        .report = opaque,
        .put_data = put_load_duration,
        .put_script = put_load_duration_script};
    return draw(folder, &figure, outcome, error);
}

/* --- self-hosting and an API over the volume --- */

enum { SAMPLES = 800 };

/* To where there is something to see: half as far again as the last crossing, or twice the volume
 * that was asked for. */
static double farthest_tok(const struct break_even_report *report)
{
    const struct break_even *found = &report->found;
    double far = 2 * found->naive_tok;
    if (found->count > 0)
        far = fmax(far,
                   1.5 * found->crossings[found->count < 9 ? found->count - 1 : 8].tok_per_month);
    return isnan(report->tok_per_month) ? far : fmax(far, 2 * report->tok_per_month);
}

static const struct tok_unit {
    double tok;
    const char *name;
} million = {1e6, "million"}, billion = {1e9, "billion"};

static const struct tok_unit *unit_of(double far_tok)
{
    return far_tok < 1e10 ? &million : &billion;
}

static void put_break_even(const struct figure *figure, FILE *out)
{
    const struct break_even_report *report = figure->report;
    double far = farthest_tok(report);
    fprintf(out, "# %s tokens a month, USD a month: self-hosting, API\n", unit_of(far)->name);
    for (int i = 0; i <= SAMPLES; i++) {
        double tok = far * i / SAMPLES;
        fprintf(out, "%.8g %.8g %.8g\n", tok / unit_of(far)->tok,
                self_hosting_usd(&report->host, tok), tok * report->found.api_usd_per_tok);
    }
}

/* The first crossings, as points. */
static void put_crossing_marks(const struct break_even *found, double unit_tok, FILE *out)
{
    enum { MARKS_MAX = 9 };
    for (size_t i = 0; i < found->count && i < MARKS_MAX; i++) {
        const struct crossing *each = &found->crossings[i];
        fprintf(out,
                "set label '' at %.8g, %.8g point pointtype 7 pointsize 0.7 linecolor '%s' front\n",
                each->tok_per_month / unit_tok, each->usd_per_month,
                plot_colour(each->to_self_hosting ? 0 : 1));
    }
}

static void put_break_even_script(const struct figure *figure, FILE *out)
{
    const struct break_even_report *report = figure->report;
    const char *name = figure->plot.name;
    double far = farthest_tok(report);
    const struct tok_unit *unit = unit_of(far);
    put_title(figure, report->api_name ? report->api_name : "cost over volume", out);
    fprintf(out,
            "set xlabel '%s tokens a month'\nset ylabel 'USD a month'\nset format y '%%.0f'\n"
            "set xrange [0:%.8g]\nset yrange [0:*]\nset key top left\n",
            unit->name, far / unit->tok);
    put_crossing_marks(&report->found, unit->tok, out);
    fprintf(
        out,
        "plot '%s.dat' using 1:2 with steps linewidth 2 linecolor '%s' title 'self-hosting', \\\n"
        "  '%s.dat' using 1:3 linewidth 2 linecolor '%s' title 'API'\nunset output\n",
        name, plot_colour(0), name, plot_colour(1));
}

bool break_even_report_plot(const char *folder, const void *opaque, struct plots_outcome *outcome,
                            struct error *error)
{
    const struct figure figure = {
        .plot = {.name = "break_even", .title = "Self-hosting against an API"},
        .report = opaque,
        .put_data = put_break_even,
        .put_script = put_break_even_script};
    return draw(folder, &figure, outcome, error);
}
