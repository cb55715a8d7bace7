/* How much of a demand to commit to, and for how long: the commitments of least cost.
 *
 * Take the instances that a demand needs as lying on top of each other. The one at level u is in
 * use for the share of the time in which demand is above u. On demand it costs that share of the
 * on-demand price; committed, it costs the committed price whether used or not. So level u is worth
 * committing exactly while its share is above committed price / on-demand price. The share only
 * falls with u: the optimum is a quantile of the load duration curve, read off after sorting. It is
 * the floor (demand of every hour) only where the ratio is as high as the share just above it.
 *
 * Several offers are layered. Over a horizon in which demand grows and prices change, a level is
 * covered by the long term, or, block by block, by shorter ones that are bought anew at the price
 * of their day, or not. Terms nest (each is a multiple of the next shorter, and the horizon a
 * multiple of all), so a level's cheapest cover is a minimum over a tree, and a level above needs
 * no more than one below: minimising level by level gives the minimum of the whole.
 *
 * Demand is the curve's in every period, times demand_factor, grown yearly; within a year it stays.
 * An offer's price changes yearly by the same share as the on-demand price, and what is bought
 * keeps its price to the end of its term. A month is a twelfth of 8760 hours.
 *
 * All results are in the given arena; a plan borrows its question. */
#ifndef TOKENYARD_MODELS_MONEY_COMMITMENT_OPTIMUM_H
#define TOKENYARD_MODELS_MONEY_COMMITMENT_OPTIMUM_H

#include <stdint.h>

#include "models/money/load_duration.h"

#define COMMITMENT_OFFERS_MAX 16

struct commitment_offer {
    const char *name;
    double usd_per_hour; /* of an instance, bought at time 0; what was paid up front is spread */
    int64_t term_months;
};

struct commitment_question {
    const struct load_duration *curve;
    double demand_factor; /* above 0; 1: the curve as it is */
    double on_demand_usd_per_hour;
    const struct commitment_offer *offers;
    size_t offer_count;
    int64_t horizon_months;       /* 360 at most */
    double growth_per_year;       /* of demand: 0.2 is a fifth more each year */
    double price_change_per_year; /* -0.3: prices fall by 30 % each year, continuously */
    bool whole;                   /* instances are committed whole; otherwise also in part */
};

struct commitment_plan {
    const struct commitment_question *question;
    size_t periods;    /* of equal length, over the horizon: terms and years consist of them */
    double *instances; /* [offer * periods + period]: committed then */
};

/* What a plan costs and does, in the mean over the horizon. */
struct commitment_outcome {
    double usd_per_hour;
    double on_demand_usd_per_hour; /* part of it */
    double demand;                 /* instances in use */
    double committed;              /* instances paid for */
    double committed_used;         /* of those, in use */
};

/* false for prices, terms or a horizon that cannot be: the error names the offer. */
bool commitment_check(const struct commitment_question *question, struct error *error);

/* What follows wants a question that commitment_check lets pass. */

/* The plan of least cost. Where committing and not committing cost the same, it does not. */
struct commitment_plan commitment_optimum(const struct commitment_question *question,
                                          struct arena *arena);

/* The usual rules of thumb, for one offer, renewed at the end of each term. */
enum commitment_rule {
    COMMIT_NOTHING,
    COMMIT_FLOOR, /* least demand of the term */
    COMMIT_MEAN,
    COMMIT_PEAK,
    COMMIT_RULES
};

struct commitment_plan commitment_by_rule(const struct commitment_question *question, size_t offer,
                                          enum commitment_rule rule, struct arena *arena);

/* question: the plan's, or one that differs in demand_factor only, when demand turns out other
 * than it was planned for. */
struct commitment_outcome commitment_evaluate(const struct commitment_question *question,
                                              const struct commitment_plan *plan);

/* Share of its term for which an instance must be in use, for the offer to be worth it at the
 * prices of time 0. */
double commitment_worth_share(const struct commitment_question *question, size_t offer);

/* Years after which the on-demand price has fallen to what was committed at time 0; infinity where
 * prices do not fall. */
double commitment_under_water_years(const struct commitment_question *question, size_t offer);

#endif
