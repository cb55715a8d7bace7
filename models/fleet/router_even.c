/* Policies without memory of where what is: round robin, random, and the better of two. */
#include "models/fleet/router_policy.h"

struct round_robin {
    struct chooser chooser;
    uint32_t turn; /* who is next */
};

static uint32_t choose_round_robin(struct chooser *chooser, const struct router_request *request)
{
    (void)request;
    struct round_robin *robin = (struct round_robin *)chooser;
    uint32_t chosen = robin->turn;
    robin->turn = chosen + 1 == chooser->slot_count ? 0 : chosen + 1;
    return chooser->slots[chosen];
}

const struct router_policy router_round_robin = {.size = sizeof(struct round_robin),
                                                 .choose = choose_round_robin};

/* An index below count. */
static uint32_t draw(const struct chooser *chooser, uint32_t count)
{
    return (uint32_t)gsl_rng_uniform_int(chooser->router->rng, count);
}

static uint32_t choose_random(struct chooser *chooser, const struct router_request *request)
{
    (void)request;
    return chooser->slots[draw(chooser, chooser->slot_count)];
}

const struct router_policy router_random = {.size = sizeof(struct chooser),
                                            .choose = choose_random};

static double weighted_requests(const struct chooser *chooser, uint32_t slot)
{
    const struct router_slot *replica = &chooser->router->slots[slot];
    return (double)replica->load.requests * replica->inverse_weight;
}

/* Mitzenmacher, "The power of two choices in randomized load balancing", 2001: the less loaded of
 * two different replicas drawn at random; by outstanding requests, as Envoy's LEAST_REQUEST. */
static uint32_t choose_better_of_two(struct chooser *chooser, const struct router_request *request)
{
    (void)request;
    if (chooser->slot_count == 1)
        return chooser->slots[0];
    uint32_t first = draw(chooser, chooser->slot_count);
    uint32_t second = draw(chooser, chooser->slot_count - 1);
    second += second >= first;
    uint32_t a = chooser->slots[first], b = chooser->slots[second];
    return weighted_requests(chooser, b) < weighted_requests(chooser, a) ? b : a;
}

const struct router_policy router_power_of_two_choices = {.size = sizeof(struct chooser),
                                                          .choose = choose_better_of_two};
