#include <criterion/criterion.h>
#include <math.h>

#include "models/money/break_even.h"
#include "sim/random.h"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1, fabs(b));
}

/* A node costs 730 a month and serves 730 million tokens in one, so a dollar a million. */
static struct self_hosting plain(void)
{
    return (struct self_hosting){
        .usd_per_node_hour = 1, .tok_per_s = 1e6 / 3600, .max_utilisation = 1};
}

static const double M = 1e6;

Test(break_even, of_one_node_is_rent_over_price)
{
    struct arena *arena = arena_create();
    struct self_hosting host = plain();
    struct break_even found = break_even_find(&host, 10 / M, arena);
    cr_assert(near(found.self_usd_per_tok * M, 1));
    cr_assert(near(found.naive_tok, 73 * M));
    cr_assert_eq(found.count, 1);
    cr_assert(near(found.crossings[0].tok_per_month, 73 * M));
    cr_assert(near(found.crossings[0].usd_per_month, 730));
    cr_assert(near(found.crossings[0].nodes, 1));
    cr_assert(found.crossings[0].to_self_hosting);
    cr_assert(near(found.always_tok, 73 * M));
    arena_destroy(arena);
}

/* At 1.5 dollars a million, one node wins from 486.7 to 730 million tokens, two from 973.3 on;
 * where the third comes in, at 1460, both cost 2190 dollars, and that is no crossing. */
Test(break_even, the_api_is_cheaper_again_just_above_a_step)
{
    struct arena *arena = arena_create();
    struct self_hosting host = plain();
    struct break_even found = break_even_find(&host, 1.5 / M, arena);
    static const double tok[] = {730 / 1.5, 730, 2 * 730 / 1.5};
    cr_assert_eq(found.count, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(near(found.crossings[i].tok_per_month, tok[i] * M));
        cr_assert_eq(found.crossings[i].to_self_hosting, i % 2 == 0);
    }
    cr_assert(near(found.crossings[1].nodes, 2));
    cr_assert_not(found.more);
    arena_destroy(arena);
}

Test(break_even, never_where_full_nodes_cost_what_the_api_does)
{
    struct arena *arena = arena_create();
    struct self_hosting host = plain();
    struct break_even found = break_even_find(&host, 1 / M, arena);
    cr_assert_eq(found.count, 0);
    cr_assert_eq(found.always_tok, INFINITY);
    host.max_utilisation = 0.5;
    found = break_even_find(&host, 1.99 / M, arena);
    cr_assert_eq(found.count, 0);
    cr_assert(near(found.self_usd_per_tok * M, 2));
    arena_destroy(arena);
}

/* The usual answer is 73 million tokens. One to stand by doubles it; a peak of three times the
 * mean, at 60 % utilisation, makes it take 146 / 730 of what five such fleets can serve. */
Test(break_even, spare_nodes_peaks_and_utilisation_move_it)
{
    struct arena *arena = arena_create();
    struct self_hosting host = plain();
    host.spare_nodes = 1;
    struct break_even found = break_even_find(&host, 10 / M, arena);
    cr_assert(near(found.crossings[0].tok_per_month, 146 * M));
    host.max_utilisation = 0.6;
    const struct demand_step steps[] = {{1, 3}, {2, 0}};
    host.load = load_duration_create(steps, 2, arena, NULL);
    found = break_even_find(&host, 10 / M, arena);
    /* A node serves 730 * 0.6 / 3 = 146 million: full at its break-even, and the next one not. */
    cr_assert(near(found.self_usd_per_tok * M, 5));
    cr_assert(near(self_hosting_nodes(&host, 146 * M), 2));
    cr_assert(near(self_hosting_nodes(&host, 147 * M), 3));
    cr_assert(near(found.crossings[0].tok_per_month, 219 * M));
    arena_destroy(arena);
}

Test(break_even, the_idle_floor_and_fixed_costs_are_paid_from_the_first_token)
{
    struct arena *arena = arena_create();
    struct self_hosting host = plain();
    host.min_nodes = 3;
    host.usd_per_month = 1000;
    cr_assert(near(self_hosting_usd(&host, 0), 3 * 730 + 1000));
    struct break_even found = break_even_find(&host, 10 / M, arena);
    cr_assert(near(found.crossings[0].tok_per_month, 319 * M));
    cr_assert(near(found.crossings[0].nodes, 3));
    arena_destroy(arena);
}

/* Eight hours at twice the mean of the day need two nodes, the other sixteen (half the mean) one.
 */
Test(break_even, a_fleet_that_follows_its_load_pays_by_the_hour)
{
    struct arena *arena = arena_create();
    const struct demand_step steps[] = {{8, 20}, {16, 5}};
    struct self_hosting host = plain();
    host.load = load_duration_create(steps, 2, arena, NULL);
    cr_assert(near(self_hosting_nodes(&host, 730 * M), 2));
    host.follows_load = true;
    cr_assert(near(self_hosting_nodes(&host, 730 * M), 4 / 3.0));
    cr_assert(near(break_even_find(&host, 10 / M, arena).self_usd_per_tok * M, 1));
    host.follows_load = false;
    cr_assert(near(break_even_find(&host, 10 / M, arena).self_usd_per_tok * M, 2));
    arena_destroy(arena);
}

/* --- against looking everywhere --- */

static bool self_hosting_wins(const struct break_even *found, double tok)
{
    bool wins = false;
    for (size_t i = 0; i < found->count && found->crossings[i].tok_per_month < tok; i++)
        wins = found->crossings[i].to_self_hosting;
    return wins;
}

static void look_everywhere(const struct self_hosting *host, double api_usd, gsl_rng *rng,
                            const struct break_even *found)
{
    double far = 1.2 * (isfinite(found->always_tok) ? found->always_tok : 1e10);
    for (int i = 0; i < 2000; i++) {
        double tok = far * gsl_rng_uniform(rng);
        bool wins = self_hosting_usd(host, tok) < tok * api_usd;
        cr_assert_eq(self_hosting_wins(found, tok), wins, "at %.17g tokens", tok);
    }
}

Test(break_even, agrees_with_looking_everywhere)
{
    gsl_rng *rng = random_stream(1, 0, "test/break-even");
    size_t crossings = 0;
    for (int draw = 0; draw < 200; draw++) {
        struct arena *arena = arena_create();
        struct demand_step steps[5];
        for (int i = 0; i < 5; i++)
            steps[i] = (struct demand_step){1 + gsl_rng_uniform(rng), gsl_rng_uniform(rng)};
        struct self_hosting host = {.usd_per_node_hour = 1 + gsl_rng_uniform(rng),
                                    .tok_per_s = 100 + 1000 * gsl_rng_uniform(rng),
                                    .max_utilisation = 0.2 + 0.7 * gsl_rng_uniform(rng),
                                    .spare_nodes = (double)gsl_rng_uniform_int(rng, 3),
                                    .min_nodes = (double)gsl_rng_uniform_int(rng, 3),
                                    .usd_per_month = 500 * gsl_rng_uniform(rng),
                                    .load = load_duration_create(steps, 5, arena, NULL),
                                    .follows_load = gsl_rng_uniform_int(rng, 2) == 1};
        cr_assert(self_hosting_check(&host, NULL));
        double least_usd = break_even_find(&host, 1, arena).self_usd_per_tok;
        double api_usd = least_usd * (1.02 + gsl_rng_uniform(rng));
        struct break_even found = break_even_find(&host, api_usd, arena);
        look_everywhere(&host, api_usd, rng, &found);
        for (size_t i = 0; i < found.count; i++)
            cr_assert_eq(found.crossings[i].to_self_hosting, i % 2 == 0);
        crossings += found.count;
        arena_destroy(arena);
    }
    cr_assert_gt(crossings, 1000, "only %zu: the test looks at little", crossings);
    gsl_rng_free(rng);
}

Test(break_even, ends_where_self_hosting_wins_by_next_to_nothing)
{
    struct arena *arena = arena_create();
    struct self_hosting host = plain();
    struct break_even found = break_even_find(&host, 1.000001 / M, arena);
    cr_assert(found.more);
    cr_assert_gt(found.always_tok, 1e14);
    arena_destroy(arena);
}

/* --- prices and checks --- */

Test(break_even, an_api_charges_input_cached_and_output_apart)
{
    const struct api_prices prices = {.input_usd = 3, .cached_usd = 0.3, .output_usd = 15};
    const struct token_mix mix = {.input = 0.8, .cached = 0.5, .output = 0.2};
    cr_assert(token_mix_check(&mix, NULL));
    cr_assert(near(api_usd_per_tok(&prices, &mix) * M, 0.3 * 3 + 0.5 * 0.3 + 0.2 * 15));
    cr_assert_not(token_mix_check(&(struct token_mix){0.8, 0.9, 0.2}, NULL));
    cr_assert_not(token_mix_check(&(struct token_mix){0.8, 0.1, 0.3}, NULL));
    cr_assert_not(token_mix_check(&(struct token_mix){1.1, 0, -0.1}, NULL));
}

Test(break_even, refuses_what_cannot_be)
{
    struct self_hosting wrong[6];
    for (int i = 0; i < 6; i++)
        wrong[i] = plain();
    cr_assert(self_hosting_check(&wrong[0], NULL));
    wrong[0].usd_per_node_hour = 0;
    wrong[1].tok_per_s = -1;
    wrong[2].max_utilisation = 1.1;
    wrong[3].spare_nodes = -1;
    wrong[4].min_nodes = INFINITY;
    wrong[5].usd_per_month = NAN;
    for (int i = 0; i < 6; i++) {
        struct error error = {0};
        cr_assert_not(self_hosting_check(&wrong[i], &error), "number %d", i);
        cr_assert_eq(error.code, ERROR_BAD_INPUT);
    }
}
