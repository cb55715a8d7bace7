/* Changes of prefix caches on their way to whoever listens: each is seen a while after it happened,
 * in order. A ring that grows; growing ends the process when out of memory. */
#ifndef TOKENYARD_MODELS_FLEET_CACHE_CHANGES_H
#define TOKENYARD_MODELS_FLEET_CACHE_CHANGES_H

#include "models/fleet/router_policy.h"

struct cache_changes {
    struct cache_change *ring;
    uint32_t first, count, capacity; /* capacity is a power of two, or 0 */
    tick_t delay;
};

void cache_changes_free(struct cache_changes *changes);

void cache_changes_add(struct cache_changes *changes, const struct cache_change *change);

/* What the slot told is not seen. */
void cache_changes_forget(struct cache_changes *changes, uint32_t slot);

/* The next one that is seen by now; false when there is none. */
bool cache_changes_take(struct cache_changes *changes, tick_t now, struct cache_change *change);

#endif
