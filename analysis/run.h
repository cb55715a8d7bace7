/* `tokenyard run`: simulate a scenario and report. */
#ifndef TOKENYARD_ANALYSIS_RUN_H
#define TOKENYARD_ANALYSIS_RUN_H

#include "analysis/summary.h"
#include "scenarios/scenario.h"

/* argv: the arguments after "run". Prints the report. */
bool run_command(int argc, char *const argv[], struct error *error);

/* What reports say of a scenario's pools: pool_count of them, in its arena. */
struct pool_facts *run_pool_facts(const struct scenario *scenario);

/* Where results go when the command line does not say: results/<name of the scenario file>. In its
 * arena. */
const char *run_default_folder(const struct scenario *scenario);

#endif
