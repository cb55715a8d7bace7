/* Metered usage: what a provider's meters show, before commitments and before anybody asks what it
 * was good for.
 *
 * The life of each node is cut at clock hours (UTC), where it becomes ready, and where its price
 * changes; pieces that agree in all that matters are added up. Lengths are whole nanoseconds and
 * rates whole nano-dollars per hour, so cost = rate * instance_ns / NS_PER_HOUR is an exact
 * rational, and every instance-second is in one row.
 *
 * Spot costs the price that is in effect at each instant (AWS whitepaper "Leveraging Amazon EC2
 * Spot Instances", "How Spot Instances Work").
 *
 * A life is rounded up to the granularity and the minimum of its price once, at its end and at
 * the Spot price of that moment; a node that outlives the run is metered up to the end of the run
 * as it is. Spot that its provider takes back within the free time of its price has rate 0: AWS's
 * first hour (EC2 User Guide, "Billing for interrupted Spot Instances"). How a life is metered is
 * for the book to say, also where the run itself knows the price.
 *
 * A node that goes from pool to pool is rounded up once, too, where its last row ends; what it was
 * charged for in other pools stays charged, also if it is taken back within the free time. */
#ifndef TOKENYARD_MODELS_MONEY_METERED_H
#define TOKENYARD_MODELS_MONEY_METERED_H

#include "models/money/price_book.h"
#include "models/money/usage.h"

#define NS_PER_S         INT64_C(1000000000)
#define NS_PER_HOUR      (3600 * NS_PER_S)
#define NANO_USD_PER_USD 1e9

struct metered_row {
    uint32_t hour; /* clock hour of the usage */
    uint32_t pool, market;
    enum purchase_option purchase;
    bool starting;         /* before the node was ready */
    int64_t rate_nano_usd; /* per instance-hour. Capacity Blocks and owned nodes: 0, as they are
                            * paid elsewhere */
    int64_t instance_ns;
};

struct metered {
    struct metered_row *rows; /* sorted by the members in their order, no two alike */
    size_t count, capacity;
    bool too_much;       /* an hour's time does not fit; metered_build reports it */
    uint32_t hour_count; /* of hours that lives reach into: may exceed the usage's by rounding */
    int64_t *serving_ns; /* [hour * pool_count + pool]: node time (of all its instances as one) that
                          * is not starting */
};

/* Which prices a run is billed by. */
enum price_precedence {
    PRICES_OF_RUN_FIRST, /* what the run recorded (Spot steps, a scenario's own on-demand price);
                          * the book for the rest */
    PRICES_OF_BOOK,      /* the book alone */
};

/* Fills metered, which the caller frees. Fails where a price is missing while a node lives, and
 * where the time of an hour exceeds 63 bits of nanoseconds (2.5 million instances at once). */
bool metered_build(struct metered *metered, const struct usage *usage,
                   const struct price_book *book, enum price_precedence precedence,
                   struct error *error);
void metered_free(struct metered *metered);

int64_t nano_usd(double usd); /* rounded */

#endif
