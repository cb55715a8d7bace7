/* A run of iterations without a change of batch: how long it takes, and what its decodes emit.
 *
 * The iterations take first, first + step, first + 2 step, ..., as every decode adds a token of
 * context, so that k of them take k first + step k (k - 1) / 2, in integers. Where the decodes
 * speculate they emit several tokens in each, at the run's pace, and the sum of those before each
 * iteration takes the place of k (k - 1) / 2 (sim/pace.h). The first is the commonest by far and
 * inlined; what belongs to the second is in run.c. */
#ifndef TOKENYARD_MODELS_ENGINE_RUN_H
#define TOKENYARD_MODELS_ENGINE_RUN_H

#include "models/engine/decodes.h"

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

static inline tick_t run_tick(const struct engine *engine, uint64_t iterations)
{
    return engine->boundary +
           ((engine->fraction + run_time(&engine->run, iterations)) >> FINE_SHIFT);
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

/* The decodes take part in the run, at their pace. */
static inline void run_take_decodes(struct engine *engine)
{
    engine->run.decodes = engine->decodes;
    if (decodes_draft(engine))
        engine->run.pace = draft_pace(engine);
}

/* Step times of the run's iterations. */
static inline const struct steptime *run_steptime(const struct engine *engine)
{
    const struct engine_config *config = engine->config;
    bool plain = engine->has_extras && config->plain_steptime &&
                 engine->run.decodes > config->speculation.most_decodes;
    return plain ? config->plain_steptime : config->steptime;
}

/* The iterations in which n decodes take part in the run, as far as the step time's line goes;
 * returns how many of `most` that are. */
static inline uint64_t run_follow_line(struct engine *engine, int64_t n, uint64_t most)
{
    struct decode_line line = steptime_decode(run_steptime(engine), n, engine->context_tok);
    engine->run.first = line.base + line.slope * engine->context_tok;
    engine->run.step = line.slope * n;
    uint64_t tokens = (uint64_t)((line.until - engine->context_tok) / n) + 1;
    uint64_t on_line = run_iterations(&engine->run, tokens);
    return on_line < most ? on_line : most;
}

/* How many of up to `most` iterations the free blocks allow; at least 1, as the next is
 * affordable. */
static inline uint64_t run_within_blocks(const struct engine *engine, uint64_t most)
{
    const struct engine_run *run = &engine->run;
    if (!run_is_paced(run))
        return affordable_tokens(engine, most);
    uint64_t wanted = pace_steps(&run->pace, most), tokens = affordable_tokens(engine, wanted);
    return tokens == wanted ? most : pace_turns(&run->pace, tokens + 1) - 1;
}

/* Keeps run_time far from the limits of its integers: at most 2^61 fine units, 2048 s. */
static inline uint64_t run_within_clock(const struct engine_run *run, uint64_t most)
{
    while (most > 1 &&
           (double)most * ((double)run->first + (double)run->step * (double)run_tokens(run, most)) >
               0x1p61)
        most /= 2;
    return most;
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

/* The run's time has passed. */
static inline void run_advance_clock(struct engine *engine)
{
    fine_t total = engine->fraction + run_time(&engine->run, engine->run.iterations);
    tick_t elapsed = total >> FINE_SHIFT;
    engine->boundary += elapsed;
    engine->fraction = total & ((1 << FINE_SHIFT) - 1);
    engine->totals.busy += elapsed;
    engine->totals.sequence_ticks +=
        (unsigned __int128)(engine->run.decodes + engine->run.chunks) * (uint64_t)elapsed;
}

#endif
