/* Writes JSON text, one call per value, indented by two spaces, into a growing string.
 *
 * Numbers print with the fewest digits (15 to 17) that read back as the same double; whole numbers
 * below 2^53 without exponent or point; NaN and infinities as null. The same calls give the same
 * bytes. */
#ifndef TOKENYARD_SIM_JSON_WRITER_H
#define TOKENYARD_SIM_JSON_WRITER_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/error.h"

struct json_writer;

struct json_writer *json_writer_create(void);
void json_writer_destroy(struct json_writer *writer);

/* key is NULL inside a list and for the root. */
void json_begin_object(struct json_writer *writer, const char *key);
void json_end_object(struct json_writer *writer);
void json_begin_list(struct json_writer *writer, const char *key);
void json_end_list(struct json_writer *writer);
void json_put_string(struct json_writer *writer, const char *key,
                     const char *value); /* NULL: null */
void json_put_number(struct json_writer *writer, const char *key, double value);
void json_put_integer(struct json_writer *writer, const char *key, int64_t value);
void json_put_bool(struct json_writer *writer, const char *key, bool value);
void json_put_null(struct json_writer *writer, const char *key);
void json_put_tree(struct json_writer *writer, const char *key, const cJSON *tree);

/* The text so far, ending in a newline once the root is closed. Owned by the writer. */
const char *json_writer_text(const struct json_writer *writer, size_t *length);

/* Writes the text as a whole file (sim/out_file.h). */
bool json_writer_save(const struct json_writer *writer, const char *path, struct error *error);

/* Prints value into text (size >= 32) as the writer would. */
void json_format_number(double value, char *text, size_t size);

#endif
