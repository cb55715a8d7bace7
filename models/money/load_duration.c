#include "models/money/load_duration.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_instances(const void *a, const void *b)
{
    double left = ((const struct demand_step *)a)->instances;
    double right = ((const struct demand_step *)b)->instances;
    return (left > right) - (left < right);
}

static bool check_steps(const struct demand_step *steps, size_t count, struct error *error)
{
    if (count == 0)
        return error_set(error, ERROR_BAD_INPUT, "there is no demand to look at");
    for (size_t i = 0; i < count; i++) {
        if (!(steps[i].hours > 0 && isfinite(steps[i].hours)))
            return error_set(error, ERROR_BAD_INPUT,
                             "step %zu of the demand lasts %g hours; it must be above 0", i + 1,
                             steps[i].hours);
        if (!(steps[i].instances >= 0 && isfinite(steps[i].instances)))
            return error_set(error, ERROR_BAD_INPUT,
                             "step %zu of the demand is of %g instances; it must be 0 or more",
                             i + 1, steps[i].instances);
    }
    return true;
}

/* Steps of the same demand become one. sorted: ascending. */
static size_t join_equals(struct demand_step *sorted, size_t count)
{
    size_t last = 0;
    for (size_t i = 1; i < count; i++)
        if (sorted[i].instances == sorted[last].instances)
            sorted[last].hours += sorted[i].hours;
        else
            sorted[++last] = sorted[i];
    return last + 1;
}

/* From the peak downwards for the shares, from the floor upwards for what is used. */
static void integrate(struct load_duration *curve, const struct demand_step *sorted)
{
    double above_hours = 0;
    for (size_t i = curve->count; i-- > 0;) {
        curve->instances[i] = sorted[i].instances;
        curve->share_above[i] = above_hours / curve->hours;
        above_hours += sorted[i].hours;
    }
    double below = 0, used = 0, share = 1;
    for (size_t i = 0; i < curve->count; i++) {
        used += share * (curve->instances[i] - below);
        below = curve->instances[i];
        share = curve->share_above[i];
        curve->used[i] = used;
    }
    curve->mean = used;
}

struct load_duration *load_duration_create(const struct demand_step *steps, size_t count,
                                           struct arena *arena, struct error *error)
{
    if (!check_steps(steps, count, error))
        return NULL;
    struct demand_step *sorted = ARENA_ARRAY(arena, count, struct demand_step);
    memcpy(sorted, steps, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_instances);
    struct load_duration *curve = ARENA_NEW(arena, struct load_duration);
    curve->count = join_equals(sorted, count);
    curve->instances = ARENA_ARRAY(arena, curve->count, double);
    curve->share_above = ARENA_ARRAY(arena, curve->count, double);
    curve->used = ARENA_ARRAY(arena, curve->count, double);
    for (size_t i = 0; i < curve->count; i++)
        curve->hours += sorted[i].hours;
    integrate(curve, sorted);
    return curve;
}

double load_duration_floor(const struct load_duration *curve)
{
    return curve->instances[0];
}

double load_duration_peak(const struct load_duration *curve)
{
    return curve->instances[curve->count - 1];
}

/* How many of the demands are at most u. */
static size_t demands_up_to(const struct load_duration *curve, double u)
{
    size_t from = 0, to = curve->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (curve->instances[middle] <= u)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

double load_duration_used(const struct load_duration *curve, double u)
{
    assert(u >= 0);
    size_t below = demands_up_to(curve, u);
    if (below == 0)
        return u;
    return curve->used[below - 1] +
           curve->share_above[below - 1] * (u - curve->instances[below - 1]);
}
