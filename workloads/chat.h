/* Conversations made up: users who read an answer, think, and send their next message.
 *
 * A session has a random number of turns. Its next prompt is all that was said so far, prompt and
 * answer, and a new message; its next turn comes think time after the answer. Sessions begin by an
 * arrival process of their own (then any number may be under way), or are those of a number of
 * users who begin the next when one is over, after a think time, too. A session ends early when a
 * message is not answered: refused, or given up. One that would outgrow max_context_tok goes on
 * with this message as a new session.
 *
 * Memory is bounded by the sessions under way; a turn costs O(log sessions). Random streams:
 * "arrivals" for starts, "think", "turns", and the two of the lengths. */
#ifndef TOKENYARD_WORKLOADS_CHAT_H
#define TOKENYARD_WORKLOADS_CHAT_H

#include "sim/config.h"
#include "workloads/lengths.h"
#include "workloads/source.h"

struct chat_config {
    struct config_variant starts; /* by enum arrivals_kind, then "users" */
    struct config_variant turns;  /* how many a session has */
    struct config_variant think;  /* struct think_time, by enum think_kind */
    int64_t max_context_tok;      /* of a prompt and its answer; INT64_MIN: no bound */
};

extern const struct config_type chat_type;

/* lengths: of the messages and the answers. The source is allocated in the arena; config must
 * outlive it. NULL on error. place: of the generator. */
struct source *chat_open(const struct chat_config *config, const struct length_pair_config *lengths,
                         const struct stream_seed *seed, struct arena *arena,
                         const struct place *place, struct error *error);

#endif
