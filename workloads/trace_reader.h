/* Rows of a trace file of any format, in file order, checked one by one but not against each other.
 *
 * Finds out the format, takes lines apart, understands numbers and units. What concerns more than
 * one row (order, sessions, dropped requests) is the caller's: workloads/trace_source.c. */
#ifndef TOKENYARD_WORKLOADS_TRACE_READER_H
#define TOKENYARD_WORKLOADS_TRACE_READER_H

#include "workloads/line_reader.h"
#include "workloads/trace_format.h"

struct trace_row {
    int64_t time_ns;  /* as the file counts; INT64_MIN when the row gives none */
    int64_t delay_ns; /* after the session's turn before; 0 when not given */
    uint32_t prompt_tok, output_tok;
    struct text session, parent; /* at NULL or empty: none; valid until the next row */
    size_t blocks;
    const uint64_t *hash_ids; /* valid until the next row */
    long line;
};

struct trace_reader;

/* NULL on error. format may be TRACE_AUTO. */
struct trace_reader *trace_reader_open(const char *path, enum trace_format format,
                                       struct error *error);
enum line_status trace_reader_next(struct trace_reader *reader, struct trace_row *row,
                                   struct error *error);
bool trace_reader_rewind(struct trace_reader *reader, struct error *error);
enum trace_format trace_reader_format(const struct trace_reader *reader);
uint32_t trace_reader_block_tok(const struct trace_reader *reader); /* of the hash ids; 0: none */
/* The file that holds the rows: what messages name. */
const char *trace_reader_path(const struct trace_reader *reader);
void trace_reader_close(struct trace_reader *reader); /* NULL is allowed */

#endif
