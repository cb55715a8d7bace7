/* Fleets that are bought on Spot and on demand: proposals, from the best on paper down to all on
 * demand.
 *
 * Every deployment on an offer with markets can be bought in two ways. On demand a node serves
 * always; on Spot it counts with the share of the time that plan_supply_measure found it there, and
 * the budget has to pay for it in its dearest hour. The program of plan_milp.h then chooses nodes
 * of both kinds, under a cap on the Spot share of each instance type:
 *
 *     100 %,  100 % above a base of one node on demand,  75 %,  50 %,  25 %,  none
 *
 * (below 100 % some node is on demand anyhow). Whoever rejects a proposal, because simulation says
 * that it does not hold, gets the next best. What lies below a proposal has a tighter cap for one
 * type, or spends less on paper where it overspent in truth (nodes under notice are paid for beside
 * those that replace them). That is never better, so the search begins at the top, goes best first,
 * and looks below a proposal only once that was rejected. Memory is the scenario's arena. */
#ifndef TOKENYARD_ANALYSIS_PLAN_SPOT_H
#define TOKENYARD_ANALYSIS_PLAN_SPOT_H

#include "analysis/plan_question.h"
#include "analysis/plan_replay.h"
#include "analysis/plan_supply.h"

/* A deployment that can be bought in two ways. */
struct plan_way {
    size_t config, offer; /* of the question's problem */
    int64_t replicas_per_node, instances_per_node;
    double on_demand_usd; /* of a node, per hour */
    struct plan_supply supply;
    int64_t spot_most;     /* nodes on Spot that are worth having */
    double spot_available; /* share of the time that one of so many serves */
};

struct plan_proposal {
    struct plan_solution solution; /* of the question's problem; its cost is what is expected */
    double paper_value;            /* of the objective, as the search saw it: never lower below */
    struct plan_purchase *bought;  /* [config_count] of it */
    const int *caps;               /* [offers with markets] */
    double budget_share;           /* of the budget, that was to be spent on paper */
    bool rejected;
    struct plan_proposal *next;
};

struct plan_spot {
    const struct plan_question *question;
    struct plan_problem problem; /* with two configurations for each way */
    struct plan_way *ways;       /* configurations 2i and 2i + 1 are way i: on demand, on Spot */
    size_t way_count;
    double *on_demand_usd; /* by market of the scenario; see plan_supply_question */
    size_t *offers;        /* with markets, of the question's problem */
    size_t offer_count;
    size_t *fixed_configs, *fixed_offers; /* those after the ways': what they are there */
    struct plan_proposal *proposals;      /* all so far */
};

/* Measures what the markets supply. */
bool plan_spot_prepare(const struct plan_question *question, struct plan_spot *spot,
                       struct error *error);

/* The best that is not rejected; NULL when there is none, with an error only where that is the
 * first. */
struct plan_proposal *plan_spot_best(struct plan_spot *spot, struct error *error);

/* overspent: how many budgets it spent in an hour; at most 1 where that was not what was wrong. */
void plan_spot_reject(struct plan_spot *spot, struct plan_proposal *proposal, double overspent);

/* All on demand; NULL when the budget does not pay for it. */
struct plan_proposal *plan_spot_on_demand(struct plan_spot *spot);

/* Has it any node on Spot? */
bool plan_proposal_has_spot(const struct plan_spot *spot, const struct plan_proposal *proposal);

/* The way a configuration is bought; NULL: its offer has no markets. */
const struct plan_way *plan_spot_way(const struct plan_spot *spot, size_t config);

/* Expected spending for a configuration's nodes. */
double plan_way_usd_h(const struct plan_way *way, const struct plan_purchase *bought);

#endif
