#include <criterion/criterion.h>
#include <stdlib.h>

#include "sim/event_queue.h"

Test(event_queue, orders_by_time_then_priority_then_actor)
{
    struct event_queue queue;
    cr_assert(event_queue_init(&queue, 8));
    event_queue_set(&queue, 5, 1, 100);
    event_queue_set(&queue, 2, 1, 100);
    event_queue_set(&queue, 7, 0, 100);
    event_queue_set(&queue, 1, 9, 50);
    const uint64_t expected[] = {1, 7, 2, 5};
    for (size_t i = 0; i < 4; i++) {
        const struct event_entry *first = event_queue_first(&queue);
        cr_assert_eq(first->actor, expected[i]);
        event_queue_remove(&queue, (uint32_t)first->actor);
    }
    cr_assert_null(event_queue_first(&queue));
    event_queue_free(&queue);
}

static uint32_t next_random(uint32_t *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

/* Against a plain scan: any mix of set, move and remove leaves the smallest entry first. */
Test(event_queue, agrees_with_a_linear_scan)
{
    enum { ACTORS = 50 };
    struct event_queue queue;
    cr_assert(event_queue_init(&queue, ACTORS));
    tick_t time[ACTORS];
    for (int i = 0; i < ACTORS; i++)
        time[i] = TICK_NEVER;
    uint32_t state = 1;
    for (int round = 0; round < 20000; round++) {
        uint32_t actor = (next_random(&state) >> 8) % ACTORS;
        uint32_t dice = (next_random(&state) >> 8) % 20;
        time[actor] = dice == 0 ? TICK_NEVER : (tick_t)dice;
        event_queue_set(&queue, actor, actor % 3, time[actor]);
        int best = -1;
        for (int i = 0; i < ACTORS; i++) {
            if (time[i] == TICK_NEVER)
                continue;
            if (best < 0 || time[i] < time[best] || (time[i] == time[best] && i % 3 < best % 3))
                best = i;
        }
        const struct event_entry *first = event_queue_first(&queue);
        if (best < 0)
            cr_assert_null(first);
        else
            cr_assert_eq(first->actor, (uint64_t)best);
    }
    event_queue_free(&queue);
}
