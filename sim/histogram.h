/* Log-linear histogram of durations, with a bounded relative error, mergeable.
 *
 * Values are ticks (sim/clock.h). Every power of two is cut into 2^HISTOGRAM_BITS equal buckets, so
 * a reported quantile is within 2^-(HISTOGRAM_BITS+1) = 0.1 % of a recorded value, over all that
 * the clock can show; values below 2^HISTOGRAM_BITS units (0.5 us) are good to half a unit
 * (0.5 ns). Count, sum, minimum and maximum are exact. One histogram is 180 KiB and is a plain
 * value: copy it, merge it, keep it in an array. */
#ifndef TOKENYARD_SIM_HISTOGRAM_H
#define TOKENYARD_SIM_HISTOGRAM_H

#include <stdint.h>

#include "sim/clock.h"
#include "sim/pace.h"

#define HISTOGRAM_BITS       9
#define HISTOGRAM_UNIT_SHIFT (TICK_BITS - 30) /* one unit is 2^-30 s, whatever a tick is */
/* Enough for every tick_t to have its bucket. */
#define HISTOGRAM_OCTAVES    (63 - HISTOGRAM_UNIT_SHIFT - HISTOGRAM_BITS)
#define HISTOGRAM_BUCKETS    ((HISTOGRAM_OCTAVES + 1) << HISTOGRAM_BITS)

struct histogram {
    uint64_t count;
    unsigned __int128 sum; /* of all values, in fine units: the same in any order and grouping */
    tick_t min;            /* TICK_NEVER when empty */
    tick_t max;            /* 0 when empty */
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* Index of the bucket a value falls into, and the value (ticks) at which a bucket starts. */
static inline uint32_t histogram_index(tick_t value)
{
    uint64_t unit = value > 0 ? (uint64_t)value >> HISTOGRAM_UNIT_SHIFT : 0;
    if (unit < (1u << HISTOGRAM_BITS))
        return (uint32_t)unit;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(unit) - HISTOGRAM_BITS;
    return (octave << HISTOGRAM_BITS) + (uint32_t)(unit >> octave);
}
tick_t histogram_bucket_start(uint32_t index);

static inline void histogram_add(struct histogram *histogram, tick_t value, uint64_t count)
{
    histogram->bucket[histogram_index(value)] += count;
    histogram->count += count;
    histogram->sum += ((unsigned __int128)value << FINE_SHIFT) * count;
    if (value < histogram->min)
        histogram->min = value;
    if (value > histogram->max)
        histogram->max = value;
}

/* Adds `count` times each of the `steps` values first, first + step, ... (fine units, step >= 0),
 * by bucket: the cost grows with the buckets crossed, not with the number of steps. Each value is
 * rounded down to a tick, exactly as if it had been added by itself with histogram_add; the sum
 * takes it unrounded. first must not be negative, and the last value must fit a fine_t. */
void histogram_add_run(struct histogram *histogram, fine_t first, fine_t step, uint64_t steps,
                       uint64_t count);

/* Likewise, but the value of turn j is first + step * pace_steps(pace, j). */
void histogram_add_paced(struct histogram *histogram, fine_t first, fine_t step,
                         const struct pace *pace, uint64_t turns, uint64_t count);

/* Value at quantile q in [0, 1], seconds: the middle of the bucket that holds the value of rank
 * ceil(q * count), clamped to [min, max]. NaN when empty. */
double histogram_quantile_s(const struct histogram *histogram, double q);
double histogram_mean_s(const struct histogram *histogram); /* NaN when empty */

#endif
