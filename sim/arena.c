#include "sim/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK_BYTES = 4096, LAST_BLOCK_BYTES = 256 * 1024 };

struct block {
    struct block *next;
    size_t used, capacity;
    max_align_t bytes[];
};

struct arena {
    struct block *blocks; /* the first is the one being filled */
    size_t next_capacity; /* grows, so that a small arena stays small */
};

_Noreturn void out_of_memory(void)
{
    fputs("tokenyard: out of memory\n", stderr); /* floors: there is nobody left to tell */
    abort();
}

struct arena *arena_create(void)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        out_of_memory();
    arena->next_capacity = FIRST_BLOCK_BYTES;
    return arena;
}

void arena_destroy(struct arena *arena)
{
    if (!arena)
        return;
    while (arena->blocks) {
        struct block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    free(arena);
}

static void add_block(struct arena *arena, size_t least_capacity)
{
    size_t capacity = arena->next_capacity;
    if (capacity < LAST_BLOCK_BYTES)
        arena->next_capacity *= 2;
    if (capacity < least_capacity)
        capacity = least_capacity;
    struct block *block =
        capacity < SIZE_MAX - sizeof *block ? calloc(1, sizeof *block + capacity) : NULL;
    if (!block)
        out_of_memory();
    block->capacity = capacity;
    block->next = arena->blocks;
    arena->blocks = block;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    enum { ALIGN = _Alignof(max_align_t) };
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, ALIGN - 1, &bytes))
        out_of_memory();
    bytes -= bytes % ALIGN;
    if (!arena->blocks || arena->blocks->capacity - arena->blocks->used < bytes)
        add_block(arena, bytes);
    struct block *block = arena->blocks;
    void *place = (char *)block->bytes + block->used;
    block->used += bytes;
    return place;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(arena_alloc(arena, size, 1), text, size);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        out_of_memory();
    char *text = arena_alloc(arena, (size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
