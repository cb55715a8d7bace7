#include <criterion/criterion.h>
#include <math.h>

#include "models/money/load_duration.h"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fmax(1, fabs(b));
}

/* 8 hours of 10, 10 of 4 and 6 of 2, out of order and in pieces. */
static struct load_duration *day(struct arena *arena)
{
    static const struct demand_step steps[] = {{10, 4}, {3, 10}, {6, 2}, {5, 10}};
    return load_duration_create(steps, 4, arena, NULL);
}

Test(load_duration, sorts_and_joins_equal_demands)
{
    struct arena *arena = arena_create();
    const struct load_duration *curve = day(arena);
    cr_assert_eq(curve->count, 3);
    cr_assert(near(curve->hours, 24));
    cr_assert(near(curve->mean, (80 + 40 + 12) / 24.0));
    cr_assert(near(load_duration_floor(curve), 2));
    cr_assert(near(load_duration_peak(curve), 10));
    arena_destroy(arena);
}

Test(load_duration, says_for_how_long_a_level_is_in_use)
{
    struct arena *arena = arena_create();
    const struct load_duration *curve = day(arena);
    cr_assert_eq(curve->instances[0], 2);
    cr_assert(near(curve->share_above[0], 18 / 24.0));
    cr_assert(near(curve->share_above[1], 8 / 24.0));
    cr_assert_eq(curve->instances[curve->count - 1], 10);
    cr_assert(near(curve->share_above[curve->count - 1], 0));
    arena_destroy(arena);
}

Test(load_duration, integrates_what_is_used)
{
    struct arena *arena = arena_create();
    const struct load_duration *curve = day(arena);
    cr_assert(near(load_duration_used(curve, 0), 0));
    cr_assert(near(load_duration_used(curve, 1.5), 1.5));
    cr_assert(near(load_duration_used(curve, 3), 2 + 18 / 24.0));
    cr_assert(near(load_duration_used(curve, 7), 2 + 2 * 18 / 24.0 + 3 * 8 / 24.0));
    cr_assert(near(load_duration_used(curve, 10), curve->mean));
    cr_assert(near(load_duration_used(curve, 1000), curve->mean));
    arena_destroy(arena);
}

Test(load_duration, a_demand_of_nothing_is_a_demand)
{
    struct arena *arena = arena_create();
    const struct load_duration *curve =
        load_duration_create(&(struct demand_step){1, 0}, 1, arena, NULL);
    cr_assert_eq(curve->mean, 0);
    cr_assert_eq(load_duration_used(curve, 5), 0);
    arena_destroy(arena);
}

Test(load_duration, refuses_what_is_no_demand)
{
    static const struct demand_step wrong[] = {{0, 1}, {-1, 1}, {1, -1}, {INFINITY, 1}, {1, NAN}};
    struct arena *arena = arena_create();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct error error = {0};
        cr_assert_null(load_duration_create(&wrong[i], 1, arena, &error));
        cr_assert_eq(error.code, ERROR_BAD_INPUT);
    }
    struct error error = {0};
    cr_assert_null(load_duration_create(NULL, 0, arena, &error));
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
    arena_destroy(arena);
}
