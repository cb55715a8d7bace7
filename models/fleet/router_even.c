/* Policies without memory of where what is: round robin, random, and the better of two. The latter
 * two draw as often for each request whoever is available, so that a replica's absence leaves the
 * draws of later requests as they are. */
#include "models/fleet/router_policy.h"

struct round_robin {
    struct chooser chooser;
    uint32_t turn; /* place in the list of who is next */
    uint32_t next; /* its slot; or one before it, which is not available */
};

static uint32_t choose_round_robin(struct chooser *chooser, const struct router_request *request)
{
    (void)request;
    struct round_robin *robin = (struct round_robin *)chooser;
    uint32_t chosen = robin->turn;
    robin->turn = chosen + 1 == chooser->slot_count ? 0 : chosen + 1;
    robin->next = chooser->slots[chosen] + 1;
    return chooser->slots[chosen];
}

/* The turn passes those who are gone, and comes to those who are back in their old place (nginx's
 * round robin passes peers that are down). */
static void find_turn(struct chooser *chooser, uint32_t slot)
{
    (void)slot;
    struct round_robin *robin = (struct round_robin *)chooser;
    uint32_t turn = 0;
    while (turn < chooser->slot_count && chooser->slots[turn] < robin->next)
        turn++;
    robin->turn = turn < chooser->slot_count ? turn : 0;
}

const struct router_policy router_round_robin = {.size = sizeof(struct round_robin),
                                                 .choose = choose_round_robin,
                                                 .availability_changed = find_turn};

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
 * two different replicas drawn at random; by outstanding requests, as Envoy's LEAST_REQUEST. Where
 * only one is available, both are that one. */
static uint32_t choose_better_of_two(struct chooser *chooser, const struct router_request *request)
{
    (void)request;
    if (chooser->all_slots == 1)
        return chooser->slots[0];
    bool alone = chooser->slot_count == 1;
    uint32_t first = draw(chooser, chooser->slot_count);
    uint32_t second = draw(chooser, alone ? 1 : chooser->slot_count - 1);
    if (alone)
        return chooser->slots[0];
    second += second >= first;
    uint32_t a = chooser->slots[first], b = chooser->slots[second];
    return weighted_requests(chooser, b) < weighted_requests(chooser, a) ? b : a;
}

const struct router_policy router_power_of_two_choices = {.size = sizeof(struct chooser),
                                                          .choose = choose_better_of_two};
