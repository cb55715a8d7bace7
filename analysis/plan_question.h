/* What a scenario asks of a planner, as numbers: classes, deployments and throughputs, either given
 * in the scenario or found by cutting its workload and simulating one replica of each deployment on
 * each class. */
#ifndef TOKENYARD_ANALYSIS_PLAN_QUESTION_H
#define TOKENYARD_ANALYSIS_PLAN_QUESTION_H

#include "analysis/plan_candidates.h"
#include "analysis/plan_classes.h"
#include "scenarios/scenario.h"

struct plan_question {
    const struct scenario *scenario;
    struct plan_problem problem;
    struct plan_candidates candidates; /* none where throughputs are given, only their offers */

    /* The rest only where throughputs are measured. */
    struct plan_sample sample;
    const struct class_rule *rules;  /* [class_count]; NULL: throughputs are given */
    const struct plan_group *groups; /* [class_count] */
    bool cut; /* the classes were cut here; otherwise they are the scenario's own */
};

/* Memory is the scenario's arena. plan_question_clear frees what deployments own, also after a
 * failure. */
bool plan_question_build(const struct scenario *scenario, struct plan_question *question,
                         struct error *error);
void plan_question_clear(struct plan_question *question);

/* What the scenario says about the search, for plan_solve. */
struct plan_options plan_question_options(const struct plan_question *question);

#endif
