#include <criterion/criterion.h>

#include "models/fleet/min_tree.h"
#include "sim/random.h"

static uint32_t first_by_looking(const double *values, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (values[i] < values[best])
            best = i;
    return best;
}

Test(min_tree, ties_go_to_the_lowest_index)
{
    struct min_tree tree;
    cr_assert(min_tree_init(&tree, 5));
    cr_assert_eq(min_tree_first(&tree), 0);
    min_tree_set(&tree, 0, 1);
    cr_assert_eq(min_tree_first(&tree), 1);
    for (uint32_t i = 1; i < 5; i++)
        min_tree_set(&tree, i, 1);
    cr_assert_eq(min_tree_first(&tree), 0);
    min_tree_free(&tree);
}

/* Every size around powers of two, where the tree has holes. */
Test(min_tree, agrees_with_looking_at_all)
{
    gsl_rng *rng = random_stream(1, 0, "test/min-tree");
    for (uint32_t count = 1; count <= 33; count++) {
        struct min_tree tree;
        double values[33] = {0};
        cr_assert(min_tree_init(&tree, count));
        for (int change = 0; change < 300; change++) {
            uint32_t index = (uint32_t)gsl_rng_uniform_int(rng, count);
            values[index] = (double)gsl_rng_uniform_int(rng, 5);
            min_tree_set(&tree, index, values[index]);
            cr_assert_eq(min_tree_first(&tree), first_by_looking(values, count), "of %u", count);
        }
        min_tree_free(&tree);
    }
    gsl_rng_free(rng);
}
