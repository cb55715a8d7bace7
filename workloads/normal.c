#include "workloads/normal.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

const struct normal *normal_create(struct arena *arena)
{
    struct normal *normal = ARENA_NEW(arena, struct normal);
    struct inverse_cdf_knot *knots = ARENA_ARRAY(arena, NORMAL_KNOTS, struct inverse_cdf_knot);
    for (int i = 0; i < NORMAL_KNOTS; i++) {
        double z = (double)i / NORMAL_STEPS_PER_UNIT - NORMAL_Z_MAX;
        knots[i] = (struct inverse_cdf_knot){gsl_cdf_ugaussian_P(z), z};
    }
    knots[0].p = 0;
    knots[NORMAL_KNOTS - 1].p = 1;
    for (int i = 0; i < NORMAL_KNOTS; i++)
        normal->cdf[i] = knots[i].p;
    normal->cdf[NORMAL_KNOTS - 1] = normal->cdf[NORMAL_KNOTS] = nextafter(1, 0);
    inverse_cdf_build(&normal->inverse, knots, NORMAL_KNOTS, arena);
    return normal;
}
