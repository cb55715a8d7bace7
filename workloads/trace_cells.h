/* The cells of one request, before they are understood: pieces of the line they stand in.
 *
 * Both syntaxes, CSV and JSON Lines, are taken apart into these, so that everything after (numbers,
 * units, rules, messages) is written once. Valid until the next line is read. */
#ifndef TOKENYARD_WORKLOADS_TRACE_CELLS_H
#define TOKENYARD_WORKLOADS_TRACE_CELLS_H

#include "workloads/line_reader.h"
#include "workloads/trace_format.h"

struct trace_cells {
    struct text cell[FIELD_COUNT]; /* at NULL: absent */
    const uint64_t *hash_ids;
    size_t hash_count;
};

#endif
