#include <criterion/criterion.h>
#include <gsl/gsl_randist.h>
#include <math.h>

#include "sim/random.h"

/* "philox4x32 10" lines of tests/kat_vectors in Random123, the authors' reference library. */
Test(random, blocks_match_the_published_vectors)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t out[4];
        random_philox_block(known[i].counter, known[i].key, out);
        for (int word = 0; word < 4; word++)
            cr_expect_eq(out[word], known[i].out[word], "vector %zu, word %d", i, word);
    }
}

Test(random, a_generator_reads_block_after_block_in_order)
{
    gsl_rng *rng = gsl_rng_alloc(random_philox);
    const uint32_t key[2] = {0x89abcdef, 0x01234567};
    gsl_rng_set(rng, 0x0123456789abcdef);
    for (uint32_t block = 0; block < 5; block++) {
        const uint32_t counter[4] = {block, 0, 0, 0};
        uint32_t out[4];
        random_philox_block(counter, key, out);
        for (int word = 0; word < 4; word++)
            cr_expect_eq(gsl_rng_get(rng), out[word]);
    }
    gsl_rng_free(rng);
}

Test(random, the_same_name_gives_the_same_stream)
{
    gsl_rng *a = random_stream(7, 3, "workload/arrivals");
    gsl_rng *b = random_stream(7, 3, "workload/arrivals");
    for (int i = 0; i < 100; i++)
        cr_expect_eq(gsl_rng_get(a), gsl_rng_get(b));
    gsl_rng_free(a);
    gsl_rng_free(b);
}

static uint64_t first_bits(uint64_t seed, uint64_t replication, const char *purpose)
{
    gsl_rng *rng = random_stream(seed, replication, purpose);
    uint64_t high = gsl_rng_get(rng);
    uint64_t bits = high << 32 | gsl_rng_get(rng);
    gsl_rng_free(rng);
    return bits;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

Test(random, every_part_of_a_name_makes_another_stream)
{
    static const char *const purpose[] = {"", "a", "b", "ab", "ba", "workload/arrivals"};
    enum { SEEDS = 40, REPLICATIONS = 40, PURPOSES = sizeof purpose / sizeof purpose[0] };
    static uint64_t bits[SEEDS * REPLICATIONS * PURPOSES];
    size_t count = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (uint64_t replication = 0; replication < REPLICATIONS; replication++)
            for (size_t p = 0; p < PURPOSES; p++)
                bits[count++] = first_bits(seed, replication, purpose[p]);
    qsort(bits, count, sizeof bits[0], by_value);
    for (size_t i = 1; i < count; i++)
        cr_assert_neq(bits[i - 1], bits[i]);
}

/* Fixed for good: a change here changes the results of every scenario. */
Test(random, stream_keys_are_frozen)
{
    cr_expect_eq(first_bits(1, 0, "workload/arrivals"), 0x47a1c2c108c79e3f);
    cr_expect_eq(first_bits(42, 7, "router"), 0xb134173190cb7b7f);
}

/* Chi-square over 256 cells, 255 degrees of freedom: mean 255, deviation 22.6. */
static double chi_square(const uint32_t cell[256], double draws)
{
    double expected = draws / 256, sum = 0;
    for (int i = 0; i < 256; i++)
        sum += (cell[i] - expected) * (cell[i] - expected) / expected;
    return sum;
}

Test(random, doubles_are_uniform_in_high_and_in_low_bits)
{
    enum { DRAWS = 200000 };
    uint32_t high[256] = {0}, low[256] = {0};
    gsl_rng *rng = random_stream(1, 0, "uniform");
    for (int i = 0; i < DRAWS; i++) {
        double u = gsl_rng_uniform(rng);
        cr_assert(u >= 0 && u < 1);
        high[(int)(u * 256)]++;
        low[(uint64_t)(u * 9007199254740992.0) & 255]++; /* the last of 53 bits */
    }
    cr_expect_lt(chi_square(high, DRAWS), 255 + 5 * 22.6);
    cr_expect_lt(chi_square(low, DRAWS), 255 + 5 * 22.6);
    gsl_rng_free(rng);
}

/* A generator stuck at one word, to reach the ends of the range. */
static void stuck_set(void *state, unsigned long seed)
{
    *(unsigned long *)state = seed;
}

static unsigned long stuck_get(void *state)
{
    return *(unsigned long *)state;
}

static const gsl_rng_type stuck = {"stuck",   0xFFFFFFFFul, 0,   sizeof(unsigned long),
                                   stuck_set, stuck_get,    NULL};

Test(random, the_open_unit_excludes_both_ends_and_is_symmetric)
{
    gsl_rng *rng = gsl_rng_alloc(&stuck);
    gsl_rng_set(rng, 0);
    double least = random_open_unit(rng);
    gsl_rng_set(rng, 0xFFFFFFFFul);
    double most = random_open_unit(rng);
    cr_expect_gt(least, 0);
    cr_expect_lt(most, 1);
    cr_expect_eq(least, 1 - most);
    gsl_rng_free(rng);
}

Test(random, gsl_variates_have_their_moments)
{
    enum { DRAWS = 200000 };
    gsl_rng *rng = random_stream(5, 0, "moments");
    double exponential = 0, gaussian = 0, squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        exponential += gsl_ran_exponential(rng, 2);
        double x = gsl_ran_gaussian_ziggurat(rng, 1);
        gaussian += x;
        squares += x * x;
    }
    double root = sqrt(DRAWS);
    cr_expect_float_eq(exponential / DRAWS, 2, 5 * 2 / root);
    cr_expect_float_eq(gaussian / DRAWS, 0, 5 / root);
    cr_expect_float_eq(squares / DRAWS, 1, 5 * sqrt(2) / root);
    gsl_rng_free(rng);
}
