/* A list takes a power of two of words, its size class. The numbers of lists are offsets in words;
 * offset 0 is left out, so that 0 can say: none. */
#include "models/engine/prefix_ids.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/arena.h"

enum { HEADER_WORDS = sizeof(struct prefix_list) / sizeof(uint64_t), SMALLEST_CLASS = 3 };

void prefix_ids_init(struct prefix_ids *pool)
{
    *pool = (struct prefix_ids){.used = 1};
}

void prefix_ids_free(struct prefix_ids *pool)
{
    free(pool->words);
    prefix_ids_init(pool);
}

static uint32_t class_of(uint64_t words)
{
    uint32_t size_class = SMALLEST_CLASS;
    while (((uint64_t)1 << size_class) < words)
        size_class++;
    return size_class;
}

/* The pool grows by half: doubling would leave half of a large one unused. */
static void make_room(struct prefix_ids *pool, uint64_t words)
{
    uint64_t needed = pool->used + words;
    if (needed <= pool->capacity)
        return;
    uint64_t capacity = needed + needed / 2 + 1024;
    uint64_t *grown =
        capacity <= UINT32_MAX ? realloc(pool->words, capacity * sizeof *grown) : NULL;
    if (!grown)
        out_of_memory();
    pool->words = grown;
    pool->capacity = (uint32_t)capacity;
}

static uint32_t take_words(struct prefix_ids *pool, uint32_t size_class)
{
    uint32_t taken = pool->free[size_class];
    if (taken != PREFIX_NONE) {
        pool->free[size_class] = prefix_list_of(pool, taken)->count;
        return taken;
    }
    make_room(pool, (uint64_t)1 << size_class);
    taken = pool->used;
    pool->used += (uint32_t)1 << size_class;
    return taken;
}

/* splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): one
 * to one, so that no two stretches of one session or stream get the same id. */
static uint64_t scramble(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

static uint64_t stream_salt(const struct arrival *arrival)
{
    return arrival->stream == 0 ? 0 : scramble(arrival->stream);
}

static void fill(struct prefix_list *list, const struct arrival *arrival)
{
    uint64_t salt = stream_salt(arrival);
    uint32_t id = 0;
    for (; id < list->count && id < arrival->blocks; id++)
        list->ids[id] = arrival->hash_ids[id] ^ salt;
    for (; id < list->count; id++)
        list->ids[id] = scramble((uint64_t)arrival->session << 32 | id) ^ salt;
}

/* How many ids an arrival has, and of how many tokens. */
struct outline {
    uint32_t block_tok, prompt_ids, count;
};

static struct outline outline_of(const struct arrival *arrival, uint32_t session_block_tok)
{
    uint32_t block_tok = arrival->blocks > 0 ? arrival->block_tok : session_block_tok;
    uint32_t whole = arrival->prompt_tok / block_tok;
    uint32_t named = whole + (arrival->prompt_tok % block_tok > 0);
    if (arrival->session == ARRIVAL_NO_ID || arrival->blocks >= named) {
        uint32_t ids = arrival->blocks < named ? arrival->blocks : named;
        return (struct outline){block_tok, ids, ids};
    }
    /* The KV of the last token of an answer is never computed. */
    uint64_t cached_tok = (uint64_t)arrival->prompt_tok + arrival->output_tok - 1;
    return (struct outline){block_tok, whole, (uint32_t)(cached_tok / block_tok)};
}

uint32_t prefix_ids_take(struct prefix_ids *pool, const struct arrival *arrival,
                         uint32_t session_block_tok)
{
    assert(session_block_tok > 0);
    struct outline outline = outline_of(arrival, session_block_tok);
    uint32_t size = class_of(HEADER_WORDS + (uint64_t)outline.count);
    uint32_t taken = take_words(pool, size);
    struct prefix_list *list = prefix_list_of(pool, taken);
    *list = (struct prefix_list){.block_tok = outline.block_tok,
                                 .prompt_tok = arrival->prompt_tok,
                                 .prompt_ids = outline.prompt_ids,
                                 .count = outline.count,
                                 .size = size};
    fill(list, arrival);
    return taken;
}

uint32_t prefix_ids_copy(struct prefix_ids *pool, uint32_t list)
{
    uint32_t taken = take_words(pool, prefix_list_of(pool, list)->size);
    const struct prefix_list *original = prefix_list_of(pool, list);
    struct prefix_list *copy = prefix_list_of(pool, taken);
    memcpy(copy, original, sizeof *copy + original->count * sizeof *copy->ids);
    copy->held = copy->kept = 0;
    return taken;
}

void prefix_ids_give_back(struct prefix_ids *pool, uint32_t list)
{
    struct prefix_list *given = prefix_list_of(pool, list);
    given->count = pool->free[given->size];
    pool->free[given->size] = list;
}
