/* Closed loop: C clients, each with one request at a time, that wait for its end, think, and send
 * the next. Never more than C requests are outstanding.
 *
 * A client's next request arrives think_s after the end of its last one, and at least one clock
 * tick, so that it is strictly later. Peek says SOURCE_WAIT while every client waits for an end. */
#ifndef TOKENYARD_WORKLOADS_CLOSED_LOOP_H
#define TOKENYARD_WORKLOADS_CLOSED_LOOP_H

#include "sim/config.h"
#include "workloads/lengths.h"
#include "workloads/source.h"
#include "workloads/think_time.h"

struct closed_loop_config {
    int64_t clients;
    double ramp_s;
    struct config_variant think; /* struct think_time, by enum think_kind */
    double cached_prompt_share;  /* 0 to 1; no key of a scenario sets it */
};

extern const struct config_type closed_loop_type;

/* The source is allocated in the arena. NULL on error. */
struct source *closed_loop_open(const struct closed_loop_config *config,
                                const struct length_pair_config *lengths,
                                const struct stream_seed *seed, struct arena *arena,
                                const struct place *place, struct error *error);

#endif
