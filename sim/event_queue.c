#include "sim/event_queue.h"

#include <stdlib.h>

_Static_assert(sizeof(struct event_entry) == 24, "event entries are 24 bytes");

bool event_queue_init(struct event_queue *queue, uint32_t actors)
{
    *queue = (struct event_queue){.capacity = actors};
    queue->heap = calloc(actors ? actors : 1, sizeof *queue->heap);
    queue->position = calloc(actors ? actors : 1, sizeof *queue->position);
    if (queue->heap && queue->position)
        return true;
    event_queue_free(queue);
    return false;
}

void event_queue_free(struct event_queue *queue)
{
    free(queue->heap);
    free(queue->position);
    *queue = (struct event_queue){0};
}
