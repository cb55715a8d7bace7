/* `tokenyard trace`: statistics of request traces, conversion between their formats, and traces
 * made from a scenario's workload. */
#ifndef TOKENYARD_ANALYSIS_TRACE_CMD_H
#define TOKENYARD_ANALYSIS_TRACE_CMD_H

#include <stdbool.h>

#include "sim/error.h"

/* argv: the arguments after "trace". Prints to standard output. */
bool trace_command(int argc, char *const argv[], struct error *error);

#endif
