/* Which replicas hold which blocks, against a plain table; and what a gateway remembers. */
#include <criterion/criterion.h>
#include <string.h>

#include "models/fleet/prefix_index.h"
#include "models/fleet/prefix_memory.h"
#include "sim/random.h"

enum { IDS = 300, REPLICAS = 70, STEPS = 60000 };

struct plain {
    bool holds[IDS][REPLICAS];
};

/* Ids that lie close together and far apart, so that some collide. */
static uint64_t id_of(uint32_t number)
{
    return number % 3 ? number : (uint64_t)number << 54;
}

static void expect_match(const struct prefix_index *index, const struct plain *plain,
                         uint32_t first, uint32_t count)
{
    uint64_t ids[IDS];
    uint32_t blocks[REPLICAS];
    for (uint32_t i = 0; i < count; i++)
        ids[i] = id_of((first + i) % IDS);
    prefix_index_match(index, ids, count, blocks);
    for (uint32_t replica = 0; replica < REPLICAS; replica++) {
        uint32_t expected = 0;
        while (expected < count && plain->holds[(first + expected) % IDS][replica])
            expected++;
        cr_assert_eq(blocks[replica], expected);
    }
}

Test(prefix_index, is_a_table_of_sets)
{
    gsl_rng *rng = random_stream(1, 0, "test");
    static struct plain plain;
    struct prefix_index index;
    cr_assert(prefix_index_init(&index, REPLICAS));
    for (int step = 0; step < STEPS; step++) {
        uint32_t number = (uint32_t)gsl_rng_uniform_int(rng, IDS);
        uint32_t replica = (uint32_t)gsl_rng_uniform_int(rng, REPLICAS);
        bool add = gsl_rng_uniform_int(rng, step % 20000 < 10000 ? 8 : 3) > 1;
        if (add)
            prefix_index_add(&index, id_of(number), replica);
        else
            prefix_index_remove(&index, id_of(number), replica);
        plain.holds[number][replica] = add;
        if (step % 500 == 0) {
            prefix_index_forget(&index, replica);
            for (uint32_t i = 0; i < IDS; i++)
                plain.holds[i][replica] = false;
        }
        if (step % 50 == 0)
            expect_match(&index, &plain, number, (uint32_t)gsl_rng_uniform_int(rng, 30));
    }
    uint64_t held = 0, expected = 0, ids = 0;
    for (uint32_t replica = 0; replica < REPLICAS; replica++)
        held += index.held[replica];
    for (uint32_t i = 0; i < IDS; i++) {
        bool any = false;
        for (uint32_t replica = 0; replica < REPLICAS; replica++) {
            expected += plain.holds[i][replica];
            any |= plain.holds[i][replica];
        }
        ids += any;
    }
    cr_expect_eq(held, expected);
    cr_expect_eq(index.count, ids, "ids that nobody holds are gone");
    prefix_index_free(&index);
    gsl_rng_free(rng);
}

/* Against a list in order of use. */
Test(prefix_memory, forgets_the_least_recently_used)
{
    enum { CAPACITY = 40, TOK = 3 };
    gsl_rng *rng = random_stream(2, 0, "test");
    struct prefix_memory memory;
    cr_assert(prefix_memory_init(&memory, CAPACITY * TOK));
    uint64_t order[CAPACITY + 1]; /* oldest first */
    size_t count = 0;
    for (int step = 0; step < STEPS; step++) {
        uint64_t id = id_of((uint32_t)gsl_rng_uniform_int(rng, 2 * CAPACITY));
        size_t place = 0;
        while (place < count && order[place] != id)
            place++;
        cr_assert_eq(prefix_memory_use(&memory, id, TOK), place == count);
        if (place < count)
            memmove(&order[place], &order[place + 1], (--count - place) * sizeof *order);
        order[count++] = id;
        uint64_t forgotten;
        cr_assert_eq(prefix_memory_evict(&memory, &forgotten), count > CAPACITY);
        if (count > CAPACITY) {
            cr_assert_eq(forgotten, order[0]);
            memmove(order, &order[1], --count * sizeof *order);
        }
    }
    prefix_memory_free(&memory);
    gsl_rng_free(rng);
}
