/* `tokenyard compare`: variants of one scenario side by side. */
#ifndef TOKENYARD_ANALYSIS_COMPARE_CMD_H
#define TOKENYARD_ANALYSIS_COMPARE_CMD_H

#include <stdbool.h>

#include "sim/error.h"

/* argv: the arguments after "compare". Writes compare.json, compare.csv and figures, and prints a
 * table. */
bool compare_command(int argc, char *const argv[], struct error *error);

#endif
