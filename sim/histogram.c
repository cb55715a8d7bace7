#include "sim/histogram.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->min = TICK_NEVER;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    into->sum += from->sum;
    if (from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
}

tick_t histogram_bucket_start(uint32_t index)
{
    const uint32_t per_octave = 1u << HISTOGRAM_BITS;
    if (index < per_octave)
        return (tick_t)index << HISTOGRAM_UNIT_SHIFT;
    uint32_t octave = index / per_octave - 1;
    uint64_t unit = (uint64_t)(per_octave + index % per_octave) << octave;
    return (tick_t)(unit << HISTOGRAM_UNIT_SHIFT);
}

/* First value that is beyond the bucket. */
static tick_t bucket_end(uint32_t index)
{
    return index + 1 < HISTOGRAM_BUCKETS ? histogram_bucket_start(index + 1) : TICK_NEVER;
}

/* How many of the values first, first + step, ... lie in the bucket of the first one. */
static inline uint64_t values_in_bucket(fine_t first, fine_t step, uint32_t index)
{
    tick_t end = bucket_end(index);
    if (step == 0 || end > INT64_MAX >> FINE_SHIFT)
        return UINT64_MAX;
    fine_t room = (end << FINE_SHIFT) - first;
    return room <= step ? 1 : (uint64_t)((room - 1) / step + 1);
}

void histogram_add_run(struct histogram *histogram, fine_t first, fine_t step, uint64_t steps,
                       uint64_t count)
{
    if (steps == 0 || count == 0)
        return;
    assert(first >= 0 && step >= 0);
    assert(step == 0 || steps - 1 <= (uint64_t)((INT64_MAX - first) / step));

    fine_t last = first + step * (fine_t)(steps - 1);
    histogram->count += steps * count;
    histogram->sum += ((unsigned __int128)steps * (uint64_t)first +
                       (unsigned __int128)steps * (steps - 1) / 2 * (uint64_t)step) *
                      count;
    if (first >> FINE_SHIFT < histogram->min)
        histogram->min = first >> FINE_SHIFT;
    if (last >> FINE_SHIFT > histogram->max)
        histogram->max = last >> FINE_SHIFT;

    for (fine_t value = first;;) {
        uint32_t index = histogram_index(value >> FINE_SHIFT);
        uint64_t inside = values_in_bucket(value, step, index);
        if (inside >= steps) {
            histogram->bucket[index] += steps * count;
            return;
        }
        histogram->bucket[index] += inside * count;
        steps -= inside;
        value += step * (fine_t)inside;
    }
}

/* How many of the turns, from `turn` on, have their value in the bucket of this one's value. */
static uint64_t turns_in_bucket(fine_t first, fine_t step, const struct pace *pace, uint64_t turn,
                                uint32_t index)
{
    fine_t value = first + step * (fine_t)pace_steps(pace, turn);
    uint64_t steps = values_in_bucket(value, step, index);
    if (steps == UINT64_MAX)
        return UINT64_MAX;
    return pace_turns(pace, pace_steps(pace, turn) + steps) - turn;
}

void histogram_add_paced(struct histogram *histogram, fine_t first, fine_t step,
                         const struct pace *pace, uint64_t turns, uint64_t count)
{
    if (turns == 0 || count == 0)
        return;
    fine_t last = first + step * (fine_t)pace_steps(pace, turns - 1);
    histogram->count += turns * count;
    histogram->sum += ((unsigned __int128)turns * (uint64_t)first +
                       (unsigned __int128)pace_sum(pace, turns) * (uint64_t)step) *
                      count;
    if (first >> FINE_SHIFT < histogram->min)
        histogram->min = first >> FINE_SHIFT;
    if (last >> FINE_SHIFT > histogram->max)
        histogram->max = last >> FINE_SHIFT;

    for (uint64_t turn = 0; turn < turns;) {
        fine_t value = first + step * (fine_t)pace_steps(pace, turn);
        uint32_t index = histogram_index(value >> FINE_SHIFT);
        uint64_t inside = turns_in_bucket(first, step, pace, turn, index);
        if (inside > turns - turn)
            inside = turns - turn;
        histogram->bucket[index] += inside * count;
        turn += inside;
    }
}

/* ceil(q * count), in 1..count. q * count is shaved by its rounding error, so that the 7 % quantile
 * of 100 values is the 7th and not, because 0.07 * 100 > 7 in binary, the 8th. */
static uint64_t quantile_rank(double q, uint64_t count)
{
    double rank = ceil(q * (double)count * (1 - 2 * DBL_EPSILON));
    if (!(rank > 1))
        return 1;
    return rank < (double)count ? (uint64_t)rank : count;
}

static uint32_t bucket_of_rank(const struct histogram *histogram, uint64_t rank)
{
    uint32_t index = 0;
    for (uint64_t below = histogram->bucket[0]; below < rank; below += histogram->bucket[index]) {
        index++;
        assert(index < HISTOGRAM_BUCKETS);
    }
    return index;
}

double histogram_quantile_s(const struct histogram *histogram, double q)
{
    if (histogram->count == 0)
        return NAN;
    uint32_t index = bucket_of_rank(histogram, quantile_rank(q, histogram->count));
    double middle_s = (tick_to_s(histogram_bucket_start(index)) + tick_to_s(bucket_end(index))) / 2;
    return fmin(fmax(middle_s, tick_to_s(histogram->min)), tick_to_s(histogram->max));
}

double histogram_mean_s(const struct histogram *histogram)
{
    if (histogram->count == 0)
        return NAN;
    return (double)histogram->sum / FINE_PER_S / (double)histogram->count;
}
