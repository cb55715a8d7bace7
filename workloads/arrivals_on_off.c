/* On and off in turns. Within a stay arrivals are Poisson and have no memory, so one that would
 * fall after the end of the stay is simply drawn anew from there, at the other rate. */
#include <math.h>

#include "workloads/arrivals_process.h"

#define CYCLES_MAX  1e6 /* per request; drawing one would take too long */
#define STAY_BOUNDS .min = 0, .max = CLOCK_MAX_S, .above_min = true

struct on_off {
    struct arrivals base;
    struct interval stay[2]; /* [0] off, [1] on */
    double gap_s[2];         /* mean time between arrivals; INFINITY when there are none */
    double on_share;         /* of the time */
    int on;
    double now_s, switch_s;
};

#define ON_OFF_NUMBER(member, text) ARRIVALS_NUMBER(struct arrivals_on_off, member, text)

const struct config_type arrivals_on_off_type = {
    .name = "on_off_arrivals",
    .doc = "bursts and silences in turns",
    .size = sizeof(struct arrivals_on_off),
    .fields =
        (const struct config_field[]){
            {ON_OFF_NUMBER(on_rate_per_s, "requests per second while on"), .min = 0,
             .max = ARRIVALS_RATE_MAX_PER_S, .above_min = true},
            {ON_OFF_NUMBER(off_rate_per_s, "requests per second while off"), .preset = "0",
             .min = 0, .max = ARRIVALS_RATE_MAX_PER_S},
            {ON_OFF_NUMBER(mean_on_s, "mean length of a stay on"), STAY_BOUNDS},
            {ON_OFF_NUMBER(mean_off_s, "mean length of a stay off"), STAY_BOUNDS},
            {ON_OFF_NUMBER(on_cv, "standard deviation over mean of the stays on"),
             ARRIVALS_CV_BOUNDS, .preset = "1"},
            {ON_OFF_NUMBER(off_cv, "standard deviation over mean of the stays off"),
             ARRIVALS_CV_BOUNDS, .preset = "1"},
            {0}},
};

static void on_off_start(struct arrivals *arrivals)
{
    struct on_off *on_off = (struct on_off *)arrivals;
    on_off->now_s = 0;
    on_off->on = gsl_rng_uniform(arrivals->rng) < on_off->on_share;
    on_off->switch_s = interval_draw_first_s(&on_off->stay[on_off->on], arrivals->rng);
}

static double on_off_next_s(struct arrivals *arrivals)
{
    struct on_off *on_off = (struct on_off *)arrivals;
    while (on_off->now_s < CLOCK_MAX_S) {
        struct interval gap = interval_exponential(on_off->gap_s[on_off->on]);
        double next_s = on_off->now_s + interval_draw_s(&gap, arrivals->rng);
        if (next_s < on_off->switch_s)
            return on_off->now_s = next_s;
        on_off->now_s = on_off->switch_s;
        on_off->on = !on_off->on;
        on_off->switch_s += interval_draw_s(&on_off->stay[on_off->on], arrivals->rng);
    }
    return INFINITY;
}

static const struct arrivals_ops on_off_ops = {.start = on_off_start, .next_s = on_off_next_s};

static double on_off_rate(const void *config)
{
    const struct arrivals_on_off *on_off = config;
    return (on_off->on_rate_per_s * on_off->mean_on_s +
            on_off->off_rate_per_s * on_off->mean_off_s) /
           (on_off->mean_on_s + on_off->mean_off_s);
}

static struct arrivals *on_off_create(const void *config, double factor, struct arena *arena)
{
    const struct arrivals_on_off *from = config;
    struct on_off *on_off = ARENA_NEW(arena, struct on_off);
    *on_off = (struct on_off){
        .base.ops = &on_off_ops,
        .stay = {interval_of_cv(INTERVAL_GAMMA, from->mean_off_s, from->off_cv),
                 interval_of_cv(INTERVAL_GAMMA, from->mean_on_s, from->on_cv)},
        .gap_s = {1 / (from->off_rate_per_s * factor), 1 / (from->on_rate_per_s * factor)},
        .on_share = from->mean_on_s / (from->mean_on_s + from->mean_off_s),
    };
    return &on_off->base;
}

static bool on_off_check(const void *config, double factor, const struct place *place,
                         struct error *error)
{
    const struct arrivals_on_off *on_off = config;
    double cycle_s = on_off->mean_on_s + on_off->mean_off_s;
    return on_off_rate(config) * factor * cycle_s * CYCLES_MAX >= 1 ||
           place_error(place, error, "less than one request arrives in %g turns of on and off",
                       CYCLES_MAX);
}

const struct arrival_process arrivals_on_off = {on_off_rate, on_off_create, on_off_check};
