/* Arrivals, or bursts of simultaneous arrivals, at equal distances, the first at time 0. */
#include <math.h>

#include "workloads/arrivals_process.h"

struct deterministic {
    struct arrivals base;
    double interval_s;
    uint64_t burst;
    uint64_t drawn;
};

const struct config_type arrivals_deterministic_type = {
    .name = "deterministic_arrivals",
    .doc = "at equal distances, the first at time 0",
    .size = sizeof(struct arrivals_deterministic),
    .fields =
        (const struct config_field[]){
            {ARRIVALS_NUMBER(struct arrivals_deterministic, rate_per_s, "mean requests per second"),
             .min = 0, .max = ARRIVALS_RATE_MAX_PER_S, .above_min = true, .optional = true},
            {ARRIVALS_NUMBER(struct arrivals_deterministic, interval_s,
                             "time between bursts, instead of rate_per_s"),
             .min = 1 / ARRIVALS_RATE_MAX_PER_S, .max = CLOCK_MAX_S, .optional = true},
            {.name = "burst",
             .kind = CONFIG_INT,
             .offset = offsetof(struct arrivals_deterministic, burst),
             .doc = "requests that arrive together each time",
             .preset = "1",
             .min = 1,
             .max = 1e9},
            {0}},
};

static bool deterministic_check(const void *config, double factor, const struct place *place,
                                struct error *error)
{
    (void)factor;
    const struct arrivals_deterministic *deterministic = config;
    return isnan(deterministic->rate_per_s) != isnan(deterministic->interval_s) ||
           place_error(place, error, "give either \"rate_per_s\" or \"interval_s\"");
}

static double deterministic_rate(const void *config)
{
    const struct arrivals_deterministic *deterministic = config;
    return isnan(deterministic->interval_s)
               ? deterministic->rate_per_s
               : (double)deterministic->burst / deterministic->interval_s;
}

static void deterministic_start(struct arrivals *arrivals)
{
    ((struct deterministic *)arrivals)->drawn = 0;
}

static double deterministic_next_s(struct arrivals *arrivals)
{
    struct deterministic *deterministic = (struct deterministic *)arrivals;
    return (double)(deterministic->drawn++ / deterministic->burst) * deterministic->interval_s;
}

static const struct arrivals_ops deterministic_ops = {.start = deterministic_start,
                                                      .next_s = deterministic_next_s};

static struct arrivals *deterministic_create(const void *config, double factor, struct arena *arena)
{
    int64_t burst = ((const struct arrivals_deterministic *)config)->burst;
    struct deterministic *deterministic = ARENA_NEW(arena, struct deterministic);
    *deterministic = (struct deterministic){
        .base.ops = &deterministic_ops,
        .interval_s = (double)burst / (deterministic_rate(config) * factor),
        .burst = (uint64_t)burst,
    };
    return &deterministic->base;
}

const struct arrival_process arrivals_deterministic = {deterministic_rate, deterministic_create,
                                                       deterministic_check};
