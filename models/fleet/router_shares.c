#include "models/fleet/router_shares.h"

#include <stdlib.h>

bool pool_shares_init(struct pool_shares *shares, const struct chooser *chooser)
{
    size_t cells = (size_t)chooser->router->fleet.class_count * chooser->pool_count;
    shares->chooser = chooser;
    shares->shares = calloc(cells, sizeof *shares->shares);
    shares->credits = calloc(cells, sizeof *shares->credits);
    return shares->shares && shares->credits;
}

void pool_shares_free(struct pool_shares *shares)
{
    free(shares->shares);
    free(shares->credits);
}

double *pool_shares_of(const struct pool_shares *shares, uint32_t class_index)
{
    return shares->shares + (size_t)class_index * shares->chooser->pool_count;
}

static void normalise(double *shares, const struct chooser *chooser)
{
    double sum = 0;
    for (uint32_t place = 0; place < chooser->pool_count; place++)
        sum += shares[place];
    bool given = sum > 0;
    for (uint32_t place = 0; !given && place < chooser->pool_count; place++)
        sum += shares[place] = chooser->router->pools[chooser->pools[place]].replicas;
    for (uint32_t place = 0; place < chooser->pool_count; place++)
        shares[place] /= sum;
}

void pool_shares_normalise(struct pool_shares *shares)
{
    for (uint32_t i = 0; i < shares->chooser->router->fleet.class_count; i++)
        normalise(pool_shares_of(shares, i), shares->chooser);
}

uint32_t pool_shares_deal(struct pool_shares *shares, uint32_t class_index)
{
    uint32_t pool_count = shares->chooser->pool_count;
    const double *own = pool_shares_of(shares, class_index);
    double *credits = shares->credits + (size_t)class_index * pool_count;
    uint32_t best = 0;
    for (uint32_t place = 0; place < pool_count; place++) {
        credits[place] += own[place];
        if (credits[place] > credits[best])
            best = place;
    }
    credits[best] -= 1;
    return best;
}
