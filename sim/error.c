#include "sim/error.h"

#include <stdio.h>
#include <string.h>

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

bool error_at_va(struct error *error, enum error_code code, const char *file, long line,
                 const char *json_path, const char *format, va_list args)
{
    if (!error || error->code != ERROR_NONE)
        return false;
    error->code = code;
    error->line = line;
    copy_text(error->file, sizeof error->file, file);
    copy_text(error->json_path, sizeof error->json_path, json_path);
    vsnprintf(error->message, sizeof error->message, format, args);
    error->hint[0] = '\0';
    return false;
}

bool error_at(struct error *error, enum error_code code, const char *file, long line,
              const char *json_path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_at_va(error, code, file, line, json_path, format, args);
    va_end(args);
    return false;
}

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error_at_va(error, code, NULL, 0, NULL, format, args);
    va_end(args);
    return false;
}

bool error_hint(struct error *error, const char *format, ...)
{
    if (!error || error->code == ERROR_NONE || error->hint[0] != '\0')
        return false;
    va_list args;
    va_start(args, format);
    vsnprintf(error->hint, sizeof error->hint, format, args);
    va_end(args);
    return false;
}

void error_format(const struct error *error, char *text, size_t size)
{
    char where[sizeof error->file + sizeof error->json_path + 32] = "";
    if (error->file[0] && error->line > 0)
        snprintf(where, sizeof where, "%s:%ld: ", error->file, error->line);
    else if (error->file[0])
        snprintf(where, sizeof where, "%s: ", error->file);
    const char *path_end = error->json_path[0] ? ": " : "";
    const char *hint_start = error->hint[0] ? "\n  hint: " : "";
    snprintf(text, size, "%s%s%s%s%s%s", where, error->json_path, path_end, error->message,
             hint_start, error->hint);
}
