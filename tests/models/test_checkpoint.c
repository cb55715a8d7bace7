/* Intervals between checkpoints: answers by hand, and against the minimum that a search finds. */
#include <criterion/criterion.h>
#include <math.h>

#include "models/elastic/checkpoint.h"

/* sqrt(2 * 300 * 86400) = 7200: five minutes each two hours, at one failure a day. */
Test(checkpoint, young_by_hand)
{
    cr_expect_float_eq(checkpoint_young_s(300, 86400), 7200, 1e-9);
    cr_expect_float_eq(checkpoint_young_s(50, 10000), 1000, 1e-9);
    cr_expect_eq(checkpoint_young_s(0, 86400), 0);
}

/* d = 200, M = 10000: root = sqrt(d / 2M) = 0.1, 2000 (1 + 0.1/3 + 0.01/9) - 200 = 1868.89. */
Test(checkpoint, daly_by_hand)
{
    cr_expect_float_eq(checkpoint_daly_s(200, 10000), 1868.8888888888889, 1e-9);
    cr_expect_eq(checkpoint_daly_s(2000, 1000), 1000);
    cr_expect_eq(checkpoint_daly_s(9000, 1000), 1000);
    cr_expect_eq(checkpoint_daly_s(0, 1000), 0);
    cr_expect_eq(checkpoint_daly_s(9, 0), 0);
}

/* Share that a run takes longer than its work, by Daly's complete formula, equation (20), which
 * holds for failures during checkpoints, too: M (e^((t+d)/M) - 1) T/t. */
static double overhead(double interval_s, double cost_s, double mtbf_s)
{
    return mtbf_s * expm1((interval_s + cost_s) / mtbf_s) / interval_s - 1;
}

/* The interval that the complete formula is least at, by golden section. */
static double best_interval_s(double cost_s, double mtbf_s)
{
    const double shrink = (sqrt(5) - 1) / 2;
    double low = 1e-3 * cost_s, high = 10 * checkpoint_young_s(cost_s, mtbf_s);
    for (int i = 0; i < 200; i++) {
        double a = high - shrink * (high - low), b = low + shrink * (high - low);
        if (overhead(a, cost_s, mtbf_s) < overhead(b, cost_s, mtbf_s))
            high = b;
        else
            low = a;
    }
    return low;
}

Test(checkpoint, daly_is_next_to_the_minimum_and_nearer_than_young)
{
    const double cost_s = 300;
    for (double mtbf_s = 900; mtbf_s < 1e7; mtbf_s *= 2) {
        double best_s = best_interval_s(cost_s, mtbf_s);
        double daly_s = checkpoint_daly_s(cost_s, mtbf_s);
        double young_s = checkpoint_young_s(cost_s, mtbf_s);
        cr_expect_float_eq(daly_s / best_s, 1, 0.01, "mtbf %g: %g, best %g", mtbf_s, daly_s,
                           best_s);
        cr_expect_lt(fabs(daly_s - best_s), fabs(young_s - best_s));
    }
}
