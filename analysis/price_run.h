/* How a run was billed: the "money" of its scenario, as the manifest beside its usage keeps it.
 *
 * A result folder without a manifest, or of a scenario without "money", was billed by the
 * catalogue's prices and without commitments: so are the terms then, but for the book, which is the
 * one given. Everything is taken from the arena. */
#ifndef TOKENYARD_ANALYSIS_PRICE_RUN_H
#define TOKENYARD_ANALYSIS_PRICE_RUN_H

#include "models/money/billing.h"

struct run_terms {
    struct billing_terms billing; /* of the run as it was */
    /* Its commitments, to be resolved for another usage or by another book. */
    struct config_list commitments;
};

bool price_run_terms(const char *folder, const struct usage *usage, const struct price_book *book,
                     struct arena *arena, struct run_terms *terms, struct error *error);

#endif
