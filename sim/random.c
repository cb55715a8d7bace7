/* A block of Philox turns a 128-bit counter into four 32-bit words; the generator counts blocks and
 * hands their words out one by one. The key is the stream's name, hashed, so a stream needs no
 * state but how far it has been read. */
#include "sim/random.h"

#define PHILOX_ROUNDS 10
#define PHILOX_WORDS  4

struct philox {
    uint32_t key[2];
    uint32_t unread; /* words of `word` not yet handed out, taken from the end */
    uint64_t block;  /* number of the next block */
    uint32_t word[PHILOX_WORDS];
};

_Static_assert(sizeof(unsigned long) == sizeof(uint64_t), "a GSL seed carries a whole key");

/* Multipliers and key increments (Weyl constants) of Salmon et al., section 3.2. */
void random_philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * x0;
        uint64_t b = (uint64_t)0xCD9E8D57u * x2;
        x0 = (uint32_t)(b >> 32) ^ x1 ^ k0;
        x1 = (uint32_t)b;
        x2 = (uint32_t)(a >> 32) ^ x3 ^ k1;
        x3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

static void philox_refill(struct philox *philox)
{
    const uint32_t counter[4] = {(uint32_t)philox->block, (uint32_t)(philox->block >> 32), 0, 0};
    random_philox_block(counter, philox->key, philox->word);
    philox->block++;
    philox->unread = PHILOX_WORDS;
}

static uint32_t philox_next(struct philox *philox)
{
    if (philox->unread == 0)
        philox_refill(philox);
    return philox->word[PHILOX_WORDS - philox->unread--];
}

static void philox_set(void *state, unsigned long key)
{
    struct philox *philox = state;
    *philox = (struct philox){.key = {(uint32_t)key, (uint32_t)(key >> 32)}};
}

static unsigned long philox_get(void *state)
{
    return philox_next(state);
}

static double philox_get_double(void *state)
{
    uint64_t high = philox_next(state) >> 5;
    uint64_t low = philox_next(state) >> 6;
    return (double)(high << 26 | low) / 9007199254740992.0; /* 2^53 */
}

static const gsl_rng_type philox_type = {
    .name = "philox4x32-10",
    .max = 0xFFFFFFFFul,
    .min = 0,
    .size = sizeof(struct philox),
    .set = philox_set,
    .get = philox_get,
    .get_double = philox_get_double,
};

const gsl_rng_type *const random_philox = &philox_type;

/* The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014): a bijection in which every input bit moves half of the output. */
static uint64_t mix64(uint64_t x)
{
    x += 0x9E3779B97F4A7C15ull;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ x >> 27) * 0x94D049BB133111EBull;
    return x ^ x >> 31;
}

static uint64_t stream_key(uint64_t seed, uint64_t replication, const char *purpose)
{
    uint64_t key = mix64(mix64(seed) ^ replication);
    for (const char *c = purpose; *c; c++)
        key = mix64(key ^ (unsigned char)*c);
    return key;
}

gsl_rng *random_stream(uint64_t seed, uint64_t replication, const char *purpose)
{
    gsl_rng *rng = gsl_rng_alloc(random_philox);
    if (rng)
        gsl_rng_set(rng, stream_key(seed, replication, purpose));
    return rng;
}

double random_open_unit(gsl_rng *rng)
{
    uint64_t high = gsl_rng_get(rng) >> 6;
    uint64_t low = gsl_rng_get(rng) >> 6;
    return ((double)(high << 26 | low) + 0.5) / 4503599627370496.0; /* 2^52 */
}
