#include "models/engine/prefix_settings.h"

#include <math.h>

#define CAPACITY_FIELDS(type, gib_doc)                                                             \
    {.name = "gib",                                                                                \
     .kind = CONFIG_NUMBER,                                                                        \
     .offset = offsetof(struct type, gib),                                                         \
     .optional = true,                                                                             \
     .min = 0,                                                                                     \
     .max = 1e9,                                                                                   \
     .above_min = true,                                                                            \
     .doc = gib_doc},                                                                              \
    {                                                                                              \
        .name = "blocks", .kind = CONFIG_INT, .offset = offsetof(struct type, blocks),             \
        .optional = true, .min = 1, .max = 4e9,                                                    \
        .doc = "capacity in blocks of the workload's (hash_ids), instead of gib"                   \
    }

static const struct config_field host_fields[] = {
    CAPACITY_FIELDS(host_settings, "memory for a replica; null, and no blocks: twice what its KV "
                                   "cache on the GPUs takes (HiCache's --hicache-ratio 2)"),
    {.name = "gb_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct host_settings, gb_s),
     .optional = true,
     .min = 0,
     .max = 1e5,
     .above_min = true,
     .doc = "bandwidth to each GPU, 10^9 bytes; null: the GPU's pcie_gb_s"},
    {0}};

static const struct config_type host_type = {.name = "prefix_host",
                                             .doc = "KV of prefixes in the host's memory",
                                             .size = sizeof(struct host_settings),
                                             .fields = host_fields};

static const struct config_field remote_fields[] = {
    CAPACITY_FIELDS(remote_settings, "size of the store; null, and no blocks: without bounds"),
    {.name = "shared",
     .kind = CONFIG_BOOL,
     .offset = offsetof(struct remote_settings, shared),
     .preset = "true",
     .doc = "one store for all replicas of the fleet; false: one for each"},
    {.name = "gb_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct remote_settings, gb_s),
     .min = 0,
     .max = 1e5,
     .above_min = true,
     .doc = "bandwidth to each replica, 10^9 bytes"},
    {.name = "latency_ms",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct remote_settings, latency_ms),
     .preset = "0",
     .min = 0,
     .max = 1e6,
     .doc = "of each load, added to the time that its bytes take"},
    {0}};

static const struct config_type remote_type = {.name = "prefix_remote",
                                               .doc = "KV of prefixes in a store over the network",
                                               .size = sizeof(struct remote_settings),
                                               .fields = remote_fields};

static const struct config_field prefix_fields[] = {
    {.name = "session_block_tok",
     .kind = CONFIG_INT,
     .offset = offsetof(struct prefix_settings, session_block_tok),
     .optional = true,
     .min = 1,
     .max = 1048576,
     .doc = "tokens of a conversation that are kept or forgotten together; null: block_size"},
    {.name = "host",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct prefix_settings, host),
     .object = &host_type,
     .optional = true,
     .doc = "keeps prefixes in the host's memory, too; null: does not"},
    {.name = "remote",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct prefix_settings, remote),
     .object = &remote_type,
     .optional = true,
     .doc = "and in a remote store; null: does not"},
    {0}};

const struct config_type prefix_settings_type = {
    .name = "prefix_cache",
    .doc = "Where KV caches of prefixes are kept besides the GPU",
    .size = sizeof(struct prefix_settings),
    .fields = prefix_fields};

static bool check_capacity(const char *tier, double gib, int64_t blocks, struct error *error)
{
    if (isnan(gib) || blocks == INT64_MIN)
        return true;
    error_set(error, ERROR_BAD_INPUT, "prefix_cache.%s has both gib and blocks", tier);
    return error_hint(error, "give one of them");
}

bool prefix_settings_check(const struct prefix_settings *settings, bool caching,
                           struct error *error)
{
    if (!settings)
        return true;
    if (!caching && (settings->host || settings->remote)) {
        error_set(error, ERROR_BAD_INPUT,
                  "prefix_cache has tiers, but enable_prefix_caching is "
                  "false");
        return error_hint(error, "leave one of them out");
    }
    const struct host_settings *host = settings->host;
    const struct remote_settings *remote = settings->remote;
    return (!host || check_capacity("host", host->gib, host->blocks, error)) &&
           (!remote || check_capacity("remote", remote->gib, remote->blocks, error));
}

/* preset: where neither is given. */
static void set_capacity(struct tier_config *tier, double gib, int64_t blocks, int64_t preset,
                         const struct prefix_replica *replica)
{
    tier->counts_ids = blocks != INT64_MIN;
    if (tier->counts_ids)
        tier->capacity = blocks;
    else
        tier->capacity = isnan(gib) ? preset : (int64_t)(gib * 0x1p30 / replica->bytes_per_tok);
}

static struct tier_config host_tier(const struct host_settings *host,
                                    const struct prefix_replica *replica)
{
    double gb_s = isnan(host->gb_s) ? replica->pcie_gb_s : host->gb_s;
    struct tier_config tier = {.s_per_tok = replica->bytes_per_tok_per_gpu / (gb_s * 1e9)};
    set_capacity(&tier, host->gib, host->blocks, 2 * replica->gpu_tok, replica);
    return tier;
}

static struct tier_config remote_tier(const struct remote_settings *remote,
                                      const struct prefix_replica *replica)
{
    struct tier_config tier = {.shared = remote->shared,
                               .latency_s = remote->latency_ms / 1e3,
                               .s_per_tok = replica->bytes_per_tok / (remote->gb_s * 1e9)};
    set_capacity(&tier, remote->gib, remote->blocks, INT64_MAX, replica);
    return tier;
}

struct prefix_config prefix_settings_config(const struct prefix_settings *settings,
                                            const struct prefix_replica *replica)
{
    struct prefix_config config = {0};
    if (!settings)
        return config;
    if (settings->session_block_tok != INT64_MIN)
        config.session_block_tok = (uint32_t)settings->session_block_tok;
    if (settings->host)
        config.tiers[TIER_HOST] = host_tier(settings->host, replica);
    if (settings->remote)
        config.tiers[TIER_REMOTE] = remote_tier(settings->remote, replica);
    return config;
}
