/* How a purchase strategy is written; for models/elastic/purchase*.c only.
 *
 * A strategy ranks the markets for Spot, best first, and may want another share of Spot and on
 * demand than base and percent give. What it keeps between decisions is in a struct of its own,
 * whose first member is the struct purchase.
 *
 * Who adds a strategy writes a struct purchase_strategy in a file of its own and adds a row to
 * PURCHASE_STRATEGIES. */
#ifndef TOKENYARD_MODELS_ELASTIC_PURCHASE_STRATEGY_H
#define TOKENYARD_MODELS_ELASTIC_PURCHASE_STRATEGY_H

#include "models/elastic/purchase.h"

/* --- the parameters of the strategies, as a scenario gives them --- */

struct purchase_lowest_price_config {
    int64_t pools;
};

struct purchase_single_config {
    const char *market; /* NULL: the pool's first */
};

struct purchase_fallback_config {
    double after_s;
    int within; /* index into purchase_within_names */
};

struct purchase_hedge_config {
    int64_t num_overprovision;
    bool dynamic_ondemand_fallback;
};

extern const struct config_type purchase_lowest_price_type, purchase_single_type,
    purchase_fallback_type, purchase_hedge_type;

/* The strategies that need no parameters, so that they can be named by "within", come first. */
#define PURCHASE_SIMPLE_STRATEGIES(ROW)                                                            \
    ROW(price_capacity_optimized, "Spot in the cheapest of the markets with most capacity", NULL)  \
    ROW(capacity_optimized, "Spot where most capacity is, or fewest interruptions were seen",      \
        NULL)                                                                                      \
    ROW(diversified, "Spot evenly across all markets", NULL)

#define PURCHASE_STRATEGIES(ROW)                                                                   \
    PURCHASE_SIMPLE_STRATEGIES(ROW)                                                                \
    ROW(lowest_price, "Spot evenly across the cheapest markets", &purchase_lowest_price_type)      \
    ROW(single, "all nodes in one market, the baseline", &purchase_single_type)                    \
    ROW(on_demand_fallback, "on demand stands in for Spot that is not had for a while",            \
        &purchase_fallback_type)                                                                   \
    ROW(spot_hedge, "SkyServe's SpotHedge: spread and extra Spot, on demand until it is ready",    \
        &purchase_hedge_type)

/* --- a strategy --- */

struct purchase_strategy {
    size_t size; /* of its struct */
    /* NULL: nothing to check. */
    bool (*check)(const struct purchase_settings *settings, const struct purchase_scope *scope,
                  struct error *error);
    /* Nodes that it may want above the target; its own parameters. NULL: none. */
    int64_t (*extra)(const void *config);
    /* Sets up what is its own (zeroed; the purchase is ready). NULL: nothing. false: no memory. */
    bool (*open)(struct purchase *purchase, const struct purchase_scope *scope);
    void (*close)(struct purchase *purchase); /* also after an open that failed. NULL: nothing */
    /* Takes note of what has happened since the last decision. NULL: nothing. */
    void (*observe)(struct purchase *purchase);
    /* Spot nodes that may be asked for in a market that could be asked now. NULL: what its visible
     * capacity leaves. */
    int64_t (*room)(const struct purchase *purchase, uint32_t market);
    /* How many of each are wanted. NULL: as base and percent have it. */
    struct purchase_split (*want)(struct purchase *purchase);
    /* Ranks all markets, for so many Spot nodes to order, or, where missing is 0, to give back;
     * sets `even` and `level` where they are not to be 0 and unlimited. */
    void (*rank)(struct purchase *purchase, int64_t missing);
};

#define AS_DECLARATION(name, doc, type) extern const struct purchase_strategy purchase_##name;
PURCHASE_STRATEGIES(AS_DECLARATION)
#undef AS_DECLARATION

extern const char *const purchase_within_names[];
const struct purchase_strategy *purchase_within(int within);

/* A market and what it is ranked by: lower keys first, then the lower number. */
struct purchase_rank {
    double keys[3];
    uint32_t market;
};

/* What of a kind may be done in a market, in the order of the ranking: at most `room` nodes, where
 * there are `have` already; `nodes` of them are planned. */
struct purchase_slot {
    uint32_t market;
    int64_t have, room, nodes;
};

#define PURCHASE_ANY_MARKET UINT32_MAX

struct purchase {
    const struct purchase_strategy *strategy;
    const struct purchase_settings *settings;
    uint32_t market_count;
    uint32_t only; /* nodes are bought in this market; PURCHASE_ANY_MARKET: in all */
    tick_t cooldown;
    tick_t next;
    /* What this decision was told. */
    const struct purchase_market *markets;
    int64_t target;
    tick_t now;
    /* Totals of it. */
    int64_t spot_held, spot_ready;
    int64_t on_demand_held, on_demand_ready;
    int64_t *room; /* by market: Spot nodes that can be asked for */
    /* The ranking: [market_count], best first. The first `even` are filled evenly, up to `level`
     * nodes each, before what is left goes market by market. */
    struct purchase_rank *ranking;
    uint32_t even;
    int64_t level;
    /* [market_count] each: for orders, by kind; for nodes to give back, starting and ready ones. */
    struct purchase_slot *slots[2];
    struct purchase_order *orders;
    uint32_t order_count;
};

/* The market's Spot nodes. */
struct purchase_held {
    int64_t starting, ready;
};
struct purchase_held purchase_spot_held(const struct purchase *purchase, uint32_t market);

/* The decision is to be made again at that tick. */
void purchase_wake(struct purchase *purchase, tick_t when);

/* --- ranking (purchase_rank.c) --- */

/* The first key of both rankings. */
enum purchase_standing { STANDS_WELL, STANDS_UNSEEN, STANDS_FULL };

/* Ranks all markets: by standing where nodes are missing (STANDS_UNSEEN is for the other ranking);
 * then by the price of Spot. Returns how many stand well. */
uint32_t purchase_rank_by_price(struct purchase *purchase, int64_t missing);

/* Ranks all markets: those that show most; those that can't be seen, by the rate of interruptions;
 * those without room. Returns how many are of the first two standings. */
uint32_t purchase_rank_by_capacity(struct purchase *purchase);

/* Sorts the first `count` of the ranking by their keys. */
void purchase_sort(struct purchase *purchase, uint32_t count);

/* Plans `nodes` over the slots: evenly over the first `even`, as long as none has more than
 * `level`, then slot by slot. Returns how many find no room. O(count log nodes). */
int64_t purchase_spread(struct purchase_slot *slots, uint32_t count, uint32_t even, int64_t level,
                        int64_t nodes);

#endif
