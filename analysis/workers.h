/* Jobs side by side on threads: each thread takes the next job until none is left.
 *
 * Jobs share nothing but what their context guards. A job counts what it has done (a job may be
 * several things) and looks now and then whether to stop. */
#ifndef TOKENYARD_ANALYSIS_WORKERS_H
#define TOKENYARD_ANALYSIS_WORKERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "sim/error.h"

struct workers {
    size_t threads; /* 0: one per core */
    size_t jobs;
    void (*job)(struct workers *workers, size_t job);
    void *context; /* of the jobs */
    size_t total;  /* what `done` reaches when all is done */
    /* Asked a few times a second by the thread that called workers_run; false stops. May be NULL.
     */
    bool (*proceed)(void *proceed_context, size_t done, size_t total);
    void *proceed_context;

    atomic_size_t next, done;
    atomic_bool stop;
};

/* false when no thread could be started. A stopped run is no error: workers->stop is set. */
bool workers_run(struct workers *workers, struct error *error);

#endif
