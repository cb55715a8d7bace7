/* `tokenyard run`: simulate a scenario and report. */
#ifndef TOKENYARD_ANALYSIS_RUN_H
#define TOKENYARD_ANALYSIS_RUN_H

#include "sim/error.h"

/* argv: the arguments after "run". Prints the report. */
bool run_command(int argc, char *const argv[], struct error *error);

#endif
