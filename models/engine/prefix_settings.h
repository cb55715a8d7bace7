/* "prefix_cache" of an engine's settings: where KV caches of prefixes are kept besides the GPU.
 *
 * On the GPU prefixes are kept wherever enable_prefix_caching is on; these are the tiers below,
 * which engines have as options: vLLM's OffloadingConnector (--kv-offloading-size) and LMCache
 * (max_local_cpu_size, remote_url), SGLang's HiCache (--hicache-ratio, --hicache-size,
 * --hicache-storage-backend), Mooncake's store. */
#ifndef TOKENYARD_MODELS_ENGINE_PREFIX_SETTINGS_H
#define TOKENYARD_MODELS_ENGINE_PREFIX_SETTINGS_H

#include "models/engine/prefix_tiers.h"
#include "sim/config.h"

/* NaN and INT64_MIN: not given. */
struct host_settings {
    double gib;
    int64_t blocks;
    double gb_s;
};

struct remote_settings {
    double gib;
    int64_t blocks;
    bool shared;
    double gb_s;
    double latency_ms;
};

struct prefix_settings {
    int64_t session_block_tok; /* INT64_MIN: the engine's block_size */
    struct host_settings *host;
    struct remote_settings *remote;
};

extern const struct config_type prefix_settings_type;

/* NULL settings: no tiers. */
bool prefix_settings_check(const struct prefix_settings *settings, bool caching,
                           struct error *error);

/* What a replica's KV cache is. */
struct prefix_replica {
    double bytes_per_tok, bytes_per_tok_per_gpu;
    double pcie_gb_s; /* of each of its GPUs */
    int64_t gpu_tok;  /* that its KV cache holds */
};

struct prefix_config prefix_settings_config(const struct prefix_settings *settings,
                                            const struct prefix_replica *replica);

#endif
