/* What a fleet used: the contract between simulation and money.
 *
 * A usage is a value that a run fills and that can be billed any number of times, under any prices,
 * also after it was saved (usage_write, usage_read). It holds three tables:
 *
 *   nodes        one row per node's life: when, where, what, and how it was bought
 *   spot prices  per market, the steps of its Spot price over time
 *   hours        per pool and clock hour (UTC), what replicas did; and per class, what was served
 *
 * Names (pools, markets, classes) are added first; rows refer to them by number. Texts that are
 * passed in are copied. usage_add_node costs a copy; usage_hour and usage_class_hour are array
 * accesses, and allocate only when an hour is reached for the first time. Memory: nodes, plus
 * hours * pools * (1 + classes) rows. usage_free frees all.
 *
 * Times are ticks of the run. Money and files round them to whole nanoseconds (usage_ns), and
 * rounding is stable: a usage that was saved and read again gives the same bill to the last digit.
 *
 * What a node is charged for is its time from billed_from to end: nothing while it is only
 * requested. Between billed_from and ready it is starting, between ready and drain serving, between
 * drain and end draining. */
#ifndef TOKENYARD_MODELS_MONEY_USAGE_H
#define TOKENYARD_MODELS_MONEY_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/money/purchase_option.h"
#include "sim/arena.h"
#include "sim/clock.h"
#include "sim/error.h"

/* Why a node's life ended. */
enum node_end {
    NODE_END_HORIZON,     /* it was alive when the run ended */
    NODE_END_SCALE_IN,    /* released by the operator */
    NODE_END_INTERRUPTED, /* a Spot node that was taken back */
    NODE_END_FAILED,      /* the machine broke */
    NODE_END_MOVED,       /* it goes on as another pool's, with a row of its own */
    NODE_END_COUNT
};
extern const char *const node_end_names[]; /* "horizon", ...; ends with NULL */

struct usage_pool {
    const char *name, *model;
    uint32_t replicas_per_node; /* 1 or more */
};

/* One place where nodes of one instance type are had. Pools of a fixed size have one, too. */
struct usage_market {
    const char *name;     /* "us-east-1a" */
    const char *provider; /* "AWS"; "" where not known */
    const char *region;   /* "us-east-1"; "" where not known */
    const char *sku;      /* instance type, or the GPU where GPUs are rented one by one */
    uint32_t gpus;        /* of one instance */
    /* What the scenario itself says that one instance costs on demand; NaN: the price book knows.
     */
    double on_demand_usd_per_hour;
};

struct usage_class {
    const char *name, *tenant;
};

struct node_usage {
    uint32_t pool, market;
    uint32_t instances;            /* that make up the node, 1 or more; prices are per instance */
    enum purchase_option purchase; /* below PURCHASE_NODE_OPTIONS */
    /* In this order, each at or after the one before; what did not happen any more has the time of
     * end. A request that was never granted has billed_from = end: it costs nothing. */
    tick_t requested;
    tick_t billed_from; /* the provider's meter starts */
    tick_t ready;       /* its first replica takes requests */
    tick_t drain;       /* it takes no new requests from here on */
    tick_t end;
    enum node_end why;
    /* How long it had been charged for before billed_from, as other pools' (NODE_END_MOVED): it is
     * one life to who rents it out. */
    tick_t carried;
};

/* From `at` on (until the market's next step) one instance on Spot costs this. */
struct spot_price {
    tick_t at;
    double usd_per_hour;
};

struct spot_prices {
    struct spot_price *steps; /* by time */
    size_t count, capacity;
};

/* What the replicas of a pool did in one clock hour. Replica-ticks: a node of 8 replicas that are
 * all busy for a second adds 8 s. */
struct usage_hour {
    int64_t busy_ticks;   /* iterating */
    int64_t wasted_ticks; /* of busy time: spent on work that an interruption or failure destroyed.
                           * May be booked when it is lost; billing carries what exceeds the hour's
                           * busy time back to earlier hours */
};

/* What was served of one class by one pool in one clock hour, booked when a request ends. */
struct usage_class_hour {
    int64_t requests;   /* completed */
    int64_t good;       /* of them, those that kept every SLO that applies to them */
    int64_t prompt_tok; /* of completed requests, cached ones included */
    int64_t cached_tok; /* of the prompt tokens, found in a prefix cache */
    int64_t output_tok;
};

struct usage {
    int64_t start_unix_s; /* date of tick 0, seconds since 1970-01-01 UTC */
    tick_t end;           /* of the run: no node lives longer */
    struct usage_pool *pools;
    struct usage_market *markets;
    struct usage_class *classes;
    uint32_t pool_count, market_count, class_count;
    struct spot_prices *spot; /* [market_count] */
    struct node_usage *nodes;
    size_t node_count, node_capacity;
    /* Clock hours 0 .. hour_count - 1; hour 0 holds tick 0. */
    struct usage_hour *hours;             /* [hour * pool_count + pool] */
    struct usage_class_hour *class_hours; /* [(hour * pool_count + pool) * class_count + class] */
    uint32_t hour_count, hour_capacity;
    struct arena *names;
};

void usage_init(struct usage *usage, int64_t start_unix_s);
void usage_free(struct usage *usage); /* an all-zero one is allowed */

/* Each returns the number of what was added. All of them come before the first node and hour. */
uint32_t usage_add_pool(struct usage *usage, const struct usage_pool *pool);
uint32_t usage_add_market(struct usage *usage, const struct usage_market *market);
uint32_t usage_add_class(struct usage *usage, const struct usage_class *class_);

/* When a node's life is over, or the run is; in any order. */
void usage_add_node(struct usage *usage, const struct node_usage *node);
/* The market's Spot price from `at` on, which is not before the last step; the same price again
 * adds nothing. Every market in which a Spot node lives has a step at or before its billed_from,
 * or its Spot price comes from the price book. */
void usage_set_spot_price(struct usage *usage, uint32_t market, tick_t at, double usd_per_hour);

/* The row of the clock hour that holds `now`; valid until the next call. Callers add to it. */
struct usage_hour *usage_hour(struct usage *usage, uint32_t pool, tick_t now);
struct usage_class_hour *usage_class_hour(struct usage *usage, uint32_t pool, uint32_t class_index,
                                          tick_t now);

/* Clock hours (UTC) since the one that holds tick 0. */
uint32_t usage_hour_of(const struct usage *usage, tick_t at);
/* First tick of a clock hour; of hour 0 it is at or before 0. */
tick_t usage_hour_start(const struct usage *usage, uint32_t hour);
/* Rounded to whole nanoseconds; and the tick nearest to them, which rounds back to the same. */
int64_t usage_ns(tick_t at);
tick_t usage_tick_of_ns(int64_t ns);

/* Saves into the folder, which exists: usage.json (names, span, how many rows), usage_nodes.csv,
 * usage_hours.csv, usage_served.csv (classes) and usage_spot.csv; tables without rows have no file.
 * Pools, markets and classes are numbers there, in the order of usage.json. */
bool usage_write(const struct usage *usage, const char *folder, struct error *error);
/* Fills a usage that usage_init has not touched; what is wrong in a file is a located error. On
 * failure there is nothing to free. */
bool usage_read(struct usage *usage, const char *folder, struct error *error);

#endif
