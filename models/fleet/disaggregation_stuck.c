/* Breaking circles of waiting.
 *
 * Prefill pools hand over to others, which hand over to nobody, so there waiting ends. Where
 * machines are lent to either phase, A may hold the caches of requests that wait for room on B, and
 * B those of requests that wait for room on A. Then no event is left that would change either. A
 * replica is stuck when it has nothing to do, requests wait for its memory, and whoever holds it
 * waits for a replica that is stuck: the largest set for which that is so is what remains of all
 * idle replicas with a queue when those that have somewhere to hope are struck out, until none is.
 * Of a stuck replica, one request gives up its cache; vLLM does so after a time
 * (VLLM_NIXL_ABORT_REQUEST_TIMEOUT), and computes the prompt again. */
#include <stdlib.h>

#include "models/fleet/disaggregation_state.h"

static bool has_nothing_to_do(const struct engine *engine)
{
    return engine->next == TICK_NEVER && engine->waiting > 0;
}

/* Where a handover leaves hope for one of its replicas, that one is struck out. Returns whether one
 * was. */
static bool strike(const struct simulation *sim, uint32_t number, bool *stuck)
{
    const struct handover *handover = &sim->disaggregation->handovers[number];
    const struct request *request = &sim->requests.requests[number];
    uint32_t from = handover->source, to = request->replica;
    bool was = false;
    switch ((enum passage)handover->passage) {
    case PASSAGE_NONE:
        break;
    case PASSAGE_STRANDED: /* a decode replica may come */
        was = stuck[from];
        stuck[from] = false;
        break;
    case PASSAGE_WAITING: /* the source's memory depends on the target */
        was = handover->held_blocks > 0 && stuck[from] && !stuck[to];
        stuck[from] &= !was;
        break;
    case PASSAGE_LET_IN: /* the target's memory depends on the source */
        was = stuck[to] && !stuck[from];
        stuck[to] &= !was;
        break;
    case PASSAGE_FLOWING:
    case PASSAGE_LAST_PART:
        was = stuck[from] || stuck[to];
        stuck[from] = stuck[to] = false;
    }
    return was;
}

static void find_stuck(const struct simulation *sim, bool *stuck)
{
    for (uint32_t i = 0; i < sim->replicas; i++)
        stuck[i] = has_nothing_to_do(&sim->engines[i]);
    bool struck = true;
    while (struck) {
        struck = false;
        for (uint32_t number = 0; number < sim->disaggregation->handover_capacity; number++)
            struck |= strike(sim, number, stuck);
    }
}

/* The first that holds memory of a stuck replica and waits for room on another. */
static uint32_t find_victim(const struct simulation *sim, const bool *stuck)
{
    const struct disaggregation *d = sim->disaggregation;
    for (uint32_t number = 0; number < d->handover_capacity; number++) {
        const struct handover *handover = &d->handovers[number];
        if (handover->passage == PASSAGE_WAITING && handover->held_blocks > 0 &&
            stuck[handover->source])
            return number;
    }
    return REQUEST_NONE;
}

void disaggregation_unstick(struct simulation *sim)
{
    struct disaggregation *d = sim->disaggregation;
    uint32_t victim;
    do { /* there may be several circles */
        find_stuck(sim, d->stuck);
        victim = find_victim(sim, d->stuck);
        if (victim != REQUEST_NONE)
            disaggregation_recompute(sim, victim);
    } while (victim != REQUEST_NONE);
}
