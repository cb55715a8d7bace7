#include "analysis/plan_hours.h"

#include <stdlib.h>

/* A node's price for a while. */
struct stretch {
    tick_t from, to;
    double usd_per_hour;
};

static tick_t earlier(tick_t a, tick_t b)
{
    return a < b ? a : b;
}

static void add_stretch(const struct usage *usage, const struct stretch *stretch,
                        struct plan_hours *hours)
{
    for (tick_t from = stretch->from; from < stretch->to;) {
        uint32_t hour = usage_hour_of(usage, from);
        tick_t to = earlier(stretch->to, usage_hour_start(usage, hour + 1));
        double length_h = tick_to_s(to - from) / 3600;
        hours->usd[hour] += stretch->usd_per_hour * length_h;
        hours->node_hours[hour] += length_h;
        from = to;
    }
}

/* From one change of the Spot price to the next. */
static void add_spot_node(const struct usage *usage, const struct node_usage *node,
                          struct plan_hours *hours)
{
    const struct spot_prices *prices = &usage->spot[node->market];
    for (size_t i = 0; i < prices->count; i++) {
        tick_t from = prices->steps[i].at;
        tick_t to = i + 1 < prices->count ? prices->steps[i + 1].at : TICK_NEVER;
        struct stretch stretch = {from > node->billed_from ? from : node->billed_from,
                                  earlier(to, node->end),
                                  prices->steps[i].usd_per_hour * node->instances};
        add_stretch(usage, &stretch, hours);
    }
}

static void add_node(const struct usage *usage, const struct node_usage *node,
                     const double *on_demand_usd, struct plan_hours *hours)
{
    if (node->purchase == PURCHASE_SPOT) {
        add_spot_node(usage, node, hours);
        return;
    }
    double usd_per_hour = on_demand_usd[node->market] * node->instances;
    add_stretch(usage, &(struct stretch){node->billed_from, node->end, usd_per_hour}, hours);
}

void plan_hours_of(const struct usage *usage, const double *on_demand_usd, struct plan_hours *hours)
{
    uint32_t count = usage_hour_of(usage, usage->end > 0 ? usage->end - 1 : 0) + 1;
    *hours = (struct plan_hours){calloc(count, sizeof *hours->usd),
                                 calloc(count, sizeof *hours->node_hours), count};
    if (!hours->usd || !hours->node_hours)
        out_of_memory();
    for (size_t i = 0; i < usage->node_count; i++)
        add_node(usage, &usage->nodes[i], on_demand_usd, hours);
}

void plan_hours_free(struct plan_hours *hours)
{
    free(hours->usd);
    free(hours->node_hours);
    *hours = (struct plan_hours){0};
}
