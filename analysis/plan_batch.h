/* A source of requests that all arrive at t = 0: what saturates a fleet, or one replica. */
#ifndef TOKENYARD_ANALYSIS_PLAN_BATCH_H
#define TOKENYARD_ANALYSIS_PLAN_BATCH_H

#include "analysis/plan_classes.h"

struct plan_batch {
    struct source source; /* hand &batch.source to the simulation; nothing is to be destroyed */
    const struct plan_request *requests; /* borrowed; taken in turn, over and over */
    size_t distinct;
    size_t next, count; /* count: how many in all */
};

struct plan_batch plan_batch(const struct plan_request *requests, size_t distinct, size_t count);

#endif
