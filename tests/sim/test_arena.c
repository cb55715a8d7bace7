#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "sim/arena.h"

Test(arena, memory_is_zeroed_aligned_and_apart)
{
    struct arena *arena = arena_create();
    unsigned char *blocks[1000];
    for (size_t i = 0; i < 1000; i++) {
        size_t size = 1 + i * 7 % 400;
        blocks[i] = arena_alloc(arena, size, 1);
        cr_assert_eq((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        for (size_t byte = 0; byte < size; byte++)
            cr_assert_eq(blocks[i][byte], 0);
        memset(blocks[i], (int)(i % 255) + 1, size);
    }
    for (size_t i = 0; i < 1000; i++)
        for (size_t byte = 0; byte < 1 + i * 7 % 400; byte++)
            cr_assert_eq(blocks[i][byte], i % 255 + 1);
    arena_destroy(arena);
}

Test(arena, holds_blocks_larger_than_any_before)
{
    struct arena *arena = arena_create();
    char *small = arena_strdup(arena, "small");
    size_t size = 3 << 20;
    char *large = arena_alloc(arena, size, 1);
    large[0] = large[size - 1] = 'x';
    char *after = arena_strdup(arena, "after");
    cr_assert_str_eq(small, "small");
    cr_assert_str_eq(after, "after");
    arena_destroy(arena);
}

Test(arena, prints_texts_of_any_length)
{
    struct arena *arena = arena_create();
    cr_assert_str_eq(arena_printf(arena, "%s-%d", "pool", 7), "pool-7");
    char *padded = arena_printf(arena, "%10000d", 1);
    cr_assert_eq(strlen(padded), 10000);
    cr_assert_eq(padded[9999], '1');
    arena_destroy(arena);
}

Test(arena, an_overflowing_size_ends_the_process, .signal = SIGABRT)
{
    arena_alloc(arena_create(), SIZE_MAX / 2, 3);
}

Test(arena, a_size_that_overflows_when_aligned_ends_the_process, .signal = SIGABRT)
{
    arena_alloc(arena_create(), SIZE_MAX, 1);
}

Test(arena, destroying_nothing_is_allowed)
{
    arena_destroy(NULL);
}
