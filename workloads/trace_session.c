#include "workloads/trace_session.h"

#include <stdlib.h>

#define uthash_fatal(message) out_of_memory()
#include <uthash.h>

#include "sim/arena.h"

/* What is known under a name: of a session, its latest turn; of a turn, itself. */
struct known_turn {
    UT_hash_handle hh;
    struct trace_session_turn turn;
    char name[];
};

struct trace_sessions {
    struct known_turn *by_name;
    uint32_t count;
};

struct trace_sessions *trace_sessions_create(void)
{
    return calloc(1, sizeof(struct trace_sessions));
}

void trace_sessions_clear(struct trace_sessions *sessions)
{
    struct known_turn *known, *next;
    HASH_ITER(hh, sessions->by_name, known, next)
    {
        HASH_DEL(sessions->by_name, known);
        free(known);
    }
    sessions->count = 0;
}

void trace_sessions_destroy(struct trace_sessions *sessions)
{
    if (!sessions)
        return;
    trace_sessions_clear(sessions);
    free(sessions);
}

static struct known_turn *find(struct trace_sessions *sessions, struct text name)
{
    struct known_turn *known = NULL;
    if (name.at)
        HASH_FIND(hh, sessions->by_name, name.at, name.length, known);
    return known;
}

static struct known_turn *add(struct trace_sessions *sessions, struct text name)
{
    struct known_turn *known = calloc(1, sizeof *known + name.length);
    if (!known)
        return NULL;
    memcpy(known->name, name.at, name.length);
    HASH_ADD(hh, sessions->by_name, name, name.length, known);
    return known;
}

bool trace_sessions_place(struct trace_sessions *sessions, const struct trace_row *row,
                          const char *path, struct trace_session_turn *turn, struct error *error)
{
    struct text name = row->session;
    struct known_turn *self = NULL, *before = NULL;
    *turn = (struct trace_session_turn){ARRIVAL_NO_ID, 0, row->time_ns, row->time_ns == INT64_MIN};
    if (name.at && name.length > 0) {
        self = find(sessions, name);
        before = row->parent.at ? find(sessions, row->parent) : self;
        turn->session = before ? before->turn.session : sessions->count++;
        turn->turn = before ? before->turn.turn + 1 : 0;
    }
    if (row->time_ns == INT64_MIN && !before)
        return error_at(error, ERROR_BAD_INPUT, path, row->line, NULL,
                        "the first turn of session '%.*s' has no timestamp",
                        name.length < 40 ? (int)name.length : 40, name.at ? name.at : "");
    if (row->time_ns == INT64_MIN &&
        __builtin_add_overflow(before->turn.time_ns, row->delay_ns, &turn->time_ns))
        return error_at(error, ERROR_BAD_INPUT, path, row->line, NULL, "the delay is out of range");
    if (turn->session == ARRIVAL_NO_ID)
        return true;
    if (!self && !(self = add(sessions, name)))
        return error_set(error, ERROR_FAILED, "out of memory");
    self->turn = *turn;
    return true;
}
