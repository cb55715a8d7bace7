#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "sim/json_writer.h"

static void assert_number(double value, const char *expected)
{
    char text[32];
    json_format_number(value, text, sizeof text);
    cr_assert_str_eq(text, expected);
}

Test(json_writer, numbers_have_the_fewest_digits_that_read_back)
{
    assert_number(0, "0");
    assert_number(-0.0, "-0");
    assert_number(0.1, "0.1");
    assert_number(0.1 + 0.2, "0.30000000000000004");
    assert_number(1.0 / 3.0, "0.3333333333333333");
    assert_number(2.5e-9, "2.5e-09");
    assert_number(1e6, "1000000");
    assert_number(-3, "-3");
    assert_number(9007199254740991.0, "9007199254740991");
    assert_number(1e22, "1e+22");
    assert_number(DBL_MAX, "1.7976931348623157e+308");
    assert_number(NAN, "null");
    assert_number(INFINITY, "null");
    assert_number(-INFINITY, "null");
}

Test(json_writer, any_double_reads_back_as_itself)
{
    uint64_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        char text[32];
        json_format_number(value, text, sizeof text);
        cr_assert_eq(strtod(text, NULL), value, "%s", text);
    }
}

Test(json_writer, lays_out_nested_values)
{
    struct json_writer *writer = json_writer_create();
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", "h100");
    json_begin_list(writer, "ttft_s");
    json_put_number(writer, NULL, 0.5);
    json_put_null(writer, NULL);
    json_end_list(writer);
    json_begin_object(writer, "empty");
    json_end_object(writer);
    json_begin_list(writer, "none");
    json_end_list(writer);
    json_put_bool(writer, "ok", true);
    json_put_integer(writer, "count", INT64_MAX);
    json_put_string(writer, "absent", NULL);
    json_end_object(writer);
    size_t length;
    const char *text = json_writer_text(writer, &length);
    cr_assert_str_eq(text, "{\n"
                           "  \"name\": \"h100\",\n"
                           "  \"ttft_s\": [\n"
                           "    0.5,\n"
                           "    null\n"
                           "  ],\n"
                           "  \"empty\": {},\n"
                           "  \"none\": [],\n"
                           "  \"ok\": true,\n"
                           "  \"count\": 9223372036854775807,\n"
                           "  \"absent\": null\n"
                           "}\n");
    cr_assert_eq(length, strlen(text));
    json_writer_destroy(writer);
}

static void assert_string(const char *value, const char *expected)
{
    struct json_writer *writer = json_writer_create();
    json_put_string(writer, NULL, value);
    cr_assert_str_eq(json_writer_text(writer, NULL), expected);
    json_writer_destroy(writer);
}

Test(json_writer, strings_are_always_valid_json)
{
    assert_string("say \"hi\" \\ there", "\"say \\\"hi\\\" \\\\ there\"\n");
    assert_string("\b\f\n\r\t\x01\x1f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\"\n");
    assert_string("caf\xc3\xa9 \xf0\x9f\x9a\x80", "\"caf\xc3\xa9 \xf0\x9f\x9a\x80\"\n");
    assert_string("caf\xe9.json", "\"caf\xef\xbf\xbd.json\"\n");
    assert_string("{", "\"{\"\n");
}

Test(json_writer, a_value_that_looks_like_a_bracket_is_still_followed_by_a_comma)
{
    struct json_writer *writer = json_writer_create();
    json_begin_list(writer, NULL);
    json_put_string(writer, NULL, "[");
    json_put_string(writer, NULL, "{");
    json_end_list(writer);
    cr_assert_str_eq(json_writer_text(writer, NULL), "[\n  \"[\",\n  \"{\"\n]\n");
    json_writer_destroy(writer);
}

Test(json_writer, trees_are_written_as_they_are)
{
    cJSON *tree = cJSON_Parse("{\"a\":[1,true,null,\"x\",{\"b\":0.1}],\"A\":[]}");
    struct json_writer *writer = json_writer_create();
    json_begin_object(writer, NULL);
    json_put_tree(writer, "tree", tree);
    json_end_object(writer);
    cJSON *again = cJSON_Parse(json_writer_text(writer, NULL));
    cr_assert(cJSON_Compare(tree, cJSON_GetObjectItemCaseSensitive(again, "tree"), true));
    cJSON_Delete(again);
    cJSON_Delete(tree);
    json_writer_destroy(writer);
}

Test(json_writer, a_value_without_a_key_in_an_object_is_a_bug, .signal = SIGABRT)
{
    struct json_writer *writer = json_writer_create();
    json_begin_object(writer, NULL);
    json_put_number(writer, NULL, 1);
}
