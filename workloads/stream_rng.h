/* A random stream that can be played again from its start, as a workload's rewind asks. */
#ifndef TOKENYARD_WORKLOADS_STREAM_RNG_H
#define TOKENYARD_WORKLOADS_STREAM_RNG_H

#include <gsl/gsl_rng.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/error.h"

/* What the draws of one workload stream are named by. */
struct stream_seed {
    uint64_t seed, replication;
    const char *stream; /* its name */
};

struct stream_rng {
    gsl_rng *rng;   /* draw from this one */
    gsl_rng *start; /* as it was at first */
};

/* The stream "workload/<stream>/<purpose>". false when out of memory. */
bool stream_rng_open(struct stream_rng *stream_rng, const struct stream_seed *seed,
                     const char *purpose, struct error *error);
void stream_rng_rewind(struct stream_rng *stream_rng);
void stream_rng_close(struct stream_rng *stream_rng); /* a zeroed one is allowed */

#endif
