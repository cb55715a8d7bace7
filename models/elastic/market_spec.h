/* A market resolved: what its settings come to. Shared by the files that make up the market; nobody
 * else includes this. */
#ifndef TOKENYARD_MODELS_ELASTIC_MARKET_SPEC_H
#define TOKENYARD_MODELS_ELASTIC_MARKET_SPEC_H

#include "models/elastic/market.h"
#include "models/elastic/signal.h"

/* --- what a scenario says of each kind --- */

enum capacity_kind { CAPACITY_UNLIMITED, CAPACITY_FIXED, CAPACITY_RECORDED, CAPACITY_CORRELATED };

struct capacity_fixed {
    int64_t nodes;
};

struct capacity_recorded {
    const char *path;
    int format;         /* enum capacity_format */
    const char *column; /* NULL: the market's zone, or the only one */
    double nodes_per_instance;
    double from_s;
    const char *from_utc; /* NULL: by from_s */
    double max_gap_s;     /* NaN: any */
    bool sort;
    int after_end; /* enum after_end */
};

struct capacity_correlated {
    int64_t nodes;
    double available, burstiness, correlation, relaxation_s, step_s;
};

enum life_kind { LIFE_UNLIMITED, LIFE_HAZARD, LIFE_WEIBULL, LIFE_FITTED, LIFE_ADVISOR };

struct lifetime_hazard {
    double per_hour;
};

struct lifetime_weibull {
    double shape, scale_s;
};

struct lifetime_fitted {
    const char *path;
    int law; /* enum lifetime_law */
    const char *cloud, *zone, *gpu;
    int64_t gpus;
};

struct lifetime_advisor {
    int class;
    double open_class_share;
};

enum price_kind { PRICE_FIXED, PRICE_DISCOUNT, PRICE_RECORDED, PRICE_MEAN_REVERTING };

struct price_fixed {
    double usd_per_hour;
};

struct price_discount {
    double share_of_on_demand;
};

struct price_recorded {
    const char *path;
    const char *zone, *instance_type; /* NULL: the market's */
    double instances_per_node;
    double from_s;
    const char *from_utc;
    int after_end;
};

struct price_mean_reverting {
    double share_of_on_demand, volatility, relaxation_s, step_s;
};

/* --- what it comes to --- */

struct market_spec {
    const char *name, *region, *zone, *instance;
    /* Capacity: the signal is recorded instances, or the factor behind what is available. */
    enum capacity_kind capacity_kind;
    struct signal_spec capacity;
    double nodes_per_instance;
    double nodes, available, burstiness;
    /* Price: the signal is dollars, or the factor behind them. */
    enum price_kind price_kind;
    struct signal_spec price;
    double instances_per_node;
    double mean_usd, volatility;
    double on_demand_usd;
    double max_price_usd; /* INFINITY: no bid */
    int64_t on_demand_capacity;
    double grant_probability[2]; /* by enum market_terms */
    tick_t notice;
    /* Lives: exp(-(t / scale)^shape) of them are longer than t. */
    double life_shape, life_scale_s; /* scale INFINITY: nothing ends one */
    double max_lifetime_s;           /* INFINITY: none */
    const char *grants_stream, *lives_stream;
};

#endif
