/* `tokenyard list` and `tokenyard schema`: what a scenario may say. */
#ifndef TOKENYARD_ANALYSIS_LIST_H
#define TOKENYARD_ANALYSIS_LIST_H

#include "sim/error.h"

bool list_command(int argc, char *const argv[], struct error *error);
bool schema_command(int argc, char *const argv[], struct error *error);

#endif
