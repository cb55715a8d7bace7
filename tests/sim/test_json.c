#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/json.h"
#include "tests/support.h"

static struct json_document *read_ok(const char *text)
{
    struct error error = {0};
    struct json_document *document = json_read_text("t.json", text, strlen(text), &error);
    cr_assert_not_null(document, "%s: %s", text, error.message);
    return document;
}

static cJSON *tree(const char *text)
{
    return cJSON_Parse(text);
}

static void assert_tree(const struct json_document *document, const char *expected)
{
    cJSON *wanted = tree(expected);
    char *found = cJSON_PrintUnformatted(json_root(document));
    cr_assert(cJSON_Compare(json_root(document), wanted, true), "%s, not %s", found, expected);
    free(found);
    cJSON_Delete(wanted);
}

static void assert_refused(const char *text, size_t length, long line, const char *message)
{
    struct error error = {0};
    struct json_document *document = json_read_text("t.json", text, length, &error);
    cr_assert_null(document, "%s", text);
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
    cr_assert_str_eq(error.file, "t.json");
    cr_assert_eq(error.line, line, "line %ld, not %ld: %s", error.line, line, text);
    cr_assert(strstr(error.message, message), "\"%s\" does not say \"%s\"", error.message, message);
}

Test(json, reads_values_of_every_kind)
{
    const char *text = " {\"a\": [1, -2.5e3, true, false, null, \"x\\n\\u00e9\\ud83d\\ude80\"], "
                       "\"A\": {}, \"\": []}\r\n";
    struct json_document *document = read_ok(text);
    assert_tree(document, text);
    cr_assert_str_eq(json_origin(document, ""), "t.json");
    const cJSON *list = json_member(json_root(document), "a");
    cr_assert_str_eq(cJSON_GetArrayItem(list, 5)->valuestring, "x\n\xc3\xa9\xf0\x9f\x9a\x80");
    json_free(document);
    json_free(NULL);
}

Test(json, members_are_found_by_exact_case)
{
    struct json_document *document = read_ok("{\"GPU\": 1, \"gpu\": 2}");
    cr_assert_eq(json_member(json_root(document), "gpu")->valuedouble, 2);
    cr_assert_null(json_member(json_root(document), "Gpu"));
    json_free(document);
}

Test(json, comments_are_blank_and_lines_still_count)
{
    struct json_document *document =
        read_ok("// \"title\" {\n"
                "{ /* two\n lines */ \"url\": \"http://x/*y*/\", // end\n"
                "  \"quote\\\"//\": 1, /**/\n"
                "  \"b\": 2 }\n// last");
    assert_tree(document, "{\"url\": \"http://x/*y*/\", \"quote\\\"//\": 1, \"b\": 2}");
    cr_assert_eq(json_line(document, ""), 2);
    cr_assert_eq(json_line(document, "/url"), 3);
    cr_assert_eq(json_line(document, "/b"), 5);
    json_free(document);
}

Test(json, a_byte_order_mark_is_skipped)
{
    struct json_document *document = read_ok("\xef\xbb\xbf{\"a\": 1}");
    assert_tree(document, "{\"a\": 1}");
    json_free(document);
}

Test(json, text_need_not_be_terminated)
{
    struct error error = {0};
    struct json_document *document = json_read_text("t", "[1, 23]]]]", 7, &error);
    cr_assert_not_null(document);
    assert_tree(document, "[1, 23]");
    json_free(document);
}

Test(json, what_is_not_json_is_refused_with_its_line)
{
    static const struct {
        const char *text;
        long line;
        const char *message;
    } cases[] = {
        {"", 1, "expected a value, found the end of the text"},
        {"\n\n", 3, "expected a value, found the end of the text"},
        {"{\"a\": 1}\n}", 2, "expected nothing more after the value, found }"},
        {"1 2", 1, "expected nothing more after the value, found 2"},
        {"{\"a\": 1,\n}", 2, "expected a key, found }"},
        {"[1,\n\n]", 3, "expected a value, found ]"},
        {"{'a': 1}", 1, "expected a key, found '"},
        {"{a: 1}", 1, "expected a key, found a"},
        {"{\"a\" 1}", 1, "expected ':' after the key, found 1"},
        {"{\"a\": 1 \"b\": 2}", 1, "expected ',' or '}', found \""},
        {"[1 2]", 1, "expected ',' or ']', found 2"},
        {"[1}", 1, "expected ',' or ']', found }"},
        {"[1", 1, "expected ',' or ']', found the end of the text"},
        {"{\n\"a\":\nNaN}", 3, "expected a value, found NaN"},
        {"[True]", 1, "expected a value, found True"},
        {"nullx", 1, "expected a value, found nullx"},
        {"[\xc3\xa9]", 1, "expected a value, found \xc3\xa9"},
        {"01", 1, "needless 0"},
        {"-", 1, "expected a digit, found the end"},
        {"+1", 1, "expected a value, found +"},
        {".5", 1, "expected a value, found ."},
        {"1.", 1, "expected a digit"},
        {"1.e3", 1, "expected a digit, found e3"},
        {"1e+", 1, "expected a digit"},
        {"0x10", 1, "nothing more after the value, found x10"},
        {"1111111111222222222233333333334444444444555555555566666666667777", 1,
         "64 characters is too long"},
        {"\"abc", 1, "string is not closed"},
        {"[\"abc\n\"]", 1, "string is not closed"},
        {"\"a\tb\"", 1, "a tab within a string"},
        {"\"\\x41\"", 1, "unknown escape"},
        {"\"\\", 1, "unknown escape"},
        {"\"\\u12g4\"", 1, "four hexadecimal digits"},
        {"\"\\u12", 1, "four hexadecimal digits"},
        {"\"\\u0000\"", 1, "\\u0000 is not allowed"},
        {"\"\\ud83d\"", 1, "surrogate"},
        {"\"\\ud83d\\u0041\"", 1, "surrogate"},
        {"\"\\ud83dxude80\"", 1, "surrogate"},
        {"\"\\ude80\\ud83d\"", 1, "surrogate"},
        {"{}\n/* never\nends", 2, "comment is not closed"},
        {"{} / x", 1, "found /"},
        {"# yaml", 1, "expected a value, found #"},
        {"[1,\n\x01]", 2, "control character 0x01"},
        {"\"\xe9\"", 1, "byte 0xe9 is not valid UTF-8"},
        {"\"\xc0\x80\"", 1, "byte 0xc0 is not valid UTF-8"},
        {"\"\xe0\x80\x80\"", 1, "byte 0xe0 is not valid UTF-8"},
        {"\"\xf0\x80\x80\x80\"", 1, "byte 0xf0 is not valid UTF-8"},
        {"\"\xed\xa0\x80\"", 1, "byte 0xed is not valid UTF-8"},
        {"\"\xf4\x90\x80\x80\"", 1, "byte 0xf4 is not valid UTF-8"},
        {"{} // \xff", 1, "byte 0xff is not valid UTF-8"},
        {"\"\xe2\x82", 1, "byte 0xe2 is not valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].text, strlen(cases[i].text), cases[i].line, cases[i].message);
}

Test(json, nul_bytes_are_refused)
{
    assert_refused("{\n\"a\": \"x\0y\"}", 13, 2, "control character 0x00");
    assert_refused("{}\0", 3, 1, "control character 0x00");
}

Test(json, numbers_too_large_for_a_double_are_refused_at_their_place)
{
    const char *text = "{\"pools\": [\n{\"rate\": 1e308},\n{\"rate\":\n1e999}]}";
    struct error error = {0};
    cr_assert_null(json_read_text("t.json", text, strlen(text), &error));
    cr_assert_str_eq(error.json_path, "/pools/1/rate");
    cr_assert_eq(error.line, 4);
    cr_assert_str_eq(error.message, "this number is too large");
}

Test(json, duplicate_keys_are_refused_at_the_second)
{
    const char *text = "{\"a\": {\"x/y\": 1,\n\"z\": 1,\n\"x\\u002fy\": 2}}";
    struct error error = {0};
    cr_assert_null(json_read_text("t.json", text, strlen(text), &error));
    cr_assert_str_eq(error.json_path, "/a/x~1y");
    cr_assert_eq(error.line, 3);
    cr_assert_str_eq(error.message, "the key \"x/y\" is there twice; first on line 1");
}

static struct json_document *read_nested(size_t depth, struct error *error)
{
    char text[2 * 1000];
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return json_read_text("deep", text, 2 * depth, error);
}

Test(json, nesting_is_limited)
{
    struct error error = {0};
    struct json_document *document = read_nested(100, &error);
    cr_assert_not_null(document);
    json_free(document);
    cr_assert_null(read_nested(101, &error));
    cr_assert_str_eq(error.message, "nested deeper than 100");
}

Test(json, the_line_of_any_place_is_found)
{
    struct json_document *document = read_ok("{\"a\":\n  [10,\n   {\"b/c~d\":\n     20},\n"
                                             "   [[],\n 1]],\n \"\": 3,\n \"0\": 4}");
    cr_assert_eq(json_line(document, ""), 1);
    cr_assert_eq(json_line(document, "/a"), 2);
    cr_assert_eq(json_line(document, "/a/0"), 2);
    cr_assert_eq(json_line(document, "/a/1"), 3);
    cr_assert_eq(json_line(document, "/a/1/b~1c~0d"), 4);
    cr_assert_eq(json_line(document, "/a/2"), 5);
    cr_assert_eq(json_line(document, "/a/2/1"), 6);
    cr_assert_eq(json_line(document, "/"), 7);
    cr_assert_eq(json_line(document, "/0"), 8);
    static const char *const nowhere[] = {"/x",  "/a/3",   "/a/-1",    "/a/x",
                                          "/a/", "/a/0/0", "/a/2/0/0", "/a/1/b"};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        cr_assert_eq(json_line(document, nowhere[i]), 0, "%s", nowhere[i]);
    cr_assert_eq(json_line_near(document, "/a/1/d/e"), 3);
    cr_assert_eq(json_line_near(document, "/x/y"), 1);
    json_free(document);
}

Test(json, pointers_are_escaped_and_cut)
{
    char pointer[64], small[8];
    json_pointer_key(pointer, sizeof pointer, "/a", "x/y~z");
    cr_assert_str_eq(pointer, "/a/x~1y~0z");
    json_pointer_index(pointer, sizeof pointer, "/a", 12);
    cr_assert_str_eq(pointer, "/a/12");
    json_pointer_key(small, sizeof small, "/abc", "~~~~~~~");
    cr_assert_lt(strlen(small), sizeof small);
    json_pointer_key(small, sizeof small, "/a/pointer/too/long", "key");
    cr_assert_lt(strlen(small), sizeof small);
}

/* --- files --- */

Test(json, files_are_read_whole)
{
    char path[128];
    snprintf(path, sizeof path, "%s/long.json", test_folder());
    FILE *stream = fopen(path, "w");
    fputs("[", stream);
    for (int i = 0; i < 100000; i++)
        fprintf(stream, "%d,\n", i);
    fputs("100000]", stream);
    fclose(stream);
    struct error error = {0};
    struct json_document *document = json_read_file(path, &error);
    cr_assert_not_null(document);
    cr_assert_eq(cJSON_GetArraySize(json_root(document)), 100001);
    cr_assert_eq(json_line(document, "/100000"), 100001);
    json_free(document);
}

static void assert_unreadable(const char *path, const char *message)
{
    struct error error = {0};
    cr_assert_null(json_read_file(path, &error));
    cr_assert_eq(error.code, ERROR_BAD_INPUT);
    cr_assert_str_eq(error.file, path);
    cr_assert(strstr(error.message, message), "%s", error.message);
}

Test(json, files_that_cannot_be_read_are_refused)
{
    assert_unreadable("/nowhere/at/all.json", "No such file");
    assert_unreadable("/tmp", "directory");
    assert_unreadable("/dev/zero", "larger than 64 MiB");
    assert_unreadable("/dev/null", "expected a value");
}

/* --- overrides --- */

static void assert_set(const char *before, const char *assignment, const char *after)
{
    struct json_document *document = read_ok(before);
    struct error error = {0};
    cr_assert(json_set(document, assignment, &error), "%s: %s", assignment, error.message);
    assert_tree(document, after);
    json_free(document);
}

Test(json_set, replaces_adds_and_makes_what_is_missing)
{
    assert_set("{\"a\": 1}", "a=2", "{\"a\": 2}");
    assert_set("{\"a\": 1}", "b=2", "{\"a\": 1, \"b\": 2}");
    assert_set("{}", "a.b.c=1", "{\"a\": {\"b\": {\"c\": 1}}}");
    assert_set("{\"a\": null}", "a.b=1", "{\"a\": {\"b\": 1}}");
    assert_set("{\"pools\": [{\"replicas\": 2}]}", "pools[0].replicas=3",
               "{\"pools\": [{\"replicas\": 3}]}");
    assert_set("{\"pools\": [1]}", "pools[1].gpu=H100", "{\"pools\": [1, {\"gpu\": \"H100\"}]}");
    assert_set("{}", "pools[0][0]=1", "{\"pools\": [[1]]}");
    assert_set("[1, 2]", "[1]=3", "[1, 3]");
    assert_set("{\"A\": 1}", "a=2", "{\"A\": 1, \"a\": 2}");
}

Test(json_set, the_value_is_json_or_a_string)
{
    assert_set("{}", "a=", "{\"a\": \"\"}");
    assert_set("{}", "a=llama-3.1-8b", "{\"a\": \"llama-3.1-8b\"}");
    assert_set("{}", "a=\"7\"", "{\"a\": \"7\"}");
    assert_set("{}", "a=true", "{\"a\": true}");
    assert_set("{}", "a=null", "{\"a\": null}");
    assert_set("{}", "a=[1, {\"b\": 2}]", "{\"a\": [1, {\"b\": 2}]}");
    assert_set("{}", "a=x=y", "{\"a\": \"x=y\"}");
    assert_set("{}", "a=1 2", "{\"a\": \"1 2\"}");
    assert_set("{}", "a=1e999", "{\"a\": \"1e999\"}");
    assert_set("{}", "a=http://x", "{\"a\": \"http://x\"}");
}

Test(json_set, refuses_what_is_not_an_assignment)
{
    static const char *const assignments[] = {"",
                                              "a",
                                              "=1",
                                              ".a=1",
                                              "a.=1",
                                              "a..b=1",
                                              "a[=1",
                                              "a[]=1",
                                              "a[x]=1",
                                              "a[0=1",
                                              "a[-1]=1",
                                              "a[0]b=1",
                                              "a.[0]=1",
                                              "a]=1",
                                              "a b\x01=1",
                                              "a=\xff",
                                              "a[99999999999999999999]=1"};
    struct json_document *document = read_ok("{\"a\": [1]}");
    for (size_t i = 0; i < sizeof assignments / sizeof *assignments; i++) {
        struct error error = {0};
        cr_assert_not(json_set(document, assignments[i], &error), "%s", assignments[i]);
        cr_assert_neq(error.code, ERROR_NONE);
        cr_assert_neq(error.message[0], '\0');
    }
    assert_tree(document, "{\"a\": [1]}");
    json_free(document);
}

Test(json_set, refuses_places_that_cannot_be_and_changes_nothing)
{
    static const struct {
        const char *assignment, *place, *message;
    } cases[] = {
        {"list[3]=1", "/list", "/list has 2 entries, so [3] cannot be set"},
        {"list.a=1", "/list", "/list is a list, so \"a\" cannot be set in it"},
        {"name.a=1", "/name", "/name is a string, so \"a\" cannot be set in it"},
        {"name[0]=1", "/name", "/name is a string, so it has no entry [0]"},
        {"[0]=1", "", "the document is an object, so it has no entry [0]"},
        {"new.list[1]=1", "", "a new list starts with [0]"},
    };
    const char *text = "{\"list\": [1, 2], \"name\": \"x\"}";
    struct json_document *document = read_ok(text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        cr_assert_not(json_set(document, cases[i].assignment, &error));
        cr_assert_str_eq(error.json_path, cases[i].place);
        cr_assert(strstr(error.message, cases[i].message), "%s", error.message);
    }
    assert_tree(document, text);
    json_free(document);
}

Test(json_set, errors_at_a_place_that_was_set_name_the_assignment)
{
    struct json_document *document = read_ok("{\n\"a\": {\"b\": 1},\n\"ab\": 2}");
    struct error set = {0}, untouched = {0};
    cr_assert(json_set(document, "a.b=3", &set));
    cr_assert(json_set(document, "c.d.e=4", &set));
    json_error(document, "/a/b", &set, "bad");
    cr_assert_str_eq(set.file, "--set a.b=3");
    cr_assert_eq(set.line, 0);
    json_error(document, "/ab", &untouched, "bad");
    cr_assert_str_eq(untouched.file, "t.json");
    cr_assert_eq(untouched.line, 3);
    cr_assert_eq(json_line(document, "/a"), 2, "what is around it is still from the file");
    struct error made = {0};
    json_error(document, "/c/d", &made, "bad");
    cr_assert_str_eq(made.file, "--set c.d.e=4", "the way there was made by the assignment");
    json_free(document);
}

Test(json_set, the_latest_assignment_is_named)
{
    struct json_document *document = read_ok("{\"ab\": 1}");
    struct error error = {0};
    json_set(document, "a=1", &error);
    json_set(document, "a=2", &error);
    json_error(document, "/a", &error, "bad");
    cr_assert_str_eq(error.file, "--set a=2");
    cr_assert_eq(json_line(document, "/ab"), 1, "a longer name is another place");
    json_free(document);
}
