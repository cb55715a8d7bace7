/* What share of each class each pool of a chooser gets, dealt out without dice.
 *
 * Each class's shares sum to 1. A deal is nginx's smooth weighted round robin: after any number of
 * requests each pool has had its share to within one request. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_SHARES_H
#define TOKENYARD_MODELS_FLEET_ROUTER_SHARES_H

#include "models/fleet/router_policy.h"

struct pool_shares {
    const struct chooser *chooser;
    double *shares;  /* [class][place of the pool in the chooser] */
    double *credits; /* the same */
};

/* All shares are 0. false when out of memory. */
bool pool_shares_init(struct pool_shares *shares, const struct chooser *chooser);
void pool_shares_free(struct pool_shares *shares);

/* The class's shares, one for each pool. */
double *pool_shares_of(const struct pool_shares *shares, uint32_t class_index);

/* Makes each class's shares sum to 1; a class without any is spread by replica count. */
void pool_shares_normalise(struct pool_shares *shares);

/* The place of the class's next pool. */
uint32_t pool_shares_deal(struct pool_shares *shares, uint32_t class_index);

#endif
