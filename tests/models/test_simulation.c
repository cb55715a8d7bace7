/* What holds of a simulation as a whole, whatever the engine does inside. */
#include <criterion/criterion.h>
#include <math.h>

#include "models/fleet/simulation.h"
#include "tests/models/arrivals.h"

static double next_sample_in_7_s(void *context, double time_s, const struct pool_sample *pools,
                                 size_t count)
{
    (void)time_s, (void)pools, (void)count;
    ++*(int *)context;
    return 7;
}

/* Two requests of one iteration of a second each; when it ends, with and without a sampler. */
static double end_s(int *samples)
{
    static const struct arrival arrivals[] = {
        {.time_s = 0, .prompt_tok = 1, .output_tok = 1},
        {.time_s = 15, .prompt_tok = 1, .output_tok = 1},
    };
    static const struct class_rule all = {
        .name = "all", .stream = -1, .prompt_max_tok = UINT32_MAX, .output_max_tok = UINT32_MAX};
    static const struct router_config router = {.policy = {.index = 0}};
    const struct steptime_given given = {.base_s = 1};
    struct steptime *steptime = steptime_compile_given(&given, 1, 16, 64, NULL);
    cr_assert_not_null(steptime);
    struct engine_config engine = {.steptime = steptime,
                                   .max_sequences = 1,
                                   .max_batch_tokens = 16,
                                   .block_tok = 16,
                                   .kv_blocks = 4,
                                   .max_model_tok = 64,
                                   .chunked_prefill = true};
    struct pool_spec pool = {.name = "p", .engine = &engine, .replicas = 1, .weight = 1};
    struct list_source source = LIST_SOURCE(arrivals, 2);
    struct simulation_spec spec = {.source = &source.source,
                                   .pools = &pool,
                                   .pool_count = 1,
                                   .router = &router,
                                   .classes = &all,
                                   .class_count = 1,
                                   .horizon_s = INFINITY,
                                   .sample_interval_s = 7};
    if (samples)
        spec.observer =
            (struct simulation_observer){.context = samples, .sample = next_sample_in_7_s};
    struct simulation_result result;
    cr_assert(simulation_run(&spec, &result, NULL));
    double time_s = result.end_s;
    simulation_result_free(&result);
    steptime_destroy(steptime);
    return time_s;
}

Test(simulation, ends_with_its_last_request_watched_or_not)
{
    int samples = 0;
    double unwatched_s = end_s(NULL), watched_s = end_s(&samples);
    cr_assert_float_eq(unwatched_s, 16, 1e-9);
    cr_assert_float_eq(watched_s, 16, 1e-9);
    cr_assert_eq(samples, 3); /* at 7 and 14 s, and when it ends */
}
