/* JSON Lines taken apart: one object per line, of which only the known keys are looked at.
 *
 * Not done with cJSON because it holds every number as a double: ids of 64 bits and times in
 * nanoseconds since 1970 would lose their last digits, silently. Nothing is allocated per line but
 * the buffer of hash_ids, which grows to the longest list. */
#ifndef TOKENYARD_WORKLOADS_TRACE_JSONL_H
#define TOKENYARD_WORKLOADS_TRACE_JSONL_H

#include "workloads/trace_cells.h"

struct jsonl_ids { /* zero it before first use; free(ids.items) in the end */
    uint64_t *items;
    size_t capacity;
};

/* Keys of the object, without their quotes; at most max of them. */
bool jsonl_keys(const struct line *line, const char *path, struct text *keys, size_t max,
                size_t *count, struct error *error);

bool jsonl_read_row(const struct trace_layout *layout, const struct line *line, const char *path,
                    struct jsonl_ids *ids, struct trace_cells *cells, struct error *error);

#endif
