#include "models/fleet/links.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void links_init(struct links *links)
{
    *links = (struct links){.next = TICK_NEVER};
}

void links_free(struct links *links)
{
    free(links->links);
    free(links->used);
    free(links->flows);
    free(links->active);
    free(links->idle);
    links_init(links);
}

/* --- growing --- */

/* Makes *array hold `capacity` elements. */
static bool grow(void *array, uint32_t capacity, size_t size)
{
    void *larger;
    memcpy(&larger, array, sizeof larger);
    larger = realloc(larger, capacity * size);
    if (!larger)
        return false;
    memcpy(array, &larger, sizeof larger);
    return true;
}

uint32_t links_add(struct links *links, double bytes_per_s, double latency_s)
{
    if (links->link_count == links->link_capacity) {
        uint32_t capacity = 2 * links->link_capacity + 16;
        if (!grow(&links->links, capacity, sizeof *links->links) ||
            !grow(&links->used, capacity, sizeof *links->used))
            return LINKS_NONE;
        links->link_capacity = capacity;
    }
    links->links[links->link_count] = (struct link){.bytes_per_tick = bytes_per_s / TICKS_PER_S,
                                                    .latency = tick_from_s(latency_s)};
    return links->link_count++;
}

static bool grow_flows(struct links *links)
{
    uint32_t old = links->flow_capacity, capacity = 2 * old + 16;
    if (!grow(&links->flows, capacity, sizeof *links->flows) ||
        !grow(&links->active, capacity, sizeof *links->active) ||
        !grow(&links->idle, capacity, sizeof *links->idle))
        return false;
    links->flow_capacity = capacity;
    for (uint32_t number = capacity; number-- > old;)
        links->idle[links->idle_count++] = number;
    return true;
}

/* --- sharing --- */

static tick_t ticks_to_send(double bytes, double bytes_per_tick)
{
    double ticks = ceil(bytes / bytes_per_tick);
    const double longest = CLOCK_MAX_S * TICKS_PER_S;
    return (tick_t)fmin(ticks, longest);
}

/* When the last byte leaves, or where the clock ends. */
static tick_t end_of_sending(const struct link_flow *flow, tick_t now)
{
    const tick_t last = tick_from_s(CLOCK_MAX_S);
    tick_t ticks = ticks_to_send(flow->left_bytes, flow->rate);
    return ticks < last - now ? now + ticks : last;
}

/* A flow whose rate stays the same is left as it is, so that rounding does not add up. */
static void set_rate(struct link_flow *flow, tick_t now)
{
    if (flow->granted == flow->rate)
        return;
    flow->left_bytes = fmax(0, flow->left_bytes - flow->rate * (double)(now - flow->since));
    flow->since = now;
    flow->rate = flow->granted;
    flow->sent = end_of_sending(flow, now);
}

/* Writes the links that sending flows cross to links->used. Returns how many. */
static uint32_t gather_used(struct links *links)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < links->active_count; i++) {
        struct link_flow *flow = &links->flows[links->active[i]];
        flow->granted = 0;
        for (uint32_t hop = 0; flow->sending && hop < flow->hops; hop++) {
            struct link *link = &links->links[flow->path[hop]];
            if (link->asking++ > 0)
                continue;
            link->spare = link->bytes_per_tick;
            links->used[count++] = flow->path[hop];
        }
    }
    return count;
}

/* The link that has least for each who still asks; LINKS_NONE when nobody does. */
static uint32_t find_bottleneck(const struct links *links, uint32_t used_count)
{
    uint32_t least = LINKS_NONE;
    double least_share = INFINITY;
    for (uint32_t i = 0; i < used_count; i++) {
        const struct link *link = &links->links[links->used[i]];
        double share = link->asking > 0 ? link->spare / link->asking : INFINITY;
        if (share < least_share) {
            least_share = share;
            least = links->used[i];
        }
    }
    return least;
}

static bool crosses(const struct link_flow *flow, uint32_t link)
{
    for (uint32_t hop = 0; hop < flow->hops; hop++)
        if (flow->path[hop] == link)
            return true;
    return false;
}

/* Gives the flow this much, on all of its path. */
static void grant(struct links *links, struct link_flow *flow, double rate)
{
    flow->granted = rate;
    for (uint32_t hop = 0; hop < flow->hops; hop++) {
        struct link *link = &links->links[flow->path[hop]];
        link->spare = fmax(0, link->spare - rate);
        link->asking--;
    }
}

/* Progressive filling: the tightest link deals out what it has, evenly; what its flows leave of
 * other links is dealt out next. */
static void share(struct links *links, tick_t now)
{
    uint32_t used_count = gather_used(links);
    uint32_t bottleneck;
    while ((bottleneck = find_bottleneck(links, used_count)) != LINKS_NONE) {
        double rate = links->links[bottleneck].spare / links->links[bottleneck].asking;
        for (uint32_t i = 0; i < links->active_count; i++) {
            struct link_flow *flow = &links->flows[links->active[i]];
            if (flow->sending && flow->granted == 0 && crosses(flow, bottleneck))
                grant(links, flow, rate);
        }
    }
    for (uint32_t i = 0; i < links->active_count; i++)
        if (links->flows[links->active[i]].sending)
            set_rate(&links->flows[links->active[i]], now);
}

static void find_next(struct links *links)
{
    links->next = TICK_NEVER;
    for (uint32_t i = 0; i < links->active_count; i++) {
        const struct link_flow *flow = &links->flows[links->active[i]];
        tick_t change = flow->sending ? flow->sent : flow->sent + flow->latency;
        if (change < links->next)
            links->next = change;
    }
}

/* --- flows --- */

uint32_t links_begin(struct links *links, const uint32_t *path, uint32_t hops, double bytes,
                     tick_t now)
{
    assert(hops >= 1 && hops <= LINKS_PATH_MAX);
    if (links->idle_count == 0 && !grow_flows(links))
        return LINKS_NONE;
    uint32_t number = links->idle[--links->idle_count];
    struct link_flow flow = {
        .hops = hops, .left_bytes = bytes, .since = now, .began = now, .sending = true};
    double slowest = INFINITY;
    for (uint32_t hop = 0; hop < hops; hop++) {
        const struct link *link = &links->links[path[hop]];
        flow.path[hop] = path[hop];
        flow.latency += link->latency;
        slowest = fmin(slowest, link->bytes_per_tick);
    }
    flow.alone = ticks_to_send(bytes, slowest) + flow.latency;
    links->flows[number] = flow;
    links->active[links->active_count++] = number;
    share(links, now);
    find_next(links);
    return number;
}

void links_advance(struct links *links, tick_t now)
{
    bool changed = false;
    for (uint32_t i = 0; i < links->active_count; i++) {
        struct link_flow *flow = &links->flows[links->active[i]];
        bool ends = flow->sending && flow->sent <= now;
        flow->sending = flow->sending && !ends;
        changed |= ends;
    }
    if (changed)
        share(links, now);
    find_next(links);
}

/* The flow at this place among the active ones is over. */
static void take_out(struct links *links, uint32_t place)
{
    links->idle[links->idle_count++] = links->active[place];
    links->active_count--;
    memmove(&links->active[place], &links->active[place + 1],
            (links->active_count - place) * sizeof *links->active);
}

void links_stop(struct links *links, uint32_t flow, tick_t now)
{
    uint32_t place = 0;
    while (links->active[place] != flow)
        place++;
    take_out(links, place);
    share(links, now);
    find_next(links);
}

bool links_take_arrival(struct links *links, tick_t now, struct link_arrival *arrival)
{
    for (uint32_t i = 0; i < links->active_count; i++) {
        uint32_t number = links->active[i];
        const struct link_flow *flow = &links->flows[number];
        if (flow->sending || flow->sent + flow->latency > now)
            continue;
        tick_t took = flow->sent + flow->latency - flow->began;
        *arrival = (struct link_arrival){
            .flow = number, .took = took, .alone = took < flow->alone ? took : flow->alone};
        take_out(links, i);
        find_next(links);
        return true;
    }
    return false;
}
