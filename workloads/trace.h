/* Request traces on disk: read any known format as a source, write any of them back.
 *
 * Formats are told apart by content (or named). Plain and gzip files are read in one pass through a
 * bounded buffer; files of up to some 700,000 requests are also kept in memory, so that repeats
 * do not read them again. Time 0 is the trace's first request, times are exact to the nanosecond.
 *
 * A broken file gets an error that names file and line: missing columns, cells that are not numbers
 * or out of range, times out of order, no request at all, NUL bytes, a gzip file cut off. An odd
 * file is read by these rules: a byte-order mark, CR LF, blank lines and a missing last newline do
 * not matter; columns and keys may stand in any order, others are ignored; cells may be quoted, and
 * separated by commas, tabs or semicolons; numbers may have an exponent; an output length that is
 * empty, null or left out is 0; requests of zero tokens follow trace_options.zero; a hash id that
 * is text counts as its hash. Blocks smaller than the format's own are told by the first request.
 *
 * Session files (AIPerf) say of a later turn only how long after the turn before it comes. The
 * answer's length in time is not known to a trace, so here that is counted from the ARRIVAL of the
 * turn before: an open-loop approximation, which a closed replay mends. Such a file is sorted in
 * memory, and so is BLIS's, which whose rows need not stand by time. */
#ifndef TOKENYARD_WORKLOADS_TRACE_H
#define TOKENYARD_WORKLOADS_TRACE_H

#include "workloads/source.h"

enum trace_format {
    TRACE_AUTO,              /* by content */
    TRACE_AZURE,             /* Azure LLM inference 2023 and 2024, CSV */
    TRACE_VIDUR,             /* CSV */
    TRACE_SPLITWISE_SIM,     /* CSV */
    TRACE_MOONCAKE,          /* Mooncake, SGLang, GuideLLM and AIPerf JSONL with hash_ids */
    TRACE_TIMED_TRACE,       /* vLLM's timed_trace JSONL */
    TRACE_AIPERF,            /* AIPerf sessions JSONL (session_id, delay) */
    TRACE_BAILIAN,           /* Qwen-Bailian JSONL */
    TRACE_BURSTGPT,          /* BurstGPT 1 and 2 (with or without session columns), CSV */
    TRACE_BLIS,              /* BLIS TraceV2: the .yaml header or its .csv */
    TRACE_LLMSERVINGSIM,     /* JSONL */
    TRACE_LLMSERVINGSIM_TSV, /* of its first releases */
    TRACE_FORMAT_COUNT
};

extern const char *const trace_format_names[]; /* "auto", "azure", ...; ends with NULL */

enum trace_zero_rule { TRACE_ZERO_DROP, TRACE_ZERO_ONE, TRACE_ZERO_ERROR };

extern const char *const trace_zero_names[]; /* "drop", "one", "error"; ends with NULL */

enum trace_sessions_rule { TRACE_SESSIONS_OPEN, TRACE_SESSIONS_CLOSED };

extern const char *const trace_sessions_names[]; /* "open", "closed"; ends with NULL */

struct trace_options {
    const char *path; /* needed during trace_open only */
    enum trace_format format;
    /* Requests with no prompt or no output tokens (failed calls, mostly): drop and count them (the
     * default), read the 0 as 1, or refuse the file. */
    enum trace_zero_rule zero;
    bool sort; /* times out of order: sort in memory instead of refusing the file */
    /* For the workload, which closes them (workloads/closed_replay.h); trace_open itself does not
     * look at it. */
    enum trace_sessions_rule sessions;
};

/* NULL on error. The source can be rewound. */
struct source *trace_open(const struct trace_options *options, struct error *error);

/* Does the format of a source of trace_open say which requests belong together? */
bool trace_names_sessions(const struct source *trace);

/* Writes arrivals in a format, rounding times to what it resolves; the file appears on close. BLIS
 * writes PATH.csv beside PATH.yaml. Sessions are written by aiperf only, hash ids by the formats
 * that have them, and only if their blocks are of the format's size (an error otherwise). */
struct trace_writer;
struct trace_writer *trace_writer_open(const char *path, enum trace_format format,
                                       struct error *error);
bool trace_writer_put(struct trace_writer *writer, const struct arrival *arrival,
                      struct error *error);
/* Both free the writer. */
bool trace_writer_close(struct trace_writer *writer, struct error *error);
void trace_writer_discard(struct trace_writer *writer); /* NULL is allowed */

#endif
