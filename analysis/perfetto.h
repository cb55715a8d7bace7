/* trace.json: what every replica did when, for ui.perfetto.dev (Chrome trace event format).
 *
 * A process per pool, a thread per replica; a slice per iteration, or per run of equal iterations
 * (args: batch, prefill_tok, iterations); counters of waiting and running requests, KV use and
 * power; and for each request the nested phases queue, prefill, decode. Times are microseconds
 * of simulated time. Written as it comes, and bounded: after PERFETTO_EVENTS_MAX events nothing
 * more is taken, and otherData.complete in the file is false. */
#ifndef TOKENYARD_ANALYSIS_PERFETTO_H
#define TOKENYARD_ANALYSIS_PERFETTO_H

#include "models/fleet/simulation.h"

/* About 60 MB of text, which the viewer still opens in seconds. */
#define PERFETTO_EVENTS_MAX 500000

struct perfetto;

/* spec's pools and classes are borrowed. NULL on error. */
struct perfetto *perfetto_open(const char *path, const struct simulation_spec *spec,
                               struct error *error);
void perfetto_span(struct perfetto *trace, const struct iteration_span *span);
void perfetto_request(struct perfetto *trace, const struct request_record *record);
void perfetto_sample(struct perfetto *trace, double time_s, const struct pool_sample *pools);

/* Simulated time from which on events are missing; INFINITY when none are. */
double perfetto_cut_s(const struct perfetto *trace);

bool perfetto_commit(struct perfetto *trace, struct error *error);
void perfetto_close(struct perfetto *trace); /* discards what was not committed; NULL is allowed */

#endif
