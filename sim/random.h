/* Named, counter-based random streams behind GSL.
 *
 * Generator: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
 * registered as a gsl_rng_type, so every GSL variate works on it. A stream is named by (seed,
 * replication, purpose): its key is derived from the name alone, so streams never overlap in
 * practice, and drawing more from one never changes another. */
#ifndef TOKENYARD_SIM_RANDOM_H
#define TOKENYARD_SIM_RANDOM_H

#include <gsl/gsl_rng.h>
#include <stdint.h>

extern const gsl_rng_type *const random_philox; /* "philox4x32-10", 32-bit outputs */

/* One Philox4x32-10 block: out = bijection of counter under key. For tests against the published
 * known-answer vectors. */
void random_philox_block(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Caller frees with gsl_rng_free; NULL when out of memory. purpose: a short name, such as
 * "workload/arrivals". */
gsl_rng *random_stream(uint64_t seed, uint64_t replication, const char *purpose);

/* Uniform in (0, 1): never 0, never 1, and u is as likely as 1 - u (the middles of 2^52 equal
 * cells), as an inverse distribution function wants it. Draws two words of a 32-bit generator. */
double random_open_unit(gsl_rng *rng);

#endif
