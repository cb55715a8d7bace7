/* The pending-event set: one entry per actor, at most, in a binary heap of 24-byte entries.
 *
 * An actor (a replica, the arrival stream, a timer) has a number below the capacity and at most one
 * pending event; setting it again moves it. Order: time, then priority (lower first), then actor
 * number. The order never depends on the order of calls, so two ways of simulating the same thing
 * (stepping and jumping) see ties the same way. Set and remove cost O(log actors); all inlined.
 * The queue owns two arrays; only event_queue_init and event_queue_grow allocate. A zeroed queue
 * has no actors and may be grown. */
#ifndef TOKENYARD_SIM_EVENT_QUEUE_H
#define TOKENYARD_SIM_EVENT_QUEUE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/clock.h"

struct event_entry {
    tick_t time;
    uint64_t rank;  /* priority in the upper 32 bits, actor in the lower 32 */
    uint64_t actor; /* whose event this is */
};

struct event_queue {
    struct event_entry *heap; /* heap[0..count-1], heap[0] the earliest */
    uint32_t *position;       /* position[actor] = index in heap + 1, or 0 when not pending */
    uint32_t count;
    uint32_t capacity;
};

/* false when out of memory. */
bool event_queue_init(struct event_queue *queue, uint32_t actors);
/* Room for more actors: at least as many as before. false when out of memory; nothing changed. */
bool event_queue_grow(struct event_queue *queue, uint32_t actors);
void event_queue_free(struct event_queue *queue);

static inline bool event_entry_before(const struct event_entry *a, const struct event_entry *b)
{
    return a->time != b->time ? a->time < b->time : a->rank < b->rank;
}

static inline void event_queue_place(struct event_queue *queue, uint32_t at,
                                     struct event_entry entry)
{
    queue->heap[at] = entry;
    queue->position[entry.actor] = at + 1;
}

static inline void event_queue_sift_up(struct event_queue *queue, uint32_t at,
                                       struct event_entry entry)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!event_entry_before(&entry, &queue->heap[parent]))
            break;
        event_queue_place(queue, at, queue->heap[parent]);
        at = parent;
    }
    event_queue_place(queue, at, entry);
}

static inline void event_queue_sift_down(struct event_queue *queue, uint32_t at,
                                         struct event_entry entry)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= queue->count)
            break;
        if (child + 1 < queue->count &&
            event_entry_before(&queue->heap[child + 1], &queue->heap[child]))
            child++;
        if (!event_entry_before(&queue->heap[child], &entry))
            break;
        event_queue_place(queue, at, queue->heap[child]);
        at = child;
    }
    event_queue_place(queue, at, entry);
}

static inline bool event_queue_has(const struct event_queue *queue, uint32_t actor)
{
    return queue->position[actor] != 0;
}

static inline void event_queue_remove(struct event_queue *queue, uint32_t actor)
{
    uint32_t position = queue->position[actor];
    if (position == 0)
        return;
    queue->position[actor] = 0;
    struct event_entry last = queue->heap[--queue->count];
    if (position - 1 == queue->count)
        return;
    struct event_entry *hole = &queue->heap[position - 1];
    if (event_entry_before(&last, hole))
        event_queue_sift_up(queue, position - 1, last);
    else
        event_queue_sift_down(queue, position - 1, last);
}

/* Schedules, or moves, the actor's event. TICK_NEVER removes it. */
static inline void event_queue_set(struct event_queue *queue, uint32_t actor, uint32_t priority,
                                   tick_t time)
{
    assert(actor < queue->capacity);
    if (time == TICK_NEVER) {
        event_queue_remove(queue, actor);
        return;
    }
    struct event_entry entry = {time, (uint64_t)priority << 32 | actor, actor};
    uint32_t position = queue->position[actor];
    if (position == 0) {
        event_queue_sift_up(queue, queue->count++, entry);
        return;
    }
    if (event_entry_before(&entry, &queue->heap[position - 1]))
        event_queue_sift_up(queue, position - 1, entry);
    else
        event_queue_sift_down(queue, position - 1, entry);
}

/* The earliest event, or NULL when none is pending. It stays pending until set or removed. */
static inline const struct event_entry *event_queue_first(const struct event_queue *queue)
{
    return queue->count ? &queue->heap[0] : (const struct event_entry *)0;
}

#endif
