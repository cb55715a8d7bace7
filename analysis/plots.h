/* The pictures of a run, in FOLDER: ttft, tpot, e2e, load, batch, pools; each as NAME.gp (a script
 * that can be run again there), NAME.dat (its numbers) and NAME.svg (drawn by gnuplot).
 *
 * A plot of nothing (latencies of no requests) is left out. The same run gives the same bytes. */
#ifndef TOKENYARD_ANALYSIS_PLOTS_H
#define TOKENYARD_ANALYSIS_PLOTS_H

#include "analysis/plot.h"

#define PLOTS_MAX 8

struct plots_outcome {
    const char *names[PLOTS_MAX]; /* of the plots that were written; static texts */
    size_t count;
    bool drawn; /* .svg, too; otherwise `why` says what is wrong with gnuplot */
    char why[256];
};

/* false when a script or its data cannot be written. A lack of gnuplot is told in outcome. */
bool plots_write(const char *folder, const struct plot_input *input, struct plots_outcome *outcome,
                 struct error *error);

#endif
