/* A pace against its own definition, turn by turn. */
#include <criterion/criterion.h>
#include <string.h>

#include "sim/histogram.h"
#include "sim/pace.h"
#include "sim/random.h"

enum { PACES = 300, TURNS = 400 };

static struct pace draw_pace(gsl_rng *rng)
{
    uint64_t per_turn = PACE_ONE + gsl_rng_uniform_int(rng, 8 * PACE_ONE);
    if (gsl_rng_uniform_int(rng, 4) == 0)
        per_turn &= ~(PACE_ONE - 1); /* whole steps */
    return (struct pace){per_turn, gsl_rng_uniform_int(rng, PACE_ONE)};
}

Test(pace, one_step_a_turn_counts)
{
    const struct pace pace = {PACE_ONE, 0};
    cr_assert_eq(pace_steps(&pace, 7), 7);
    cr_assert_eq(pace_turns(&pace, 7), 7);
    cr_assert_eq(pace_sum(&pace, 7), 21);
    cr_assert_eq(pace_after(&pace, 7).phase, 0);
    cr_assert_eq(pace_turns(&pace, INT64_MAX), UINT64_MAX, "never");
}

Test(pace, closed_forms_equal_counting)
{
    gsl_rng *rng = random_stream(20261121, 0, "test/pace");
    for (int i = 0; i < PACES; i++) {
        struct pace pace = draw_pace(rng), now = pace;
        uint64_t steps = 0, sum = 0;
        for (uint64_t turn = 0; turn < TURNS; turn++) {
            cr_assert_eq(pace_steps(&pace, turn), steps);
            cr_assert_eq(pace_sum(&pace, turn), sum);
            uint64_t made = pace_steps(&now, 1);
            cr_assert_geq(made, pace.per_turn >> PACE_BITS);
            for (uint64_t wanted = steps + 1; wanted <= steps + made; wanted++)
                cr_assert_eq(pace_turns(&pace, wanted), turn + 1);
            sum += steps;
            steps += made;
            now = pace_after(&now, 1);
        }
    }
    gsl_rng_free(rng);
}

/* As if each value had been added by itself. */
Test(pace, histograms_take_paced_runs)
{
    static struct histogram paced, singly;
    histogram_clear(&paced);
    histogram_clear(&singly);
    gsl_rng *rng = random_stream(20261121, 0, "test/pace histogram");
    for (int i = 0; i < PACES; i++) {
        const struct pace pace = draw_pace(rng);
        fine_t first = (fine_t)1 << (20 + gsl_rng_uniform_int(rng, 25));
        fine_t step = gsl_rng_uniform_int(rng, 4) ? first >> gsl_rng_uniform_int(rng, 20) : 0;
        uint64_t turns = gsl_rng_uniform_int(rng, TURNS), count = gsl_rng_uniform_int(rng, 5);
        histogram_add_paced(&paced, first, step, &pace, turns, count);
        for (uint64_t turn = 0; turn < turns; turn++)
            histogram_add_run(&singly, first + step * (fine_t)pace_steps(&pace, turn), 0, 1, count);
    }
    cr_assert(memcmp(&paced, &singly, sizeof paced) == 0);
    gsl_rng_free(rng);
}
