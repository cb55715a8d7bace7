#include "sim/event_queue.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct event_entry) == 24, "event entries are 24 bytes");

bool event_queue_init(struct event_queue *queue, uint32_t actors)
{
    *queue = (struct event_queue){0};
    if (event_queue_grow(queue, actors))
        return true;
    event_queue_free(queue);
    return false;
}

bool event_queue_grow(struct event_queue *queue, uint32_t actors)
{
    assert(actors >= queue->capacity);
    size_t count = actors ? actors : 1;
    struct event_entry *heap = realloc(queue->heap, count * sizeof *heap);
    if (!heap)
        return false;
    queue->heap = heap;
    uint32_t *position = realloc(queue->position, count * sizeof *position);
    if (!position)
        return false;
    queue->position = position;
    memset(position + queue->capacity, 0, (count - queue->capacity) * sizeof *position);
    queue->capacity = actors;
    return true;
}

void event_queue_free(struct event_queue *queue)
{
    free(queue->heap);
    free(queue->position);
    *queue = (struct event_queue){0};
}
