/* The least loaded replica: a tournament of loads over weights, played again as loads change. */
#include <math.h>

#include "models/fleet/min_tree.h"
#include "models/fleet/router_policy.h"

/* The tree spans the slots from the first to the last; those that are not available, or not the
 * chooser's, are infinitely loaded and never win. */
struct least {
    struct chooser chooser;
    uint32_t first;
    struct min_tree tree;
};

static bool open_least(struct chooser *chooser, const void *config)
{
    (void)config;
    struct least *least = (struct least *)chooser;
    least->first = chooser->slots[0];
    uint32_t span = chooser->slots[chooser->slot_count - 1] + 1 - least->first;
    if (!min_tree_init(&least->tree, span))
        return false;
    for (uint32_t slot = least->first, i = 0; slot < least->first + span; slot++) {
        if (chooser->slots[i] == slot)
            i++;
        else
            min_tree_set(&least->tree, slot - least->first, INFINITY);
    }
    return true;
}

static void close_least(struct chooser *chooser)
{
    min_tree_free(&((struct least *)chooser)->tree);
}

static uint32_t choose_least(struct chooser *chooser, const struct router_request *request)
{
    (void)request;
    const struct least *least = (const struct least *)chooser;
    return least->first + min_tree_first(&least->tree);
}

static void set_load(struct chooser *chooser, uint32_t slot, uint64_t load)
{
    struct least *least = (struct least *)chooser;
    const struct router_slot *replica = &chooser->router->slots[slot];
    double score = replica->available ? (double)load * replica->inverse_weight : INFINITY;
    min_tree_set(&least->tree, slot - least->first, score);
}

static void requests_changed(struct chooser *chooser, uint32_t slot)
{
    set_load(chooser, slot, chooser->router->slots[slot].load.requests);
}

static void tokens_changed(struct chooser *chooser, uint32_t slot)
{
    set_load(chooser, slot, chooser->router->slots[slot].load.tokens);
}

const struct router_policy router_least_outstanding_requests = {.size = sizeof(struct least),
                                                                .open = open_least,
                                                                .close = close_least,
                                                                .choose = choose_least,
                                                                .load_changed = requests_changed,
                                                                .availability_changed =
                                                                    requests_changed};

const struct router_policy router_least_outstanding_tokens = {.size = sizeof(struct least),
                                                              .open = open_least,
                                                              .close = close_least,
                                                              .choose = choose_least,
                                                              .load_changed = tokens_changed,
                                                              .availability_changed =
                                                                  tokens_changed};
