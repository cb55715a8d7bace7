/* One engine, driven by hand: batches and times against calculations on paper. */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/models/hand.h"

/* Budget 10 tokens, 2 sequences; an iteration takes 10 ms + 1 ms for each decode + 1 ms for each
 * prompt token. A (8 prompt, 3 output) arrives at 0, B (6, 2) at 1 ms, C (2, 1) at 2 ms.
 *
 *   0 .. 18 ms   A's prompt, 8 tokens                        A's 1st token at 18
 *  18 .. 35 ms   A decodes (1), B's prompt, 6 tokens         A's 2nd, B's 1st at 35; no room for C
 *  35 .. 47 ms   A and B decode                              A's 3rd, B's 2nd at 47: both end
 *  47 .. 59 ms   C's prompt, 2 tokens                        C's only token at 59 */
Test(engine, batches_as_calculated_by_hand)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 8, .output_tok = 3},
                                       {.time_s = 1 * MS, .prompt_tok = 6, .output_tok = 2},
                                       {.time_s = 2 * MS, .prompt_tok = 2, .output_tok = 1}};
    struct hand hand = {
        .time = {.base_s = 10 * MS, .per_sequence_s = 1 * MS, .per_prefill_token_s = 1 * MS},
        .engine = ENGINE(2, 10, 100),
        .arrivals = arrivals,
        .count = 3};
    simulate(&hand);
    cr_assert_eq(hand.ended, 3);
    expect_s(hand.records[0].ttft_s, 18 * MS);
    expect_s(hand.records[0].e2e_s, 47 * MS);
    expect_s(hand.records[0].tpot_s, 14.5 * MS);
    expect_s(hand.records[1].queue_s, 17 * MS);
    expect_s(hand.records[1].ttft_s, 34 * MS);
    expect_s(hand.records[1].tpot_s, 12 * MS);
    expect_s(hand.records[2].queue_s, 45 * MS);
    expect_s(hand.records[2].e2e_s, 57 * MS);
    cr_assert(isnan(hand.records[2].tpot_s));
    cr_assert_eq(hand.result.iterations, 4);
    simulation_result_free(&hand.result);
}

/* A prompt longer than the budget is computed in chunks beside the decodes: A (4, 9) decodes; B's
 * 14 tokens take 9 of the budget of 10, then 5, and C's 3 share that iteration. */
Test(engine, splits_a_long_prompt_and_fills_the_budget_behind_it)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 9},
                                       {.time_s = 1 * MS, .prompt_tok = 14, .output_tok = 2},
                                       {.time_s = 2 * MS, .prompt_tok = 3, .output_tok = 2}};
    struct hand hand = {.time = {.base_s = 10 * MS, .per_prefill_token_s = 1 * MS},
                        .engine = ENGINE(4, 10, 100),
                        .arrivals = arrivals,
                        .count = 3};
    simulate(&hand);
    /* 0-14 A's prompt; 14-33 A + 9 of B; 33-51 A + 5 of B + 3 of C; from then on all decode */
    expect_s(hand.records[0].ttft_s, 50 * MS); /* B */
    expect_s(hand.records[0].e2e_s, 60 * MS);
    expect_s(hand.records[1].ttft_s, 49 * MS); /* C */
    expect_s(hand.records[2].ttft_s, 14 * MS); /* A */
    simulation_result_free(&hand.result);
}

/* Whole prompts share an iteration up to 8 tokens: A (5) and B (3) do, C's 12 go alone, and D's 3
 * after them, though the budget of 100 holds all. */
Test(engine, whole_prompts_share_an_iteration_up_to_a_limit)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 5, .output_tok = 1},
                                       {.time_s = 0, .prompt_tok = 3, .output_tok = 1},
                                       {.time_s = 0, .prompt_tok = 12, .output_tok = 1},
                                       {.time_s = 0, .prompt_tok = 3, .output_tok = 1}};
    struct hand hand = {.time = {.base_s = 10 * MS, .per_prefill_token_s = 1 * MS},
                        .engine = ENGINE(4, 100, 100),
                        .arrivals = arrivals,
                        .count = 4};
    hand.engine.chunked_prefill = false;
    hand.engine.prompt_batch_tok = 8;
    simulate(&hand);
    cr_assert_eq(hand.result.iterations, 3);
    expect_s(hand.records[1].ttft_s, 18 * MS);
    expect_s(hand.records[2].ttft_s, 40 * MS);
    expect_s(hand.records[3].ttft_s, 53 * MS);
    simulation_result_free(&hand.result);
}

/* The same three when prompts go first; decodes stall meanwhile.
 *
 *   0 .. 18 ms   A's prompt, 8 tokens                        A's 1st token at 18
 *  18 .. 34 ms   B's prompt, 6 tokens                        B's 1st at 34; no room for C
 *  34 .. 46 ms   A and B decode                              A's 2nd, B's 2nd at 46: B ends
 *  46 .. 58 ms   C's prompt, 2 tokens                        C's only token at 58
 *  58 .. 69 ms   A decodes                                   A's 3rd at 69 */
Test(engine, prompts_go_first_and_decodes_stall)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 8, .output_tok = 3},
                                       {.time_s = 1 * MS, .prompt_tok = 6, .output_tok = 2},
                                       {.time_s = 2 * MS, .prompt_tok = 2, .output_tok = 1}};
    struct hand hand = {
        .time = {.base_s = 10 * MS, .per_sequence_s = 1 * MS, .per_prefill_token_s = 1 * MS},
        .engine = ENGINE(2, 10, 100),
        .arrivals = arrivals,
        .count = 3};
    hand.engine.prefill = PREFILL_FIRST;
    simulate(&hand);
    expect_s(hand.records[0].ttft_s, 33 * MS); /* B */
    expect_s(hand.records[0].e2e_s, 45 * MS);
    expect_s(hand.records[1].queue_s, 44 * MS); /* C */
    expect_s(hand.records[1].e2e_s, 56 * MS);
    expect_s(hand.records[2].ttft_s, 18 * MS); /* A */
    expect_s(hand.records[2].e2e_s, 69 * MS);
    /* the gaps: A's 18-46 and 46-69, B's 34-46 */
    const struct histogram *itl = &hand.result.pools[0].itl;
    cr_assert_eq(itl->count, 3);
    expect_s(tick_to_s(itl->max), 28 * MS);
    expect_s(tick_to_s(itl->min), 12 * MS);
    expect_s((double)itl->sum / FINE_PER_S, 63 * MS);
    simulation_result_free(&hand.result);
}

/* Of B's 14 tokens 11 are in the cache, 2 blocks of them whole: 6 are computed, beside A's decode
 * and C's 3 tokens in a budget of 10. C's 3 are cached, too, but fill no block. */
static struct hand run_with_cached_prompts(bool keeps_blocks)
{
    static const struct arrival arrivals[] = {
        {.time_s = 0, .prompt_tok = 4, .output_tok = 9},
        {.time_s = 1 * MS, .prompt_tok = 14, .output_tok = 2, .cached_tok = 11},
        {.time_s = 2 * MS, .prompt_tok = 3, .output_tok = 2, .cached_tok = 3}};
    struct hand hand = {.time = {.base_s = 10 * MS, .per_prefill_token_s = 1 * MS},
                        .engine = ENGINE(4, 10, 8),
                        .arrivals = arrivals,
                        .count = 3};
    hand.engine.keeps_blocks = keeps_blocks;
    simulate(&hand);
    return hand;
}

Test(engine, computes_only_the_rest_of_a_cached_prompt)
{
    struct hand hand = run_with_cached_prompts(true);
    /* 0-14 A's prompt; 14-33 A + 6 of B + 3 of C */
    expect_s(hand.records[0].ttft_s, 32 * MS); /* B */
    expect_s(hand.records[1].ttft_s, 31 * MS); /* C */
    cr_assert_eq(hand.result.pools[0].prefill_tok, 4 + 6 + 3);
    /* 2 blocks of A, 4 of B, 1 of C: what is cached takes room, too */
    cr_assert_float_eq(hand.result.pools[0].peak_kv, 7 / 8.0, 1e-12);
    simulation_result_free(&hand.result);
}

Test(engine, computes_all_of_a_prompt_without_a_prefix_cache)
{
    struct hand hand = run_with_cached_prompts(false);
    expect_s(hand.records[0].ttft_s, 50 * MS);
    cr_assert_eq(hand.result.pools[0].prefill_tok, 4 + 14 + 3);
    simulation_result_free(&hand.result);
}

/* Whether 13 of its 16 tokens are cached or all: 4 are computed, the last block. */
Test(engine, computes_at_least_the_last_token)
{
    const struct arrival arrivals[] = {
        {.time_s = 0, .prompt_tok = 16, .output_tok = 1, .cached_tok = 13},
        {.time_s = 1, .prompt_tok = 16, .output_tok = 1, .cached_tok = 16}};
    struct hand hand = {.time = {.base_s = 10 * MS, .per_prefill_token_s = 1 * MS},
                        .engine = ENGINE(4, 100, 8),
                        .arrivals = arrivals,
                        .count = 2};
    hand.engine.keeps_blocks = true;
    simulate(&hand);
    expect_s(hand.records[0].ttft_s, 14 * MS);
    expect_s(hand.records[1].ttft_s, 14 * MS);
    simulation_result_free(&hand.result);
}

/* 4 blocks of 4 tokens, and all 13 tokens of a request set aside: B waits until A has gone. */
Test(engine, sets_aside_blocks_for_the_whole_answer)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 7, .output_tok = 6},
                                       {.time_s = 0, .prompt_tok = 7, .output_tok = 6}};
    struct hand hand = {
        .time = {.base_s = 10 * MS}, .engine = ENGINE(4, 100, 4), .arrivals = arrivals, .count = 2};
    hand.engine.admission = ADMIT_NO_EVICT;
    simulate(&hand);
    cr_assert_eq(hand.result.pools[0].preemptions, 0);
    expect_s(hand.records[0].e2e_s, 60 * MS);
    expect_s(hand.records[1].queue_s, 60 * MS);
    expect_s(hand.records[1].e2e_s, 120 * MS);
    simulation_result_free(&hand.result);
}

/* When B is let in while A, 10 tokens in the cache and 10 more to answer, decodes. 40 tokens of
 * cache less A's 10 and its next leave 29 for B's prompt, answer and a page: 19. The other 10 must
 * be more than the share of what A has to answer. */
static double wait_of_b_s(int64_t share)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 10, .output_tok = 11},
                                       {.time_s = 5 * MS, .prompt_tok = 8, .output_tok = 10}};
    struct hand hand = {.time = {.base_s = 10 * MS},
                        .engine = ENGINE(4, 100, 40),
                        .arrivals = arrivals,
                        .count = 2};
    hand.engine.block_tok = 1;
    hand.engine.admission = ADMIT_ESTIMATE;
    hand.engine.output_share = (struct output_share){.start = share, .least = share};
    simulate(&hand);
    simulation_result_free(&hand.result);
    return hand.records[1].queue_s;
}

Test(engine, keeps_free_a_share_of_what_others_will_answer)
{
    expect_s(wait_of_b_s(OUTPUT_SHARE_ONE / 2), 5 * MS);
    expect_s(wait_of_b_s(OUTPUT_SHARE_ONE), 105 * MS); /* A's end */
}

/* A decodes from 10 ms on, B's 4 tokens arrive at 12 ms. They wait from 20 ms for 10 tokens in the
 * batch, A's own among them, but 3 iterations at most; C's 6 would do. */
static double wait_of_b_for_c_s(double c_arrives_s)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 9},
                                       {.time_s = 12 * MS, .prompt_tok = 4, .output_tok = 1},
                                       {.time_s = c_arrives_s, .prompt_tok = 6, .output_tok = 1}};
    struct hand hand = {.time = {.base_s = 10 * MS},
                        .engine = ENGINE(4, 20, 100),
                        .arrivals = arrivals,
                        .count = 3};
    hand.engine.admission = ADMIT_NO_EVICT;
    hand.engine.batch_wait_iterations = 3;
    hand.engine.batch_wait_tok = 10;
    simulate(&hand);
    simulation_result_free(&hand.result);
    return hand.records[0].queue_s;
}

Test(engine, prompts_wait_for_a_fuller_batch)
{
    expect_s(wait_of_b_for_c_s(200 * MS), 38 * MS); /* 3 iterations from 20 ms on */
    expect_s(wait_of_b_for_c_s(31 * MS), 28 * MS);  /* until C is there, at 40 ms */
}

/* 4 blocks of 4 tokens. A (7, 6) and B (7, 6) take 2 blocks each; both need a third block to
 * compute position 8. A gets it, B, the later one, is preempted, and computes 7 + 2 tokens again
 * when A has gone: its third token comes out of that. */
Test(engine, preempts_the_latest_and_recomputes_it)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 7, .output_tok = 6},
                                       {.time_s = 0, .prompt_tok = 7, .output_tok = 6}};
    struct hand hand = {
        .time = {.base_s = 10 * MS}, .engine = ENGINE(4, 100, 4), .arrivals = arrivals, .count = 2};
    simulate(&hand);
    cr_assert_eq(hand.result.pools[0].preemptions, 1);
    cr_assert_eq(hand.records[0].preemptions, 0);
    expect_s(hand.records[0].e2e_s, 60 * MS);
    /* B: tokens at 10 and 20; A ends at 60; tokens 3 to 6 at 70, 80, 90, 100 */
    expect_s(hand.records[1].ttft_s, 10 * MS);
    expect_s(hand.records[1].e2e_s, 100 * MS);
    cr_assert_eq(hand.result.pools[0].prefill_tok, 7 + 7 + 9);
    /* the gap of 50 ms between B's second and third token is an inter-token latency */
    cr_assert_eq(hand.result.pools[0].itl.count, 10);
    expect_s(tick_to_s(hand.result.pools[0].itl.max), 50 * MS);
    cr_assert_float_eq(hand.result.pools[0].peak_kv, 1, 1e-12);
    simulation_result_free(&hand.result);
}

/* The whole prompt's blocks must be free before the first chunk is admitted. */
Test(engine, admits_only_when_the_whole_prompt_fits)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 8, .output_tok = 4},
                                       {.time_s = 0, .prompt_tok = 12, .output_tok = 1}};
    struct hand hand = {
        .time = {.base_s = 10 * MS}, .engine = ENGINE(4, 10, 4), .arrivals = arrivals, .count = 2};
    simulate(&hand);
    expect_s(hand.records[0].e2e_s, 40 * MS);
    expect_s(hand.records[1].queue_s, 40 * MS);
    expect_s(hand.records[1].ttft_s, 60 * MS);
    cr_assert_eq(hand.result.pools[0].preemptions, 0);
    simulation_result_free(&hand.result);
}

Test(engine, without_chunking_a_prompt_waits_for_a_budget_that_holds_it)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 6, .output_tok = 1},
                                       {.time_s = 0, .prompt_tok = 6, .output_tok = 1}};
    struct hand hand = {.time = {.base_s = 10 * MS},
                        .engine = {.max_sequences = 4,
                                   .max_batch_tokens = 10,
                                   .block_tok = 4,
                                   .kv_blocks = 40,
                                   .chunked_prefill = false},
                        .arrivals = arrivals,
                        .count = 2};
    simulate(&hand);
    expect_s(hand.records[0].e2e_s, 10 * MS);
    expect_s(hand.records[1].e2e_s, 20 * MS);
    simulation_result_free(&hand.result);
}

/* vLLM's rules for what it can never serve: longer than the model or the cache allows. */
Test(engine, accepts_what_it_can_ever_serve)
{
    const struct engine_config config = {.max_sequences = 4,
                                         .max_batch_tokens = 16,
                                         .block_tok = 4,
                                         .kv_blocks = 8,
                                         .max_model_tok = 30,
                                         .chunked_prefill = true};
    cr_assert(engine_accepts(&config, 20, 10));
    cr_assert_not(engine_accepts(&config, 20, 11), "beyond max_model_tok");
    struct engine_config small = config;
    small.kv_blocks = 7; /* 28 tokens; the last of 30 is never cached */
    cr_assert(engine_accepts(&small, 20, 9));
    cr_assert_not(engine_accepts(&small, 20, 10), "beyond the KV cache");
    struct engine_config whole = config;
    whole.chunked_prefill = false;
    cr_assert(engine_accepts(&whole, 16, 1));
    cr_assert_not(engine_accepts(&whole, 17, 1), "beyond the token budget, unchunked");
    whole.admission = ADMIT_NO_EVICT;
    cr_assert(engine_accepts(&whole, 16, 12), "nothing is ever recomputed");
    small.admission = ADMIT_NO_EVICT;
    cr_assert_not(engine_accepts(&small, 20, 9), "the last token counts, too");
    small.admission = ADMIT_ESTIMATE;
    cr_assert(engine_accepts(&small, 20, 3));
    cr_assert_not(engine_accepts(&small, 20, 4), "and so does a page for rounding");
}

Test(engine, what_is_not_over_at_the_horizon_is_in_flight)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 100},
                                       {.time_s = 0, .prompt_tok = 4, .output_tok = 2}};
    struct hand hand = {.time = {.base_s = 10 * MS},
                        .engine = ENGINE(4, 10, 400),
                        .arrivals = arrivals,
                        .count = 2,
                        .horizon_s = 0.055};
    simulate(&hand);
    cr_assert_eq(hand.result.completed, 1);
    cr_assert_eq(hand.result.in_flight, 1);
    expect_s(hand.result.end_s, 0.055);
    expect_s(hand.result.pools[0].busy_s, 0.055);
    simulation_result_free(&hand.result);
}

/* What arrived during the warm-up is not measured, but counts as work done once it is over; the
 * iterations that began before it ended are in no latency. */
Test(engine, warm_up_is_simulated_and_not_measured)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 10},
                                       {.time_s = 0.05, .prompt_tok = 4, .output_tok = 2}};
    struct hand hand = {.time = {.base_s = 10 * MS},
                        .engine = ENGINE(4, 10, 400),
                        .arrivals = arrivals,
                        .count = 2,
                        .warmup_s = 0.045};
    simulate(&hand);
    cr_assert_eq(hand.result.by_class->completed, 1);
    cr_assert_eq(hand.result.window_completed, 2);
    cr_assert_eq(hand.result.window_output_tok, 12);
    /* the iterations from 50 ms on: 60 ms (one decode), 70 (two, one of them no first token) ... */
    cr_assert_eq(hand.result.pools[0].itl.count, 6);
    expect_s(hand.result.measured_s, 0.055);
    simulation_result_free(&hand.result);
}
