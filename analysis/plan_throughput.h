/* What one replica serves of one request class, in requests per second, by simulation.
 *
 * The replica is given more of the class's own requests than it can hold at once, all at t = 0, and
 * its throughput is read while it is full: after the batch has been turned over once, before the
 * queue runs dry. */
#ifndef TOKENYARD_ANALYSIS_PLAN_THROUGHPUT_H
#define TOKENYARD_ANALYSIS_PLAN_THROUGHPUT_H

#include "analysis/plan_classes.h"
#include "models/engine/engine.h"

/* At least `requests` are simulated, taken from the group in turn. 0 when the engine cannot take
 * every request of the group. The group must not be empty. */
bool plan_throughput(const struct engine_config *engine, const struct plan_group *group,
                     size_t requests, double *requests_per_s, struct error *error);

#endif
