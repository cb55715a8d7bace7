/* The table of trace formats: what each calls its columns, and how it tells time.
 *
 * Reading, telling formats apart and writing are all driven by it; a new format is a new row here
 * (and a name in enum trace_format). */
#ifndef TOKENYARD_WORKLOADS_TRACE_FORMAT_H
#define TOKENYARD_WORKLOADS_TRACE_FORMAT_H

#include "workloads/text.h"
#include "workloads/trace.h"

enum trace_field {
    FIELD_TIME,
    FIELD_PROMPT,
    FIELD_OUTPUT,
    FIELD_SESSION, /* a name that the turns of a session share; with FIELD_PARENT: of the turn */
    FIELD_PARENT,  /* the turn that came before, by its FIELD_SESSION; "-1": none */
    FIELD_DELAY,   /* after the turn before; where FIELD_TIME is absent */
    FIELD_BLOCKS,  /* hash_ids */
    FIELD_COUNT
};

enum trace_syntax { SYNTAX_CSV, SYNTAX_JSONL };

enum trace_clock {
    CLOCK_SECONDS,
    CLOCK_MILLISECONDS,
    CLOCK_MICROSECONDS,
    CLOCK_NANOSECONDS,
    CLOCK_DATE
};

struct trace_column {
    const char *name; /* NULL ends a list; compared with case */
    enum trace_field field;
    bool required;
};

enum { TRACE_COLUMNS = 8 };

struct trace_layout {
    const char *name;    /* as in "format": "azure" */
    const char *summary; /* one line */
    enum trace_syntax syntax;
    enum trace_clock clock; /* unit of FIELD_TIME and FIELD_DELAY */
    uint32_t block_tok;     /* tokens per hash id */
    bool any_order;         /* rows need not stand by time */
    struct trace_column columns[TRACE_COLUMNS];

    /* For writing. In `row`, @t stands for the time, @p prompt and @o output tokens, @+ their sum,
     * @n the row's number, @s the session and @h for the hash_ids member (with its comma). */
    const char *header; /* NULL: none */
    const char *row;
    int64_t resolution_ns; /* times are rounded to it */
};

/* By enum trace_format, TRACE_AUTO excluded. */
const struct trace_layout *trace_layout(enum trace_format format);

/* The format whose columns these are (names of a CSV header, or keys of a JSON object); TRACE_AUTO
 * when none has all that it requires. */
enum trace_format trace_format_of_columns(enum trace_syntax syntax, const struct text *names,
                                          size_t count);

/* The first required column of the format that is not among the names; NULL when all are. */
const char *trace_missing_column(enum trace_format format, const struct text *names, size_t count);

/* What the file calls a field: "ContextTokens". */
const char *trace_field_name(const struct trace_layout *layout, enum trace_field field);

/* "TIMESTAMP, ContextTokens, GeneratedTokens": the required columns, for hints. */
void trace_required_columns(enum trace_format format, char *text, size_t size);

#endif
