/* Request classes for a plan: a sample of the workload, cut by prompt and output length.
 *
 * A class is a rectangle of lengths, written as the class rules that the simulator's router uses,
 * so that what was planned for a class is what gets routed. (Cutting by output length presumes, as
 * Jiang et al. do, that it can be told on arrival; one output bin makes no such claim.) Everything
 * is taken from the arena given. */
#ifndef TOKENYARD_ANALYSIS_PLAN_CLASSES_H
#define TOKENYARD_ANALYSIS_PLAN_CLASSES_H

#include "models/fleet/simulation.h"
#include "sim/arena.h"
#include "workloads/source.h"

struct plan_request {
    double time_s;
    uint32_t prompt_tok, output_tok, stream;
};

struct plan_sample {
    struct plan_request *requests; /* in order of arrival */
    size_t count;
    double span_s; /* from the first arrival to the last */
};

/* Takes up to limit requests from the source; refuses closed loops and empty workloads. */
bool plan_sample_read(struct source *source, size_t limit, struct arena *arena,
                      struct plan_sample *sample, struct error *error);

/* Where to cut one of the two lengths. */
struct plan_axis {
    size_t bins;          /* about equally many requests in each, when no edges are given */
    const int64_t *edges; /* rising; edge e starts a bin; the first bin starts at 1 */
    size_t edge_count;
};

/* Class rules for each bin of prompt lengths times each bin of output lengths, prompts outermost.
 * Equal quantiles fall together, so there may be fewer than asked for. Their count is returned.
 * The last one holds whatever the others do not, so that it can close a list of class rules. */
size_t plan_cut(const struct plan_sample *sample, const struct plan_axis *prompt,
                const struct plan_axis *output, struct arena *arena, struct class_rule **rules);

/* The requests of one class, in order of arrival. */
struct plan_group {
    const struct plan_request *requests;
    size_t count;
    double mean_prompt_tok, mean_output_tok; /* 0 when empty */
};

/* One group per rule; each request falls into the first that matches. Requests that match none are
 * in no group. */
struct plan_group *plan_group_requests(const struct plan_sample *sample,
                                       const struct class_rule *rules, size_t rule_count,
                                       struct arena *arena);

#endif
