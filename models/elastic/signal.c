#include "models/elastic/signal.h"

#include <assert.h>
#include <gsl/gsl_randist.h>
#include <math.h>

#include "sim/arena.h"
#include "sim/random.h"

/* A time that does not fit the clock never comes. */
static tick_t later(tick_t at, tick_t by)
{
    tick_t sum;
    return __builtin_add_overflow(at, by, &sum) ? TICK_NEVER : sum;
}

/* --- records --- */

static void place_record(struct signal *signal, tick_t now)
{
    const struct signal_spec *spec = signal->spec;
    const struct step_series *record = &spec->record;
    tick_t at = later(now, -signal->record_zero);
    if (spec->after_end == AFTER_END_REPEAT && at >= record->end) {
        tick_t period = record->end - record->first;
        signal->record_zero += (at - record->first) / period * period;
        at = now - signal->record_zero;
    }
    size_t point = step_series_find(record, at);
    bool last = point + 1 == record->count;
    signal->value = record->points[point].value;
    signal->over = spec->after_end == AFTER_END_ERROR && at >= record->end;
    if (!last)
        signal->next = later(signal->record_zero, record->points[point + 1].at);
    else if (spec->after_end == AFTER_END_HOLD || signal->over)
        signal->next = TICK_NEVER;
    else
        signal->next = later(signal->record_zero, record->end);
}

/* --- factors --- */

static void combine_factor(struct signal *signal)
{
    double correlation = signal->spec->correlation;
    signal->value = sqrt(correlation) * signal->shared + sqrt(1 - correlation) * signal->own;
    signal->next = signal->steps < INT64_MAX / signal->spec->step - 1
                       ? (signal->steps + 1) * signal->spec->step
                       : TICK_NEVER;
}

static void drift_factor(struct signal *signal, tick_t now)
{
    const struct signal_spec *spec = signal->spec;
    double kept = exp(-tick_to_s(spec->step) / spec->relaxation_s);
    double fresh = sqrt(1 - kept * kept);
    for (int64_t until = now / spec->step; signal->steps < until; signal->steps++) {
        signal->own = kept * signal->own + fresh * gsl_ran_ugaussian(signal->own_rng);
        signal->shared = kept * signal->shared + fresh * gsl_ran_ugaussian(signal->shared_rng);
    }
    combine_factor(signal);
}

static gsl_rng *open_stream(uint64_t seed, uint64_t replication, const char *name)
{
    gsl_rng *rng = random_stream(seed, replication, name);
    if (!rng)
        out_of_memory();
    return rng;
}

/* --- life --- */

void signal_start(struct signal *signal, const struct signal_spec *spec, uint64_t seed,
                  uint64_t replication)
{
    *signal = (struct signal){.spec = spec, .value = spec->constant, .next = TICK_NEVER};
    if (spec->kind == SIGNAL_RECORD) {
        signal->record_zero = -spec->from;
        place_record(signal, 0);
    } else if (spec->kind == SIGNAL_FACTOR) {
        signal->own_rng = open_stream(seed, replication, spec->own_stream);
        signal->shared_rng = open_stream(seed, replication, spec->shared_stream);
        signal->own = gsl_ran_ugaussian(signal->own_rng);
        signal->shared = gsl_ran_ugaussian(signal->shared_rng);
        combine_factor(signal);
    }
}

void signal_free(struct signal *signal)
{
    gsl_rng_free(signal->own_rng);
    gsl_rng_free(signal->shared_rng);
}

void signal_advance(struct signal *signal, tick_t now)
{
    assert(now >= 0);
    if (now < signal->next)
        return;
    if (signal->spec->kind == SIGNAL_RECORD)
        place_record(signal, now);
    else
        drift_factor(signal, now);
}
