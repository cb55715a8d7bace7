#include "models/catalog_path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PARENTS 4

static bool is_catalog(const char *folder, struct arena *arena)
{
    return access(arena_printf(arena, "%s/gpus.json", folder), R_OK) == 0;
}

static const char *not_found(const char *looked, struct error *error)
{
    error_set(error, ERROR_FAILED, "cannot find the catalogue (gpus.json); looked in %s", looked);
    error_hint(error, "set TOKENYARD_CATALOG to the folder that holds gpus.json");
    return NULL;
}

const char *catalog_path_from(const char *environment, const char *program_folder,
                              struct arena *arena, struct error *error)
{
    if (environment && environment[0])
        return is_catalog(environment, arena) ? arena_strdup(arena, environment)
                                              : not_found(environment, error);
    const char *folder = arena_printf(arena, "%s/../share/tokenyard/catalog", program_folder);
    const char *looked = folder;
    const char *parent = program_folder;
    for (int i = 0; !is_catalog(folder, arena); i++) {
        if (i > PARENTS)
            return not_found(looked, error);
        folder = arena_printf(arena, "%s/models/catalog", parent);
        looked = arena_printf(arena, "%s, %s", looked, folder);
        parent = arena_printf(arena, "%s/..", parent);
    }
    return folder;
}

const char *catalog_path(struct arena *arena, struct error *error)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash)
        *slash = '\0';
    return catalog_path_from(getenv("TOKENYARD_CATALOG"), slash ? program : ".", arena, error);
}
