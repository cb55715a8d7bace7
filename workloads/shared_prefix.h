/* Prompts that begin alike: in front of each prompt stands one of a number of system prompts, some
 * far more popular than others.
 *
 * The k-th most popular is drawn in proportion to 1 / k^zipf; all turns of a session have the same.
 * It is named by hash_ids, whole blocks only, so that prefix caches can share it; what follows has
 * none, but a session's turns share that, too (models/engine/prefix_ids.h). Random stream:
 * "workload/<stream>/shared-prefix". */
#ifndef TOKENYARD_WORKLOADS_SHARED_PREFIX_H
#define TOKENYARD_WORKLOADS_SHARED_PREFIX_H

#include "sim/config.h"
#include "workloads/source.h"
#include "workloads/stream_rng.h"

struct shared_prefix_config {
    int64_t prompts, prompt_tok, block_tok;
    double zipf;
};

extern const struct config_type shared_prefix_type;

/* Wraps inner, which names no blocks of its own, and owns it from then on, also when it fails:
 * NULL. Allocated in the arena. */
struct source *shared_prefix_open(struct source *inner, const struct shared_prefix_config *config,
                                  const struct stream_seed *seed, struct arena *arena,
                                  struct error *error);

#endif
