/* What a gateway remembers to have sent to one replica: the last so many tokens of prefix blocks,
 * the least recently used forgotten first (the LRU indexer of gateway-api-inference-extension's
 * approximate prefix cache; it hashes and links, and its memory grows with what it holds). */
#ifndef TOKENYARD_MODELS_FLEET_PREFIX_MEMORY_H
#define TOKENYARD_MODELS_FLEET_PREFIX_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct memory_node {
    uint64_t id;
    uint32_t tok;
    uint32_t newer, older; /* neighbours by use; free nodes are linked by older */
};

struct prefix_memory {
    struct memory_node *nodes; /* [0] is the head of the ring: newest older, oldest newer */
    uint32_t node_count, node_capacity, free_node;
    uint32_t *table; /* of nodes, by id; 0: free */
    uint32_t shift;
    uint64_t held_tok, capacity_tok;
};

/* false when out of memory. */
bool prefix_memory_init(struct prefix_memory *memory, uint64_t capacity_tok);
void prefix_memory_free(struct prefix_memory *memory);

/* The block is the one most recently used. Returns whether it was not there. */
bool prefix_memory_use(struct prefix_memory *memory, uint64_t id, uint32_t tok);

/* When it holds more than its capacity: forgets the least recently used block and returns true. */
bool prefix_memory_evict(struct prefix_memory *memory, uint64_t *id);
/* Likewise when it holds anything. */
bool prefix_memory_forget(struct prefix_memory *memory, uint64_t *id);

#endif
