#include "workloads/lifetimes.h"

#include <gsl/gsl_randist.h>
#include <math.h>

#include "sim/random.h"
#include "tests/support.h"

static struct arena *arena;
static struct lifetimes lifetimes;
static struct error error;

static void begin(void)
{
    arena = arena_create();
}

static void end(void)
{
    arena_destroy(arena);
}

TestSuite(lifetimes, .init = begin, .fini = end);

#define HEADER "zone,gpu,gpus,last_seen_alive_s,end_observed_s,terminated\n"

static bool read_text(const char *text, struct lifetimes_options options)
{
    char path[128];
    test_write_file("lifetimes.csv", text, strlen(text), path, sizeof path);
    options.path = path;
    error = (struct error){0};
    return lifetimes_read(&options, arena, &lifetimes, &error);
}

static const struct lifetimes_options any = {.gpus = INT64_MIN, .max_lifetime_s = INFINITY};

Test(lifetimes, survivors_and_those_that_reached_the_limit_are_censored)
{
    const char *text = HEADER "a,v100,1,100,200,1\na,v100,1,300,400,0\na,v100,8,5000,5900,1\n";
    cr_assert(read_text(text, any), "%s", test_error_text(&error));
    cr_expect_eq(lifetimes.count, 3);
    cr_expect_eq(lifetimes.ended, 2);
    cr_expect_eq(lifetimes.items[0].alive_s, 100);
    cr_expect_eq(lifetimes.items[0].ended_s, 200);
    cr_expect_eq(lifetimes.items[1].alive_s, 300);
    cr_expect(isinf(lifetimes.items[1].ended_s));
    struct lifetimes_options limited = any;
    limited.max_lifetime_s = 5400;
    cr_assert(read_text(text, limited));
    cr_expect_eq(lifetimes.ended, 1);
    cr_expect_eq(lifetimes.items[2].alive_s, 5000);
    cr_expect(isinf(lifetimes.items[2].ended_s));
}

Test(lifetimes, instances_are_chosen_by_what_they_are)
{
    const char *text = HEADER "a,v100,1,100,200,1\nb,v100,8,300,400,1\nb,k80,8,5,9,1\n";
    struct lifetimes_options options = any;
    options.zone = "b";
    cr_assert(read_text(text, options));
    cr_expect_eq(lifetimes.count, 2);
    options.gpu = "k80";
    options.gpus = 8;
    cr_assert(read_text(text, options));
    cr_expect_eq(lifetimes.count, 1);
    cr_expect_eq(lifetimes.items[0].ended_s, 9);
    options.gpus = 1;
    cr_assert_not(read_text(text, options));
    cr_expect(strstr(error.message, "none of its 3"), "%s", test_error_text(&error));
}

Test(lifetimes, an_end_before_the_last_sign_of_life_is_refused)
{
    cr_assert_not(read_text(HEADER "a,v100,1,100,200,1\na,v100,1,100,90,1\n", any));
    cr_expect_eq(error.line, 3);
    cr_assert_not(read_text(HEADER "a,v100,1,-100,200,1\n", any));
    cr_expect_eq(error.line, 2);
}

/* Lives drawn from a law, polled every so often, and cut off at an age. */
static void draw_lives(double shape, double scale_s, double poll_s, double cut_s, size_t count)
{
    gsl_rng *rng = random_stream(1, 0, "test/lifetimes");
    lifetimes =
        (struct lifetimes){.items = ARENA_ARRAY(arena, count, struct lifetime), .count = count};
    for (size_t i = 0; i < count; i++) {
        double life_s = gsl_ran_weibull(rng, scale_s, shape);
        double alive_s = floor(fmin(life_s, cut_s) / poll_s) * poll_s;
        bool ended = life_s < cut_s;
        lifetimes.items[i] = (struct lifetime){alive_s, ended ? alive_s + poll_s : INFINITY};
        lifetimes.ended += ended;
    }
    gsl_rng_free(rng);
}

Test(lifetimes, the_law_that_lives_were_drawn_from_is_found)
{
    struct lifetime_fit fit;
    draw_lives(1, 3600, 900, 7200, 20000);
    cr_assert(lifetimes_fit(LIFETIME_EXPONENTIAL, &lifetimes, &fit));
    cr_expect_eq(fit.shape, 1);
    cr_expect_float_eq(fit.scale_s, 3600, 3 * 3600 / sqrt(20000) * 1.2);
    draw_lives(0.6, 3600, 900, 7200, 20000);
    cr_assert(lifetimes_fit(LIFETIME_WEIBULL, &lifetimes, &fit));
    cr_expect_float_eq(fit.shape, 0.6, 0.03);
    cr_expect_float_eq(fit.scale_s, 3600, 150);
}

/* With one poll, a share p of ends in it: ln(1 - p) = -poll / scale. */
Test(lifetimes, one_interval_has_a_closed_form)
{
    struct lifetime seen[] = {{0, 900}, {0, 900}, {0, 900}, {900, INFINITY}};
    struct lifetime_fit fit;
    lifetimes = (struct lifetimes){seen, 4, 3};
    cr_assert(lifetimes_fit(LIFETIME_EXPONENTIAL, &lifetimes, &fit));
    cr_expect_float_eq(fit.scale_s, 900 / log(4), 0.01);
    cr_expect_float_eq(fit.log_likelihood, 3 * log(0.75) + log(0.25), 1e-9);
}

Test(lifetimes, no_law_is_made_of_nothing)
{
    struct lifetime alive[] = {{900, INFINITY}, {1800, INFINITY}};
    struct lifetime alike[] = {{900, 1800}, {900, 1800}};
    struct lifetime_fit fit;
    lifetimes = (struct lifetimes){alive, 2, 0};
    cr_expect_not(lifetimes_fit(LIFETIME_EXPONENTIAL, &lifetimes, &fit));
    lifetimes = (struct lifetimes){alike, 2, 2};
    cr_expect_not(lifetimes_fit(LIFETIME_WEIBULL, &lifetimes, &fit));
    struct lifetime at_once[] = {{0, 900}, {0, 600}}, one_poll[] = {{0, 900}, {900, INFINITY}};
    lifetimes = (struct lifetimes){at_once, 2, 2};
    cr_expect_not(lifetimes_fit(LIFETIME_EXPONENTIAL, &lifetimes, &fit));
    lifetimes = (struct lifetimes){one_poll, 2, 1};
    cr_expect(lifetimes_fit(LIFETIME_EXPONENTIAL, &lifetimes, &fit));
    cr_expect_not(lifetimes_fit(LIFETIME_WEIBULL, &lifetimes, &fit));
}

/* 64 of 66 ended, polled every 15 minutes. The estimates are those of scipy 1.x, which minimised
 * the same likelihood by another program: hazards fall with age. */
Test(lifetimes, gcps_v100_of_2020)
{
    char path[512];
    if (!test_data_path("traces/spot/gpu_spot_lifetimes_2020-03.csv", path, sizeof path))
        cr_skip_test("no shared data");
    struct lifetimes_options options = {
        .path = path, .cloud = "gcp", .gpu = "v100", .gpus = 1, .max_lifetime_s = 86400};
    struct lifetime_fit exponential, weibull;
    cr_assert(lifetimes_read(&options, arena, &lifetimes, &error), "%s", test_error_text(&error));
    cr_expect_eq(lifetimes.count, 66);
    cr_assert(lifetimes_fit(LIFETIME_EXPONENTIAL, &lifetimes, &exponential));
    cr_assert(lifetimes_fit(LIFETIME_WEIBULL, &lifetimes, &weibull));
    cr_expect_eq(lifetimes.ended, 63); /* and one more at GCP's 24 hours */
    cr_expect_float_eq(exponential.scale_s, 6581.544, 0.1);
    cr_expect_float_eq(exponential.log_likelihood, -203.131749, 1e-5);
    cr_expect_float_eq(weibull.shape, 0.408193, 1e-5);
    cr_expect_float_eq(weibull.scale_s, 1880.400, 0.1);
    cr_expect_float_eq(weibull.log_likelihood, -143.484983, 1e-5);
}
