/* Sources for tests: a list of arrivals, and closed-loop clients whose lengths never change. */
#ifndef TOKENYARD_TESTS_MODELS_ARRIVALS_H
#define TOKENYARD_TESTS_MODELS_ARRIVALS_H

#include <math.h>
#include <stddef.h>

#include "workloads/source.h"

struct list_source {
    struct source source;
    const struct arrival *arrivals; /* sorted by time; session 0: none */
    size_t count, at;
};

static inline enum source_status list_peek(struct source *source, double *time_s,
                                           struct error *error)
{
    (void)error;
    struct list_source *list = (struct list_source *)source;
    if (list->at == list->count)
        return SOURCE_END;
    *time_s = list->arrivals[list->at].time_s;
    return SOURCE_READY;
}

static inline void list_take(struct source *source, struct arrival *arrival)
{
    struct list_source *list = (struct list_source *)source;
    *arrival = list->arrivals[list->at++];
    if (arrival->session == 0)
        arrival->session = ARRIVAL_NO_ID;
}

static const struct source_ops list_source_ops = {
    .name = "list", .peek = list_peek, .take = list_take};

#define LIST_SOURCE(array, length)                                                                 \
    {                                                                                              \
        .source = {&list_source_ops}, .arrivals = (array), .count = (length)                       \
    }

/* `clients` clients; each sends its next request when its last one has ended, `requests` in all. */
struct loop_source {
    struct source source;
    uint32_t requests, sent, ready; /* ready: clients that may send */
    double ready_s;
    uint32_t (*length)(uint32_t number); /* prompt in the upper 16 bits, output in the lower */
    uint32_t sessions;                   /* that requests take turns to belong to; 0: to none */
};

static inline enum source_status loop_peek(struct source *source, double *time_s,
                                           struct error *error)
{
    (void)error;
    struct loop_source *loop = (struct loop_source *)source;
    if (loop->sent == loop->requests)
        return SOURCE_END;
    *time_s = loop->ready_s;
    return loop->ready > 0 ? SOURCE_READY : SOURCE_WAIT;
}

static inline void loop_take(struct source *source, struct arrival *arrival)
{
    struct loop_source *loop = (struct loop_source *)source;
    uint32_t number = loop->sent++, length = loop->length(number);
    loop->ready--;
    *arrival =
        (struct arrival){.time_s = loop->ready_s,
                         .prompt_tok = length >> 16,
                         .output_tok = length & 0xffff,
                         .session = loop->sessions ? number % loop->sessions : ARRIVAL_NO_ID};
}

static inline void loop_ended(struct source *source, const struct arrival_end *end)
{
    struct loop_source *loop = (struct loop_source *)source;
    loop->ready++;
    loop->ready_s = end->now_s;
}

static const struct source_ops loop_source_ops = {
    .name = "loop", .peek = loop_peek, .take = loop_take, .ended = loop_ended};

#define LOOP_SOURCE(count, total, lengths)                                                         \
    {                                                                                              \
        .source = {&loop_source_ops}, .requests = (total), .ready = (count), .length = (lengths)   \
    }

#endif
