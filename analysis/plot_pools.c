/* Utilisation and cost of each pool: horizontal bars, so that names have room. */
#include <math.h>

#include "analysis/human.h"
#include "analysis/plot.h"

static size_t bars_of(const struct plot_input *input)
{
    enum { BARS_MAX = 16 };
    size_t pools = input->summary->facts.spec->pool_count;
    return pools < BARS_MAX ? pools : BARS_MAX;
}

/* A pool that never had a replica has a bar of no length. */
static double busy_percent(const struct pool_summary *pool)
{
    return isnan(pool->utilisation) ? 0 : pool->utilisation * 100;
}

bool plot_pools_possible(const struct plot *plot, const struct plot_input *input)
{
    (void)plot;
    return input->summary->simulated_s > 0;
}

void plot_pools_data(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    (void)plot;
    fprintf(out, "# pool, utilisation (%%), USD per hour, USD in all\n");
    for (size_t i = 0; i < bars_of(input); i++) {
        const struct pool_summary *pool = &input->summary->pools[i];
        fprintf(out, "%zu %.5g %.6g %.6g\n", i, busy_percent(pool), pool->usd_per_hour,
                pool->cost_usd);
    }
}

static void put_names(const struct plot_input *input, FILE *out)
{
    fprintf(out, "set ytics (");
    for (size_t i = 0; i < bars_of(input); i++) {
        plot_put_text(input->summary->pools[i].name, 16, out);
        fprintf(out, " %zu%s", i, i + 1 < bars_of(input) ? ", " : "");
    }
    fprintf(out, ")\n");
}

/* What a bar stands for, at its end. */
static void put_values(const struct plot_input *input, bool money, FILE *out)
{
    fprintf(out, "unset label\n");
    for (size_t i = 0; i < bars_of(input); i++) {
        const struct pool_summary *pool = &input->summary->pools[i];
        double value = money ? pool->usd_per_hour : busy_percent(pool);
        char text[HUMAN_SIZE];
        fprintf(out,
                "set label '%s' at %.6g, %zu left offset 0.6,0 font ',12' textcolor '#333333'\n",
                money ? human_usd(value, text) : human_percent(pool->utilisation, text), value, i);
    }
}

static void put_bars(const struct plot *plot, const struct plot_input *input, int column, FILE *out)
{
    fprintf(out, "plot \\\n");
    for (size_t i = 0; i < bars_of(input); i++)
        fprintf(
            out,
            "  '%s.dat' every ::%zu::%zu using (0):1:(0):%d:($1-0.32):($1+0.32) with boxxyerror "
            "fillstyle solid 1 noborder linecolor '%s'%s\n",
            plot->name, i, i, column, plot_colour(i), i + 1 < bars_of(input) ? ", \\" : "");
}

/* Few bars stay slim and in the middle. */
static void put_bar_range(const struct plot_input *input, FILE *out)
{
    enum { SLOTS_MIN = 5 };
    double bars = (double)bars_of(input), slots = fmax(bars, SLOTS_MIN);
    double middle = (bars - 1) / 2;
    fprintf(out, "set yrange [%g:%g]\n", middle + slots / 2, middle - slots / 2);
}

static double dearest_usd_per_hour(const struct plot_input *input)
{
    double most = 0;
    for (size_t i = 0; i < bars_of(input); i++)
        most = fmax(most, input->summary->pools[i].usd_per_hour);
    return most > 0 ? most : 1;
}

static void put_omitted_pools(const struct plot_input *input, FILE *out)
{
    size_t omitted = input->summary->facts.spec->pool_count - bars_of(input);
    if (omitted > 0)
        fprintf(out, "set label '(%zu more pools)' at screen 0.02, 0.04 font ',12'\n", omitted);
}

void plot_pools_script(const struct plot *plot, const struct plot_input *input, FILE *out)
{
    plot_put_head(plot, out);
    fprintf(out, "set multiplot layout 1,2 title ");
    plot_put_title(plot, input, out);
    fprintf(out, "\nset grid noytics\nset bmargin 3.5\n");
    put_bar_range(input, out);
    put_names(input, out);
    fprintf(out,
            "set lmargin at screen 0.20\nset rmargin at screen 0.58\n"
            "set xlabel 'time spent iterating (%%)'\nset xrange [0:125]\nset xtics 0,25,100\n");
    put_values(input, false, out);
    put_omitted_pools(input, out);
    put_bars(plot, input, 2, out);
    fprintf(out,
            "unset ytics\nset lmargin at screen 0.61\nset rmargin at screen 0.98\n"
            "set xlabel 'USD per hour'\nset xrange [0:%.6g]\nset xtics autofreq\n",
            dearest_usd_per_hour(input) * 1.3); /* room for the values */
    put_values(input, true, out);
    put_bars(plot, input, 3, out);
    fprintf(out, "unset multiplot\nunset output\n");
}
