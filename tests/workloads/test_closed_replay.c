#include "tests/workloads/workload_support.h"

/* Two sessions and a request of none; the second session's turns come close together. */
static const char bailian[] =
    "{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 0, \"input_length\": 10, "
    "\"output_length\": 5, \"hash_ids\": [11]}\n"
    "{\"chat_id\": 2, \"parent_chat_id\": -1, \"timestamp\": 1, \"input_length\": 20, "
    "\"output_length\": 5, \"hash_ids\": [21, 22]}\n"
    "{\"chat_id\": 3, \"parent_chat_id\": 2, \"timestamp\": 2, \"input_length\": 30, "
    "\"output_length\": 5, \"hash_ids\": [21, 22]}\n"
    "{\"chat_id\": 4, \"parent_chat_id\": 3, \"timestamp\": 3, \"input_length\": 40, "
    "\"output_length\": 5, \"hash_ids\": [21, 22, 23]}\n"
    "{\"chat_id\": 5, \"parent_chat_id\": 1, \"timestamp\": 100, \"input_length\": 15, "
    "\"output_length\": 5, \"hash_ids\": [11]}\n";

static struct test_workload open_replay(const char *name, const char *text, const char *more)
{
    char path[256], json[1024];
    test_write_file(name, text, strlen(text), path, sizeof path);
    snprintf(json, sizeof json, "{'trace': {'path': '%s', 'sessions': 'closed'}%s}", path, more);
    return test_workload_open(json, 1);
}

static struct arrival take_at(struct source *source, double expected_s)
{
    struct error error = {0};
    struct arrival arrival;
    double time_s;
    cr_assert_eq(source_peek(source, &time_s, &error), SOURCE_READY, "%s", test_error_text(&error));
    cr_assert_float_eq(time_s, expected_s, 1e-9, "%.12g", time_s);
    source_take(source, &arrival);
    cr_assert_eq(arrival.time_s, time_s);
    return arrival;
}

static void end_at(struct source *source, const struct arrival *arrival, double now_s)
{
    source_ended(source, &(struct arrival_end){arrival->stream, arrival->client,
                                               arrival->output_tok, now_s});
}

static enum source_status peek(struct source *source)
{
    struct error error = {0};
    double time_s;
    return source_peek(source, &time_s, &error);
}

Test(closed_replay, turns_come_as_recorded_while_answers_are_quick)
{
    struct test_workload workload = open_replay("quick.jsonl", bailian, "");
    const double recorded_s[] = {0, 1, 2, 3, 100};
    for (size_t i = 0; i < 5; i++) {
        struct arrival arrival = take_at(workload.source, recorded_s[i]);
        end_at(workload.source, &arrival, recorded_s[i] + 0.5);
    }
    cr_assert_eq(peek(workload.source), SOURCE_END);
    test_workload_close(&workload);
}

Test(closed_replay, no_turn_comes_before_the_answer_to_the_last)
{
    struct test_workload workload = open_replay("slow.jsonl", bailian, "");
    struct arrival first = take_at(workload.source, 0);
    struct arrival second = take_at(workload.source, 1);
    cr_assert_eq(peek(workload.source), SOURCE_WAIT);
    end_at(workload.source, &second, 50);
    second = take_at(workload.source, 50);
    cr_assert(second.turn == 1 && second.prompt_tok == 30 && second.blocks == 2);
    cr_assert(second.hash_ids[0] == 21 && second.hash_ids[1] == 22);
    end_at(workload.source, &second, 50.25);
    /* It is late, and stays so: a second after the turn before, as recorded. */
    second = take_at(workload.source, 51);
    cr_assert(second.turn == 2 && second.hash_ids[2] == 23);
    cr_assert_eq(peek(workload.source), SOURCE_WAIT);
    end_at(workload.source, &first, 70);
    first = take_at(workload.source, 100);
    cr_assert_eq(first.prompt_tok, 15);
    test_workload_close(&workload);
}

/* AIPerf counts a delay from the end of the turn before. */
Test(closed_replay, a_delay_is_counted_from_the_end)
{
    struct test_workload workload = open_replay(
        "delay.jsonl",
        "{\"session_id\": \"a\", \"timestamp\": 0, \"input_length\": 10, \"output_length\": 5}\n"
        "{\"session_id\": \"a\", \"delay\": 3000, \"input_length\": 20, \"output_length\": 5}\n"
        "{\"session_id\": \"b\", \"timestamp\": 4000, \"input_length\": 30, \"output_length\": "
        "5}\n",
        "");
    struct arrival first = take_at(workload.source, 0);
    end_at(workload.source, &first, 2);
    take_at(workload.source, 4);
    cr_assert_eq(take_at(workload.source, 5).prompt_tok, 20);
    test_workload_close(&workload);
}

Test(closed_replay, what_names_no_session_comes_as_recorded)
{
    struct test_workload workload = open_replay(
        "some.csv",
        "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log "
        "Type\n"
        "0,,1,GPT-4,10,5,15,API log\n1,7,1,ChatGPT,20,5,25,Conversation log\n"
        "2,7,1,ChatGPT,30,5,35,Conversation log\n3,,1,GPT-4,40,5,45,API log\n",
        "");
    cr_assert_eq(take_at(workload.source, 0).client, ARRIVAL_NO_ID);
    take_at(workload.source, 1);
    cr_assert_eq(take_at(workload.source, 3).client, ARRIVAL_NO_ID);
    cr_assert_eq(peek(workload.source), SOURCE_WAIT);
    test_workload_close(&workload);
}

Test(closed_replay, recorded_times_may_be_changed_before)
{
    struct test_workload workload =
        open_replay("changed.jsonl", bailian, ", 'rate_scale': 2, 'repeat': 2, 'limit': 6");
    struct arrival first = take_at(workload.source, 0), second = take_at(workload.source, 0.5);
    end_at(workload.source, &first, 0.6);
    end_at(workload.source, &second, 0.6);
    second = take_at(workload.source, 1);
    end_at(workload.source, &second, 1.1);
    second = take_at(workload.source, 1.5);
    end_at(workload.source, &second, 1.6);
    first = take_at(workload.source, 50);
    first = take_at(workload.source, 62.5);
    cr_assert(first.turn == 0 && first.session == 2, "the second pass has sessions of its own");
    cr_assert_eq(peek(workload.source), SOURCE_END);
    test_workload_close(&workload);
}

/* Turns by the thousand that wait: as a slow fleet would have it. */
Test(closed_replay, many_turns_wait)
{
    enum { SESSIONS = 700, TURNS = 4 };
    char *text = calloc(SESSIONS * TURNS, 128), *at = text;
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < SESSIONS; i++)
            at += sprintf(at,
                          "{\"session_id\": \"s%d\", \"timestamp\": %d, \"input_length\": %d, "
                          "\"output_length\": 5}\n",
                          i, turn, 1000 * turn + i + 1);
    struct test_workload workload = open_replay("many.jsonl", text, "");
    free(text);
    static struct arrival arrivals[SESSIONS];
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        cr_assert_eq(test_take(workload.source, arrivals, SESSIONS, NULL), SESSIONS);
        cr_assert_eq(peek(workload.source), turn + 1 < TURNS ? SOURCE_WAIT : SOURCE_END);
        for (uint32_t i = 0; i < SESSIONS; i++) {
            cr_assert_eq(arrivals[i].prompt_tok, 1000 * turn + arrivals[i].session + 1);
            end_at(workload.source, &arrivals[i], 100.0 * (turn + 1));
        }
    }
    test_workload_close(&workload);
}

static void refused(const char *json, const char *pointer)
{
    struct test_workload workload = test_workload_try(json, 1, 0);
    cr_assert_null(workload.source, "%s", json);
    cr_assert_str_eq(workload.error.json_path, pointer, "%s", test_error_text(&workload.error));
    test_workload_close(&workload);
}

Test(closed_replay, formats_without_sessions_are_refused)
{
    char path[256], json[1024];
    static const char azure[] = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                                "2023-11-16 18:15:46.6805900,374,44\n";
    test_write_file("azure.csv", azure, strlen(azure), path, sizeof path);
    snprintf(json, sizeof json, "{'trace': {'path': '%s', 'sessions': 'closed'}}", path);
    refused(json, "/trace/sessions");
}

Test(closed_replay, merged_with_others_its_times_are_no_more_to_be_changed)
{
    char path[256], json[1024];
    test_write_file("merged.jsonl", bailian, strlen(bailian), path, sizeof path);
    snprintf(json, sizeof json,
             "{'streams': [{'trace': {'path': '%s', 'sessions': 'closed'}}], 'rate_scale': 2}",
             path);
    refused(json, "/rate_scale");
}
