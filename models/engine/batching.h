/* How an engine batches: what "batching" of a scenario's engine says.
 *
 * continuous  the batch changes from iteration to iteration (Orca, Yu et al., OSDI 2022; all
 *             engines of today)
 * none        one request at a time, from its prompt to its last token
 * static      waits until max_batch requests are there, and serves them together until the longest
 *             answer is done (Hugging Face's generate over a data set, FasterTransformer)
 * dynamic     the same, but goes with fewer once the oldest has waited for window_ms (Triton's
 *             dynamic_batching: max_batch_size, max_queue_delay_microseconds; its default of 0
 *             takes whatever is there as soon as the GPU is free, as the baselines of Orca and of
 *             PagedAttention do)
 *
 * The last three are in models/engine/static_batch.h. */
#ifndef TOKENYARD_MODELS_ENGINE_BATCHING_H
#define TOKENYARD_MODELS_ENGINE_BATCHING_H

#include <stdbool.h>

#include "sim/clock.h"
#include "sim/config.h"

enum batching_kind { BATCHING_CONTINUOUS, BATCHING_NONE, BATCHING_STATIC, BATCHING_DYNAMIC };

struct batching {
    enum batching_kind kind;
    uint32_t max_batch;
    tick_t window;       /* TICK_NEVER: waits until the batch is full */
    bool returned_early; /* each answer when it is done, not with the batch */
};

/* The variants of a scenario, by enum batching_kind. */
extern const struct config_variant_type batching_kinds[];

struct batching batching_of(const struct config_variant *variant); /* of batching_kinds */

#endif
