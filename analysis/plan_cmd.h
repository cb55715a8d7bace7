/* `tokenyard plan`: find the best fleet under a budget, and check it by simulation. */
#ifndef TOKENYARD_ANALYSIS_PLAN_CMD_H
#define TOKENYARD_ANALYSIS_PLAN_CMD_H

#include <stdbool.h>

#include "sim/error.h"

/* argv: the arguments after "plan". Writes plan.json and scenario.json (and
 * scenario-single-type.json, or with markets scenario-on-demand.json) and prints the plan. */
bool plan_command(int argc, char *const argv[], struct error *error);

#endif
