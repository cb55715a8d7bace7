/* The clock of a run: its iterations take first, first + step, first + 2 step, ..., so that k of
 * them take k first + step k (k - 1) / 2, in integers. */
#ifndef TOKENYARD_MODELS_ENGINE_RUN_H
#define TOKENYARD_MODELS_ENGINE_RUN_H

#include "models/engine/engine.h"

/* Time of the first `iterations` of the run, in fine units. */
static inline fine_t run_time(const struct engine_run *run, uint64_t iterations)
{
    fine_t k = (fine_t)iterations;
    return k * run->first + run->step * (k * (k - 1) / 2);
}

static inline tick_t run_tick(const struct engine *engine, uint64_t iterations)
{
    return engine->boundary +
           ((engine->fraction + run_time(&engine->run, iterations)) >> FINE_SHIFT);
}

/* The iterations in which n decodes take part in the run, as far as the step time's line goes;
 * returns how many of `most` that are. */
static inline uint64_t run_follow_line(struct engine *engine, int64_t n, uint64_t most)
{
    struct decode_line line = steptime_decode(engine->config->steptime, n, engine->context_tok);
    engine->run.first = line.base + line.slope * engine->context_tok;
    engine->run.step = line.slope * n;
    uint64_t on_line = (uint64_t)((line.until - engine->context_tok) / n) + 1;
    return on_line < most ? on_line : most;
}

/* Keeps run_time far from the limits of its integers: at most 2^61 fine units, 2048 s. */
static inline uint64_t run_within_clock(const struct engine_run *run, uint64_t most)
{
    while (most > 1 &&
           (double)most * ((double)run->first + (double)run->step * (double)most) > 0x1p61)
        most /= 2;
    return most;
}

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
