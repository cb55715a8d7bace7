/* How the servers behind measured points that prefill and decode apart were set up: their workers,
 * by the benchmark's published recipes. */
#ifndef TOKENYARD_ANALYSIS_PROTOCOL_SIDES_H
#define TOKENYARD_ANALYSIS_PROTOCOL_SIDES_H

#include "analysis/protocol.h"

struct protocol_side {
    struct side_layout layout; /* as served: rows misname some */
    struct protocol_server server;
};

struct protocol_sides {
    struct protocol_side prefill, decode;
};

/* false, with a reason, for rows that do not say enough, and where protocol_server is. */
bool protocol_sides(const struct measured_point *point, const struct gpu *gpu,
                    struct protocol_sides *sides, struct error *error);

/* The name of the policy (router_policies) by which a side's ranks get their requests. */
const char *protocol_side_router(const struct measured_point *point,
                                 const struct side_layout *layout);

#endif
