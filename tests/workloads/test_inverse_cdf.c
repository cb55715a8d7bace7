#include <criterion/criterion.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

#include "workloads/inverse_cdf.h"
#include "workloads/normal.h"

static struct arena *arena;

static void setup(void)
{
    arena = arena_create();
}

static void teardown(void)
{
    arena_destroy(arena);
}

TestSuite(inverse_cdf, .init = setup, .fini = teardown);

Test(inverse_cdf, is_straight_between_knots)
{
    const struct inverse_cdf_knot knots[] = {{0, 10}, {0.25, 20}, {1, 50}};
    struct inverse_cdf cdf;
    inverse_cdf_build(&cdf, knots, 3, arena);
    cr_assert_float_eq(inverse_cdf_at(&cdf, 0), 10, 1e-12);
    cr_assert_float_eq(inverse_cdf_at(&cdf, 0.125), 15, 1e-12);
    cr_assert_float_eq(inverse_cdf_at(&cdf, 0.25), 20, 1e-12);
    cr_assert_float_eq(inverse_cdf_at(&cdf, 0.625), 35, 1e-12);
    cr_assert_float_eq(inverse_cdf_at(&cdf, nextafter(1, 0)), 50, 1e-9);
}

Test(inverse_cdf, knows_jumps_and_spikes)
{
    const struct inverse_cdf_knot knots[] = {{0, 5}, {0.3, 5}, {0.3, 9}, {1, 9}};
    struct inverse_cdf cdf;
    inverse_cdf_build(&cdf, knots, 4, arena);
    cr_assert_eq(inverse_cdf_at(&cdf, 0.2999), 5);
    cr_assert_eq(inverse_cdf_at(&cdf, 0.3), 9);
    cr_assert_eq(inverse_cdf_at(&cdf, 0.99), 9);
}

Test(inverse_cdf, finds_a_knot_among_many_in_one_cell)
{
    enum { KNOTS = 5000 };
    struct inverse_cdf_knot knots[KNOTS];
    for (int i = 0; i < KNOTS; i++)
        knots[i] = (struct inverse_cdf_knot){1e-6 * i, i};
    knots[KNOTS - 1].p = 1;
    struct inverse_cdf cdf;
    inverse_cdf_build(&cdf, knots, KNOTS, arena);
    for (double x = 0.5; x < KNOTS - 2; x += 7)
        cr_assert_float_eq(inverse_cdf_at(&cdf, 1e-6 * x), x, 1e-6);
}

Test(inverse_cdf, says_which_knot_is_wrong)
{
    size_t which;
    const struct inverse_cdf_knot late[] = {{0.1, 1}, {1, 2}};
    const struct inverse_cdf_knot backwards[] = {{0, 1}, {0.5, 2}, {0.4, 3}, {1, 4}};
    const struct inverse_cdf_knot falling[] = {{0, 1}, {0.5, 3}, {1, 2}};
    const struct inverse_cdf_knot unfinished[] = {{0, 1}, {0.9, 2}};
    cr_assert_not_null(inverse_cdf_flaw(late, 2, &which));
    cr_assert_eq(which, 0);
    cr_assert_not_null(inverse_cdf_flaw(backwards, 4, &which));
    cr_assert_eq(which, 2);
    cr_assert_not_null(inverse_cdf_flaw(falling, 3, &which));
    cr_assert_eq(which, 2);
    cr_assert_not_null(inverse_cdf_flaw(unfinished, 2, &which));
    cr_assert_eq(which, 1);
}

Test(inverse_cdf, normal_is_as_exact_as_its_header_says)
{
    const struct normal *normal = normal_create(arena);
    for (double z = -6; z <= 6; z += 0.00371) {
        cr_assert_float_eq(normal_p(normal, z), gsl_cdf_ugaussian_P(z), 8e-6);
        cr_assert_float_eq(normal_z(normal, gsl_cdf_ugaussian_P(z)), z, 2e-4, "z = %g", z);
    }
    cr_assert_lt(normal_p(normal, 100), 1);
    cr_assert_geq(normal_p(normal, -100), 0);
}

Test(inverse_cdf, normal_and_its_inverse_agree)
{
    const struct normal *normal = normal_create(arena);
    for (double u = 1e-6; u < 1; u += 0.00137)
        cr_assert_float_eq(normal_p(normal, normal_z(normal, u)), u, 1e-9);
}
