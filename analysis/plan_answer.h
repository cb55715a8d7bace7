/* The answer to a plan's question: the best fleet, and beside it the best of each GPU type. */
#ifndef TOKENYARD_ANALYSIS_PLAN_ANSWER_H
#define TOKENYARD_ANALYSIS_PLAN_ANSWER_H

#include "analysis/plan_question.h"

struct plan_type_answer {
    bool feasible; /* else no fleet of this type alone serves the demand */
    struct plan_solution solution;
};

struct plan_answer {
    const struct plan_question *question;
    struct plan_solution mix;
    struct plan_type_answer *types; /* [gpu_type_count] */
    size_t best_type;               /* PLAN_ANY_TYPE: none is feasible */
    double gain; /* how much the mix saves: best single value / mix value - 1; NaN: none feasible */
};

/* false with ERROR_INFEASIBLE when there is no fleet at all. Memory is the scenario's arena. */
bool plan_answer_find(const struct plan_question *question, struct plan_answer *answer,
                      struct error *error);

/* What a configuration's replicas cost, its part of idle GPUs on shared instances included; sums up
 * to the solution's cost. */
double plan_config_usd_h(const struct plan_problem *problem, const struct plan_solution *solution,
                         size_t config);

#endif
