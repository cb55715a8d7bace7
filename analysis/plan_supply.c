#include "analysis/plan_supply.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/plan_hours.h"
#include "analysis/plan_quantile.h"

/* --- an owner of replicas that counts them --- */

struct watch {
    bool *serves; /* [slots] */
    int64_t serving;
    tick_t changed;
    tick_t *at_level; /* [slots + 1]: time with so many serving */
};

static void count(struct watch *watch, uint32_t replica, bool serves, tick_t now)
{
    if (watch->serves[replica] == serves)
        return;
    watch->at_level[watch->serving] += now - watch->changed;
    watch->changed = now;
    watch->serves[replica] = serves;
    watch->serving += serves ? 1 : -1;
}

static void see_nothing(void *context, uint32_t pool, struct scaler_metrics *out)
{
    (void)context;
    (void)pool;
    (void)out;
}

static void come_up(void *context, uint32_t replica, tick_t now)
{
    count(context, replica, true, now);
}

static bool drain(void *context, uint32_t replica, enum departure why, tick_t now, tick_t deadline)
{
    (void)why;
    (void)deadline;
    count(context, replica, false, now);
    return true;
}

static void go_down(void *context, uint32_t replica, enum departure why, tick_t now)
{
    (void)why;
    count(context, replica, false, now);
}

/* --- one replication --- */

struct supply_run {
    const struct plan_supply_question *question;
    struct elastic_settings settings;
    struct plane_pool pool;
    struct watch watch;
    struct usage usage;
    double usd, node_hours, high_usd;
    uint64_t interruptions;
};

/* All of them on Spot, and always as many. */
static void want_nodes(struct supply_run *run)
{
    const struct elastic_pool_spec *given = &run->question->pool;
    int64_t replicas = run->question->nodes * given->replicas_per_node;
    run->settings = *given->settings;
    run->settings.min_replicas = run->settings.max_replicas = replicas;
    run->settings.purchase.on_demand_base = 0;
    run->settings.purchase.spot_percent_above_base = 100;
    int64_t most = 2 * run->question->nodes + purchase_extra_nodes(&run->settings.purchase);
    run->pool = elastic_plane_pool(given);
    run->pool.name = run->question->name;
    run->pool.settings = &run->settings;
    run->pool.slots = (uint32_t)(most * given->replicas_per_node);
    run->pool.initial = (uint32_t)replicas;
}

static void name_usage(struct supply_run *run)
{
    const struct plan_supply_question *question = run->question;
    usage_init(&run->usage, question->start_unix_s);
    usage_add_pool(&run->usage,
                   &(struct usage_pool){question->name, "", question->pool.replicas_per_node});
    for (uint32_t m = 0; m < question->market_count; m++)
        usage_add_market(&run->usage, &question->market_usage[m]);
    usage_add_market(&run->usage, &question->pool.usage);
}

static bool run_plane(struct supply_run *run, uint64_t replication, struct error *error)
{
    const struct plan_supply_question *question = run->question;
    struct plane_spec spec = {.pools = &run->pool,
                              .pool_count = 1,
                              .markets = question->markets,
                              .market_count = question->market_count,
                              .budget_usd_per_hour = INFINITY,
                              .start_unix_s = question->start_unix_s,
                              .seed = question->seed,
                              .replication = replication,
                              .usage = &run->usage,
                              .actions = {&run->watch, see_nothing, come_up, drain, go_down}};
    struct plane *plane = plane_create(&spec, error);
    if (!plane)
        return false;
    tick_t end = tick_from_s(question->horizon_s);
    plane_start(plane);
    while (plane_next(plane) < end)
        plane_advance(plane, plane_next(plane));
    plane_finish(plane, end);
    run->watch.at_level[run->watch.serving] += end - run->watch.changed;
    run->interruptions += plane_totals_of(plane, 0)->interruptions;
    plane_destroy(plane);
    return true;
}

/* Prices per node: a node may be several instances, and its usage says so already. */
static void take_prices(struct supply_run *run)
{
    struct plan_hours hours;
    plan_hours_of(&run->usage, run->question->on_demand_usd, &hours);
    run->high_usd = 0;
    for (uint32_t h = 0; h < hours.count; h++) {
        run->usd += hours.usd[h];
        run->node_hours += hours.node_hours[h];
        if (hours.node_hours[h] > 0)
            run->high_usd = fmax(run->high_usd, hours.usd[h] / hours.node_hours[h]);
    }
    plan_hours_free(&hours);
}

static bool replicate(struct supply_run *run, uint64_t replication, struct error *error)
{
    run->watch.serving = 0;
    run->watch.changed = 0;
    for (uint32_t r = 0; r < run->pool.slots; r++)
        run->watch.serves[r] = false;
    name_usage(run);
    bool ok = run_plane(run, replication, error);
    if (ok)
        take_prices(run);
    usage_free(&run->usage);
    return ok;
}

/* --- all of them --- */

/* A node is there as far as its replicas are. */
static void sum_up(const struct supply_run *run, struct plan_supply *supply)
{
    const struct plan_supply_question *question = run->question;
    double whole = tick_to_s(tick_from_s(question->horizon_s)) * (double)question->replications;
    int64_t per_node = question->pool.replicas_per_node;
    double more_s = 0; /* time with more than r replicas */
    for (int64_t r = run->pool.slots - 1; r >= 0; r--) {
        more_s += tick_to_s(run->watch.at_level[r + 1]);
        if (r / per_node < supply->nodes)
            supply->there[r / per_node] += more_s / whole / (double)per_node;
    }
    supply->mean_usd = run->node_hours > 0 ? run->usd / run->node_hours : NAN;
    supply->interruptions_per_node_hour =
        run->node_hours > 0 ? (double)run->interruptions / run->node_hours : 0;
}

bool plan_supply_measure(const struct plan_supply_question *question, struct arena *arena,
                         struct plan_supply *supply, struct error *error)
{
    *supply = (struct plan_supply){.nodes = question->nodes,
                                   .there = ARENA_ARRAY(arena, question->nodes, double),
                                   .mean_usd = NAN,
                                   .high_usd = NAN};
    if (question->nodes == 0)
        return true;
    struct supply_run run = {.question = question};
    want_nodes(&run);
    run.watch.serves = ARENA_ARRAY(arena, run.pool.slots, bool);
    run.watch.at_level = ARENA_ARRAY(arena, run.pool.slots + 1, tick_t);
    double *high_usd = ARENA_ARRAY(arena, question->replications, double);
    for (int64_t r = 0; r < question->replications; r++) {
        if (!replicate(&run, (uint64_t)r, error))
            return false;
        high_usd[r] = run.high_usd;
    }
    sum_up(&run, supply);
    supply->high_usd =
        plan_quantile(high_usd, (size_t)question->replications, question->confidence);
    return true;
}

double plan_supply_available(const struct plan_supply *supply, int64_t nodes)
{
    double sum = 0;
    for (int64_t k = 0; k < nodes; k++)
        sum += supply->there[k];
    return nodes > 0 ? sum / (double)nodes : 1;
}

int64_t plan_supply_worth(const struct plan_supply *supply, double on_demand_usd)
{
    int64_t nodes = 0;
    while (nodes < supply->nodes && supply->there[nodes] > 0 &&
           supply->mean_usd <= on_demand_usd * supply->there[nodes])
        nodes++;
    return nodes;
}
