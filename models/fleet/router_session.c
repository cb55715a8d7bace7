/* Turns of a session go where the session is: consistent hashing on a ring.
 *
 * Each replica has points on a ring of 2^64, by hashes of its number in the fleet; a session goes
 * to the replica of the first point at or after its own hash, so that a replica more or less moves
 * only its own sessions. As vllm-project/production-stack's session router (uhashring: 160 points a
 * node), which sends requests without a session elsewhere (here: by "fallback"). Pools of greater
 * weight have more points, as in Envoy's ring_hash.
 *
 * The points of a replica that is not available are passed over: its sessions move on, each to the
 * next on the ring, and all others stay; when it is back its sessions return, wherever they were
 * meanwhile. So does production-stack's, which takes its node from the ring and puts it back.
 *
 * With a load bound c (Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing with bounded loads",
 * 2016; Envoy's hash_balance_factor, in percent) no replica gets more than c times its part of the
 * outstanding requests, this one among them: who would is passed over along the ring. */
#include <math.h>
#include <stdlib.h>

#include "models/fleet/router_policy.h"

static const struct config_field session_fields[] = {
    {.name = "virtual_nodes",
     .kind = CONFIG_INT,
     .offset = offsetof(struct router_session_config, virtual_nodes),
     .preset = "160",
     .min = 1,
     .max = 65536,
     .doc = "points on the hash ring of a replica (of the pool with the greatest weight)"},
    {.name = "load_bound",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct router_session_config, load_bound),
     .optional = true,
     .min = 1,
     .above_min = true,
     .max = 1000,
     .doc = "a replica that has more than so many times its part of all outstanding requests is "
            "passed over; null: never"},
    {.name = "fallback",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct router_session_config, fallback),
     .names = router_within_names,
     .preset = "\"least_outstanding_requests\"",
     .doc = "policy for requests without a session"},
    {0}};

const struct config_type router_session_type = {.name = "router_session",
                                                .doc = "Parameters of routing by session",
                                                .size = sizeof(struct router_session_config),
                                                .fields = session_fields};

struct ring_point {
    uint64_t hash;
    uint32_t slot;
};

struct session_chooser {
    struct chooser chooser;
    struct ring_point *ring; /* by rising hash */
    uint32_t point_count;
    double load_bound; /* INFINITY: none */
    double weights;    /* summed over available replicas */
    struct chooser *fallback;
};

/* The finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014): a bijection of 64 bits that mixes well. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static int by_hash(const void *a, const void *b)
{
    const struct ring_point *first = a, *second = b;
    return (first->hash > second->hash) - (first->hash < second->hash);
}

static double weight_of(const struct chooser *chooser, uint32_t slot)
{
    return 1 / chooser->router->slots[slot].inverse_weight;
}

static double greatest_weight(const struct chooser *chooser)
{
    double greatest = 0;
    for (uint32_t i = 0; i < chooser->slot_count; i++)
        greatest = fmax(greatest, weight_of(chooser, chooser->slots[i]));
    return greatest;
}

static bool make_ring(struct session_chooser *session, int64_t virtual_nodes)
{
    const struct chooser *chooser = &session->chooser;
    double greatest = greatest_weight(chooser);
    session->ring = calloc(chooser->slot_count * (size_t)virtual_nodes, sizeof *session->ring);
    if (!session->ring)
        return false;
    for (uint32_t i = 0; i < chooser->slot_count; i++) {
        uint32_t slot = chooser->slots[i];
        double weight = weight_of(chooser, slot);
        uint32_t points = (uint32_t)fmax(1, round((double)virtual_nodes * weight / greatest));
        for (uint32_t k = 0; k < points; k++) {
            uint64_t hash = mix((uint64_t)chooser->router->slots[slot].replica << 32 | k);
            session->ring[session->point_count++] = (struct ring_point){hash, slot};
        }
    }
    qsort(session->ring, session->point_count, sizeof *session->ring, by_hash);
    return true;
}

static void sum_weights(struct session_chooser *session)
{
    const struct chooser *chooser = &session->chooser;
    session->weights = 0;
    for (uint32_t i = 0; i < chooser->slot_count; i++)
        session->weights += weight_of(chooser, chooser->slots[i]);
}

static void weigh_again(struct chooser *chooser, uint32_t slot)
{
    (void)slot;
    sum_weights((struct session_chooser *)chooser);
}

static bool open_session(struct chooser *chooser, const void *config)
{
    const struct router_session_config *given = config;
    struct session_chooser *session = (struct session_chooser *)chooser;
    session->load_bound = isnan(given->load_bound) ? INFINITY : given->load_bound;
    session->fallback = chooser_like(chooser, given->fallback);
    sum_weights(session);
    return session->fallback && make_ring(session, given->virtual_nodes);
}

static void close_session(struct chooser *chooser)
{
    struct session_chooser *session = (struct session_chooser *)chooser;
    chooser_destroy(session->fallback);
    free(session->ring);
}

/* The first point at or after the hash; the first of all beyond the last. */
static uint32_t find_point(const struct session_chooser *session, uint64_t hash)
{
    uint32_t low = 0, high = session->point_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (session->ring[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < session->point_count ? low : 0;
}

static uint64_t outstanding(const struct chooser *chooser)
{
    uint64_t requests = 0;
    for (uint32_t i = 0; i < chooser->slot_count; i++)
        requests += chooser->router->slots[chooser->slots[i]].load.requests;
    return requests;
}

/* May the replica have one more? Some always may, for not all can have more than their part. */
static bool is_below_bound(const struct session_chooser *session, uint32_t slot, uint64_t requests)
{
    double part = (double)(requests + 1) * weight_of(&session->chooser, slot) / session->weights;
    double allowed = ceil(session->load_bound * part);
    return (double)session->chooser.router->slots[slot].load.requests + 1 <= allowed;
}

static bool may_take(const struct session_chooser *session, uint32_t slot, uint64_t requests)
{
    return session->chooser.router->slots[slot].available &&
           (session->load_bound == INFINITY || is_below_bound(session, slot, requests));
}

static uint32_t choose_session(struct chooser *chooser, const struct router_request *request)
{
    struct session_chooser *session = (struct session_chooser *)chooser;
    if (request->session == ROUTER_NO_SESSION)
        return chooser_choose(session->fallback, request);
    uint32_t point = find_point(session, mix(mix(request->session)));
    uint64_t requests = session->load_bound < INFINITY ? outstanding(chooser) : 0;
    while (!may_take(session, session->ring[point].slot, requests))
        point = point + 1 == session->point_count ? 0 : point + 1;
    return session->ring[point].slot;
}

const struct router_policy router_session = {.size = sizeof(struct session_chooser),
                                             .open = open_session,
                                             .close = close_session,
                                             .choose = choose_session,
                                             .availability_changed = weigh_again};
