/* The event loop: what arrives when, when a simulation ends, and what stops it. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/fleet/simulation.h"
#include "sim/random.h"
#include "tests/models/arrivals.h"
#include "tests/models/support.h"

enum { RECORDS_MAX = 64 };

/* One pool of identical replicas; an iteration takes 10 ms unless told otherwise. */
struct world {
    struct steptime_given time;
    bool gpu_time; /* engine.steptime is set; time is not used */
    struct engine_config engine;
    uint32_t replicas;
    struct simulation_spec spec;
    struct request_record records[RECORDS_MAX];
    uint32_t ended;
    uint32_t samples, proceeds, proceeds_allowed;
    double sample_every_s;
    struct simulation_result result;
    struct error error;
};

static void keep(void *context, const struct request_record *record)
{
    struct world *world = context;
    if (world->ended < RECORDS_MAX)
        world->records[world->ended] = *record;
    world->ended++;
}

static double count_sample(void *context, double time_s, const struct pool_sample *pools,
                           size_t count)
{
    (void)time_s, (void)pools, (void)count;
    struct world *world = context;
    world->samples++;
    return world->sample_every_s;
}

static bool count_proceed(void *context, double time_s, uint64_t completed)
{
    (void)time_s, (void)completed;
    struct world *world = context;
    return world->proceeds++ < world->proceeds_allowed;
}

static struct world make_world(void)
{
    return (struct world){.time = {.base_s = 0.01},
                          .engine = {.max_sequences = 8,
                                     .max_batch_tokens = 1000,
                                     .block_tok = 16,
                                     .kv_blocks = 1000,
                                     .max_model_tok = 1000,
                                     .chunked_prefill = true},
                          .replicas = 1,
                          .spec = {.horizon_s = INFINITY}};
}

static bool simulate(struct world *world, struct source *source)
{
    static const struct class_rule all = CLASS_RULE_ALL("all");
    static const struct router_config router = {.policy = {.index = 0}};
    const struct engine_config *engine = &world->engine;
    struct steptime *given =
        steptime_compile_given(&world->time, engine->max_sequences, engine->max_batch_tokens,
                               engine->kv_blocks * engine->block_tok, NULL);
    cr_assert_not_null(given);
    if (!world->gpu_time)
        world->engine.steptime = given;
    struct pool_spec pool = {
        .name = "p", .engine = engine, .replicas = world->replicas, .weight = 1};
    world->spec.source = source;
    world->spec.pools = &pool;
    world->spec.pool_count = 1;
    world->spec.router = &router;
    world->spec.classes = &all;
    world->spec.class_count = 1;
    world->spec.observer.context = world;
    world->spec.observer.request = keep;
    bool done = simulation_run(&world->spec, &world->result, &world->error);
    steptime_destroy(given);
    return done;
}

static const struct arrival ten_tokens[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 10}};

static uint32_t short_length(uint32_t number)
{
    (void)number;
    return 4 << 16 | 3;
}

static uint32_t too_long_length(uint32_t number)
{
    (void)number;
    return 2000 << 16 | 3;
}

/* All are ready at once, again and again: each round is one batch. */
Test(simulation, clients_that_are_ready_together_arrive_together)
{
    struct world world = make_world();
    struct loop_source loop = LOOP_SOURCE(4, 12, short_length);
    cr_assert(simulate(&world, &loop.source));
    cr_assert_eq(world.ended, 12);
    for (uint32_t i = 0; i < world.ended; i++)
        cr_assert_float_eq(world.records[i].ttft_s, 0.01, 1e-9, "request %u waited %g s", i,
                           world.records[i].ttft_s - 0.01);
    cr_assert_eq(world.result.iterations, 9);
    simulation_result_free(&world.result);
}

/* A client that can never be served must not keep the clock from going on. */
Test(simulation, a_refused_client_waits_before_it_comes_back, .timeout = 60)
{
    struct world world = make_world();
    world.spec.horizon_s = 10.5;
    struct loop_source loop = LOOP_SOURCE(1, UINT32_MAX, too_long_length);
    cr_assert(simulate(&world, &loop.source));
    cr_assert_eq(world.result.rejected, 11, "at 0, 1, ... 10 s, not %u times",
                 (unsigned)world.result.rejected);
    simulation_result_free(&world.result);
}

/* Who only watches does not make it longer. */
Test(simulation, ends_with_the_last_request)
{
    struct world world = make_world();
    world.spec.warmup_s = 1000;
    world.spec.sample_interval_s = world.sample_every_s = 0.07;
    world.spec.observer.sample = count_sample;
    struct list_source list = LIST_SOURCE(ten_tokens, 1);
    cr_assert(simulate(&world, &list.source));
    cr_assert_float_eq(world.result.end_s, 0.1, 1e-9);
    cr_assert_eq(world.samples, 2, "one at 0.07 s, one at the end");
    cr_assert_eq(world.result.measured_s, 0);
    cr_assert_eq(world.result.completed, 1);
    cr_assert_eq(world.result.by_class[0].completed, 0, "it arrived during the warm-up");
    simulation_result_free(&world.result);
}

Test(simulation, ends_at_the_horizon_even_when_idle)
{
    struct world world = make_world();
    world.spec.horizon_s = 5;
    struct list_source list = LIST_SOURCE(ten_tokens, 1);
    cr_assert(simulate(&world, &list.source));
    cr_assert_eq(world.result.end_s, 5);
    cr_assert_eq(world.result.completed, 1);
    simulation_result_free(&world.result);
}

/* 100 ms is when the last token comes: that moment is no longer part of it. */
Test(simulation, the_horizon_itself_is_not_simulated)
{
    struct world world = make_world();
    world.time.base_s = 0.0078125;
    world.spec.horizon_s = 10 * world.time.base_s;
    struct list_source list = LIST_SOURCE(ten_tokens, 1);
    cr_assert(simulate(&world, &list.source));
    cr_assert_eq(world.result.completed, 0);
    cr_assert_eq(world.result.in_flight, 1);
    cr_assert_eq(world.result.end_s, world.spec.horizon_s);
    cr_assert_eq(world.result.pools[0].busy_s, world.spec.horizon_s);
    simulation_result_free(&world.result);
}

Test(simulation, a_horizon_below_a_tick_simulates_nothing)
{
    struct world world = make_world();
    world.spec.horizon_s = 1e-300;
    struct list_source list = LIST_SOURCE(ten_tokens, 1);
    cr_assert(simulate(&world, &list.source));
    cr_assert_eq(world.result.arrived, 0);
    cr_assert_eq(world.result.end_s, 0);
    simulation_result_free(&world.result);
}

/* Iterations of an hour, 10 tokens each: 6000 requests one by one take 6.8 years. */
Test(simulation, what_outlasts_the_clock_is_an_error)
{
    enum { REQUESTS = 6000 };
    static struct arrival arrivals[REQUESTS];
    for (size_t i = 0; i < REQUESTS; i++)
        arrivals[i] = (struct arrival){.prompt_tok = 1, .output_tok = 10};
    struct world world = make_world();
    world.time.base_s = 3600;
    world.engine.max_sequences = 1;
    struct list_source list = LIST_SOURCE(arrivals, REQUESTS);
    cr_assert_not(simulate(&world, &list.source));
    cr_assert_eq(world.error.code, ERROR_BAD_INPUT);
    cr_assert(strstr(world.error.message, "1553 days"), "%s", world.error.message);
    cr_assert(strstr(world.error.hint, "horizon_s"), "%s", world.error.hint);
    world.error = (struct error){0};
    world.spec.horizon_s = CLOCK_MAX_S;
    list.at = 0;
    cr_assert(simulate(&world, &list.source), "%s", world.error.message);
    cr_assert_eq(world.result.end_s, CLOCK_MAX_S);
    cr_assert_gt(world.result.in_flight, 2000);
    simulation_result_free(&world.result);
}

Test(simulation, can_be_stopped_before_the_first_event)
{
    struct world world = make_world();
    world.spec.observer.proceed = count_proceed;
    struct list_source list = LIST_SOURCE(ten_tokens, 1);
    cr_assert(simulate(&world, &list.source));
    cr_assert(world.result.interrupted);
    cr_assert_eq(world.result.events, 0);
    cr_assert_eq(world.result.arrived, 0);
    cr_assert_eq(world.result.end_s, 0);
    simulation_result_free(&world.result);
}

Test(simulation, of_many_replicas_uses_each)
{
    enum { REPLICAS = 20000 };
    static struct arrival arrivals[REPLICAS];
    for (size_t i = 0; i < REPLICAS; i++)
        arrivals[i] = (struct arrival){.prompt_tok = 4, .output_tok = 2};
    struct world world = make_world();
    world.replicas = REPLICAS;
    struct list_source list = LIST_SOURCE(arrivals, REPLICAS);
    cr_assert(simulate(&world, &list.source));
    cr_assert_eq(world.result.completed, REPLICAS);
    cr_assert_float_eq(world.result.end_s, 0.02, 1e-9);
    cr_assert_eq(world.result.iterations, 2 * REPLICAS);
    simulation_result_free(&world.result);
}

/* --- laws --- */

enum { LAW_REQUESTS = 60 };

/* Times and lengths that doubles and ticks hold exactly. */
static void draw_arrivals(struct arrival *arrivals, double unit_s)
{
    gsl_rng *rng = random_stream(5, 0, "test/laws");
    double time_s = 0;
    for (size_t i = 0; i < LAW_REQUESTS; i++) {
        time_s += unit_s * (double)gsl_rng_uniform_int(rng, 64);
        arrivals[i] = (struct arrival){.time_s = time_s,
                                       .prompt_tok = 1 + (uint32_t)gsl_rng_uniform_int(rng, 400),
                                       .output_tok = 1 + (uint32_t)gsl_rng_uniform_int(rng, 80)};
    }
    gsl_rng_free(rng);
}

static void run_scaled(double unit_s, struct world *world)
{
    struct arrival arrivals[LAW_REQUESTS];
    draw_arrivals(arrivals, unit_s);
    *world = make_world();
    world->engine.kv_blocks = 80;
    world->time = (struct steptime_given){.base_s = 4 * unit_s,
                                          .per_sequence_s = unit_s,
                                          .per_context_token_s = unit_s / 64,
                                          .per_prefill_token_s = unit_s / 16};
    struct list_source list = LIST_SOURCE(arrivals, LAW_REQUESTS);
    cr_assert(simulate(world, &list.source), "%s", world->error.message);
}

Test(simulation, time_has_no_unit_of_its_own)
{
    struct world one, two;
    run_scaled(0x1p-10, &one);
    run_scaled(0x1p-9, &two);
    cr_assert_gt(one.result.pools[0].preemptions, 0);
    cr_assert_eq(one.ended, LAW_REQUESTS);
    for (size_t i = 0; i < LAW_REQUESTS; i++) {
        cr_assert_eq(two.records[i].arrival_s, 2 * one.records[i].arrival_s);
        cr_assert_eq(two.records[i].queue_s, 2 * one.records[i].queue_s);
        cr_assert_eq(two.records[i].ttft_s, 2 * one.records[i].ttft_s);
        cr_assert_eq(two.records[i].e2e_s, 2 * one.records[i].e2e_s);
    }
    cr_assert_eq(two.result.end_s, 2 * one.result.end_s);
    simulation_result_free(&one.result);
    simulation_result_free(&two.result);
}

static double mean_e2e_on(struct arena *arena, const char *gpu, const struct arrival *arrivals)
{
    struct world world = make_world();
    const struct engine_config *engine = &world.engine;
    struct roofline_request request = {.gpu = shipped_gpu(arena, gpu),
                                       .llm = shipped_llm(arena, "llama-3.1-8b"),
                                       .tensor_parallel = 1,
                                       .pipeline_parallel = 1,
                                       .weights = PRECISION_BF16,
                                       .kv = PRECISION_BF16,
                                       .max_sequences = engine->max_sequences,
                                       .max_batch_tokens = engine->max_batch_tokens,
                                       .max_context_tok = engine->kv_blocks * engine->block_tok};
    struct steptime *steptime = compile_roofline(&request, NULL);
    cr_assert_not_null(steptime);
    world.engine.steptime = steptime;
    world.gpu_time = true;
    struct list_source list = LIST_SOURCE(arrivals, LAW_REQUESTS);
    cr_assert(simulate(&world, &list.source), "%s", world.error.message);
    double mean_s = histogram_mean_s(&world.result.by_class[0].e2e);
    simulation_result_free(&world.result);
    steptime_destroy(steptime);
    return mean_s;
}

/* The same requests, the same cache: only the rates differ. */
Test(simulation, a_faster_gpu_answers_sooner)
{
    static const char *const slow_to_fast[] = {"L4", "L40S", "A100-80GB-SXM", "H100-SXM",
                                               "H200-SXM"};
    struct arena *arena = arena_create();
    struct arrival arrivals[LAW_REQUESTS];
    for (double unit_s = 0x1p-12; unit_s < 1; unit_s *= 16) { /* from overload to idle */
        draw_arrivals(arrivals, unit_s);
        double before_s = INFINITY;
        for (size_t i = 0; i < sizeof slow_to_fast / sizeof *slow_to_fast; i++) {
            double mean_s = mean_e2e_on(arena, slow_to_fast[i], arrivals);
            cr_expect_lt(mean_s, before_s, "%s: %g s, the one before %g s", slow_to_fast[i], mean_s,
                         before_s);
            before_s = mean_s;
        }
    }
    arena_destroy(arena);
}

/* Four requests at once on one sequence, 10 iterations of 10 ms each: at 0.25 s two are done, the
 * third has begun, the fourth waits. */
Test(simulation, what_is_late_in_flight_misses_its_slo)
{
    struct arrival arrivals[4];
    for (size_t i = 0; i < 4; i++)
        arrivals[i] = ten_tokens[0];
    const struct slo_rule rules[] = {
        {.class_index = -1, .ttft_s = 0.22, .tpot_s = NAN, .e2e_s = NAN, .percentile = 75},
        {.class_index = -1, .ttft_s = NAN, .tpot_s = 0.02, .e2e_s = 1, .percentile = 99}};
    struct world world = make_world();
    world.engine.max_sequences = 1;
    world.spec.horizon_s = 0.25;
    world.spec.slos = rules;
    world.spec.slo_count = 2;
    struct list_source list = LIST_SOURCE(arrivals, 4);
    cr_assert(simulate(&world, &list.source));
    cr_assert_eq(world.result.in_flight, 2);
    cr_assert_eq(world.result.by_class->slo_met, 2);
    cr_assert_eq(world.result.by_class->late, 1, "the fourth; the third began at 0.21 s");
    cr_assert_eq(world.result.slos[0].requests, 3);
    cr_assert_eq(world.result.slos[0].met, 2);
    cr_assert_not(world.result.slos[0].kept);
    cr_assert_eq(world.result.slos[1].requests, 2, "it is open how those in flight will do");
    cr_assert(world.result.slos[1].kept);
    simulation_result_free(&world.result);
}

/* 21 tokens, 10 ms each: after the first come 8, 8 and 4. */
Test(simulation, a_streamed_answer_has_fewer_and_longer_gaps)
{
    struct arrival arrival = {.prompt_tok = 10, .output_tok = 21};
    struct world every = make_world(), eighth = make_world();
    struct list_source list = LIST_SOURCE(&arrival, 1);
    cr_assert(simulate(&every, &list.source));
    struct list_source again = LIST_SOURCE(&arrival, 1);
    eighth.engine.stream_interval = 8;
    cr_assert(simulate(&eighth, &again.source));
    const struct pool_result *a = &every.result.pools[0], *b = &eighth.result.pools[0];
    cr_assert_eq(a->itl.count, 20);
    cr_assert_float_eq(histogram_mean_s(&a->itl), 0.01, 1e-6);
    cr_assert_eq(b->itl.count, 3);
    cr_assert_float_eq(histogram_mean_s(&b->itl), 0.2 / 3, 1e-6);
    cr_assert_eq(histogram_mean_s(&a->e2e), histogram_mean_s(&b->e2e));
    simulation_result_free(&every.result);
    simulation_result_free(&eighth.result);
}
