/* The closed loop of clients that a point was measured with, as a source of requests.
 *
 * All clients are there at time 0. Lengths are drawn from a stream named by the load alone, so that
 * equal loads get equal requests on every server. */
#ifndef TOKENYARD_ANALYSIS_POINT_CLIENTS_H
#define TOKENYARD_ANALYSIS_POINT_CLIENTS_H

#include "analysis/points.h"
#include "workloads/source.h"

/* Lives on the arena; the caller ends it with source_destroy. NULL on error. */
struct source *point_clients_open(const struct measured_point *point, struct arena *arena,
                                  struct error *error);

#endif
