#include "models/money/purchase_option.h"

#include <stddef.h>

/* Those that a node can be bought as. */
#define NODE_OPTION_NAMES                                                                          \
    [PURCHASE_ON_DEMAND] = "on_demand", [PURCHASE_SPOT] = "spot",                                  \
    [PURCHASE_CAPACITY_BLOCK] = "capacity_block", [PURCHASE_SERVERLESS] = "serverless",            \
    [PURCHASE_OWNED] = "owned"

const char *const purchase_option_names[] = {
    NODE_OPTION_NAMES,
    [PURCHASE_RESERVED_1Y] = "reserved_1y",
    [PURCHASE_RESERVED_3Y] = "reserved_3y",
    [PURCHASE_SAVINGS_1Y] = "savings_1y",
    [PURCHASE_SAVINGS_3Y] = "savings_3y",
    [PURCHASE_CUD_1Y] = "cud_1y",
    [PURCHASE_CUD_3Y] = "cud_3y",
    [PURCHASE_API] = "api",
    [PURCHASE_OPTION_COUNT] = NULL,
};

const char *const node_option_names[] = {NODE_OPTION_NAMES, NULL};
