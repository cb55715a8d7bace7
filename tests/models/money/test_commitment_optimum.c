#include <criterion/criterion.h>
#include <math.h>

#include "models/money/commitment_optimum.h"
#include "sim/random.h"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1, fabs(b));
}

/* A chatbot's day: 8 hours of 10 instances, 16 of 4. Levels 4 to 10 are in use a third of the time.
 */
static const struct demand_step chatbot[] = {{8, 10}, {16, 4}};

static struct commitment_question ask(const struct load_duration *curve,
                                      const struct commitment_offer *offers, size_t count)
{
    return (struct commitment_question){.curve = curve,
                                        .demand_factor = 1,
                                        .on_demand_usd_per_hour = 1,
                                        .offers = offers,
                                        .offer_count = count,
                                        .horizon_months = 36};
}

struct case_of {
    struct arena *arena;
    struct commitment_offer offers[4];
    struct commitment_question question;
};

static void setup(struct case_of *of, const struct demand_step *steps, size_t count)
{
    of->arena = arena_create();
    of->question = ask(load_duration_create(steps, count, of->arena, NULL), of->offers, 1);
}

static double cost(const struct case_of *of, const struct commitment_plan *plan)
{
    return commitment_evaluate(&of->question, plan).usd_per_hour;
}

/* --- one offer: the quantile --- */

Test(commitment_optimum, is_the_quantile_where_use_equals_the_price_ratio)
{
    static const struct {
        double price, committed;
    } cases[] = {{0.2, 10}, {0.33, 10}, {0.34, 4}, {0.9, 4}, {1, 0}, {1.2, 0}, {0, 10}};
    struct case_of of;
    setup(&of, chatbot, 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        of.offers[0] = (struct commitment_offer){"plan", cases[i].price, 36};
        struct commitment_plan plan = commitment_optimum(&of.question, of.arena);
        cr_assert_eq(plan.periods, 3);
        for (size_t p = 0; p < 3; p++)
            cr_assert(near(plan.instances[p], cases[i].committed), "at %g: %g", cases[i].price,
                      plan.instances[p]);
    }
    arena_destroy(of.arena);
}

/* Of a demand spread evenly from 0 to 100, the optimum at a ratio r is 100 (1 - r), the cost of it
 * r (1 - r) 100 + 100 r^2 / 2; the floor saves nothing at all. */
Test(commitment_optimum, beats_the_floor_as_worked_out_for_an_even_demand)
{
    struct demand_step steps[1000];
    for (int i = 0; i < 1000; i++)
        steps[i] = (struct demand_step){1, i / 10.0};
    struct case_of of;
    setup(&of, steps, 1000);
    for (double r = 0.1; r < 0.95; r += 0.1) {
        of.offers[0] = (struct commitment_offer){"plan", r, 36};
        struct commitment_plan plan = commitment_optimum(&of.question, of.arena);
        cr_assert_float_eq(plan.instances[0], 100 * (1 - r), 0.11);
        cr_assert_float_eq(cost(&of, &plan), 100 * r * (1 - r) + 50 * r * r, 0.1);
        plan = commitment_by_rule(&of.question, 0, COMMIT_FLOOR, of.arena);
        cr_assert_float_eq(cost(&of, &plan), 49.95, 1e-9);
    }
    arena_destroy(of.arena);
}

Test(commitment_optimum, whole_instances_are_committed_whole)
{
    struct case_of of;
    setup(&of, (const struct demand_step[]){{8, 9.5}, {16, 4.5}}, 2);
    of.question.whole = true;
    /* The fifth is in use for (8 + 16 / 2) / 24 of the time, the tenth for half of a third. */
    of.offers[0] = (struct commitment_offer){"plan", 0.66, 36};
    cr_assert(near(commitment_optimum(&of.question, of.arena).instances[0], 5));
    of.offers[0].usd_per_hour = 0.67;
    cr_assert(near(commitment_optimum(&of.question, of.arena).instances[0], 4));
    of.offers[0].usd_per_hour = 0.17;
    cr_assert(near(commitment_optimum(&of.question, of.arena).instances[0], 9));
    of.offers[0].usd_per_hour = 0.16;
    cr_assert(near(commitment_optimum(&of.question, of.arena).instances[0], 10));
    arena_destroy(of.arena);
}

Test(commitment_optimum, evaluates_rules_of_thumb)
{
    struct case_of of;
    setup(&of, chatbot, 2);
    of.offers[0] = (struct commitment_offer){"plan", 0.5, 36};
    static const double usd[COMMIT_RULES] = {[COMMIT_NOTHING] = 6,
                                             [COMMIT_FLOOR] = 2 + 2,
                                             [COMMIT_MEAN] = 3 + 4 / 3.0,
                                             [COMMIT_PEAK] = 5};
    for (enum commitment_rule rule = 0; rule < COMMIT_RULES; rule++) {
        struct commitment_plan plan = commitment_by_rule(&of.question, 0, rule, of.arena);
        cr_assert(near(cost(&of, &plan), usd[rule]), "rule %d: %g", (int)rule, cost(&of, &plan));
    }
    struct commitment_plan plan = commitment_by_rule(&of.question, 0, COMMIT_MEAN, of.arena);
    struct commitment_outcome outcome = commitment_evaluate(&of.question, &plan);
    cr_assert(near(outcome.demand, 6));
    cr_assert(near(outcome.committed, 6));
    cr_assert(near(outcome.committed_used, 4 + 2 / 3.0));
    cr_assert(near(outcome.on_demand_usd_per_hour, 4 / 3.0));
    arena_destroy(of.arena);
}

/* Published: 70 % reserved at 40 % off, 20 % on demand, 10 % Spot at 65 % off save 35 % (34.5). */
Test(commitment_optimum, steady_service_with_70_20_10)
{
    struct case_of of;
    setup(&of, (const struct demand_step[]){{1, 7}, {1, 13}}, 2);
    of.question.on_demand_usd_per_hour = (0.2 * 1 + 0.1 * 0.35) / 0.3;
    of.offers[0] = (struct commitment_offer){"reserved", 0.6, 36};
    struct commitment_plan plan = commitment_by_rule(&of.question, 0, COMMIT_FLOOR, of.arena);
    cr_assert(near(cost(&of, &plan) / 10, 1 - 0.345));
    arena_destroy(of.arena);
}

/* --- prices that fall --- */

/* Published: at -30 % a year, three years locked in cost two to three times. 0.7^-3 is 2.92, but
 * against the mean of the falling price, 0.614, a discount of 57 % still wins; one of 36 % loses.
 */
Test(commitment_optimum, a_long_lock_in_while_prices_fall)
{
    struct case_of of;
    setup(&of, (const struct demand_step[]){{1, 10}}, 1);
    of.question.price_change_per_year = -0.3;
    of.offers[0] = (struct commitment_offer){"3 years", 0.43, 36};
    struct commitment_plan nothing = commitment_by_rule(&of.question, 0, COMMIT_NOTHING, of.arena);
    cr_assert_float_eq(cost(&of, &nothing) / 10, 0.614, 0.0005);
    cr_assert_float_eq(commitment_under_water_years(&of.question, 0), 2.37, 0.005);
    cr_assert(near(commitment_optimum(&of.question, of.arena).instances[0], 10));
    of.offers[0].usd_per_hour = 0.64;
    cr_assert(near(commitment_optimum(&of.question, of.arena).instances[0], 0));
    of.question.price_change_per_year = 0;
    cr_assert_eq(commitment_under_water_years(&of.question, 0), INFINITY);
    arena_destroy(of.arena);
}

/* --- several offers --- */

/* Demand doubles each year: 1, 2, 4. Three years cover what is there from the start, single years
 * the rest: three years of 0.4 are cheaper than 0.6 in each, dearer than 0.6 in two. */
Test(commitment_optimum, layers_one_year_over_three)
{
    struct case_of of;
    setup(&of, (const struct demand_step[]){{1, 1}}, 1);
    of.question.offer_count = 2;
    of.question.growth_per_year = 1;
    of.offers[0] = (struct commitment_offer){"1 year", 0.6, 12};
    of.offers[1] = (struct commitment_offer){"3 years", 0.41, 36};
    struct commitment_plan plan = commitment_optimum(&of.question, of.arena);
    static const double one_year[] = {0, 1, 3}, three_years[] = {1, 1, 1};
    for (size_t year = 0; year < 3; year++) {
        cr_assert(near(plan.instances[year], one_year[year]));
        cr_assert(near(plan.instances[3 + year], three_years[year]));
    }
    cr_assert(near(cost(&of, &plan), (3 * 0.41 + 4 * 0.6) / 3));
    of.offers[1].usd_per_hour = 0.39;
    plan = commitment_optimum(&of.question, of.arena);
    cr_assert(near(plan.instances[3], 2));
    arena_destroy(of.arena);
}

Test(commitment_optimum, of_two_offers_for_one_term_takes_the_cheaper)
{
    struct case_of of;
    setup(&of, chatbot, 2);
    of.question.offer_count = 2;
    of.offers[0] = (struct commitment_offer){"reserved", 0.3, 36};
    of.offers[1] = (struct commitment_offer){"Savings Plan", 0.2, 36};
    struct commitment_plan plan = commitment_optimum(&of.question, of.arena);
    cr_assert(near(plan.instances[0], 0));
    cr_assert(near(plan.instances[3], 10));
    of.offers[1].usd_per_hour = 0.3;
    plan = commitment_optimum(&of.question, of.arena);
    cr_assert(near(plan.instances[0], 10), "of equals, the first");
    arena_destroy(of.arena);
}

/* All plans there are of one and three years, over two demands that grow. */
static double least_by_trying(struct case_of *of, int most)
{
    double least = INFINITY;
    double instances[6];
    struct commitment_plan plan = {&of->question, 3, instances};
    for (int three = 0; three <= most; three++)
        for (int code = 0; code < (most + 1) * (most + 1) * (most + 1); code++) {
            int rest = code;
            for (int year = 0; year < 3; year++, rest /= most + 1) {
                instances[year] = rest % (most + 1);
                instances[3 + year] = three;
            }
            least = fmin(least, cost(of, &plan));
        }
    return least;
}

Test(commitment_optimum, agrees_with_trying_all_plans)
{
    gsl_rng *rng = random_stream(1, 0, "test/commitment");
    for (int draw = 0; draw < 60; draw++) {
        struct demand_step steps[4];
        for (int i = 0; i < 4; i++)
            steps[i] =
                (struct demand_step){1 + gsl_rng_uniform(rng), (double)gsl_rng_uniform_int(rng, 4)};
        struct case_of of;
        setup(&of, steps, 4);
        of.question.offer_count = 2;
        of.question.whole = true;
        of.question.growth_per_year = 0.5 * gsl_rng_uniform(rng) - 0.25;
        of.question.price_change_per_year = 0.8 * gsl_rng_uniform(rng) - 0.4;
        of.offers[0] = (struct commitment_offer){"1 year", gsl_rng_uniform(rng), 12};
        of.offers[1] = (struct commitment_offer){"3 years", gsl_rng_uniform(rng), 36};
        struct commitment_plan plan = commitment_optimum(&of.question, of.arena);
        double least = least_by_trying(&of, 5);
        cr_assert(near(cost(&of, &plan), least), "%.15g, not %.15g", cost(&of, &plan), least);
        arena_destroy(of.arena);
    }
    gsl_rng_free(rng);
}

/* --- when demand turns out otherwise --- */

Test(commitment_optimum, a_plan_can_be_held_against_another_demand)
{
    struct case_of of;
    setup(&of, chatbot, 2);
    of.offers[0] = (struct commitment_offer){"plan", 0.5, 36};
    struct commitment_plan plan = commitment_optimum(&of.question, of.arena);
    struct commitment_question halved = of.question;
    halved.demand_factor = 0.5;
    struct commitment_outcome outcome = commitment_evaluate(&halved, &plan);
    cr_assert(near(outcome.usd_per_hour, 4 * 0.5 + 1 / 3.0));
    cr_assert(near(outcome.committed_used, 4 / 3.0 + 2 * 2 / 3.0));
    arena_destroy(of.arena);
}

/* --- what cannot be --- */

Test(commitment_optimum, refuses_what_cannot_be)
{
    struct case_of of;
    setup(&of, chatbot, 2);
    of.question.offer_count = 2;
    of.offers[0] = (struct commitment_offer){"a", 0.5, 36};
    of.offers[1] = (struct commitment_offer){"b", 0.6, 12};
    cr_assert(commitment_check(&of.question, NULL));
    const struct commitment_offer wrong[] = {
        {"b", -0.1, 12}, {"b", NAN, 12}, {"b", 0.5, 0}, {"b", 0.5, 48}, {"b", 0.5, 24}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct error error = {0};
        of.offers[1] = wrong[i];
        cr_assert_not(commitment_check(&of.question, &error), "offer %zu", i);
        cr_assert(strstr(error.message, "\"b\""), "%s", error.message);
    }
    of.question.offer_count = 0;
    cr_assert_not(commitment_check(&of.question, NULL));
    of.question.offer_count = 1;
    of.question.on_demand_usd_per_hour = 0;
    cr_assert_not(commitment_check(&of.question, NULL));
    arena_destroy(of.arena);
}
