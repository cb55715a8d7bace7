/* The planner's program against published answers, against enumeration, and its limits. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "analysis/plan_milp.h"

static const struct plan_options by_makespan = {
    .objective = PLAN_MIN_MAKESPAN, .gpu_type = PLAN_ANY_TYPE, .time_limit_s = 60};

/* The worked example of Jiang et al., ICML 2025, section 4.2: three GPU types at 4, 2 and 2 USD/h,
 * two of each; 80 and 20 requests; 8 USD/h; the fourth configuration is tensor parallel over two
 * t2. */
static const struct plan_offer example_offers[] = {
    {"t1", 0, 1, 2, 4}, {"t2", 1, 1, 2, 2}, {"t3", 2, 1, 2, 2}};
static const struct plan_config example_configs[] = {
    {"t1", 0, 1}, {"t2", 1, 1}, {"t3", 2, 1}, {"t2 TP2", 1, 2}};
static const struct plan_class example_classes[] = {{"w1", 80}, {"w2", 20}};
static const double example_throughput[] = {1.0, 1.2, 0.9, 0.9, 0.3, 0.5, 2.4, 1.5};

static struct plan_problem example(void)
{
    return (struct plan_problem){
        .classes = example_classes,
        .class_count = 2,
        .configs = example_configs,
        .config_count = 4,
        .offers = example_offers,
        .offer_count = 3,
        .gpu_type_count = 3,
        .throughput = example_throughput,
        .budget_usd_h = 8,
    };
}

Test(plan_milp, worked_example_has_the_published_optimum)
{
    struct arena *arena = arena_create();
    struct plan_problem problem = example();
    struct plan_solution solution;
    struct error error = {0};
    cr_assert(plan_solve(&problem, &by_makespan, arena, &solution, &error), "%s", error.message);
    cr_assert(solution.optimal);
    cr_assert_float_eq(solution.makespan_s, 1450.0 / 51, 1e-9);
    cr_assert_float_eq(solution.value, solution.makespan_s, 0);
    cr_assert_float_eq(solution.gap, 0, 0);
    cr_assert_float_eq(solution.cost_usd_h, 8, 1e-12);
    const int64_t fleet[] = {1, 0, 0, 1};
    cr_assert_arr_eq(solution.replicas, fleet, sizeof fleet);
    arena_destroy(arena);
}

/* The published optimum has a t1 and both t2. With no more t1 than t3, and at most 3 GPUs of t1 and
 * t3 together, the best of the 19 feasible fleets below is that of both t3 and both t2. */
Test(plan_milp, keeps_the_limits_of_the_problem)
{
    struct arena *arena = arena_create();
    struct plan_problem problem = example();
    const double t1_over_t3[] = {1, 0, -1, 0}, none[] = {0, 0, 0, 0}, t1_and_t3[] = {1, 0, 1};
    const struct plan_limit limits[] = {{t1_over_t3, none, 0}, {none, t1_and_t3, 3}};
    problem.limits = limits;
    problem.limit_count = 2;
    struct plan_solution solution;
    struct error error = {0};
    cr_assert(plan_solve(&problem, &by_makespan, arena, &solution, &error), "%s", error.message);
    const int64_t fleet[] = {0, 0, 2, 1};
    cr_assert_arr_eq(solution.replicas, fleet, sizeof fleet);
    cr_assert_float_eq(solution.makespan_s, 92.0 / 3, 1e-9);
    arena_destroy(arena);
}

Test(plan_milp, single_type_is_worse_than_the_mix)
{
    struct arena *arena = arena_create();
    struct plan_problem problem = example();
    const double expected_s[] = {145.0 / 3, 140.0 / 3, 460.0 / 3};
    for (size_t type = 0; type < 3; type++) {
        struct plan_options options = by_makespan;
        options.gpu_type = type;
        struct plan_solution solution;
        cr_assert(plan_solve(&problem, &options, arena, &solution, NULL));
        cr_assert_float_eq(solution.makespan_s, expected_s[type], 1e-9);
    }
    arena_destroy(arena);
}

/* Every feasible fleet of the example with the makespan of its best assignment, to four digits:
 * exact enumeration over the paper's inputs, in its data sheet "jiang2025_example". */
Test(plan_milp, assigns_the_19_feasible_fleets_of_the_example)
{
    static const struct {
        int64_t replicas[4];
        double cost_usd_h, makespan_s;
    } known[] = {
        {{1, 0, 0, 1}, 8, 28.4314}, {{0, 0, 2, 1}, 8, 30.6667},  {{1, 2, 0, 0}, 8, 34.5238},
        {{0, 0, 1, 1}, 6, 35.0},    {{0, 2, 2, 0}, 8, 38.3333},  {{1, 1, 1, 0}, 8, 41.8182},
        {{0, 2, 1, 0}, 6, 43.8095}, {{0, 0, 0, 1}, 4, 46.6667},  {{2, 0, 0, 0}, 8, 48.3333},
        {{1, 1, 0, 0}, 6, 50.8772}, {{0, 2, 0, 0}, 4, 55.5556},  {{1, 0, 2, 0}, 8, 57.5},
        {{0, 1, 2, 0}, 6, 61.3333}, {{1, 0, 1, 0}, 6, 70.7692},  {{0, 1, 1, 0}, 4, 76.6667},
        {{1, 0, 0, 0}, 4, 96.6667}, {{0, 1, 0, 0}, 2, 111.1111}, {{0, 0, 2, 0}, 4, 153.3333},
        {{0, 0, 1, 0}, 2, 306.6667}};
    struct arena *arena = arena_create();
    struct plan_problem problem = example();
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct plan_solution solution;
        cr_assert(plan_assign(&problem, known[i].replicas, arena, &solution, NULL));
        cr_assert_float_eq(solution.makespan_s, known[i].makespan_s, 5e-5, "fleet %zu", i);
        cr_assert_float_eq(solution.cost_usd_h, known[i].cost_usd_h, 1e-12);
    }
    arena_destroy(arena);
}

/* --- random problems of two classes, against enumeration --- */

enum { CONFIGS = 4, OFFERS = 3 };

struct random_problem {
    struct plan_class classes[2];
    struct plan_config configs[CONFIGS];
    struct plan_offer offers[OFFERS];
    double throughput[2 * CONFIGS];
    struct plan_problem problem;
};

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

static void draw_problem(struct random_problem *r, uint32_t seed)
{
    uint32_t state = seed;
    r->classes[0] = (struct plan_class){"a", 1 + draw(&state, 100)};
    r->classes[1] = (struct plan_class){"b", 1 + draw(&state, 100)};
    for (size_t i = 0; i < OFFERS; i++)
        r->offers[i] = (struct plan_offer){"offer", i % 2, 1 << draw(&state, 3),
                                           1 + draw(&state, 3), 0.5 + draw(&state, 40) / 10.0};
    for (size_t c = 0; c < CONFIGS; c++) {
        int64_t unit_gpus = r->offers[c % OFFERS].gpus;
        r->configs[c] = (struct plan_config){"config", c % OFFERS,
                                             plan_occupied_gpus(1 << draw(&state, 3), unit_gpus)};
        for (size_t w = 0; w < 2; w++)
            r->throughput[2 * c + w] = draw(&state, 6) ? 0.1 + draw(&state, 50) / 10.0 : 0;
    }
    r->problem = (struct plan_problem){.classes = r->classes,
                                       .class_count = 2,
                                       .configs = r->configs,
                                       .config_count = CONFIGS,
                                       .offers = r->offers,
                                       .offer_count = OFFERS,
                                       .gpu_type_count = 2,
                                       .throughput = r->throughput,
                                       .budget_usd_h = 2.0 + draw(&state, 10)};
}

/* Two classes: the configurations relatively best at class 0 serve it, in order of h_c0 / h_c1, up
 * to the one that splits its time so that both classes end together. INFINITY: cannot serve. */
static double closed_form_makespan_s(const struct random_problem *r, const int64_t *replicas)
{
    double rate_a = 0, rate_b = 0;
    bool used[CONFIGS] = {false};
    for (size_t c = 0; c < CONFIGS; c++)
        rate_b += (double)replicas[c] * r->throughput[2 * c + 1] / r->classes[1].demand;
    for (size_t step = 0; step < CONFIGS; step++) {
        size_t best = CONFIGS;
        for (size_t c = 0; c < CONFIGS; c++)
            if (!used[c] && replicas[c] > 0 &&
                (best == CONFIGS || r->throughput[2 * c] * r->throughput[2 * best + 1] >
                                        r->throughput[2 * best] * r->throughput[2 * c + 1]))
                best = c;
        if (best == CONFIGS)
            break;
        used[best] = true;
        double a = (double)replicas[best] * r->throughput[2 * best] / r->classes[0].demand;
        double b = (double)replicas[best] * r->throughput[2 * best + 1] / r->classes[1].demand;
        if (rate_a + a >= rate_b - b) {
            double part = a + b > 0 ? (rate_b - rate_a) / (a + b) : 0;
            double theta = rate_a + part * a;
            return theta > 1e-12 ? 1 / theta : INFINITY;
        }
        rate_a += a;
        rate_b -= b;
    }
    return rate_a > 1e-12 && rate_b > 1e-12 ? 1 / fmin(rate_a, rate_b) : INFINITY;
}

static bool affordable(const struct random_problem *r, const int64_t *replicas, double *cost_usd_h)
{
    int64_t gpus[OFFERS] = {0};
    for (size_t c = 0; c < CONFIGS; c++)
        gpus[r->configs[c].offer] += replicas[c] * r->configs[c].gpus;
    *cost_usd_h = 0;
    for (size_t i = 0; i < OFFERS; i++) {
        int64_t units = (gpus[i] + r->offers[i].gpus - 1) / r->offers[i].gpus;
        if (units > r->offers[i].available)
            return false;
        *cost_usd_h += (double)units * r->offers[i].usd_h;
    }
    return *cost_usd_h <= r->problem.budget_usd_h * (1 + 1e-9);
}

/* The least makespan of all affordable fleets, or the least cost of those within within_s. */
static double enumerate(const struct random_problem *r, enum plan_objective objective,
                        double within_s)
{
    enum { MOST = 13 }; /* 3 units of 4 GPUs hold at most 12 replicas */
    double best = INFINITY;
    for (int64_t code = 0; code < MOST * MOST * MOST * MOST; code++) {
        const int64_t replicas[CONFIGS] = {code % MOST, code / MOST % MOST,
                                           code / MOST / MOST % MOST, code / MOST / MOST / MOST};
        double cost_usd_h;
        if (!affordable(r, replicas, &cost_usd_h))
            continue;
        double t = closed_form_makespan_s(r, replicas);
        if (objective == PLAN_MIN_MAKESPAN)
            best = fmin(best, t);
        else if (t <= within_s * (1 + 1e-9))
            best = fmin(best, cost_usd_h);
    }
    return best;
}

static void check_within_limits(const struct random_problem *r, const struct plan_solution *s)
{
    double cost_usd_h;
    cr_assert(affordable(r, s->replicas, &cost_usd_h));
    cr_assert_float_eq(s->cost_usd_h, cost_usd_h, 1e-9);
    for (size_t w = 0; w < 2; w++) {
        double sum = 0;
        for (size_t c = 0; c < CONFIGS; c++) {
            double share = s->share[2 * c + w];
            cr_assert(share == 0 || (s->replicas[c] > 0 && r->throughput[2 * c + w] > 0));
            sum += share;
        }
        cr_assert_float_eq(sum, 1, 1e-12);
    }
}

/* Whatever could be given back to save money is needed. */
static void check_nothing_idle(const struct random_problem *r, const struct plan_solution *s)
{
    for (size_t c = 0; c < CONFIGS; c++) {
        int64_t fewer[CONFIGS];
        memcpy(fewer, s->replicas, sizeof fewer);
        for (fewer[c]--; fewer[c] >= 0; fewer[c]--) {
            double cost_usd_h;
            affordable(r, fewer, &cost_usd_h);
            if (cost_usd_h < s->cost_usd_h - 1e-9)
                cr_assert_gt(closed_form_makespan_s(r, fewer), s->makespan_s * (1 + 1e-8));
        }
    }
}

Test(plan_milp, agrees_with_enumeration)
{
    int feasible = 0;
    for (uint32_t seed = 1; seed <= 1000; seed++) {
        struct arena *arena = arena_create();
        struct random_problem r;
        draw_problem(&r, seed);
        double expected_s = enumerate(&r, PLAN_MIN_MAKESPAN, 0);
        struct plan_solution solution;
        struct error error = {0};
        bool found = plan_solve(&r.problem, &by_makespan, arena, &solution, &error);
        cr_assert_eq(found, isfinite(expected_s), "seed %u", seed);
        if (found) {
            feasible++;
            cr_assert(solution.optimal);
            cr_assert_float_eq(solution.makespan_s / expected_s, 1, 1e-7, "seed %u: %.9g %.9g",
                               seed, solution.makespan_s, expected_s);
            check_within_limits(&r, &solution);
            check_nothing_idle(&r, &solution);
        } else {
            cr_assert_eq(error.code, ERROR_INFEASIBLE);
        }
        arena_destroy(arena);
    }
    cr_assert_gt(feasible, 500);
}

Test(plan_milp, least_cost_agrees_with_enumeration)
{
    for (uint32_t seed = 1; seed <= 60; seed++) {
        struct arena *arena = arena_create();
        struct random_problem r;
        draw_problem(&r, seed);
        struct plan_options options = by_makespan;
        options.objective = PLAN_MIN_COST;
        options.within_s = 100;
        double expected_usd_h = enumerate(&r, PLAN_MIN_COST, options.within_s);
        struct plan_solution solution;
        bool found = plan_solve(&r.problem, &options, arena, &solution, NULL);
        cr_assert_eq(found, isfinite(expected_usd_h), "seed %u", seed);
        if (found) {
            cr_assert_float_eq(solution.cost_usd_h, expected_usd_h, 1e-7, "seed %u", seed);
            cr_assert_leq(solution.makespan_s, options.within_s * (1 + 1e-6));
            check_within_limits(&r, &solution);
        }
        arena_destroy(arena);
    }
}

Test(plan_milp, more_budget_is_never_slower)
{
    struct arena *arena = arena_create();
    struct plan_problem problem = example();
    double last_s = INFINITY;
    for (double budget = 2; budget <= 20; budget += 1) {
        problem.budget_usd_h = budget;
        struct plan_solution solution;
        cr_assert(plan_solve(&problem, &by_makespan, arena, &solution, NULL));
        cr_assert_leq(solution.makespan_s, last_s * (1 + 1e-9));
        cr_assert_leq(solution.cost_usd_h, budget + 1e-9);
        last_s = solution.makespan_s;
    }
    arena_destroy(arena);
}

/* A second unit that no request needs is not rented, though the budget would pay for it. */
Test(plan_milp, rents_nothing_that_stays_idle)
{
    struct arena *arena = arena_create();
    struct plan_problem problem = example();
    const struct plan_class one_class[] = {{"w1", 0}, {"w2", 20}};
    const double only_t1[] = {1.0, 1.2, 0.9, 0, 0.3, 0, 2.4, 0};
    const struct plan_offer one_t1[] = {{"t1", 0, 1, 1, 4}, {"t2", 1, 1, 2, 2}, {"t3", 2, 1, 2, 2}};
    problem.classes = one_class;
    problem.throughput = only_t1;
    problem.offers = one_t1;
    struct plan_solution solution;
    cr_assert(plan_solve(&problem, &by_makespan, arena, &solution, NULL));
    const int64_t fleet[] = {1, 0, 0, 0};
    cr_assert_arr_eq(solution.replicas, fleet, sizeof fleet);
    cr_assert_float_eq(solution.cost_usd_h, 4, 1e-12);
    arena_destroy(arena);
}

/* Three replicas of two GPUs on instances of four: two instances, paid whole. */
Test(plan_milp, instances_are_rented_whole)
{
    struct arena *arena = arena_create();
    const struct plan_offer offers[] = {{"quad", 0, 4, 2, 10}};
    const struct plan_config configs[] = {{"TP2", 0, 2}};
    const struct plan_class classes[] = {{"all", 60}};
    const double throughput[] = {1.0};
    struct plan_problem problem = {.classes = classes,
                                   .class_count = 1,
                                   .configs = configs,
                                   .config_count = 1,
                                   .offers = offers,
                                   .offer_count = 1,
                                   .gpu_type_count = 1,
                                   .throughput = throughput,
                                   .budget_usd_h = 19.9};
    struct plan_solution solution;
    cr_assert(plan_solve(&problem, &by_makespan, arena, &solution, NULL));
    cr_assert_eq(solution.units[0], 1);
    cr_assert_eq(solution.replicas[0], 2);
    cr_assert_float_eq(solution.makespan_s, 30, 1e-9);
    const int64_t three[] = {3};
    cr_assert(plan_assign(&problem, three, arena, &solution, NULL));
    cr_assert_float_eq(solution.cost_usd_h, 20, 1e-12);
    cr_assert_float_eq(solution.makespan_s, 20, 1e-9);
    arena_destroy(arena);
}

Test(plan_milp, says_why_nothing_is_possible)
{
    struct arena *arena = arena_create();
    struct plan_problem problem = example();
    struct plan_solution solution;
    struct error error = {0};
    problem.budget_usd_h = 1.5;
    cr_assert_not(plan_solve(&problem, &by_makespan, arena, &solution, &error));
    cr_assert_eq(error.code, ERROR_INFEASIBLE);
    cr_assert_str_eq(error.hint, "the cheapest deployment is t2: one replica costs 2 USD/h");

    error = (struct error){0};
    problem.budget_usd_h = 8;
    const double no_w2[] = {1.0, 0, 0.9, 0, 0.3, 0, 2.4, 0};
    problem.throughput = no_w2;
    cr_assert_not(plan_solve(&problem, &by_makespan, arena, &solution, &error));
    cr_assert_eq(error.code, ERROR_INFEASIBLE);
    cr_assert(strstr(error.message, "\"w2\""));
    arena_destroy(arena);
}

/* Each class fits the budget alone, both together do not. */
Test(plan_milp, a_budget_for_one_class_is_not_one_for_two)
{
    struct arena *arena = arena_create();
    struct plan_problem problem = example();
    const double apart[] = {1.0, 0, 0, 0.9, 0, 0, 0, 0};
    problem.throughput = apart;
    problem.budget_usd_h = 5;
    struct plan_solution solution;
    struct error error = {0};
    cr_assert_not(plan_solve(&problem, &by_makespan, arena, &solution, &error));
    cr_assert_eq(error.code, ERROR_INFEASIBLE);
    arena_destroy(arena);
}

Test(plan_milp, replicas_occupy_even_parts_of_an_instance)
{
    cr_assert_eq(plan_occupied_gpus(1, 8), 1);
    cr_assert_eq(plan_occupied_gpus(3, 8), 4);
    cr_assert_eq(plan_occupied_gpus(6, 8), 8);
    cr_assert_eq(plan_occupied_gpus(8, 4), 8);
    cr_assert_eq(plan_occupied_gpus(9, 8), 16);
    cr_assert_eq(plan_occupied_gpus(2, 1), 2);
}
