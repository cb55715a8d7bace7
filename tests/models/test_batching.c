/* Kinds of batching, orders of the queue, and ways to take KV memory, against calculations on
 * paper. An iteration takes 10 ms, 1 ms for each decode and 1 ms for each prompt token. */
#include <criterion/criterion.h>

#include "tests/models/hand.h"

#define TIME                                                                                       \
    {                                                                                              \
        .base_s = 10 * MS, .per_sequence_s = 1 * MS, .per_prefill_token_s = 1 * MS                 \
    }

/* By arrival. */
static const struct request_record *record_of(const struct hand *hand, double arrival_s)
{
    for (uint32_t i = 0; i < hand->ended; i++)
        if (fabs(hand->records[i].arrival_s - arrival_s) < 1e-9)
            return &hand->records[i];
    cr_assert_fail("nobody arrived at %g s", arrival_s);
    return NULL;
}

static double end_s(const struct hand *hand, double arrival_s)
{
    return arrival_s + record_of(hand, arrival_s)->e2e_s;
}

static double start_s(const struct hand *hand, double arrival_s)
{
    return arrival_s + record_of(hand, arrival_s)->queue_s;
}

/* --- batches that are served to their end --- */

static const struct arrival three[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 3},
                                       {.time_s = 5 * MS, .prompt_tok = 8, .output_tok = 5},
                                       {.time_s = 6 * MS, .prompt_tok = 2, .output_tok = 1}};

/* A waits for B; both prompts are padded to 8 tokens (5-31 ms); two places decode four times,
 * though A's answer is complete at 55 (31-79 ms). C has no company: it goes when nobody else can
 * come. */
Test(batching, static_batches_wait_are_padded_and_end_together)
{
    struct hand hand = {.time = TIME, .engine = ENGINE(4, 100, 100), .arrivals = three, .count = 3};
    hand.engine.batching =
        (struct batching){.kind = BATCHING_STATIC, .max_batch = 2, .window = TICK_NEVER};
    simulate(&hand);
    expect_s(start_s(&hand, 0), 5 * MS);
    expect_s(record_of(&hand, 0)->ttft_s, 31 * MS);
    expect_s(end_s(&hand, 0), 79 * MS);
    expect_s(end_s(&hand, 5 * MS), 79 * MS);
    expect_s(start_s(&hand, 6 * MS), 79 * MS);
    expect_s(end_s(&hand, 6 * MS), 91 * MS);
    cr_assert_eq(hand.result.pools[0].prefill_tok, 18);
    simulation_result_free(&hand.result);
}

Test(batching, answers_may_be_returned_before_their_batch)
{
    struct hand hand = {.time = TIME, .engine = ENGINE(4, 100, 100), .arrivals = three, .count = 3};
    hand.engine.batching = (struct batching){
        .kind = BATCHING_STATIC, .max_batch = 2, .window = TICK_NEVER, .returned_early = true};
    simulate(&hand);
    expect_s(end_s(&hand, 0), 55 * MS);
    expect_s(end_s(&hand, 5 * MS), 79 * MS);
    expect_s(start_s(&hand, 6 * MS), 79 * MS); /* A's place is not given to C */
    simulation_result_free(&hand.result);
}

/* Four places, but A goes when it has waited for 5.5 ms: with B, without C. */
Test(batching, a_window_ends_the_waiting)
{
    struct hand hand = {.time = TIME, .engine = ENGINE(4, 100, 100), .arrivals = three, .count = 3};
    hand.engine.batching = (struct batching){
        .kind = BATCHING_DYNAMIC, .max_batch = 4, .window = tick_from_s(5.5 * MS)};
    simulate(&hand);
    expect_s(start_s(&hand, 0), 5.5 * MS);
    expect_s(start_s(&hand, 5 * MS), 5.5 * MS);
    expect_s(end_s(&hand, 0), 79.5 * MS);
    expect_s(start_s(&hand, 6 * MS), 79.5 * MS);
    simulation_result_free(&hand.result);
}

/* A: 14 ms and two of 11; B: 18 and four of 11; C: 12. */
Test(batching, none_serves_one_at_a_time)
{
    struct hand hand = {.time = TIME, .engine = ENGINE(4, 100, 100), .arrivals = three, .count = 3};
    hand.engine.batching = (struct batching){.kind = BATCHING_NONE, .max_batch = 1};
    simulate(&hand);
    expect_s(end_s(&hand, 0), 36 * MS);
    expect_s(end_s(&hand, 5 * MS), 98 * MS);
    expect_s(end_s(&hand, 6 * MS), 110 * MS);
    simulation_result_free(&hand.result);
}

/* Each place takes the longest prompt and answer, 13 tokens or four blocks: seven hold one place.
 */
Test(batching, a_batch_is_as_large_as_memory_holds_it_padded)
{
    struct hand hand = {.time = TIME, .engine = ENGINE(4, 100, 7), .arrivals = three, .count = 3};
    hand.engine.batching =
        (struct batching){.kind = BATCHING_STATIC, .max_batch = 4, .window = TICK_NEVER};
    simulate(&hand);
    expect_s(start_s(&hand, 0), 5 * MS); /* B shows that the batch is full */
    expect_s(start_s(&hand, 5 * MS), end_s(&hand, 0));
    cr_assert_leq(hand.result.pools[0].peak_kv, 1);
    simulation_result_free(&hand.result);
}

/* --- decodes first --- */

/* A's prompt to 14 ms, B's to 32; then A decodes, to 54, while C, from 33 ms on, waits; or only up
 * to the boundary at 43, when it has waited for more than 5 ms. */
Test(batching, decodes_that_have_begun_go_first)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 3},
                                       {.time_s = 1 * MS, .prompt_tok = 8, .output_tok = 1},
                                       {.time_s = 33 * MS, .prompt_tok = 2, .output_tok = 1}};
    struct hand hand = {
        .time = TIME, .engine = ENGINE(4, 100, 100), .arrivals = arrivals, .count = 3};
    hand.engine.prefill = PREFILL_DECODE_FIRST;
    hand.engine.decode_first_wait = TICK_NEVER;
    simulate(&hand);
    expect_s(end_s(&hand, 1 * MS), 32 * MS);
    expect_s(end_s(&hand, 0), 54 * MS);
    expect_s(start_s(&hand, 33 * MS), 54 * MS);
    simulation_result_free(&hand.result);

    hand.ended = 0;
    hand.engine.decode_first_wait = tick_from_s(5 * MS);
    simulate(&hand);
    expect_s(start_s(&hand, 33 * MS), 43 * MS);
    simulation_result_free(&hand.result);
}

/* --- KV memory --- */

/* Three requests of 4 + 5 tokens. One takes four blocks of 4 tokens where 16 tokens are the
 * longest, three where its answer is rounded up to 8, three for just what it needs, and two at
 * first if paged. */
Test(batching, stretches_of_memory_hold_fewer_requests_than_blocks)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 5},
                                       {.time_s = 0.25 * MS, .prompt_tok = 4, .output_tok = 5},
                                       {.time_s = 0.5 * MS, .prompt_tok = 4, .output_tok = 5}};
    const struct {
        enum kv_allocation kind;
        int64_t blocks, max_model_tok;
        bool third_waits;
    } cases[] = {{KV_CONTIGUOUS_MAX, 11, 16, true},
                 {KV_CONTIGUOUS_MAX, 12, 16, false},
                 {KV_CONTIGUOUS_POW2, 8, 100, true},
                 {KV_CONTIGUOUS_POW2, 9, 100, false},
                 {KV_CONTIGUOUS_EXACT, 8, 100, true},
                 {KV_CONTIGUOUS_EXACT, 9, 100, false},
                 {KV_PAGED, 6, 100, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hand hand = {.time = TIME,
                            .engine = ENGINE(4, 100, cases[i].blocks),
                            .arrivals = arrivals,
                            .count = 3};
        hand.engine.kv_allocation = cases[i].kind;
        hand.engine.max_model_tok = cases[i].max_model_tok;
        hand.engine.admission = cases[i].kind == KV_PAGED ? ADMIT_PREEMPT : ADMIT_NO_EVICT;
        simulate(&hand);
        bool waits = start_s(&hand, 0.5 * MS) > start_s(&hand, 0.25 * MS) + 1e-9;
        cr_assert_eq(waits, cases[i].third_waits, "case %zu", i);
        simulation_result_free(&hand.result);
    }
}

/* One request of 4 + 5 tokens in 4 blocks; slots taken and held in its four decoding iterations:
 * paged 8, 8, 8, 8 of 5, 6, 7, 8; for the longest, 16 tokens, 16 each time. */
Test(batching, slots_that_are_taken_and_slots_that_hold_a_token)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 5}};
    struct hand hand = {
        .time = TIME, .engine = ENGINE(4, 100, 4), .arrivals = arrivals, .count = 1};
    hand.engine.counts_slots = true;
    simulate(&hand);
    expect_s(hand.result.pools[0].kv_slots_taken, 0.5);
    expect_s(hand.result.pools[0].kv_slots_held, 26.0 / 32);
    simulation_result_free(&hand.result);

    hand.ended = 0;
    hand.engine.kv_allocation = KV_CONTIGUOUS_MAX;
    hand.engine.admission = ADMIT_NO_EVICT;
    hand.engine.max_model_tok = 16;
    simulate(&hand);
    expect_s(hand.result.pools[0].kv_slots_taken, 1);
    expect_s(hand.result.pools[0].kv_slots_held, 26.0 / 64);
    expect_s(hand.result.pools[0].peak_kv, 1);
    simulation_result_free(&hand.result);
}

/* Beside A's two blocks and the one it needs next, one of four is free for B: unless it must stay.
 */
Test(batching, a_watermark_stays_free)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 8, .output_tok = 2},
                                       {.time_s = 1 * MS, .prompt_tok = 4, .output_tok = 1}};
    for (int64_t watermark = 0; watermark <= 1; watermark++) {
        struct hand hand = {
            .time = TIME, .engine = ENGINE(4, 100, 4), .arrivals = arrivals, .count = 2};
        hand.engine.watermark_blocks = watermark;
        simulate(&hand);
        expect_s(start_s(&hand, 1 * MS), watermark ? 29 * MS : 18 * MS);
        simulation_result_free(&hand.result);
    }
}

/* --- who gives way --- */

static const struct arrival two[] = {
    {.time_s = 0, .prompt_tok = 4, .output_tok = 9, .stream = 1},
    {.time_s = 0.5 * MS, .prompt_tok = 4, .output_tok = 5, .stream = 0}};

/* Three blocks. A's prompt to 14 ms, B's beside A's first decode to 29, and A has two blocks. B
 * needs a second one and is swapped out: 1 ms for one block. A decodes to 41 (that 1 ms longer) and
 * on, 11 ms each, to its end at 107; B comes back, 12 ms, and has its other three tokens at 152. */
Test(batching, swapped_blocks_are_copied_out_and_in)
{
    struct hand hand = {.time = TIME, .engine = ENGINE(4, 100, 3), .arrivals = two, .count = 2};
    hand.engine.swap_blocks = 1;
    hand.engine.swap_block_time = fine_from_s(1 * MS);
    simulate(&hand);
    expect_s(end_s(&hand, 0), 107 * MS);
    expect_s(end_s(&hand, 0.5 * MS), 152 * MS);
    cr_assert_eq(hand.result.pools[0].preemptions, 1);
    cr_assert_eq(hand.result.pools[0].swaps, 1);
    simulation_result_free(&hand.result);

    /* No room in host memory: its five tokens are computed again, 15 ms instead of 12. */
    hand.ended = 0;
    hand.engine.swap_blocks = 0;
    simulate(&hand);
    expect_s(end_s(&hand, 0), 106 * MS);
    expect_s(end_s(&hand, 0.5 * MS), 154 * MS);
    cr_assert_eq(hand.result.pools[0].swaps, 0);
    simulation_result_free(&hand.result);
}

/* The same two, and B's class goes first: A gives way, though it came first. */
Test(batching, the_lowest_priority_gives_way)
{
    const struct class_traits traits[] = {{.priority = 0}, {.priority = 1}};
    struct hand hand = {
        .time = TIME, .engine = ENGINE(4, 100, 3), .arrivals = two, .count = 2, .traits = traits};
    hand.engine.queue_order = ORDER_PRIORITY;
    simulate(&hand);
    cr_assert_eq(record_of(&hand, 0)->preemptions, 1);
    cr_assert_eq(record_of(&hand, 0.5 * MS)->preemptions, 0);
    expect_s(end_s(&hand, 0.5 * MS), (29 + 4 * 11) * MS);
    simulation_result_free(&hand.result);
}

/* --- who goes first --- */

/* One at a time; B, C and D wait for A. */
static const struct arrival four[] = {
    {.time_s = 0, .prompt_tok = 4, .output_tok = 1, .stream = 1},
    {.time_s = 1 * MS, .prompt_tok = 9, .output_tok = 3, .stream = 1},
    {.time_s = 2 * MS, .prompt_tok = 6, .output_tok = 2, .stream = 0},
    {.time_s = 3 * MS, .prompt_tok = 7, .output_tok = 1, .stream = 1}};

static void expect_order(enum queue_order order, const char *expected)
{
    const struct class_traits traits[] = {
        {.priority = 0, .tenant = 0, .tenant_weight = 1, .deadline = tick_from_s(1 * MS)},
        {.priority = 1, .tenant = 1, .tenant_weight = 1, .deadline = tick_from_s(9 * MS)}};
    struct hand hand = {.time = TIME,
                        .engine = ENGINE(1, 100, 100),
                        .arrivals = four,
                        .count = 4,
                        .traits = traits};
    hand.engine.queue_order = order;
    simulate(&hand);
    char ends[5] = "";
    for (uint32_t i = 0; i < hand.ended; i++)
        ends[i] = (char)('A' + (int)lround(hand.records[i].arrival_s / MS));
    cr_assert_str_eq(ends, expected, "%s", queue_order_names[order]);
    simulation_result_free(&hand.result);
}

Test(batching, each_order_has_its_first)
{
    expect_order(ORDER_FCFS, "ABCD");
    expect_order(ORDER_SHORTEST_PROMPT, "ACDB");
    expect_order(ORDER_SHORTEST_OUTPUT, "ADCB");
    expect_order(ORDER_EARLIEST_DEADLINE, "ACBD"); /* C's is at 3 ms, B's at 10 */
    expect_order(ORDER_PRIORITY, "ACBD");
    expect_order(ORDER_FAIR, "ACBD");
}

/* Six of one tenant at once, then two of another; 14 ms each, and a charge of 4 for the prompt and
 * 2 for the token. The newcomer starts where the first tenant is, at 4; at 14 ms that one is at 6.
 * So its requests are second and fourth; with four times the weight, second and third. */
Test(batching, tenants_take_turns_by_what_they_were_charged)
{
    struct arrival arrivals[8];
    for (int i = 0; i < 8; i++)
        arrivals[i] = (struct arrival){.time_s = i < 6 ? i * 1e-6 : 1 * MS + i * 1e-6,
                                       .prompt_tok = 4,
                                       .output_tok = 1,
                                       .stream = i < 6 ? 0 : 1};
    for (int weight = 1; weight <= 4; weight += 3) {
        const struct class_traits traits[] = {{.tenant = 0, .tenant_weight = 1},
                                              {.tenant = 1, .tenant_weight = weight}};
        struct hand hand = {.time = TIME,
                            .engine = ENGINE(1, 100, 100),
                            .arrivals = arrivals,
                            .count = 8,
                            .traits = traits};
        hand.engine.queue_order = ORDER_FAIR;
        simulate(&hand);
        expect_s(start_s(&hand, arrivals[6].time_s), 14 * MS);
        expect_s(start_s(&hand, arrivals[7].time_s), (weight == 1 ? 42 : 28) * MS);
        simulation_result_free(&hand.result);
    }
}

/* SGLang's estimate: beside A's 59 tokens to come, B's 60 do not fit in 100; what counts at most 10
 * does. */
Test(batching, an_answer_counts_no_more_than_the_cap)
{
    const struct arrival arrivals[] = {{.time_s = 0, .prompt_tok = 4, .output_tok = 60},
                                       {.time_s = 1 * MS, .prompt_tok = 4, .output_tok = 60}};
    for (uint32_t cap = 0; cap <= 10; cap += 10) {
        struct hand hand = {
            .time = TIME, .engine = ENGINE(4, 100, 25), .arrivals = arrivals, .count = 2};
        hand.engine.admission = ADMIT_ESTIMATE;
        hand.engine.output_share = (struct output_share){OUTPUT_SHARE_ONE, OUTPUT_SHARE_ONE, 0};
        hand.engine.answer_cap_tok = cap;
        simulate(&hand);
        if (cap == 0)
            expect_s(start_s(&hand, 1 * MS), end_s(&hand, 0));
        else
            expect_s(start_s(&hand, 1 * MS), 14 * MS);
        simulation_result_free(&hand.result);
    }
}
