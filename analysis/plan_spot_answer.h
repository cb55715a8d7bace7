/* The answer to a plan with markets: the best proposal that holds in simulation, beside all on
 * demand.
 *
 * All proposals meet the same replications, so that what differs between them is the fleet. The one
 * that is chosen is flattered by that a little: it was chosen because it held in these. */
#ifndef TOKENYARD_ANALYSIS_PLAN_SPOT_ANSWER_H
#define TOKENYARD_ANALYSIS_PLAN_SPOT_ANSWER_H

#include "analysis/plan_spot.h"
#include "analysis/plan_trial.h"

/* More proposals than this are not simulated: all on demand is the answer then. */
#define PLAN_PROPOSALS_MAX 40

/* A proposal that did not hold. */
struct plan_rejection {
    const struct plan_proposal *proposal;
    size_t done, held, over_budget, slo_missed; /* replications */
};

struct plan_spot_answer {
    struct plan_spot spot;
    struct plan_proposal *chosen;
    struct plan_trial trial; /* of it; holds is false where nothing does, all on demand neither */
    struct plan_proposal *on_demand;   /* NULL: the budget does not pay for it; may be chosen */
    struct plan_trial on_demand_trial; /* all-zero where it is chosen or NULL */
    struct plan_rejection rejections[PLAN_PROPOSALS_MAX];
    size_t rejection_count;
};

/* Leaves scenario.json, the fleet chosen, and scenario-on-demand.json in the folder. false with
 * ERROR_INFEASIBLE when no fleet serves the demand within the budget, or only such that do not hold
 * with nodes on Spot. The caller clears the answer, also after a failure. */
bool plan_spot_answer_find(const struct plan_question *question, const char *folder,
                           struct plan_spot_answer *answer, struct error *error);
void plan_spot_answer_clear(struct plan_spot_answer *answer); /* an all-zero one is allowed */

#endif
