/* The ways in which an instance is paid for. */
#ifndef TOKENYARD_MODELS_MONEY_PURCHASE_OPTION_H
#define TOKENYARD_MODELS_MONEY_PURCHASE_OPTION_H

/* What a node is bought as, when it starts; and what a price of a price book is for. Commitments
 * (reserved instances, Savings Plans, committed-use discounts) are no way to start a node: they
 * make on-demand usage cheaper afterwards, and have prices of their own. */
enum purchase_option {
    PURCHASE_ON_DEMAND,
    PURCHASE_SPOT,
    PURCHASE_CAPACITY_BLOCK, /* for a window that is paid up front */
    PURCHASE_SERVERLESS,     /* containers with a GPU, by the second */
    PURCHASE_OWNED,          /* paid whether used or not */
    PURCHASE_NODE_OPTIONS,   /* the number of those above: what a node can be */
    PURCHASE_RESERVED_1Y = PURCHASE_NODE_OPTIONS,
    PURCHASE_RESERVED_3Y,
    PURCHASE_SAVINGS_1Y,
    PURCHASE_SAVINGS_3Y,
    PURCHASE_CUD_1Y,
    PURCHASE_CUD_3Y,
    PURCHASE_API, /* somebody else's model, by the token */
    PURCHASE_OPTION_COUNT
};

/* "on_demand", "spot", ...; ends with NULL. */
extern const char *const purchase_option_names[];
/* The same, of those that a node can be bought as; ends with NULL. */
extern const char *const node_option_names[];

#endif
