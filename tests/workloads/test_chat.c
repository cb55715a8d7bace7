#include "tests/workloads/workload_support.h"

#define USERS "'starts': {'kind': 'users', 'users': 3}"

static struct test_workload open_chat(const char *settings, const char *more)
{
    char json[2048];
    snprintf(json, sizeof json,
             "{'generator': {'arrivals': {'kind': 'chat', %s},"
             " 'prompt_tok': {'kind': 'uniform', 'min_tok': 5, 'max_tok': 50},"
             " 'output_tok': {'kind': 'constant', 'tok': 10}}%s}",
             settings, more);
    return test_workload_open(json, 1);
}

static struct arrival take(struct source *source)
{
    struct error error = {0};
    struct arrival arrival;
    double time_s;
    cr_assert_eq(source_peek(source, &time_s, &error), SOURCE_READY, "%s", test_error_text(&error));
    source_take(source, &arrival);
    cr_assert_eq(arrival.time_s, time_s);
    return arrival;
}

static void answer(struct source *source, const struct arrival *arrival, uint32_t answer_tok,
                   double now_s)
{
    source_ended(source,
                 &(struct arrival_end){arrival->stream, arrival->client, answer_tok, now_s});
}

Test(chat, the_next_prompt_repeats_all_that_was_said)
{
    struct test_workload workload = open_chat(USERS ", 'turns': {'kind': 'constant', 'turns': 4},"
                                                    " 'think': {'kind': 'constant', 'think_s': 20}",
                                              "");
    struct arrival first[3], arrival;
    test_take(workload.source, first, 3, NULL);
    uint32_t said_tok = first[1].prompt_tok;
    arrival = first[1];
    for (uint32_t turn = 1; turn < 4; turn++) {
        double now_s = 100.0 * turn;
        answer(workload.source, &arrival, 7, now_s);
        arrival = take(workload.source);
        cr_assert_float_eq(arrival.time_s, now_s + 20, 1e-9);
        cr_assert(arrival.session == first[1].session && arrival.turn == turn);
        cr_assert(arrival.prompt_tok >= said_tok + 7 + 5 && arrival.prompt_tok <= said_tok + 57);
        said_tok = arrival.prompt_tok;
    }
    answer(workload.source, &arrival, 7, 1000);
    arrival = take(workload.source);
    cr_assert(arrival.session == 3 && arrival.turn == 0 && arrival.prompt_tok <= 50,
              "the user begins a new session");
    test_workload_close(&workload);
}

Test(chat, users_wait_for_their_answers)
{
    struct test_workload workload =
        open_chat("'starts': {'kind': 'users', 'users': 4, 'ramp_s': 8},"
                  " 'turns': {'kind': 'constant', 'turns': 2}",
                  "");
    struct arrival arrivals[10];
    enum source_status last;
    cr_assert_eq(test_take(workload.source, arrivals, 10, &last), 4);
    cr_assert_eq(last, SOURCE_WAIT);
    cr_assert_float_eq(arrivals[3].time_s, 6, 1e-9);
    test_workload_close(&workload);
}

Test(chat, without_an_answer_the_session_is_over)
{
    struct test_workload workload =
        open_chat(USERS ", 'turns': {'kind': 'constant', 'turns': 9}", "");
    struct arrival arrivals[3];
    test_take(workload.source, arrivals, 3, NULL);
    answer(workload.source, &arrivals[0], 0, 5);
    struct arrival next = take(workload.source);
    cr_assert(next.session == 3 && next.turn == 0);
    test_workload_close(&workload);
}

Test(chat, sessions_begin_by_a_process_of_their_own)
{
    struct test_workload workload = open_chat("'starts': {'kind': 'poisson', 'rate_per_s': 5},"
                                              " 'turns': {'kind': 'constant', 'turns': 3}",
                                              ", 'limit': 3000");
    struct error error = {0};
    struct arrival arrival;
    double time_s;
    uint32_t sent[3] = {0}, sessions = 0;
    while (source_peek(workload.source, &time_s, &error) == SOURCE_READY) {
        source_take(workload.source, &arrival);
        sent[arrival.turn]++;
        sessions = arrival.session + 1 > sessions ? arrival.session + 1 : sessions;
        answer(workload.source, &arrival, 10, time_s + 0.001);
    }
    cr_assert(sent[0] >= 1000 && sent[0] <= 1003 && sent[0] == sessions);
    cr_assert(sent[2] >= 997 && sent[2] <= 1000);
    cr_assert_float_eq(1000 / time_s, 5, 0.5);
    test_workload_close(&workload);
}

/* More sessions under way than slots at first: nothing may be mixed up. */
Test(chat, any_number_of_sessions_is_under_way)
{
    struct test_workload workload =
        open_chat("'starts': {'kind': 'deterministic', 'interval_s': 1},"
                  " 'turns': {'kind': 'constant', 'turns': 2}",
                  "");
    enum { SESSIONS = 300 };
    static struct arrival arrivals[SESSIONS];
    test_take(workload.source, arrivals, SESSIONS, NULL);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        cr_assert_eq(arrivals[i].session, i);
        answer(workload.source, &arrivals[i], 1 + i, 299.5);
    }
    for (uint32_t i = 0; i < SESSIONS; i++) {
        struct arrival next = take(workload.source);
        cr_assert_eq(next.turn, 1);
        cr_assert_geq(next.prompt_tok, arrivals[next.session].prompt_tok + 1 + next.session + 5);
        cr_assert_leq(next.prompt_tok, arrivals[next.session].prompt_tok + 1 + next.session + 50);
    }
    test_workload_close(&workload);
}

static double mean_turns(const char *turns)
{
    char settings[512];
    snprintf(settings, sizeof settings, USERS ", 'turns': %s", turns);
    struct test_workload workload = open_chat(settings, "");
    struct arrival arrival;
    double now_s = 0;
    const uint32_t requests = 40000;
    for (uint32_t i = 0; i < requests; i++) {
        arrival = take(workload.source);
        now_s = fmax(now_s, arrival.time_s) + 1;
        answer(workload.source, &arrival, 1, now_s);
    }
    test_workload_close(&workload);
    return (double)requests / arrival.session;
}

Test(chat, turns_have_their_distribution)
{
    cr_assert_float_eq(mean_turns("{'kind': 'constant', 'turns': 6}"), 6, 0.01);
    cr_assert_float_eq(mean_turns("{'kind': 'uniform', 'least': 2, 'most': 6}"), 4, 0.1);
    cr_assert_float_eq(mean_turns("{'kind': 'geometric', 'mean': 3.5}"), 3.5, 0.1);
    cr_assert_float_eq(mean_turns("{'kind': 'geometric', 'mean': 1}"), 1, 1e-3);
}

Test(chat, a_session_that_outgrows_its_context_begins_afresh)
{
    struct test_workload workload = open_chat(
        "'starts': {'kind': 'users', 'users': 1}, 'turns': {'kind': 'constant', 'turns': 1000},"
        " 'max_context_tok': 200",
        "");
    struct arrival arrival = {0};
    for (uint32_t i = 0; i < 500; i++) {
        arrival = take(workload.source);
        cr_assert_leq(arrival.prompt_tok + arrival.output_tok, 200);
        answer(workload.source, &arrival, arrival.output_tok, i + 1.0);
    }
    cr_assert(arrival.session > 50 && arrival.session < 150);
    test_workload_close(&workload);
}

Test(chat, think_time_is_lognormal_where_asked)
{
    struct test_workload workload = open_chat(
        "'starts': {'kind': 'users', 'users': 1}, 'turns': {'kind': 'constant', 'turns': 1000000},"
        " 'think': {'kind': 'lognormal', 'think_s': 10, 'cv': 1.5}",
        "");
    enum { TURNS = 20000 };
    double *thinks_s = calloc(TURNS, sizeof *thinks_s), now_s = 0;
    for (uint32_t i = 0; i < TURNS; i++) {
        struct arrival arrival = take(workload.source);
        thinks_s[i] = arrival.time_s - now_s;
        now_s = arrival.time_s;
        answer(workload.source, &arrival, 1, now_s);
    }
    struct test_moments moments = test_moments_of(thinks_s, TURNS);
    cr_assert_float_eq(moments.mean, 10, 0.4);
    cr_assert_float_eq(moments.cv, 1.5, 0.2);
    free(thinks_s);
    test_workload_close(&workload);
}

static void refused(const char *json, const char *pointer)
{
    struct test_workload workload = test_workload_try(json, 1, 0);
    cr_assert_null(workload.source, "%s", json);
    cr_assert_str_eq(workload.error.json_path, pointer, "%s", test_error_text(&workload.error));
    test_workload_close(&workload);
}

#define CHAT(settings, more)                                                                       \
    "{'generator': {'arrivals': {'kind': 'chat', " settings "},"                                   \
    "'prompt_tok': {'kind': 'constant', 'tok': 5}, 'output_tok': {'kind': 'constant', 'tok': 5}"   \
    "}" more "}"

Test(chat, settings_that_contradict_each_other_are_refused)
{
    refused(CHAT(USERS ", 'turns': {'kind': 'uniform', 'least': 5, 'most': 4}", ""),
            "/generator/arrivals/turns/most");
    refused(CHAT(USERS ", 'turns': {'kind': 'geometric', 'mean': 2},"
                       "'think': {'kind': 'uniform', 'min_s': 2, 'max_s': 1}",
                 ""),
            "/generator/arrivals/think/max_s");
    refused(CHAT(USERS ", 'turns': {'kind': 'geometric', 'mean': 2}", ", 'rate_per_s': 4"),
            "/rate_per_s");
    refused(CHAT("'starts': {'kind': 'gamma', 'rate_per_s': 1, 'cv': 2, 'shape': 2},"
                 "'turns': {'kind': 'geometric', 'mean': 2}",
                 ""),
            "/generator/arrivals/starts");
}
