#include "analysis/elastic_report.h"

#include <math.h>

#include "analysis/human.h"

/* --- summing up --- */

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

static struct elastic_pool_summary pool_of(const struct elastic_pool_spec *given,
                                           const struct plane_totals *totals, tick_t end)
{
    double nodes = time_stat_mean(&totals->nodes, end);
    return (struct elastic_pool_summary){
        .elastic = given->settings != NULL,
        .mean_replicas = time_stat_mean(&totals->ready, end),
        .peak_replicas = totals->ready.max,
        .mean_wanted = time_stat_mean(&totals->wanted, end),
        .up_share = time_stat_mean(&totals->any, end),
        .full_share = time_stat_mean(&totals->enough, end),
        .mean_nodes = nodes,
        .spot_share = ratio(time_stat_mean(&totals->spot, end), nodes),
        .mean_cold_start_s = ratio(totals->cold_start_s, (double)totals->cold_starts),
        .totals = *totals};
}

struct elastic_summary *elastic_summary_create(const struct simulation_spec *spec,
                                               const struct simulation_result *result,
                                               struct arena *arena)
{
    const struct elastic_result *elastic = result->elastic;
    if (!elastic)
        return NULL;
    tick_t end = elastic->usage.end;
    struct elastic_summary *summary = ARENA_NEW(arena, struct elastic_summary);
    *summary = (struct elastic_summary){
        .budget_usd_per_hour = elastic->spend.usd_per_hour,
        .mean_usd_per_hour = time_stat_mean(&elastic->spend.rate, end),
        .peak_usd_per_hour = elastic->spend.rate.max,
        .budget_refusals = elastic->spend.refused,
        .budget_shed = elastic->spend.shed,
        .requests = elastic->requests,
        .pools = ARENA_ARRAY(arena, spec->pool_count, struct elastic_pool_summary)};
    for (size_t i = 0; i < spec->pool_count; i++)
        summary->pools[i] = pool_of(&spec->elastic->pools[i], &elastic->pools[i], end);
    return summary;
}

/* --- summary.json --- */

static void put_count(struct json_writer *writer, const char *key, uint64_t count)
{
    json_put_integer(writer, key, (int64_t)count);
}

static void put_pool(struct json_writer *writer, const char *name,
                     const struct elastic_pool_summary *pool)
{
    const struct plane_totals *totals = &pool->totals;
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", name);
    json_put_number(writer, "mean_replicas", pool->mean_replicas);
    json_put_number(writer, "peak_replicas", pool->peak_replicas);
    json_put_number(writer, "mean_wanted_replicas", pool->mean_wanted);
    json_put_number(writer, "up_share", pool->up_share);
    json_put_number(writer, "full_share", pool->full_share);
    json_put_number(writer, "mean_nodes", pool->mean_nodes);
    json_put_number(writer, "spot_share", pool->spot_share);
    json_put_number(writer, "mean_cold_start_s", pool->mean_cold_start_s);
    put_count(writer, "scale_outs", totals->scale_outs);
    put_count(writer, "scale_ins", totals->scale_ins);
    put_count(writer, "nodes_ordered", totals->nodes_ordered);
    put_count(writer, "nodes_refused", totals->nodes_refused);
    put_count(writer, "nodes_started", totals->nodes_started);
    put_count(writer, "nodes_moved_out", totals->nodes_moved_out);
    put_count(writer, "nodes_moved_in", totals->nodes_moved_in);
    put_count(writer, "notices", totals->notices);
    put_count(writer, "interruptions", totals->interruptions);
    put_count(writer, "failures", totals->failures);
    put_count(writer, "replicas_started", totals->replicas_started);
    put_count(writer, "replicas_drained", totals->replicas_drained);
    put_count(writer, "replicas_lost", totals->replicas_lost);
    put_count(writer, "budget_refusals", totals->budget_refusals);
    put_count(writer, "budget_shed", totals->budget_shed);
    json_end_object(writer);
}

static void put_requests(struct json_writer *writer, const struct elastic_requests *requests)
{
    put_count(writer, "held_requests", requests->held);
    json_put_number(writer, "mean_hold_s", ratio(requests->held_s, (double)requests->held));
    put_count(writer, "moved_requests", requests->moved);
    put_count(writer, "migrated_requests", requests->migrated);
    put_count(writer, "lost_requests", requests->lost);
    put_count(writer, "checkpoints", requests->checkpoints);
    put_count(writer, "answered_again_requests", requests->answered_again);
    put_count(writer, "lost_kv_tokens", requests->lost_kv_tok);
}

void elastic_report_put(struct json_writer *writer, const struct summary *summary)
{
    const struct elastic_summary *elastic = summary->elastic;
    if (!elastic)
        return;
    json_begin_object(writer, "elastic");
    json_put_number(writer, "budget_usd_per_hour",
                    isfinite(elastic->budget_usd_per_hour) ? elastic->budget_usd_per_hour : NAN);
    json_put_number(writer, "mean_usd_per_hour", elastic->mean_usd_per_hour);
    json_put_number(writer, "peak_usd_per_hour", elastic->peak_usd_per_hour);
    put_count(writer, "budget_refusals", elastic->budget_refusals);
    put_count(writer, "budget_shed", elastic->budget_shed);
    put_requests(writer, &elastic->requests);
    json_begin_list(writer, "pools");
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++)
        put_pool(writer, summary->pools[i].name, &elastic->pools[i]);
    json_end_list(writer);
    json_end_object(writer);
}

/* --- the terminal --- */

static void print_pool(const char *name, const struct elastic_pool_summary *pool, FILE *out)
{
    const struct plane_totals *totals = &pool->totals;
    if (!pool->elastic)
        return;
    fprintf(out, "elastic     %s: %.2f replicas in the mean (%.2f wanted, %.0f at most)", name,
            pool->mean_replicas, pool->mean_wanted, pool->peak_replicas);
    if (pool->spot_share > 0)
        fprintf(out, ", %.0f %% of nodes on Spot", 100 * pool->spot_share);
    fprintf(out, "\n            %llu scale-outs, %llu scale-ins, %llu interruptions, %llu failures",
            (unsigned long long)totals->scale_outs, (unsigned long long)totals->scale_ins,
            (unsigned long long)totals->interruptions, (unsigned long long)totals->failures);
    if (totals->nodes_moved_out + totals->nodes_moved_in > 0)
        fprintf(out, ", %llu nodes to the other side, %llu from it",
                (unsigned long long)totals->nodes_moved_out,
                (unsigned long long)totals->nodes_moved_in);
    if (!isnan(pool->mean_cold_start_s))
        fprintf(out, "; cold start %.0f s", pool->mean_cold_start_s);
    fprintf(out, "\n            any ready %.2f %% of the time, as many as wanted %.2f %%\n",
            100 * pool->up_share, 100 * pool->full_share);
}

static void print_budget(const struct elastic_summary *elastic, FILE *out)
{
    char count[HUMAN_SIZE];
    if (!isfinite(elastic->budget_usd_per_hour))
        return;
    fprintf(out,
            "budget      %.2f of %.2f USD/h at most, %.2f in the mean; nodes refused %s times\n",
            elastic->peak_usd_per_hour, elastic->budget_usd_per_hour, elastic->mean_usd_per_hour,
            human_count(elastic->budget_refusals, count));
}

static void print_requests(const struct elastic_requests *requests, FILE *out)
{
    char a[HUMAN_SIZE], b[HUMAN_SIZE], c[HUMAN_SIZE];
    if (requests->held + requests->moved + requests->lost == 0)
        return;
    fprintf(out, "            %s requests waited for a replica (%.1f s), %s were moved, %s lost\n",
            human_count(requests->held, a),
            requests->held ? requests->held_s / (double)requests->held : 0,
            human_count(requests->moved, b), human_count(requests->lost, c));
}

void elastic_report_print(const struct summary *summary, FILE *out)
{
    const struct elastic_summary *elastic = summary->elastic;
    if (!elastic)
        return;
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++)
        print_pool(summary->pools[i].name, &elastic->pools[i], out);
    print_requests(&elastic->requests, out);
    print_budget(elastic, out);
}
