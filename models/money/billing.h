/* Billing: from what a fleet used to what it costs.
 *
 * Three steps, each a module: meters show what was used (metered.h), commitments pay for some of it
 * (commitments.h), and the rest of this file says what the money was good for: it splits each
 * amount by what the replicas of the pool did in that hour, and what they used by class.
 *
 * What holds: the lines' money is the exact sum of rate * time to within one nano-dollar for the
 * whole ledger, and every metered instance-nanosecond is in exactly one line. */
#ifndef TOKENYARD_MODELS_MONEY_BILLING_H
#define TOKENYARD_MODELS_MONEY_BILLING_H

#include "models/money/ledger.h"

/* Output tokens take longer than input tokens. OpenAI's list prices of 2024 to 2026 have them at
 * four times the price of input (GPT-4o, GPT-4o mini, GPT-4.1), and so has the default here. */
#define OUTPUT_WEIGHT_DEFAULT 4.0

struct billing_terms {
    const struct price_book *book;
    const struct commitments *commitments; /* resolved for the usage */
    enum price_precedence precedence;
    double output_weight;
};

/* Fills ledger, which the caller frees. */
bool billing_bill(const struct usage *usage, const struct billing_terms *terms,
                  struct ledger *ledger, struct error *error);

/* The same requests answered by a managed API instead: one line per hour, pool and class. */
void billing_bill_api(const struct usage *usage, const struct api_price *price, bool batch,
                      struct ledger *ledger);

#endif
