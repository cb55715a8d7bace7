/* Panels over time, one above the other, from the timeline's rows. */
#include <math.h>

#include "analysis/elastic_report.h"
#include "analysis/plot.h"

struct time_unit {
    double from_s, size_s;
    const char *name;
};

static struct time_unit unit_of(const struct plot_input *input)
{
    static const struct time_unit units[] = {
        {4 * 3600.0, 3600, "h"}, {600, 60, "min"}, {0, 1, "s"}};
    double end_s = input->rows[input->row_count - 1].end_s;
    const struct time_unit *unit = units;
    while (end_s < unit->from_s)
        unit++;
    return *unit;
}

bool plot_timeline_possible(const struct plot *plot, const struct plot_input *input)
{
    (void)plot;
    return input->row_count >= 2; /* a line needs two points */
}

static size_t pools_of(const struct plot_input *input)
{
    return input->summary->facts.spec->pool_count;
}

static size_t drawn_pools(const struct plot_input *input)
{
    return pools_of(input) < PLOT_SERIES_MAX ? pools_of(input) : PLOT_SERIES_MAX;
}

/* --- data: columns 1 to 3 and then `per_pool` columns for each pool --- */

void plot_load_data(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    (void)plot;
    fprintf(
        out,
        "# time_s, arrivals per second, completions per second, requests waiting in each pool\n");
    for (size_t i = 0; i < input->row_count; i++) {
        const struct timeline_row *row = &input->rows[i];
        double arrived = 0, completed = 0;
        for (size_t pool = 0; pool < pools_of(input); pool++) {
            arrived += row->pools[pool].arrived;
            completed += row->pools[pool].completed;
        }
        fprintf(out, "%.9g %.6g %.6g", row->end_s, timeline_rate(row, arrived),
                timeline_rate(row, completed));
        for (size_t pool = 0; pool < pools_of(input); pool++)
            fprintf(out, " %.9g", row->pools[pool].waiting);
        fputc('\n', out);
    }
}

void plot_batch_data(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    (void)plot;
    fprintf(out,
            "# time_s, then for each pool: running requests per replica, KV cache in use (%%)\n");
    for (size_t i = 0; i < input->row_count; i++) {
        const struct timeline_row *row = &input->rows[i];
        fprintf(out, "%.9g", row->end_s);
        for (size_t pool = 0; pool < pools_of(input); pool++)
            fprintf(out, " %.6g %.5g",
                    row->pools[pool].running / input->summary->pools[pool].replicas,
                    row->pools[pool].kv_used * 100);
        fputc('\n', out);
    }
}

/* --- scripts --- */

static void put_panels_head(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    plot_put_head(plot, out);
    fprintf(out, "set multiplot layout 2,1 title ");
    plot_put_title(plot, input, out);
    fprintf(out,
            "\nset lmargin at screen 0.11\nset rmargin at screen 0.80\n"
            "set key at screen 0.815, graph 1 left top\nset xrange [0:%.9g]\nset yrange [0:*]\n",
            input->rows[input->row_count - 1].end_s / unit_of(input).size_s);
}

static void put_time_label(const struct plot_input *input, FILE *out)
{
    fprintf(out, "set xlabel 'simulated time (%s)' offset 0,0.5\n", unit_of(input).name);
}

/* One line per pool: column first + stride * pool of the data. */
static void put_pool_lines(const struct plot *plot, const struct plot_input *input, size_t first,
                           size_t stride, FILE *out)
{
    fprintf(out, "plot \\\n");
    for (size_t pool = 0; pool < drawn_pools(input); pool++) {
        fprintf(out, "  '%s.dat' using ($1/%g):%zu linewidth 1.5 linecolor '%s' title ", plot->name,
                unit_of(input).size_s, first + stride * pool, plot_colour(pool));
        plot_put_text(input->summary->pools[pool].name, 16, out);
        fprintf(out, ", \\\n");
    }
    plot_put_omitted(pools_of(input) - drawn_pools(input), out);
}

static void put_end(FILE *out)
{
    fprintf(out, "unset multiplot\nunset output\n");
}

void plot_load_script(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    double unit_s = unit_of(input).size_s;
    put_panels_head(plot, input, out);
    fprintf(out,
            "set ylabel 'requests/s'\n"
            "plot \\\n"
            "  '%s.dat' using ($1/%g):2 linewidth 1.5 linecolor '%s' title 'arrivals', \\\n"
            "  '%s.dat' using ($1/%g):3 linewidth 1.5 linecolor '%s' title 'completions'\n",
            plot->name, unit_s, plot_colour(5), plot->name, unit_s, plot_colour(1));
    put_time_label(input, out);
    fprintf(out, "set ylabel 'requests waiting'\n");
    put_pool_lines(plot, input, 4, 1, out);
    put_end(out);
}

void plot_batch_script(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    put_panels_head(plot, input, out);
    fprintf(out, "set ylabel 'running per replica'\n");
    put_pool_lines(plot, input, 2, 2, out);
    put_time_label(input, out);
    fprintf(out, "set ylabel 'KV cache in use (%%)'\nset yrange [0:10<*<100]\n");
    put_pool_lines(plot, input, 3, 2, out);
    put_end(out);
}

/* --- fleets that come and go: replicas, nodes of all pools, money --- */

bool plot_replicas_possible(const struct plot *plot, const struct plot_input *input)
{
    return plot_timeline_possible(plot, input) && input->summary->elastic;
}

/* Columns 1 to 6, and then two for each pool. */
void plot_replicas_data(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    (void)plot;
    fprintf(out,
            "# time_s, nodes on Spot, on demand, Spot capacity, USD per hour, budget, then for "
            "each pool: replicas wanted, ready\n");
    for (size_t i = 0; i < input->row_count; i++) {
        const struct timeline_row *row = &input->rows[i];
        struct plane_view all = {0};
        for (size_t pool = 0; pool < pools_of(input); pool++) {
            const struct plane_view *nodes = &row->pools[pool].nodes;
            all.spot_nodes += nodes->spot_nodes;
            all.on_demand_nodes += nodes->on_demand_nodes;
            all.spot_capacity += nodes->spot_capacity;
            all.usd_per_hour += nodes->usd_per_hour;
        }
        fprintf(out, "%.9g %.9g %.9g %.9g %.6g %.6g", row->end_s, all.spot_nodes,
                all.on_demand_nodes, all.spot_capacity, all.usd_per_hour,
                input->summary->elastic->budget_usd_per_hour);
        for (size_t pool = 0; pool < pools_of(input); pool++)
            fprintf(out, " %.9g %.9g", row->pools[pool].nodes.wanted, row->pools[pool].nodes.ready);
        fputc('\n', out);
    }
}

/* A line of steps of a column; gnuplot leaves out what is not finite. */
static void put_steps(const struct plot *plot, const struct plot_input *input, size_t column,
                      const char *style, const char *colour, FILE *out)
{
    fprintf(out, "  '%s.dat' using ($1/%g):%zu with fsteps %s linecolor '%s' title ", plot->name,
            unit_of(input).size_s, column, style, colour);
}

static void put_replica_lines(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    fprintf(out, "set ylabel 'replicas'\nplot \\\n");
    for (size_t pool = 0; pool < drawn_pools(input); pool++) {
        const char *name = input->summary->pools[pool].name;
        put_steps(plot, input, 7 + 2 * pool, "dashtype 2", plot_colour(pool), out);
        fprintf(out, "'wanted', \\\n");
        put_steps(plot, input, 8 + 2 * pool, "linewidth 1.5", plot_colour(pool), out);
        plot_put_text(name, 16, out);
        fprintf(out, ", \\\n");
    }
    plot_put_omitted(pools_of(input) - drawn_pools(input), out);
}

/* Capacity is mostly more than anybody holds: the scale is that of what is held. */
static double nodes_shown(const struct plot_input *input)
{
    double most = 1;
    for (size_t i = 0; i < input->row_count; i++) {
        double spot = 0, on_demand = 0;
        for (size_t pool = 0; pool < pools_of(input); pool++) {
            spot += input->rows[i].pools[pool].nodes.spot_nodes;
            on_demand += input->rows[i].pools[pool].nodes.on_demand_nodes;
        }
        most = fmax(most, fmax(spot, on_demand));
    }
    return ceil(1.5 * most);
}

static void put_node_lines(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    fprintf(out, "set ylabel 'nodes'\nset yrange [0:%.9g]\nplot \\\n", nodes_shown(input));
    put_steps(plot, input, 4, "linewidth 1", plot_colour(6), out);
    fprintf(out, "'Spot capacity', \\\n");
    put_steps(plot, input, 2, "linewidth 1.5", plot_colour(2), out);
    fprintf(out, "'on Spot', \\\n");
    put_steps(plot, input, 3, "linewidth 1.5", plot_colour(1), out);
    fprintf(out, "'on demand'\n");
}

static void put_money_lines(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    fprintf(out, "set ylabel 'USD per hour'\nplot \\\n");
    put_steps(plot, input, 5, "linewidth 1.5", plot_colour(0), out);
    fprintf(out, "'rented'");
    if (isfinite(input->summary->elastic->budget_usd_per_hour)) {
        fprintf(out, ", \\\n");
        put_steps(plot, input, 6, "dashtype 2", plot_colour(6), out);
        fprintf(out, "'budget'");
    }
    fputc('\n', out);
}

/* Three panels share one axis of time. */
void plot_replicas_script(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    plot_put_head(plot, out);
    fprintf(out, "set multiplot layout 3,1 margins 0.11,0.80,0.11,0.91 spacing 0,0.05 title ");
    plot_put_title(plot, input, out);
    fprintf(out,
            "\nset key at screen 0.815, graph 1 left top\nset xrange [0:%.9g]\n"
            "set yrange [0:*]\nset offsets 0, 0, graph 0.05, 0\nset format x ''\n",
            input->rows[input->row_count - 1].end_s / unit_of(input).size_s);
    put_replica_lines(plot, input, out);
    put_node_lines(plot, input, out);
    fprintf(out, "set yrange [0:*]\nset format x '%%g'\n");
    put_time_label(input, out);
    put_money_lines(plot, input, out);
    put_end(out);
}
