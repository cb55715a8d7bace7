/* Tokens of an iteration that verifies drafts, and what an engine makes of them. */
#include "models/engine/speculation.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/fleet/simulation.h"
#include "tests/models/arrivals.h"

#define MS 1e-3

static struct speculative_settings settings_of(int64_t tokens, double *acceptance, size_t count)
{
    return (struct speculative_settings){.method = DRAFT_NGRAM,
                                         .tokens = tokens,
                                         .acceptance = {acceptance, count},
                                         .draft_tensor_parallel = INT64_MIN,
                                         .draft_weights = -1,
                                         .disable_by_batch_size = INT64_MIN};
}

/* Leviathan et al. (2023), equation 1: (1 - a^(k + 1)) / (1 - a). */
Test(speculation, tokens_per_step_are_those_of_the_paper)
{
    double alike = 0.8;
    struct speculative_settings settings = settings_of(4, &alike, 1);
    cr_assert_float_eq(speculative_tokens_per_step(&settings), (1 - pow(0.8, 5)) / 0.2, 1e-12);
    cr_assert_float_eq(speculative_tokens_per_step(&settings), 3.3616, 1e-12);
    double by_position[] = {0.9, 0.5};
    settings = settings_of(3, by_position, 2);
    cr_assert_float_eq(speculative_tokens_per_step(&settings), 1 + 0.9 + 0.45 + 0.225, 1e-12);
}

Test(speculation, an_engine_gets_a_pace_and_places_for_drafts)
{
    double half = 0.5;
    struct speculative_settings settings = settings_of(3, &half, 1);
    struct speculation speculation = speculation_of(&settings);
    cr_assert_eq(speculation.pace.per_turn, 15 * PACE_ONE / 8); /* 1.875 */
    cr_assert_eq(speculation.draft_tok, 3);
    cr_assert_eq(speculation.ahead_tok, 3);
    cr_assert_eq(speculation.most_decodes, INT64_MAX);
    settings.disable_by_batch_size = 8;
    cr_assert_eq(speculation_of(&settings).most_decodes, 7);
}

static void expect_refused(const struct speculative_settings *settings, const char *word)
{
    struct error error = {0};
    cr_assert_not(speculative_check(settings, &error));
    cr_assert(strstr(error.message, word), "%s", error.message);
    cr_assert(error.hint[0]);
}

Test(speculation, contradictions_are_refused)
{
    double acceptance[] = {0.9, 0.8, 0.7};
    struct speculative_settings settings = settings_of(2, acceptance, 3);
    expect_refused(&settings, "3 positions");
    settings = settings_of(3, acceptance, 3);
    cr_assert(speculative_check(&settings, NULL));
    settings.draft_model = "llama-3.2-1b";
    expect_refused(&settings, "draft_model is for method");
    settings.method = DRAFT_MODEL;
    cr_assert(speculative_check(&settings, NULL));
    settings.draft_model = NULL;
    expect_refused(&settings, "needs a draft_model");
}

struct seen {
    struct request_record records[4];
    uint32_t count;
};

static void keep(void *context, const struct request_record *record)
{
    struct seen *seen = context;
    seen->records[seen->count++] = *record;
}

/* Every iteration takes 10 ms. */
static struct simulation_result simulate(struct speculation speculation,
                                         const struct arrival *arrivals, size_t count,
                                         struct seen *seen)
{
    static const struct class_rule all = CLASS_RULE_ALL("all");
    static const struct router_config router = {.policy = {.index = 0}};
    const struct steptime_given given = {.base_s = 10 * MS};
    struct steptime *steptime = steptime_compile_given(&given, 4, 64, 4000, NULL);
    struct engine_config engine = {.steptime = steptime,
                                   .max_sequences = 4,
                                   .max_batch_tokens = 64,
                                   .block_tok = 4,
                                   .kv_blocks = 1000,
                                   .max_model_tok = 4000,
                                   .chunked_prefill = true,
                                   .speculation = speculation};
    struct pool_spec pool = {.name = "p", .engine = &engine, .replicas = 1, .weight = 1};
    struct list_source source = LIST_SOURCE(arrivals, count);
    struct simulation_spec spec = {.source = &source.source,
                                   .pools = &pool,
                                   .pool_count = 1,
                                   .router = &router,
                                   .classes = &all,
                                   .class_count = 1,
                                   .horizon_s = INFINITY,
                                   .observer = {.context = seen, .request = keep}};
    struct simulation_result result;
    cr_assert(simulation_run(&spec, &result, NULL));
    steptime_destroy(steptime);
    return result;
}

/* 336.16 tokens after the first take 100 iterations at 3.3616, and one for the rest of 337. */
Test(speculation, an_answer_takes_as_many_iterations_as_its_tokens_need)
{
    double alike = 0.8;
    struct speculative_settings settings = settings_of(4, &alike, 1);
    const struct arrival arrivals[] = {{.prompt_tok = 8, .output_tok = 337},
                                       {.prompt_tok = 8, .output_tok = 338}};
    struct seen seen = {0};
    struct simulation_result result = simulate(speculation_of(&settings), arrivals, 2, &seen);
    cr_assert_float_eq(seen.records[0].e2e_s, 1010 * MS, 1e-9);
    cr_assert_float_eq(seen.records[1].e2e_s, 1020 * MS, 1e-9);
    cr_assert_float_eq(seen.records[0].tpot_s, 1000 * MS / 336, 1e-9);
    const struct pool_result *pool = &result.pools[0];
    double per_step = (double)pool->verified_tok / (double)pool->verified;
    cr_assert_float_eq(per_step, 3.3616, 0.01);
    cr_assert_eq(pool->itl.count, 201, "gaps between iterations, not tokens");
    simulation_result_free(&result);
}

/* Of 3 accepted tokens the second answer needs one: it emits no more, and the blocks are free. */
Test(speculation, an_answer_ends_with_its_last_token)
{
    double all = 1;
    struct speculative_settings settings = settings_of(2, &all, 1);
    const struct arrival arrivals[] = {{.prompt_tok = 4, .output_tok = 4},
                                       {.prompt_tok = 4, .output_tok = 2}};
    struct seen seen = {0};
    struct simulation_result result = simulate(speculation_of(&settings), arrivals, 2, &seen);
    cr_assert_eq(result.window_output_tok, 6);
    for (int i = 0; i < 2; i++)
        cr_assert_float_eq(seen.records[i].e2e_s, 20 * MS, 1e-9);
    simulation_result_free(&result);
}

/* Two decode at once, and so draft nothing, until one of them has ended. */
Test(speculation, large_batches_draft_nothing)
{
    double all = 1;
    struct speculative_settings settings = settings_of(1, &all, 1);
    settings.disable_by_batch_size = 2;
    const struct arrival arrivals[] = {{.prompt_tok = 4, .output_tok = 11},
                                       {.prompt_tok = 4, .output_tok = 31}};
    struct seen seen = {0};
    struct simulation_result result = simulate(speculation_of(&settings), arrivals, 2, &seen);
    cr_assert_float_eq(seen.records[0].e2e_s, 110 * MS, 1e-9);
    cr_assert_float_eq(seen.records[1].e2e_s, 210 * MS, 1e-9); /* 10 iterations, 10 with drafts */
    cr_assert_eq(result.pools[0].verified, 10);
    simulation_result_free(&result);
}
