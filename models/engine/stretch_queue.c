/* The table is linear probing with multiplicative hashing. Taking an id out moves back those behind
 * it that would otherwise not be reached any more, so that there are no tombstones (Knuth, The Art
 * of Computer Programming 3, 6.4, algorithm R). */
#include "models/engine/stretch_queue.h"

#include <assert.h>
#include <stdlib.h>

#include "sim/arena.h"

enum { FIRST_SLOT_BITS = 6 };

static uint32_t slot_count(const struct stretch_queue *queue)
{
    return (uint32_t)1 << (64 - queue->slot_shift);
}

/* 2^64 over the golden ratio: neighbouring ids come to lie far apart. */
static uint32_t home_of(const struct stretch_queue *queue, uint64_t id)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15u) >> queue->slot_shift);
}

static void allocate_slots(struct stretch_queue *queue, uint32_t shift)
{
    queue->slot_shift = shift;
    queue->slots = calloc(slot_count(queue), sizeof *queue->slots);
    if (!queue->slots)
        out_of_memory();
}

static void grow_stretches(struct stretch_queue *queue)
{
    uint32_t capacity = queue->capacity ? 2 * queue->capacity : 64;
    struct stretch *stretches =
        capacity > queue->capacity ? realloc(queue->stretches, capacity * sizeof *stretches) : NULL;
    if (!stretches)
        out_of_memory();
    queue->stretches = stretches;
    queue->capacity = capacity;
}

void stretch_queue_init(struct stretch_queue *queue)
{
    *queue = (struct stretch_queue){.count = 1};
    grow_stretches(queue);
    queue->stretches[0] = (struct stretch){0};
    allocate_slots(queue, 64 - FIRST_SLOT_BITS);
}

void stretch_queue_free(struct stretch_queue *queue)
{
    free(queue->stretches);
    free(queue->slots);
    *queue = (struct stretch_queue){0};
}

/* --- the table --- */

/* Where the id is, or the empty slot where it would be. */
static uint32_t slot_of(const struct stretch_queue *queue, uint64_t id)
{
    uint32_t mask = slot_count(queue) - 1;
    uint32_t at = home_of(queue, id);
    while (queue->slots[at].stretch != STRETCH_NONE && queue->slots[at].id != id)
        at = (at + 1) & mask;
    return at;
}

uint32_t stretch_find(const struct stretch_queue *queue, uint64_t id)
{
    return queue->slots[slot_of(queue, id)].stretch;
}

static void double_slots(struct stretch_queue *queue)
{
    struct stretch_slot *old = queue->slots;
    uint32_t count = slot_count(queue);
    allocate_slots(queue, queue->slot_shift - 1);
    for (uint32_t i = 0; i < count; i++)
        if (old[i].stretch != STRETCH_NONE)
            queue->slots[slot_of(queue, old[i].id)] = old[i];
    free(old);
}

static void enter(struct stretch_queue *queue, uint64_t id, uint32_t stretch)
{
    if (++queue->named > slot_count(queue) / 2)
        double_slots(queue);
    struct stretch_slot *slot = &queue->slots[slot_of(queue, id)];
    assert(slot->stretch == STRETCH_NONE);
    *slot = (struct stretch_slot){id, stretch};
}

static void strike_out(struct stretch_queue *queue, uint64_t id)
{
    uint32_t mask = slot_count(queue) - 1;
    uint32_t hole = slot_of(queue, id);
    assert(queue->slots[hole].stretch != STRETCH_NONE);
    for (uint32_t at = (hole + 1) & mask; queue->slots[at].stretch != STRETCH_NONE;
         at = (at + 1) & mask) {
        uint32_t home = home_of(queue, queue->slots[at].id);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            queue->slots[hole] = queue->slots[at];
            hole = at;
        }
    }
    queue->slots[hole].stretch = STRETCH_NONE;
    queue->named--;
}

/* --- the stretches --- */

uint32_t stretch_add(struct stretch_queue *queue, enum stretch_kind kind, uint64_t id,
                     uint32_t blocks)
{
    uint32_t added = queue->free_head;
    if (added != STRETCH_NONE) {
        queue->free_head = queue->stretches[added].next;
    } else {
        if (queue->count == queue->capacity)
            grow_stretches(queue);
        added = queue->count++;
    }
    queue->stretches[added] = (struct stretch){.id = id, .blocks = blocks, .kind = kind};
    if (kind == STRETCH_NAMED)
        enter(queue, id, added);
    return added;
}

static void link_between(struct stretch_queue *queue, uint32_t previous, uint32_t stretch,
                         uint32_t next)
{
    struct stretch *linked = stretch_of(queue, stretch);
    linked->previous = previous;
    linked->next = next;
    stretch_of(queue, previous)->next = stretch;
    stretch_of(queue, next)->previous = stretch;
    queue->blocks += linked->blocks;
}

void stretch_append(struct stretch_queue *queue, uint32_t stretch)
{
    link_between(queue, stretch_tail(queue), stretch, 0);
}

void stretch_prepend(struct stretch_queue *queue, uint32_t stretch)
{
    link_between(queue, 0, stretch, stretch_head(queue));
}

void stretch_unlink(struct stretch_queue *queue, uint32_t stretch)
{
    const struct stretch *linked = stretch_of(queue, stretch);
    stretch_of(queue, linked->previous)->next = linked->next;
    stretch_of(queue, linked->next)->previous = linked->previous;
    queue->blocks -= linked->blocks;
}

void stretch_unname(struct stretch_queue *queue, uint32_t stretch)
{
    struct stretch *named = stretch_of(queue, stretch);
    if (named->kind == STRETCH_NAMED)
        strike_out(queue, named->id);
    named->kind = STRETCH_UNNAMED;
}

void stretch_drop(struct stretch_queue *queue, uint32_t stretch)
{
    stretch_unname(queue, stretch);
    stretch_of(queue, stretch)->next = queue->free_head;
    queue->free_head = stretch;
}
