/* Stages that each serve whoever comes. A layer takes 1 ms for a decode and 0.1 ms for each
 * sequence, and 10 ms for a prompt and 0.01 ms for each token of it; a send takes 2 ms. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "models/engine/engine.h"
#include "models/engine/handover.h"
#include "models/engine/stage_graph.h"
#include "models/steptime/layer_time.h"
#include "models/steptime/pipeline.h"

#define SEQUENCES 16
#define LAYERS    4

static struct stage_graph *graph;
static struct engine_config config;
static struct request_pool pool;
static struct engine engine;

static struct graph_stage stage_of(int64_t first, int64_t end, double share)
{
    static struct timed_layers layers = {
        {.decode_s = 1e-3, .sequence_s = 1e-4, .prompt_s = 1e-2, .prompt_token_s = 1e-5}, LAYERS};
    const struct pipeline_stage stage = {.kernels = layer_time_kernels(&layers),
                                         .share = (double)(end - first) / LAYERS,
                                         .emits = end == LAYERS};
    const struct steptime_limits limits = {.max_sequences = SEQUENCES,
                                           .max_batch_tokens = 1000 + SEQUENCES,
                                           .max_context_tok = 1 << 20};
    return (struct graph_stage){.time = pipeline_stage_compile(&stage, &limits, NULL),
                                .first_layer = first,
                                .end_layer = end,
                                .share = share,
                                .kv_blocks = 100,
                                .send = tick_from_s(2e-3)};
}

static void add_stage(int64_t first, int64_t end, double share)
{
    graph->stages[graph->count++] = stage_of(first, end, share);
    graph->kv_blocks += 100;
}

static void set_up(void)
{
    graph = calloc(1, sizeof *graph + 8 * sizeof *graph->stages);
    graph->layers = LAYERS;
    config = (struct engine_config){.max_sequences = SEQUENCES,
                                    .max_batch_tokens = 1000,
                                    .block_tok = 16,
                                    .kv_blocks = 100,
                                    .max_model_tok = 1600,
                                    .graph = graph};
    request_pool_init(&pool);
}

static void tear_down(void)
{
    engine_free(&engine);
    request_pool_free(&pool);
    for (uint32_t i = 0; i < graph->count; i++)
        steptime_destroy(graph->stages[i].time);
    free(graph);
}

TestSuite(stage_queues, .init = set_up, .fini = tear_down);

static void start(void)
{
    cr_assert(engine_init(&engine, &config, &pool, NULL));
}

/* Until nothing is left to do, or until_s. Returns how many ended. */
static uint32_t run_until(double until_s)
{
    uint32_t ended = 0;
    while (engine.next != TICK_NEVER && engine.next <= tick_from_s(until_s)) {
        engine_boundary(&engine);
        ended += engine.ended_count;
    }
    return ended;
}

static uint32_t submit(uint32_t prompt_tok, uint32_t output_tok, double when_s)
{
    run_until(when_s - 1e-9);
    const struct request request = {
        .arrival = tick_from_s(when_s), .prompt_tok = prompt_tok, .output_tok = output_tok};
    uint32_t number = request_pool_take(&pool, &request);
    engine_submit(&engine, number, request.arrival);
    return number;
}

static double first_token_s(uint32_t number)
{
    return tick_to_s(pool.requests[number].first_token);
}

static double last_token_s(uint32_t number)
{
    return tick_to_s(pool.requests[number].last_token);
}

/* Within the microseconds that a curve of prompt times is off. */
#define assert_s(actual, expected) cr_assert_float_eq(actual, expected, 1e-4, "%.7f s", actual)

Test(stage_queues, one_request_goes_from_stage_to_stage_and_back)
{
    add_stage(0, 1, 1);
    add_stage(1, 4, 1);
    start();
    uint32_t number = submit(100, 3, 1);
    cr_assert_eq(run_until(10), 1);
    double prompt_s = 4 * (1e-2 + 100 * 1e-5) + 3 * 2e-3, token_s = 4 * 1.1e-3 + 3 * 2e-3;
    assert_s(first_token_s(number), 1 + prompt_s);
    assert_s(last_token_s(number), 1 + prompt_s + 2 * token_s);
    cr_assert_eq(engine.used_blocks, 0);
    cr_assert_eq(engine.next, TICK_NEVER);
}

Test(stage_queues, who_waits_is_taken_as_one_batch)
{
    add_stage(0, 4, 1);
    start();
    uint32_t a = submit(100, 1, 0), b = submit(200, 1, 0.01), c = submit(300, 1, 0.02);
    run_until(10);
    double first_s = 2e-3 + 4 * (1e-2 + 1e-3);
    assert_s(first_token_s(a), first_s + 2e-3);
    assert_s(first_token_s(b), first_s + 4 * (1e-2 + 5e-3) + 2e-3);
    cr_assert_eq(first_token_s(b), first_token_s(c));
}

Test(stage_queues, prompts_beyond_the_token_budget_wait_for_the_next_batch)
{
    add_stage(0, 4, 1);
    start();
    submit(100, 1, 0);
    uint32_t b = submit(600, 1, 0.01), c = submit(500, 1, 0.02), d = submit(300, 1, 0.03);
    run_until(10);
    cr_assert_eq(first_token_s(b), first_token_s(d));
    cr_assert_gt(first_token_s(c), first_token_s(b));
}

Test(stage_queues, a_prompt_does_not_hold_up_who_is_on_another_stage)
{
    add_stage(0, 2, 1);
    add_stage(2, 4, 1);
    start();
    uint32_t a = submit(100, 50, 0);
    uint32_t late = submit(1000, 1, 0.0375); /* while a's second token is under way */
    run_until(10);
    double undisturbed_s = 4 * 1.1e-2 + 3 * 2e-3 + 49 * (4 * 1.1e-3 + 3 * 2e-3);
    double held_up_s = last_token_s(a) - undisturbed_s;
    cr_assert(held_up_s > 0 && held_up_s < 2 * 4 * 2e-2, "%g", held_up_s);
    cr_assert_gt(first_token_s(late), 0.0375 + 4 * 2e-2);
}

Test(stage_queues, requests_take_their_ways_by_shares)
{
    add_stage(0, 2, 1);
    add_stage(2, 4, 0.75);
    add_stage(2, 4, 0.25);
    start();
    for (int i = 0; i < 8; i++)
        submit(100, 5, 0);
    run_until(2.5e-3); /* on the first stage: their ways are set aside */
    cr_assert_eq(engine.decodes, 8);
    cr_assert_eq(engine.used_blocks, 8 * 7 * 2);
    cr_assert_eq(run_until(10), 8);
    cr_assert_eq(engine.totals.prefill_tok, 800);
}

Test(stage_queues, a_request_waits_until_each_stage_of_a_way_has_room)
{
    add_stage(0, 2, 1);
    add_stage(2, 4, 0.5);
    add_stage(2, 4, 0.5);
    graph->stages[1].kv_blocks = 50;
    graph->stages[2].kv_blocks = 50;
    start();
    submit(600, 100, 0); /* 44 blocks on the first stage and on one of the others */
    submit(600, 100, 0);
    uint32_t third = submit(600, 100, 0);
    run_until(1e-3);
    cr_assert_eq(engine.decodes, 2);
    cr_assert_eq(engine.waiting, 1);
    cr_assert_eq(run_until(100), 3);
    cr_assert_gt(pool.requests[third].first_scheduled, tick_from_s(0.5));
    cr_assert_leq(engine.totals.peak_blocks, 2 * 2 * 44);
}

Test(stage_queues, the_cancelled_get_off_and_leave_their_room)
{
    add_stage(0, 2, 1);
    add_stage(2, 4, 1);
    start();
    uint32_t runs = submit(100, 100, 0), other = submit(100, 3, 0);
    run_until(0.1);
    engine_cancel(&engine, runs, tick_from_s(0.1));
    run_until(10);
    cr_assert(pool.requests[runs].cancelled);
    cr_assert_lt(pool.requests[runs].emitted, 100);
    cr_assert_eq(pool.requests[other].emitted, 3);
    cr_assert_eq(engine.used_blocks, 0);
    cr_assert_eq(engine.decodes, 0);
}

Test(stage_queues, refuses_prompts_that_no_batch_holds)
{
    add_stage(0, 4, 1);
    cr_assert(engine_accepts(&config, 1000, 500));
    cr_assert_not(engine_accepts(&config, 1001, 1));
    cr_assert_not(engine_accepts(&config, 1000, 601));
    start();
}
