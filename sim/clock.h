/* Simulated time.
 *
 * The clock counts whole ticks of 2^-40 s (0.9 ps; a signed 64-bit clock runs for 97 days), and
 * iteration times are whole "fine" units of 2^-50 s. Integers make time exact: a sum of iteration
 * times does not depend on how it is grouped, so jumping over k iterations gives the very bits that
 * stepping through them gives, and ties between events are true ties on every machine. Seconds
 * (double) are used only where numbers enter or leave. */
#ifndef TOKENYARD_SIM_CLOCK_H
#define TOKENYARD_SIM_CLOCK_H

#include <math.h>
#include <stdint.h>

typedef int64_t tick_t; /* a point in time or a duration, in 2^-40 s */
typedef int64_t fine_t; /* a duration in 2^-50 s; at most 2^63 of them: 8192 s */

#define TICK_NEVER  INT64_MAX
#define TICKS_PER_S 1099511627776.0    /* 2^40 */
#define FINE_SHIFT  10                 /* 2^10 fine units to a tick */
#define FINE_PER_S  1125899906842624.0 /* 2^50 */
/* Nothing begins later than 97 days. The clock itself ends at 2^23 s: what began by then may take
 * the 7808 s that are left. */
#define CLOCK_MAX_S 8380800.0
#define FINE_MAX_S  4096.0 /* longest single iteration that is accepted */

static inline tick_t tick_from_s(double seconds)
{
    return (tick_t)llround(seconds * TICKS_PER_S);
}

static inline double tick_to_s(tick_t ticks)
{
    return (double)ticks / TICKS_PER_S;
}

static inline fine_t fine_from_s(double seconds)
{
    return (fine_t)llround(seconds * FINE_PER_S);
}

static inline double fine_to_s(fine_t fine)
{
    return (double)fine / FINE_PER_S;
}

#endif
