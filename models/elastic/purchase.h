/* Which nodes an elastic pool orders, and which it gives back: the "purchase" object of a pool.
 *
 * Somebody else says how many nodes the pool wants ready (the target); the purchase says how many
 * of them are bought on Spot and how many on demand, and in which markets. It draws nothing, keeps
 * no nodes and sets no timers: it is told what is held, and answers with orders.
 *
 * A decision is called for whenever anything it is told has changed, at purchase_next, and again
 * after orders were carried out, until there are none:
 *
 *     while ((count = purchase_decide(purchase, target, now, markets, orders)) > 0)
 *         carry out orders[0 .. count), and bring markets up to date
 *
 * That ends: what was granted is held, and a market that refused is left alone for a while. A
 * decision is a function of what it was told, now and before; it allocates nothing and costs
 * O(markets log markets). Where nothing changed, nothing is ordered (no flapping).
 *
 * Spot against on demand, as an EC2 Auto Scaling group with a mixed instances policy has it
 * (InstancesDistribution in the Auto Scaling API reference):
 *
 *   base        the first on_demand_base nodes of the target are on demand (OnDemandBaseCapacity)
 *   above it    spot_percent_above_base of the rest are on Spot (100 less
 *               OnDemandPercentageAboveBaseCapacity), the rest on demand; fractions of a node go to
 *               on demand, the safe side. Base 1 and 70 %: of a target of 4, 1 + 1 are on demand
 *               and 2 on Spot.
 *   shortage    Spot that is refused in one market is asked for in the next. On demand does not
 *               stand in for it, but with the strategies that say so.
 *   excess      is given back, but what is ready stays as long as what shall take its place is not
 *               (AWS, too, launches before it terminates). Nodes that are starting go before nodes
 *               that are ready (as _select_nonterminal_replicas_to_scale_down in SkyPilot's
 *               sky/serve/autoscalers.py has it), those of the market that ranks last first.
 *               Nodes are never moved because prices or capacity have changed.
 *
 * Which side wins where settings fight each other:
 *
 *   base above the target         the target: never more nodes than wanted, none at a target of 0
 *   base above the pool's most    an error (purchase_check): it could never be held
 *   percent below 0, above 100    an error (bounds of the field)
 *   percent with spot_hedge       an error, unless it is 100: SpotHedge shares the nodes out itself
 *   pools of lowest_price above   all markets are used, as if that many were asked for
 *     the number of markets
 *   a market's refusal against    the refusal: a market that has just refused is not asked before
 *     its visible capacity        refusal_cooldown_s are over, whatever it shows
 *   spot_max_usd_per_hour below   the limit: such a market is not asked for Spot; nodes that are
 *     a market's price            held stay
 *   extra nodes of spot_hedge     the target: a pool that shall be empty holds no extras
 *     at a target of 0
 *   a give-back against an order  give-backs come first in the list, then on demand up to the base,
 *     under a budget              then Spot, then the rest on demand: who cuts the list at a budget
 *                                 cuts the dearest last wish first
 */
#ifndef TOKENYARD_MODELS_ELASTIC_PURCHASE_H
#define TOKENYARD_MODELS_ELASTIC_PURCHASE_H

#include "sim/clock.h"
#include "sim/config.h"

/* --- settings --- */

enum purchase_on_demand { ON_DEMAND_PRIORITIZED, ON_DEMAND_LOWEST_PRICE };

struct purchase_settings {
    int64_t on_demand_base;
    int64_t spot_percent_above_base; /* INT64_MIN: see purchase_share */
    struct config_variant strategy;  /* of purchase_strategies; index -1: see purchase_share */
    int on_demand_strategy;          /* enum purchase_on_demand */
    double spot_max_usd_per_hour;    /* NaN: the market's price on demand, AWS's default */
    double refusal_cooldown_s;
};

extern const struct config_type purchase_settings_type;

/* The strategies, for settings and `tokenyard list`; ends with name NULL. */
extern const struct config_variant_type purchase_strategies[];

/* What the settings are checked against. */
struct purchase_scope {
    const char *const *market_names; /* [market_count], in the order of the pool */
    uint32_t market_count;           /* at least 1 */
    int64_t max_nodes;
};

/* Errors name their place by a JSON pointer that starts at the settings: "/on_demand_base". */
bool purchase_check(const struct purchase_settings *settings, const struct purchase_scope *scope,
                    struct error *error);

struct purchase_split {
    int64_t on_demand, spot;
};

/* How base and percent share out a target of nodes, before any strategy. A percent that is not
 * given is 100 where a strategy is named (who names one wants Spot), else 0 (AWS's default); a
 * strategy that is not named is price_capacity_optimized (what AWS recommends). */
struct purchase_split purchase_share(const struct purchase_settings *settings, int64_t target);

/* The most nodes above the target that the settings ever ask for, stand-ins not counted. */
int64_t purchase_extra_nodes(const struct purchase_settings *settings);

/* --- decisions --- */

#define PURCHASE_UNSEEN (-1) /* a capacity that cannot be seen */

/* A market as the pool sees it now. A node is held from when it was granted until it is told to go
 * or was given notice by the market; held nodes are starting or ready. Nodes that drain or are
 * being interrupted are not held: the caller takes them off the capacity. */
struct purchase_market {
    double spot_usd_per_hour, on_demand_usd_per_hour; /* of a node; INFINITY: not sold */
    int64_t spot_capacity;      /* nodes the pool can hold at once; INT64_MAX: no limit;
                                 * PURCHASE_UNSEEN: only asking tells */
    int64_t on_demand_capacity; /* likewise */
    int64_t spot_ready, spot_starting;
    int64_t on_demand_ready, on_demand_starting;
    /* The last time that ..., TICK_NEVER if it has not happened. */
    tick_t last_refusal; /* a request for Spot was not granted in full */
    tick_t last_on_demand_refusal;
    tick_t last_interruption; /* a Spot node was taken back */
    tick_t last_ready;        /* a Spot node became ready */
    int64_t interruptions;    /* of Spot nodes, recently, in ... */
    double node_hours;        /* ... so many hours of theirs */
};

enum purchase_kind { BUY_SPOT, BUY_ON_DEMAND };

struct purchase_order {
    uint32_t market;
    enum purchase_kind kind;
    int64_t nodes; /* above 0: order so many; below 0: give so many back, starting ones first */
};

#define PURCHASE_ORDERS_PER_MARKET 3 /* at most, in one decision */

struct purchase;

/* For so many markets. The settings have been checked against them, and outlive the purchase.
 * NULL when out of memory. */
struct purchase *purchase_create(const struct purchase_settings *settings,
                                 const struct purchase_scope *scope);
void purchase_destroy(struct purchase *purchase); /* NULL is allowed */

/* Writes what to order and to give back; returns how many. target: nodes wanted ready, at least 0.
 * markets: as many as it was created for. orders: room for PURCHASE_ORDERS_PER_MARKET of each. Time
 * never goes back. */
uint32_t purchase_decide(struct purchase *purchase, int64_t target, tick_t now,
                         const struct purchase_market *markets, struct purchase_order *orders);

/* When the last decision would be another although nothing happened: a cooldown or a wait is over.
 * Later than that decision; TICK_NEVER if never. */
tick_t purchase_next(const struct purchase *purchase);

#endif
