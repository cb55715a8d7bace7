/* Superposed clients. ServeGen (Xiang et al., arXiv 2505.09999) finds that real workloads are the
 * sum of clients of very unequal rates, each bursty in its own way, and that the sum is not what
 * any single renewal process gives. Rates here follow Zipf's law. Each client's cv is read off an
 * inverse CDF; clients in order of rate take its quantiles frac(i * 0.618...), which is even, the
 * same for every seed, and leaves rate and cv unrelated, as they are in ServeGen's data. */
#include <math.h>

#include "sim/event_queue.h"
#include "workloads/arrivals_process.h"
#include "workloads/inverse_cdf.h"

#define CLIENTS_MAX           1000000
#define GOLDEN_RATIO_FRACTION 0.6180339887498949

struct clients {
    struct arrivals base;
    struct event_queue queue; /* each client's next arrival */
    struct interval *interval;
    uint32_t count;
};

#define CLIENTS_NUMBER(member, text) ARRIVALS_NUMBER(struct arrivals_clients, member, text)

static const char *const client_laws[] = {"gamma", "weibull", NULL};

static const struct config_type cv_knot_type = {
    .name = "cv_knot",
    .doc = "a share p of the clients has at most this cv",
    .size = sizeof(struct inverse_cdf_knot),
    .fields = (const struct config_field[]){{ARRIVALS_NUMBER(struct inverse_cdf_knot, p,
                                                             "share of the clients"),
                                             .min = 0, .max = 1},
                                            {.name = "cv",
                                             .kind = CONFIG_NUMBER,
                                             .offset = offsetof(struct inverse_cdf_knot, x),
                                             .doc = "standard deviation over mean of the "
                                                    "times between a client's arrivals",
                                             ARRIVALS_CV_BOUNDS},
                                            {0}},
};

const struct config_type arrivals_clients_type = {
    .name = "clients_arrivals",
    .doc = "many clients of unequal rates, each a renewal process of its own",
    .size = sizeof(struct arrivals_clients),
    .fields =
        (const struct config_field[]){
            ARRIVALS_RATE(struct arrivals_clients),
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

static bool clients_check(const void *config, double factor, const struct place *place,
                          struct error *error)
{
    (void)factor;
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

const struct arrival_process arrivals_clients = {clients_rate, clients_create, clients_check};
