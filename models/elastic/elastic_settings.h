/* The member "elastic" of a pool: replicas that come and go. */
#ifndef TOKENYARD_MODELS_ELASTIC_ELASTIC_SETTINGS_H
#define TOKENYARD_MODELS_ELASTIC_ELASTIC_SETTINGS_H

#include <stdint.h>

#include "models/elastic/failures.h"
#include "models/elastic/purchase.h"
#include "models/elastic/start_up.h"
#include "sim/config.h"

/* What becomes of the requests of a replica whose node goes. */
enum interruption_policy {
    INTERRUPTION_DRAIN,   /* at the notice those that wait are sent elsewhere; those that run go on,
                           * and what is left at the end is sent elsewhere, to be recomputed */
    INTERRUPTION_REQUEUE, /* all are sent elsewhere at the notice, to be recomputed */
    INTERRUPTION_MIGRATE, /* as requeue, but the KV cache of those that decode is copied to where
                           * they go on; what is not there when the node goes is recomputed */
    INTERRUPTION_IGNORE,  /* nobody heeds the notice, and requests come to the end, when all are
                           * sent elsewhere, to be recomputed */
    INTERRUPTION_LOSE, /* likewise, but at the end the clients have an error, and may try again */
    INTERRUPTION_CHECKPOINT /* batch jobs: results since the last checkpoint are computed again */
};

extern const char *const interruption_policy_names[]; /* ends with NULL */

struct interruption_settings {
    int policy;                   /* enum interruption_policy */
    double checkpoint_interval_s; /* NaN: Daly's optimum for the rate of interruptions */
    double checkpoint_cost_s;     /* that the engine stands still for one */
    double migration_gb_s;        /* NaN: the node's network */
};

struct elastic_settings {
    int64_t min_replicas, max_replicas;
    struct config_variant scaler;
    struct config_list markets; /* const char *: names; empty: on demand, without limit */
    struct purchase_settings purchase;
    struct start_up_settings start_up;
    struct interruption_settings interruption;
    struct failure_settings *failures; /* NULL: none */
    double billing_minimum_s, billing_granularity_s;
};

extern const struct config_type elastic_config_type; /* struct elastic_settings */

#endif
