/* Where `tokenyard price` gets a demand from: the nodes of a run, or a table of one's own.
 *
 * Commitments count by the clock hour, so a run's demand is the instances that were billed in each
 * of them, in the mean; an hour that the run covers in part weighs as much as that part.
 *
 * A table is CSV with a header and the column instances (or any other unit that is bought), and, if
 * steps are not an hour each, hours. Everything is in the given arena. */
#ifndef TOKENYARD_ANALYSIS_PRICE_DEMAND_H
#define TOKENYARD_ANALYSIS_PRICE_DEMAND_H

#include "models/money/load_duration.h"
#include "models/money/usage.h"

struct price_demand {
    struct load_duration *curve;
    const char *sku, *provider, *region; /* of a run's nodes; "" for a table */
};

/* Is it a folder, as a run leaves it? */
bool price_is_run(const char *path);

/* "Every node" of one instance type that was bought on demand or, with all_nodes, in any way.
 * sku: NULL where the run has one type only. */
bool price_demand_of_run(const struct usage *usage, const char *sku, bool all_nodes,
                         struct arena *arena, struct price_demand *demand, struct error *error);

bool price_demand_of_table(const char *path, struct arena *arena, struct price_demand *demand,
                           struct error *error);

/* Tokens served in each clock hour of the run: the shape of its load. */
struct load_duration *price_load_of_run(const struct usage *usage, struct arena *arena,
                                        struct error *error);

#endif
