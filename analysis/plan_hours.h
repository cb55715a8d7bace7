/* What a run spent in each clock hour: prices over the lives of its nodes, as the hourly budget
 * counts them. */
#ifndef TOKENYARD_ANALYSIS_PLAN_HOURS_H
#define TOKENYARD_ANALYSIS_PLAN_HOURS_H

#include "models/money/usage.h"

struct plan_hours {
    double *usd;        /* [count]; hour 0 holds the run's beginning */
    double *node_hours; /* [count]: paid for */
    uint32_t count;
};

/* on_demand_usd: of an instance, per hour, by market of the usage. The caller frees the hours with
 * plan_hours_free. Costs nodes times price changes of their market. */
void plan_hours_of(const struct usage *usage, const double *on_demand_usd,
                   struct plan_hours *hours);
void plan_hours_free(struct plan_hours *hours); /* all-zero ones are allowed */

#endif
