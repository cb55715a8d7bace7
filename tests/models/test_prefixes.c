/* Prefix caching in simulations: what is computed, what is loaded, how long that takes, and the hit
 * rates of a published trace. */
#include <criterion/criterion.h>
#include <math.h>

#include "models/fleet/simulation.h"
#include "tests/models/arrivals.h"
#include "tests/support.h"
#include "workloads/trace.h"
#include "workloads/trace_stats.h"

enum { ENDED_MAX = 16 };

/* One pool. An iteration takes 10 ms, and 1 ms for each token of a prompt. */
struct world {
    struct engine_config engine;
    uint32_t replicas;
    const struct arrival *arrivals;
    size_t count;
    struct request_record ended[ENDED_MAX];
    uint32_t ended_count;
    struct simulation_result result;
};

static void keep(void *context, const struct request_record *record)
{
    struct world *world = context;
    if (world->ended_count < ENDED_MAX)
        world->ended[world->ended_count++] = *record;
}

static void run_source(struct world *world, struct source *source, double base_s, double tok_s)
{
    struct steptime_given given = {.base_s = base_s, .per_prefill_token_s = tok_s};
    struct engine_config *engine = &world->engine;
    struct steptime *steptime =
        steptime_compile_given(&given, engine->max_sequences, engine->max_batch_tokens,
                               engine->kv_blocks * engine->block_tok, NULL);
    static const struct class_rule all = CLASS_RULE_ALL("all");
    static const struct router_config round_robin = {.policy = {.index = 0}};
    engine->steptime = steptime;
    engine->keeps_blocks = engine->chunked_prefill = true;
    const struct pool_spec pool = {
        .name = "p", .engine = engine, .replicas = world->replicas, .weight = 1};
    struct simulation_spec spec = {.source = source,
                                   .pools = &pool,
                                   .pool_count = 1,
                                   .router = &round_robin,
                                   .classes = &all,
                                   .class_count = 1,
                                   .horizon_s = INFINITY,
                                   .observer = {.context = world, .request = keep}};
    struct error error = {0};
    cr_assert(simulation_run(&spec, &world->result, &error), "%s", error.message);
    steptime_destroy(steptime);
}

static void run(struct world *world)
{
    struct list_source list = LIST_SOURCE(world->arrivals, world->count);
    run_source(world, &list.source, 0.01, 0.001);
}

static const struct prefix_totals *totals_of(const struct world *world)
{
    return &world->result.pools[0].prefix;
}

/* KV blocks of 4 tokens, ids of 8. */
#define ENGINE(sequences, blocks)                                                                  \
    {                                                                                              \
        .max_sequences = (sequences), .max_batch_tokens = 1000, .block_tok = 4,                    \
        .kv_blocks = (blocks), .max_model_tok = 1000                                               \
    }
#define IDS(at, prompt, output, ...)                                                               \
    {                                                                                              \
        .time_s = (at), .prompt_tok = (prompt), .output_tok = (output), .block_tok = 8,            \
        .blocks = ((prompt) + 7) / 8, .hash_ids = (const uint64_t[])                               \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const struct arrival two_of_a_prefix[] = {IDS(0, 20, 1, 1, 2, 3), IDS(1, 22, 1, 1, 2, 4)};

Test(prefixes, what_another_computed_is_not_computed_again)
{
    struct world world = {
        .engine = ENGINE(4, 100), .replicas = 1, .arrivals = two_of_a_prefix, .count = 2};
    run(&world);
    cr_expect_eq(world.result.pools[0].prefill_tok, 20 + 6);
    cr_expect_float_eq(world.ended[1].ttft_s, 0.016, 1e-9);
    cr_expect_eq(totals_of(&world)->ids, 6);
    cr_expect_eq(totals_of(&world)->found_ids[TIER_GPU], 2);
    cr_expect_eq(totals_of(&world)->found_tok[TIER_GPU], 16);
    simulation_result_free(&world.result);
}

Test(prefixes, requests_that_are_let_in_together_share)
{
    const struct arrival arrivals[] = {IDS(0, 20, 1, 1, 2, 3), IDS(0, 22, 1, 1, 2, 4)};
    struct world world = {
        .engine = ENGINE(4, 100), .replicas = 1, .arrivals = arrivals, .count = 2};
    run(&world);
    cr_expect_eq(world.result.pools[0].prefill_tok, 20 + 6);
    cr_expect_float_eq(world.result.pools[0].peak_kv, (5 + 2) / 100.0, 1e-12);
    simulation_result_free(&world.result);
}

Test(prefixes, the_next_turn_finds_prompt_and_answer)
{
    static const struct arrival arrivals[] = {
        {.time_s = 0, .prompt_tok = 10, .output_tok = 20, .session = 1},
        {.time_s = 1, .prompt_tok = 40, .output_tok = 1, .session = 1},
        {.time_s = 2, .prompt_tok = 40, .output_tok = 1, .session = 2}};
    struct world world = {
        .engine = ENGINE(4, 100), .replicas = 1, .arrivals = arrivals, .count = 3};
    run(&world);
    /* 29 tokens of the first turn are in the cache: 7 blocks are full. */
    cr_expect_eq(world.result.pools[0].prefill_tok, 10 + (40 - 28) + 40);
    simulation_result_free(&world.result);
}

/* The first request's prefix is pushed out of the GPU by the second; the third loads it. */
static const struct arrival comes_back[] = {IDS(0, 24, 1, 1, 2, 3),
                                            IDS(1, 40, 1, 5, 6, 7, 8, 9),
                                            IDS(2, 30, 5, 1, 2, 3, 4),
                                            {.time_s = 2.01, .prompt_tok = 2, .output_tok = 3}};

static struct world world_of_tiers(void)
{
    return (struct world){
        .engine = ENGINE(4, 11), .replicas = 1, .arrivals = comes_back, .count = 4};
}

Test(prefixes, what_the_gpu_has_lost_is_loaded_from_the_host_while_others_go_on)
{
    struct world world = world_of_tiers();
    world.engine.prefix.tiers[TIER_HOST] = (struct tier_config){.capacity = 100, .s_per_tok = 0.01};
    run(&world);
    const struct prefix_totals *totals = totals_of(&world);
    cr_expect_eq(totals->found_tok[TIER_GPU], 0);
    cr_expect_eq(totals->found_tok[TIER_HOST], 24);
    cr_expect_eq(world.result.pools[0].prefill_tok, 24 + 40 + 6 + 2);
    /* 240 ms for 24 tokens, then an iteration of 6 */
    cr_expect_float_eq(world.ended[3].ttft_s, 0.24 + 0.016, 1e-6);
    cr_expect_float_eq(world.ended[2].e2e_s, 0.012 + 2 * 0.01, 1e-6, "the fourth did not wait");
    simulation_result_free(&world.result);
}

Test(prefixes, a_tier_that_is_too_small_has_forgotten_the_tail)
{
    struct world world = world_of_tiers();
    world.engine.prefix.tiers[TIER_HOST] = (struct tier_config){.capacity = 7, .counts_ids = true};
    run(&world);
    cr_expect_eq(totals_of(&world)->found_ids[TIER_HOST], 2);
    simulation_result_free(&world.result);
}

Test(prefixes, tiers_are_asked_in_turn_and_load_at_the_same_time)
{
    struct world world = world_of_tiers();
    world.engine.prefix.tiers[TIER_HOST] =
        (struct tier_config){.capacity = 6, .counts_ids = true, .s_per_tok = 0.001};
    world.engine.prefix.tiers[TIER_REMOTE] =
        (struct tier_config){.capacity = INT64_MAX, .latency_s = 0.1, .s_per_tok = 0.01};
    run(&world);
    const struct prefix_totals *totals = totals_of(&world);
    cr_expect_eq(totals->found_tok[TIER_HOST], 8);
    cr_expect_eq(totals->found_tok[TIER_REMOTE], 16);
    cr_expect_float_eq(world.ended[3].ttft_s, 0.1 + 0.16 + 0.016, 1e-6);
    simulation_result_free(&world.result);
}

/* Round robin: the second request comes to the other replica. */
static uint64_t found_on_another_replica(bool shared)
{
    struct world world = {
        .engine = ENGINE(4, 100), .replicas = 2, .arrivals = two_of_a_prefix, .count = 2};
    world.engine.prefix.tiers[TIER_REMOTE] =
        (struct tier_config){.capacity = INT64_MAX, .shared = shared};
    run(&world);
    uint64_t found = totals_of(&world)->found_tok[TIER_REMOTE];
    simulation_result_free(&world.result);
    return found;
}

Test(prefixes, replicas_share_a_remote_store)
{
    cr_expect_eq(found_on_another_replica(true), 16);
    cr_expect_eq(found_on_another_replica(false), 0);
}

/* --- Mooncake's conversation trace --- */

static struct source *open_mooncake(void)
{
    char path[512];
    struct error error = {0};
    if (!test_data_path("traces/requests/mooncake_conversation.jsonl", path, sizeof path))
        cr_skip_test("no shared data");
    struct source *source = trace_open(&(struct trace_options){.path = path}, &error);
    cr_assert(source, "%s", error.message);
    return source;
}

/* The trace's requests, each after the one before has ended. */
struct spaced_source {
    struct source base;
    struct source *inner;
    uint32_t taken;
};

static enum source_status spaced_peek(struct source *source, double *time_s, struct error *error)
{
    struct spaced_source *spaced = (struct spaced_source *)source;
    enum source_status status = source_peek(spaced->inner, time_s, error);
    *time_s = 100.0 * spaced->taken;
    return status;
}

static void spaced_take(struct source *source, struct arrival *arrival)
{
    struct spaced_source *spaced = (struct spaced_source *)source;
    source_take(spaced->inner, arrival);
    arrival->time_s = 100.0 * spaced->taken++;
}

static const struct source_ops spaced_ops = {
    .name = "spaced trace", .peek = spaced_peek, .take = spaced_take};

/* The order in which prefixes are used is the trace's: the tier is an LRU cache of its blocks. */
static uint64_t blocks_found(struct source *source, enum prefix_tier tier, int64_t capacity)
{
    struct world world = {.engine = {.max_sequences = 2,
                                     .max_batch_tokens = 8192,
                                     .block_tok = 16,
                                     .kv_blocks = 8200, /* the longest prompt, and little more */
                                     .max_model_tok = 131072},
                          .replicas = 1};
    world.engine.prefix.tiers[tier] = (struct tier_config){
        .capacity = capacity, .counts_ids = true, .latency_s = 1e-3, .s_per_tok = 1e-9};
    struct spaced_source spaced = {.base = {&spaced_ops}, .inner = source};
    cr_assert(source_rewind(source, NULL));
    run_source(&world, &spaced.base, 1e-4, 1e-9);
    const struct prefix_totals *totals = totals_of(&world);
    cr_assert_eq(totals->ids, 288500);
    cr_assert_gt(totals->found_ids[tier], 0);
    uint64_t found = totals->found_ids[TIER_GPU] + totals->found_ids[tier];
    simulation_result_free(&world.result);
    return found;
}

Test(prefixes, hits_of_mooncakes_trace_are_those_of_its_statistics)
{
    struct source *source = open_mooncake();
    struct trace_stats stats;
    cr_assert(trace_stats_collect(source, &stats, NULL));
    const struct prefix_stats *prefix = &stats.prefix;
    double blocks = (double)prefix->blocks;
    cr_expect_float_eq(prefix->ideal_block_hit_rate, 0.366, 5e-4, "as published");
    cr_expect_eq((double)blocks_found(source, TIER_REMOTE, INT64_MAX) / blocks,
                 prefix->ideal_block_hit_rate);
    for (int i = 0; i < STATS_CACHES; i++)
        cr_expect_eq((double)blocks_found(source, TIER_HOST, stats_cache_blocks[i]) / blocks,
                     prefix->lru_block_hit_rate[i], "LRU of %u blocks", stats_cache_blocks[i]);
    source_destroy(source);
}
