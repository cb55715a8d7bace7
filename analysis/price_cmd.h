/* `tokenyard price`: what a run costs under other prices, what to commit to, and whether an API
 * would be cheaper. Nothing is simulated again. */
#ifndef TOKENYARD_ANALYSIS_PRICE_CMD_H
#define TOKENYARD_ANALYSIS_PRICE_CMD_H

#include "sim/error.h"

/* argv: the arguments after "price". */
bool price_command(int argc, char *const argv[], struct error *error);

#endif
