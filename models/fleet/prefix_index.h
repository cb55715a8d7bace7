/* Which replicas hold which prefix blocks: one table for all of them.
 *
 * An id (of a whole prefix, up to the end of one block) maps to a set of replicas, as bits. Open
 * addressing with linear probing, at most half full; ids that nobody holds leave the table, so it
 * is as large as what is held. Looking up a prompt costs a cache line or two per id, as long as
 * some replica has all ids so far. Growing ends the process when out of memory. */
#ifndef TOKENYARD_MODELS_FLEET_PREFIX_INDEX_H
#define TOKENYARD_MODELS_FLEET_PREFIX_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct prefix_index {
    uint64_t *entries; /* [capacity][1 + words]: id, then the set; an empty set: no entry */
    uint64_t *alive;   /* [words]: scratch of prefix_index_match */
    uint32_t *held;    /* [replicas]: ids that each holds */
    uint32_t words;
    uint32_t replicas;
    uint32_t shift; /* 64 - log2(capacity) */
    uint64_t count;
};

/* false when out of memory. */
bool prefix_index_init(struct prefix_index *index, uint32_t replicas);
void prefix_index_free(struct prefix_index *index);

/* Nothing happens to what is there already, or is not there. */
void prefix_index_add(struct prefix_index *index, uint64_t id, uint32_t replica);
void prefix_index_remove(struct prefix_index *index, uint64_t id, uint32_t replica);

/* The replica holds nothing any more. Costs a look at the whole table if it held something. */
void prefix_index_forget(struct prefix_index *index, uint32_t replica);

/* How many leading ids each replica holds, into blocks[replicas]. */
void prefix_index_match(const struct prefix_index *index, const uint64_t *ids, uint32_t count,
                        uint32_t *blocks);

#endif
