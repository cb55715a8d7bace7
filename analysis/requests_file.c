#include "analysis/requests_file.h"

/* requests_file_add fills a row in this order. */
static const struct column request_columns[] = {
    {"arrival_s", COLUMN_F64, "arrival, in seconds from the start of the simulation"},
    {"queue_s", COLUMN_F64, "time from arrival until the first iteration that worked on it"},
    {"ttft_s", COLUMN_F64, "time from arrival to the first token"},
    {"tpot_s", COLUMN_F64, "mean time per output token after the first; NaN with one token"},
    {"e2e_s", COLUMN_F64, "time from arrival to the last token"},
    {"prompt_tok", COLUMN_U32, "prompt tokens"},
    {"output_tok", COLUMN_U32, "output tokens"},
    {"class", COLUMN_U32, "request class, an index into classes of summary.json"},
    {"pool", COLUMN_U32, "pool that served it, an index into pools of summary.json"},
    {"replica", COLUMN_U32, "replica within the pool"},
    {"preemptions", COLUMN_U32, "how often it lost its KV cache and was recomputed"},
    {"rejected", COLUMN_U32, "1 when it was refused, 0 otherwise"},
    {"cancelled", COLUMN_U32, "1 when its client gave up, 2 when its user stopped reading, or 0"},
    /* Where pools have roles: */
    {"prefill_pool", COLUMN_U32, "pool that computed its prompt for another; 4294967295: none"},
    {"prefill_replica", COLUMN_U32, "replica within that pool"},
    {"handover_s", COLUMN_F64,
     "time from the complete prompt to the KV cache's arrival where it is decoded; NaN: not sent"},
};

enum {
    REQUEST_COLUMNS = sizeof request_columns / sizeof request_columns[0],
    ROLE_COLUMNS = 3 /* the last of them */
};

struct column_file *requests_file_create(const char *path, bool roles, struct error *error)
{
    return column_file_create(path, request_columns,
                              roles ? REQUEST_COLUMNS : REQUEST_COLUMNS - ROLE_COLUMNS, error);
}

void requests_file_add(struct column_file *file, const struct request_record *record)
{
    uint32_t cancelled = record->timed_out ? 1 : record->stopped ? 2 : 0;
    const union column_value row[REQUEST_COLUMNS] = {
        {.f64 = record->arrival_s},
        {.f64 = record->queue_s},
        {.f64 = record->ttft_s},
        {.f64 = record->tpot_s},
        {.f64 = record->e2e_s},
        {.u32 = record->prompt_tok},
        {.u32 = record->output_tok},
        {.u32 = record->class_index},
        {.u32 = record->pool},
        {.u32 = record->replica},
        {.u32 = record->preemptions},
        {.u32 = record->rejected},
        {.u32 = cancelled},
        {.u32 = record->prefill_pool},
        {.u32 = record->prefill_replica},
        {.f64 = record->handover_s},
    };
    column_file_append(file, row);
}
