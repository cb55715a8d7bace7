/* A piece of a longer text: where it starts and how long it is. Owns nothing, is not terminated. */
#ifndef TOKENYARD_WORKLOADS_TEXT_H
#define TOKENYARD_WORKLOADS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    const char *at; /* NULL: absent */
    size_t length;
};

static inline bool text_is(struct text text, const char *word)
{
    return strlen(word) == text.length && memcmp(text.at, word, text.length) == 0;
}

/* Of whole strings: paths, mostly. */
static inline bool text_ends_with(const char *string, const char *end)
{
    size_t length = strlen(string), tail = strlen(end);
    return length >= tail && strcmp(string + length - tail, end) == 0;
}

static inline bool text_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static inline struct text text_trim(struct text text)
{
    while (text.length > 0 && text_is_blank(text.at[0])) {
        text.at++;
        text.length--;
    }
    while (text.length > 0 && text_is_blank(text.at[text.length - 1]))
        text.length--;
    return text;
}

#endif
