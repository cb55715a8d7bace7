/* What share of each class each pool of a chooser gets, dealt out without dice.
 *
 * A policy sets shares of any sum; what is dealt sums to 1. A deal is nginx's smooth weighted round
 * robin: after any number of requests each pool has had its share to within one request.
 *
 * A pool without an available replica gets nothing, and what is dealt to the others keeps its
 * proportions (nginx leaves out peers that are down, too); a class without any share in those that
 * are left is spread by replica count. When a pool goes or comes dealing begins anew: it neither
 * catches up on what it missed nor pays back. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_SHARES_H
#define TOKENYARD_MODELS_FLEET_ROUTER_SHARES_H

#include "models/fleet/router_policy.h"

struct pool_shares {
    const struct chooser *chooser;
    bool by_weight;  /* replicas count by their pool's weight */
    double *set;     /* [class][place of the pool in the chooser]: as the policy has set them */
    double *dealt;   /* the same: what they come to, given who is available */
    double *credits; /* the same */
    uint32_t pools;  /* with an available replica */
};

/* All shares are 0. false when out of memory. */
bool pool_shares_init(struct pool_shares *shares, const struct chooser *chooser, bool by_weight);
void pool_shares_free(struct pool_shares *shares);

/* The class's shares to set, one for each pool. */
double *pool_shares_of(const struct pool_shares *shares, uint32_t class_index);

/* To be called when shares were set, or availability has changed. */
void pool_shares_renew(struct pool_shares *shares);

/* The place of the class's next pool. */
uint32_t pool_shares_deal(struct pool_shares *shares, uint32_t class_index);

#endif
