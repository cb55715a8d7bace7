/* Moving nodes between the prefill and the decode pool; models/elastic/rebalance says when, and
 * which way.
 *
 * A node that is to change sides drains like one that is given back, but stays rented, and when it
 * is empty the other pool has it: bought as it was, up, with its image. Replicas come up there as
 * on any node with room, by loading their weights and warming up.
 *
 * The pool that loses it wants so many replicas less from the beginning on, so that nothing is
 * ordered in its place; the other one wants more once it has the node. If the node is lost on its
 * way, or has its notice, the other pool wants more at once, and orders a node of its own. */
#include "models/elastic/plane_parts.h"

/* --- measuring --- */

static double per_replica(double sum, int64_t replicas)
{
    return replicas > 0 ? sum / (double)replicas : sum;
}

static bool is_on_its_way(const struct plane *plane)
{
    if (plane->mover == NODE_NONE)
        return false;
    const struct node *node = &plane->nodes[plane->mover];
    return node->serial == plane->mover_serial && node->state == NODE_UP &&
           (node->heir != POOL_NONE || node->usage.ready == TICK_NEVER);
}

static struct rebalance_sample take_sample(const struct plane *plane)
{
    const struct plane_rebalance *spec = plane->spec->rebalance;
    struct scaler_metrics prefill = plane_metrics(plane, spec->prefill);
    struct scaler_metrics decode = plane_metrics(plane, spec->decode);
    return (struct rebalance_sample){.prefill_replicas = prefill.ready,
                                     .decode_replicas = decode.ready,
                                     .moving = is_on_its_way(plane),
                                     .prefill_queue = (double)(prefill.waiting + prefill.held),
                                     .decode_kv = per_replica(decode.kv_used, decode.ready),
                                     .decode_waiting =
                                         per_replica((double)decode.waiting, decode.ready)};
}

/* --- leaving --- */

static int64_t replicas_on(const struct plane *plane, uint32_t node)
{
    const struct plane_pool *spec = pool_spec_of(plane, plane->nodes[node].pool);
    int64_t count = 0;
    for (uint32_t i = spec->first_replica; i < spec->first_replica + spec->slots; i++)
        count += plane->replicas[i].node == node && replica_counts(&plane->replicas[i]);
    return count;
}

/* Of those that serve: who hosts fewest, the newest, as where nodes are given back. */
static uint32_t choose_mover(const struct plane *plane, uint32_t pool)
{
    uint32_t best = NODE_NONE;
    for (uint32_t i = 0; i < plane->node_count; i++) {
        const struct node *node = &plane->nodes[i];
        if (node->pool == pool && node->state == NODE_UP && !node->leaving &&
            node->usage.ready != TICK_NEVER && replicas_on(plane, i) > 0 &&
            (best == NODE_NONE || node_goes_before(node, &plane->nodes[best])))
            best = i;
    }
    return best;
}

static bool bounds_allow(const struct plane *plane, uint32_t from, uint32_t to, int64_t replicas)
{
    const struct elastic_pool *loser = &plane->pools[from], *winner = &plane->pools[to];
    return loser->wanted - replicas >= loser->spec->settings->min_replicas &&
           loser->wanted - replicas >= plane->spec->rebalance->settings->min_replicas &&
           winner->wanted + replicas <= winner->spec->settings->max_replicas;
}

static void begin_move(struct plane *plane, uint32_t from, uint32_t to)
{
    uint32_t number = choose_mover(plane, from);
    int64_t replicas = number == NODE_NONE ? 0 : replicas_on(plane, number);
    if (replicas == 0 || !bounds_allow(plane, from, to, replicas))
        return;
    struct node *node = &plane->nodes[number];
    node->heir = to;
    node->inherited = replicas;
    plane->mover = number;
    plane->mover_serial = node->serial;
    pool_want(plane, from, plane->pools[from].wanted - replicas);
    node_release(plane, number);
}

/* --- arriving --- */

static void heir_wants(struct plane *plane, struct node *node)
{
    pool_want(plane, node->heir, plane->pools[node->heir].wanted + node->inherited);
    node->heir = POOL_NONE;
}

void rebalance_lose(struct plane *plane, uint32_t number)
{
    if (plane->nodes[number].heir != POOL_NONE)
        heir_wants(plane, &plane->nodes[number]);
}

void rebalance_adopt(struct plane *plane, uint32_t number)
{
    struct node *node = &plane->nodes[number];
    node_change_pool(plane, number, node->heir);
    heir_wants(plane, node);
}

/* --- time --- */

static void schedule(struct plane *plane)
{
    event_queue_set(&plane->timers, timer_of_rebalance(plane), TIMER_REBALANCE,
                    rebalance_next(&plane->rebalance));
}

void rebalance_timer(struct plane *plane)
{
    const struct plane_rebalance *spec = plane->spec->rebalance;
    struct rebalance_sample sample = take_sample(plane);
    enum rebalance_move move = rebalance_step(&plane->rebalance, plane->now, &sample);
    if (move == MOVE_TO_PREFILL)
        begin_move(plane, spec->decode, spec->prefill);
    else if (move == MOVE_TO_DECODE)
        begin_move(plane, spec->prefill, spec->decode);
    schedule(plane);
}

void rebalance_begin(struct plane *plane)
{
    plane->mover = NODE_NONE;
    if (!plane->spec->rebalance)
        return;
    rebalance_start(&plane->rebalance, plane->spec->rebalance->settings, plane->now);
    schedule(plane);
}
