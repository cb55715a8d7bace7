#include "workloads/generator.h"

#include <math.h>

enum { CLOSED_LOOP = ARRIVALS_OPEN_KINDS, CHAT };

static const struct config_variant_type arrivals_variants[] = {
    ARRIVALS_OPEN_VARIANTS,
    [CLOSED_LOOP] = {"closed_loop", "clients that wait for an answer", &closed_loop_type},
    [CHAT] = {"chat", "sessions of several turns, each of which waits for the last answer",
              &chat_type},
    {0},
};

#define LENGTH(name_, member, text)                                                                \
    {                                                                                              \
        .name = name_, .kind = CONFIG_VARIANT,                                                     \
        .offset = offsetof(struct generator_config, lengths.member), .doc = text,                  \
        .selector = "kind", .variants = length_variants                                            \
    }

const struct config_type generator_type = {
    .name = "generator",
    .doc = "requests made up from distributions",
    .size = sizeof(struct generator_config),
    .fields =
        (const struct config_field[]){
            {.name = "arrivals",
             .kind = CONFIG_VARIANT,
             .offset = offsetof(struct generator_config, arrivals),
             .doc = "when requests arrive",
             .selector = "kind",
             .variants = arrivals_variants},
            {.name = "diurnal",
             .kind = CONFIG_VARIANT,
             .offset = offsetof(struct generator_config, diurnal),
             .doc = "a day's rhythm over the arrivals",
             .optional = true,
             .selector = "kind",
             .variants = diurnal_variants},
            LENGTH("prompt_tok", prompt, "prompt lengths; of chat: what each turn adds"),
            LENGTH("output_tok", output, "output lengths"),
            {.name = "rank_correlation",
             .kind = CONFIG_NUMBER,
             .offset = offsetof(struct generator_config, lengths.rank_correlation),
             .doc = "Spearman correlation of prompt and output lengths",
             .preset = "0",
             .min = -1,
             .max = 1},
            {0}},
};

struct generator {
    struct source base;
    struct arrivals *arrivals;
    struct diurnal *diurnal; /* NULL: none */
    struct stream_rng arrivals_rng;
    struct length_pair lengths;
    double next_s; /* INFINITY: beyond what the clock can show */
};

bool generator_is_closed_loop(const struct generator_config *config)
{
    return config->arrivals.index >= ARRIVALS_OPEN_KINDS;
}

static void advance(struct generator *generator)
{
    double own_s = arrivals_next_s(generator->arrivals);
    generator->next_s = generator->diurnal ? diurnal_time_s(generator->diurnal, own_s) : own_s;
}

static void start(struct generator *generator)
{
    arrivals_start(generator->arrivals);
    advance(generator);
}

static enum source_status generator_peek(struct source *source, double *time_s, struct error *error)
{
    (void)error;
    *time_s = ((struct generator *)source)->next_s;
    return SOURCE_READY;
}

static void generator_take(struct source *source, struct arrival *arrival)
{
    struct generator *generator = (struct generator *)source;
    *arrival = (struct arrival){
        .time_s = generator->next_s,
        .client = ARRIVAL_NO_ID,
        .session = ARRIVAL_NO_ID,
    };
    length_pair_draw(&generator->lengths, &arrival->prompt_tok, &arrival->output_tok);
    advance(generator);
}

static bool generator_rewind(struct source *source, struct error *error)
{
    (void)error;
    struct generator *generator = (struct generator *)source;
    stream_rng_rewind(&generator->arrivals_rng);
    length_pair_rewind(&generator->lengths);
    if (generator->diurnal)
        diurnal_rewind(generator->diurnal);
    start(generator);
    return true;
}

static void generator_destroy(struct source *source)
{
    struct generator *generator = (struct generator *)source;
    arrivals_destroy(generator->arrivals);
    stream_rng_close(&generator->arrivals_rng);
    length_pair_close(&generator->lengths);
}

static const struct source_ops generator_ops = {
    .name = "generator",
    .peek = generator_peek,
    .take = generator_take,
    .rewind = generator_rewind,
    .destroy = generator_destroy,
};

static double rate_factor(const struct generator_config *config, struct generator_rate rate)
{
    if (!isnan(rate.rate_per_s))
        return rate.rate_per_s / arrivals_mean_rate_per_s(&config->arrivals);
    return isnan(rate.factor) ? 1 : rate.factor;
}

static bool open_arrivals(struct generator *generator, const struct generator_config *config,
                          struct generator_rate rate, struct arena *arena,
                          const struct place *place, struct error *error)
{
    struct place at = place_key(place, "arrivals");
    generator->arrivals = arrivals_create(&config->arrivals, rate_factor(config, rate),
                                          generator->arrivals_rng.rng, arena, &at, error);
    return generator->arrivals != NULL;
}

static bool open_diurnal(struct generator *generator, const struct config_variant *config,
                         struct arena *arena, const struct place *place, struct error *error)
{
    if (config->index < 0)
        return true;
    struct place at = place_key(place, "diurnal");
    generator->diurnal = ARENA_NEW(arena, struct diurnal);
    return diurnal_create(generator->diurnal, config, &at, error);
}

static struct source *open_open_loop(const struct generator_config *config,
                                     struct generator_rate rate, const struct stream_seed *seed,
                                     struct arena *arena, const struct place *place,
                                     struct error *error)
{
    struct generator *generator = ARENA_NEW(arena, struct generator);
    generator->base.ops = &generator_ops;
    if (stream_rng_open(&generator->arrivals_rng, seed, "arrivals", error) &&
        open_arrivals(generator, config, rate, arena, place, error) &&
        open_diurnal(generator, &config->diurnal, arena, place, error) &&
        length_pair_open(&generator->lengths, &config->lengths, seed, arena, place, error)) {
        start(generator);
        return &generator->base;
    }
    generator_destroy(&generator->base);
    return NULL;
}

struct source *generator_open(const struct generator_config *config, struct generator_rate rate,
                              const struct stream_seed *seed, struct arena *arena,
                              const struct place *place, struct error *error)
{
    if (!generator_is_closed_loop(config))
        return open_open_loop(config, rate, seed, arena, place, error);
    struct place at = place_key(place, "diurnal");
    if (config->diurnal.index >= 0) {
        place_error(&at, error, "a closed loop has no arrival rate that a rhythm could change");
        return NULL;
    }
    if (config->arrivals.index == CHAT)
        return chat_open(config->arrivals.value, &config->lengths, seed, arena, place, error);
    return closed_loop_open(config->arrivals.value, &config->lengths, seed, arena, place, error);
}
