#include "analysis/plan_spot_answer.h"

static bool try_proposal(const struct plan_spot_answer *answer, const char *folder,
                         const char *file, const char *suffix, const struct plan_proposal *proposal,
                         bool to_the_end, struct plan_trial *trial, struct error *error)
{
    const struct plan_question *question = answer->spot.question;
    const struct scenario *scenario = question->scenario;
    const struct scenario_plan *plan = scenario->config.plan;
    const char *path = arena_printf(scenario->arena, "%s/%s", folder, file);
    const char *name = arena_printf(scenario->arena, "%s, %s", scenario->config.name, suffix);
    struct plan_trial_options options = {.budget_usd_h = plan->budget_usd_h,
                                         .confidence = plan->confidence,
                                         .replications = (size_t)plan->replications,
                                         .to_the_end = to_the_end};
    return plan_replay_write(question, &proposal->solution, proposal->bought, name, path, error) &&
           plan_trial_run(path, &options, trial, error);
}

static void reject(struct plan_spot_answer *answer, struct plan_proposal *proposal)
{
    const struct plan_trial *trial = &answer->trial;
    double confidence = answer->spot.question->scenario->config.plan->confidence;
    answer->rejections[answer->rejection_count++] = (struct plan_rejection){
        proposal, trial->done, trial->held, trial->over_budget, trial->slo_missed};
    plan_spot_reject(&answer->spot, proposal,
                     plan_trial_highest_usd(trial, confidence) / trial->budget_usd_h);
}

/* Goes down the proposals until one holds. All on demand is not tried here: whatever simulation
 * says of it, there is nothing below. */
static bool choose(struct plan_spot_answer *answer, const char *folder, struct error *error)
{
    struct error infeasible = {0};
    while (answer->rejection_count < PLAN_PROPOSALS_MAX) {
        struct plan_proposal *proposal = plan_spot_best(&answer->spot, &infeasible);
        if (!proposal || !plan_proposal_has_spot(&answer->spot, proposal))
            break;
        plan_trial_clear(&answer->trial);
        if (!try_proposal(answer, folder, "scenario.json", "planned fleet", proposal, false,
                          &answer->trial, error))
            return false;
        if (answer->trial.holds) {
            answer->chosen = proposal;
            return true;
        }
        reject(answer, proposal);
    }
    if (infeasible.code == ERROR_NONE)
        return true;
    if (error)
        *error = infeasible;
    return false;
}

static bool nothing_holds(const struct plan_spot_answer *answer, struct error *error)
{
    const struct scenario_plan *plan = answer->spot.question->scenario->config.plan;
    error_set(error, ERROR_INFEASIBLE,
              "no fleet with nodes on Spot keeps %g USD in every hour%s in %g %% of the "
              "replications, and the budget does not pay for one on demand",
              plan->budget_usd_h,
              answer->spot.question->scenario->slo_count > 0 ? ", and the SLO," : "",
              100 * plan->confidence);
    return error_hint(error,
                      "fleets simulated: %zu; raise \"budget_usd_h\", or lower "
                      "\"confidence\"",
                      answer->rejection_count);
}

/* For comparison, or for want of a better one: then it is the answer, whether it holds or not. */
static bool add_on_demand(struct plan_spot_answer *answer, const char *folder, struct error *error)
{
    answer->on_demand = plan_spot_on_demand(&answer->spot);
    if (!answer->on_demand)
        return answer->chosen || nothing_holds(answer, error);
    if (answer->chosen)
        return try_proposal(answer, folder, "scenario-on-demand.json", "all on demand",
                            answer->on_demand, true, &answer->on_demand_trial, error);
    plan_trial_clear(&answer->trial);
    answer->chosen = answer->on_demand;
    return try_proposal(answer, folder, "scenario.json", "planned fleet", answer->chosen, true,
                        &answer->trial, error);
}

bool plan_spot_answer_find(const struct plan_question *question, const char *folder,
                           struct plan_spot_answer *answer, struct error *error)
{
    return plan_spot_prepare(question, &answer->spot, error) && choose(answer, folder, error) &&
           add_on_demand(answer, folder, error);
}

void plan_spot_answer_clear(struct plan_spot_answer *answer)
{
    plan_trial_clear(&answer->trial);
    plan_trial_clear(&answer->on_demand_trial);
}
