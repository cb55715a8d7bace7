#include "analysis/plan_answer.h"

#include <math.h>

/* One search for each GPU type; what cannot serve alone is no error. */
static bool solve_types(const struct plan_question *question, struct plan_answer *answer,
                        struct error *error)
{
    struct arena *arena = question->scenario->arena;
    size_t count = question->problem.gpu_type_count;
    answer->types = ARENA_ARRAY(arena, count, struct plan_type_answer);
    answer->best_type = PLAN_ANY_TYPE;
    for (size_t type = 0; type < count; type++) {
        struct plan_options options = plan_question_options(question);
        options.gpu_type = type;
        struct plan_type_answer *each = &answer->types[type];
        struct error reason = {0};
        each->feasible = plan_solve(&question->problem, &options, arena, &each->solution, &reason);
        if (!each->feasible && reason.code != ERROR_INFEASIBLE) {
            if (error)
                *error = reason;
            return false;
        }
        if (each->feasible &&
            (answer->best_type == PLAN_ANY_TYPE ||
             each->solution.value < answer->types[answer->best_type].solution.value))
            answer->best_type = type;
    }
    return true;
}

bool plan_answer_find(const struct plan_question *question, struct plan_answer *answer,
                      struct error *error)
{
    *answer = (struct plan_answer){.question = question, .gain = NAN};
    struct plan_options options = plan_question_options(question);
    if (!plan_solve(&question->problem, &options, question->scenario->arena, &answer->mix, error) ||
        !solve_types(question, answer, error))
        return false;
    if (answer->best_type != PLAN_ANY_TYPE && answer->mix.value > 0)
        answer->gain = answer->types[answer->best_type].solution.value / answer->mix.value - 1;
    return true;
}

double plan_config_usd_h(const struct plan_problem *problem, const struct plan_solution *solution,
                         size_t config)
{
    size_t offer = problem->configs[config].offer;
    double gpus = 0;
    for (size_t c = 0; c < problem->config_count; c++)
        if (problem->configs[c].offer == offer)
            gpus += (double)(solution->replicas[c] * problem->configs[c].gpus);
    if (gpus <= 0)
        return 0;
    double own_gpus = (double)(solution->replicas[config] * problem->configs[config].gpus);
    return (double)solution->units[offer] * problem->offers[offer].usd_h * own_gpus / gpus;
}
