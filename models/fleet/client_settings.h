/* How patient the clients of a class are: the "client" object of a scenario.
 *
 * A client waits for its first token, or for the whole answer, up to a time-out. Then it gives up,
 * and sends the request again after a wait that grows with every attempt, or not at all. One that
 * hangs up as it gives up (cancel_on_timeout) has the server stop its work, as vLLM, SGLang and
 * TensorRT-LLM do for a connection that was closed; otherwise the server finishes an answer that
 * nobody reads. Some users stop reading after a number of tokens: they hang up, too, and have what
 * they wanted.
 *
 * Waits are those of OpenAI's Python client (openai/_base_client.py, _calculate_retry_timeout, and
 * _constants.py: INITIAL_RETRY_DELAY 0.5 s, MAX_RETRY_DELAY 8 s): the first doubled with every
 * attempt, up to the longest, less a random share of up to a quarter. */
#ifndef TOKENYARD_MODELS_FLEET_CLIENT_SETTINGS_H
#define TOKENYARD_MODELS_FLEET_CLIENT_SETTINGS_H

#include "sim/config.h"
#include "workloads/inverse_cdf.h"
#include "workloads/place.h"

struct client_settings {
    double ttft_timeout_s, e2e_timeout_s; /* of each attempt; NaN: none */
    bool cancel_on_timeout;
    int64_t retries;
    double backoff_s, backoff_max_s, backoff_jitter;
    double stop_share;
    struct config_variant stop_after_tok; /* of length_variants; index -1: none */
};

extern const struct config_type client_settings_type;

/* What the simulation is told of the clients of a class. */
struct client_rule {
    const struct client_settings *settings;   /* NULL: they wait for ever, and read all */
    const struct inverse_cdf *stop_after_tok; /* NULL: nobody stops */
    double shed_after_s; /* the server drops whom it has not begun by then; INFINITY: nobody */
};

/* Does anybody of these give up, or is given up? */
bool client_rule_matters(const struct client_rule *rule);

/* Checks the settings, which lie at place, and compiles them. settings: NULL where the scenario
 * has none; they must outlive the rule. false on error. */
bool client_rule_make(const struct client_settings *settings, struct arena *arena,
                      const struct place *place, struct client_rule *rule, struct error *error);

#endif
