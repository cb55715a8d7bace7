/* Simulated time.
 *
 * The clock counts whole ticks of 2^-36 s (15 ps; a signed 64-bit clock runs for more than four
 * years, longer than any published trace), and iteration times are whole "fine" units of 2^-50 s.
 * Integers make time exact: a sum of iteration times does not depend on how it is grouped, so
 * jumping over k iterations gives the very bits that stepping through them gives, and ties between
 * events are true ties on every machine. Seconds (double) are used only where numbers enter or
 * leave. */
#ifndef TOKENYARD_SIM_CLOCK_H
#define TOKENYARD_SIM_CLOCK_H

#include <math.h>
#include <stdint.h>

typedef int64_t tick_t; /* a point in time or a duration, in 2^-36 s */
typedef int64_t fine_t; /* a duration in 2^-50 s; at most 2^63 of them: 8192 s */

#define TICK_NEVER  INT64_MAX
#define TICK_BITS   36
#define FINE_BITS   50
#define FINE_SHIFT  (FINE_BITS - TICK_BITS) /* 2^14 fine units to a tick */
#define TICKS_PER_S 0x1p36
#define FINE_PER_S  0x1p50
/* Nothing begins later than 1553 days. The clock itself ends at 2^27 s: what began by then may take
 * the ten hours that are left. */
#define CLOCK_MAX_S 134179200.0
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
