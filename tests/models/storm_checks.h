/* What must hold of every storm, computed once more from what the run left (its records and its
 * usage) and from markets that are run again beside it. */
#ifndef TOKENYARD_TESTS_MODELS_STORM_CHECKS_H
#define TOKENYARD_TESTS_MODELS_STORM_CHECKS_H

#include "models/money/billing.h"
#include "models/money/metered.h"
#include "tests/models/draw_storm.h"

static inline bool close_to(double a, double b, double relative)
{
    return fabs(a - b) <= relative * fmax(fabs(a), fabs(b)) + 1e-12;
}

/* --- requests --- */

static inline bool is_completed(const struct request_record *record)
{
    return !record->rejected && !record->timed_out && !record->stopped;
}

/* Finds an arrival that the record may be of, and takes it; false: there is none left. */
static inline bool take_arrival(const struct scene *scene, const struct request_record *record,
                                bool *taken)
{
    for (uint32_t i = 0; i < scene->requests; i++) {
        const struct arrival *arrival = &scene->arrivals[i];
        if (taken[i] || tick_to_s(tick_from_s(arrival->time_s)) != record->arrival_s ||
            arrival->prompt_tok != record->prompt_tok ||
            (is_completed(record) && arrival->output_tok != record->output_tok))
            continue;
        taken[i] = true;
        return true;
    }
    return false;
}

/* Nobody ends twice, nobody is made up, and whoever completed has all its tokens. Those go first:
 * the others may be of any arrival of that time and prompt. */
static inline void check_records(const struct scene *scene, const struct trail *trail)
{
    bool taken[REQUESTS_MAX] = {false};
    for (int completed = 1; completed >= 0; completed--)
        for (uint32_t i = 0; i < trail->count && !scene->closed_loop; i++)
            cr_assert(is_completed(&trail->records[i]) != completed ||
                          take_arrival(scene, &trail->records[i], taken),
                      "record %u is of no arrival%s", i, rules_of(scene));
}

static inline void check_requests(const struct scene *scene, const struct simulation_result *result,
                                  const struct trail *trail)
{
    uint64_t completed = 0, rejected = 0;
    uint64_t handed_out = 0, handed_in = 0, moved_out = 0, moved_in = 0;
    for (size_t i = 0; i < scene->pools; i++) {
        completed += result->pools[i].completed;
        rejected += result->pools[i].rejected;
        handed_out += result->pools[i].handed_out;
        handed_in += result->pools[i].handed_in;
        moved_out += result->pools[i].moved_out;
        moved_in += result->pools[i].moved_in;
        cr_assert_leq(result->pools[i].peak_kv, 1);
    }
    cr_assert_eq(result->arrived,
                 result->completed + result->rejected + result->cancelled + result->in_flight);
    cr_assert_eq(trail->count + result->in_flight, result->arrived);
    cr_assert_leq(result->arrived, scene->requests);
    cr_assert_eq(result->completed, completed);
    cr_assert_geq(rejected, result->rejected); /* of attempts, too */
    cr_assert_leq(moved_in, moved_out);        /* the others wait, or were given up */
    cr_assert_eq(handed_out, handed_in);
    cr_assert_eq(result->elastic->requests.moved, moved_out);
    check_records(scene, trail);
}

/* Nobody is there any more: neither in a queue nor in a KV cache. */
static inline void check_empty(const struct scene *scene, const struct simulation_result *result,
                               const struct trail *trail)
{
    bool hung_up = scene->has_clients && isfinite(scene->horizon_s); /* they are computed on */
    if (result->in_flight > 0 || trail->sampled == 0 || hung_up)
        return;
    for (size_t i = 0; i < scene->pools; i++) {
        const struct pool_sample *sample = &trail->samples[trail->sampled - 1][i];
        cr_assert_eq(sample->waiting, 0);
        cr_assert_eq(sample->running, 0);
        cr_assert_eq(sample->kv_used, 0, "KV blocks are held by nobody%s", rules_of(scene));
    }
}

/* --- prices, from the usage --- */

static inline size_t step_at(const struct spot_prices *spot, tick_t at)
{
    size_t step = 0;
    while (step + 1 < spot->count && spot->steps[step + 1].at <= at)
        step++;
    return step;
}

/* Of the whole node. */
static inline double usd_per_hour_at(const struct usage *usage, const struct node_usage *node,
                                     tick_t at)
{
    const struct spot_prices *spot = &usage->spot[node->market];
    double usd = node->purchase == PURCHASE_SPOT
                     ? spot->steps[step_at(spot, at)].usd_per_hour
                     : usage->markets[node->market].on_demand_usd_per_hour;
    return usd * node->instances;
}

/* The integral of the node's price over its life. */
static inline double node_usd(const struct usage *usage, const struct node_usage *node)
{
    const struct spot_prices *spot = &usage->spot[node->market];
    double usd = 0;
    for (tick_t at = node->billed_from, until; at < node->end; at = until) {
        until = node->end;
        if (node->purchase == PURCHASE_SPOT) {
            size_t next = step_at(spot, at) + 1;
            if (next < spot->count && spot->steps[next].at < until)
                until = spot->steps[next].at;
        }
        usd += usd_per_hour_at(usage, node, at) * tick_to_s(until - at) / 3600;
    }
    return usd;
}

static inline void check_costs(const struct storm *storm, const struct simulation_result *result)
{
    const struct usage *usage = &result->elastic->usage;
    for (uint32_t pool = 0; pool < storm->scene.pools; pool++) {
        double usd = 0;
        for (size_t i = 0; i < usage->node_count; i++)
            if (usage->nodes[i].pool == pool)
                usd += node_usd(usage, &usage->nodes[i]);
        cr_assert(close_to(result->pools[pool].cost_usd, usd, 1e-9),
                  "pool %u: %.17g, not %.17g USD", pool, result->pools[pool].cost_usd, usd);
    }
}

/* --- what is held, and what it costs by the hour --- */

static inline bool lives_at(const struct node_usage *node, tick_t at)
{
    return node->billed_from <= at && at < node->end;
}

static inline int64_t held_at(const struct usage *usage, uint32_t market,
                              enum purchase_option purchase, tick_t at)
{
    int64_t held = 0;
    for (size_t i = 0; i < usage->node_count; i++)
        held += usage->nodes[i].market == market && usage->nodes[i].purchase == purchase &&
                lives_at(&usage->nodes[i], at);
    return held;
}

static inline void check_capacity_between(const struct usage *usage, uint32_t number,
                                          const struct market *market, tick_t from, tick_t until)
{
    int64_t capacity = market_capacity(market);
    cr_assert_leq(held_at(usage, number, PURCHASE_SPOT, from), capacity,
                  "market %u at %.6f s: more Spot nodes than %ld", number, tick_to_s(from),
                  (long)capacity);
    for (size_t i = 0; i < usage->node_count; i++) {
        tick_t at = usage->nodes[i].billed_from;
        if (usage->nodes[i].market != number || at < from || at >= until)
            continue;
        cr_assert_leq(held_at(usage, number, PURCHASE_SPOT, at), capacity,
                      "market %u at %.6f s: more Spot nodes than %ld", number, tick_to_s(at),
                      (long)capacity);
        cr_assert_leq(held_at(usage, number, PURCHASE_ON_DEMAND, at),
                      market_on_demand_capacity(market));
    }
}

/* The storm's markets once more: what lives in them is never more than there is. */
static inline void check_capacity(const struct storm *storm, const struct usage *usage)
{
    for (uint32_t i = 0; i < storm->market_count; i++) {
        struct market *market = market_create(storm->markets[i], 7, 0);
        for (tick_t at = 0, next; at < usage->end; at = next) {
            next = market_next(market);
            check_capacity_between(usage, i, market, at, next);
            if (next < usage->end)
                market_advance(market, next);
        }
        market_destroy(market);
    }
}

/* Until when a node is paid for. Of one that is alive when the run ends, or goes on in another
 * pool: until then. */
static inline int64_t paid_until_ns(const struct storm *storm, const struct node_usage *node)
{
    int64_t from = usage_ns(node->billed_from) - usage_ns(node->carried);
    int64_t end = usage_ns(node->end), life = end - from;
    int64_t unit = llround(storm->rule.granularity_s * 1e9);
    int64_t minimum = llround(storm->rule.minimum_s * 1e9);
    if (life == 0 || node->why == NODE_END_HORIZON || node->why == NODE_END_MOVED)
        return end;
    life = (life + unit - 1) / unit * unit;
    return from + (life > minimum ? life : minimum);
}

/* The hourly price of all that is paid for at an instant, and of the fixed pools among it. */
static inline double rate_at_ns(const struct storm *storm, const struct usage *usage, int64_t ns,
                                bool fixed)
{
    double usd_per_hour = 0;
    for (size_t i = 0; i < usage->node_count; i++) {
        const struct node_usage *node = &usage->nodes[i];
        if (usage_ns(node->billed_from) > ns || ns >= paid_until_ns(storm, node) ||
            (fixed && storm->pools[node->pool].settings))
            continue;
        tick_t at = usage_tick_of_ns(ns);
        usd_per_hour += usd_per_hour_at(usage, node, at < node->end ? at : node->end - 1);
    }
    return usd_per_hour;
}

static inline void check_rate(const struct storm *storm, const struct usage *usage, tick_t at)
{
    if (at >= usage->end)
        return;
    double budget = storm->spec.budget_usd_per_hour * (1 + 2e-9);
    double rate = rate_at_ns(storm, usage, usage_ns(at), false);
    cr_assert_leq(rate, fmax(budget, rate_at_ns(storm, usage, usage_ns(at), true)) + 1e-12,
                  "%.17g USD an hour at %.6f s, budget %.17g", rate, tick_to_s(at), budget);
}

/* Prices are constant between starts of nodes and steps of prices. */
static inline void check_budget(const struct storm *storm, const struct simulation_result *result)
{
    const struct usage *usage = &result->elastic->usage;
    const struct spend_limit *spend = &result->elastic->spend;
    if (isinf(storm->spec.budget_usd_per_hour))
        return;
    double fixed = rate_at_ns(storm, usage, 0, true);
    cr_assert_leq(spend->rate.max,
                  fmax(storm->spec.budget_usd_per_hour * (1 + 2e-9), fixed) + 1e-12);
    for (size_t i = 0; i < usage->node_count; i++)
        check_rate(storm, usage, usage->nodes[i].billed_from);
    for (uint32_t market = 0; market < usage->market_count; market++)
        for (size_t i = 0; i < usage->spot[market].count; i++)
            check_rate(storm, usage, usage->spot[market].steps[i].at);
}

/* --- the ledger --- */

/* Of one node, by nanoseconds and nano-dollars; in units of nano-dollars * nanoseconds per hour. */
static inline __int128 node_bill(const struct storm *storm, const struct usage *usage,
                                 const struct node_usage *node)
{
    const struct spot_prices *spot = &usage->spot[node->market];
    int64_t end = paid_until_ns(storm, node), life_end = usage_ns(node->end), until;
    __int128 sum = 0;
    for (int64_t at = usage_ns(node->billed_from); at < end; at = until) {
        double usd = usage->markets[node->market].on_demand_usd_per_hour;
        until = end;
        if (node->purchase == PURCHASE_SPOT) {
            size_t step = 0;
            while (step + 1 < spot->count && usage_ns(spot->steps[step + 1].at) <= at)
                step++;
            usd = spot->steps[step].usd_per_hour;
            if (step + 1 < spot->count && usage_ns(spot->steps[step + 1].at) < life_end)
                until = usage_ns(spot->steps[step + 1].at);
        }
        sum += (__int128)llround(usd * 1e9) * (until - at) * node->instances;
    }
    return sum;
}

static inline void check_partition(const struct ledger *ledger, enum ledger_dimension dimension,
                                   int64_t total)
{
    struct ledger_sums sums = ledger_sum_by(ledger, dimension);
    int64_t sum = 0, categories = 0;
    for (size_t i = 0; i < sums.count; i++) {
        sum += sums.rows[i].total_nano_usd;
        for (int j = 0; j < MONEY_CATEGORIES; j++)
            categories += sums.rows[i].nano_usd[j];
    }
    cr_assert_eq(sum, total, "the ledger by %s", ledger_dimension_names[dimension]);
    cr_assert_eq(categories, total, "the ledger by %s", ledger_dimension_names[dimension]);
    ledger_sums_free(&sums);
}

static inline void check_ledger(const struct storm *storm, const struct usage *usage)
{
    const struct price_book book = {.name = "none", .rules = &storm->rule, .rule_count = 1};
    const struct commitments none = {0};
    const struct billing_terms terms = {.book = &book,
                                        .commitments = &none,
                                        .precedence = PRICES_OF_RUN_FIRST,
                                        .output_weight = OUTPUT_WEIGHT_DEFAULT};
    struct ledger ledger;
    struct error error = {0};
    cr_assert(billing_bill(usage, &terms, &ledger, &error), "%s", test_error_text(&error));
    __int128 bill = 0;
    for (size_t i = 0; i < usage->node_count; i++)
        bill += node_bill(storm, usage, &usage->nodes[i]);
    int64_t total = ledger_total(&ledger);
    cr_assert(close_to((double)total, (double)bill / (double)NS_PER_HOUR, 1e-12) ||
                  llabs(total - (int64_t)(bill / NS_PER_HOUR)) <= 1,
              "the ledger says %.9f USD, the nodes' prices %.9f", (double)total / 1e9,
              (double)bill / (double)NS_PER_HOUR / 1e9);
    for (int i = 0; i < LEDGER_DIMENSIONS; i++)
        check_partition(&ledger, (enum ledger_dimension)i, total);
    ledger_free(&ledger);
}

/* --- lives --- */

static inline void check_lives(const struct storm *storm, const struct simulation_result *result)
{
    const struct usage *usage = &result->elastic->usage;
    for (uint32_t pool = 0; pool < storm->scene.pools; pool++) {
        const struct plane_totals *totals = &result->elastic->pools[pool];
        double lived_s = 0, served_s = 0;
        uint64_t count = 0, interrupted = 0, failed = 0;
        for (size_t i = 0; i < usage->node_count; i++) {
            const struct node_usage *node = &usage->nodes[i];
            if (node->pool != pool)
                continue;
            count++;
            interrupted += node->why == NODE_END_INTERRUPTED;
            failed += node->why == NODE_END_FAILED;
            lived_s += tick_to_s(node->end - node->billed_from);
            served_s += tick_to_s(node->end - node->ready);
        }
        double end_s = result->end_s, slack_s = 1e-9 * end_s + 1e-9;
        double per_node = storm->pools[pool].replicas_per_node;
        cr_assert_eq(count, totals->nodes_started + totals->nodes_moved_in,
                     "pool %u: %u rows, %u started, %u in", pool, (unsigned)count,
                     (unsigned)totals->nodes_started, (unsigned)totals->nodes_moved_in);
        cr_assert_leq(interrupted, totals->interruptions); /* some before they were billed */
        cr_assert_leq(failed, totals->failures);
        cr_assert_float_eq(time_stat_mean(&totals->nodes, usage->end) * end_s, lived_s,
                           1e-9 * lived_s + slack_s);
        cr_assert_leq(result->pools[pool].replica_s, served_s * per_node + slack_s);
        cr_assert_leq(result->pools[pool].busy_s, result->pools[pool].replica_s + slack_s,
                      "busy for longer than it served%s", rules_of(&storm->scene));
        if (!storm->pools[pool].settings)
            cr_assert_float_eq(result->pools[pool].replica_s,
                               end_s * storm->scene.specs[pool].replicas, slack_s * 10);
    }
}

/* --- two runs alike --- */

static inline bool same_stat(const struct time_stat *a, const struct time_stat *b)
{
    return a->changed == b->changed && a->value == b->value && a->integral_s == b->integral_s &&
           a->max == b->max;
}

static inline bool same_totals(const struct plane_totals *a, const struct plane_totals *b)
{
    return a->nodes_ordered == b->nodes_ordered && a->nodes_refused == b->nodes_refused &&
           a->nodes_started == b->nodes_started && a->interruptions == b->interruptions &&
           a->failures == b->failures && a->notices == b->notices &&
           a->replicas_started == b->replicas_started &&
           a->replicas_drained == b->replicas_drained && a->replicas_lost == b->replicas_lost &&
           a->scale_outs == b->scale_outs && a->scale_ins == b->scale_ins &&
           a->budget_refusals == b->budget_refusals && a->budget_shed == b->budget_shed &&
           a->cost_usd == b->cost_usd && a->cold_start_s == b->cold_start_s &&
           same_stat(&a->wanted, &b->wanted) && same_stat(&a->ready, &b->ready) &&
           same_stat(&a->serving, &b->serving) && same_stat(&a->nodes, &b->nodes) &&
           same_stat(&a->spot, &b->spot);
}

static inline bool same_node(const struct node_usage *a, const struct node_usage *b)
{
    return a->pool == b->pool && a->market == b->market && a->instances == b->instances &&
           a->purchase == b->purchase && a->requested == b->requested &&
           a->billed_from == b->billed_from && a->ready == b->ready && a->drain == b->drain &&
           a->end == b->end && a->why == b->why;
}

static inline void expect_same_usage(const struct usage *a, const struct usage *b)
{
    cr_assert_eq(a->end, b->end);
    cr_assert_eq(a->node_count, b->node_count);
    for (size_t i = 0; i < a->node_count; i++)
        cr_assert(same_node(&a->nodes[i], &b->nodes[i]), "node %zu", i);
    for (uint32_t i = 0; i < a->market_count; i++) {
        cr_assert_eq(a->spot[i].count, b->spot[i].count);
        cr_assert(a->spot[i].count == 0 ||
                  memcmp(a->spot[i].steps, b->spot[i].steps,
                         a->spot[i].count * sizeof *a->spot[i].steps) == 0);
    }
    size_t hours = (size_t)a->hour_count * a->pool_count;
    cr_assert_eq(a->hour_count, b->hour_count);
    cr_assert(hours == 0 || (memcmp(a->hours, b->hours, hours * sizeof *a->hours) == 0 &&
                             memcmp(a->class_hours, b->class_hours,
                                    hours * a->class_count * sizeof *a->class_hours) == 0),
              "the hours of the usage differ");
}

static inline void expect_same_pool(const struct pool_result *a, const struct pool_result *b)
{
    cr_assert_eq(a->arrived, b->arrived);
    cr_assert_eq(a->completed, b->completed);
    cr_assert_eq(a->rejected, b->rejected);
    cr_assert_eq(a->cancelled, b->cancelled);
    cr_assert_eq(a->moved_in, b->moved_in);
    cr_assert_eq(a->moved_out, b->moved_out);
    cr_assert_eq(a->preemptions, b->preemptions);
    cr_assert_eq(a->prefill_tok, b->prefill_tok);
    cr_assert_eq(a->output_tok, b->output_tok);
    cr_assert_eq(a->iterations, b->iterations);
    cr_assert_eq(a->busy_s, b->busy_s);
    cr_assert_eq(a->replica_s, b->replica_s);
    cr_assert_eq(a->energy_j, b->energy_j);
    cr_assert_eq(a->mean_batch, b->mean_batch);
    cr_assert_eq(a->mean_outstanding, b->mean_outstanding);
    cr_assert_eq(a->peak_kv, b->peak_kv);
    cr_assert(memcmp(&a->prefix, &b->prefix, sizeof a->prefix) == 0);
    cr_assert(memcmp(&a->itl, &b->itl, sizeof a->itl) == 0);
}

/* To the bit. */
static inline void expect_same_storm(const struct storm *storm, const struct simulation_result *a,
                                     const struct simulation_result *b, const struct trail *trail_a,
                                     const struct trail *trail_b)
{
    const struct elastic_result *one = a->elastic, *other = b->elastic;
    for (uint32_t i = 0; i < trail_a->count && i < trail_b->count; i++)
        cr_assert(same_record(&trail_a->records[i], &trail_b->records[i]),
                  "record %u differs: e2e %.17g and %.17g%s", i, trail_a->records[i].e2e_s,
                  trail_b->records[i].e2e_s, rules_of(&storm->scene));
    cr_assert_eq(trail_a->count, trail_b->count);
    cr_assert_eq(a->arrived, b->arrived);
    cr_assert_eq(a->in_flight, b->in_flight);
    cr_assert_eq(a->end_s, b->end_s);
    for (size_t i = 0; i < storm->scene.pools; i++) {
        expect_same_pool(&a->pools[i], &b->pools[i]);
        cr_assert(same_totals(&one->pools[i], &other->pools[i]), "the plane's totals of pool %zu",
                  i);
    }
    for (size_t i = 0; i < CLASSES; i++)
        cr_assert(memcmp(&a->by_class[i], &b->by_class[i], sizeof a->by_class[i]) == 0);
    cr_assert(memcmp(&one->requests, &other->requests, sizeof one->requests) == 0);
    cr_assert(same_stat(&one->spend.rate, &other->spend.rate));
    cr_assert_eq(one->spend.refused, other->spend.refused);
    cr_assert(!a->clients || memcmp(a->clients, b->clients, sizeof *a->clients) == 0);
    cr_assert(!a->transfers || memcmp(a->transfers, b->transfers, sizeof *a->transfers) == 0);
    expect_same_usage(&one->usage, &other->usage);
}

/* --- all of it --- */

static inline void check_storm(const struct storm *storm, const struct simulation_result *result,
                               const struct trail *trail)
{
    check_requests(&storm->scene, result, trail);
    check_empty(&storm->scene, result, trail);
    check_lives(storm, result);
    check_costs(storm, result);
    check_capacity(storm, &result->elastic->usage);
    check_budget(storm, result);
    check_ledger(storm, &result->elastic->usage);
}

#endif
