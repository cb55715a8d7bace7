/* What writing and reading the files of a usage share; not for other modules.
 *
 * Times and busy times are decimals of seconds with nine digits, read back as whole nanoseconds: a
 * double would lose the last ones of a long run. usage.json says how many rows the tables hold, so
 * that one that is cut off or missing is noticed. */
#ifndef TOKENYARD_MODELS_MONEY_USAGE_FILES_H
#define TOKENYARD_MODELS_MONEY_USAGE_FILES_H

#include "models/money/usage.h"

enum usage_table { USAGE_NODES, USAGE_HOURS, USAGE_SERVED, USAGE_SPOT, USAGE_TABLES };
#define USAGE_TABLE_NAMES                                                                          \
    {                                                                                              \
        [USAGE_NODES] = "nodes", [USAGE_HOURS] = "hours", [USAGE_SERVED] = "served",               \
        [USAGE_SPOT] = "spot"                                                                      \
    }

/* Paths of a table and of usage.json, in the arena. */
static inline const char *usage_table_path(const char *folder, const char *table,
                                           struct arena *arena)
{
    return arena_printf(arena, "%s/usage_%s.csv", folder, table);
}

static inline const char *usage_head_path(const char *folder, struct arena *arena)
{
    return arena_printf(arena, "%s/usage.json", folder);
}

/* Reads usage.json: initialises the usage with its names and span, and says how many rows its
 * tables have. */
bool usage_read_head(struct usage *usage, const char *folder, int64_t rows[USAGE_TABLES],
                     struct error *error);

/* "12.5" to the tick nearest to so many seconds. */
bool usage_read_seconds(const char *text, tick_t *at);

#endif
