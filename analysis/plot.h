/* What plots.c and the plots themselves share: a plot as a table row, and one look for all.
 *
 * A plot is two texts, NAME.dat (numbers only, with a comment that says what they are) and NAME.gp,
 * a gnuplot script that draws NAME.svg from it and that a user can change and run again. Names
 * from a scenario go into scripts through plot_put_text only. */
#ifndef TOKENYARD_ANALYSIS_PLOT_H
#define TOKENYARD_ANALYSIS_PLOT_H

#include <stdio.h>

#include "analysis/summary.h"
#include "analysis/timeline.h"

struct plot_input {
    const struct summary *summary;
    const struct simulation_result *result;
    const struct timeline_row *rows;
    size_t row_count;
};

struct plot {
    const char *name;
    const char *title;
    size_t histogram; /* distributions: offset within struct latency_set */
    size_t bound_s;   /* distributions: offset within struct slo_rule */
    /* Is there anything to draw? */
    bool (*possible)(const struct plot *plot, const struct plot_input *input);
    void (*put_data)(const struct plot *plot, const struct plot_input *input, FILE *out);
    void (*put_script)(const struct plot *plot, const struct plot_input *input, FILE *out);
};

/* plot_distribution.c: the share of requests that took at most so long. */
bool plot_distribution_possible(const struct plot *plot, const struct plot_input *input);
void plot_distribution_data(const struct plot *plot, const struct plot_input *input, FILE *out);
void plot_distribution_script(const struct plot *plot, const struct plot_input *input, FILE *out);

/* plot_timeline.c: two or three panels over time. */
bool plot_timeline_possible(const struct plot *plot, const struct plot_input *input);
void plot_load_data(const struct plot *plot, const struct plot_input *input, FILE *out);
void plot_load_script(const struct plot *plot, const struct plot_input *input, FILE *out);
void plot_batch_data(const struct plot *plot, const struct plot_input *input, FILE *out);
void plot_batch_script(const struct plot *plot, const struct plot_input *input, FILE *out);
bool plot_replicas_possible(const struct plot *plot, const struct plot_input *input);
void plot_replicas_data(const struct plot *plot, const struct plot_input *input, FILE *out);
void plot_replicas_script(const struct plot *plot, const struct plot_input *input, FILE *out);

/* plot_pools.c: bars side by side. */
bool plot_pools_possible(const struct plot *plot, const struct plot_input *input);
void plot_pools_data(const struct plot *plot, const struct plot_input *input, FILE *out);
void plot_pools_script(const struct plot *plot, const struct plot_input *input, FILE *out);

/* --- the look --- */

/* Series beyond this many are left out, and the key says so: nobody could tell them apart. */
#define PLOT_SERIES_MAX 6

/* Colour of a series, "#0072B2"; safe for the colour-blind; repeats after seven. */
const char *plot_colour(size_t series);

/* Terminal, output, grid, borders: every script begins with it. */
void plot_put_head(const struct plot *plot, FILE *out);

/* "title: scenario", as the arguments of `set title`. */
void plot_put_title(const struct plot *plot, const struct plot_input *input, FILE *out);

/* Ends a list of curves, each of which was followed by a comma; names how many were left out. */
void plot_put_omitted(size_t omitted, FILE *out);

/* A user's text as a gnuplot string of at most `columns` characters: single-quoted, on one line.
 * gnuplot interprets nothing within single quotes but '' itself, and the terminal is noenhanced. */
void plot_put_text(const char *text, size_t columns, FILE *out);

#endif
