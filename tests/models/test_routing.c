/* What a simulation tells its router: how fast its pools are, and what requests will answer. */
#include <criterion/criterion.h>
#include <math.h>

#include "models/fleet/routing.h"
#include "tests/models/arrivals.h"
#include "tests/models/router_support.h"

enum { REPLICAS = 4, REQUESTS = 60 };

static const struct steptime_given given = {.base_s = 0.01,
                                            .per_sequence_s = 0.0005,
                                            .per_context_token_s = 1e-6,
                                            .per_prefill_token_s = 0.0001};

static struct engine_config make_engine(void)
{
    struct engine_config engine = {.max_sequences = 8,
                                   .max_batch_tokens = 1000,
                                   .block_tok = 16,
                                   .kv_blocks = 1000,
                                   .max_model_tok = 1000,
                                   .chunked_prefill = true};
    engine.steptime = steptime_compile_given(&given, engine.max_sequences, engine.max_batch_tokens,
                                             engine.kv_blocks * engine.block_tok, NULL);
    cr_assert_not_null(engine.steptime);
    return engine;
}

Test(routing, a_pool_is_as_fast_as_its_step_times)
{
    struct engine_config engine = make_engine();
    struct router_speed speed = routing_speed(&engine);
    cr_expect_float_eq(speed.iteration_s, given.base_s + given.per_sequence_s, 2e-6);
    cr_expect_float_eq(speed.per_sequence_s, given.per_sequence_s, 2e-6);
    cr_expect_float_eq(speed.per_context_tok_s, given.per_context_token_s, 1e-9);
    cr_expect_float_eq(speed.per_prompt_tok_s, given.per_prefill_token_s + 1e-5, 1e-6,
                       "with its part of the iteration: %g", speed.per_prompt_tok_s);
    steptime_destroy((struct steptime *)engine.steptime);
}

static void keep_replica(void *context, const struct request_record *record)
{
    uint32_t *replicas = context;
    for (uint32_t i = 0; i < REQUESTS; i++)
        if (record->arrival_s == i * 0.001953125)
            replicas[i] = record->replica;
}

static void route_all(struct output_prediction prediction, uint32_t replicas[REQUESTS])
{
    struct arrival arrivals[REQUESTS];
    for (uint32_t i = 0; i < REQUESTS; i++)
        arrivals[i] = (struct arrival){
            .time_s = i * 0.001953125, .prompt_tok = 10, .output_tok = 1 + 37 * i % 200};
    struct list_source list = LIST_SOURCE(arrivals, REQUESTS);
    struct engine_config engine = make_engine();
    struct pool_spec pool = {.name = "p", .engine = &engine, .replicas = REPLICAS, .weight = 1};
    struct class_rule all = CLASS_RULE_ALL("all");
    struct router_config router = {.policy = {.index = policy("least_outstanding_tokens")}};
    struct simulation_spec spec = {.source = &list.source,
                                   .pools = &pool,
                                   .pool_count = 1,
                                   .router = &router,
                                   .output_prediction = prediction,
                                   .classes = &all,
                                   .class_count = 1,
                                   .horizon_s = INFINITY,
                                   .observer = {.context = replicas, .request = keep_replica}};
    struct simulation_result result;
    cr_assert(simulation_run(&spec, &result, NULL));
    cr_assert_eq(result.completed, REQUESTS);
    simulation_result_free(&result);
    steptime_destroy((struct steptime *)engine.steptime);
}

/* Routers that go by tokens go by what they believe; what they charged they also release, for a
 * load below zero would be the greatest of all. */
Test(routing, predictions_have_errors)
{
    static uint32_t exact[REQUESTS], drawn[REQUESTS];
    route_all((struct output_prediction){.kind = PREDICT_EXACT}, exact);
    route_all((struct output_prediction){.kind = PREDICT_LOGNORMAL, .sigma = 1.5}, drawn);
    int moved = 0, counts[REPLICAS] = {0};
    for (int i = 0; i < REQUESTS; i++) {
        moved += exact[i] != drawn[i];
        counts[drawn[i]]++;
    }
    cr_expect_gt(moved, REQUESTS / 4, "%d of %d", moved, REQUESTS);
    for (int i = 0; i < REPLICAS; i++)
        cr_expect_gt(counts[i], REQUESTS / REPLICAS / 3, "%d", counts[i]);
}

/* Eight conversations of six turns, each with three more blocks than the one before. */
static uint64_t prefilled_by(struct config_variant policy_of)
{
    enum { CHATS = 8, TURNS = 6, IDS = 3 * TURNS };
    static uint64_t ids[CHATS][IDS];
    struct arrival arrivals[CHATS * TURNS];
    for (uint32_t i = 0; i < CHATS * TURNS; i++) {
        uint32_t chat = 5 * i % CHATS, turn = i / CHATS;
        for (uint32_t k = 0; k < IDS; k++)
            ids[chat][k] = 1 + chat * IDS + k;
        arrivals[i] = (struct arrival){.time_s = 0.25 * i,
                                       .prompt_tok = 16 * 3 * (turn + 1),
                                       .output_tok = 2,
                                       .block_tok = 16,
                                       .blocks = 3 * (turn + 1),
                                       .hash_ids = ids[chat]};
    }
    struct list_source list = LIST_SOURCE(arrivals, CHATS * TURNS);
    struct engine_config engine = make_engine();
    engine.keeps_blocks = true;
    struct pool_spec pool = {.name = "p", .engine = &engine, .replicas = 3, .weight = 1};
    struct class_rule all = CLASS_RULE_ALL("all");
    struct router_config router = {.policy = policy_of};
    struct simulation_spec spec = {.source = &list.source,
                                   .pools = &pool,
                                   .pool_count = 1,
                                   .router = &router,
                                   .classes = &all,
                                   .class_count = 1,
                                   .horizon_s = INFINITY};
    struct simulation_result result;
    cr_assert(simulation_run(&spec, &result, NULL));
    uint64_t prefill_tok = result.pools[0].prefill_tok;
    simulation_result_free(&result);
    steptime_destroy((struct steptime *)engine.steptime);
    return prefill_tok;
}

/* Where every turn goes to its conversation's replica, all but the first time a block is computed
 * once: 8 x 18 x 16 tokens. */
Test(routing, caches_tell_the_router_what_they_hold)
{
    struct scoring_dynamo dynamo = {1, 0};
    struct router_kv_config config = {
        .scoring = {.index = index_of(router_scorings, "dynamo"), .value = &dynamo},
        .load_interval_s = NAN};
    struct config_variant kv_aware = {.index = policy("kv_aware"), .value = &config};
    struct config_variant round_robin = {.index = policy("round_robin")};
    cr_expect_eq(prefilled_by(kv_aware), 8 * 18 * 16);
    cr_expect_gt(prefilled_by(round_robin), 12 * 18 * 16);
    config.event_delay_s = 1000;
    cr_expect_gt(prefilled_by(kv_aware), 12 * 18 * 16, "it hears nothing in time");
}
