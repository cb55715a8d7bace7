/* Where the catalogue of GPUs, instances and models is.
 *
 * $TOKENYARD_CATALOG if set; else <program>/../share/tokenyard/catalog (installed); else
 * models/catalog in the program's folder or one of its four parents (build tree). A folder counts
 * when it holds gpus.json. */
#ifndef TOKENYARD_MODELS_CATALOG_PATH_H
#define TOKENYARD_MODELS_CATALOG_PATH_H

#include "sim/arena.h"
#include "sim/error.h"

/* For the running program. In the arena; NULL, with the places looked at, when there is none. */
const char *catalog_path(struct arena *arena, struct error *error);

/* The same with the environment variable's value (NULL: not set) and the program's folder given. */
const char *catalog_path_from(const char *environment, const char *program_folder,
                              struct arena *arena, struct error *error);

#endif
