/* Which turns belong together: session names of a trace become numbers, turns are counted.
 *
 * Two ways of saying it: every turn names its session (AIPerf, BurstGPT, BLIS), or every turn names
 * itself and the turn before (Qwen-Bailian), where a parent that was not seen starts a session.
 * Memory grows with the number of names: they can come back at any time. */
#ifndef TOKENYARD_WORKLOADS_TRACE_SESSION_H
#define TOKENYARD_WORKLOADS_TRACE_SESSION_H

#include "workloads/trace_reader.h"

struct trace_sessions;

struct trace_session_turn {
    uint32_t session, turn; /* ARRIVAL_NO_ID and 0 for a row of no session */
    int64_t time_ns;        /* the row's own, or that of the turn before plus the delay */
    bool after_end;         /* the latter */
};

struct trace_sessions *trace_sessions_create(void); /* NULL when out of memory */
void trace_sessions_clear(struct trace_sessions *sessions);
void trace_sessions_destroy(struct trace_sessions *sessions); /* NULL is allowed */

/* Fails when a row has neither a time nor a turn before it. path is for messages. */
bool trace_sessions_place(struct trace_sessions *sessions, const struct trace_row *row,
                          const char *path, struct trace_session_turn *turn, struct error *error);

#endif
