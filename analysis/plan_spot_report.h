/* What a plan says of Spot and on demand, and how sure it is. */
#ifndef TOKENYARD_ANALYSIS_PLAN_SPOT_REPORT_H
#define TOKENYARD_ANALYSIS_PLAN_SPOT_REPORT_H

#include <stdio.h>

#include "analysis/plan_spot_answer.h"
#include "sim/json_writer.h"

/* The members "confidence", "purchases", "trial", "all_on_demand" and "rejected" of plan.json. */
void plan_spot_report_put(struct json_writer *writer, const struct plan_spot_answer *answer);

void plan_spot_report_print(const struct plan_spot_answer *answer, FILE *out);

#endif
