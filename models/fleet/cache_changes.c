#include "models/fleet/cache_changes.h"

#include <stdlib.h>

#include "sim/arena.h"

void cache_changes_free(struct cache_changes *changes)
{
    free(changes->ring);
}

static struct cache_change *at(const struct cache_changes *changes, uint32_t index)
{
    return &changes->ring[(changes->first + index) & (changes->capacity - 1)];
}

static void grow(struct cache_changes *changes)
{
    uint32_t capacity = changes->capacity ? 2 * changes->capacity : 1024;
    struct cache_change *ring = malloc(capacity * sizeof *ring);
    if (!ring)
        out_of_memory();
    for (uint32_t i = 0; i < changes->count; i++)
        ring[i] = *at(changes, i);
    free(changes->ring);
    changes->ring = ring;
    changes->first = 0;
    changes->capacity = capacity;
}

void cache_changes_add(struct cache_changes *changes, const struct cache_change *change)
{
    if (changes->count == changes->capacity)
        grow(changes);
    *at(changes, changes->count++) = *change;
}

void cache_changes_forget(struct cache_changes *changes, uint32_t slot)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < changes->count; i++)
        if (at(changes, i)->slot != slot)
            *at(changes, kept++) = *at(changes, i);
    changes->count = kept;
}

bool cache_changes_take(struct cache_changes *changes, tick_t now, struct cache_change *change)
{
    if (changes->count == 0 || at(changes, 0)->when > now - changes->delay)
        return false;
    *change = *at(changes, 0);
    changes->first = (changes->first + 1) & (changes->capacity - 1);
    changes->count--;
    return true;
}
