/* Fleets whose replicas come and go, as a scenario describes them: markets, the "elastic" of pools,
 * the hourly budget, and the date on which all of it begins. */
#ifndef TOKENYARD_SCENARIOS_SCENARIO_ELASTIC_H
#define TOKENYARD_SCENARIOS_SCENARIO_ELASTIC_H

#include "scenarios/pool_hardware.h"

extern const struct config_type scenario_budget_type; /* struct scenario_budget */

/* A pool's nodes, once its deployment is known. Changes the pool's spec: as many replicas as there
 * may ever be. parts: the pool's hardware. */
bool scenario_elastic_pool(struct scenario *scenario, size_t index,
                           const struct hardware_part *parts, const char *pointer,
                           struct error *error);

/* Does anything of it ask for a control plane? Then scenario->elastic is set. */
bool scenario_elastic_resolve(struct scenario *scenario, struct error *error);

/* Does the budget pay for what is fixed, and for one node of every elastic pool? */
bool scenario_budget_check(const struct scenario *scenario, struct error *error);

#endif
