#include "models/fleet/min_tree.h"

#include <stdlib.h>

static uint32_t better(const struct min_tree *tree, uint32_t a, uint32_t b)
{
    if (b >= tree->count)
        return a;
    return tree->values[b] < tree->values[a] ? b : a;
}

/* Nodes leaves .. 2 leaves - 1 are the values themselves. */
static void play(struct min_tree *tree, uint32_t node)
{
    tree->winner[node] = better(tree, tree->winner[2 * node], tree->winner[2 * node + 1]);
}

bool min_tree_init(struct min_tree *tree, uint32_t count)
{
    uint32_t leaves = 1;
    while (leaves < count)
        leaves *= 2;
    *tree = (struct min_tree){.count = count, .leaves = leaves};
    tree->values = calloc(count, sizeof *tree->values);
    tree->winner = calloc(2 * (size_t)leaves, sizeof *tree->winner);
    if (!tree->values || !tree->winner) {
        min_tree_free(tree);
        return false;
    }
    for (uint32_t i = 0; i < leaves; i++)
        tree->winner[leaves + i] = i;
    for (uint32_t node = leaves; node-- > 1;)
        play(tree, node);
    return true;
}

void min_tree_free(struct min_tree *tree)
{
    free(tree->values);
    free(tree->winner);
    *tree = (struct min_tree){0};
}

void min_tree_set(struct min_tree *tree, uint32_t index, double value)
{
    tree->values[index] = value;
    for (uint32_t node = (tree->leaves + index) / 2; node >= 1; node /= 2)
        play(tree, node);
}
