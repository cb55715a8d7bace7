#include <math.h>

#include "models/elastic/failures.h"
#include "sim/random.h"
#include "tests/models/settings_support.h"

enum { DRAWS = 100000 };

static struct arena *arena;
static gsl_rng *rng;

static void open_all(void)
{
    arena = arena_create();
    rng = random_stream(1, 0, "test/failures");
}

static void close_all(void)
{
    gsl_rng_free(rng);
    arena_destroy(arena);
}

TestSuite(failures, .init = open_all, .fini = close_all);

SETTINGS_READER(read_failures, struct failure_settings, failure_config_type, failure_check, arena)

static struct failure_settings settings_of(const char *text)
{
    struct failure_settings settings;
    struct error error = {0};
    cr_assert(read_failures(text, &settings, &error), "%s", test_error_text(&error));
    return settings;
}

Test(failures, rates_add_up)
{
    struct failure_settings settings = settings_of("{'gpu_mtbf_h': 800, 'instance_mtbf_h': 300}");
    cr_expect_float_eq(failure_mtbf_s(&settings, 3, 8), 3600 / (0.01 + 0.01), 1e-6);
    settings = settings_of("{'gpu_mtbf_h': 800, 'instance_mtbf_h': null}");
    cr_expect_float_eq(failure_mtbf_s(&settings, 3, 8), 360000, 1e-6);
}

/* 2.9 in 1,000 days of a node of 8 lie between the 2.3 and 6.5 of Meta's research clusters. */
Test(failures, defaults_are_those_of_published_clusters)
{
    struct failure_settings settings = settings_of("{}");
    double in_1000_days = 1000 * 86400 / failure_mtbf_s(&settings, 1, 8);
    cr_expect(in_1000_days > 2.34 && in_1000_days < 6.5, "%g", in_1000_days);
    /* Llama 3: 16,384 GPUs in 2,048 nodes over 54 days; 268 of GPUs and 53 of hosts. */
    double on_llama = 54 * 86400 / failure_mtbf_s(&settings, 2048, 16384);
    cr_expect_float_eq(on_llama, 268 + 53, 1);
}

/* An exponential's standard deviation is its mean, and 1 - 1/e fail by then. */
Test(failures, lives_are_exponential)
{
    struct failure_settings settings = settings_of("{'gpu_mtbf_h': 10, 'instance_mtbf_h': null}");
    double sum = 0, squares = 0, by_mean = 0;
    for (int i = 0; i < DRAWS; i++) {
        double life_h = tick_to_s(failure_draw(&settings, 1, 1, rng)) / 3600;
        sum += life_h;
        squares += life_h * life_h;
        by_mean += life_h <= 10;
    }
    double mean = sum / DRAWS;
    cr_expect_float_eq(mean, 10, 0.1);
    cr_expect_float_eq(sqrt(squares / DRAWS - mean * mean), 10, 0.2);
    cr_expect_float_eq(by_mean / DRAWS, 1 - exp(-1), 0.005);
}

Test(failures, where_nothing_fails)
{
    struct failure_settings settings = settings_of("{'gpu_mtbf_h': null, 'instance_mtbf_h': null}");
    cr_expect_eq(failure_mtbf_s(&settings, 1, 8), INFINITY);
    cr_expect_eq(failure_draw(&settings, 1, 8, rng), TICK_NEVER);
    cr_expect_eq(failure_draw(NULL, 1, 8, rng), TICK_NEVER);
}

Test(failures, detection)
{
    struct failure_settings settings = settings_of("{}");
    for (int i = 0; i < 1000; i++) {
        double detection_s = tick_to_s(failure_draw_detection(&settings, rng));
        cr_expect(detection_s >= 50 && detection_s <= 55);
    }
    settings = settings_of("{'detection': {'kind': 'constant', 's': 3}}");
    cr_expect_eq(failure_draw_detection(&settings, rng), tick_from_s(3));
}

Test(failures, what_is_refused)
{
    struct failure_settings settings;
    struct error error = {0};
    cr_expect_not(read_failures("{'gpu_mtbf_h': 0}", &settings, &error));
    cr_expect_str_eq(error.json_path, "/gpu_mtbf_h");
    error = (struct error){0};
    cr_expect_not(read_failures("{'detection': {'kind': 'uniform', 'min_s': 2, 'max_s': 1}}",
                                &settings, &error));
    cr_expect_str_eq(error.json_path, "/detection/max_s");
}
