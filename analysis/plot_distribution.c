/* Cumulative distributions of a latency, of all requests and of each class, on a logarithmic axis.
 *
 * The points come from the histogram's buckets, thinned to what a picture of this size can show:
 * one for every quarter of a percent, and the last. */
#include <assert.h>
#include <math.h>

#include "analysis/human.h"
#include "analysis/plot.h"

static const double share_step = 0.0025;
static const double least_s = 1e-6; /* a logarithmic axis has no 0 */

static const struct histogram *histogram_of(const struct plot *plot, const struct latency_set *set)
{
    return (const struct histogram *)((const char *)set + plot->histogram);
}

static double bound_of(const struct plot *plot, const struct slo_rule *rule)
{
    return *(const double *)((const char *)rule + plot->bound_s);
}

bool plot_distribution_possible(const struct plot *plot, const struct plot_input *input)
{
    return histogram_of(plot, &input->summary->merged)->count > 0;
}

/* Curves beside that of all requests. */
static size_t class_curves(const struct plot_input *input)
{
    size_t classes = summary_shown_classes(input->summary);
    return classes < 2 ? 0 : classes < PLOT_SERIES_MAX ? classes : PLOT_SERIES_MAX;
}

/* --- data --- */

static void put_point(double seconds, double share, FILE *out)
{
    fprintf(out, "%.6g %.5g\n", fmax(seconds, least_s), share * 100);
}

/* A block by itself, for gnuplot's `index`. An empty one would be no block: it gets one point
 * that is not drawn. */
static void put_curve(const char *comment, const struct histogram *histogram, FILE *out)
{
    char name[128];
    fprintf(out, "# %s\n", human_name(comment, 30, name, sizeof name));
    if (histogram->count == 0)
        fprintf(out, "NaN NaN\n");
    else
        put_point(tick_to_s(histogram->min), 0, out);
    uint64_t below = 0;
    double drawn = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && below < histogram->count; i++) {
        below += histogram->bucket[i];
        double share = (double)below / (double)histogram->count;
        bool last = below == histogram->count;
        if (!last && share < drawn + share_step)
            continue;
        put_point(tick_to_s(last ? histogram->max : histogram_bucket_start(i + 1)), share, out);
        drawn = share;
    }
    fprintf(out, "\n\n");
}

void plot_distribution_data(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    fprintf(out, "# seconds, percent of requests that took at most so long\n");
    put_curve("all requests", histogram_of(plot, &input->summary->merged), out);
    for (size_t i = 0; i < class_curves(input); i++)
        put_curve(input->summary->classes[i].name, histogram_of(plot, &input->result->by_class[i]),
                  out);
}

/* --- the axis --- */

struct range {
    double low_s, high_s;
};

static void cover(struct range *range, double seconds)
{
    if (!(seconds > 0)) /* not measured, or not bounded */
        return;
    range->low_s = fmin(range->low_s, fmax(seconds, least_s));
    range->high_s = fmax(range->high_s, fmax(seconds, least_s));
}

/* The i-th of ..., 1, 2, 5, 10, 20, ...; i = 0 is 1 us. */
static double round_value(int i)
{
    static const double steps[] = {1, 2, 5};
    return steps[i % 3] * pow(10, i / 3 - 6);
}

/* Widens the range to round values; *first and *last are their numbers. */
static void round_range(struct range *range, int *first, int *last)
{
    const double slack = 1 + 1e-9; /* pow is not exact */
    *first = 0;
    while (round_value(*first + 1) <= range->low_s * slack)
        ++*first;
    *last = *first + 1;
    while (round_value(*last) * slack < range->high_s)
        ++*last;
    range->low_s = round_value(*first);
    range->high_s = round_value(*last);
}

/* Ticks carry their units ("200 ms", "1 s"): latencies of one plot span milliseconds to minutes. */
static void put_axis(struct range range, FILE *out)
{
    enum { TICKS_MAX = 9 };
    int first, last;
    round_range(&range, &first, &last);
    int stride = last - first < TICKS_MAX ? 1 : 3;
    fprintf(out, "set logscale x\nset xrange [%.3g:%.3g]\nset xtics (", range.low_s, range.high_s);
    const char *separator = "";
    for (int i = first; i <= last; i++) {
        double value = round_value(i);
        const char *unit = value < 0.9e-3 ? "us" : value < 0.9 ? "ms" : "s";
        double scale = value < 0.9e-3 ? 1e6 : value < 0.9 ? 1e3 : 1;
        if (stride > 1 && i % stride != 0)
            continue;
        fprintf(out, "%s'%g %s' %.3g", separator, value * scale, unit, value);
        separator = ", ";
    }
    fprintf(out, ")\n");
}

static struct range range_of(const struct plot *plot, const struct plot_input *input)
{
    const struct histogram *all = histogram_of(plot, &input->summary->merged);
    struct range range = {INFINITY, 0};
    cover(&range, tick_to_s(all->max));
    cover(&range, all->min < all->max ? tick_to_s(all->min) : NAN);
    const struct simulation_spec *spec = input->summary->facts.spec;
    for (size_t i = 0; i < spec->slo_count; i++)
        cover(&range, bound_of(plot, &spec->slos[i]));
    return range.high_s > 0 ? range : (struct range){least_s, least_s};
}

/* --- marks --- */

static void put_bounds(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    const struct simulation_spec *spec = input->summary->facts.spec;
    for (size_t i = 0; i < spec->slo_count; i++) {
        double bound_s = bound_of(plot, &spec->slos[i]);
        if (isnan(bound_s))
            continue;
        fprintf(
            out,
            "set arrow from %.6g, graph 0 to %.6g, graph 1 nohead dashtype 2 linecolor '#888888'\n"
            "set label 'SLO' at %.6g, graph 1.025 center font ',11' textcolor '#666666'\n",
            bound_s, bound_s, bound_s);
    }
}

static void put_quantiles(const struct histogram *histogram, FILE *out)
{
    static const int percents[] = {50, 90, 99};
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        double seconds = histogram_quantile_s(histogram, percents[i] / 100.0);
        char text[HUMAN_SIZE];
        fprintf(
            out,
            "set label 'p%d  %s' at %.6g, %d point pointtype 7 pointsize 0.6 linecolor '#222222' "
            "offset 0.8,-0.6 font ',12' textcolor '#222222'\n",
            percents[i], human_duration(seconds, text), fmax(seconds, least_s), percents[i]);
    }
}

void plot_distribution_script(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    plot_put_head(plot, out);
    fprintf(out, "set title ");
    plot_put_title(plot, input, out);
    fprintf(out, "\nset ylabel 'requests that took at most so long (%%)'\n"
                 "set yrange [0:100]\n"
                 "set key bottom right\n");
    put_axis(range_of(plot, input), out);
    put_bounds(plot, input, out);
    put_quantiles(histogram_of(plot, &input->summary->merged), out);
    fprintf(out, "plot \\\n");
    for (size_t i = 0; i < class_curves(input); i++) {
        fprintf(out, "  '%s.dat' index %zu linewidth 1.5 linecolor '%s' title ", plot->name, i + 1,
                plot_colour(i));
        plot_put_text(input->summary->classes[i].name, 24, out);
        fprintf(out, ", \\\n");
    }
    fprintf(out, "  '%s.dat' index 0 linewidth 2.5 linecolor '#222222' title 'all requests', \\\n",
            plot->name);
    size_t classes = summary_shown_classes(input->summary);
    plot_put_omitted(classes < 2 ? 0 : classes - class_curves(input), out);
    fprintf(out, "unset output\n");
}
