/* Columnar output to HDF5: one chunked, deflated, one-dimensional dataset per column.
 *
 * Reads directly with h5py (f["ttft_s"][:]) and pandas. Rows are buffered and written in chunks, so
 * memory does not grow with the rows. Files written by the same calls are byte-identical (no
 * timestamps). Like sim/out_file, the file appears under its name only on commit. The HDF5 library
 * is not thread-safe: column files are for one thread of the process. */
#ifndef TOKENYARD_SIM_COLUMN_FILE_H
#define TOKENYARD_SIM_COLUMN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/error.h"

enum column_type { COLUMN_F64, COLUMN_U32, COLUMN_U64 };

struct column {
    const char *name; /* with its unit: "ttft_s" */
    enum column_type type;
    const char *doc; /* stored as attribute "description" */
};

union column_value {
    double f64;
    uint32_t u32;
    uint64_t u64;
};

struct column_file;

struct column_file *column_file_create(const char *path, const struct column *columns, size_t count,
                                       struct error *error);
/* row: one value per column, in order. Errors of a flush are kept and reported on commit. */
void column_file_append(struct column_file *file, const union column_value *row);
bool column_file_commit(struct column_file *file, struct error *error); /* frees file */
void column_file_discard(struct column_file *file);                     /* NULL is allowed */

#endif
