#include "tests/workloads/workload_support.h"
#include "workloads/trace.h"

/* Ten requests, a second apart from 0 s on; prompts 10, 20, ... 100, outputs 1 ... 10. */
static const char *ten_requests(void)
{
    static char path[256];
    char text[1024] = "arrived_at,num_prefill_tokens,num_decode_tokens\n";
    for (int i = 0; i < 10; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d,%d,%d\n", i, 10 * (i + 1),
                 i + 1);
    test_write_file("ten.csv", text, strlen(text), path, sizeof path);
    return path;
}

enum { MAX = 100 };

/* What is left of the ten after `more`. */
static size_t transform(const char *more, struct arrival arrivals[MAX])
{
    char json[1024];
    snprintf(json, sizeof json, "{'trace': {'path': '%s'}, %s}", ten_requests(), more);
    struct test_workload workload = test_workload_open(json, 1);
    enum source_status last;
    size_t count = test_take(workload.source, arrivals, MAX, &last);
    cr_assert_eq(last, count == MAX ? SOURCE_READY : SOURCE_END);
    test_workload_close(&workload);
    return count;
}

Test(transform, window_keeps_a_stretch_and_shifts_it)
{
    struct arrival arrivals[MAX];
    cr_assert_eq(transform("'window_s': [3, 7]", arrivals), 4);
    cr_assert(arrivals[0].time_s == 0 && arrivals[0].prompt_tok == 40);
    cr_assert(arrivals[3].time_s == 3 && arrivals[3].prompt_tok == 70);
    cr_assert_eq(transform("'window_s': [8, null]", arrivals), 2);
    cr_assert_eq(transform("'window_s': [null, 1.5]", arrivals), 2);
    cr_assert_eq(transform("'window_s': [50, 60]", arrivals), 0);
}

Test(transform, a_stream_may_start_later)
{
    struct arrival arrivals[MAX];
    cr_assert_eq(transform("'duration_s': 3, 'start_s': 100", arrivals), 3);
    cr_assert(arrivals[0].time_s == 100 && arrivals[0].prompt_tok == 10);
    cr_assert_eq(arrivals[2].time_s, 102);
}

Test(transform, filter_leaves_out_by_length)
{
    struct arrival arrivals[MAX];
    cr_assert_eq(transform("'filter': {'prompt_tok': [30, 80], 'output_tok': [5, null]}", arrivals),
                 4);
    cr_assert(arrivals[0].time_s == 4 && arrivals[0].prompt_tok == 50);
    cr_assert(arrivals[3].time_s == 7 && arrivals[3].prompt_tok == 80);
}

Test(transform, clip_moves_lengths_to_the_bounds)
{
    struct arrival arrivals[MAX];
    cr_assert_eq(transform("'clip': {'prompt_tok': [25, 75], 'output_tok': [null, 3]}", arrivals),
                 10);
    cr_assert_eq(arrivals[0].prompt_tok, 25);
    cr_assert_eq(arrivals[4].prompt_tok, 50);
    cr_assert_eq(arrivals[9].prompt_tok, 75);
    cr_assert_eq(arrivals[1].output_tok, 2);
    cr_assert_eq(arrivals[9].output_tok, 3);
}

Test(transform, rates_scale_time)
{
    struct arrival arrivals[MAX];
    cr_assert_eq(transform("'rate_scale': 4", arrivals), 10);
    cr_assert_float_eq(arrivals[9].time_s, 2.25, 1e-12);
    cr_assert_eq(transform("'rate_per_s': 0.5", arrivals), 10);
    cr_assert_float_eq(arrivals[9].time_s, 18, 1e-12);
}

Test(transform, repeats_follow_after_the_mean_interval)
{
    struct arrival arrivals[MAX];
    cr_assert_eq(transform("'repeat': 3", arrivals), 30);
    for (size_t i = 0; i < 30; i++) {
        cr_assert_float_eq(arrivals[i].time_s, (double)i, 1e-9);
        cr_assert_eq(arrivals[i].prompt_tok, 10 * (i % 10 + 1));
    }
}

Test(transform, order_is_fixed)
{
    struct arrival arrivals[MAX];
    /* Window 2..8 s (prompts 30 to 80), filter 40 to 80 (5 requests at 1 to 5 s), twice as fast
     * (0.5 to 2.5 s, mean interval 0.5 s), twice (period 2.5 s), the first 7. */
    cr_assert_eq(transform("'limit': 7, 'repeat': 2, 'rate_scale': 2, 'clip': {'prompt_tok': "
                           "[null, 60]}, 'filter': {'prompt_tok': [40, null]}, 'window_s': [2, 8]",
                           arrivals),
                 7);
    cr_assert_float_eq(arrivals[0].time_s, 0.5, 1e-12);
    cr_assert_float_eq(arrivals[4].time_s, 2.5, 1e-12);
    cr_assert_float_eq(arrivals[5].time_s, 3.0, 1e-12);
    cr_assert_eq(arrivals[0].prompt_tok, 40);
    cr_assert_eq(arrivals[4].prompt_tok, 60);
    cr_assert_eq(arrivals[6].prompt_tok, 50);
}

Test(transform, limit_and_duration_end_the_stream)
{
    struct arrival arrivals[MAX];
    cr_assert_eq(transform("'limit': 4", arrivals), 4);
    cr_assert_eq(transform("'limit': 400", arrivals), 10);
    cr_assert_eq(transform("'duration_s': 2.5", arrivals), 3);
    cr_assert_eq(transform("'repeat': 100, 'limit': 35", arrivals), 35);
}

Test(transform, repeated_sessions_are_new_ones)
{
    static const char text[] = "{\"session_id\": \"a\", \"timestamp\": 0, \"input_length\": 5, "
                               "\"output_length\": 1}\n{\"session_id\": \"b\", \"timestamp\": "
                               "1000, \"input_length\": 6, \"output_length\": 2}\n";
    char path[256], json[512];
    test_write_file("sessions.jsonl", text, sizeof text - 1, path, sizeof path);
    snprintf(json, sizeof json, "{'trace': {'path': '%s', 'format': 'aiperf'}, 'repeat': 3}", path);
    size_t count;
    struct arrival *arrivals = test_arrivals(json, 1, MAX, &count);
    cr_assert_eq(count, 6);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            cr_assert_neq(arrivals[i].session, arrivals[j].session);
    free(arrivals);
}

Test(transform, a_generators_rhythm_keeps_its_seconds)
{
    const char *const base = "{'generator': {'arrivals': {'kind': 'on_off', 'on_rate_per_s': 50,"
                             " 'mean_on_s': 10, 'mean_off_s': 10}, 'prompt_tok': {'kind': "
                             "'constant', 'tok': 1}, 'output_tok': {'kind': 'constant', 'tok': 1}}"
                             ", 'rate_per_s': %d}";
    for (int rate = 25; rate <= 100; rate *= 4) {
        char json[512];
        snprintf(json, sizeof json, base, rate);
        size_t count, max = (size_t)rate * 10000, silences = 0;
        struct arrival *arrivals = test_arrivals(json, 4, max, &count);
        double span_s = arrivals[count - 1].time_s;
        for (size_t i = 1; i < count; i++)
            silences += arrivals[i].time_s - arrivals[i - 1].time_s > 1;
        cr_assert_float_eq((double)count / span_s / rate, 1, 0.1, "%g", (double)count / span_s);
        cr_assert_float_eq((double)silences / span_s, 1 / 20.0 * exp(-0.1), 0.006);
        free(arrivals);
    }
}
