#include <criterion/criterion.h>
#include <math.h>

#include "analysis/plan_quantile.h"

Test(plan_quantile, takes_the_least_value_that_the_share_does_not_pass)
{
    double values[20];
    for (int i = 0; i < 20; i++)
        values[i] = 20 - i;
    cr_assert_float_eq(plan_quantile(values, 20, 0.95), 19, 0);
    cr_assert_float_eq(plan_quantile(values, 20, 0.951), 20, 0);
    cr_assert_float_eq(plan_quantile(values, 20, 0.5), 10, 0);
    cr_assert_float_eq(plan_quantile(values, 20, 0), 1, 0);
    cr_assert_float_eq(plan_quantile(values, 20, 1), 20, 0);
}

Test(plan_quantile, needs_the_share_of_the_trials_however_it_rounds)
{
    cr_assert_eq(plan_trials_needed(20, 0.95), 19);
    cr_assert_eq(plan_trials_needed(100, 0.99), 99);
    cr_assert_eq(plan_trials_needed(10, 0.95), 10);
    cr_assert_eq(plan_trials_needed(3, 0.5), 2);
}

/* All of n: the chance p with p^n = 5 %. One failure: p^n + n p^(n-1) (1 - p) = 5 %. */
Test(plan_quantile, bounds_a_chance_as_clopper_and_pearson_do)
{
    double all = plan_chance_at_least(20, 20, 0.95), most = plan_chance_at_least(19, 20, 0.95);
    cr_assert_float_eq(all, pow(0.05, 1.0 / 20), 1e-9);
    cr_assert_float_eq(pow(most, 20) + 20 * pow(most, 19) * (1 - most), 0.05, 1e-9);
    cr_assert_float_eq(plan_chance_at_least(0, 20, 0.95), 0, 0);
}
