/* Roles of pools in a scenario: who prefills, who decodes, and which router serves whom. */
#ifndef TOKENYARD_SCENARIOS_SCENARIO_ROLES_H
#define TOKENYARD_SCENARIOS_SCENARIO_ROLES_H

#include "scenarios/scenario.h"

/* Fills scenario->disaggregation where a pool has a role, after the pools were resolved. The error
 * bears a JSON pointer and no file. */
bool scenario_roles_resolve(struct scenario *scenario, struct error *error);

/* Do the routers name classes and pools that they serve? Likewise. */
bool scenario_routers_check(const struct scenario *scenario, struct error *error);

#endif
