/* How a router weighs what a replica holds of a prompt against how loaded it is: the rules of three
 * systems, as variants of router_scorings. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_SCORING_H
#define TOKENYARD_MODELS_FLEET_ROUTER_SCORING_H

#include "models/fleet/router_policy.h"

/* A replica's load, as it was when it was last looked at. */
struct replica_view {
    double requests;    /* outstanding */
    double prompt_tok;  /* of them */
    double backlog_tok; /* prompt tokens not computed yet, estimated */
    double waiting;     /* requests in its queue */
    double kv_used;     /* share of its KV blocks */
};

struct scoring_input {
    const struct chooser *chooser;
    const struct router_request *request;
    double looked_up_tok;             /* of the prompt: those that could be found */
    const uint32_t *found_tok;        /* by slot */
    const uint32_t *held;             /* by slot: blocks known to be there */
    const struct replica_view *views; /* by slot */
    double *costs;                    /* [slots of the chooser]: scratch */
};

/* As of config->index. */
uint32_t scoring_choose(const struct config_variant *config, const struct scoring_input *input);

/* Does it go by what replicas say of themselves (waiting, kv_used)? Then at this interval, unless
 * told otherwise; 0: it counts itself. */
double scoring_poll_interval_s(const struct config_variant *config);

#endif
