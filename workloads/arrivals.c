#include "workloads/arrivals.h"

#include <assert.h>
#include <math.h>

#include "sim/clock.h"
#include "sim/event_queue.h"
#include "workloads/interval.h"
#include "workloads/inverse_cdf.h"

#define RATE_MAX_PER_S 1e9
#define CLIENTS_MAX    1000000

#define NUMBER(type, member, text)                                                                 \
    .name = #member, .kind = CONFIG_NUMBER, .offset = offsetof(type, member), .doc = text
#define RATE(type)                                                                                 \
    {                                                                                              \
        NUMBER(type, rate_per_s, "mean requests per second"), .min = 0, .max = RATE_MAX_PER_S,     \
                                                              .above_min = true                    \
    }
#define CV_BOUNDS    .min = 0.001, .max = INTERVAL_CV_MAX
#define STAY_BOUNDS  .min = 0, .max = CLOCK_MAX_S, .above_min = true
#define SHAPE_BOUNDS .min = 0.05, .max = 1e6

/* Renewal processes: Poisson, gamma, Weibull. */

struct renewal {
    struct arrivals base;
    struct interval interval;
    double now_s; /* of the last arrival; NaN before the first */
};

const struct config_type arrivals_poisson_type = {
    .name = "poisson_arrivals",
    .doc = "independent arrivals at a constant rate",
    .size = sizeof(struct arrivals_poisson),
    .fields = (const struct config_field[]){RATE(struct arrivals_poisson), {0}},
};

static const struct config_field renewal_fields[] = {
    RATE(struct arrivals_renewal),
    {NUMBER(struct arrivals_renewal, cv, "standard deviation over mean of the intervals"),
     CV_BOUNDS, .optional = true},
    {NUMBER(struct arrivals_renewal, shape, "of the distribution, instead of cv"), SHAPE_BOUNDS,
     .optional = true},
    {0}};

const struct config_type arrivals_gamma_type = {
    .name = "gamma_arrivals",
    .doc = "renewal process with gamma distributed intervals",
    .size = sizeof(struct arrivals_renewal),
    .fields = renewal_fields,
};

const struct config_type arrivals_weibull_type = {
    .name = "weibull_arrivals",
    .doc = "renewal process with Weibull distributed intervals",
    .size = sizeof(struct arrivals_renewal),
    .fields = renewal_fields,
};

static void renewal_start(struct arrivals *arrivals)
{
    ((struct renewal *)arrivals)->now_s = NAN;
}

static double renewal_next_s(struct arrivals *arrivals)
{
    struct renewal *renewal = (struct renewal *)arrivals;
    renewal->now_s = isnan(renewal->now_s)
                         ? interval_draw_first_s(&renewal->interval, arrivals->rng)
                         : renewal->now_s + interval_draw_s(&renewal->interval, arrivals->rng);
    return renewal->now_s;
}

static const struct arrivals_ops renewal_ops = {.start = renewal_start, .next_s = renewal_next_s};

static struct arrivals *renewal_create(struct interval interval, struct arena *arena)
{
    struct renewal *renewal = ARENA_NEW(arena, struct renewal);
    *renewal = (struct renewal){.base.ops = &renewal_ops, .interval = interval};
    return &renewal->base;
}

static double poisson_rate(const void *config)
{
    return ((const struct arrivals_poisson *)config)->rate_per_s;
}

static struct arrivals *poisson_create(const void *config, double factor, struct arena *arena)
{
    return renewal_create(interval_exponential(1 / (poisson_rate(config) * factor)), arena);
}

static bool renewal_check(const void *config, const struct place *place, struct error *error)
{
    const struct arrivals_renewal *renewal = config;
    if (isnan(renewal->cv) != isnan(renewal->shape))
        return true;
    place_error(place, error, "give either \"cv\" or \"shape\"");
    return error_hint(error, "cv is the standard deviation over the mean of the times between "
                             "arrivals: 1 is as irregular as Poisson, more is burstier");
}

static double renewal_rate(const void *config)
{
    return ((const struct arrivals_renewal *)config)->rate_per_s;
}

static struct arrivals *renewal_create_of(enum interval_law law, const void *config, double factor,
                                          struct arena *arena)
{
    const struct arrivals_renewal *renewal = config;
    double mean_s = 1 / (renewal->rate_per_s * factor);
    return renewal_create(isnan(renewal->shape) ? interval_of_cv(law, mean_s, renewal->cv)
                                                : interval_of_shape(law, mean_s, renewal->shape),
                          arena);
}

static struct arrivals *gamma_create(const void *config, double factor, struct arena *arena)
{
    return renewal_create_of(INTERVAL_GAMMA, config, factor, arena);
}

static struct arrivals *weibull_create(const void *config, double factor, struct arena *arena)
{
    return renewal_create_of(INTERVAL_WEIBULL, config, factor, arena);
}

/* On and off in turns. Within a stay arrivals are Poisson and have no memory, so one that would
 * fall after the end of the stay is simply drawn anew from there, at the other rate. */

struct on_off {
    struct arrivals base;
    struct interval stay[2]; /* [0] off, [1] on */
    double gap_s[2];         /* mean time between arrivals; INFINITY when there are none */
    double on_share;         /* of the time */
    int on;
    double now_s, switch_s;
};

#define ON_OFF_NUMBER(member, text) NUMBER(struct arrivals_on_off, member, text)

const struct config_type arrivals_on_off_type = {
    .name = "on_off_arrivals",
    .doc = "bursts and silences in turns",
    .size = sizeof(struct arrivals_on_off),
    .fields =
        (const struct config_field[]){
            {ON_OFF_NUMBER(on_rate_per_s, "requests per second while on"), .min = 0,
             .max = RATE_MAX_PER_S, .above_min = true},
            {ON_OFF_NUMBER(off_rate_per_s, "requests per second while off"), .preset = "0",
             .min = 0, .max = RATE_MAX_PER_S},
            {ON_OFF_NUMBER(mean_on_s, "mean length of a stay on"), STAY_BOUNDS},
            {ON_OFF_NUMBER(mean_off_s, "mean length of a stay off"), STAY_BOUNDS},
            {ON_OFF_NUMBER(on_cv, "standard deviation over mean of the stays on"), CV_BOUNDS,
             .preset = "1"},
            {ON_OFF_NUMBER(off_cv, "standard deviation over mean of the stays off"), CV_BOUNDS,
             .preset = "1"},
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

/* Arrivals, or bursts of simultaneous arrivals, at equal distances, the first at time 0. */

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
            {NUMBER(struct arrivals_deterministic, rate_per_s, "mean requests per second"),
             .min = 0, .max = RATE_MAX_PER_S, .above_min = true, .optional = true},
            {NUMBER(struct arrivals_deterministic, interval_s,
                    "time between bursts, instead of rate_per_s"),
             .min = 0, .max = CLOCK_MAX_S, .above_min = true, .optional = true},
            {.name = "burst",
             .kind = CONFIG_INT,
             .offset = offsetof(struct arrivals_deterministic, burst),
             .doc = "requests that arrive together each time",
             .preset = "1",
             .min = 1,
             .max = 1e9},
            {0}},
};

static bool deterministic_check(const void *config, const struct place *place, struct error *error)
{
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

/* Superposed clients. ServeGen (Xiang et al., arXiv 2505.09999) finds that real workloads are the
 * sum of clients of very unequal rates, each bursty in its own way, and that the sum is not what
 * any single renewal process gives. Rates here follow Zipf's law. Each client's cv is read off an
 * inverse CDF; clients in order of rate take its quantiles frac(i * 0.618...), which is even, the
 * same for every seed, and leaves rate and cv unrelated, as they are in ServeGen's data. */

#define GOLDEN_RATIO_FRACTION 0.6180339887498949

struct clients {
    struct arrivals base;
    struct event_queue queue; /* each client's next arrival */
    struct interval *interval;
    uint32_t count;
};

#define CLIENTS_NUMBER(member, text) NUMBER(struct arrivals_clients, member, text)

static const char *const client_laws[] = {"gamma", "weibull", NULL};

static const struct config_type cv_knot_type = {
    .name = "cv_knot",
    .doc = "a share p of the clients has at most this cv",
    .size = sizeof(struct inverse_cdf_knot),
    .fields =
        (const struct config_field[]){
            {NUMBER(struct inverse_cdf_knot, p, "share of the clients"), .min = 0, .max = 1},
            {.name = "cv",
             .kind = CONFIG_NUMBER,
             .offset = offsetof(struct inverse_cdf_knot, x),
             .doc = "standard deviation over mean of the "
                    "times between a client's arrivals",
             CV_BOUNDS},
            {0}},
};

const struct config_type arrivals_clients_type = {
    .name = "clients_arrivals",
    .doc = "many clients of unequal rates, each a renewal process of its own",
    .size = sizeof(struct arrivals_clients),
    .fields =
        (const struct config_field[]){
            RATE(struct arrivals_clients),
            {.name = "count",
             .kind = CONFIG_INT,
             .offset = offsetof(struct arrivals_clients, count),
             .doc = "number of clients",
             .min = 1,
             .max = CLIENTS_MAX},
            {CLIENTS_NUMBER(zipf_exponent, "rate of the n-th client is 1 / n^exponent"), .min = 0,
             .max = 20, .optional = true},
            {CLIENTS_NUMBER(top_share, "share of the largest client, instead of zipf_exponent"),
             .min = 0, .max = 0.999, .above_min = true, .optional = true},
            {.name = "law",
             .kind = CONFIG_ENUM,
             .offset = offsetof(struct arrivals_clients, law),
             .doc = "distribution of a client's times between arrivals",
             .preset = "\"gamma\"",
             .names = client_laws},
            {.name = "cv",
             .kind = CONFIG_LIST,
             .offset = offsetof(struct arrivals_clients, cv),
             .doc = "inverse CDF of the clients' variability",
             .preset = "[{\"p\": 0, \"cv\": 1}, {\"p\": 1, \"cv\": 1}]",
             .min = 2,
             .max = 1000,
             .element =
                 &(const struct config_field){.kind = CONFIG_OBJECT, .object = &cv_knot_type}},
            {0}},
};

static double zipf_top_share(int64_t count, double exponent)
{
    double sum = 0;
    for (int64_t n = 1; n <= count; n++)
        sum += pow((double)n, -exponent);
    return 1 / sum;
}

/* The share grows with the exponent: bisection. */
static double zipf_exponent_of_share(int64_t count, double share)
{
    double low = 0, high = 20;
    for (int i = 0; i < 40; i++) {
        double middle = (low + high) / 2;
        if (zipf_top_share(count, middle) < share)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static bool clients_check(const void *config, const struct place *place, struct error *error)
{
    const struct arrivals_clients *clients = config;
    if (isnan(clients->zipf_exponent) == isnan(clients->top_share))
        return place_error(place, error, "give either \"zipf_exponent\" or \"top_share\"");
    if (clients->top_share * (double)clients->count < 1) {
        struct place at = place_key(place, "top_share");
        return place_error(&at, error,
                           "the largest of %lld clients has at least 1/%lld of the rate",
                           (long long)clients->count, (long long)clients->count);
    }
    size_t which;
    const char *flaw = inverse_cdf_flaw(clients->cv.items, clients->cv.count, &which);
    struct place list = place_key(place, "cv");
    struct place at = place_index(&list, which);
    return !flaw || place_error(&at, error, "this knot %s", flaw);
}

static double clients_rate(const void *config)
{
    return ((const struct arrivals_clients *)config)->rate_per_s;
}

static void clients_schedule(struct clients *clients, uint32_t client, tick_t now, double gap_s)
{
    double next_s = tick_to_s(now) + gap_s;
    event_queue_set(&clients->queue, client, 0,
                    next_s > CLOCK_MAX_S ? TICK_NEVER : now + tick_from_s(gap_s));
}

static void clients_start(struct arrivals *arrivals)
{
    struct clients *clients = (struct clients *)arrivals;
    for (uint32_t i = 0; i < clients->count; i++)
        clients_schedule(clients, i, 0,
                         interval_draw_first_s(&clients->interval[i], arrivals->rng));
}

static double clients_next_s(struct arrivals *arrivals)
{
    struct clients *clients = (struct clients *)arrivals;
    const struct event_entry *first = event_queue_first(&clients->queue);
    if (!first)
        return INFINITY;
    tick_t now = first->time;
    uint32_t client = (uint32_t)first->actor;
    clients_schedule(clients, client, now,
                     interval_draw_s(&clients->interval[client], arrivals->rng));
    return tick_to_s(now);
}

static void clients_destroy(struct arrivals *arrivals)
{
    event_queue_free(&((struct clients *)arrivals)->queue);
}

static const struct arrivals_ops clients_ops = {
    .start = clients_start, .next_s = clients_next_s, .destroy = clients_destroy};

static void clients_fill(struct clients *clients, const struct arrivals_clients *from,
                         double rate_per_s, struct arena *arena)
{
    struct inverse_cdf *cv = ARENA_NEW(arena, struct inverse_cdf);
    inverse_cdf_build(cv, from->cv.items, from->cv.count, arena);
    double exponent = isnan(from->top_share) ? from->zipf_exponent
                                             : zipf_exponent_of_share(from->count, from->top_share);
    double top_rate_per_s = rate_per_s * zipf_top_share(from->count, exponent);
    enum interval_law law = from->law == 0 ? INTERVAL_GAMMA : INTERVAL_WEIBULL;
    for (uint32_t i = 0; i < clients->count; i++) {
        double quantile = fmod((i + 1) * GOLDEN_RATIO_FRACTION, 1);
        double mean_s = pow(i + 1, exponent) / top_rate_per_s;
        clients->interval[i] = interval_of_cv(law, mean_s, inverse_cdf_at(cv, quantile));
    }
}

static struct arrivals *clients_create(const void *config, double factor, struct arena *arena)
{
    const struct arrivals_clients *from = config;
    struct clients *clients = ARENA_NEW(arena, struct clients);
    clients->base.ops = &clients_ops;
    clients->count = (uint32_t)from->count;
    if (!event_queue_init(&clients->queue, clients->count))
        return NULL;
    clients->interval = ARENA_ARRAY(arena, clients->count, struct interval);
    clients_fill(clients, from, from->rate_per_s * factor, arena);
    return &clients->base;
}

/* The kinds. */

static const struct kind {
    double (*rate_per_s)(const void *config);
    struct arrivals *(*create)(const void *config, double factor, struct arena *arena);
    bool (*check)(const void *config, const struct place *place, struct error *error); /* or NULL */
} kinds[ARRIVALS_OPEN_KINDS] = {
    [ARRIVALS_POISSON] = {poisson_rate, poisson_create, NULL},
    [ARRIVALS_GAMMA] = {renewal_rate, gamma_create, renewal_check},
    [ARRIVALS_WEIBULL] = {renewal_rate, weibull_create, renewal_check},
    [ARRIVALS_ON_OFF] = {on_off_rate, on_off_create, NULL},
    [ARRIVALS_DETERMINISTIC] = {deterministic_rate, deterministic_create, deterministic_check},
    [ARRIVALS_CLIENTS] = {clients_rate, clients_create, clients_check},
};

static const struct kind *kind_of(const struct config_variant *config)
{
    assert(config->index >= 0 && config->index < ARRIVALS_OPEN_KINDS);
    return &kinds[config->index];
}

bool arrivals_check(const struct config_variant *config, const struct place *place,
                    struct error *error)
{
    const struct kind *kind = kind_of(config);
    return !kind->check || kind->check(config->value, place, error);
}

double arrivals_mean_rate_per_s(const struct config_variant *config)
{
    return kind_of(config)->rate_per_s(config->value);
}

struct arrivals *arrivals_create(const struct config_variant *config, double rate_factor,
                                 gsl_rng *rng, struct arena *arena)
{
    struct arrivals *arrivals = kind_of(config)->create(config->value, rate_factor, arena);
    if (arrivals)
        arrivals->rng = rng;
    return arrivals;
}
