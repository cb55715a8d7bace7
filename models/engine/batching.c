#include "models/engine/batching.h"

struct batch_config {
    int64_t max_batch;
    bool returned_early;
    double window_ms; /* dynamic only */
};

#define FIELD(member) offsetof(struct batch_config, member)

#define MAX_BATCH_FIELD                                                                            \
    {                                                                                              \
        .name = "max_batch", .kind = CONFIG_INT, .offset = FIELD(max_batch), .preset = "8",        \
        .min = 1, .max = 65536, .doc = "requests that are served together, at most"                \
    }

#define RETURNED_EARLY_FIELD                                                                       \
    {                                                                                              \
        .name = "returned_early", .kind = CONFIG_BOOL, .offset = FIELD(returned_early),            \
        .preset = "false",                                                                         \
        .doc = "true: each answer is returned when it is done, not when the batch is; its place "  \
               "stays taken"                                                                       \
    }

static const struct config_field static_fields[] = {MAX_BATCH_FIELD, RETURNED_EARLY_FIELD, {0}};

static const struct config_field dynamic_fields[] = {
    MAX_BATCH_FIELD,
    {.name = "window_ms",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(window_ms),
     .preset = "0",
     .min = 0,
     .max = 1e7,
     .doc = "an idle GPU waits so long, from the oldest request's arrival, for a full batch"},
    RETURNED_EARLY_FIELD,
    {0}};

static const struct config_type static_type = {.name = "batching_static",
                                               .doc = "Batches of requests, each served to its end",
                                               .size = sizeof(struct batch_config),
                                               .fields = static_fields};

static const struct config_type dynamic_type = {
    .name = "batching_dynamic",
    .doc = "Batches that are full or have waited, each served to its end",
    .size = sizeof(struct batch_config),
    .fields = dynamic_fields};

const struct config_variant_type batching_kinds[] = {
    [BATCHING_CONTINUOUS] = {"continuous", "requests join and leave between iterations", NULL},
    [BATCHING_NONE] = {"none", "one request at a time", NULL},
    [BATCHING_STATIC] =
        {"static",
         "full batches, padded, each until its longest answer is done; the last may "
         "be smaller",
         &static_type},
    [BATCHING_DYNAMIC] = {"dynamic", "as static, but no request waits longer than a window",
                          &dynamic_type},
    {0}};

struct batching batching_of(const struct config_variant *variant)
{
    enum batching_kind kind = (enum batching_kind)variant->index;
    if (kind == BATCHING_CONTINUOUS || kind == BATCHING_NONE)
        return (struct batching){.kind = kind, .max_batch = 1};
    const struct batch_config *config = variant->value;
    bool waits = kind == BATCHING_STATIC;
    return (struct batching){.kind = kind,
                             .max_batch = (uint32_t)config->max_batch,
                             .window = waits ? TICK_NEVER : tick_from_s(config->window_ms / 1e3),
                             .returned_early = config->returned_early};
}
