/* Several sources as one, in order of time; at equal times the first in the list comes first.
 *
 * Marks each arrival with the index of the source it came from (arrival.stream), and hands the ends
 * of closed-loop requests back to it. Owns its inner sources; a request costs O(sources). */
#ifndef TOKENYARD_WORKLOADS_MERGE_H
#define TOKENYARD_WORKLOADS_MERGE_H

#include <stddef.h>

#include "sim/arena.h"
#include "workloads/source.h"

/* The array is copied into the arena. */
struct source *merge_create(struct source *const *inner, uint32_t count, struct arena *arena);

#endif
