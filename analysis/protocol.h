/* How the servers behind measured points were set up, and what their rows call things: all that is
 * known of it, in tables, each entry with its source. */
#ifndef TOKENYARD_ANALYSIS_PROTOCOL_H
#define TOKENYARD_ANALYSIS_PROTOCOL_H

#include "analysis/points.h"
#include "models/engine/engine_settings.h"

/* What a row served with. */
struct protocol_server {
    struct engine_settings engine;
    enum precision weights, expert_weights, kv;
};

/* false, with a reason, for an engine or weight format that is not known. */
bool protocol_server(const struct measured_point *point, const struct gpu *gpu,
                     struct protocol_server *server, struct error *error);

/* Whose step constants a row's server has (engine_calibration.engine): its engine's or, where
 * prefill and decode are apart, those of the engine under Dynamo, "trtllm-dynamo". */
const char *protocol_constants(const struct measured_point *point);

/* The catalogue's GPU that a row's system is ("h100_sxm", or the catalogue's own name); NULL when
 * there is none. */
const struct gpu *protocol_gpu(const struct hardware *hardware, const char *system);

/* Longest and shortest pause of a client between requests, seconds; both 0 for most rows. */
struct protocol_pause {
    double min_s, max_s;
};
struct protocol_pause protocol_pause(const struct measured_point *point);

/* The share of each prompt that the server found in its prefix cache. */
double protocol_cached_share(const struct measured_point *point);

/* Clients of the server that is simulated, and the requests they send, all together. Of ranks that
 * share only their experts (attn_dp) one is simulated, with its share of the clients. */
int64_t protocol_clients(const struct measured_point *point);
int64_t protocol_requests(const struct measured_point *point);

#endif
