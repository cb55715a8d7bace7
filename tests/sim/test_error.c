#include <criterion/criterion.h>
#include <string.h>

#include "sim/error.h"

static const char *formatted(const struct error *error)
{
    static char text[2048];
    error_format(error, text, sizeof text);
    return text;
}

Test(error, setting_returns_false_and_the_first_error_stays)
{
    struct error error = {0};
    cr_assert_not(error_set(&error, ERROR_FAILED, "disk %d is full", 3));
    cr_assert_not(error_set(&error, ERROR_USAGE, "later"));
    cr_assert_eq(error.code, ERROR_FAILED);
    cr_assert_str_eq(error.message, "disk 3 is full");
}

Test(error, the_first_hint_stays_and_needs_an_error)
{
    struct error error = {0};
    error_hint(&error, "nothing is wrong");
    cr_assert_str_eq(error.hint, "");
    error_set(&error, ERROR_USAGE, "wrong");
    cr_assert_not(error_hint(&error, "try %s", "this"));
    error_hint(&error, "or that");
    cr_assert_str_eq(error.hint, "try this");
}

Test(error, no_error_to_fill_is_allowed)
{
    cr_assert_not(error_set(NULL, ERROR_FAILED, "x"));
    cr_assert_not(error_at(NULL, ERROR_FAILED, "f", 1, "/p", "x"));
    cr_assert_not(error_hint(NULL, "x"));
}

Test(error, formats_what_is_known_of_the_place)
{
    struct error full = {0};
    error_at(&full, ERROR_BAD_INPUT, "a.json", 12, "/pools/0", "bad");
    error_hint(&full, "be good");
    cr_assert_str_eq(formatted(&full), "a.json:12: /pools/0: bad\n  hint: be good");

    struct error file = {0};
    error_at(&file, ERROR_BAD_INPUT, "a.json", 0, NULL, "bad");
    cr_assert_str_eq(formatted(&file), "a.json: bad");

    struct error bare = {0};
    error_set(&bare, ERROR_BAD_INPUT, "bad");
    cr_assert_str_eq(formatted(&bare), "bad");
}

Test(error, long_texts_are_cut_not_overrun)
{
    char long_text[5000];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    struct error error = {0};
    error_at(&error, ERROR_BAD_INPUT, long_text, 1, long_text, "%s", long_text);
    error_hint(&error, "%s", long_text);
    cr_assert_eq(strlen(error.file), sizeof error.file - 1);
    cr_assert_eq(strlen(error.json_path), sizeof error.json_path - 1);
    cr_assert_eq(strlen(error.message), sizeof error.message - 1);
    cr_assert_eq(strlen(error.hint), sizeof error.hint - 1);
    char small[16];
    error_format(&error, small, sizeof small);
    cr_assert_eq(strlen(small), sizeof small - 1);
}
