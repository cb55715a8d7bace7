/* What stages take by default, what settings change, and what must always hold of loading weights.
 */
#include <math.h>
#include <stdlib.h>

#include "models/elastic/duration.h"
#include "models/elastic/start_up.h"
#include "sim/random.h"
#include "tests/models/settings_support.h"
#include "tests/models/support.h"

enum { DRAWS = 4001, SOURCES = WEIGHTS_HOST_MEMORY + 1 };

static struct arena *arena;
static gsl_rng *rng;

static void open_all(void)
{
    arena = arena_create();
    rng = random_stream(1, 0, "test/start_up");
}

static void close_all(void)
{
    gsl_rng_free(rng);
    arena_destroy(arena);
}

TestSuite(start_up, .init = open_all, .fini = close_all);

SETTINGS_READER(read_start_up, struct start_up_settings, start_up_config_type, start_up_check,
                arena)

static struct start_up_settings settings_of(const char *text)
{
    struct start_up_settings settings;
    struct error error = {0};
    cr_assert(read_start_up(text, &settings, &error), "%s", test_error_text(&error));
    return settings;
}

/* 8B in BF16 on one GPU of a small instance at AWS. */
static struct start_up_context usual_context(void)
{
    return (struct start_up_context){.provider = "AWS",
                                     .gpu = shipped_gpu(arena, "A10G"),
                                     .weight_bytes = 16e9,
                                     .gpus_per_replica = 1,
                                     .replicas_per_node = 1,
                                     .instances_per_node = 1,
                                     .purchase = PURCHASE_ON_DEMAND};
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double ready_s(const struct start_up_settings *settings,
                      const struct start_up_context *context)
{
    struct node_stages node = start_up_draw_node(settings, context, rng);
    struct replica_stages replica = start_up_draw_replica(settings, context, 1, rng);
    return tick_to_s(node.answer + node.provision + node.boot + node.image + replica.weights +
                     replica.warm_up);
}

/* Of the whole way from the request to ready. */
static double median_s(const char *text, const struct start_up_context *context)
{
    struct start_up_settings settings = settings_of(text);
    static double draws[DRAWS];
    for (int i = 0; i < DRAWS; i++)
        draws[i] = ready_s(&settings, context);
    qsort(draws, DRAWS, sizeof *draws, by_value);
    return draws[DRAWS / 2];
}

Test(start_up, instant_takes_no_time_at_all)
{
    struct start_up_context context = usual_context();
    struct start_up_settings settings = settings_of("{'kind': 'instant'}");
    for (int i = 0; i < 100; i++)
        cr_expect_eq(ready_s(&settings, &context), 0);
    cr_expect_eq(start_up_draw_node(&settings, &context, rng).shut_down, 0);
    cr_expect(start_up_draw_node(&settings, &context, rng).granted);
    cr_expect_eq(start_up_drain_limit(&settings), TICK_NEVER);
}

/* SkyServe measured 183 s for a 7B endpoint at AWS; 60 to 600 s are what cold starts are said to
 * take. */
Test(start_up, defaults_are_near_what_was_published)
{
    struct start_up_context context = usual_context();
    double cloud_s = median_s("{}", &context);
    cr_expect_float_eq(cloud_s, 183, 0.1 * 183, "%g", cloud_s);
    double warm_s = median_s("{'kind': 'warm_pool'}", &context);
    double kubernetes_s = median_s("{'kind': 'kubernetes'}", &context);
    cr_expect(warm_s > 60 && warm_s < cloud_s, "%g", warm_s);
    cr_expect(kubernetes_s > 300 && kubernetes_s < 600, "%g", kubernetes_s);
}

/* vLLM measured 205 s between start and ready for Llama 70B in FP8 on 8 GPUs, 10 s of them loading
 * from memory. */
Test(start_up, warm_up_grows_with_the_model_and_its_gpus)
{
    struct start_up_settings settings = settings_of("{}");
    struct start_up_context context = usual_context();
    const double bytes[] = {2.5e9, 16e9, 70e9, 810e9};
    const int64_t gpus[] = {1, 1, 8, 16};
    double before_s = 0;
    for (size_t i = 0; i < 4; i++) {
        context.weight_bytes = bytes[i];
        context.gpus_per_replica = gpus[i];
        double sum_s = 0;
        for (int k = 0; k < 1000; k++)
            sum_s += tick_to_s(start_up_draw_replica(&settings, &context, 1, rng).warm_up) / 1000;
        cr_expect_gt(sum_s, before_s);
        if (gpus[i] == 8)
            cr_expect_float_eq(sum_s, 205, 0.15 * 205, "%g", sum_s);
        before_s = sum_s;
    }
}

Test(start_up, providers_and_big_instances_differ)
{
    struct start_up_context context = usual_context();
    double aws_s = median_s("{}", &context);
    context.provider = "azure";
    double azure_s = median_s("{}", &context);
    context.provider = "Somebody";
    double other_s = median_s("{}", &context);
    context.provider = NULL;
    double unknown_s = median_s("{}", &context);
    cr_expect_gt(azure_s, aws_s + 30);
    cr_expect_gt(other_s, aws_s + 30);
    cr_expect_float_eq(unknown_s, other_s, 0.1 * other_s);
    context.provider = "AWS";
    context.replicas_per_node = 8;
    cr_expect_gt(median_s("{}", &context), aws_s + 30);
}

Test(start_up, every_stage_can_be_set)
{
    struct start_up_context context = usual_context();
    struct start_up_settings settings =
        settings_of("{'kind': 'kubernetes', 'answer': {'kind': 'constant', 's': 1},"
                    "'provision': {'kind': 'constant', 's': 2},"
                    "'boot': {'kind': 'constant', 's': 4}, 'pull': {'kind': 'constant', 's': 8},"
                    "'load': {'kind': 'constant', 's': 16},"
                    "'warm_up': {'kind': 'constant', 's': 32},"
                    "'shut_down': {'kind': 'constant', 's': 64}, 'drain_limit_s': 128}");
    struct node_stages node = start_up_draw_node(&settings, &context, rng);
    struct replica_stages replica = start_up_draw_replica(&settings, &context, 3, rng);
    cr_expect_eq(node.answer, tick_from_s(1));
    cr_expect_eq(node.provision, tick_from_s(2));
    cr_expect_eq(node.boot, tick_from_s(4));
    cr_expect_eq(node.image, tick_from_s(8));
    cr_expect_eq(replica.weights, tick_from_s(16));
    cr_expect_eq(replica.warm_up, tick_from_s(32));
    cr_expect_eq(node.shut_down, tick_from_s(64));
    cr_expect_eq(start_up_drain_limit(&settings), tick_from_s(128));
}

Test(start_up, an_image_is_pulled_at_the_registrys_rate_unless_it_is_there)
{
    struct start_up_context context = usual_context();
    struct start_up_settings settings =
        settings_of("{'kind': 'instant', 'image': {'gb': 12, 'registry_gb_s': 0.1, 'spread': 1}}");
    cr_expect_eq(start_up_draw_node(&settings, &context, rng).image, tick_from_s(120));
    settings = settings_of("{'kind': 'kubernetes', 'image': {'cached': true}}");
    cr_expect_eq(start_up_draw_node(&settings, &context, rng).image, 0);
}

Test(start_up, drain_limits)
{
    struct start_up_settings cloud = settings_of("{}");
    struct start_up_settings kubernetes = settings_of("{'kind': 'kubernetes'}");
    cr_expect_eq(start_up_drain_limit(&cloud), tick_from_s(300));
    cr_expect_eq(start_up_drain_limit(&kubernetes), tick_from_s(30));
}

static double granted_share(const struct start_up_settings *settings,
                            const struct start_up_context *context)
{
    double granted = 0;
    for (int i = 0; i < DRAWS; i++) {
        struct node_stages node = start_up_draw_node(settings, context, rng);
        granted += node.granted;
        if (!node.granted)
            cr_expect(node.provision == 0 && node.boot == 0 && node.image == 0);
        cr_expect_gt(node.answer, 0);
    }
    return granted / DRAWS;
}

Test(start_up, requests_are_refused_by_how_they_are_bought)
{
    struct start_up_settings settings =
        settings_of("{'refused_on_demand': 0.1, 'refused_spot': 0.4}");
    struct start_up_context context = usual_context();
    cr_expect_float_eq(granted_share(&settings, &context), 0.9, 0.02);
    context.purchase = PURCHASE_SPOT;
    cr_expect_float_eq(granted_share(&settings, &context), 0.6, 0.03);
    context.gpus_per_replica = 16;
    context.instances_per_node = 2;
    cr_expect_float_eq(granted_share(&settings, &context), 0.36, 0.03);
    context.purchase = PURCHASE_CAPACITY_BLOCK;
    cr_expect_eq(granted_share(&settings, &context), 1);
}

static struct start_up_weights source_of(int source)
{
    return (struct start_up_weights){source, NAN, NAN, INT64_MIN, 1};
}

/* 16 streams of 0.1 GB/s: 1.6, but an A10G's share of its network is 1.56. The disk has one reader
 * of 0.33. An A10G has PCIe 4.0 with 32 GB/s, of which 80 % are reached. */
Test(start_up, rates_by_hand)
{
    struct start_up_context context = usual_context();
    const double gb_s[SOURCES] = {[WEIGHTS_OBJECT_STORE] = 1.56,
                                  [WEIGHTS_NETWORK_DISK] = 0.33,
                                  [WEIGHTS_LOCAL_DISK] = 0.9,
                                  [WEIGHTS_PEER] = 1.56,
                                  [WEIGHTS_HOST_MEMORY] = 25.6};
    for (int source = 0; source < SOURCES; source++) {
        struct start_up_weights weights = source_of(source);
        cr_expect_float_eq(start_up_weights_gb_s(&weights, &context, 1), gb_s[source], 1e-9);
    }
    struct start_up_weights disk = source_of(WEIGHTS_NETWORK_DISK);
    disk.streams = 16; /* now it is the volume that limits */
    cr_expect_float_eq(start_up_weights_gb_s(&disk, &context, 1), 1, 1e-9);
    disk.gb_s = 2;
    cr_expect_float_eq(start_up_weights_gb_s(&disk, &context, 4), 0.5, 1e-9);
    disk.stream_gb_s = 0.01;
    cr_expect_float_eq(start_up_weights_gb_s(&disk, &context, 4), 0.16, 1e-9);
    context.gpus_per_replica = 4; /* with a reader each */
    struct start_up_weights nvme = source_of(WEIGHTS_LOCAL_DISK);
    cr_expect_float_eq(start_up_weights_gb_s(&nvme, &context, 1), 3.6, 1e-9);
}

/* 16 GB at 0.33 GB/s: Run:ai measured 48 s with vLLM's loader, and 14.3 s with 16 readers. */
Test(start_up, loading_takes_bytes_over_rate)
{
    struct start_up_context context = usual_context();
    struct start_up_settings settings =
        settings_of("{'weights': {'source': 'network_disk', 'spread': 1}}");
    struct replica_stages replica = start_up_draw_replica(&settings, &context, 1, rng);
    cr_expect_float_eq(tick_to_s(replica.weights), 16 / 0.33, 1e-9);
    settings = settings_of("{'weights': {'source': 'network_disk', 'streams': 16, 'spread': 1}}");
    replica = start_up_draw_replica(&settings, &context, 1, rng);
    cr_expect_float_eq(tick_to_s(replica.weights), 16, 1e-9);
}

static struct start_up_weights draw_weights(void)
{
    struct start_up_weights weights = source_of((int)gsl_rng_uniform_int(rng, SOURCES));
    if (gsl_rng_uniform(rng) < 0.5)
        weights.gb_s = exp(6 * gsl_rng_uniform(rng) - 3);
    if (gsl_rng_uniform(rng) < 0.5)
        weights.stream_gb_s = exp(6 * gsl_rng_uniform(rng) - 5);
    weights.streams = 1 + (int64_t)gsl_rng_uniform_int(rng, 64);
    return weights;
}

static struct start_up_context draw_context(const struct hardware *hardware,
                                            const struct start_up_context *usual)
{
    struct start_up_context context = *usual;
    context.gpu = &hardware->gpus[gsl_rng_uniform_int(rng, hardware->gpu_count)];
    context.gpus_per_replica = 1 << gsl_rng_uniform_int(rng, 4);
    context.replicas_per_node = 1 + (int64_t)gsl_rng_uniform_int(rng, 8);
    return context;
}

/* Over all GPUs of the catalogue: always some rate; never slower with more streams, a faster source
 * or a larger group of instances; never faster when more load at once. */
Test(start_up, rates_are_monotone)
{
    const struct hardware *hardware = shipped_hardware(arena);
    const struct start_up_context usual = usual_context();
    for (int i = 0; i < 5000; i++) {
        struct start_up_weights weights = draw_weights(), more = weights;
        struct start_up_context context = draw_context(hardware, &usual);
        double gb_s = start_up_weights_gb_s(&weights, &context, 2);
        cr_assert(gb_s > 0 && isfinite(gb_s), "%s: %g", context.gpu->name, gb_s);
        more.streams *= 2;
        cr_expect_geq(start_up_weights_gb_s(&more, &context, 2), gb_s);
        more.gb_s *= 2;
        cr_expect_geq(start_up_weights_gb_s(&more, &context, 2), gb_s);
        more.stream_gb_s *= 2;
        cr_expect_geq(start_up_weights_gb_s(&more, &context, 2), gb_s);
        cr_expect_geq(start_up_weights_gb_s(&weights, &context, 1), gb_s);
        cr_expect_leq(start_up_weights_gb_s(&weights, &context, 3), gb_s);
    }
}

Test(start_up, more_bytes_never_load_faster)
{
    struct start_up_settings settings = settings_of("{}");
    struct start_up_context context = usual_context(), larger = context;
    larger.weight_bytes *= 1.5;
    for (int i = 0; i < 1000; i++) {
        gsl_rng *twin = gsl_rng_clone(rng);
        struct replica_stages small = start_up_draw_replica(&settings, &context, 1, rng);
        struct replica_stages large = start_up_draw_replica(&settings, &larger, 1, twin);
        cr_expect_gt(large.weights, small.weights);
        cr_expect_gt(large.warm_up, small.warm_up);
        gsl_rng_free(twin);
    }
}

/* Two instances load halves side by side, over links of their own. */
Test(start_up, a_group_of_instances_loads_side_by_side_and_waits_for_the_slowest)
{
    struct start_up_context one = usual_context();
    one.gpus_per_replica = 8;
    struct start_up_context two = one;
    two.gpus_per_replica = 16;
    two.instances_per_node = 2;
    struct start_up_weights weights = source_of(WEIGHTS_OBJECT_STORE);
    cr_expect_float_eq(start_up_weights_gb_s(&weights, &two, 1),
                       2 * start_up_weights_gb_s(&weights, &one, 1), 1e-9);
    double one_s = 0, two_s = 0;
    struct start_up_settings settings = settings_of("{}");
    for (int i = 0; i < DRAWS; i++) {
        one_s += tick_to_s(start_up_draw_node(&settings, &one, rng).boot) / DRAWS;
        two_s += tick_to_s(start_up_draw_node(&settings, &two, rng).boot) / DRAWS;
    }
    cr_expect_gt(two_s, 1.1 * one_s);
}

Test(start_up, the_same_stream_gives_the_same_times)
{
    struct start_up_settings settings = settings_of("{'kind': 'kubernetes', 'refused_spot': 0.5}");
    struct start_up_context context = usual_context();
    double first_s[100];
    for (int i = 0; i < 100; i++)
        first_s[i] = ready_s(&settings, &context);
    gsl_rng_free(rng);
    rng = random_stream(1, 0, "test/start_up");
    for (int i = 0; i < 100; i++)
        cr_assert_eq(ready_s(&settings, &context), first_s[i]);
}

Test(start_up, what_is_refused)
{
    const char *wrong[][2] = {
        {"{'kind': 'lukewarm'}", "/kind"},
        {"{'boot': {'kind': 'uniform', 'min_s': 2, 'max_s': 1}}", "/boot/max_s"},
        {"{'load': {'kind': 'lognormal', 'median_s': 2, 'p95_s': 1}}", "/load/p95_s"},
        {"{'refused_spot': 1.5}", "/refused_spot"},
        {"{'weights': {'source': 'floppy'}}", "/weights/source"},
        {"{'weights': {'source': 'peer', 'gb_s': 0}}", "/weights/gb_s"},
        {"{'weights': {'source': 'local_disk', 'streams': 0}}", "/weights/streams"},
        {"{'image': {'gb': -1}}", "/image/gb"},
        {"{'drain_limit_s': -1}", "/drain_limit_s"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct start_up_settings settings;
        struct error error = {0};
        cr_assert_not(read_start_up(wrong[i][0], &settings, &error), "%s", wrong[i][0]);
        cr_expect_str_eq(error.json_path, wrong[i][1]);
    }
}
