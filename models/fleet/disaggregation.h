/* Prefill on some replicas, decode on others: what a scenario says of it, and what came of it.
 *
 * Pools have roles. A decider says of each request whether a prefill pool computes its prompt. If
 * so, the router picks that replica among the prefill pools', and once the prompt is complete the
 * decode router picks one among the others'. That one lets the request in as any other, by taking
 * the blocks of its context; then the KV cache is fetched over the modelled links, and the blocks
 * on the prefill side are given back (vLLM, docs/features/disagg_prefill.md and the NIXL connector:
 * the decode side pulls). If the decider says no, the replica that the decode router picks does
 * all. When the decode side has no room the request waits there and holds its blocks on the prefill
 * side, which lets in less, which is how the pressure travels back to the queue. One that could
 * never be let in, on the prefill side or in some decode pool, is refused when it arrives.
 *
 * Who sends the first token: the prefill side makes it in any case. Under vLLM, Dynamo, SGLang and
 * TensorRT-LLM its answer goes to the decode side, or is thrown away, and the client hears of the
 * decode side alone (vLLM's proxies ask the prefill side for one token and do not stream it): TTFT
 * includes the transfer. Splitwise (section IV) and DistServe stream it from the prefill side: the
 * transfer is part of the gap before the second token. vLLM's decode side computes the prompt's
 * last token again, to emit the first one itself: that one iteration is left out. */
#ifndef TOKENYARD_MODELS_FLEET_DISAGGREGATION_H
#define TOKENYARD_MODELS_FLEET_DISAGGREGATION_H

#include "models/engine/batching.h"
#include "models/fleet/router.h"
#include "models/llm/llm.h"
#include "sim/histogram.h"

enum pool_role {
    ROLE_MIXED, /* prefills and decodes, alone or with what a prefill pool sends */
    ROLE_PREFILL,
    ROLE_DECODE, /* prefills only what the decider leaves to it, or what it lost */
};

extern const char *const pool_role_names[]; /* ends with NULL */

enum decider { DECIDE_ALWAYS, DECIDE_NEVER, DECIDE_PROMPT_LENGTH, DECIDE_LOAD_AWARE };

/* Parameters of deciders; defaults are Dynamo's (examples/llm/components/disagg_router.py, 0.3). */
struct decide_by_length {
    int64_t above_tok; /* prompt tokens that no cache has */
};

struct decide_by_load {
    int64_t above_tok;
    int64_t max_waiting; /* requests in all prefill queues: must be fewer */
};

/* Splitwise's mixed pool: see models/fleet/mixed_pool.h. */
struct mixed_pool_config {
    int64_t prompt_queue_tok;
};

enum transfer_mode {
    TRANSFER_WHOLE,     /* when the prompt is complete */
    TRANSFER_LAYERWISE, /* layer by layer, while it is computed */
};

struct transfer_config {
    int mode;          /* enum transfer_mode */
    double gb_s;       /* of one replica, one way, to other nodes; NaN: what its GPUs have */
    double node_gb_s;  /* of one node, one way; NaN: what its network cards have */
    double latency_s;  /* of every transfer; NaN: the links' */
    double efficiency; /* share of the links' rates that transfers reach */
    bool share_nodes;  /* pools of the same GPU fill the same nodes */
};

enum first_token_from { FIRST_TOKEN_DECODE, FIRST_TOKEN_PREFILL };

struct disaggregation_config {
    struct config_variant decider; /* of disaggregation_deciders */
    struct router_config decode_router;
    struct mixed_pool_config *mixed_pool; /* NULL: none */
    int first_token;                      /* enum first_token_from */
    struct transfer_config transfer;
};

extern const char *const transfer_mode_names[]; /* these end with NULL */
extern const char *const first_token_names[];
extern const struct config_type disaggregation_config_type;
extern const struct config_variant_type disaggregation_deciders[]; /* ends with name NULL */

/* What {} reads as, for callers that have no scenario. Owned by the arena. */
const struct disaggregation_config *disaggregation_defaults(struct arena *arena);

/* What a replica sends KV caches from and receives them with. */
struct kv_port {
    const struct gpu *gpu;
    const struct llm *llm;
    enum precision kv;
    int64_t tensor_parallel,
        pipeline_parallel; /* GPUs of the replica (of one data-parallel rank) */
};

/* What disaggregation looks at of a pool. */
struct pool_part {
    const char *name;
    enum pool_role role;
    struct kv_port port;
    enum batching_kind batching;
};

/* Does any pool have a role that needs others? */
bool disaggregation_wanted(const struct pool_part *pools, size_t count);

/* Do the pools fit together: somebody who prefills and somebody who decodes, caches of one kind?
 * The error's JSON pointer is that of the pool to blame, "/pools/1". */
bool disaggregation_check(const struct disaggregation_config *config, const struct pool_part *pools,
                          size_t count, struct error *error);

/* What came of it; of the requests that arrived after the warm-up. */
struct transfer_result {
    uint64_t transfers;
    uint64_t local;      /* requests whose prompt was computed where they decode */
    uint64_t recomputed; /* gave up their cache, so that others did not wait for ever */
    uint64_t lent;       /* times that a machine of the mixed pool went over */
    double bytes;
    /* Of each transfer: */
    struct histogram transfer;    /* from the fetch to the last byte's arrival */
    struct histogram link_wait;   /* of that, beyond what it takes on links of its own */
    struct histogram memory_wait; /* from the complete prompt until the decode side lets it in */
    struct histogram visible;     /* from the complete prompt to the last byte's arrival */
};

#endif
