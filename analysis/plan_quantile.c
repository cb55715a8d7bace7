#include "analysis/plan_quantile.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

/* 0.95 * 20 is 19, however it rounds. */
#define ROUNDING 1e-9

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

size_t plan_trials_needed(size_t count, double share)
{
    return (size_t)ceil(share * (double)count - ROUNDING);
}

double plan_quantile(double *values, size_t count, double share)
{
    qsort(values, count, sizeof *values, compare);
    size_t rank = plan_trials_needed(count, share);
    return values[rank > 0 ? rank - 1 : 0];
}

double plan_chance_at_least(size_t held, size_t count, double certainty)
{
    if (held == 0)
        return 0;
    return gsl_cdf_beta_Pinv(1 - certainty, (double)held, (double)(count - held + 1));
}
