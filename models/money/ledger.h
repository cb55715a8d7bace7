/* The ledger: every dollar of a bill, once.
 *
 * A line is money of one clock hour, pool, market, way of payment, category and class. Money is
 * whole nano-dollars (1e-9 USD; 64 bits hold nine billion dollars), and the lines add up to the
 * bill exactly: an amount that is split is split by cumulative rounding, so that the parts are the
 * whole. Sums over any dimension therefore agree to the last digit.
 *
 * A ledger points into the usage and the commitments it was made from, which outlive it. */
#ifndef TOKENYARD_MODELS_MONEY_LEDGER_H
#define TOKENYARD_MODELS_MONEY_LEDGER_H

#include <stdio.h>

#include "models/money/commitments.h"
#include "models/money/usage.h"

enum money_category {
    MONEY_USED,       /* replicas were iterating for requests */
    MONEY_IDLE,       /* ready, and nothing to do (a meter that runs on is idle, too) */
    MONEY_COLD_START, /* from the start of the meter until ready */
    MONEY_WASTED,     /* iterating for work that an interruption or failure destroyed */
    MONEY_UNUSED,     /* commitments that no usage took up; a minimum spend's difference */
    MONEY_CATEGORIES
};
extern const char *const money_category_names[]; /* "used", ...; ends with NULL */

#define CLASS_NONE UINT32_MAX
struct ledger_line {
    uint32_t hour;
    uint32_t pool, market; /* POOL_NONE: a commitment's that was not used */
    uint32_t class_index;  /* CLASS_NONE: what no class caused by itself */
    uint32_t commitment;   /* that pays; COMMITMENT_NONE: none */
    enum purchase_option paid_as;
    enum money_category category;
    int64_t nano_usd;
    int64_t instance_ns;
};

struct ledger {
    struct ledger_line *lines;
    size_t count, capacity;
    const struct usage *usage;
    const struct commitments *commitments;
    double output_weight; /* tokens of input that one of output counts for */
};

void ledger_init(struct ledger *ledger, const struct usage *usage,
                 const struct commitments *commitments, double output_weight);
void ledger_add(struct ledger *ledger, const struct ledger_line *line);
void ledger_free(struct ledger *ledger);

int64_t ledger_total(const struct ledger *ledger); /* nano-dollars */

/* Splits amount by the weights, which are not negative: the parts differ by less than one from the
 * exact ones and add up to amount. With weights of 0 only, all goes to the last part. */
void ledger_split(int64_t amount, const int64_t *weights, size_t count, int64_t *parts);

/* What a class was served, in weighted tokens: uncached prompt tokens and output tokens. */
int64_t ledger_weight(const struct usage_class_hour *served, double output_weight);

/* --- sums over a dimension --- */

enum ledger_dimension {
    LEDGER_BY_POOL,
    LEDGER_BY_MODEL,
    LEDGER_BY_TENANT,
    LEDGER_BY_CLASS,
    LEDGER_BY_HOUR,
    LEDGER_BY_MARKET,
    LEDGER_BY_PURCHASE,
    LEDGER_BY_COMMITMENT,
    LEDGER_DIMENSIONS
};
extern const char *const ledger_dimension_names[]; /* "pool", ...; ends with NULL */

struct ledger_sum {
    const char *label; /* "" for what belongs to none */
    int64_t nano_usd[MONEY_CATEGORIES];
    int64_t total_nano_usd;
    double instance_hours;
};

struct ledger_sums {
    struct ledger_sum *rows; /* in the order of the usage; what belongs to none last, if any */
    size_t count;
    struct arena *arena; /* owns it all */
};

struct ledger_sums ledger_sum_by(const struct ledger *ledger, enum ledger_dimension dimension);
void ledger_sums_free(struct ledger_sums *sums);

/* --- show-back --- */

struct showback_row {
    const char *label;
    int64_t requests, prompt_tok, output_tok;
    int64_t direct_nano_usd; /* used money of its own */
    int64_t shared_nano_usd; /* its share of all other money */
};

struct showback {
    struct showback_row *rows;
    size_t count;
    int64_t apart_nano_usd; /* what nobody is shown */
    struct arena *arena;
};

/* The bill by tenant or class. Used money goes by weighted tokens in the hour of the pool. With
 * share_rest, the idle, cold-start and wasted money of a pool is shared out in proportion to the
 * used money of that pool, unused commitments to all used money; otherwise it is kept apart. Rows
 * and what is kept apart add up to the bill. */
struct showback showback_make(const struct ledger *ledger, bool by_tenant, bool share_rest);
void showback_free(struct showback *showback);

/* --- key figures --- */

/* NaN where nothing was served or paid. */
struct money_kpis {
    double usd;
    double usd_by_category[MONEY_CATEGORIES];
    double usd_per_mtok; /* all money over all prompt and output tokens */
    /* All money split by weighted tokens, over the tokens of that kind. */
    double usd_per_input_mtok, usd_per_output_mtok;
    double usd_per_thousand_requests;
    double requests_per_usd, good_requests_per_usd;
    double gpu_hours;            /* that were billed */
    double productive_gpu_hours; /* of them, in use */
    double usd_per_gpu_hour, usd_per_productive_gpu_hour;
};
struct money_kpis money_kpis(const struct ledger *ledger);

/* Writes all lines as CSV: hour as a date, names, dollars with nine digits. */
void ledger_write(const struct ledger *ledger, FILE *out);

#endif
