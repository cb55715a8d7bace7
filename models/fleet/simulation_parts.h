/* The insides of one simulation, shared by the files that make it up: simulation.c (the event
 * loop), measuring.c (what a request's end counts for), sampling.c (the observer's samples),
 * summing.c (the result), disaggregation.c, clients.c and elasticity.c. Nobody else includes this.
 */
#ifndef TOKENYARD_MODELS_FLEET_SIMULATION_PARTS_H
#define TOKENYARD_MODELS_FLEET_SIMULATION_PARTS_H

#include "models/engine/eviction.h"
#include "models/engine/prefixes.h"
#include "models/fleet/simulation.h"
#include "sim/event_queue.h"
#include "sim/random.h"
#include "sim/time_stat.h"

enum priority {
    PRIORITY_ARRIVAL,
    PRIORITY_WARMUP,
    PRIORITY_TRANSFER,
    PRIORITY_CLIENT,
    PRIORITY_ELASTIC,
    PRIORITY_REPLICA,
    PRIORITY_SAMPLE
};

/* The bounds of an SLO rule in ticks; TICK_NEVER where there is none. */
struct bounds {
    uint32_t class_index; /* UINT32_MAX: all */
    tick_t ttft, tpot, e2e;
};

struct simulation {
    const struct simulation_spec *spec;
    struct simulation_result *result;
    struct error *error;

    struct event_queue queue;
    uint32_t replicas;
    struct engine *engines;        /* [replicas] */
    uint32_t *pool_of;             /* [replicas] */
    uint32_t *first_replica;       /* [pools] */
    struct engine_config *configs; /* [pools] */
    struct request_pool requests;
    struct router *router;                 /* NULL with disaggregation, which has its own */
    struct disaggregation *disaggregation; /* NULL: no pool has a role */
    struct clients *clients;               /* NULL: nobody gives up */
    struct elasticity *elastic;            /* NULL: all replicas exist always */
    struct bounds *bounds;                 /* [slo rules] */
    struct time_stat *outstanding;         /* [pools]: requests sent there that have not ended */

    gsl_rng *adapters;            /* which one a request asks for; NULL: no pool has any */
    struct prefix_ids prefix_ids; /* of requests in flight, once they name what they share */
    bool shares_prefixes;
    struct kv_store
        *remote_kv[ROUTER_MODELS_MAX]; /* the tier that a model's replicas share, or NULL */
    struct cache_ear *ears; /* [replicas], once a router listens to their caches; or NULL */

    tick_t now, horizon, warmup;
    bool measuring; /* the warm-up is over */
    bool failed;    /* the source or memory gave out; error is filled */
    bool answered;  /* a client of a closed loop was told of an end: the next arrival may move */

    tick_t sampled;              /* time of the last sample */
    tick_t *sampled_busy;        /* [pools]: busy time up to then */
    struct pool_sample *samples; /* [pools] */
};

/* Actors of the event queue: replicas 0 .. replicas - 1, then these. */
static inline uint32_t actor_arrival(const struct simulation *sim)
{
    return sim->replicas;
}

static inline uint32_t actor_warmup(const struct simulation *sim)
{
    return sim->replicas + 1;
}

static inline uint32_t actor_sampler(const struct simulation *sim)
{
    return sim->replicas + 2;
}

static inline uint32_t actor_transfers(const struct simulation *sim)
{
    return sim->replicas + 3;
}

static inline uint32_t actor_clients(const struct simulation *sim)
{
    return sim->replicas + 4;
}

static inline uint32_t actor_elastic(const struct simulation *sim)
{
    return sim->replicas + 5;
}

enum { ACTORS_BESIDE_REPLICAS = 6 };

/* Time of the current run that has passed at `now`. */
static inline tick_t busy_in_run(const struct engine *engine, tick_t now)
{
    return engine_busy(engine) ? now - engine->boundary : 0;
}

/* Boundaries at the horizon are not part of the simulation. */
static inline tick_t last_tick(const struct simulation *sim)
{
    return sim->now == sim->horizon ? sim->now - 1 : sim->now;
}

/* --- simulation.c --- */

/* Its replica has changed what it does next. */
void replica_changed(struct simulation *sim, uint32_t replica);

/* Adds to the requests that were sent to a pool and have not ended. */
void add_outstanding(struct simulation *sim, uint32_t pool, double change);

/* Gives a request to its replica. Its number; REQUEST_NONE, with the simulation failed, when out of
 * memory. */
uint32_t simulation_submit(struct simulation *sim, const struct request *request);

/* Gives a request a replica, or refuses it. Its number, or REQUEST_NONE. asked_tok: of the answer
 * that is asked for, which may be longer than what will be read. */
uint32_t simulation_route(struct simulation *sim, struct request *request,
                          const struct arrival *arrival, uint32_t asked_tok);

/* Cancels a request, wherever it is. As engine_cancel. */
bool simulation_cancel(struct simulation *sim, uint32_t number);

/* A request is out of its engine, for whatever reason: its place on the replica and its record are
 * free. */
void simulation_let_go(struct simulation *sim, uint32_t number);

/* The end of a request frees its client, if it has one that waits (a closed loop). answer_tok: 0
 * when it got no answer. */
void simulation_answer_client(struct simulation *sim, const struct request *request,
                              uint32_t answer_tok, double when_s);

/* A request that no router is charged with is refused by its replica. */
void simulation_reject(struct simulation *sim, const struct request *request);
/* An answer is complete, and counts. */
void simulation_count_completed(struct simulation *sim, uint32_t number);
/* Likewise one that has a record and a router, which are given back. */
void simulation_refuse(struct simulation *sim, uint32_t number);

/* --- elasticity.c, elasticity_requests.c: called only where sim->elastic is not NULL, but for
 * start and stop --- */

struct latencies;

/* false, with sim->error set, on errors. */
bool elastic_start(struct simulation *sim);
void elastic_stop(struct simulation *sim);
/* The time of actor_elastic has come. */
void elastic_event(struct simulation *sim);
/* A request was sent to its replica; has left it. */
void elastic_sent(struct simulation *sim, struct request *request);
void elastic_left(struct simulation *sim, uint32_t replica);
/* The replica is not empty before elastic_left: of what was not sent there from the gateway. */
void elastic_joined(struct simulation *sim, uint32_t replica);
void elastic_completed(struct simulation *sim, const struct request *request,
                       const struct latencies *latencies);
/* No replica is there for an arriving request: it waits. Its number; REQUEST_NONE, with sim->error
 * set, when out of memory. */
uint32_t elastic_hold_arrival(struct simulation *sim, struct request *request);
/* A request that waits so is to be cancelled: it counts as sent, and is out. */
void elastic_cancel_held(struct simulation *sim, uint32_t number);
/* An answer is complete. true: it counts only later, once it is saved. */
bool elastic_keeps(struct simulation *sim, uint32_t number);
/* A replica was at a boundary that left something for its owner. */
void elastic_boundary(struct simulation *sim, uint32_t replica);
/* If the request is on its way with its KV cache, that is given up. */
void elastic_forget_move(struct simulation *sim, uint32_t number);
/* A pool's replicas and nodes, now. */
struct plane_view elastic_look(const struct simulation *sim, uint32_t pool);
/* Will nothing but the control plane act from now on, and that on no request? */
bool elastic_only_watches(const struct simulation *sim);
void elastic_sum_up(struct simulation *sim);

/* --- disaggregation.c: called only where sim->disaggregation is not NULL, but for the first two
 * --- */

/* false, with sim->error set, when out of memory. */
bool disaggregation_start(struct simulation *sim);
void disaggregation_stop(struct simulation *sim);

/* As simulation_route. */
uint32_t disaggregation_arrive(struct simulation *sim, struct request *request, uint32_t asked_tok);
/* A request that waited at the gateway, or lost its replica, is given one; false: none is there.
 * And can all who may work on it serve it? */
bool disaggregation_place(struct simulation *sim, uint32_t number);
bool disaggregation_accepts(const struct simulation *sim, uint32_t number);
/* Who sends requests to the replica. */
struct router *disaggregation_router_of(const struct simulation *sim, uint32_t replica);
/* A replica was at a boundary. */
void disaggregation_boundary(struct simulation *sim, uint32_t replica);
/* The time of actor_transfers has come. */
void disaggregation_event(struct simulation *sim);
/* As simulation_cancel. */
bool disaggregation_cancel(struct simulation *sim, uint32_t number);
/* A request is out of its engine. */
void disaggregation_ended(struct simulation *sim, uint32_t number);

/* --- disaggregation_replicas.c: replicas that come and go --- */

/* As router_set_available. Requests whose prompt is complete, and for which no decode replica was
 * there, go to one that comes. */
void disaggregation_set_available(struct simulation *sim, uint32_t replica, bool available);
/* How many such requests wait. */
uint32_t disaggregation_stranded(const struct simulation *sim);
/* As engine_evict: all whose prompt, cache or answer was on the replica. */
void disaggregation_evict(struct simulation *sim, uint32_t replica, struct eviction *out);
/* As engine_withdraw, but for those whose cache is complete elsewhere: they find another replica to
 * decode them, or wait for one. */
void disaggregation_withdraw(struct simulation *sim, uint32_t replica, struct eviction *out);

/* --- disaggregation.c, on --- */

/* Of a request that is still the pool's: the replica that computed its prompt. */
uint32_t disaggregation_prompt_replica(const struct simulation *sim, const struct request *request);

/* Adds to a request's record where it was prefilled. The request is one of the pool's. */
void disaggregation_describe(const struct simulation *sim, const struct request *request,
                             struct request_record *record);

/* Is it the second record of a request that is still being prefilled? */
bool disaggregation_is_shadow(const struct simulation *sim, uint32_t number);
uint32_t disaggregation_shadows(const struct simulation *sim); /* how many; 0 without */
void disaggregation_sum_up(struct simulation *sim);

/* --- measuring.c --- */

/* Answers come in parts of several tokens: their gaps are counted when a request has ended, instead
 * of by the engine. */
static inline bool streams_in_parts(const struct engine_config *config)
{
    return config->stream_interval > 1;
}

struct latencies {
    tick_t queue, ttft, tpot, e2e; /* tpot: TICK_NEVER for a one-token answer */
};

void measuring_start(struct simulation *sim);

/* overhead: of the request's way in and out, see engine_config. */
struct latencies latencies_of(const struct request *request, tick_t overhead);

/* A request that arrived after the warm-up has ended. */
void measure_completed(struct simulation *sim, const struct request *request,
                       const struct latencies *latencies);
void measure_rejected(struct simulation *sim, const struct request *request);
void measure_timed_out(struct simulation *sim, const struct request *request);
/* The bounds of its class are kept or missed by what the user has read. */
void measure_stopped(struct simulation *sim, const struct request *request,
                     const struct latencies *latencies);

/* Do these latencies keep all bounds of the class? */
bool keeps_bounds(const struct simulation *sim, uint32_t class_index,
                  const struct latencies *latencies);

/* A request in flight at the end counts where it has broken a bound already. */
void judge_in_flight(struct simulation *sim, const struct request *request);
/* Likewise, if this record is the one to count it by. */
void judge_record(struct simulation *sim, uint32_t number);
/* Likewise each of a list of an engine that begins with `first`. */
void judge_list(struct simulation *sim, uint32_t first);

enum outcome { OUTCOME_COMPLETED, OUTCOME_REJECTED, OUTCOME_TIMED_OUT, OUTCOME_STOPPED };

/* latencies NULL: it has none, for it was rejected or timed out. */
void observe_request(struct simulation *sim, const struct request *request,
                     const struct latencies *latencies, enum outcome outcome);

/* --- sampling.c --- */

void sampling_start(struct simulation *sim);
void sample(struct simulation *sim);
/* What has happened since the last sample goes into one more. */
void sample_end(struct simulation *sim);

/* --- sharing.c --- */

/* The list of a request that may share with others. */
uint32_t sharing_list_of(struct simulation *sim, const struct arrival *arrival);
/* What the arriving request shares: a list of sim->prefix_ids, or PREFIX_NONE. The first that names
 * something makes all engines that keep blocks share prefixes. */
static inline uint32_t sharing_arrive(struct simulation *sim, const struct arrival *arrival)
{
    return sim->shares_prefixes || prefix_ids_given(arrival) ? sharing_list_of(sim, arrival)
                                                             : PREFIX_NONE;
}
/* The request is sent once more: a list of its own. */
uint32_t sharing_again(struct simulation *sim, uint32_t list);
/* The request is over. */
void sharing_end(struct simulation *sim, const struct request *request);
void sharing_release(struct simulation *sim);
void sharing_sum_up(struct simulation *sim, uint32_t pool);

/* --- summing.c --- */

void sum_up(struct simulation *sim);

#endif
