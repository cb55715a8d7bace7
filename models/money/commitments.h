/* Commitments: what is paid for whether it is used or not, and what that makes cheaper.
 *
 *   reserved        EC2 Reserved Instances: `count` instances of one sku, every hour of the term
 *   committed_use   Google's resource-based committed-use discounts, the same for whole instances
 *   owned           own hardware at a cost per hour, given or worked out from its price (owned.h)
 *   capacity_block  EC2 Capacity Blocks: a window paid up front
 *   savings_plan    AWS Savings Plans: an hourly commitment in dollars
 *   flexible_cud    Google's spend-based commitments, likewise. (Google excludes machine types with
 *                   GPUs from its public offer, so the discount has to be given)
 *   minimum_spend   a contract's floor under the bill of each month
 *
 * How they apply, hour by hour (clock hours, UTC):
 *
 * 1. Capacity Blocks and owned nodes pay for the nodes that were started as such. A Block ends at
 *    11:30 UTC and its instances 30 minutes earlier; it is not refunded (EC2 User Guide, "Capacity
 *    Blocks for ML"). Usage beyond what there is, is an error.
 * 2. Reserved instances and committed use apply to on-demand usage of the same sku: per count, at
 *    most 3600 instance-seconds in each clock hour, however many instances they fall on (AWS
 *    whitepaper "EC2 Reserved Instances and Other Reservation Models", "Usage billing").
 * 3. Savings Plans apply after Reserved Instances; EC2 Instance plans before Compute plans; to the
 *    usage with the highest savings percentage first, among equal ones to the lowest Savings Plans
 *    rate; until the commitment, which pays Savings Plans rates, is exhausted. The rest is on
 *    demand (Savings Plans User Guide, "Understanding how Savings Plans apply").
 *
 * What is not used of an hour's commitment is lost with the hour. Among usage that a rule does not
 * tell apart, cover is shared out in proportion.
 *
 * A run that starts or ends within an hour, or a commitment that does, pays and covers that part of
 * the hour. Upfront payments are spread evenly over the term ("amortised" in AWS's terms), and only
 * the hours of the run are billed to it. */
#ifndef TOKENYARD_MODELS_MONEY_COMMITMENTS_H
#define TOKENYARD_MODELS_MONEY_COMMITMENTS_H

#include "models/money/metered.h"
#include "models/money/owned.h"

enum commitment_kind {
    COMMITMENT_RESERVED,
    COMMITMENT_COMMITTED_USE,
    COMMITMENT_OWNED,
    COMMITMENT_CAPACITY_BLOCK,
    COMMITMENT_SAVINGS_PLAN,
    COMMITMENT_FLEXIBLE_CUD,
    COMMITMENT_MINIMUM_SPEND,
};

enum commitment_term { TERM_1Y, TERM_3Y };
enum savings_scope { SCOPE_EC2_INSTANCE, SCOPE_COMPUTE };

/* Reserved, committed_use and owned as a scenario writes them. */
struct instance_commitment {
    const char *sku, *provider, *region; /* provider and region "": wherever the sku is used */
    int64_t count;
    int term;            /* enum commitment_term; not of owned */
    double usd_per_hour; /* of one instance; NaN: of the price book when the term began */
    double
        upfront_usd; /* of one instance; NaN: of the price book, or 0 with a price of one's own */
    const struct owned_settings *hardware; /* of owned: what usd_per_hour comes from; NULL: given */
    const char *from, *until;              /* NULL: before the run, after it */
};

struct capacity_block {
    const char *sku, *provider, *region;
    int64_t count;
    const char *start;   /* a day: at 11:30 UTC; or an instant */
    int64_t days;        /* it ends at 11:30 UTC, so many days later */
    double usd_per_hour; /* of one instance; NaN: of the price book at the start */
};

/* savings_plan and flexible_cud. */
struct spend_commitment {
    double usd_per_hour;                    /* that is paid, at discounted rates */
    int scope;                              /* enum savings_scope */
    const char *provider, *region, *family; /* "": any; family "p5" covers p5.48xlarge */
    int term;
    double discount_percent; /* off the on-demand price; NaN: the price book's savings rates */
    const char *from, *until;
};

struct minimum_spend {
    double usd_per_month; /* of each calendar month; of the part that the run covers */
};

/* One of the above: a CONFIG_LIST of these is the money's "commitments". */
struct commitment_config {
    struct config_variant of; /* index: enum commitment_kind */
};
extern const struct config_variant_type commitment_variants[];

/* A commitment as billing needs it, in nanoseconds of the run. */
struct commitment {
    enum commitment_kind kind;
    enum purchase_option paid_as;
    const char *name; /* for reports: "reserved_1y p5.48xlarge x 2" */
    const char *sku, *provider, *region, *family;
    int64_t count;             /* instances; 1 for what commits to money */
    int64_t rate_nano_usd;     /* per instance-hour, or per hour of what commits to money; of a
                                * minimum spend, per month */
    int64_t from_ns, until_ns; /* is paid for */
    int64_t covers_until_ns;   /* and covers usage: a Block for 30 minutes less */
    enum savings_scope scope;
    double discount;       /* share off the on-demand price; NaN: by market_rates */
    int64_t *market_rates; /* [markets]; savings rate per instance-hour, -1: not covered */
};

struct commitments {
    struct commitment *items;
    size_t count;
};

/* Resolves a list of commitment_config, read at the pointer of the document (NULL: not from a
 * file), for a usage and its dates. Everything is taken from the arena. */
bool commitments_resolve(const struct config_list *list, const struct json_document *document,
                         const char *pointer, const struct usage *usage,
                         const struct price_book *book, struct arena *arena,
                         struct commitments *commitments, struct error *error);

/* When the instances of a Block may run, and until when it is paid; false with a message where
 * AWS does not sell such a Block (1 to 14 days, or whole weeks up to 26). */
struct block_window {
    int64_t from_unix_s, until_unix_s; /* paid */
    int64_t usable_until_unix_s;
};
bool capacity_block_window(const char *start, int64_t days, struct block_window *window,
                           struct error *error);

/* Metered usage after commitments: who pays how much for what. cost / NS_PER_HOUR nano-dollars is
 * exact. */
#define COMMITMENT_NONE UINT32_MAX
#define POOL_NONE       UINT32_MAX
struct paid_row {
    uint32_t hour;
    uint32_t pool, market; /* POOL_NONE: a commitment that was not used */
    enum purchase_option paid_as;
    uint32_t commitment; /* that pays; COMMITMENT_NONE: none */
    bool starting;
    int64_t instance_ns; /* of usage: 0 for what was not used */
    __int128 cost;
};

struct paid {
    struct paid_row *rows; /* by hour */
    size_t count, capacity;
};

/* Fills paid, which the caller frees. Minimum spends are left to billing, which knows the months'
 * totals. */
bool commitments_apply(const struct commitments *commitments, const struct metered *metered,
                       const struct usage *usage, struct paid *paid, struct error *error);
void paid_free(struct paid *paid);

#endif
