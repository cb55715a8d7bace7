/* Stretches of KV blocks, by name and in order of last use: what the caches of every tier are made
 * of (prefix_cache.h, kv_store.h).
 *
 * A stretch is so many blocks under one id, or blocks that nobody can find. Those that nobody uses
 * are in the queue, next to be taken first. Stretches are named by 32-bit numbers, 0 is none;
 * adding one may move them. Finding, adding and taking cost O(1); the table of ids is
 * open-addressed and at most half full. Growing ends the process when out of memory. */
#ifndef TOKENYARD_MODELS_ENGINE_STRETCH_QUEUE_H
#define TOKENYARD_MODELS_ENGINE_STRETCH_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define STRETCH_NONE 0u

enum stretch_kind {
    STRETCH_UNNAMED, /* holds nothing that can be found */
    STRETCH_NAMED,   /* in the table */
    STRETCH_KEPT,    /* of a preempted request, which knows its number and id */
};

struct stretch {
    uint64_t id;
    uint32_t previous, next; /* in the queue */
    uint32_t blocks;
    uint32_t users; /* 0: it is in the queue */
    uint32_t kind;  /* enum stretch_kind */
};

struct stretch_slot {
    uint64_t id;
    uint32_t stretch; /* STRETCH_NONE: empty */
};

struct stretch_queue {
    struct stretch *stretches; /* [0] closes the queue to a ring: its next is the head */
    uint32_t count, capacity;
    uint32_t free_head; /* linked by next */
    struct stretch_slot *slots;
    uint32_t slot_shift; /* 2^(64 - slot_shift) slots */
    uint32_t named;
    int64_t blocks; /* in the queue */
};

void stretch_queue_init(struct stretch_queue *queue);
void stretch_queue_free(struct stretch_queue *queue);

/* The stretch of this id, or STRETCH_NONE. */
uint32_t stretch_find(const struct stretch_queue *queue, uint64_t id);

/* A new one; in the table if it is named (by an id that is not there), and not in the queue. */
uint32_t stretch_add(struct stretch_queue *queue, enum stretch_kind kind, uint64_t id,
                     uint32_t blocks);

/* At the end, or at the head, of the queue. */
void stretch_append(struct stretch_queue *queue, uint32_t stretch);
void stretch_prepend(struct stretch_queue *queue, uint32_t stretch);
/* Out of the queue. */
void stretch_unlink(struct stretch_queue *queue, uint32_t stretch);
/* Forgets one that is not in the queue. */
void stretch_drop(struct stretch_queue *queue, uint32_t stretch);
/* Its id cannot be found any more; it stays where it is. */
void stretch_unname(struct stretch_queue *queue, uint32_t stretch);

static inline struct stretch *stretch_of(const struct stretch_queue *queue, uint32_t stretch)
{
    return &queue->stretches[stretch];
}

/* The next to be taken; STRETCH_NONE when the queue is empty. */
static inline uint32_t stretch_head(const struct stretch_queue *queue)
{
    return queue->stretches[0].next;
}

static inline uint32_t stretch_tail(const struct stretch_queue *queue)
{
    return queue->stretches[0].previous;
}

#endif
