/* Recorded times never lie after the times of a closed replay. So the recording can be read in its
 * own order, and a turn is either sent as it is read, or kept: in the heap, when its time is known
 * (the one before has ended), or in its session's line, when it is not. */
#include "workloads/closed_replay.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/clock.h"
#include "sim/event_queue.h"

#define NOBODY UINT32_MAX

struct session {
    double recorded_s, sent_s; /* of its latest turn */
    double ended_s;
    uint32_t first, last; /* turns in line; NOBODY: none */
    bool begun;
    bool out; /* its latest turn, or one whose time is known, has not ended */
};

struct kept_turn {
    struct arrival arrival; /* time_s: as recorded */
    uint64_t *ids;          /* a copy, as long as the slot has ever needed */
    uint32_t id_capacity;
    uint32_t next; /* in line, or free */
};

struct closed_replay {
    struct source base;
    struct source *inner;
    bool has_next, has_ended; /* a turn was read that is sent as recorded; inner is at its end */
    struct arrival next;
    struct event_queue ready; /* kept turns whose time is known */
    struct kept_turn *kept;   /* [ready.capacity] */
    uint32_t free_head;
    uint32_t in_line;
    struct session *sessions;
    uint32_t session_capacity;
};

/* --- memory --- */

static bool reach_session(struct closed_replay *replay, uint32_t session)
{
    uint32_t old = replay->session_capacity, capacity = old ? old : 1024;
    while (capacity <= session && capacity <= UINT32_MAX / 2)
        capacity *= 2;
    if (capacity == old)
        return session < old;
    struct session *sessions = realloc(replay->sessions, capacity * sizeof *sessions);
    if (!sessions)
        return false;
    for (uint32_t i = old; i < capacity; i++)
        sessions[i] = (struct session){.first = NOBODY, .last = NOBODY};
    replay->sessions = sessions;
    replay->session_capacity = capacity;
    return session < capacity;
}

static bool more_slots(struct closed_replay *replay)
{
    uint32_t old = replay->ready.capacity, capacity = old ? 2 * old : 256;
    struct kept_turn *kept = realloc(replay->kept, capacity * sizeof *kept);
    if (!kept)
        return false;
    replay->kept = kept;
    if (!event_queue_grow(&replay->ready, capacity))
        return false;
    for (uint32_t slot = capacity; slot-- > old;) {
        kept[slot] = (struct kept_turn){.next = replay->free_head};
        replay->free_head = slot;
    }
    return true;
}

static bool copy_ids(struct kept_turn *turn, const struct arrival *arrival)
{
    if (arrival->blocks > turn->id_capacity) {
        uint64_t *ids = realloc(turn->ids, arrival->blocks * sizeof *ids);
        if (!ids)
            return false;
        turn->ids = ids;
        turn->id_capacity = arrival->blocks;
    }
    if (arrival->blocks > 0)
        memcpy(turn->ids, arrival->hash_ids, arrival->blocks * sizeof *turn->ids);
    return true;
}

/* A slot with a copy of the arrival; NOBODY when out of memory. */
static uint32_t keep(struct closed_replay *replay, const struct arrival *arrival)
{
    if (replay->free_head == NOBODY && !more_slots(replay))
        return NOBODY;
    uint32_t slot = replay->free_head;
    struct kept_turn *turn = &replay->kept[slot];
    if (!copy_ids(turn, arrival))
        return NOBODY;
    replay->free_head = turn->next;
    turn->next = NOBODY;
    turn->arrival = *arrival;
    turn->arrival.hash_ids = arrival->blocks > 0 ? turn->ids : NULL;
    return slot;
}

static void free_kept(struct closed_replay *replay, uint32_t slot)
{
    replay->kept[slot].next = replay->free_head;
    replay->free_head = slot;
}

/* --- times --- */

/* The session's last turn has ended: this one's time is known. */
static void schedule(struct closed_replay *replay, uint32_t slot)
{
    struct kept_turn *turn = &replay->kept[slot];
    struct session *session = &replay->sessions[turn->arrival.session];
    double gap_s = turn->arrival.time_s - session->recorded_s;
    double from_s = turn->arrival.after_end ? session->ended_s : session->sent_s;
    double later_s =
        fmax(session->ended_s + 1 / TICKS_PER_S, nextafter(session->ended_s, INFINITY));
    double send_s = fmax(from_s + gap_s, later_s);
    session->out = true;
    if (send_s <= CLOCK_MAX_S)
        event_queue_set(&replay->ready, slot, 0, tick_from_s(send_s));
}

static void line_up(struct closed_replay *replay, struct session *session, uint32_t slot)
{
    if (session->first == NOBODY)
        session->first = slot;
    else
        replay->kept[session->last].next = slot;
    session->last = slot;
    replay->in_line++;
}

/* --- reading on --- */

/* Keeps the arrival that was read, unless it is to be sent as recorded. false: out of memory. */
static bool sort_in(struct closed_replay *replay)
{
    const struct arrival *arrival = &replay->next;
    replay->has_next = true;
    if (arrival->session == ARRIVAL_NO_ID)
        return true;
    if (!reach_session(replay, arrival->session))
        return false;
    struct session *session = &replay->sessions[arrival->session];
    if (!session->begun)
        return true;
    replay->has_next = false;
    uint32_t slot = keep(replay, arrival);
    if (slot == NOBODY)
        return false;
    if (session->out)
        line_up(replay, session, slot);
    else
        schedule(replay, slot);
    return true;
}

/* Reads until it is known which turn is the next to be sent. */
static enum source_status read_on(struct closed_replay *replay, struct error *error)
{
    while (!replay->has_next && !replay->has_ended) {
        double time_s;
        enum source_status status = source_peek(replay->inner, &time_s, error);
        if (status == SOURCE_FAILED)
            return status;
        const struct event_entry *first = event_queue_first(&replay->ready);
        if (status == SOURCE_READY && first && tick_to_s(first->time) < time_s)
            break;
        replay->has_ended = status != SOURCE_READY;
        if (replay->has_ended)
            break;
        source_take(replay->inner, &replay->next);
        if (!sort_in(replay)) {
            error_set(error, ERROR_FAILED, "out of memory with %u turns that wait for an answer",
                      replay->in_line);
            return SOURCE_FAILED;
        }
    }
    return SOURCE_READY;
}

/* The kept turn that is sent next; NULL: the one that was read comes before. */
static const struct event_entry *first_kept(const struct closed_replay *replay)
{
    const struct event_entry *first = event_queue_first(&replay->ready);
    return first && !(replay->has_next && replay->next.time_s <= tick_to_s(first->time)) ? first
                                                                                         : NULL;
}

/* --- the source --- */

static enum source_status replay_peek(struct source *source, double *time_s, struct error *error)
{
    struct closed_replay *replay = (struct closed_replay *)source;
    if (read_on(replay, error) == SOURCE_FAILED)
        return SOURCE_FAILED;
    const struct event_entry *kept = first_kept(replay);
    if (!kept && !replay->has_next)
        return replay->in_line > 0 ? SOURCE_WAIT : SOURCE_END;
    *time_s = kept ? tick_to_s(kept->time) : replay->next.time_s;
    return SOURCE_READY;
}

static void send(struct closed_replay *replay, struct arrival *arrival, double send_s)
{
    if (arrival->session != ARRIVAL_NO_ID) {
        struct session *session = &replay->sessions[arrival->session];
        session->recorded_s = arrival->time_s;
        session->sent_s = send_s;
        session->begun = session->out = true;
        arrival->client = arrival->session;
    }
    arrival->time_s = send_s;
}

static void replay_take(struct source *source, struct arrival *arrival)
{
    struct closed_replay *replay = (struct closed_replay *)source;
    const struct event_entry *kept = first_kept(replay);
    if (!kept) {
        *arrival = replay->next;
        replay->has_next = false;
        send(replay, arrival, arrival->time_s);
        return;
    }
    uint32_t slot = (uint32_t)kept->actor;
    double send_s = tick_to_s(kept->time);
    *arrival = replay->kept[slot].arrival;
    event_queue_remove(&replay->ready, slot);
    free_kept(replay, slot);
    send(replay, arrival, send_s);
}

static void replay_ended(struct source *source, const struct arrival_end *end)
{
    struct closed_replay *replay = (struct closed_replay *)source;
    struct session *session = &replay->sessions[end->client];
    assert(session->out);
    session->ended_s = end->now_s;
    session->out = false;
    uint32_t slot = session->first;
    if (slot == NOBODY)
        return;
    session->first = replay->kept[slot].next;
    replay->in_line--;
    schedule(replay, slot);
}

static uint64_t replay_skipped(const struct source *source)
{
    return source_skipped(((const struct closed_replay *)source)->inner);
}

static void replay_destroy(struct source *source)
{
    struct closed_replay *replay = (struct closed_replay *)source;
    source_destroy(replay->inner);
    for (uint32_t slot = 0; slot < replay->ready.capacity; slot++)
        free(replay->kept[slot].ids);
    free(replay->kept);
    free(replay->sessions);
    event_queue_free(&replay->ready);
}

static const struct source_ops replay_ops = {
    .name = "closed replay",
    .peek = replay_peek,
    .take = replay_take,
    .ended = replay_ended,
    .skipped = replay_skipped,
    .destroy = replay_destroy,
};

struct source *closed_replay_create(struct source *inner, struct arena *arena)
{
    struct closed_replay *replay = ARENA_NEW(arena, struct closed_replay);
    replay->base.ops = &replay_ops;
    replay->inner = inner;
    replay->free_head = NOBODY;
    return &replay->base;
}
