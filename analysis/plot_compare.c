/* One figure per metric: a curve per variant over the sweep, or, without one, a bar per variant. */
#include <math.h>

#include "analysis/compare_report.h"
#include "analysis/gnuplot.h"
#include "sim/out_file.h"

struct figure {
    const struct comparison *comparison;
    enum compare_metric metric;
    struct plot plot;
};

static size_t shown_variants(const struct figure *figure)
{
    size_t variants = figure->comparison->config->variants.count;
    return variants < PLOT_SERIES_MAX ? variants : PLOT_SERIES_MAX;
}

/* A block per variant, for gnuplot's `index`. */
static void put_data(const struct figure *figure, FILE *out)
{
    const struct comparison *comparison = figure->comparison;
    fprintf(out, "# value of the sweep (or number of the variant), %s; a block per variant\n",
            figure->plot.title);
    for (size_t v = 0; v < comparison->config->variants.count; v++) {
        for (size_t at = 0; at < comparison->at_count; at++) {
            const struct compare_row *row = &comparison->rows[v * comparison->at_count + at];
            double x = comparison->config->sweep ? row->at : (double)v;
            if (row->done && isfinite(row->values[figure->metric]))
                fprintf(out, "%.10g %.6g\n", x, row->values[figure->metric]);
        }
        fprintf(out, "\n\n");
    }
}

static void put_sweep(const struct figure *figure, FILE *out)
{
    const struct scenario_sweep *sweep = figure->comparison->config->sweep;
    fprintf(out, "set xlabel ");
    plot_put_text(sweep->label ? sweep->label : sweep->set, 60, out);
    fprintf(out, "\n%sset yrange [0:*]\nset key outside bottom center horizontal\nplot \\\n",
            sweep->log_scale ? "set logscale x\n" : "");
}

static void put_bar_names(const struct figure *figure, FILE *out)
{
    const struct scenario_variant *variants = figure->comparison->config->variants.items;
    size_t shown = shown_variants(figure);
    fprintf(out, "set xtics (");
    for (size_t v = 0; v < shown; v++) {
        plot_put_text(variants[v].name, 20, out);
        fprintf(out, " %zu%s", v, v + 1 < shown ? ", " : "");
    }
    fprintf(out,
            ")\nset boxwidth 0.6\nset style fill solid 1 noborder\nset xrange [-0.7:%.1f]\n"
            "set yrange [0:*]\nplot \\\n",
            (double)shown - 0.3);
}

static void put_curves(const struct figure *figure, FILE *out)
{
    const struct scenario_variant *variants = figure->comparison->config->variants.items;
    size_t shown = shown_variants(figure);
    bool swept = figure->comparison->config->sweep != NULL;
    for (size_t v = 0; v < shown; v++) {
        fprintf(out, "  '%s.dat' index %zu using 1:2 with %s linecolor '%s' ", figure->plot.name, v,
                swept ? "linespoints linewidth 2 pointtype 7 pointsize 0.6" : "boxes",
                plot_colour(v));
        if (swept) {
            fprintf(out, "title ");
            plot_put_text(variants[v].name, 40, out);
        }
        fprintf(out, ", \\\n");
    }
    plot_put_omitted(figure->comparison->config->variants.count - shown, out);
}

static void put_script(const struct figure *figure, FILE *out)
{
    plot_put_head(&figure->plot, out);
    fprintf(out, "set title ");
    plot_put_text(figure->comparison->scenario->config.name, 70, out);
    fprintf(out, " font ',16'\nset ylabel ");
    plot_put_text(figure->plot.title, 60, out);
    fputc('\n', out);
    if (figure->comparison->config->sweep)
        put_sweep(figure, out);
    else
        put_bar_names(figure, out);
    put_curves(figure, out);
    fprintf(out, "unset output\n");
}

static bool write_text(const char *path, void (*put)(const struct figure *figure, FILE *out),
                       const struct figure *figure, struct error *error)
{
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return false;
    put(figure, out_file_stream(file));
    return out_file_commit(file, error);
}

static bool write_figure(const char *folder, const struct figure *figure, struct error *error)
{
    struct arena *arena = figure->comparison->scenario->arena;
    const char *stem = arena_printf(arena, "%s/%s", folder, figure->plot.name);
    return write_text(arena_printf(arena, "%s.dat", stem), put_data, figure, error) &&
           write_text(arena_printf(arena, "%s.gp", stem), put_script, figure, error);
}

bool compare_plot(const char *folder, const struct comparison *comparison,
                  struct plots_outcome *outcome, struct error *error)
{
    const struct config_list *metrics = &comparison->config->metrics;
    *outcome = (struct plots_outcome){0};
    if (!out_folder_make(folder, error))
        return false;
    for (size_t i = 0; i < metrics->count && outcome->count < PLOTS_MAX; i++) {
        enum compare_metric metric = (enum compare_metric)((const int *)metrics->items)[i];
        const struct figure figure = {
            comparison,
            metric,
            {.name = compare_metric_names[metric], .title = compare_metric_title(metric)}};
        if (!write_figure(folder, &figure, error))
            return false;
        outcome->names[outcome->count++] = figure.plot.name;
    }
    outcome->drawn =
        gnuplot_draw(folder, outcome->names, outcome->count, outcome->why, sizeof outcome->why);
    return true;
}
