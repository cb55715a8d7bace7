/* A market: one zone in which instances of one type can be rented, on Spot and on demand.
 *
 * It answers how many Spot nodes can be held at once now, what a node costs now, and how long a
 * node that is granted now lives if nothing else ends it. It knows nothing of who holds what: the
 * control plane compares what it holds with market_capacity, takes back what is too much, and asks
 * again at market_next. What it counts are nodes, as the scenario buys them.
 *
 * Life: a scenario's "markets" are read as struct market_settings, resolved once into specs (files
 * are read, lifetimes fitted, what contradicts itself refused), and every simulation makes its own
 * markets of them. Specs and all they hold are the arena's and are not changed afterwards, so
 * simulations in several threads share them. A market owns what market_create takes.
 *
 * Randomness: streams "elastic/market/<name>/..." by purpose, and for what the zones of a region
 * share "elastic/region/<region>/...": markets of one region see the same factor. Lifetimes and
 * grants are drawn in the order they are asked for. */
#ifndef TOKENYARD_MODELS_ELASTIC_MARKET_H
#define TOKENYARD_MODELS_ELASTIC_MARKET_H

#include <stdbool.h>
#include <stdint.h>

#include "models/hardware/hardware.h"
#include "sim/clock.h"
#include "sim/config.h"

/* By what terms a node is rented. */
enum market_terms { MARKET_SPOT, MARKET_ON_DEMAND };

/* Who rents out, for the notice that is given before a Spot node is taken back. */
enum market_provider { PROVIDER_AWS, PROVIDER_GCP, PROVIDER_AZURE, PROVIDER_MARKETPLACE };

/* What a scenario says, as read; market_settings.c has the field table, with defaults. */
struct market_settings {
    const char *name;
    int provider;         /* enum market_provider; -1: the instance's, in the catalogue */
    const char *region;   /* NULL: the zone itself */
    const char *zone;     /* NULL: the name */
    const char *instance; /* NULL: the pool's */
    struct config_variant capacity;
    struct config_variant lifetime;
    struct config_variant price;
    double on_demand_usd_per_hour; /* NaN: the catalogue's */
    int64_t on_demand_capacity;    /* INT64_MIN: without limit */
    double grant_probability, on_demand_grant_probability;
    double notice_s;               /* NaN: the provider's */
    double max_price_usd_per_hour; /* the bid; NaN: none */
    double max_lifetime_s;         /* NaN: none */
};

extern const struct config_type market_config_type; /* struct market_settings */

/* What its capacity, lifetime and price can be; ends with name NULL. */
extern const struct config_variant_type market_capacity_kinds[], market_lifetime_kinds[],
    market_price_kinds[];

struct market_spec; /* a market, resolved */

/* What resolving needs to know of the scenario around it. */
struct market_context {
    const struct json_document *document;
    const char *pointer; /* of the list of markets: "/markets" */
    const char *folder;  /* relative paths are relative to it; NULL: the current one */
    const struct hardware
        *hardware;    /* for prices and providers of instances; NULL: none is known */
    double horizon_s; /* NaN: the run ends with its last request, and no record is too short */
};

/* One spec for each of the list's struct market_settings, in its order. NULL on error. */
struct market_spec *const *markets_resolve(const struct config_list *markets,
                                           const struct market_context *context,
                                           struct arena *arena, struct error *error);

const char *market_spec_name(const struct market_spec *spec);
const char *market_spec_region(const struct market_spec *spec);
const char *market_spec_instance(const struct market_spec *spec); /* NULL: the pool's */
double market_spec_on_demand_usd(const struct market_spec *spec); /* per node-hour */

struct market;

/* At time 0. Never NULL. */
struct market *market_create(const struct market_spec *spec, uint64_t seed, uint64_t replication);
void market_destroy(struct market *market); /* NULL is allowed */

/* The next tick at which a price or capacity can change, or the record ends; TICK_NEVER: none. */
tick_t market_next(const struct market *market);

/* To now, which goes forward: may be past several changes. */
void market_advance(struct market *market, tick_t now);

/* --- as of the last market_advance --- */

/* Spot nodes that can be held at once; INT64_MAX without limit; 0 while the price is above the bid,
 * as AWS has it. */
int64_t market_capacity(const struct market *market);
int64_t market_on_demand_capacity(const struct market *market); /* likewise */
double market_spot_usd(const struct market *market);            /* per node-hour */
double market_on_demand_usd(const struct market *market);

/* Is the record over, where the scenario says that none may end ("after_end": "error")? The last
 * values hold on, but are nobody's record: the run should stop with an error. */
bool market_record_is_over(const struct market *market);

/* --- draws --- */

/* Does one request for a node succeed, if there is capacity? */
bool market_grants(struct market *market, enum market_terms terms);

/* How long a Spot node that is granted now lives before the market takes it back on its own, or its
 * provider's maximum does; TICK_NEVER where only capacity ends it. At least one tick. */
tick_t market_lifetime(struct market *market);

/* Between the word that a Spot node is taken back and its end. */
tick_t market_notice(const struct market *market);

#endif
