/* Links that flows of bytes share: NICs, NVLink and PCIe ports.
 *
 * Each flow takes a path of links, all of them at once, and shares every one with the flows that
 * cross it: max-min fair, so that no flow can have more without one that has less losing some
 * (Bertsekas and Gallager, Data Networks, section 6.5.2). That is what many TCP or RDMA streams
 * come to. Rates change only when a flow begins or has sent its last byte; in between the time of
 * the next such change is known. The last byte arrives a path's latency after it was sent.
 *
 * The owner calls links_advance when links_next comes, and then takes the flows that have arrived.
 * Times are ticks; what happens depends only on the flows and their order, not on how often links
 * are asked. A change costs O(flows x links crossed x bottlenecks): some microseconds for ten
 * flows. The struct owns its memory; flows are named by small numbers that are used again. */
#ifndef TOKENYARD_MODELS_FLEET_LINKS_H
#define TOKENYARD_MODELS_FLEET_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/clock.h"

#define LINKS_PATH_MAX 4
#define LINKS_NONE     UINT32_MAX

struct link {
    double bytes_per_tick;
    tick_t latency;
    /* While bandwidth is dealt out: */
    double spare;    /* what no flow has been given */
    uint32_t asking; /* flows across it that have not been given theirs */
};

struct link_flow {
    uint32_t path[LINKS_PATH_MAX];
    uint32_t hops;
    double left_bytes;    /* at `since` */
    double rate, granted; /* bytes per tick: since then; what it gets from now on */
    tick_t since;
    tick_t sent;    /* when its last byte leaves, at this rate */
    tick_t latency; /* of its path */
    tick_t began;
    tick_t alone; /* how long it takes when nobody shares its path */
    bool sending;
};

struct links {
    struct link *links;
    uint32_t link_count, link_capacity;
    struct link_flow *flows;
    uint32_t flow_capacity;
    uint32_t *active; /* [flow_capacity]: flows under way, in the order they began ... */
    uint32_t active_count;
    uint32_t *idle; /* ... and numbers that are free */
    uint32_t idle_count;
    uint32_t *used; /* [link_capacity]: links that are crossed, while bandwidth is dealt out */
    tick_t next;
};

/* How a flow went. */
struct link_arrival {
    uint32_t flow;
    tick_t took;  /* from its begin to its last byte's arrival */
    tick_t alone; /* of that, what it takes on links of its own; the rest is waiting for others */
};

void links_init(struct links *links);
void links_free(struct links *links);

/* The number of a new link; LINKS_NONE when out of memory. */
uint32_t links_add(struct links *links, double bytes_per_s, double latency_s);

/* A flow begins over 1 to LINKS_PATH_MAX different links. Its number; LINKS_NONE when out of
 * memory. Calls go forward in time, and not past links_next. */
uint32_t links_begin(struct links *links, const uint32_t *path, uint32_t hops, double bytes,
                     tick_t now);

/* When to call links_advance; TICK_NEVER while nothing flows. */
static inline tick_t links_next(const struct links *links)
{
    return links->next;
}

void links_advance(struct links *links, tick_t now);

/* A flow that is under way ends here, and does not arrive. */
void links_stop(struct links *links, uint32_t flow, tick_t now);

/* Takes out one flow whose last byte has arrived by now, in the order they began; false: none. */
bool links_take_arrival(struct links *links, tick_t now, struct link_arrival *arrival);

#endif
