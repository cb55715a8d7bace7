/* Files that are either whole or absent.
 *
 * Writing goes to "<path>.<process>.tmp", so that two runs into one folder do not write into each
 * other's files; out_file_commit flushes, checks and renames. Whatever goes wrong (a
 * full disk, an unwritable folder) is reported with the path, and nothing half-written is left
 * under the final name; the temporary file is removed. Also: making folders, as mkdir -p does. */
#ifndef TOKENYARD_SIM_OUT_FILE_H
#define TOKENYARD_SIM_OUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "sim/error.h"

struct out_file;

/* Where the file is until it is whole. */
void out_file_temporary(const char *path, char *name, size_t size);

struct out_file *out_file_open(const char *path, struct error *error); /* NULL on error */
FILE *out_file_stream(struct out_file *file);
/* Both free the out_file. Commit reports any write error since open. */
bool out_file_commit(struct out_file *file, struct error *error);
void out_file_discard(struct out_file *file); /* NULL is allowed */

/* Writes length bytes of text as the whole file. */
bool out_file_write(const char *path, const void *text, size_t length, struct error *error);

bool out_folder_make(const char *path, struct error *error);

#endif
