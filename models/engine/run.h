/* A run of iterations without a change of batch: how long it takes, and what its decodes emit.
 *
 * The decodes emit one token in each iteration, or, where they speculate, several at the run's
 * pace. The first is the commonest by far and inlined; what belongs to the second is in run.c. */
#ifndef TOKENYARD_MODELS_ENGINE_RUN_H
#define TOKENYARD_MODELS_ENGINE_RUN_H

#include "models/engine/engine.h"

static inline bool run_is_paced(const struct engine_run *run)
{
    return run->pace.per_turn != 0;
}

fine_t run_time_paced(const struct engine_run *run, uint64_t iterations);

/* Time of the first `iterations` of the run, in fine units. */
static inline fine_t run_time(const struct engine_run *run, uint64_t iterations)
{
    if (run_is_paced(run))
        return run_time_paced(run, iterations);
    fine_t k = (fine_t)iterations;
    return k * run->first + run->step * (k * (k - 1) / 2);
}

/* Tokens that each decode emits in the first so many iterations. */
static inline uint64_t run_tokens(const struct engine_run *run, uint64_t iterations)
{
    return run_is_paced(run) ? pace_steps(&run->pace, iterations) : iterations;
}

/* The least number of iterations in which it emits so many. */
static inline uint64_t run_iterations(const struct engine_run *run, uint64_t tokens)
{
    return run_is_paced(run) ? pace_turns(&run->pace, tokens) : tokens;
}

/* Leaves of a run what comes after so many of its iterations. */
void run_skip(struct engine_run *run, uint64_t iterations);

void run_record_gaps_paced(const struct engine_run *run, struct histogram *itl);

/* The gaps between tokens that its iterations end. */
static inline void run_record_gaps(const struct engine_run *run, struct histogram *itl)
{
    if (run_is_paced(run))
        run_record_gaps_paced(run, itl);
    else
        histogram_add_run(itl, run->first, run->step, run->iterations, run->decodes);
}

/* But for the gap that the first one ends. */
void run_record_later_gaps(const struct engine_run *run, struct histogram *itl);

#endif
