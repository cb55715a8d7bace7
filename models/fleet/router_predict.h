/* What latency a replica would give a request, estimated from what was sent to it and has not
 * ended.
 *
 * A gateway that predicts does not see iterations. It knows how fast each pool is (struct
 * router_speed), so it keeps one clock per replica that says until when the prompts sent there will
 * keep it busy, and takes the rest from counts:
 *
 *   step  = an iteration with all its sequences, and half of what they will have answered
 *   TPOT  = step + what prompts add: in a steady state each of the n others is replaced once while
 *           this one answers, so its prompt is computed once within these iterations
 *   TTFT  = overhead + prompts ahead + its own + one step + the wait for memory or a free place:
 *           what is outstanding beyond either must leave first, and in the time of one answer as
 *           much leaves as fits (Little's law)
 *
 * Prompts are taken as not cached. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_PREDICT_H
#define TOKENYARD_MODELS_FLEET_ROUTER_PREDICT_H

#include "models/fleet/router_policy.h"

struct predictor {
    const struct router *router;
    tick_t *prefilled; /* by slot: when all prompts sent there are computed */
};

struct prediction {
    double ttft_s, tpot_s, e2e_s;
};

/* false when out of memory. */
bool predictor_init(struct predictor *predictor, const struct router *router);
void predictor_free(struct predictor *predictor);

/* The request goes there, and so many tokens of its prompt must be computed. */
void predictor_sent(struct predictor *predictor, uint32_t slot, tick_t now, uint32_t prompt_tok);

/* Nothing waits there any more, for the replica has gone. */
void predictor_forget(struct predictor *predictor, uint32_t slot);

/* Until all prompts that were sent there are computed. */
double predictor_backlog_s(const struct predictor *predictor, uint32_t slot, tick_t now);

struct prediction predictor_ask(const struct predictor *predictor, uint32_t slot,
                                const struct router_request *request);

/* The worst of prediction over bound: up to 1 all bounds are kept; 0 when there are none. */
double prediction_strain(const struct prediction *prediction, const struct router_bounds *bounds);

/* Seconds of a full replica of the pool that such a request takes: its prompt, and its part in the
 * iterations that answer it. */
double router_work_s(const struct router_pool *pool, double prompt_tok, double output_tok);

#endif
