#include "models/fleet/router_shares.h"

#include <stdlib.h>
#include <string.h>

static size_t cells_of(const struct pool_shares *shares)
{
    return (size_t)shares->chooser->router->fleet.class_count * shares->chooser->pool_count;
}

bool pool_shares_init(struct pool_shares *shares, const struct chooser *chooser, bool by_weight)
{
    *shares = (struct pool_shares){
        .chooser = chooser, .by_weight = by_weight, .pools = chooser->pool_count};
    shares->set = calloc(cells_of(shares), sizeof *shares->set);
    shares->dealt = calloc(cells_of(shares), sizeof *shares->dealt);
    shares->credits = calloc(cells_of(shares), sizeof *shares->credits);
    return shares->set && shares->dealt && shares->credits;
}

void pool_shares_free(struct pool_shares *shares)
{
    free(shares->set);
    free(shares->dealt);
    free(shares->credits);
}

double *pool_shares_of(const struct pool_shares *shares, uint32_t class_index)
{
    return shares->set + (size_t)class_index * shares->chooser->pool_count;
}

static double *dealt_of(const struct pool_shares *shares, uint32_t class_index)
{
    return shares->dealt + (size_t)class_index * shares->chooser->pool_count;
}

static uint32_t replicas_at(const struct pool_shares *shares, uint32_t place)
{
    return shares->chooser->router->available[shares->chooser->pools[place]];
}

static double weight_at(const struct pool_shares *shares, uint32_t place)
{
    const struct chooser *chooser = shares->chooser;
    return shares->by_weight ? chooser->router->pools[chooser->pools[place]].weight : 1;
}

static void renew_class(struct pool_shares *shares, uint32_t class_index)
{
    const double *set = pool_shares_of(shares, class_index);
    double *dealt = dealt_of(shares, class_index), sum = 0;
    uint32_t pool_count = shares->chooser->pool_count;
    for (uint32_t place = 0; place < pool_count; place++)
        sum += dealt[place] = replicas_at(shares, place) > 0 ? set[place] : 0;
    bool given = sum > 0;
    for (uint32_t place = 0; !given && place < pool_count; place++)
        sum += dealt[place] = replicas_at(shares, place) * weight_at(shares, place);
    for (uint32_t place = 0; sum > 0 && place < pool_count; place++)
        dealt[place] /= sum;
}

/* What is left of a pool that is gone must not win a deal. */
static void forget_credits_of_gone(struct pool_shares *shares)
{
    uint32_t pools = 0;
    for (uint32_t place = 0; place < shares->chooser->pool_count; place++)
        pools += replicas_at(shares, place) > 0;
    if (pools != shares->pools)
        memset(shares->credits, 0, cells_of(shares) * sizeof *shares->credits);
    shares->pools = pools;
}

void pool_shares_renew(struct pool_shares *shares)
{
    for (uint32_t i = 0; i < shares->chooser->router->fleet.class_count; i++)
        renew_class(shares, i);
    forget_credits_of_gone(shares);
}

uint32_t pool_shares_deal(struct pool_shares *shares, uint32_t class_index)
{
    uint32_t pool_count = shares->chooser->pool_count;
    const double *own = dealt_of(shares, class_index);
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
