#include "sim/json_writer.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/arena.h"
#include "sim/out_file.h"
#include "sim/utf8.h"

enum { DEPTH_MAX = 256 };

struct json_writer {
    char *text; /* always terminated */
    size_t length, capacity;
    int depth;
    char closing[DEPTH_MAX]; /* of the open containers: '}' or ']' */
};

/* --- text --- */

static void reserve(struct json_writer *writer, size_t more)
{
    if (writer->length + more < writer->capacity)
        return;
    writer->capacity = 2 * writer->capacity + more + 1;
    writer->text = realloc(writer->text, writer->capacity);
    if (!writer->text)
        out_of_memory();
}

static void append(struct json_writer *writer, const char *bytes, size_t count)
{
    reserve(writer, count);
    memcpy(writer->text + writer->length, bytes, count);
    writer->length += count;
    writer->text[writer->length] = '\0';
}

static void append_text(struct json_writer *writer, const char *text)
{
    append(writer, text, strlen(text));
}

static void append_escaped(struct json_writer *writer, unsigned char byte)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *known = memchr(plain, byte, sizeof plain - 1);
    char escape[8];
    if (known)
        snprintf(escape, sizeof escape, "\\%c", letters[known - plain]);
    else
        snprintf(escape, sizeof escape, "\\u%04x", byte);
    append_text(writer, escape);
}

/* Bytes that are not UTF-8 (a file name can hold any) become U+FFFD: the output is always JSON. */
static void append_quoted(struct json_writer *writer, const char *value)
{
    const char *end = value + strlen(value);
    append_text(writer, "\"");
    while (value < end) {
        size_t sequence = utf8_sequence(value, end);
        unsigned char byte = (unsigned char)*value;
        if (sequence == 0)
            append_text(writer, "\xef\xbf\xbd");
        else if (byte < 0x20 || byte == '"' || byte == '\\')
            append_escaped(writer, byte);
        else
            append(writer, value, sequence);
        value += sequence ? sequence : 1;
    }
    append_text(writer, "\"");
}

/* --- structure --- */

struct json_writer *json_writer_create(void)
{
    struct json_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        out_of_memory();
    append(writer, "", 0);
    return writer;
}

void json_writer_destroy(struct json_writer *writer)
{
    if (!writer)
        return;
    free(writer->text);
    free(writer);
}

const char *json_writer_text(const struct json_writer *writer, size_t *length)
{
    if (length)
        *length = writer->length;
    return writer->text;
}

bool json_writer_save(const struct json_writer *writer, const char *path, struct error *error)
{
    return out_file_write(path, writer->text, writer->length, error);
}

static void new_line(struct json_writer *writer)
{
    append_text(writer, "\n");
    for (int i = 0; i < writer->depth; i++)
        append_text(writer, "  ");
}

static bool is_empty_container(const struct json_writer *writer)
{
    char last = writer->text[writer->length - 1];
    return last == '{' || last == '[';
}

/* Everything that comes before a value. */
static void start_value(struct json_writer *writer, const char *key)
{
    bool in_object = writer->depth > 0 && writer->closing[writer->depth - 1] == '}';
    assert(in_object == (key != NULL));
    assert(writer->depth > 0 || writer->length == 0);
    if (writer->depth > 0) {
        if (!is_empty_container(writer))
            append_text(writer, ",");
        new_line(writer);
    }
    if (key) {
        append_quoted(writer, key);
        append_text(writer, ": ");
    }
}

static void end_value(struct json_writer *writer)
{
    if (writer->depth == 0)
        append_text(writer, "\n");
}

static void put(struct json_writer *writer, const char *key, const char *text)
{
    start_value(writer, key);
    append_text(writer, text);
    end_value(writer);
}

static void begin(struct json_writer *writer, const char *key, const char *opening, char closing)
{
    start_value(writer, key);
    append_text(writer, opening);
    assert(writer->depth < DEPTH_MAX);
    writer->closing[writer->depth++] = closing;
}

static void end(struct json_writer *writer, char closing)
{
    assert(writer->depth > 0 && writer->closing[writer->depth - 1] == closing);
    bool empty = is_empty_container(writer);
    writer->depth--;
    if (!empty)
        new_line(writer);
    append(writer, &closing, 1);
    end_value(writer);
}

void json_begin_object(struct json_writer *writer, const char *key)
{
    begin(writer, key, "{", '}');
}

void json_end_object(struct json_writer *writer)
{
    end(writer, '}');
}

void json_begin_list(struct json_writer *writer, const char *key)
{
    begin(writer, key, "[", ']');
}

void json_end_list(struct json_writer *writer)
{
    end(writer, ']');
}

/* --- values --- */

void json_format_number(double value, char *text, size_t size)
{
    assert(size >= 32);
    if (!isfinite(value)) {
        snprintf(text, size, "null");
    } else if (fabs(value) < 0x1p53 && value == trunc(value)) {
        snprintf(text, size, "%.0f", value);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, size, "%.*g", digits, value);
            if (strtod(text, NULL) == value)
                break;
        }
    }
}

void json_put_string(struct json_writer *writer, const char *key, const char *value)
{
    if (!value) {
        json_put_null(writer, key);
        return;
    }
    start_value(writer, key);
    append_quoted(writer, value);
    end_value(writer);
}

void json_put_number(struct json_writer *writer, const char *key, double value)
{
    char text[32];
    json_format_number(value, text, sizeof text);
    put(writer, key, text);
}

void json_put_integer(struct json_writer *writer, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    put(writer, key, text);
}

void json_put_bool(struct json_writer *writer, const char *key, bool value)
{
    put(writer, key, value ? "true" : "false");
}

void json_put_null(struct json_writer *writer, const char *key)
{
    put(writer, key, "null");
}

static void put_children(struct json_writer *writer, const cJSON *tree)
{
    const cJSON *child;
    cJSON_ArrayForEach(child, tree) json_put_tree(writer, child->string, child);
}

void json_put_tree(struct json_writer *writer, const char *key, const cJSON *tree)
{
    if (cJSON_IsObject(tree)) {
        json_begin_object(writer, key);
        put_children(writer, tree);
        json_end_object(writer);
    } else if (cJSON_IsArray(tree)) {
        json_begin_list(writer, key);
        put_children(writer, tree);
        json_end_list(writer);
    } else if (cJSON_IsString(tree)) {
        json_put_string(writer, key, tree->valuestring);
    } else if (cJSON_IsNumber(tree)) {
        json_put_number(writer, key, tree->valuedouble);
    } else if (cJSON_IsBool(tree)) {
        json_put_bool(writer, key, cJSON_IsTrue(tree));
    } else {
        json_put_null(writer, key);
    }
}
