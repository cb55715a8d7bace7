/* The load duration curve: for which share of the time is more than u in use?
 *
 * Demand (instances, or any other quantity that is bought by the unit) is given as steps: so much
 * for so many hours. Sorted by demand, the steps become a curve that only falls with u. Order in
 * time is lost, and commitments do not need it: an hour that is paid for is used or is not.
 *
 * Creating sorts once; every question afterwards is a binary search. Everything is in the arena. */
#ifndef TOKENYARD_MODELS_MONEY_LOAD_DURATION_H
#define TOKENYARD_MODELS_MONEY_LOAD_DURATION_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/arena.h"
#include "sim/error.h"

struct demand_step {
    double hours;     /* above 0 */
    double instances; /* in use during them, 0 or more */
};

struct load_duration {
    double hours;        /* that the steps covered */
    double mean;         /* instances in use, over them */
    size_t count;        /* of different demands */
    double *instances;   /* ascending; the last is the peak, the first the floor */
    double *share_above; /* of the time, that demand is above instances[i] */
    double *used;        /* in use in the mean by the first instances[i] */
};

/* NULL, with an error, without a step, or where hours or instances are out of range. */
struct load_duration *load_duration_create(const struct demand_step *steps, size_t count,
                                           struct arena *arena, struct error *error);

double load_duration_floor(const struct load_duration *curve);
double load_duration_peak(const struct load_duration *curve);

/* How many of the first u are in use in the mean: the integral of the share above, up to u. */
double load_duration_used(const struct load_duration *curve, double u);

#endif
