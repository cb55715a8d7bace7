#include "workloads/inverse_cdf.h"

#include <assert.h>

const char *inverse_cdf_flaw(const struct inverse_cdf_knot *knots, size_t count, size_t *which)
{
    *which = 0;
    if (knots[0].p != 0)
        return "is the first and must have p 0";
    for (*which = 1; *which < count; (*which)++) {
        const struct inverse_cdf_knot *knot = &knots[*which];
        if (knot[0].p < knot[-1].p)
            return "has a smaller p than the one before it";
        if (knot[0].x < knot[-1].x)
            return "has a smaller value than the one before it";
    }
    *which = count - 1;
    return knots[count - 1].p != 1 ? "is the last and must have p 1" : NULL;
}

static void fill_guide(struct inverse_cdf *cdf)
{
    uint32_t line = 0;
    for (uint32_t cell = 0; cell < INVERSE_CDF_CELLS; cell++) {
        while (cdf->lines[line + 1].p <= (double)cell / INVERSE_CDF_CELLS)
            line++;
        cdf->guide[cell] = line;
    }
}

void inverse_cdf_build(struct inverse_cdf *cdf, const struct inverse_cdf_knot *knots, size_t count,
                       struct arena *arena)
{
    size_t which;
    assert(count >= 2 && !inverse_cdf_flaw(knots, count, &which));
    (void)which;
    cdf->lines = ARENA_ARRAY(arena, count + 1, struct inverse_cdf_line);
    for (size_t i = 0; i + 1 < count; i++) {
        double dp = knots[i + 1].p - knots[i].p;
        double slope = dp > 0 ? (knots[i + 1].x - knots[i].x) / dp : 0;
        cdf->lines[i] = (struct inverse_cdf_line){knots[i].p, knots[i].x, slope};
    }
    cdf->lines[count - 1] = (struct inverse_cdf_line){1, knots[count - 1].x, 0};
    cdf->lines[count] = (struct inverse_cdf_line){2, knots[count - 1].x, 0};
    fill_guide(cdf);
}
