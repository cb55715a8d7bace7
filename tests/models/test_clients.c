/* Clients that give up. An iteration takes 10 ms, and one request runs at a time. */
#include <criterion/criterion.h>
#include <math.h>

#include "models/fleet/simulation.h"
#include "tests/models/arrivals.h"
#include "workloads/lengths.h"

enum { RECORDS_MAX = 8 };

struct world {
    struct client_settings client;
    struct length_constant stop_after;
    double shed_after_s;
    double horizon_s;
    tick_t overhead;
    struct request_record records[RECORDS_MAX];
    uint32_t ended;
    struct slo_rule slo;
    struct simulation_result result;
};

static struct world make_world(void)
{
    return (struct world){.client = {.ttft_timeout_s = NAN,
                                     .e2e_timeout_s = NAN,
                                     .cancel_on_timeout = true,
                                     .backoff_s = 0.1,
                                     .backoff_max_s = 0.3,
                                     .stop_after_tok = {.index = -1}},
                          .shed_after_s = INFINITY,
                          .horizon_s = INFINITY,
                          .slo = {-1, NAN, NAN, 0.105, 99}};
}

static void keep(void *context, const struct request_record *record)
{
    struct world *world = context;
    world->records[world->ended++] = *record;
}

static void simulate(struct world *world, const struct arrival *arrivals, uint32_t count)
{
    static const struct class_rule all = CLASS_RULE_ALL("all");
    static const struct router_config router = {.policy = {.index = 0}};
    struct error error = {0};
    struct arena *arena = arena_create();
    struct client_rule rule;
    cr_assert(client_rule_make(&world->client, arena, &(struct place){0}, &rule, &error), "%s",
              error.message);
    rule.shed_after_s = world->shed_after_s;
    const struct steptime_given time = {.base_s = 0.01};
    struct engine_config engine = {.max_sequences = 1,
                                   .max_batch_tokens = 1000,
                                   .block_tok = 16,
                                   .kv_blocks = 1000,
                                   .max_model_tok = 1100,
                                   .request_overhead = world->overhead,
                                   .chunked_prefill = true};
    struct steptime *steptime = steptime_compile_given(&time, 1, 1000, 16000, NULL);
    engine.steptime = steptime;
    struct pool_spec pool = {.name = "p", .engine = &engine, .replicas = 1, .weight = 1};
    struct list_source list = LIST_SOURCE(arrivals, count);
    struct simulation_spec spec = {.source = &list.source,
                                   .pools = &pool,
                                   .pool_count = 1,
                                   .router = &router,
                                   .classes = &all,
                                   .class_count = 1,
                                   .clients = &rule,
                                   .slos = &world->slo,
                                   .slo_count = 1,
                                   .horizon_s = world->horizon_s,
                                   .observer = {.context = world, .request = keep}};
    world->ended = 0;
    cr_assert(simulation_run(&spec, &world->result, &error), "%s", error.message);
    const struct simulation_result *result = &world->result;
    cr_assert_eq(result->arrived, count);
    cr_assert_eq(result->arrived,
                 result->completed + result->rejected + result->cancelled + result->in_flight);
    cr_assert_eq(world->ended, result->arrived - result->in_flight);
    steptime_destroy(steptime);
    arena_destroy(arena);
}

#define TEN_TOKENS                                                                                 \
    {                                                                                              \
        .prompt_tok = 4, .output_tok = 10                                                          \
    }
static const struct arrival one[] = {TEN_TOKENS};
/* The second waits for the first. */
static const struct arrival two[] = {TEN_TOKENS, {.prompt_tok = 8, .output_tok = 2}};
/* It waits for ever. */
static const struct arrival behind[] = {{.prompt_tok = 4, .output_tok = 1000},
                                        {.prompt_tok = 8, .output_tok = 2}};

Test(clients, who_hangs_up_stops_the_work_at_the_end_of_the_iteration)
{
    struct world world = make_world();
    world.client.e2e_timeout_s = 0.055;
    simulate(&world, one, 1);
    cr_assert(world.records[0].timed_out && isnan(world.records[0].e2e_s));
    cr_assert_eq(world.result.iterations, 6);
    cr_assert_eq(world.result.clients->wasted_prompt_tok, 4);
    cr_assert_eq(world.result.clients->wasted_output_tok, 6);
    cr_assert_eq(world.result.pools[0].cancelled, 1);
    cr_assert_eq(world.result.by_class[0].timed_out, 1);
    cr_assert(world.result.slos[0].requests == 1 && world.result.slos[0].met == 0);
    simulation_result_free(&world.result);
}

Test(clients, who_does_not_hang_up_wastes_the_whole_answer)
{
    struct world world = make_world();
    world.client.e2e_timeout_s = 0.055;
    world.client.cancel_on_timeout = false;
    simulate(&world, one, 1);
    cr_assert(world.records[0].timed_out);
    cr_assert_eq(world.result.iterations, 10);
    cr_assert_eq(world.result.clients->wasted_output_tok, 10);
    simulation_result_free(&world.result);
}

Test(clients, an_answer_that_is_there_in_time_to_the_tick_is_in_time)
{
    struct world world = make_world();
    world.overhead = tick_from_s(0.003);
    world.client.e2e_timeout_s = 0.103;
    simulate(&world, one, 1);
    cr_assert_eq(world.result.completed, 1);
    cr_assert_eq(world.result.clients->timeouts, 0);
    simulation_result_free(&world.result);
    world.client.e2e_timeout_s = 0.103 - 1e-9;
    simulate(&world, one, 1);
    cr_assert_eq(world.result.cancelled, 1);
    simulation_result_free(&world.result);
}

Test(clients, the_first_token_ends_that_patience)
{
    struct world world = make_world();
    world.client.ttft_timeout_s = 0.05;
    simulate(&world, two, 2);
    cr_assert_eq(world.result.completed, 1);
    cr_assert(world.records[0].timed_out && world.records[0].prompt_tok == 8);
    cr_assert_eq(world.result.clients->wasted_prompt_tok, 0, "it had not begun");
    cr_assert_eq(world.result.iterations, 10);
    simulation_result_free(&world.result);
}

Test(clients, a_retry_is_the_same_request_once_more)
{
    struct world world = make_world();
    world.client.ttft_timeout_s = 0.05;
    world.client.retries = 1;
    simulate(&world, two, 2);
    cr_assert_eq(world.result.completed, 2);
    cr_assert_eq(world.result.clients->timeouts, 1);
    cr_assert_eq(world.result.clients->retries, 1);
    /* Gave up at 50 ms, came again 100 ms later, and counts from its arrival. */
    cr_assert_float_eq(world.records[1].ttft_s, 0.16, 1e-9);
    cr_assert_float_eq(world.records[1].e2e_s, 0.17, 1e-9);
    cr_assert_eq(world.result.pools[0].arrived, 3);
    simulation_result_free(&world.result);
}

Test(clients, waits_double_up_to_the_longest)
{
    struct world world = make_world();
    world.client.ttft_timeout_s = 0.02;
    world.client.retries = 3;
    const struct {
        double horizon_s;
        uint64_t timeouts, retries, cancelled;
    } at[] = {{0.019, 0, 0, 0}, {0.021, 1, 0, 0}, {0.119, 1, 0, 0},
              {0.121, 1, 1, 0}, {0.339, 2, 1, 0}, {0.341, 2, 2, 0},
              {0.659, 3, 2, 0}, {0.661, 3, 3, 0}, {0.681, 4, 3, 1}};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        world.horizon_s = at[i].horizon_s;
        simulate(&world, behind, 2);
        cr_assert_eq(world.result.clients->timeouts, at[i].timeouts, "at %g", at[i].horizon_s);
        cr_assert_eq(world.result.clients->retries, at[i].retries, "at %g", at[i].horizon_s);
        cr_assert_eq(world.result.cancelled, at[i].cancelled, "at %g", at[i].horizon_s);
        cr_assert_eq(world.result.in_flight, 2 - at[i].cancelled);
        simulation_result_free(&world.result);
    }
}

Test(clients, a_retry_that_waits_at_the_end_is_late_once)
{
    struct world world = make_world();
    world.client.e2e_timeout_s = 0.12;
    world.client.cancel_on_timeout = false;
    world.client.retries = 1;
    world.horizon_s = 0.13;
    static const struct arrival slow[] = {{.prompt_tok = 4, .output_tok = 20}};
    simulate(&world, slow, 1);
    cr_assert_eq(world.result.in_flight, 1);
    cr_assert_eq(world.result.pools[0].in_flight, 1, "the attempt that nobody waits for");
    cr_assert_eq(world.result.by_class[0].late, 1);
    cr_assert_eq(world.result.slos[0].requests, 1);
    simulation_result_free(&world.result);
}

static double second_retry_s(double jitter)
{
    struct world world = make_world();
    world.client.ttft_timeout_s = 0.05;
    world.client.retries = 1;
    world.client.backoff_jitter = jitter;
    simulate(&world, two, 2);
    double ttft_s = world.records[1].ttft_s;
    simulation_result_free(&world.result);
    return ttft_s;
}

Test(clients, jitter_shortens_waits)
{
    double steady_s = second_retry_s(0), shaken_s = second_retry_s(0.5);
    cr_assert(shaken_s < steady_s && shaken_s > steady_s - 0.05);
}

Test(clients, who_has_not_begun_by_the_deadline_is_shed)
{
    struct world world = make_world();
    world.shed_after_s = 0.05;
    simulate(&world, two, 2);
    cr_assert_eq(world.result.completed, 1, "who has begun is not");
    cr_assert(world.records[0].rejected && world.records[0].prompt_tok == 8);
    cr_assert_eq(world.result.clients->shed, 1);
    cr_assert_eq(world.result.by_class[0].rejected, 1);
    cr_assert_eq(world.result.iterations, 10);
    simulation_result_free(&world.result);
    world.shed_after_s = 0.1;
    simulate(&world, two, 2);
    cr_assert_eq(world.result.completed, 2, "it begins in time");
    simulation_result_free(&world.result);
}

Test(clients, users_stop_reading)
{
    struct world world = make_world();
    world.stop_after.tok = 3;
    world.client.stop_share = 1;
    world.client.stop_after_tok = (struct config_variant){LENGTH_CONSTANT, &world.stop_after};
    simulate(&world, two, 2);
    cr_assert_eq(world.result.iterations, 5, "3 tokens, and all 2");
    cr_assert_eq(world.result.completed, 1);
    cr_assert_eq(world.result.cancelled, 1);
    cr_assert(world.records[0].stopped && world.records[0].output_tok == 3);
    cr_assert_float_eq(world.records[0].e2e_s, 0.03, 1e-9);
    cr_assert_eq(world.result.clients->stopped_output_tok, 3);
    cr_assert_eq(world.result.clients->wasted_output_tok, 0);
    cr_assert(world.result.slos[0].met == 2 && world.result.by_class[0].slo_met == 2);
    simulation_result_free(&world.result);
}

Test(clients, a_request_is_asked_for_in_full)
{
    struct world world = make_world();
    world.stop_after.tok = 3;
    world.client.stop_share = 1;
    world.client.stop_after_tok = (struct config_variant){LENGTH_CONSTANT, &world.stop_after};
    static const struct arrival too_long[] = {{.prompt_tok = 200, .output_tok = 1000}};
    simulate(&world, too_long, 1);
    cr_assert_eq(world.result.rejected, 1);
    simulation_result_free(&world.result);
}
