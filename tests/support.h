/* What several tests need: where the shared data and the golden files lie, scratch files, errors as
 * text. */
#ifndef TOKENYARD_TESTS_SUPPORT_H
#define TOKENYARD_TESTS_SUPPORT_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/error.h"

/* Path of a file of the data folder ($TOKENYARD_DATA, else ../shared/data), written into buf; NULL
 * where it is absent, and the test should say so: cr_skip_test("no shared data"). */
static inline const char *test_data_path(const char *relative, char *buf, size_t size)
{
    const char *folder = getenv("TOKENYARD_DATA");
    snprintf(buf, size, "%s/%s", folder ? folder : "../shared/data", relative);
    return access(buf, R_OK) == 0 ? buf : NULL;
}

/* A new, empty folder of the test's own, in $TMPDIR or /tmp; tests/run.sh removes it. Static
 * storage. */
static inline const char *test_folder(void)
{
    static char folder[64]; /* short, so that paths made of it fit their buffers */
    if (!folder[0]) {
        const char *within = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/tokenyard-XXXXXX", within ? within : "/tmp");
        cr_assert_not_null(mkdtemp(folder));
    }
    return folder;
}

/* Writes length bytes as a file in the test's folder; its path is written into path. */
static inline void test_write_file(const char *name, const void *bytes, size_t length, char *path,
                                   size_t size)
{
    snprintf(path, size, "%s/%s", test_folder(), name);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "cannot write %s", path);
    cr_assert_eq(fwrite(bytes, 1, length, file), length);
    cr_assert_eq(fclose(file), 0);
}

/* The bytes of a file and a NUL, which the caller frees; length may be NULL. */
static inline char *test_read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "cannot read %s", path);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *bytes = calloc(1, size + 1);
    cr_assert_eq(fread(bytes, 1, size, file), size);
    fclose(file);
    if (length)
        *length = size;
    return bytes;
}

static inline const char *test_error_text(const struct error *error)
{
    static char text[2048];
    error_format(error, text, sizeof text);
    return text;
}

#endif
