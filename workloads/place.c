#include "workloads/place.h"

#include <stdarg.h>

struct place place_key(const struct place *place, const char *key)
{
    struct place inner = {.document = place->document};
    json_pointer_key(inner.pointer, sizeof inner.pointer, place->pointer, key);
    return inner;
}

struct place place_index(const struct place *place, size_t index)
{
    struct place inner = {.document = place->document};
    json_pointer_index(inner.pointer, sizeof inner.pointer, place->pointer, index);
    return inner;
}

bool place_error(const struct place *place, struct error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    json_error_va(place->document, place->pointer, error, format, args);
    va_end(args);
    return false;
}
