/* A scenario's "rebalance": which two pools swap nodes, and whether they can. */
#ifndef TOKENYARD_SCENARIOS_SCENARIO_REBALANCE_H
#define TOKENYARD_SCENARIOS_SCENARIO_REBALANCE_H

#include "scenarios/scenario.h"

/* Of a scenario whose pools, roles and markets are resolved. *out: the arena's; NULL where the
 * scenario has no "rebalance". */
bool scenario_rebalance_resolve(const struct scenario *scenario, const struct plane_rebalance **out,
                                struct error *error);

#endif
