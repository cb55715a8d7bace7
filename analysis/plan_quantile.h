/* What replications show: quantiles, and what can be said of a chance. */
#ifndef TOKENYARD_ANALYSIS_PLAN_QUANTILE_H
#define TOKENYARD_ANALYSIS_PLAN_QUANTILE_H

#include <stddef.h>

/* The smallest of the values that at least a share of them does not pass (type 1 of Hyndman and
 * Fan, "Sample Quantiles in Statistical Packages", 1996). Sorts them; none must be NaN, and count
 * be above 0. */
double plan_quantile(double *values, size_t count, double share);

/* Of count independent trials so many must hold for a share of them to. */
size_t plan_trials_needed(size_t count, double share);

/* The chance of holding is at least this, with the given certainty: the lower bound of Clopper and
 * Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
 * Biometrika 26, 1934, one-sided. */
double plan_chance_at_least(size_t held, size_t count, double certainty);

#endif
