/* The text side of JSON: strict checking, and finding the line of a place.
 *
 * cJSON is lenient (01, raw control characters, \u0000, text after the value) and does not say why
 * it refuses, so text is checked here first, against the grammar of RFC 8259; what passes, cJSON
 * reads. All texts are terminated by NUL. */
#ifndef TOKENYARD_SIM_JSON_TEXT_H
#define TOKENYARD_SIM_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/error.h"

enum { JSON_DEPTH_MAX = 100 };

/* Is the text UTF-8 without control characters (but tab, CR and LF)? */
bool json_text_check_bytes(const char *name, const char *text, size_t length, struct error *error);

/* Blanks a byte order mark and the comments in place, keeping the lines, and checks the
 * bytes. name stands for the file in messages. */
bool json_text_clean(const char *name, char *text, size_t length, struct error *error);

/* Is the (clean) text one JSON value and nothing else? Duplicate keys and numbers too large for a
 * double pass. */
bool json_text_check(const char *name, const char *text, struct error *error);

/* 1-based line on which the value at the pointer starts, in a text that passed the check; 0 when
 * there is none. Where the last key of the pointer is there more than once, the nth is meant,
 * counted from 0. */
long json_text_line(const char *text, const char *pointer, size_t nth);

#endif
