/* Errors that a user can cause: reported, never asserted.
 *
 * A function that can fail returns bool (or NULL) and fills a struct error the caller owns. The
 * first error stays: later calls on a filled error change nothing, so clean-up code may report
 * freely. The code is the process's exit code. Passing NULL for the error is allowed everywhere.
 * Nothing here allocates; texts that do not fit are cut. */
#ifndef TOKENYARD_SIM_ERROR_H
#define TOKENYARD_SIM_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_FAILED = 1,     /* the machine let us down: disk full, out of memory, gnuplot missing */
    ERROR_USAGE = 2,      /* the command line is wrong */
    ERROR_BAD_INPUT = 3,  /* a scenario, trace or catalogue file is wrong */
    ERROR_INFEASIBLE = 4, /* the input is right, and nothing satisfies it */
    ERROR_SLO_MISSED = 5,
    ERROR_INTERRUPTED = 130
};

struct error {
    enum error_code code;
    long line;           /* 1-based; 0 where no line is meant */
    char file[512];      /* "" where no file is meant */
    char json_path[256]; /* JSON pointer (RFC 6901), "" where none is meant */
    char message[512];   /* what is wrong */
    char hint[512];      /* what would be right; may be "" */
};

/* All three return false, so that a caller can write `return error_set(...)`. */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool error_at(struct error *error, enum error_code code, const char *file, long line,
              const char *json_path, const char *format, ...) __attribute__((format(printf, 6, 7)));
bool error_at_va(struct error *error, enum error_code code, const char *file, long line,
                 const char *json_path, const char *format, va_list args)
    __attribute__((format(printf, 6, 0)));

/* Adds what would be right to an error just set; the first hint stays. Returns false. */
bool error_hint(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes "FILE:LINE: /json/pointer: message\n  hint: ..." into text (always terminated). */
void error_format(const struct error *error, char *text, size_t size);

#endif
