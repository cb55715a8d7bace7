/* A recursive-descent walk over the text that keeps nothing: each walk_ function expects its
 * construct at the walker's place, moves past it, or fails with a located message. Finding a place
 * is the same walk, which descends where the pointer says and skips the rest. */
#include "sim/json_text.h"

#include <cJSON.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/utf8.h"

/* cJSON copies a number into a buffer of 64 bytes before it converts it. */
enum { NUMBER_LENGTH_MAX = 63 };

struct walker {
    const char *name;
    const char *text;
    const char *at;
    struct error *error;
    int depth;
};

static long line_of(const char *text, const char *at)
{
    long line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

__attribute__((format(printf, 2, 3))) static bool fail(const struct walker *walker,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_at_va(walker->error, ERROR_BAD_INPUT, walker->name, line_of(walker->text, walker->at),
                NULL, format, args);
    va_end(args);
    return false;
}

/* --- bytes and comments --- */

static void blank(char *from, const char *to)
{
    for (; from < to; from++)
        if (*from != '\n' && *from != '\r')
            *from = ' ';
}

/* A string cannot span lines, so a line end closes one that was left open; the check reports it. */
static char *string_end(char *at)
{
    for (at++; *at && *at != '"' && *at != '\n'; at++)
        if (*at == '\\' && at[1] && at[1] != '\n')
            at++;
    return *at ? at + 1 : at;
}

static bool blank_comments(struct walker *walker, char *text)
{
    char *at = text;
    while (*at) {
        char *end = at + 1;
        if (*at == '"') {
            end = string_end(at);
        } else if (at[0] == '/' && at[1] == '/') {
            end = at + strcspn(at, "\n");
            blank(at, end);
        } else if (at[0] == '/' && at[1] == '*') {
            walker->at = at;
            end = strstr(at + 2, "*/");
            if (!end)
                return fail(walker, "this comment is not closed"),
                       error_hint(walker->error, "end it with */");
            end += 2;
            blank(at, end);
        }
        at = end;
    }
    return true;
}

bool json_text_check_bytes(const char *name, const char *text, size_t length, struct error *error)
{
    struct walker walker = {.name = name, .text = text, .at = text, .error = error};
    while (walker.at < text + length) {
        unsigned char byte = (unsigned char)*walker.at;
        if (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t')
            return fail(&walker, "control character 0x%02x is not allowed in JSON", byte),
                   error_hint(error, "is this a text file?");
        size_t sequence = utf8_sequence(walker.at, text + length);
        if (sequence == 0)
            return fail(&walker, "byte 0x%02x is not valid UTF-8", byte),
                   error_hint(error, "save the file as UTF-8");
        walker.at += sequence;
    }
    return true;
}

bool json_text_clean(const char *name, char *text, size_t length, struct error *error)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (strncmp(text, byte_order_mark, 3) == 0)
        blank(text, text + 3);
    struct walker walker = {.name = name, .text = text, .at = text, .error = error};
    return json_text_check_bytes(name, text, length, error) && blank_comments(&walker, text);
}

/* --- grammar --- */

static void skip_space(struct walker *walker)
{
    walker->at += strspn(walker->at, " \t\r\n");
}

static bool take(struct walker *walker, char wanted)
{
    if (*walker->at != wanted)
        return false;
    walker->at++;
    return true;
}

static bool fail_expected(const struct walker *walker, const char *expected)
{
    const char *at = walker->at;
    if (*at == '\0')
        return fail(walker, "expected %s, found the end of the text", expected);
    if (isspace((unsigned char)*at))
        return fail(walker, "expected %s, found white space", expected);
    int shown = (int)utf8_sequence(at, at + strlen(at));
    if (isalnum((unsigned char)*at))
        while (shown < 20 && (isalnum((unsigned char)at[shown]) || at[shown] == '_'))
            shown++;
    return fail(walker, "expected %s, found %.*s", expected, shown, at);
}

static bool is_hex4(const char *at)
{
    for (int i = 0; i < 4; i++)
        if (!isxdigit((unsigned char)at[i]))
            return false;
    return true;
}

static unsigned hex4(const char *at)
{
    char digits[5] = {at[0], at[1], at[2], at[3], '\0'};
    return (unsigned)strtoul(digits, NULL, 16);
}

/* At the u of \uXXXX; moves to its last digit, that of the second half for a surrogate pair. */
static bool walk_unicode_escape(struct walker *walker)
{
    if (!is_hex4(walker->at + 1))
        return fail(walker, "\\u needs four hexadecimal digits");
    unsigned unit = hex4(walker->at + 1);
    walker->at += 4;
    if (unit == 0)
        return fail(walker, "\\u0000 is not allowed in a string");
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    const char *low = walker->at + 1;
    bool paired = unit < 0xdc00 && low[0] == '\\' && low[1] == 'u' && is_hex4(low + 2) &&
                  hex4(low + 2) >= 0xdc00 && hex4(low + 2) <= 0xdfff;
    if (!paired)
        return fail(walker, "\\u%04x is half of a surrogate pair, without the other half", unit);
    walker->at += 6;
    return true;
}

static bool walk_escape(struct walker *walker)
{
    walker->at++;
    if (*walker->at == 'u')
        return walk_unicode_escape(walker);
    if (*walker->at == '\0' || !strchr("\"\\/bfnrt", *walker->at))
        return fail(walker, "unknown escape in a string"),
               error_hint(walker->error, "write a backslash itself as \\\\");
    return true;
}

static bool walk_string(struct walker *walker)
{
    for (walker->at++; *walker->at != '"'; walker->at++) {
        if (*walker->at == '\0' || *walker->at == '\n' || *walker->at == '\r')
            return fail(walker, "this string is not closed"),
                   error_hint(walker->error,
                              "end it with a double quote on the same line; a line end within a "
                              "string is written \\n");
        if (*walker->at == '\t')
            return fail(walker, "a tab within a string"),
                   error_hint(walker->error, "write it as \\t");
        if (*walker->at == '\\' && !walk_escape(walker))
            return false;
    }
    walker->at++;
    return true;
}

static bool walk_digits(struct walker *walker)
{
    size_t count = strspn(walker->at, "0123456789");
    walker->at += count;
    return count > 0 || fail_expected(walker, "a digit");
}

static bool walk_number(struct walker *walker)
{
    const char *start = walker->at;
    take(walker, '-');
    if (take(walker, '0')) {
        if (isdigit((unsigned char)*walker->at))
            return fail(walker, "a number does not start with a needless 0");
    } else if (!walk_digits(walker)) {
        return false;
    }
    if (take(walker, '.') && !walk_digits(walker))
        return false;
    if (take(walker, 'e') || take(walker, 'E')) {
        if (!take(walker, '-'))
            take(walker, '+');
        if (!walk_digits(walker))
            return false;
    }
    if (walker->at - start > NUMBER_LENGTH_MAX)
        return fail(walker, "a number of %td characters is too long", walker->at - start),
               error_hint(walker->error, "17 digits are all that a double keeps");
    return true;
}

static const char comma_hint[] = "there is no comma after the last entry";

static bool walk_word(struct walker *walker)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (strncmp(walker->at, words[i], length) == 0 &&
            !isalnum((unsigned char)walker->at[length])) {
            walker->at += length;
            return true;
        }
    }
    fail_expected(walker, "a value");
    if (*walker->at == ']')
        return error_hint(walker->error, "%s", comma_hint);
    return error_hint(walker->error, "a value is a number, true, false, null, a \"string\" in "
                                     "double quotes, a [list] or an {object}");
}

static bool walk_value(struct walker *walker);

static bool open_container(struct walker *walker)
{
    if (++walker->depth > JSON_DEPTH_MAX)
        return fail(walker, "nested deeper than %d", JSON_DEPTH_MAX);
    walker->at++;
    skip_space(walker);
    return true;
}

static bool close_container(struct walker *walker, char bracket)
{
    walker->depth--;
    char expected[] = "',' or '?'";
    expected[8] = bracket;
    return take(walker, bracket) || fail_expected(walker, expected);
}

static bool another(struct walker *walker)
{
    if (!take(walker, ','))
        return false;
    skip_space(walker);
    return true;
}

static bool walk_key(struct walker *walker)
{
    if (*walker->at != '"')
        return fail_expected(walker, "a key"),
               error_hint(walker->error, "%s",
                          *walker->at == '}' ? comma_hint : "keys are written in double quotes");
    if (!walk_string(walker))
        return false;
    skip_space(walker);
    return take(walker, ':') || fail_expected(walker, "':' after the key");
}

static bool walk_object(struct walker *walker)
{
    if (!open_container(walker))
        return false;
    if (*walker->at != '}') {
        do {
            if (!walk_key(walker) || !walk_value(walker))
                return false;
        } while (another(walker));
    }
    return close_container(walker, '}');
}

static bool walk_list(struct walker *walker)
{
    if (!open_container(walker))
        return false;
    if (*walker->at != ']') {
        do {
            if (!walk_value(walker))
                return false;
        } while (another(walker));
    }
    return close_container(walker, ']');
}

/* A value and the space around it. */
static bool walk_value(struct walker *walker)
{
    skip_space(walker);
    bool ok;
    if (*walker->at == '{')
        ok = walk_object(walker);
    else if (*walker->at == '[')
        ok = walk_list(walker);
    else if (*walker->at == '"')
        ok = walk_string(walker);
    else if (*walker->at == '-' || isdigit((unsigned char)*walker->at))
        ok = walk_number(walker);
    else
        ok = walk_word(walker);
    skip_space(walker);
    return ok;
}

bool json_text_check(const char *name, const char *text, struct error *error)
{
    struct walker walker = {.name = name, .text = text, .at = text, .error = error};
    if (!walk_value(&walker))
        return false;
    if (*walker.at != '\0')
        return fail_expected(&walker, "nothing more after the value");
    return true;
}

/* --- finding a place --- */

/* Is the quoted text from start to end the key? Keys may hold escapes, so cJSON decodes it. */
static bool key_is(const char *start, const char *end, const char *key)
{
    cJSON *decoded = cJSON_ParseWithLength(start, (size_t)(end - start));
    bool same = cJSON_IsString(decoded) && strcmp(decoded->valuestring, key) == 0;
    cJSON_Delete(decoded);
    return same;
}

static bool descend_to_member(struct walker *walker, const char *key, size_t nth)
{
    open_container(walker);
    if (*walker->at == '}')
        return false;
    do {
        const char *start = walker->at;
        walk_string(walker);
        bool found = key_is(start, walker->at, key);
        walker->at = strchr(walker->at, ':') + 1;
        if (found && nth-- == 0)
            return true;
        walk_value(walker);
    } while (another(walker));
    return false;
}

static bool descend_to_item(struct walker *walker, const char *token)
{
    char *end;
    unsigned long long index = strtoull(token, &end, 10);
    if (!isdigit((unsigned char)*token) || *end)
        return false;
    open_container(walker);
    if (*walker->at == ']')
        return false;
    for (unsigned long long i = 0; i < index; i++) {
        walk_value(walker);
        if (!another(walker))
            return false;
    }
    return true;
}

/* Decodes the reference token after the slash at *pointer and moves *pointer past it. */
static void next_token(const char **pointer, char *token, size_t size)
{
    const char *at = *pointer + 1;
    size_t length = 0;
    for (; *at && *at != '/'; at++) {
        char byte = *at;
        if (byte == '~' && (at[1] == '0' || at[1] == '1'))
            byte = *++at == '1' ? '/' : '~';
        if (length + 1 < size)
            token[length++] = byte;
    }
    token[length] = '\0';
    *pointer = at;
}

long json_text_line(const char *text, const char *pointer, size_t nth)
{
    struct walker walker = {.text = text, .at = text};
    skip_space(&walker);
    while (*pointer) {
        char token[256];
        next_token(&pointer, token, sizeof token);
        bool found = false;
        if (*walker.at == '{')
            found = descend_to_member(&walker, token, *pointer ? 0 : nth);
        else if (*walker.at == '[')
            found = descend_to_item(&walker, token);
        if (!found)
            return 0;
        skip_space(&walker);
    }
    return line_of(text, walker.at);
}
