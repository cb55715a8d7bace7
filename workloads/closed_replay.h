/* A trace's sessions replayed closed: no turn before the answer to the one before it.
 *
 * Wraps a source, as workloads/transform.h does, whose times are those of a recording. Turns of a
 * session go one after the other, in recorded order, whatever a trace says of branches. The next
 * one comes at the recorded distance from the one before, but not before that has ended: who was
 * kept waiting is behind from then on. A distance that the trace itself counts from the end
 * (arrival.after_end) is kept from the simulated end. What belongs to no session comes as recorded.
 * A turn that was refused or given up does not end its session: what was recorded is sent.
 *
 * Arrivals name their session as their client. Reads no further than it has to: what is in memory
 * are turns whose time has come but for the answer they wait for, and 40 bytes for each session. A
 * turn costs O(log turns held). */
#ifndef TOKENYARD_WORKLOADS_CLOSED_REPLAY_H
#define TOKENYARD_WORKLOADS_CLOSED_REPLAY_H

#include "sim/arena.h"
#include "workloads/source.h"

/* Owns inner from then on; allocated in the arena. */
struct source *closed_replay_create(struct source *inner, struct arena *arena);

#endif
