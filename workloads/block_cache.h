/* A least-recently-used cache of prefix blocks, for what a trace's hash ids promise.
 *
 * An id names a whole prefix, so a request's blocks hit up to the first that is absent. All of its
 * blocks are then in the cache, the root as the most recent: what is evicted first is a tail that
 * nothing else hangs on. Memory: about 80 bytes per block held. */
#ifndef TOKENYARD_WORKLOADS_BLOCK_CACHE_H
#define TOKENYARD_WORKLOADS_BLOCK_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct block_cache;

/* capacity in blocks; SIZE_MAX: nothing is ever evicted. NULL when out of memory. */
struct block_cache *block_cache_create(size_t capacity);
/* How many leading blocks were there; afterwards all of them are (as far as they fit). */
size_t block_cache_use(struct block_cache *cache, const uint64_t *ids, size_t count);
size_t block_cache_held(const struct block_cache *cache);
void block_cache_destroy(struct block_cache *cache); /* NULL is allowed */

#endif
