#include <criterion/criterion.h>
#include <math.h>

#include "sim/out_file.h"
#include "tests/support.h"
#include "workloads/trace.h"

static const uint64_t ids[] = {UINT64_MAX, 7, 9007199254740993};

/* Times that need rounding, a tie, a midnight, and what the format may carry beside. */
static const struct arrival arrivals[] = {
    {.time_s = 0, .prompt_tok = 1500, .output_tok = 1, .session = 0, .blocks = 3},
    {.time_s = 0.123456789, .prompt_tok = 1, .output_tok = 2147483647, .session = 1},
    {.time_s = 0.123456789, .prompt_tok = 7, .output_tok = 8, .session = 0},
    {.time_s = 86400.5, .prompt_tok = 2147483647, .output_tok = 3, .session = ARRIVAL_NO_ID},
    {.time_s = 2000000.0004, .prompt_tok = 9, .output_tok = 9, .session = 1},
};
enum { ARRIVALS = sizeof arrivals / sizeof arrivals[0] };

static bool has_ids(enum trace_format format)
{
    return format == TRACE_MOONCAKE || format == TRACE_AIPERF;
}

static void write_all(const char *path, enum trace_format format)
{
    struct error error = {0};
    struct trace_writer *writer = trace_writer_open(path, format, &error);
    cr_assert_not_null(writer, "%s", test_error_text(&error));
    for (size_t i = 0; i < ARRIVALS; i++) {
        struct arrival arrival = arrivals[i];
        arrival.hash_ids = ids;
        arrival.block_tok = 512;
        arrival.blocks = has_ids(format) ? arrival.blocks : 0;
        cr_assert(trace_writer_put(writer, &arrival, &error), "%s", test_error_text(&error));
    }
    cr_assert(trace_writer_close(writer, &error), "%s", test_error_text(&error));
}

static void check_row(enum trace_format format, double resolution_s, size_t i,
                      const struct arrival *row)
{
    const char *name = trace_format_names[format];
    double off_s = fabs(row->time_s - arrivals[i].time_s);
    cr_expect_leq(off_s, resolution_s / 2 * 1.0001, "%s row %zu: off by %g s", name, i, off_s);
    cr_expect_eq(row->prompt_tok, arrivals[i].prompt_tok, "%s row %zu", name, i);
    cr_expect_eq(row->output_tok, arrivals[i].output_tok, "%s row %zu", name, i);
    cr_expect_eq(row->blocks, has_ids(format) ? arrivals[i].blocks : 0, "%s row %zu", name, i);
    for (uint32_t b = 0; b < row->blocks; b++)
        cr_expect_eq(row->hash_ids[b], ids[b], "%s row %zu", name, i);
}

static const struct {
    enum trace_format format;
    double resolution_s;
} written[] = {
    {TRACE_AZURE, 1e-7},
    {TRACE_VIDUR, 1e-9},
    {TRACE_SPLITWISE_SIM, 1e-9},
    {TRACE_MOONCAKE, 1e-3},
    {TRACE_TIMED_TRACE, 1e-6},
    {TRACE_AIPERF, 1e-3},
    {TRACE_BAILIAN, 1e-3},
    {TRACE_BURSTGPT, 1e-6},
    {TRACE_BLIS, 1e-6},
    {TRACE_LLMSERVINGSIM, 1e-9},
    {TRACE_LLMSERVINGSIM_TSV, 1e-9},
};

Test(trace_write, every_format_reads_back_what_was_written)
{
    cr_assert_eq(sizeof written / sizeof written[0], TRACE_FORMAT_COUNT - 1);
    for (size_t f = 0; f < sizeof written / sizeof written[0]; f++) {
        enum trace_format format = written[f].format;
        struct error error = {0};
        char path[256];
        double time_s;
        size_t count = 0;
        snprintf(path, sizeof path, "%s/trace%s", test_folder(),
                 format == TRACE_BLIS ? ".yaml" : "");
        write_all(path, format);
        struct source *source =
            trace_open(&(struct trace_options){.path = path, .format = format}, &error);
        cr_assert_not_null(source, "%s", test_error_text(&error));
        for (; source_peek(source, &time_s, &error) == SOURCE_READY; count++) {
            struct arrival row;
            source_take(source, &row);
            cr_assert_lt(count, ARRIVALS);
            check_row(format, written[f].resolution_s, count, &row);
        }
        cr_expect_eq(count, ARRIVALS, "%s: %s", trace_format_names[format],
                     test_error_text(&error));
        source_destroy(source);
    }
}

Test(trace_write, sessions_survive_in_aiperf)
{
    struct error error = {0};
    struct arrival row[ARRIVALS];
    char path[256];
    double time_s;
    snprintf(path, sizeof path, "%s/sessions.jsonl", test_folder());
    write_all(path, TRACE_AIPERF);
    struct source *source = trace_open(&(struct trace_options){.path = path}, &error);
    cr_assert_not_null(source, "%s", test_error_text(&error));
    for (size_t i = 0; i < ARRIVALS && source_peek(source, &time_s, &error) == SOURCE_READY; i++)
        source_take(source, &row[i]);
    source_destroy(source);
    cr_expect_eq(row[0].session, row[2].session);
    cr_expect_eq(row[1].session, row[4].session);
    cr_expect_neq(row[0].session, row[1].session);
    cr_expect_neq(row[3].session, row[0].session);
    cr_expect_neq(row[3].session, row[1].session);
    cr_expect_eq(row[2].turn, 1);
}

/* What readers of other tools find, to the byte. */
Test(trace_write, writes_what_the_format_says)
{
    static const struct {
        enum trace_format format;
        const char *text;
    } cases[] = {
        {TRACE_AZURE, "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                      "1970-01-01 00:00:00.0000000,1500,1\n"
                      "1970-01-01 00:00:00.1234568,1,2147483647\n"
                      "1970-01-01 00:00:00.1234568,7,8\n"
                      "1970-01-02 00:00:00.5000000,2147483647,3\n"
                      "1970-01-24 03:33:20.0004000,9,9\n"},
        {TRACE_MOONCAKE,
         "{\"timestamp\": 0, \"input_length\": 1500, \"output_length\": 1, "
         "\"hash_ids\": [18446744073709551615, 7, 9007199254740993]}\n"
         "{\"timestamp\": 123, \"input_length\": 1, \"output_length\": 2147483647}\n"
         "{\"timestamp\": 123, \"input_length\": 7, \"output_length\": 8}\n"
         "{\"timestamp\": 86400500, \"input_length\": 2147483647, "
         "\"output_length\": 3}\n"
         "{\"timestamp\": 2000000000, \"input_length\": 9, \"output_length\": 9}\n"},
        {TRACE_BURSTGPT, "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
                         "0,ChatGPT,1500,1,1501,Conversation log\n"
                         "0.123457,ChatGPT,1,2147483647,2147483648,Conversation log\n"
                         "0.123457,ChatGPT,7,8,15,Conversation log\n"
                         "86400.5,ChatGPT,2147483647,3,2147483650,Conversation log\n"
                         "2000000.0004,ChatGPT,9,9,18,Conversation log\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/trace", test_folder());
        write_all(path, cases[i].format);
        char *text = test_read_file(path, NULL);
        cr_expect_str_eq(text, cases[i].text);
        free(text);
    }
}

static bool is_there(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return access(path, F_OK) == 0;
}

Test(trace_write, nothing_appears_before_close)
{
    struct error error = {0};
    char path[256];
    snprintf(path, sizeof path, "%s/x.yaml", test_folder());
    struct trace_writer *writer = trace_writer_open(path, TRACE_BLIS, &error);
    cr_assert_not_null(writer);
    cr_assert(trace_writer_put(writer, &arrivals[1], &error));
    cr_expect(!is_there("x.yaml") && !is_there("x.csv"));
    trace_writer_discard(writer);
    cr_expect(!is_there("x.yaml") && !is_there("x.csv"));
    char yaml[64], csv[64];
    out_file_temporary("x.yaml", yaml, sizeof yaml);
    out_file_temporary("x.csv", csv, sizeof csv);
    cr_expect(!is_there(yaml) && !is_there(csv));
}

Test(trace_write, refuses_ids_of_another_block_size)
{
    struct error error = {0};
    char path[256];
    snprintf(path, sizeof path, "%s/x.jsonl", test_folder());
    struct trace_writer *writer = trace_writer_open(path, TRACE_BAILIAN, &error);
    cr_assert_not_null(writer);
    struct arrival arrival = {
        .prompt_tok = 5, .output_tok = 5, .blocks = 1, .block_tok = 512, .hash_ids = ids};
    cr_expect_not(trace_writer_put(writer, &arrival, &error));
    cr_expect_str_eq(error.message, "hash_ids of 512-token blocks cannot be written as bailian, "
                                    "whose blocks have 16 tokens");
    trace_writer_discard(writer);
}

Test(trace_write, refuses_paths_it_cannot_or_should_not_write)
{
    struct error error = {0};
    cr_expect_null(trace_writer_open("no/such/folder/x.csv", TRACE_VIDUR, &error));
    cr_expect_eq(error.code, ERROR_FAILED);
    error = (struct error){0};
    cr_expect_null(trace_writer_open("x.csv.gz", TRACE_VIDUR, &error));
    cr_expect_eq(error.code, ERROR_BAD_INPUT);
    cr_expect_str_eq(error.message, "traces are written uncompressed");
}
