/* What a plan leaves behind: plan.json for programs, a table for people. */
#ifndef TOKENYARD_ANALYSIS_PLAN_REPORT_H
#define TOKENYARD_ANALYSIS_PLAN_REPORT_H

#include <stdio.h>

#include "analysis/plan_answer.h"
#include "analysis/plan_replay.h"
#include "analysis/plan_spot_answer.h"
#include "sim/json_writer.h"

struct plan_report {
    const struct plan_answer *answer;
    const struct plan_replay *mix;    /* NULL: throughputs were given, nothing was simulated */
    const struct plan_replay *single; /* of the best single type; NULL likewise, or none feasible */
    const struct plan_spot_answer *spot; /* NULL: no offer has markets */
    double seconds;                      /* all the planning took; differs from run to run */
};

/* plan.json: {status, objective, budget_usd_h, cost_usd_h, throughput_requests_per_s, fleet[],
 * rented[], assignment, demand, classes[], throughput, simulated, saturated_requests_per_s,
 * single_type, gain, seconds}; where offers have markets, instead of single_type what
 * plan_spot_report_put says. */
void plan_report_put(struct json_writer *writer, const struct plan_report *report);

/* plan.json when no fleet serves the demand: {status, reason, hint, budget_usd_h, seconds}. */
void plan_report_put_infeasible(struct json_writer *writer, double budget_usd_h,
                                const struct error *reason, double seconds);

void plan_report_print(const struct plan_report *report, FILE *out);

#endif
