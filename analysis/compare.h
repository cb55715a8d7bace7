/* A scenario's comparison, simulated: every variant at every value of the sweep.
 *
 * Each run reads the scenario anew with the variant's assignments, so whatever a scenario can say
 * can be compared. Runs are independent and go side by side on threads; the numbers do not depend
 * on how many. Stopped by the user, a comparison keeps what is done. */
#ifndef TOKENYARD_ANALYSIS_COMPARE_H
#define TOKENYARD_ANALYSIS_COMPARE_H

#include "analysis/summary.h"
#include "scenarios/scenario.h"

struct compare_row {
    const char *variant;
    double at; /* value of the sweep; NaN without one */
    bool done; /* false: stopped before */
    uint64_t completed, rejected, in_flight;
    uint64_t shed, lost;            /* of those rejected: dropped in queues; lost with a replica */
    double values[COMPARE_METRICS]; /* NaN: a quantity of nothing */
};

struct compare_request {
    const char *path; /* of the scenario */
    const char *const *sets;
    size_t set_count; /* the user's, before a variant's */
    size_t threads;   /* 0: one per core */
    bool (*proceed)(void *context, size_t done, size_t count);
    void *context;
};

struct comparison {
    const struct scenario *scenario; /* the base; borrowed */
    const struct scenario_compare *config;
    size_t at_count;          /* values of the sweep; 1 without one */
    struct compare_row *rows; /* [variant * at_count + at], in the scenario's arena */
    bool interrupted;
};

/* false when a variant cannot be read or simulated; the error names it. */
bool compare_run(const struct scenario *scenario, const struct compare_request *request,
                 struct comparison *comparison, struct error *error);

/* Of a claim, over the sweep; NaN where nothing can be divided. */
struct ratio_range {
    double least, most; /* ratio at the same value */
    double best;        /* greatest value of the one over greatest value of the other: capacities */
};
struct ratio_range compare_ratio(const struct comparison *comparison,
                                 const struct scenario_claim *claim);

#endif
