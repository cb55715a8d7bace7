/* A planned fleet as a scenario of its own, and what the simulator says of it. */
#ifndef TOKENYARD_ANALYSIS_PLAN_REPLAY_H
#define TOKENYARD_ANALYSIS_PLAN_REPLAY_H

#include "analysis/plan_question.h"
#include "analysis/summary.h"

/* Nodes of one configuration, where its offer has markets. */
struct plan_purchase {
    int64_t on_demand, spot;
};

/* The asking scenario with the solution's fleet, the plan's classes and weighted shares instead of
 * its own pools, classes and router, and without the plan. Files that it names are found from any
 * folder. bought: [config_count], or NULL where no offer has markets. The caller deletes the tree.
 */
cJSON *plan_replay_scenario(const struct plan_question *question,
                            const struct plan_solution *solution,
                            const struct plan_purchase *bought, const char *name);

/* Writes it to a file. */
bool plan_replay_write(const struct plan_question *question, const struct plan_solution *solution,
                       const struct plan_purchase *bought, const char *name, const char *path,
                       struct error *error);

struct plan_replay {
    struct scenario *scenario;
    struct simulation_spec spec;
    struct pool_facts *facts;
    struct summary *summary;         /* of the workload as it arrives */
    double saturated_requests_per_s; /* with the plan's sample, a few times over, all at t = 0;
                                      * NaN: not simulated */
};

/* Reads the scenario file at path, which plan_replay_scenario wrote. The caller clears replay, also
 * after a failure. */
bool plan_replay_open(const char *path, struct plan_replay *replay, struct error *error);

/* Opens and simulates it. */
bool plan_replay_run(const char *path, const struct plan_sample *sample, struct plan_replay *replay,
                     struct error *error);
void plan_replay_clear(struct plan_replay *replay);

#endif
