/* A trace file as a source of arrivals: order, sessions, dropped requests, and repeats.
 *
 * Rows stream from the reader. Meanwhile they are kept, until they fill KEPT_BYTES: a file that
 * fits is read once, and every repeat after that is served from memory. A file that must be sorted
 * is read whole when it is opened; session files always are, because a later turn, placed by its
 * delay, falls behind the first turns of the sessions after it. */
#include "workloads/trace.h"

#include <stdlib.h>
#include <string.h>

#include "sim/clock.h"
#include "workloads/row_store.h"
#include "workloads/trace_session.h"

#define KEPT_BYTES ((size_t)32 << 20) /* 700 thousand rows without hash ids */
#define NS_PER_S   1e9

enum origin {
    FROM_FILE,      /* rows are read and kept */
    FROM_FILE_ONLY, /* rows are read; they were too many to keep */
    FROM_MEMORY     /* every row is in the store */
};

struct trace_source {
    struct source base;
    struct trace_reader *reader;
    struct trace_sessions *sessions;
    struct row_store store;
    enum origin origin;
    enum trace_zero_rule zero;
    uint32_t block_tok;
    size_t next_stored; /* FROM_MEMORY */

    bool has_started; /* FROM_FILE: first_ns is known */
    bool is_ready;
    struct arrival next;
    uint64_t dropped;
    int64_t first_ns, last_ns; /* times of the first and the latest row, as the file counts */
    long last_line;
    struct error failure;
};

const char *const trace_zero_names[] = {"drop", "one", "error", NULL};
const char *const trace_sessions_names[] = {"open", "closed", NULL};

static struct trace_source *of(struct source *source)
{
    return (struct trace_source *)source;
}

static void fill_arrival(const struct trace_source *trace, const struct stored_row *row,
                         const uint64_t *ids, struct arrival *arrival)
{
    *arrival = (struct arrival){
        .time_s = (double)(row->time_ns - trace->first_ns) / NS_PER_S,
        .prompt_tok = row->prompt_tok,
        .output_tok = row->output_tok,
        .client = ARRIVAL_NO_ID,
        .session = row->session,
        .turn = row->turn,
        .after_end = row->after_end,
        .block_tok = row->blocks > 0 ? trace->block_tok : 0,
        .blocks = row->blocks,
        .hash_ids = ids,
    };
}

/* --- rules --- */

/* Whether the row is kept. ERROR: fails. */
static bool apply_zero_rule(struct trace_source *trace, struct trace_row *row, bool *keep,
                            struct error *error)
{
    *keep = true;
    if (row->prompt_tok > 0 && row->output_tok > 0)
        return true;
    if (trace->zero == TRACE_ZERO_ERROR)
        return error_at(error, ERROR_BAD_INPUT, trace_reader_path(trace->reader), row->line, NULL,
                        "a request of %u prompt and %u output tokens", row->prompt_tok,
                        row->output_tok);
    if (trace->zero == TRACE_ZERO_DROP) {
        trace->dropped++;
        *keep = false;
    }
    row->prompt_tok += row->prompt_tok == 0;
    row->output_tok += row->output_tok == 0;
    return true;
}

static bool check_order(const struct trace_source *trace, const struct stored_row *row,
                        struct error *error)
{
    const char *path = trace_reader_path(trace->reader);
    double time_s = (double)(row->time_ns - trace->first_ns) / NS_PER_S;
    if (row->time_ns < trace->last_ns) {
        error_at(error, ERROR_BAD_INPUT, path, row->line, NULL,
                 "out of order: arrives at %.9g s, line %ld before it at %.9g s", time_s,
                 trace->last_line, (double)(trace->last_ns - trace->first_ns) / NS_PER_S);
        return error_hint(error, "sort the file, or set \"sort\": true (--sort)");
    }
    if (time_s > CLOCK_MAX_S)
        return error_at(error, ERROR_BAD_INPUT, path, row->line, NULL,
                        "arrives %.6g s after the first request; the clock ends at %.0f s", time_s,
                        CLOCK_MAX_S);
    return true;
}

/* The next row that is kept, its session resolved. */
static enum source_status read_row(struct trace_source *trace, struct stored_row *stored,
                                   const uint64_t **ids, struct error *error)
{
    struct trace_row row;
    for (;;) {
        struct trace_session_turn turn;
        bool keep;
        enum line_status status = trace_reader_next(trace->reader, &row, error);
        if (status != LINE_READY)
            return status == LINE_END ? SOURCE_END : SOURCE_FAILED;
        if (!trace_sessions_place(trace->sessions, &row, trace_reader_path(trace->reader), &turn,
                                  error) ||
            !apply_zero_rule(trace, &row, &keep, error))
            return SOURCE_FAILED;
        if (!keep)
            continue;
        *stored = (struct stored_row){.time_ns = turn.time_ns,
                                      .line = row.line,
                                      .blocks = (uint32_t)row.blocks,
                                      .prompt_tok = row.prompt_tok,
                                      .output_tok = row.output_tok,
                                      .session = turn.session,
                                      .turn = turn.turn,
                                      .after_end = turn.after_end};
        *ids = row.hash_ids;
        return SOURCE_READY;
    }
}

/* --- serving --- */

static void keep_row(struct trace_source *trace, const struct stored_row *row, const uint64_t *ids)
{
    if (row_store_bytes(&trace->store) < KEPT_BYTES && row_store_add(&trace->store, *row, ids))
        return;
    row_store_free(&trace->store);
    trace->origin = FROM_FILE_ONLY;
}

static enum source_status serve_file(struct trace_source *trace, struct error *error)
{
    struct stored_row row;
    const uint64_t *ids;
    enum source_status status = read_row(trace, &row, &ids, error);
    if (status == SOURCE_END && trace->origin == FROM_FILE) {
        trace->origin = FROM_MEMORY;
        trace->next_stored = trace->store.count;
    }
    if (status != SOURCE_READY)
        return status;
    if (!trace->has_started)
        trace->first_ns = trace->last_ns = row.time_ns;
    trace->has_started = true;
    if (!check_order(trace, &row, error))
        return SOURCE_FAILED;
    trace->last_ns = row.time_ns;
    trace->last_line = row.line;
    if (trace->origin == FROM_FILE)
        keep_row(trace, &row, ids);
    fill_arrival(trace, &row, ids, &trace->next);
    return SOURCE_READY;
}

static enum source_status serve_memory(struct trace_source *trace)
{
    if (trace->next_stored == trace->store.count)
        return SOURCE_END;
    const struct stored_row *row = &trace->store.rows[trace->next_stored++];
    const uint64_t *ids = row->blocks > 0 ? trace->store.ids + row->first_id : NULL;
    fill_arrival(trace, row, ids, &trace->next);
    return SOURCE_READY;
}

static enum source_status trace_peek(struct source *source, double *time_s, struct error *error)
{
    struct trace_source *trace = of(source);
    if (!trace->is_ready) {
        enum source_status status = trace->failure.code ? SOURCE_FAILED
                                    : trace->origin == FROM_MEMORY
                                        ? serve_memory(trace)
                                        : serve_file(trace, &trace->failure);
        if (status == SOURCE_FAILED && error && error->code == ERROR_NONE)
            *error = trace->failure;
        if (status != SOURCE_READY)
            return status;
        trace->is_ready = true;
    }
    *time_s = trace->next.time_s;
    return SOURCE_READY;
}

static void trace_take(struct source *source, struct arrival *arrival)
{
    struct trace_source *trace = of(source);
    *arrival = trace->next;
    trace->is_ready = false;
}

static bool trace_rewind(struct source *source, struct error *error)
{
    struct trace_source *trace = of(source);
    trace->is_ready = false;
    trace->next_stored = 0;
    if (trace->origin == FROM_MEMORY)
        return true;
    trace->has_started = false;
    trace->dropped = 0;
    row_store_clear(&trace->store);
    trace_sessions_clear(trace->sessions);
    return trace_reader_rewind(trace->reader, error);
}

static uint64_t trace_skipped(const struct source *source)
{
    return ((const struct trace_source *)source)->dropped;
}

static void trace_destroy(struct source *source)
{
    struct trace_source *trace = of(source);
    trace_reader_close(trace->reader);
    trace_sessions_destroy(trace->sessions);
    row_store_free(&trace->store);
    free(trace);
}

static const struct source_ops trace_ops = {.name = "trace",
                                            .peek = trace_peek,
                                            .take = trace_take,
                                            .rewind = trace_rewind,
                                            .skipped = trace_skipped,
                                            .destroy = trace_destroy};

/* --- opening --- */

static bool load_sorted(struct trace_source *trace, struct error *error)
{
    struct stored_row row;
    const uint64_t *ids;
    enum source_status status;
    while ((status = read_row(trace, &row, &ids, error)) == SOURCE_READY)
        if (!row_store_add(&trace->store, row, ids))
            return error_set(error, ERROR_FAILED, "out of memory: the trace is too big to sort");
    if (status == SOURCE_FAILED)
        return false;
    trace->origin = FROM_MEMORY;
    row_store_sort(&trace->store);
    if (trace->store.count == 0)
        return true;
    trace->first_ns = trace->last_ns = trace->store.rows[0].time_ns;
    return check_order(trace, &trace->store.rows[trace->store.count - 1], error);
}

/* A trace without a single request is a mistake worth stopping for. */
static bool check_not_empty(struct trace_source *trace, struct error *error)
{
    double time_s;
    enum source_status status = trace_peek(&trace->base, &time_s, error);
    if (status != SOURCE_END)
        return status == SOURCE_READY;
    const char *path = trace_reader_path(trace->reader);
    if (trace->dropped == 0)
        return error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "the trace holds no request");
    error_at(error, ERROR_BAD_INPUT, path, 0, NULL,
             "each of the trace's %llu requests has no prompt or no output tokens",
             (unsigned long long)trace->dropped);
    return error_hint(error, "\"zero\": \"one\" (--zero one) reads 0 tokens as 1");
}

struct source *trace_open(const struct trace_options *options, struct error *error)
{
    struct trace_source *trace = calloc(1, sizeof *trace);
    if (!trace) {
        error_set(error, ERROR_FAILED, "out of memory");
        return NULL;
    }
    trace->base.ops = &trace_ops;
    trace->zero = options->zero;
    trace->sessions = trace_sessions_create();
    if (!trace->sessions)
        error_set(error, ERROR_FAILED, "out of memory");
    else
        trace->reader = trace_reader_open(options->path, options->format, error);
    if (!trace->reader)
        goto failed;
    enum trace_format format = trace_reader_format(trace->reader);
    trace->block_tok = trace_reader_block_tok(trace->reader);
    if ((options->sort || trace_layout(format)->any_order) && !load_sorted(trace, error))
        goto failed;
    if (check_not_empty(trace, error))
        return &trace->base;
failed:
    trace_destroy(&trace->base);
    return NULL;
}

bool trace_names_sessions(const struct source *source)
{
    const struct trace_source *trace = (const struct trace_source *)source;
    const struct trace_layout *layout = trace_layout(trace_reader_format(trace->reader));
    for (size_t i = 0; i < TRACE_COLUMNS && layout->columns[i].name; i++)
        if (layout->columns[i].field == FIELD_SESSION)
            return true;
    return false;
}
