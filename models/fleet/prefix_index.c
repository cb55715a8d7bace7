#include "models/fleet/prefix_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/arena.h"

#define FIRST_BITS 10

static uint64_t capacity_of(const struct prefix_index *index)
{
    return (uint64_t)1 << (64 - index->shift);
}

static uint64_t *entry_at(const struct prefix_index *index, uint64_t place)
{
    return index->entries + place * (1 + index->words);
}

/* Fibonacci hashing (Knuth, "The Art of Computer Programming", vol. 3, 6.4). */
static uint64_t home_of(const struct prefix_index *index, uint64_t id)
{
    return id * 0x9e3779b97f4a7c15 >> index->shift;
}

static bool is_empty(const struct prefix_index *index, const uint64_t *entry)
{
    for (uint32_t word = 1; word <= index->words; word++)
        if (entry[word])
            return false;
    return true;
}

static bool allocate(struct prefix_index *index, uint32_t bits)
{
    index->shift = 64 - bits;
    index->entries = calloc((size_t)1 << bits, (1 + index->words) * sizeof *index->entries);
    return index->entries != NULL;
}

bool prefix_index_init(struct prefix_index *index, uint32_t replicas)
{
    *index = (struct prefix_index){.words = (replicas + 63) / 64, .replicas = replicas};
    index->alive = calloc(index->words, sizeof *index->alive);
    index->held = calloc(replicas, sizeof *index->held);
    return index->alive && index->held && allocate(index, FIRST_BITS);
}

void prefix_index_free(struct prefix_index *index)
{
    free(index->entries);
    free(index->alive);
    free(index->held);
}

/* The place of the id, or the free one where it would be. */
static uint64_t find(const struct prefix_index *index, uint64_t id)
{
    uint64_t mask = capacity_of(index) - 1;
    uint64_t place = home_of(index, id);
    for (;; place = (place + 1) & mask) {
        const uint64_t *entry = entry_at(index, place);
        if (is_empty(index, entry) || entry[0] == id)
            return place;
    }
}

static void grow(struct prefix_index *index)
{
    struct prefix_index old = *index;
    if (!allocate(index, 64 - old.shift + 1))
        out_of_memory();
    for (uint64_t place = 0; place < capacity_of(&old); place++) {
        const uint64_t *entry = entry_at(&old, place);
        if (!is_empty(&old, entry))
            memcpy(entry_at(index, find(index, entry[0])), entry, (1 + old.words) * sizeof *entry);
    }
    free(old.entries);
}

void prefix_index_add(struct prefix_index *index, uint64_t id, uint32_t replica)
{
    uint64_t *entry = entry_at(index, find(index, id));
    uint64_t *word = &entry[1 + replica / 64], bit = (uint64_t)1 << replica % 64;
    if (*word & bit)
        return;
    index->count += is_empty(index, entry);
    index->held[replica]++;
    entry[0] = id;
    *word |= bit;
    if (2 * index->count > capacity_of(index))
        grow(index);
}

/* Entries behind a place that fell empty move up, so that probing finds them (Knuth, 6.4, R). */
static void close_gap(struct prefix_index *index, uint64_t gap)
{
    uint64_t mask = capacity_of(index) - 1;
    for (uint64_t place = (gap + 1) & mask;; place = (place + 1) & mask) {
        uint64_t *entry = entry_at(index, place);
        if (is_empty(index, entry))
            return;
        uint64_t home = home_of(index, entry[0]);
        if (((place - home) & mask) < ((place - gap) & mask))
            continue; /* its home lies behind the gap */
        memcpy(entry_at(index, gap), entry, (1 + index->words) * sizeof *entry);
        memset(entry + 1, 0, index->words * sizeof *entry);
        gap = place;
    }
}

void prefix_index_remove(struct prefix_index *index, uint64_t id, uint32_t replica)
{
    uint64_t place = find(index, id);
    uint64_t *entry = entry_at(index, place);
    uint64_t *word = &entry[1 + replica / 64], bit = (uint64_t)1 << replica % 64;
    if (!(*word & bit))
        return;
    assert(index->held[replica] > 0);
    index->held[replica]--;
    *word &= ~bit;
    if (is_empty(index, entry)) {
        index->count--;
        close_gap(index, place);
    }
}

/* What moves up into a place that falls empty is looked at next; what moves to the table's end from
 * its beginning has been looked at. */
void prefix_index_forget(struct prefix_index *index, uint32_t replica)
{
    uint64_t place = 0, bit = (uint64_t)1 << replica % 64;
    while (index->held[replica] > 0) {
        const uint64_t *entry = entry_at(index, place);
        if (entry[1 + replica / 64] & bit)
            prefix_index_remove(index, entry[0], replica);
        else
            place++;
    }
}

/* Replicas that have held all ids so far and lack this one have their answer. Are any left? */
static bool keep_holders(const struct prefix_index *index, uint64_t id, uint32_t so_far,
                         uint32_t *blocks)
{
    const uint64_t *entry = entry_at(index, find(index, id));
    bool any = false;
    for (uint32_t word = 0; word < index->words; word++) {
        uint64_t lost = index->alive[word] & ~entry[1 + word];
        for (; lost; lost &= lost - 1)
            blocks[64 * word + (uint32_t)__builtin_ctzll(lost)] = so_far;
        index->alive[word] &= entry[1 + word];
        any |= index->alive[word] != 0;
    }
    return any;
}

void prefix_index_match(const struct prefix_index *index, const uint64_t *ids, uint32_t count,
                        uint32_t *blocks)
{
    memset(index->alive, 0xff, index->words * sizeof *index->alive);
    if (index->replicas % 64)
        index->alive[index->words - 1] = ((uint64_t)1 << index->replicas % 64) - 1;
    for (uint32_t i = 0; i < count; i++)
        if (!keep_holders(index, ids[i], i, blocks))
            return;
    for (uint32_t word = 0; word < index->words; word++)
        for (uint64_t left = index->alive[word]; left; left &= left - 1)
            blocks[64 * word + (uint32_t)__builtin_ctzll(left)] = count;
}
