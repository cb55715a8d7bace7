/* The "money" of a scenario: how a run is billed, and the bill.
 *
 * money_bill reads the price book, resolves the commitments, bills and finds the alerts; everything
 * of the result but the ledger's lines is taken from the arena. */
#ifndef TOKENYARD_MODELS_MONEY_MONEY_CONFIG_H
#define TOKENYARD_MODELS_MONEY_MONEY_CONFIG_H

#include "models/money/billing.h"
#include "models/money/budget_alerts.h"

struct money_config {
    const char *price_book;           /* path; NULL: prices.json of the catalogue */
    struct price_entries *own_prices; /* before those of the book; NULL: none */
    int prefer;                       /* enum price_precedence */
    struct config_list commitments;   /* struct commitment_config */
    struct config_list alerts;        /* struct budget_config */
    double output_token_weight;
    bool share_idle; /* in show-back */
};
extern const struct config_type money_config_type;

/* Where a config was read. */
struct money_place {
    const struct json_document *document;
    const char *pointer; /* to the money_config */
    const char *folder;  /* relative paths in it are relative to this */
    const char *catalog_folder;
};

struct money_result {
    const struct price_book *book;
    struct commitments *commitments;
    struct ledger ledger;
    struct budget_alerts alerts;
};

/* The book that the config asks for. NULL on error. */
const struct price_book *money_read_book(const struct money_config *config,
                                         const struct money_place *place, struct arena *arena,
                                         struct error *error);

/* The usage outlives the result, whose ledger the caller frees with ledger_free. */
bool money_bill(const struct money_config *config, const struct money_place *place,
                const struct usage *usage, struct arena *arena, struct money_result *result,
                struct error *error);

#endif
