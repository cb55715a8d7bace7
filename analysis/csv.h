/* CSV as RFC 4180 has it: texts that hold a comma, quote or line break are quoted. */
#ifndef TOKENYARD_ANALYSIS_CSV_H
#define TOKENYARD_ANALYSIS_CSV_H

#include <stdio.h>

void csv_put_text(FILE *out, const char *text);
void csv_put_path(FILE *out, const char *scope, const char *name); /* "scope.name" */

/* The next cell of a row, comma first; an empty one for NaN. */
void csv_put_number(FILE *out, double value);

#endif
