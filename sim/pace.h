/* Whole steps at a rational mean rate: after j turns, floor((phase + j * per_turn) / PACE_ONE).
 *
 * A pace of 3.36 makes 3 or 4 steps a turn, as evenly as whole steps can. What is summed over many
 * turns, and the turn at which a count is reached, have closed forms in integers, so that jumping
 * over turns gives the very bits that taking them one by one gives. A pace is a value; every
 * function is O(1), but pace_sum, which takes about ten divisions. */
#ifndef TOKENYARD_SIM_PACE_H
#define TOKENYARD_SIM_PACE_H

#include <stdint.h>

#define PACE_BITS 16
#define PACE_ONE  ((uint64_t)1 << PACE_BITS)

struct pace {
    uint64_t per_turn; /* in 1 / PACE_ONE of a step; from PACE_ONE to 2^24 */
    uint64_t phase;    /* of a step that has begun; below PACE_ONE */
};

/* Steps of the next so many turns (below 2^39). */
static inline uint64_t pace_steps(const struct pace *pace, uint64_t turns)
{
    return (pace->phase + turns * pace->per_turn) >> PACE_BITS;
}

/* The least number of turns that make so many steps; UINT64_MAX for 2^47 of them and more. */
static inline uint64_t pace_turns(const struct pace *pace, uint64_t steps)
{
    if (steps >> (63 - PACE_BITS) > 0)
        return UINT64_MAX;
    uint64_t wanted = steps << PACE_BITS;
    if (wanted <= pace->phase)
        return 0;
    return (wanted - pace->phase + pace->per_turn - 1) / pace->per_turn;
}

/* The same pace when so many turns are over. */
static inline struct pace pace_after(const struct pace *pace, uint64_t turns)
{
    uint64_t done = pace->phase + turns * pace->per_turn;
    return (struct pace){pace->per_turn, done & (PACE_ONE - 1)};
}

/* Sum of pace_steps over 0, 1, ..., turns - 1; of so few turns (below 2^24) that it fits. */
uint64_t pace_sum(const struct pace *pace, uint64_t turns);

#endif
