#include "models/fleet/prefix_memory.h"

#include <stdlib.h>

#include "sim/arena.h"

#define FIRST_BITS 8

static uint32_t table_size(const struct prefix_memory *memory)
{
    return (uint32_t)1 << (64 - memory->shift);
}

static uint32_t home_of(const struct prefix_memory *memory, uint64_t id)
{
    return (uint32_t)(id * 0x9e3779b97f4a7c15 >> memory->shift); /* as in prefix_index.c */
}

/* A table twice as large as there are nodes. */
static bool allocate(struct prefix_memory *memory, uint32_t bits)
{
    memory->shift = 64 - bits;
    memory->node_capacity = (uint32_t)1 << (bits - 1);
    free(memory->table);
    memory->table = calloc((size_t)1 << bits, sizeof *memory->table);
    struct memory_node *nodes =
        realloc(memory->nodes, memory->node_capacity * sizeof *memory->nodes);
    memory->nodes = nodes ? nodes : memory->nodes;
    return memory->table && nodes;
}

bool prefix_memory_init(struct prefix_memory *memory, uint64_t capacity_tok)
{
    *memory = (struct prefix_memory){.capacity_tok = capacity_tok, .node_count = 1};
    if (!allocate(memory, FIRST_BITS))
        return false;
    memory->nodes[0] = (struct memory_node){0};
    return true;
}

void prefix_memory_free(struct prefix_memory *memory)
{
    free(memory->nodes);
    free(memory->table);
}

/* The place in the table of the id's node, or the free one where it would be. */
static uint32_t find(const struct prefix_memory *memory, uint64_t id)
{
    uint32_t mask = table_size(memory) - 1;
    uint32_t place = home_of(memory, id);
    while (memory->table[place] && memory->nodes[memory->table[place]].id != id)
        place = (place + 1) & mask;
    return place;
}

static void grow(struct prefix_memory *memory)
{
    if (!allocate(memory, 64 - memory->shift + 1))
        out_of_memory();
    for (uint32_t node = memory->nodes[0].newer; node; node = memory->nodes[node].newer)
        memory->table[find(memory, memory->nodes[node].id)] = node;
}

static void unlink_node(struct prefix_memory *memory, uint32_t number)
{
    const struct memory_node *node = &memory->nodes[number];
    memory->nodes[node->newer].older = node->older;
    memory->nodes[node->older].newer = node->newer;
}

static void link_newest(struct prefix_memory *memory, uint32_t number)
{
    struct memory_node *head = &memory->nodes[0], *node = &memory->nodes[number];
    node->newer = 0;
    node->older = head->older;
    memory->nodes[head->older].newer = number;
    head->older = number;
}

static uint32_t take_node(struct prefix_memory *memory)
{
    uint32_t number = memory->free_node;
    if (number)
        memory->free_node = memory->nodes[number].older;
    else
        number = memory->node_count++;
    return number;
}

bool prefix_memory_use(struct prefix_memory *memory, uint64_t id, uint32_t tok)
{
    uint32_t place = find(memory, id);
    uint32_t number = memory->table[place];
    if (number) {
        unlink_node(memory, number);
        link_newest(memory, number);
        return false;
    }
    if (!memory->free_node && memory->node_count == memory->node_capacity) {
        grow(memory);
        place = find(memory, id);
    }
    number = take_node(memory);
    memory->nodes[number].id = id;
    memory->nodes[number].tok = tok;
    memory->table[place] = number;
    memory->held_tok += tok;
    link_newest(memory, number);
    return true;
}

/* As in prefix_index.c: entries behind a place that fell free move up. */
static void close_gap(struct prefix_memory *memory, uint32_t gap)
{
    uint32_t mask = table_size(memory) - 1;
    memory->table[gap] = 0;
    for (uint32_t place = (gap + 1) & mask; memory->table[place]; place = (place + 1) & mask) {
        uint32_t home = home_of(memory, memory->nodes[memory->table[place]].id);
        if (((place - home) & mask) < ((place - gap) & mask))
            continue;
        memory->table[gap] = memory->table[place];
        memory->table[place] = 0;
        gap = place;
    }
}

bool prefix_memory_evict(struct prefix_memory *memory, uint64_t *id)
{
    return memory->held_tok > memory->capacity_tok && prefix_memory_forget(memory, id);
}

bool prefix_memory_forget(struct prefix_memory *memory, uint64_t *id)
{
    uint32_t oldest = memory->nodes[0].newer;
    if (!oldest)
        return false;
    *id = memory->nodes[oldest].id;
    memory->held_tok -= memory->nodes[oldest].tok;
    close_gap(memory, find(memory, *id));
    unlink_node(memory, oldest);
    memory->nodes[oldest].older = memory->free_node;
    memory->free_node = oldest;
    return true;
}
