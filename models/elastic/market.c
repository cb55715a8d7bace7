#include "models/elastic/market.h"

#include <assert.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#include "models/elastic/market_spec.h"
#include "sim/arena.h"
#include "sim/random.h"

struct market {
    const struct market_spec *spec;
    struct signal capacity, price;
    gsl_rng *grants, *lives;
    int64_t spot_capacity; /* as of the last advance */
    double spot_usd;
};

/* --- what the signals mean --- */

/* Of `nodes` places each is free while its own luck, which they share to the degree of the
 * burstiness, is good; with many places the share that is free follows from the shared part alone:
 * Vasicek's distribution, whose mean is `available` and which goes from always the mean (burstiness
 * 0) to all or nothing (1). */
static double available_share(const struct market_spec *spec, double factor)
{
    double threshold = gsl_cdf_ugaussian_Pinv(spec->available);
    return gsl_cdf_ugaussian_P((threshold + sqrt(spec->burstiness) * factor) /
                               sqrt(1 - spec->burstiness));
}

static int64_t capacity_of(const struct market_spec *spec, double signal)
{
    const double rounding = 1e-9; /* 30 instances of 0.1 nodes are 3 nodes */
    switch (spec->capacity_kind) {
    case CAPACITY_UNLIMITED:
        return INT64_MAX;
    case CAPACITY_FIXED:
        return (int64_t)signal;
    case CAPACITY_RECORDED:
        return (int64_t)floor(signal * spec->nodes_per_instance + rounding);
    case CAPACITY_CORRELATED:
        return llround(spec->nodes * available_share(spec, signal));
    }
    assert(false);
    return 0;
}

/* The lognormal's mean is mean_usd. Spot prices of today's clouds do not pass those on demand. */
static double drifting_usd(const struct market_spec *spec, double factor)
{
    double spread = spec->volatility;
    return fmin(spec->mean_usd * exp(spread * factor - spread * spread / 2), spec->on_demand_usd);
}

static double price_of(const struct market_spec *spec, double signal)
{
    return spec->price_kind == PRICE_MEAN_REVERTING ? drifting_usd(spec, signal)
                                                    : signal * spec->instances_per_node;
}

static void update(struct market *market)
{
    const struct market_spec *spec = market->spec;
    market->spot_usd = price_of(spec, market->price.value);
    bool outbid = market->spot_usd > spec->max_price_usd;
    market->spot_capacity = outbid ? 0 : capacity_of(spec, market->capacity.value);
}

/* --- life --- */

static gsl_rng *open_stream(uint64_t seed, uint64_t replication, const char *name)
{
    gsl_rng *rng = random_stream(seed, replication, name);
    if (!rng)
        out_of_memory();
    return rng;
}

struct market *market_create(const struct market_spec *spec, uint64_t seed, uint64_t replication)
{
    struct market *market = calloc(1, sizeof *market);
    if (!market)
        out_of_memory();
    market->spec = spec;
    signal_start(&market->capacity, &spec->capacity, seed, replication);
    signal_start(&market->price, &spec->price, seed, replication);
    market->grants = open_stream(seed, replication, spec->grants_stream);
    market->lives = open_stream(seed, replication, spec->lives_stream);
    update(market);
    return market;
}

void market_destroy(struct market *market)
{
    if (!market)
        return;
    signal_free(&market->capacity);
    signal_free(&market->price);
    gsl_rng_free(market->grants);
    gsl_rng_free(market->lives);
    free(market);
}

/* --- time --- */

tick_t market_next(const struct market *market)
{
    return market->capacity.next < market->price.next ? market->capacity.next : market->price.next;
}

void market_advance(struct market *market, tick_t now)
{
    signal_advance(&market->capacity, now);
    signal_advance(&market->price, now);
    update(market);
}

bool market_record_is_over(const struct market *market)
{
    return signal_is_over(&market->capacity) || signal_is_over(&market->price);
}

/* --- now --- */

int64_t market_capacity(const struct market *market)
{
    return market->spot_capacity;
}

int64_t market_on_demand_capacity(const struct market *market)
{
    return market->spec->on_demand_capacity;
}

double market_spot_usd(const struct market *market)
{
    return market->spot_usd;
}

double market_on_demand_usd(const struct market *market)
{
    return market->spec->on_demand_usd;
}

tick_t market_notice(const struct market *market)
{
    return market->spec->notice;
}

/* --- draws --- */

bool market_grants(struct market *market, enum market_terms terms)
{
    double probability = market->spec->grant_probability[terms];
    return probability >= 1 || random_open_unit(market->grants) < probability;
}

tick_t market_lifetime(struct market *market)
{
    const struct market_spec *spec = market->spec;
    double life_s = spec->max_lifetime_s;
    if (isfinite(spec->life_scale_s)) {
        double exhausted = -log(random_open_unit(market->lives)); /* cumulative hazard at its end */
        life_s = fmin(life_s, spec->life_scale_s * pow(exhausted, 1 / spec->life_shape));
    }
    if (life_s > CLOCK_MAX_S)
        return TICK_NEVER;
    tick_t life = tick_from_s(life_s);
    return life > 0 ? life : 1;
}

/* --- what a market is --- */

const char *market_spec_name(const struct market_spec *spec)
{
    return spec->name;
}

const char *market_spec_region(const struct market_spec *spec)
{
    return spec->region;
}

const char *market_spec_instance(const struct market_spec *spec)
{
    return spec->instance;
}

double market_spec_on_demand_usd(const struct market_spec *spec)
{
    return spec->on_demand_usd;
}
