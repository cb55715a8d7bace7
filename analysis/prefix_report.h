/* What prefix caching found: the "prefix_cache" block of summary.json, pool by pool, and a line for
 * each pool in the terminal's report. Present only where requests named what they share.
 *
 * Of all requests that were let in, each once, the warm-up included. Blocks are those that the
 * workload names (hash_ids; stretches of a session): one is found when it and all before it are
 * there. Found tokens are those that were not computed: of whole KV blocks, and never a prompt's
 * last token. */
#ifndef TOKENYARD_ANALYSIS_PREFIX_REPORT_H
#define TOKENYARD_ANALYSIS_PREFIX_REPORT_H

#include <stdio.h>

#include "analysis/summary.h"

void prefix_report_put(struct json_writer *writer, const struct summary *summary);
void prefix_report_print(const struct summary *summary, FILE *out);

#endif
