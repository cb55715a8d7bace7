/* From how many tokens a month on is it cheaper to serve a model oneself than to call an API?
 *
 * The usual answer divides the month's rent by the API's price per token. It leaves out that nodes
 * come whole, that one more must stand by, that a fleet has a floor, that it is sized for the peak
 * of the day and is not run full. With these, the cost of self-hosting is a staircase over the
 * volume, the API's a line through the origin, and they can cross many times: just above a step,
 * the API may be the cheaper one again. All crossings are found, in one walk up the stairs:
 *
 *   self-hosting is never below fixed + c (spare + v L / q) a month, nor, once every hour needs
 *   more than the floor, above the same with one node more
 *
 * (c: a node's rent a month, q: what a node can serve in one at its utilisation, L: nodes' mean
 * load where that of the volume is 1), so where a <= c L / q, with a the API's price per token,
 * self-hosting never wins, and otherwise all crossings lie between two volumes known beforehand.
 *
 * A month has 730 hours. Volumes are tokens in and out together, in a mix that stays. */
#ifndef TOKENYARD_MODELS_MONEY_BREAK_EVEN_H
#define TOKENYARD_MODELS_MONEY_BREAK_EVEN_H

#include "models/money/load_duration.h"

#define HOURS_PER_MONTH 730.0

struct api_prices { /* per million tokens */
    double input_usd, cached_usd, output_usd;
};

struct token_mix { /* shares of all tokens; input + output = 1 */
    double input;
    double cached; /* part of the input */
    double output;
};

struct self_hosting {
    double usd_per_node_hour;
    double tok_per_s;       /* of the mix, that one node serves when it is full */
    double max_utilisation; /* that it is run at, at its peak: above 0, at most 1 */
    double spare_nodes;     /* beyond those needed: 1 is N+1 */
    double min_nodes;       /* that are there whatever the load, spare ones aside */
    double usd_per_month;   /* on top: people, licences, network */
    /* Load over time, in any unit; only its shape counts. NULL: even. */
    const struct load_duration *load;
    bool
        follows_load; /* nodes come and go with it; otherwise there are as many as the peak needs */
};

struct crossing {
    double tok_per_month;
    double usd_per_month; /* of the API there */
    double nodes;         /* in the mean, spare ones included, just above it */
    bool to_self_hosting; /* which is the cheaper one just above it */
};

struct break_even {
    double api_usd_per_tok;
    /* What a full node costs per token, peaks and utilisation included; self-hosting can only win
     * where this is below the API's price. */
    double self_usd_per_tok;
    double naive_tok; /* the usual answer: one node's rent over the API's price */
    size_t count;
    struct crossing *crossings; /* by volume; they alternate, the first to self-hosting */
    bool more;         /* there are more than were looked for: self-hosting wins by so little */
    double always_tok; /* from here on self-hosting surely wins; infinity: never */
};

/* false where a number is out of its range. */
bool self_hosting_check(const struct self_hosting *host, struct error *error);
bool token_mix_check(const struct token_mix *mix, struct error *error);

double api_usd_per_tok(const struct api_prices *prices, const struct token_mix *mix);

/* In the mean over the month, spare ones included. */
double self_hosting_nodes(const struct self_hosting *host, double tok_per_month);
double self_hosting_usd(const struct self_hosting *host, double tok_per_month);

/* Gives up after 10,000 crossings, or 2,000,000 nodes more than at the start. */
struct break_even break_even_find(const struct self_hosting *host, double api_usd_per_tok,
                                  struct arena *arena);

#endif
