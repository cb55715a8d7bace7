/* Runs gnuplot on scripts that are on disk.
 *
 * A missing or failing gnuplot is no reason to fail a run: the scripts stay, and the caller gets a
 * sentence to pass on. */
#ifndef TOKENYARD_ANALYSIS_GNUPLOT_H
#define TOKENYARD_ANALYSIS_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>

/* Runs FOLDER/NAME.gp for each name, in that folder, all in one process. Each script writes
 * NAME.svg followed by the value of its variable `suffix`; NAME.svg itself appears only when it is
 * whole. On false, why says what is wrong, and what was not drawn is absent. */
bool gnuplot_draw(const char *folder, const char *const *names, size_t count, char *why,
                  size_t why_size);

#endif
