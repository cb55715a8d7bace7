/* Where in a JSON document a workload's settings were read from: for errors that only show once
 * several settings are seen together. */
#ifndef TOKENYARD_WORKLOADS_PLACE_H
#define TOKENYARD_WORKLOADS_PLACE_H

#include "sim/error.h"
#include "sim/json.h"

struct place {
    const struct json_document *document;
    char pointer[256];
};

struct place place_key(const struct place *place, const char *key);
struct place place_index(const struct place *place, size_t index);

/* Reports bad input at the place. Returns false. */
bool place_error(const struct place *place, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
