#include "sim/clock.h"
#include "tests/workloads/workload_support.h"
#include "workloads/closed_loop.h"

#define LENGTHS                                                                                    \
    "'prompt_tok': {'kind': 'uniform', 'min_tok': 1, 'max_tok': 100},"                             \
    "'output_tok': {'kind': 'constant', 'tok': 10}"

static struct test_workload open_loop(const char *settings, const char *more)
{
    char json[2048];
    snprintf(json, sizeof json,
             "{'generator': {'arrivals': {'kind': 'closed_loop', %s}, " LENGTHS "}%s}", settings,
             more);
    return test_workload_open(json, 1);
}

static double peek_s(struct source *source)
{
    struct error error = {0};
    double time_s;
    cr_assert_eq(source_peek(source, &time_s, &error), SOURCE_READY, "%s", test_error_text(&error));
    return time_s;
}

static void end_request(struct source *source, uint32_t stream, uint32_t client, double now_s)
{
    source_ended(source, &(struct arrival_end){stream, client, 10, now_s});
}

Test(closed_loop, all_clients_start_at_once_then_wait)
{
    struct test_workload workload = open_loop("'clients': 5", "");
    struct arrival arrivals[10];
    enum source_status last;
    cr_assert_eq(test_take(workload.source, arrivals, 10, &last), 5);
    cr_assert_eq(last, SOURCE_WAIT);
    for (uint32_t i = 0; i < 5; i++)
        cr_assert(arrivals[i].time_s == 0 && arrivals[i].client == i);
    test_workload_close(&workload);
}

Test(closed_loop, ramp_spreads_the_first_requests)
{
    struct test_workload workload = open_loop("'clients': 4, 'ramp_s': 10", "");
    struct arrival arrivals[4];
    test_take(workload.source, arrivals, 4, NULL);
    for (size_t i = 0; i < 4; i++)
        cr_assert_float_eq(arrivals[i].time_s, 2.5 * (double)i, 1e-9);
    test_workload_close(&workload);
}

Test(closed_loop, the_next_request_follows_the_end)
{
    struct test_workload workload =
        open_loop("'clients': 2, 'think': {'kind': 'constant', 'think_s': 3}", "");
    struct arrival arrivals[2];
    test_take(workload.source, arrivals, 2, NULL);
    end_request(workload.source, 0, 1, 7.5);
    cr_assert_float_eq(peek_s(workload.source), 10.5, 1e-9);
    end_request(workload.source, 0, 0, 7);
    cr_assert_float_eq(peek_s(workload.source), 10, 1e-9);
    source_take(workload.source, arrivals);
    cr_assert_eq(arrivals[0].client, 0);
    test_workload_close(&workload);
}

Test(closed_loop, without_thinking_the_next_request_is_still_later)
{
    const double ends_s[] = {0, 1e-12, 0.3, 1234.5678, 9000.1, 8e6};
    struct test_workload workload = open_loop("'clients': 1", "");
    struct arrival arrival;
    for (size_t i = 0; i < sizeof ends_s / sizeof *ends_s; i++) {
        peek_s(workload.source);
        source_take(workload.source, &arrival);
        end_request(workload.source, 0, 0, ends_s[i]);
        double next_s = peek_s(workload.source);
        cr_assert_gt(tick_from_s(next_s), tick_from_s(ends_s[i]));
        cr_assert_lt(next_s - ends_s[i], 1e-8);
    }
    test_workload_close(&workload);
}

static uint32_t cached_of_1001(double share)
{
    struct length_constant prompt = {1001}, output = {10};
    struct think_time none = {0};
    struct closed_loop_config config = {
        .clients = 1, .think = {THINK_CONSTANT, &none}, .cached_prompt_share = share};
    struct length_pair_config lengths = {.prompt = {LENGTH_CONSTANT, &prompt},
                                         .output = {LENGTH_CONSTANT, &output}};
    const struct stream_seed seed = {.seed = 1, .stream = "cached"};
    struct arena *arena = arena_create();
    struct source *source =
        closed_loop_open(&config, &lengths, &seed, arena, &(struct place){0}, NULL);
    cr_assert_not_null(source);
    struct arrival arrival;
    source_take(source, &arrival);
    source_destroy(source);
    arena_destroy(arena);
    return arrival.cached_tok;
}

Test(closed_loop, a_share_of_each_prompt_is_cached)
{
    cr_assert_eq(cached_of_1001(0), 0);
    cr_assert_eq(cached_of_1001(0.5), 500);
    cr_assert_eq(cached_of_1001(1), 1001);
}

/* Requests that take a random time, in an order of their own: as the simulation would end them. */
Test(closed_loop, never_more_outstanding_than_clients)
{
    enum { CLIENTS = 8, REQUESTS = 20000 };
    struct test_workload workload = open_loop(
        "'clients': 8, 'think': {'kind': 'exponential', 'think_s': 2}", ", 'limit': 20000");
    double ends_s[CLIENTS], busy_s = 0, last_s = 0, time_s;
    bool outstanding[CLIENTS] = {false};
    size_t sent = 0;
    struct error error = {0};
    for (;;) {
        size_t first = CLIENTS;
        for (size_t i = 0; i < CLIENTS; i++)
            if (outstanding[i] && (first == CLIENTS || ends_s[i] < ends_s[first]))
                first = i;
        enum source_status status = source_peek(workload.source, &time_s, &error);
        if (status == SOURCE_READY && (first == CLIENTS || time_s <= ends_s[first])) {
            struct arrival arrival;
            source_take(workload.source, &arrival);
            cr_assert(!outstanding[arrival.client], "client %u sent two", arrival.client);
            cr_assert_geq(arrival.time_s, last_s);
            outstanding[arrival.client] = true;
            ends_s[arrival.client] = arrival.time_s + 0.01 * arrival.prompt_tok;
            busy_s += 0.01 * arrival.prompt_tok;
            last_s = arrival.time_s;
            sent++;
        } else if (first < CLIENTS) {
            outstanding[first] = false;
            end_request(workload.source, 0, (uint32_t)first, ends_s[first]);
        } else {
            cr_assert_eq(status, SOURCE_END);
            break;
        }
    }
    cr_assert_eq(sent, REQUESTS);
    /* Each client cycles through 2 s of thinking and 0.505 s of service on average. */
    cr_assert_float_eq(busy_s / last_s, CLIENTS * 0.505 / 2.505, 0.05);
    test_workload_close(&workload);
}

Test(closed_loop, can_be_filtered_clipped_and_limited)
{
    struct test_workload workload = open_loop(
        "'clients': 3, 'think': {'kind': 'constant', 'think_s': 1}",
        ", 'filter': {'prompt_tok': [51, null]}, 'clip': {'output_tok': [null, 4]}, 'limit': 50");
    struct arrival arrivals[3];
    struct error error = {0};
    double time_s;
    size_t sent = 0;
    while (source_peek(workload.source, &time_s, &error) == SOURCE_READY) {
        source_take(workload.source, &arrivals[0]);
        cr_assert(arrivals[0].prompt_tok >= 51 && arrivals[0].output_tok == 4);
        end_request(workload.source, arrivals[0].stream, arrivals[0].client,
                    arrivals[0].time_s + 1);
        sent++;
    }
    cr_assert_eq(sent, 50);
    test_workload_close(&workload);
}

Test(closed_loop, merges_with_an_open_stream)
{
    struct test_workload workload = test_workload_open(
        "{'streams': ["
        "{'name': 'open', 'generator': {'arrivals': {'kind': 'deterministic', 'interval_s': "
        "1}, " LENGTHS "}, 'limit': 3},"
        "{'name': 'loop', 'generator': {'arrivals': {'kind': 'closed_loop', 'clients': 2,"
        " 'think': {'kind': 'constant', 'think_s': 0.5}}, " LENGTHS "}}]}",
        1);
    struct arrival arrivals[10];
    enum source_status last;
    cr_assert_eq(test_take(workload.source, arrivals, 10, &last), 5);
    cr_assert_eq(last, SOURCE_WAIT);
    cr_assert_eq(arrivals[0].stream, 0);
    cr_assert_eq(arrivals[1].stream, 1);
    end_request(workload.source, 1, arrivals[2].client, 4);
    cr_assert_float_eq(peek_s(workload.source), 4.5, 1e-9);
    source_take(workload.source, arrivals);
    cr_assert_eq(arrivals[0].stream, 1);
    cr_assert_eq(arrivals[0].client, 1);
    test_workload_close(&workload);
}
