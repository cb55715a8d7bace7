#include "workloads/shared_prefix.h"

#include <math.h>

#define FIELD(member) offsetof(struct shared_prefix_config, member)

const struct config_type shared_prefix_type = {
    .name = "shared_prefix",
    .doc = "system prompts that prompts begin with",
    .size = sizeof(struct shared_prefix_config),
    .fields =
        (const struct config_field[]){
            {.name = "prompts",
             .kind = CONFIG_INT,
             .offset = FIELD(prompts),
             .doc = "how many different ones there are",
             .preset = "1",
             .min = 1,
             .max = 1e6},
            {.name = "prompt_tok",
             .kind = CONFIG_INT,
             .offset = FIELD(prompt_tok),
             .doc = "tokens of each, in front of the stream's own prompts",
             .min = 1,
             .max = 1e6},
            {.name = "zipf",
             .kind = CONFIG_NUMBER,
             .offset = FIELD(zipf),
             .doc = "the k-th most popular is drawn in proportion to 1 / k^zipf; 0: all alike",
             .preset = "1",
             .min = 0,
             .max = 10},
            {.name = "block_tok",
             .kind = CONFIG_INT,
             .offset = FIELD(block_tok),
             .doc = "tokens of a block that can be shared",
             .preset = "16",
             .min = 1,
             .max = 1e6},
            {0}},
};

struct shared_prefix {
    struct source base;
    struct source *inner;
    const struct shared_prefix_config *config;
    struct stream_rng rng;
    uint64_t session_key; /* makes a session's number its draw */
    double *cumulative;   /* [prompts]: shares of the first, of the first two, ... */
    uint64_t *ids;        /* of the arrival that was taken last */
    uint32_t blocks;
};

static enum source_status prefix_peek(struct source *source, double *time_s, struct error *error)
{
    return source_peek(((struct shared_prefix *)source)->inner, time_s, error);
}

/* A number in [0, 1) that a session has for good (the finaliser of splitmix64). */
static double session_unit(const struct shared_prefix *shared, uint32_t session)
{
    uint64_t value = shared->session_key + session * 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return (double)((value ^ (value >> 31)) >> 11) * 0x1p-53;
}

static uint64_t draw_prompt(const struct shared_prefix *shared, uint32_t session)
{
    double unit =
        session == ARRIVAL_NO_ID ? gsl_rng_uniform(shared->rng.rng) : session_unit(shared, session);
    uint64_t low = 0, high = (uint64_t)shared->config->prompts - 1;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (unit < shared->cumulative[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void prefix_take(struct source *source, struct arrival *arrival)
{
    struct shared_prefix *shared = (struct shared_prefix *)source;
    source_take(shared->inner, arrival);
    uint64_t prompt = draw_prompt(shared, arrival->session);
    uint64_t prompt_tok = (uint64_t)arrival->prompt_tok + (uint64_t)shared->config->prompt_tok;
    arrival->prompt_tok = prompt_tok < UINT32_MAX ? (uint32_t)prompt_tok : UINT32_MAX;
    for (uint32_t i = 0; i < shared->blocks; i++)
        shared->ids[i] = (prompt + 1) << 32 | i;
    arrival->block_tok = (uint32_t)shared->config->block_tok;
    arrival->blocks = shared->blocks;
    arrival->hash_ids = shared->ids;
}

static void prefix_ended(struct source *source, const struct arrival_end *end)
{
    source_ended(((struct shared_prefix *)source)->inner, end);
}

static bool prefix_rewind(struct source *source, struct error *error)
{
    struct shared_prefix *shared = (struct shared_prefix *)source;
    stream_rng_rewind(&shared->rng);
    return source_rewind(shared->inner, error);
}

static uint64_t prefix_skipped(const struct source *source)
{
    return source_skipped(((const struct shared_prefix *)source)->inner);
}

static void prefix_destroy(struct source *source)
{
    struct shared_prefix *shared = (struct shared_prefix *)source;
    stream_rng_close(&shared->rng);
    source_destroy(shared->inner);
}

static const struct source_ops prefix_ops = {.name = "stream with shared prefixes",
                                             .peek = prefix_peek,
                                             .take = prefix_take,
                                             .ended = prefix_ended,
                                             .rewind = prefix_rewind,
                                             .skipped = prefix_skipped,
                                             .destroy = prefix_destroy};

static void set_popularity(struct shared_prefix *shared, struct arena *arena)
{
    size_t prompts = (size_t)shared->config->prompts;
    double sum = 0;
    shared->cumulative = ARENA_ARRAY(arena, prompts, double);
    for (size_t k = 0; k < prompts; k++)
        shared->cumulative[k] = sum += pow((double)(k + 1), -shared->config->zipf);
    for (size_t k = 0; k < prompts; k++)
        shared->cumulative[k] /= sum;
}

struct source *shared_prefix_open(struct source *inner, const struct shared_prefix_config *config,
                                  const struct stream_seed *seed, struct arena *arena,
                                  struct error *error)
{
    struct shared_prefix *shared = ARENA_NEW(arena, struct shared_prefix);
    *shared = (struct shared_prefix){.base = {&prefix_ops}, .inner = inner, .config = config};
    shared->blocks = (uint32_t)(config->prompt_tok / config->block_tok);
    if (!stream_rng_open(&shared->rng, seed, "shared-prefix", error)) {
        source_destroy(&shared->base);
        return NULL;
    }
    set_popularity(shared, arena);
    shared->ids = ARENA_ARRAY(arena, shared->blocks + 1, uint64_t);
    gsl_rng *key = gsl_rng_clone(shared->rng.rng);
    shared->session_key = (uint64_t)gsl_rng_get(key) << 32 | gsl_rng_get(key);
    gsl_rng_free(key);
    return &shared->base;
}
