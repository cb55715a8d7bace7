#include "workloads/closed_loop.h"

#include <assert.h>

#include "sim/clock.h"
#include "sim/event_queue.h"

#define CLIENTS_MAX 1000000

const struct config_type closed_loop_type = {
    .name = "closed_loop_arrivals",
    .doc = "clients that send their next request when the last one has ended",
    .size = sizeof(struct closed_loop_config),
    .fields =
        (const struct config_field[]){
            {.name = "clients",
             .kind = CONFIG_INT,
             .offset = offsetof(struct closed_loop_config, clients),
             .doc = "requests outstanding at most",
             .min = 1,
             .max = CLIENTS_MAX},
            {.name = "ramp_s",
             .kind = CONFIG_NUMBER,
             .offset = offsetof(struct closed_loop_config, ramp_s),
             .doc = "first requests are spread evenly over this time",
             .preset = "0",
             .min = 0,
             .max = CLOCK_MAX_S},
            THINK_FIELD(struct closed_loop_config, think,
                        "time from the end of a request to the client's next"),
            {0}},
};

struct closed_loop {
    struct source base;
    const struct closed_loop_config *config;
    struct event_queue ready; /* clients that have a request, by its time */
    struct stream_rng think_rng;
    struct length_pair lengths;
};

static enum source_status closed_loop_peek(struct source *source, double *time_s,
                                           struct error *error)
{
    (void)error;
    const struct event_entry *first = event_queue_first(&((struct closed_loop *)source)->ready);
    if (!first)
        return SOURCE_WAIT;
    *time_s = tick_to_s(first->time);
    return SOURCE_READY;
}

static void closed_loop_take(struct source *source, struct arrival *arrival)
{
    struct closed_loop *loop = (struct closed_loop *)source;
    const struct event_entry *first = event_queue_first(&loop->ready);
    *arrival = (struct arrival){
        .time_s = tick_to_s(first->time),
        .client = (uint32_t)first->actor,
        .session = ARRIVAL_NO_ID,
    };
    length_pair_draw(&loop->lengths, &arrival->prompt_tok, &arrival->output_tok);
    arrival->cached_tok = (uint32_t)(loop->config->cached_prompt_share * arrival->prompt_tok);
    event_queue_remove(&loop->ready, arrival->client);
}

static void closed_loop_ended(struct source *source, const struct arrival_end *end)
{
    struct closed_loop *loop = (struct closed_loop *)source;
    assert(end->client < loop->ready.capacity && !loop->ready.position[end->client]);
    double next_s = think_time_next_s(&loop->config->think, end->now_s, loop->think_rng.rng);
    if (next_s <= CLOCK_MAX_S)
        event_queue_set(&loop->ready, end->client, 0, tick_from_s(next_s));
}

static void closed_loop_start(struct closed_loop *loop)
{
    double apart_s = loop->config->ramp_s / (double)loop->ready.capacity;
    for (uint32_t client = 0; client < loop->ready.capacity; client++)
        event_queue_set(&loop->ready, client, 0, tick_from_s(client * apart_s));
}

static void closed_loop_destroy(struct source *source)
{
    struct closed_loop *loop = (struct closed_loop *)source;
    event_queue_free(&loop->ready);
    stream_rng_close(&loop->think_rng);
    length_pair_close(&loop->lengths);
}

static const struct source_ops closed_loop_ops = {
    .name = "closed loop",
    .peek = closed_loop_peek,
    .take = closed_loop_take,
    .ended = closed_loop_ended,
    .destroy = closed_loop_destroy,
};

struct source *closed_loop_open(const struct closed_loop_config *config,
                                const struct length_pair_config *lengths,
                                const struct stream_seed *seed, struct arena *arena,
                                const struct place *place, struct error *error)
{
    struct place arrivals = place_key(place, "arrivals");
    if (!think_time_check(&config->think, &arrivals, error))
        return NULL;
    struct closed_loop *loop = ARENA_NEW(arena, struct closed_loop);
    loop->base.ops = &closed_loop_ops;
    loop->config = config;
    if (!event_queue_init(&loop->ready, (uint32_t)config->clients))
        error_set(error, ERROR_FAILED, "out of memory");
    else if (stream_rng_open(&loop->think_rng, seed, "arrivals", error) &&
             length_pair_open(&loop->lengths, lengths, seed, arena, place, error)) {
        closed_loop_start(loop);
        return &loop->base;
    }
    closed_loop_destroy(&loop->base);
    return NULL;
}
