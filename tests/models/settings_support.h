/* Settings of the elastic and money modules, written in C with ' for ". */
#ifndef TOKENYARD_TESTS_MODELS_SETTINGS_SUPPORT_H
#define TOKENYARD_TESTS_MODELS_SETTINGS_SUPPORT_H

#include <criterion/criterion.h>

#include "sim/config.h"
#include "tests/support.h"
#include "workloads/place.h"

/* The caller frees it. */
static inline struct json_document *quoted_json(const char *text)
{
    char json[4096];
    size_t length = strlen(text);
    cr_assert_lt(length, sizeof json);
    for (size_t i = 0; i <= length; i++)
        json[i] = text[i] == '\'' ? '"' : text[i];
    struct error error = {0};
    struct json_document *document = json_read_text("test.json", json, length, &error);
    cr_assert_not_null(document, "%s", test_error_text(&error));
    return document;
}

/* Defines bool NAME(text, out, error), which reads settings and checks them. */
#define SETTINGS_READER(name, settings_type, type, check, arena)                                   \
    static bool name(const char *text, settings_type *out, struct error *error)                    \
    {                                                                                              \
        struct json_document *document = quoted_json(text);                                        \
        const struct place place = {.document = document, .pointer = ""};                          \
        bool fine = config_read(&(type), document, json_root(document), "", arena, out, error) &&  \
                    check(out, &place, error);                                                     \
        json_free(document);                                                                       \
        return fine;                                                                               \
    }

#endif
