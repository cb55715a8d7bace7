/* A planned fleet on trial: many replications of its scenario, each with other markets, start-ups
 * and arrivals, and the question in how many of them it holds.
 *
 * A replication holds when the fleet spent no more than the budget in each clock hour, and kept the
 * SLO. A fleet holds when a share of `confidence` of the replications does. Replications run in
 * threads, in batches; a trial that can hold no more ends after its batch. The result depends on
 * neither the number of threads nor their speed. */
#ifndef TOKENYARD_ANALYSIS_PLAN_TRIAL_H
#define TOKENYARD_ANALYSIS_PLAN_TRIAL_H

#include "analysis/plan_hours.h"
#include "analysis/plan_replay.h"

struct plan_replication {
    struct plan_hours hours;
    uint32_t hours_within; /* the budget */
    bool slo_kept;         /* true where there is none */
    double requests_per_s, output_tok_per_s;
    double goodput_requests_per_s, attainment; /* NaN: no SLO */
    double usd_per_hour;                       /* over the run */
    uint64_t interruptions;
    uint64_t refused, shed; /* by the hard budget: orders, nodes */
    uint64_t lost_requests, moved_requests;
    struct error error;
};

struct plan_trial {
    struct plan_replay replay;             /* its summary is of replication 0 */
    struct plan_replication *replications; /* [done] */
    size_t asked, done, needed;            /* needed: so many must hold */
    size_t held, over_budget, slo_missed;  /* of those done */
    double budget_usd_h;
    double *on_demand_usd; /* of an instance, per hour, by market of the usage */
    bool holds;
};

struct plan_trial_options {
    double budget_usd_h, confidence;
    size_t replications;
    bool to_the_end; /* go on when it cannot hold any more */
};

/* Of the scenario file at path, which plan_replay_scenario wrote. The caller clears the trial, also
 * after a failure. */
bool plan_trial_run(const char *path, const struct plan_trial_options *options,
                    struct plan_trial *trial, struct error *error);

/* Spent in the clock hour in which most is spent with that confidence: the greatest over the hours
 * of the quantile over the replications. */
double plan_trial_highest_usd(const struct plan_trial *trial, double confidence);

void plan_trial_clear(struct plan_trial *trial); /* an all-zero one is allowed */

#endif
