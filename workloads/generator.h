/* Requests made up: when they arrive, and how long they are.
 *
 * A generator never ends by itself, costs O(1) per request (of n superposed clients, O(log n)) and
 * can be rewound; those whose clients wait (workloads/closed_loop.h, workloads/chat.h) cannot.
 * Every purpose draws from its own named random stream, "workload/<stream>/arrivals", ".../prompt"
 * and ".../output", so that changing the lengths never moves an arrival. */
#ifndef TOKENYARD_WORKLOADS_GENERATOR_H
#define TOKENYARD_WORKLOADS_GENERATOR_H

#include "sim/config.h"
#include "workloads/arrivals.h"
#include "workloads/chat.h"
#include "workloads/closed_loop.h"
#include "workloads/diurnal.h"
#include "workloads/lengths.h"
#include "workloads/source.h"

struct generator_config {
    struct config_variant arrivals; /* by enum arrivals_kind, then "closed_loop" and "chat" */
    struct config_variant diurnal;  /* of diurnal_variants; index -1: none */
    struct length_pair_config lengths;
};

extern const struct config_type generator_type;

/* Do its arrivals wait for ends of requests? */
bool generator_is_closed_loop(const struct generator_config *config);

/* What changes a generator's own rate: at most one is not NaN. */
struct generator_rate {
    double rate_per_s; /* to have this mean rate */
    double factor;     /* or this times its own */
};

/* place: of the generator object. The source, and what it needs, is allocated in the arena; config
 * must outlive it. NULL on error. */
struct source *generator_open(const struct generator_config *config, struct generator_rate rate,
                              const struct stream_seed *seed, struct arena *arena,
                              const struct place *place, struct error *error);

#endif
