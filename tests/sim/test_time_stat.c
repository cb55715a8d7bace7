#include <criterion/criterion.h>

#include "sim/time_stat.h"

static tick_t at(double seconds)
{
    return tick_from_s(seconds);
}

Test(time_stat, weights_each_value_by_the_time_it_lasted)
{
    struct time_stat stat;
    time_stat_start(&stat, at(10), 0);
    time_stat_set(&stat, at(12), 4); /* 0 for 2 s */
    time_stat_set(&stat, at(15), 1); /* 4 for 3 s */
    cr_expect_float_eq(time_stat_mean(&stat, at(20)), (0 * 2 + 4 * 3 + 1 * 5) / 10.0, 1e-12);
    cr_expect_eq(stat.max, 4);
    cr_expect_eq(stat.value, 1);
}

Test(time_stat, asking_changes_nothing)
{
    struct time_stat stat;
    time_stat_start(&stat, at(0), 2);
    time_stat_mean(&stat, at(100));
    time_stat_set(&stat, at(1), 0);
    cr_expect_float_eq(time_stat_mean(&stat, at(2)), 1, 1e-12);
}

Test(time_stat, has_the_current_value_as_mean_before_time_passes)
{
    struct time_stat stat;
    time_stat_start(&stat, at(3), 7);
    cr_expect_eq(time_stat_mean(&stat, at(3)), 7);
    time_stat_set(&stat, at(3), 9);
    cr_expect_eq(time_stat_mean(&stat, at(3)), 9);
    cr_expect_float_eq(time_stat_mean(&stat, at(4)), 9, 1e-12, "an instant has no weight");
}

Test(time_stat, counts_the_first_value_and_values_of_an_instant_into_the_maximum)
{
    struct time_stat stat;
    time_stat_start(&stat, at(0), -5);
    cr_expect_eq(stat.max, -5);
    time_stat_set(&stat, at(1), 3);
    time_stat_set(&stat, at(1), -6);
    cr_expect_eq(stat.max, 3);
}
