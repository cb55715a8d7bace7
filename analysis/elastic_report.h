/* What came and went in a run: a block of the summary where something may. */
#ifndef TOKENYARD_ANALYSIS_ELASTIC_REPORT_H
#define TOKENYARD_ANALYSIS_ELASTIC_REPORT_H

#include <stdio.h>

#include "analysis/summary.h"

/* Of one pool; means are over the whole run. */
struct elastic_pool_summary {
    bool elastic; /* false: its replicas were always there */
    double mean_replicas, peak_replicas;
    double mean_wanted; /* by its scaler */
    double up_share;    /* of the time, that any was ready ... */
    double full_share;  /* ... that at least as many were as its scaler wanted */
    double mean_nodes, spot_share;
    double mean_cold_start_s; /* from wanted to ready; NaN: none came up */
    struct plane_totals totals;
};

struct elastic_summary {
    double budget_usd_per_hour; /* INFINITY: none */
    double mean_usd_per_hour, peak_usd_per_hour;
    uint64_t budget_refusals, budget_shed;
    struct elastic_requests requests;
    struct elastic_pool_summary *pools; /* [pools of the run] */
};

/* The arena's; NULL where nothing comes and goes. */
struct elastic_summary *elastic_summary_create(const struct simulation_spec *spec,
                                               const struct simulation_result *result,
                                               struct arena *arena);

/* Both do nothing where nothing comes and goes. */
void elastic_report_put(struct json_writer *writer, const struct summary *summary);
void elastic_report_print(const struct summary *summary, FILE *out);

#endif
