/* Clients that give up: time-outs, retries, users who stop reading; and the server's side of it,
 * which drops requests from its queues whose deadline has passed.
 *
 * A request is what a client wants, an attempt is one time it asks. An attempt that was given up is
 * abandoned: it goes on until its engine lets go of it, at once or at the end of the iteration
 * where the client hangs up, and else at its own end; what it computed was wasted. A retry is a new
 * attempt of the same request, with a record of its own, that waits here and not in an engine until
 * it is sent. Its latencies count from the request's arrival. A user who stops reading after k
 * tokens is an answer of k tokens to all but the counting: engines and routers know how long
 * answers will be, as they do of any other.
 *
 * Every request ends exactly once: completed, rejected (too long, or shed), or cancelled (its last
 * attempt timed out, or its user stopped). Arrived = completed + rejected + cancelled + in flight.
 *
 * All timers are in one heap here, by request number, and one event of the simulation stands for
 * the first. It comes before the boundaries of replicas at its tick, and one tick after the time
 * that it is about: an answer that is there in time, to the tick, is in time. So what an engine is
 * told does not depend on where a run of iterations is cut.
 *
 * Exists only where some class has a rule that matters (client_rule_matters); costs O(log requests
 * in flight) for a request then, and nothing otherwise. */
#ifndef TOKENYARD_MODELS_FLEET_CLIENTS_H
#define TOKENYARD_MODELS_FLEET_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

/* Since the start of the simulation. */
struct client_result {
    uint64_t timed_out;         /* requests: the last attempt was given up */
    uint64_t stopped;           /* requests: the user had read enough */
    uint64_t shed;              /* requests: dropped in a queue; part of those rejected */
    uint64_t timeouts, retries; /* attempts given up; attempts after a request's first */
    /* Computed for attempts that were given up and are out of their engines. */
    uint64_t wasted_prompt_tok, wasted_output_tok;
    uint64_t stopped_output_tok; /* read by users who stopped */
};

struct simulation; /* models/fleet/simulation_parts.h */
struct request;
struct arrival;

/* Makes sim->clients where the spec asks for it. false, with sim->error set, when out of memory. */
bool clients_start(struct simulation *sim);
void clients_stop(struct simulation *sim);

/* --- called only where sim->clients is not NULL --- */

/* A request has arrived: sends its first attempt. */
void clients_arrive(struct simulation *sim, struct request *request, const struct arrival *arrival);

/* The time of actor_clients has come. */
void clients_event(struct simulation *sim);

/* A request has left its engine at a boundary. true: that is all dealt with, and its record given
 * back; false: it has completed, and a client still waits for it. */
bool clients_ended(struct simulation *sim, uint32_t number);

/* A request goes on under another number. */
void clients_renamed(struct simulation *sim, uint32_t from, uint32_t to);

/* A request has come to another engine: if its client has hung up, before that could take it out of
 * the last one, it ends here. */
void clients_moved(struct simulation *sim, uint32_t number);

/* It waited for a replica, or lost its own, and none can serve it: it counts as rejected. */
void clients_refused(struct simulation *sim, uint32_t number);

/* Its replica is gone, and the request with it: its client tries again, or it counts as rejected.
 */
void clients_lost(struct simulation *sim, uint32_t number);

/* Has its client given up this attempt? */
bool clients_abandoned(const struct simulation *sim, uint32_t number);
/* How many such there are, and how many records of retries that have not been sent. */
uint32_t clients_abandoned_count(const struct simulation *sim);
uint32_t clients_unsent_count(const struct simulation *sim);

/* Requests in flight at the end of the simulation that are in no engine. */
void clients_judge_unsent(struct simulation *sim);

#endif
