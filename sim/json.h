/* Located JSON: cJSON trees that remember where they came from.
 *
 * Input is JSON with // and block comments, which are blanked out before parsing so that lines
 * still count. Refused with file, line and what would be right: text after the value, duplicate
 * keys, numbers that are not finite (1e999), NUL and other control bytes, invalid UTF-8, nesting
 * deeper than 100. No more is decided here than JSON itself says; sim/config gives it meaning.
 *
 * A place in a document is named by its JSON pointer (RFC 6901, "" is the root); the line of a
 * place is found by walking the text again, only when an error needs it. The document owns its tree
 * and texts; nodes die with it. Reading costs about 10 ns a byte. */
#ifndef TOKENYARD_SIM_JSON_H
#define TOKENYARD_SIM_JSON_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "sim/error.h"

struct json_document;

/* NULL on error. Files over 64 MiB are refused. */
struct json_document *json_read_file(const char *path, struct error *error);
/* name stands for the file in messages; text need not be terminated. */
struct json_document *json_read_text(const char *name, const char *text, size_t length,
                                     struct error *error);
void json_free(struct json_document *document); /* NULL is allowed */

cJSON *json_root(const struct json_document *document);

/* 1-based line on which the value at the pointer starts; 0 when there is no such place in the text,
 * or json_set has set it. */
long json_line(const struct json_document *document, const char *pointer);

/* That of the innermost place around it that is there, for a member that is missing. */
long json_line_near(const struct json_document *document, const char *pointer);

/* Where the value at the pointer was given: the document's name, or "--set ...". */
const char *json_origin(const struct json_document *document, const char *pointer);

/* Applies one "--set" assignment, "a.b[0].c=value": the value is JSON, or a plain string when it
 * does not parse as JSON. Missing (or null) objects and lists on the way are made; list indices
 * must exist or be one past the end. A document that is refused is left as it was. */
bool json_set(struct json_document *document, const char *assignment, struct error *error);

/* Member by exact, case-sensitive name; NULL if absent. */
cJSON *json_member(const cJSON *object, const char *name);

/* What a node is, for messages: "a number", "a list", ... */
const char *json_kind(const cJSON *node);

/* error_at with the document's name and the line of the pointer; for a place that json_set has set,
 * the assignment stands in for the file. Returns false. */
bool json_error(const struct json_document *document, const char *pointer, struct error *error,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

bool json_error_va(const struct json_document *document, const char *pointer, struct error *error,
                   const char *format, va_list args) __attribute__((format(printf, 4, 0)));

/* The same of the member `key` of the object at the pointer. */
bool json_member_error(const struct json_document *document, const char *pointer, const char *key,
                       struct error *error, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Appends one reference token ("key" or an index) to a pointer, escaping ~ and /. The result is
 * cut, never overrun, when it does not fit. */
void json_pointer_key(char *to, size_t size, const char *pointer, const char *key);
void json_pointer_index(char *to, size_t size, const char *pointer, size_t index);

#endif
