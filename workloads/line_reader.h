/* Lines of a plain or gzip file, one after the other, through one buffer.
 *
 * Rules: a byte-order mark before the first line is dropped; lines end in LF or CR LF, the last one
 * may have no end; blank lines are passed over but counted; where quotes are honoured, a line goes
 * on while a quoted cell does. Refused, with the line: NUL bytes, lines longer than LINE_MAX_BYTES,
 * a gzip file that is cut off or damaged, a folder, a file that cannot be read. Memory: the buffer,
 * which grows to the longest line. */
#ifndef TOKENYARD_WORKLOADS_LINE_READER_H
#define TOKENYARD_WORKLOADS_LINE_READER_H

#include "sim/error.h"
#include "workloads/text.h"

#define LINE_MAX_BYTES ((size_t)16 << 20)

struct line {
    struct text text; /* without its line end; valid until the next call */
    long number;      /* 1-based */
};

enum line_status { LINE_READY, LINE_END, LINE_FAILED };

struct line_reader;

struct line_reader *line_reader_open(const char *path, struct error *error); /* NULL on error */
enum line_status line_reader_next(struct line_reader *reader, struct line *line,
                                  struct error *error);
/* From now on, as in CSV, a quote at the start of a cell keeps line ends until it is closed. */
void line_reader_honour_quotes(struct line_reader *reader);
/* Back to the first line. */
bool line_reader_rewind(struct line_reader *reader, struct error *error);
const char *line_reader_path(const struct line_reader *reader);
void line_reader_close(struct line_reader *reader); /* NULL is allowed */

#endif
