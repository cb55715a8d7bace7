#include "workloads/stream_rng.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/random.h"

bool stream_rng_open(struct stream_rng *stream_rng, const struct stream_seed *seed,
                     const char *purpose, struct error *error)
{
    *stream_rng = (struct stream_rng){0};
    char *name;
    if (asprintf(&name, "workload/%s/%s", seed->stream, purpose) < 0)
        return error_set(error, ERROR_FAILED, "out of memory");
    stream_rng->start = random_stream(seed->seed, seed->replication, name);
    free(name);
    if (stream_rng->start)
        stream_rng->rng = gsl_rng_clone(stream_rng->start);
    if (!stream_rng->rng)
        return error_set(error, ERROR_FAILED, "out of memory");
    return true;
}

void stream_rng_rewind(struct stream_rng *stream_rng)
{
    gsl_rng_memcpy(stream_rng->rng, stream_rng->start);
}

void stream_rng_close(struct stream_rng *stream_rng)
{
    if (stream_rng->rng)
        gsl_rng_free(stream_rng->rng);
    if (stream_rng->start)
        gsl_rng_free(stream_rng->start);
}
