/* The smallest of a fixed number of values that change one at a time: a tournament tree.
 *
 * Changing a value costs O(log count), reading the winner O(1); ties go to the lowest index. */
#ifndef TOKENYARD_MODELS_FLEET_MIN_TREE_H
#define TOKENYARD_MODELS_FLEET_MIN_TREE_H

#include <stdbool.h>
#include <stdint.h>

struct min_tree {
    double *values;   /* count of them */
    uint32_t *winner; /* [1] the root; node n has children 2n and 2n + 1; leaves are implicit */
    uint32_t count;
    uint32_t leaves; /* count, rounded up to a power of two */
};

/* All values start at 0. false when out of memory. */
bool min_tree_init(struct min_tree *tree, uint32_t count);
void min_tree_free(struct min_tree *tree);

void min_tree_set(struct min_tree *tree, uint32_t index, double value);

static inline uint32_t min_tree_first(const struct min_tree *tree)
{
    return tree->winner[1];
}

#endif
