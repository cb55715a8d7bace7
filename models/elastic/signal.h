/* A number that changes in steps while time goes on: what capacities and prices are made of.
 *
 * Three kinds: constant; a recorded series, from some point of it on; or a factor, a standard
 * normal number that drifts (an Ornstein-Uhlenbeck process looked at on a grid of steps, which is
 * the AR(1) process x' = phi x + sqrt(1 - phi^2) noise with phi = exp(-step / relaxation), begun
 * where it is at home: Uhlenbeck and Ornstein, Phys. Rev. 36, 1930). A factor is the sum of a part
 * of its own and a part that others share, sqrt(c) shared + sqrt(1 - c) own, so that two with the
 * same shared stream, step and relaxation correlate by c (Vasicek's one-factor model, "Loan
 * portfolio value", Risk, 2002).
 *
 * Advancing costs O(log points), or O(steps passed). A signal owns its streams. */
#ifndef TOKENYARD_MODELS_ELASTIC_SIGNAL_H
#define TOKENYARD_MODELS_ELASTIC_SIGNAL_H

#include <gsl/gsl_rng.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/clock.h"
#include "workloads/step_series.h"

enum signal_kind { SIGNAL_CONSTANT, SIGNAL_RECORD, SIGNAL_FACTOR };

/* What follows the end of a record. */
enum after_end {
    AFTER_END_ERROR, /* nothing may: see signal_is_over */
    AFTER_END_HOLD,  /* the last value */
    AFTER_END_REPEAT /* the record from its first row on */
};

struct signal_spec {
    enum signal_kind kind;
    double constant;
    /* SIGNAL_RECORD: */
    struct step_series record;
    tick_t from; /* the point of the record that is time 0; before its end */
    enum after_end after_end;
    /* SIGNAL_FACTOR: */
    double correlation, relaxation_s;
    tick_t step;
    const char *own_stream, *shared_stream; /* names of random streams */
};

struct signal {
    const struct signal_spec *spec;
    double value;
    tick_t next; /* when it may change; TICK_NEVER */
    bool over;
    tick_t record_zero; /* when the record's time 0 is, or last was */
    int64_t steps;      /* taken by the factor */
    double own, shared;
    gsl_rng *own_rng, *shared_rng; /* NULL: not a factor */
};

/* At time 0. */
void signal_start(struct signal *signal, const struct signal_spec *spec, uint64_t seed,
                  uint64_t replication);
void signal_free(struct signal *signal);

/* Time goes forward, past any number of changes. */
void signal_advance(struct signal *signal, tick_t now);

/* Is a record's end passed that nothing may follow? The last value is there still. */
static inline bool signal_is_over(const struct signal *signal)
{
    return signal->over;
}

#endif
