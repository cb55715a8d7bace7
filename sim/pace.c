#include "sim/pace.h"

/* The lattice points below a line, counted as Euclid divides: whole parts of slope and phase are
 * taken off, and what is left is the same sum with the axes exchanged (Graham, Knuth, Patashnik,
 * Concrete Mathematics, section 3.5). */
uint64_t pace_sum(const struct pace *pace, uint64_t turns)
{
    uint64_t slope = pace->per_turn, phase = pace->phase, unit = PACE_ONE, sum = 0;
    while (turns > 0) {
        sum += turns * (turns - 1) / 2 * (slope / unit) + turns * (phase / unit);
        slope %= unit;
        phase %= unit;
        uint64_t top = slope * turns + phase;
        turns = top / unit;
        phase = top % unit;
        uint64_t old_unit = unit;
        unit = slope;
        slope = old_unit;
    }
    return sum;
}
