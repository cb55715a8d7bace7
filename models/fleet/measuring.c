/* What the end of a request counts for: latencies, SLOs, histograms, the observer. */
#include <math.h>

#include "models/fleet/simulation_parts.h"

static tick_t bound_tick(double bound_s)
{
    return bound_s < CLOCK_MAX_S ? tick_from_s(bound_s) : TICK_NEVER; /* NaN: never */
}

void measuring_start(struct simulation *sim)
{
    for (size_t i = 0; i < sim->spec->slo_count; i++) {
        const struct slo_rule *rule = &sim->spec->slos[i];
        sim->bounds[i] = (struct bounds){
            .class_index = rule->class_index < 0 ? UINT32_MAX : (uint32_t)rule->class_index,
            .ttft = bound_tick(rule->ttft_s),
            .tpot = bound_tick(rule->tpot_s),
            .e2e = bound_tick(rule->e2e_s)};
    }
}

struct latencies latencies_of(const struct request *request, tick_t overhead)
{
    tick_t decoding = request->last_token - request->first_token;
    return (struct latencies){.queue = request->first_scheduled - request->arrival,
                              .ttft = request->first_token - request->arrival + overhead,
                              .tpot = request->output_tok > 1 ? decoding / (request->output_tok - 1)
                                                              : TICK_NEVER,
                              .e2e = request->last_token - request->arrival + overhead};
}

static bool applies(const struct bounds *bounds, uint32_t class_index)
{
    return bounds->class_index == UINT32_MAX || bounds->class_index == class_index;
}

static bool keeps(const struct bounds *bounds, const struct latencies *latencies)
{
    bool tpot_kept = latencies->tpot == TICK_NEVER || latencies->tpot <= bounds->tpot;
    return latencies->ttft <= bounds->ttft && tpot_kept && latencies->e2e <= bounds->e2e;
}

/* Counts a request for every SLO rule of its class; latencies NULL: it was rejected, so it missed
 * them. Returns whether it kept them all. */
static bool judge(struct simulation *sim, uint32_t class_index, const struct latencies *latencies)
{
    bool all_kept = true;
    for (size_t i = 0; i < sim->spec->slo_count; i++) {
        const struct bounds *bounds = &sim->bounds[i];
        if (!applies(bounds, class_index))
            continue;
        bool kept = latencies && keeps(bounds, latencies);
        sim->result->slos[i].requests++;
        sim->result->slos[i].met += kept;
        all_kept &= kept;
    }
    return all_kept;
}

bool keeps_bounds(const struct simulation *sim, uint32_t class_index,
                  const struct latencies *latencies)
{
    for (size_t i = 0; i < sim->spec->slo_count; i++)
        if (applies(&sim->bounds[i], class_index) && !keeps(&sim->bounds[i], latencies))
            return false;
    return true;
}

/* A request that is in flight at the end counts where it has broken a bound already; whether it
 * would have kept the others is not known. */
void judge_in_flight(struct simulation *sim, const struct request *request)
{
    if (request->arrival < sim->warmup)
        return;
    tick_t waited = sim->now - request->arrival;
    bool answers = request->emitted > 0 && request->first_token != TICK_NEVER;
    struct latencies least = {.ttft = answers ? request->first_token - request->arrival : waited,
                              .tpot = TICK_NEVER,
                              .e2e = waited};
    bool late = false;
    for (size_t i = 0; i < sim->spec->slo_count; i++) {
        const struct bounds *bounds = &sim->bounds[i];
        if (!applies(bounds, request->class_index) || keeps(bounds, &least))
            continue;
        sim->result->slos[i].requests++;
        late = true;
    }
    sim->result->by_class[request->class_index].late += late;
}

void judge_record(struct simulation *sim, uint32_t number)
{
    bool counted_elsewhere = (sim->disaggregation && disaggregation_is_shadow(sim, number)) ||
                             (sim->clients && clients_abandoned(sim, number));
    if (!counted_elsewhere)
        judge_in_flight(sim, &sim->requests.requests[number]);
}

void judge_list(struct simulation *sim, uint32_t first)
{
    for (uint32_t number = first; number != REQUEST_NONE;
         number = sim->requests.requests[number].next)
        judge_record(sim, number);
}

/* The gaps between the parts of an answer that is streamed in several, each taken as long as their
 * mean: when the first came and when the last is known, not what was between. */
static void measure_parts(struct simulation *sim, uint32_t pool, const struct request *request)
{
    int64_t interval = sim->configs[pool].stream_interval;
    int64_t parts = (request->output_tok - 1 + interval - 1) / interval;
    if (parts > 0)
        histogram_add(&sim->result->pools[pool].itl,
                      (request->last_token - request->first_token) / parts, (uint64_t)parts);
}

void measure_completed(struct simulation *sim, const struct request *request,
                       const struct latencies *latencies)
{
    struct latency_set *set = &sim->result->by_class[request->class_index];
    set->completed++;
    set->prompt_tok += request->prompt_tok;
    set->output_tok += request->output_tok;
    uint32_t pool_index = sim->pool_of[request->replica];
    struct pool_result *pool = &sim->result->pools[pool_index];
    if (streams_in_parts(&sim->configs[pool_index]))
        measure_parts(sim, pool_index, request);
    histogram_add(&set->queue, latencies->queue, 1);
    histogram_add(&set->ttft, latencies->ttft, 1);
    histogram_add(&pool->ttft, latencies->ttft, 1);
    histogram_add(&set->e2e, latencies->e2e, 1);
    histogram_add(&pool->e2e, latencies->e2e, 1);
    if (latencies->tpot != TICK_NEVER) {
        histogram_add(&set->tpot, latencies->tpot, 1);
        histogram_add(&pool->tpot, latencies->tpot, 1);
    }
    set->slo_met += judge(sim, request->class_index, latencies);
}

void measure_rejected(struct simulation *sim, const struct request *request)
{
    sim->result->by_class[request->class_index].rejected++;
    judge(sim, request->class_index, NULL);
}

void measure_timed_out(struct simulation *sim, const struct request *request)
{
    sim->result->by_class[request->class_index].timed_out++;
    judge(sim, request->class_index, NULL);
}

void measure_stopped(struct simulation *sim, const struct request *request,
                     const struct latencies *latencies)
{
    struct latency_set *set = &sim->result->by_class[request->class_index];
    set->stopped++;
    set->slo_met += judge(sim, request->class_index, latencies);
}

void observe_request(struct simulation *sim, const struct request *request,
                     const struct latencies *latencies, enum outcome outcome)
{
    struct request_record record = {.arrival_s = tick_to_s(request->arrival),
                                    .queue_s = NAN,
                                    .ttft_s = NAN,
                                    .tpot_s = NAN,
                                    .e2e_s = NAN,
                                    .prompt_tok = request->prompt_tok,
                                    .output_tok = request->output_tok,
                                    .class_index = request->class_index,
                                    .pool = sim->pool_of[request->replica],
                                    .replica = request->replica -
                                               sim->first_replica[sim->pool_of[request->replica]],
                                    .preemptions = request->preemptions,
                                    .rejected = outcome == OUTCOME_REJECTED,
                                    .timed_out = outcome == OUTCOME_TIMED_OUT,
                                    .stopped = outcome == OUTCOME_STOPPED,
                                    .prefill_pool = UINT32_MAX,
                                    .prefill_replica = UINT32_MAX,
                                    .handover_s = NAN};
    if (latencies) {
        record.queue_s = tick_to_s(latencies->queue);
        record.ttft_s = tick_to_s(latencies->ttft);
        record.tpot_s = latencies->tpot == TICK_NEVER ? NAN : tick_to_s(latencies->tpot);
        record.e2e_s = tick_to_s(latencies->e2e);
        if (sim->disaggregation)
            disaggregation_describe(sim, request, &record);
    }
    sim->spec->observer.request(sim->spec->observer.context, &record);
}
