/* The tiers of a prefix cache as an engine's configuration has them, and what is counted of them.
 */
#ifndef TOKENYARD_MODELS_ENGINE_PREFIX_TIERS_H
#define TOKENYARD_MODELS_ENGINE_PREFIX_TIERS_H

#include <stdbool.h>
#include <stdint.h>

enum prefix_tier { TIER_GPU, TIER_HOST, TIER_REMOTE, PREFIX_TIERS };

/* A tier below the GPU. */
struct tier_config {
    int64_t capacity; /* 0: there is none; INT64_MAX: without bounds */
    bool counts_ids;  /* the capacity is in ids, whatever they name; false: in tokens */
    bool shared;      /* by all replicas of a fleet that have one of this kind */
    double latency_s, s_per_tok;
};

struct prefix_config {
    uint32_t session_block_tok; /* tokens to an id where sessions give them; 0: a KV block */
    struct tier_config tiers[PREFIX_TIERS]; /* TIER_GPU: the KV cache, not used */
};

/* Of requests that were let in, each once: what their prompts are, and what was found of it. */
struct prefix_totals {
    uint64_t ids, tok;
    uint64_t found_ids[PREFIX_TIERS];
    uint64_t found_tok[PREFIX_TIERS]; /* that were not computed */
};

#endif
