/* One engine, driven by hand: a few arrivals, step times that are easily added up, and what became
 * of each request. */
#ifndef TOKENYARD_TESTS_MODELS_HAND_H
#define TOKENYARD_TESTS_MODELS_HAND_H

#include <criterion/criterion.h>
#include <math.h>

#include "models/fleet/simulation.h"
#include "tests/models/arrivals.h"

#define MS 1e-3

/* Blocks hold four tokens; prompts may be computed in chunks. */
#define ENGINE(sequences, batch_tok, blocks)                                                       \
    {                                                                                              \
        .max_sequences = (sequences), .max_batch_tokens = (batch_tok), .block_tok = 4,             \
        .kv_blocks = (blocks), .chunked_prefill = true                                             \
    }

enum { RECORDS_MAX = 16 };

struct hand {
    struct steptime_given time;
    struct engine_config engine;
    const struct arrival *arrivals;
    size_t count;
    double horizon_s, warmup_s;
    const struct class_traits *traits;          /* of stream 0, and of the others */
    struct request_record records[RECORDS_MAX]; /* by order of arrival time and prompt */
    uint32_t ended;
    struct simulation_result result;
};

static inline void hand_keep(void *context, const struct request_record *record)
{
    struct hand *hand = context;
    hand->records[hand->ended++] = *record;
}

static inline void simulate(struct hand *hand)
{
    static const struct class_rule classes[] = {
        {.name = "first", .stream = 0, .prompt_max_tok = UINT32_MAX, .output_max_tok = UINT32_MAX},
        CLASS_RULE_ALL("others")};
    static const struct router_config router = {.policy = {.index = 0}};
    struct engine_config *engine = &hand->engine;
    struct steptime *steptime =
        steptime_compile_given(&hand->time, engine->max_sequences, engine->max_batch_tokens,
                               engine->kv_blocks * engine->block_tok, NULL);
    cr_assert_not_null(steptime);
    engine->steptime = steptime;
    if (engine->max_model_tok == 0)
        engine->max_model_tok = 1000000;
    struct pool_spec pool = {.name = "p", .engine = engine, .replicas = 1, .weight = 1};
    struct list_source source = LIST_SOURCE(hand->arrivals, hand->count);
    struct simulation_spec spec = {.source = &source.source,
                                   .pools = &pool,
                                   .pool_count = 1,
                                   .router = &router,
                                   .classes = classes,
                                   .class_count = 2,
                                   .traits = hand->traits,
                                   .horizon_s = hand->horizon_s > 0 ? hand->horizon_s : INFINITY,
                                   .warmup_s = hand->warmup_s,
                                   .observer = {.context = hand, .request = hand_keep}};
    struct error error = {0};
    cr_assert(simulation_run(&spec, &hand->result, &error), "%s", error.message);
    steptime_destroy(steptime);
}

static inline void expect_s(double actual, double expected)
{
    cr_assert_float_eq(actual, expected, 1e-9, "%.9f s, expected %.9f s", actual, expected);
}

#endif
