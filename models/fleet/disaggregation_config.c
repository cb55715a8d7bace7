/* The field tables of disaggregation, and what pools must agree on. */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "models/fleet/disaggregation.h"

const char *const pool_role_names[] = {"mixed", "prefill", "decode", NULL};

const char *const transfer_mode_names[] = {"whole", "layerwise", NULL};
const char *const first_token_names[] = {"decode", "prefill", NULL};

#define ABOVE_TOK(type)                                                                            \
    {                                                                                              \
        .name = "above_tok", .kind = CONFIG_INT, .offset = offsetof(type, above_tok),              \
        .preset = "1000", .min = 0, .max = UINT32_MAX,                                             \
        .doc = "prompts with more tokens than this that no cache has are prefilled elsewhere"      \
    }

static const struct config_field length_fields[] = {ABOVE_TOK(struct decide_by_length), {0}};

static const struct config_type length_type = {.name = "decide_prompt_length",
                                               .doc = "Deciding by the length of the prompt",
                                               .size = sizeof(struct decide_by_length),
                                               .fields = length_fields};

static const struct config_field load_fields[] = {
    ABOVE_TOK(struct decide_by_load),
    {.name = "max_waiting",
     .kind = CONFIG_INT,
     .offset = offsetof(struct decide_by_load, max_waiting),
     .preset = "2",
     .min = 1,
     .max = 1e6,
     .doc = "as long as fewer requests than this wait for the prefill pools, in all"},
    {0}};

static const struct config_type load_type = {.name = "decide_load_aware",
                                             .doc = "Deciding by prompt length and queues",
                                             .size = sizeof(struct decide_by_load),
                                             .fields = load_fields};

const struct config_variant_type disaggregation_deciders[] = {
    [DECIDE_ALWAYS] = {"always", "a prefill pool computes every prompt", NULL},
    [DECIDE_NEVER] = {"never", "the replicas that decode compute their prompts themselves", NULL},
    [DECIDE_PROMPT_LENGTH] = {"prompt_length", "a prefill pool computes long prompts",
                              &length_type},
    [DECIDE_LOAD_AWARE] = {"load_aware",
                           "a prefill pool computes long prompts while its queue is short (Dynamo)",
                           &load_type},
    {0}};

#define TRANSFER(member) offsetof(struct transfer_config, member)

static const struct config_field transfer_fields[] = {
    {.name = "mode",
     .kind = CONFIG_ENUM,
     .offset = TRANSFER(mode),
     .names = transfer_mode_names,
     .preset = "\"whole\"",
     .doc = "whole: when the prompt is complete; layerwise: layer by layer while it is computed"},
    {.name = "gb_s",
     .kind = CONFIG_NUMBER,
     .offset = TRANSFER(gb_s),
     .optional = true,
     .max = 1e6,
     .above_min = true,
     .doc = "between a replica and other nodes, one way, 1e9 bytes/s; null: what its GPUs have"},
    {.name = "node_gb_s",
     .kind = CONFIG_NUMBER,
     .offset = TRANSFER(node_gb_s),
     .optional = true,
     .max = 1e6,
     .above_min = true,
     .doc = "of a node's network cards together, one way; null: what its GPU's entry says"},
    {.name = "latency_s",
     .kind = CONFIG_NUMBER,
     .offset = TRANSFER(latency_s),
     .optional = true,
     .max = 60,
     .doc = "added to every transfer; null: the latency of the links"},
    /* Mooncake's transfer engine moves caches with 87 GB/s over four cards of 200 Gb/s (its README;
     * over eight of 400 Gb/s with 190). */
    {.name = "efficiency",
     .kind = CONFIG_NUMBER,
     .offset = TRANSFER(efficiency),
     .preset = "0.87",
     .max = 1,
     .above_min = true,
     .doc = "share of the links' rates that transfers reach"},
    {.name = "share_nodes",
     .kind = CONFIG_BOOL,
     .offset = TRANSFER(share_nodes),
     .preset = "true",
     .doc = "pools with the same GPU fill the same nodes; false: each pool has nodes of its own"},
    {0}};

static const struct config_type transfer_type = {.name = "transfer",
                                                 .doc = "How KV caches move",
                                                 .size = sizeof(struct transfer_config),
                                                 .fields = transfer_fields};

static const struct config_field mixed_pool_fields[] = {
    {.name = "prompt_queue_tok",
     .kind = CONFIG_INT,
     .offset = offsetof(struct mixed_pool_config, prompt_queue_tok),
     .preset = "8192",
     .min = 1,
     .max = UINT32_MAX,
     .doc = "prompt tokens on a machine beyond which its queue is long"},
    {0}};

static const struct config_type mixed_pool_type = {.name = "mixed_pool",
                                                   .doc = "Splitwise's mixed pool",
                                                   .size = sizeof(struct mixed_pool_config),
                                                   .fields = mixed_pool_fields};

#define DISAGGREGATION(member) offsetof(struct disaggregation_config, member)

static const struct config_field disaggregation_fields[] = {
    {.name = "decider",
     .kind = CONFIG_VARIANT,
     .offset = DISAGGREGATION(decider),
     .variants = disaggregation_deciders,
     .selector = "policy",
     .preset = "\"always\"",
     .doc = "whether a prefill pool computes a request's prompt"},
    {.name = "decode_router",
     .kind = CONFIG_VARIANT,
     .offset = DISAGGREGATION(decode_router.policy),
     .variants = router_policies,
     .selector = "policy",
     .preset = "\"least_outstanding_requests\"",
     .doc = "which replica of the decode and mixed pools a request decodes on"},
    {.name = "mixed_pool",
     .kind = CONFIG_OBJECT,
     .offset = DISAGGREGATION(mixed_pool),
     .object = &mixed_pool_type,
     .optional = true,
     .doc = "lend machines to either phase, as Splitwise does, instead of routing; null: do not"},
    {.name = "first_token",
     .kind = CONFIG_ENUM,
     .offset = DISAGGREGATION(first_token),
     .names = first_token_names,
     .preset = "\"decode\"",
     .doc = "who sends the client its first token: decode, when the KV cache is there (vLLM, "
            "Dynamo, SGLang, TensorRT-LLM), or prefill (Splitwise, DistServe)"},
    {.name = "transfer",
     .kind = CONFIG_OBJECT,
     .offset = DISAGGREGATION(transfer),
     .object = &transfer_type,
     .preset = "{}",
     .doc = "how KV caches move from the one to the other"},
    {0}};

const struct config_type disaggregation_config_type = {.name = "disaggregation",
                                                       .doc = "Prefill and decode apart",
                                                       .size = sizeof(struct disaggregation_config),
                                                       .fields = disaggregation_fields};

const struct disaggregation_config *disaggregation_defaults(struct arena *arena)
{
    struct disaggregation_config *config = ARENA_NEW(arena, struct disaggregation_config);
    struct json_document *document = json_read_text("defaults", "{}", 2, NULL);
    bool read = document && config_read(&disaggregation_config_type, document, json_root(document),
                                        "", arena, config, NULL);
    assert(read && "presets pass their own checks");
    (void)read;
    json_free(document);
    return config;
}

/* --- what pools must agree on --- */

bool disaggregation_wanted(const struct pool_part *pools, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pools[i].role != ROLE_MIXED)
            return true;
    return false;
}

static bool refuse(size_t pool, struct error *error, const char *message, const char *hint)
{
    char place[64];
    snprintf(place, sizeof place, "/pools/%zu", pool);
    error_at(error, ERROR_BAD_INPUT, NULL, 0, place, "%s", message);
    return error_hint(error, "%s", hint);
}

static bool check_roles(const struct disaggregation_config *config, const struct pool_part *pools,
                        size_t count, struct error *error)
{
    size_t prefill = count, decode = count;
    bool decodes = false;
    for (size_t i = 0; i < count; i++) {
        if (pools[i].role == ROLE_PREFILL)
            prefill = i;
        if (pools[i].role == ROLE_DECODE)
            decode = i;
        decodes |= pools[i].role != ROLE_PREFILL;
    }
    if (!decodes)
        return refuse(prefill, error, "the pools prefill, but none decodes",
                      "give another pool the role \"decode\", or let this one do both (\"mixed\")");
    if (prefill == count && config->decider.index != DECIDE_NEVER)
        return refuse(
            decode, error, "the pool decodes, but none prefills for it",
            "give another pool the role \"prefill\", or let this one do both (\"mixed\")");
    return true;
}

/* Who waits for a whole batch cannot let requests come and go half done. */
static bool check_batching(const struct pool_part *pools, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (pools[i].batching != BATCHING_CONTINUOUS)
            return refuse(i, error,
                          "its engine serves whole batches, so it cannot hand requests over",
                          "pools with roles need \"batching\": \"continuous\"");
    return true;
}

/* A cache is the same on both sides, bit for bit. */
static bool check_caches(const struct pool_part *pools, size_t count, struct error *error)
{
    for (size_t i = 1; i < count; i++) {
        if (pools[i].port.llm != pools[0].port.llm)
            return refuse(i, error, "it serves another model than the pools it shares prompts with",
                          "prefill and decode pools of one fleet serve one model");
        if (pools[i].port.kv != pools[0].port.kv)
            return refuse(i, error,
                          "its KV cache has another number format than that of the first pool",
                          "caches are sent as they are: give all pools the same \"kv\"");
    }
    return true;
}

bool disaggregation_check(const struct disaggregation_config *config, const struct pool_part *pools,
                          size_t count, struct error *error)
{
    return check_roles(config, pools, count, error) && check_batching(pools, count, error) &&
           check_caches(pools, count, error);
}
