#include "analysis/summary.h"

#include <math.h>

#include "analysis/elastic_report.h"
#include "analysis/model_report.h"
#include "analysis/money_report.h"
#include "analysis/transfer_report.h"

/* NaN where there is nothing to divide by: "no requests" is not "0 seconds". */
static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

struct quantiles quantiles_of(const struct histogram *histogram)
{
    return (struct quantiles){
        .mean = histogram_mean_s(histogram),
        .p50 = histogram_quantile_s(histogram, 0.50),
        .p90 = histogram_quantile_s(histogram, 0.90),
        .p95 = histogram_quantile_s(histogram, 0.95),
        .p99 = histogram_quantile_s(histogram, 0.99),
        .max = histogram->count ? tick_to_s(histogram->max) : NAN,
    };
}

void latency_merge(struct latency_set *into, const struct latency_set *from)
{
    histogram_merge(&into->ttft, &from->ttft);
    histogram_merge(&into->tpot, &from->tpot);
    histogram_merge(&into->e2e, &from->e2e);
    histogram_merge(&into->queue, &from->queue);
    into->completed += from->completed;
    into->rejected += from->rejected;
    into->timed_out += from->timed_out;
    into->stopped += from->stopped;
    into->late += from->late;
    into->prompt_tok += from->prompt_tok;
    into->output_tok += from->output_tok;
    into->slo_met += from->slo_met;
}

/* All whose end is known. */
static uint64_t ended(const struct latency_set *set)
{
    return set->completed + set->rejected + set->timed_out + set->stopped;
}

/* Rejected requests were promised the same bounds and got nothing: they count as missed, and so do
 * those that were given up. */
static double attainment_of(const struct simulation_spec *spec, const struct latency_set *set)
{
    if (spec->slo_count == 0)
        return NAN;
    return ratio((double)set->slo_met, (double)(ended(set) + set->late));
}

static struct class_summary class_of(const struct summary *summary, const char *name,
                                     const struct latency_set *set)
{
    return (struct class_summary){
        .name = name,
        .completed = set->completed,
        .rejected = set->rejected,
        .timed_out = set->timed_out,
        .stopped = set->stopped,
        .prompt_tok = set->prompt_tok,
        .output_tok = set->output_tok,
        .ttft_s = quantiles_of(&set->ttft),
        .tpot_s = quantiles_of(&set->tpot),
        .e2e_s = quantiles_of(&set->e2e),
        .queue_s = quantiles_of(&set->queue),
        .requests_per_s = ratio((double)set->completed, summary->measured_s),
        .attainment = attainment_of(summary->facts.spec, set),
    };
}

static struct pool_summary pool_of(const struct pool_spec *spec, const struct pool_facts *facts,
                                   const struct pool_result *result, double simulated_s)
{
    double tokens = (double)(result->prompt_tok + result->output_tok);
    return (struct pool_summary){
        .name = spec->name,
        .facts = facts,
        .replicas = spec->replicas,
        .gpus = facts->gpus_per_replica * spec->replicas,
        .kv_blocks_per_replica = result->kv_blocks,
        .arrived = result->arrived,
        .completed = result->completed,
        .rejected = result->rejected,
        .cancelled = result->cancelled,
        .in_flight = result->in_flight,
        .preemptions = result->preemptions,
        .handed_out = result->handed_out,
        .handed_in = result->handed_in,
        .iterations = result->iterations,
        .prompt_tok = result->prompt_tok,
        .output_tok = result->output_tok,
        .prefill_tok = result->prefill_tok,
        .utilisation = ratio(result->busy_s, result->replica_s),
        .mean_batch = result->mean_batch,
        .kv_slots_taken = result->kv_slots_taken,
        .kv_slots_held = result->kv_slots_held,
        .swaps_kv = spec->engine->swap_blocks > 0,
        .swaps = result->swaps,
        .draft_tok = spec->engine->speculation.draft_tok,
        .tokens_per_step = ratio((double)result->verified_tok, (double)result->verified),
        .has_adapters = spec->engine->lora != NULL,
        .adapters = result->adapters,
        .prefix = result->prefix,
        .mean_outstanding = result->mean_outstanding,
        .max_outstanding = result->max_outstanding,
        .peak_kv = result->peak_kv,
        .output_tok_per_s = ratio((double)result->output_tok, simulated_s),
        .usd_per_hour = spec->usd_per_hour * spec->replicas,
        .cost_usd = result->cost_usd,
        .usd_per_million_tok = ratio(result->cost_usd * 1e6, tokens),
        .energy_j = result->energy_j,
        .mean_power_w = ratio(result->energy_j, simulated_s),
        .ttft_s = quantiles_of(&result->ttft),
        .tpot_s = quantiles_of(&result->tpot),
        .itl_s = quantiles_of(&result->itl),
        .e2e_s = quantiles_of(&result->e2e),
    };
}

uint64_t class_summary_requests(const struct class_summary *class)
{
    return class->completed + class->rejected + class->timed_out + class->stopped;
}

size_t summary_shown_classes(const struct summary *summary)
{
    size_t count = summary->facts.spec->class_count;
    const struct class_summary *rest = &summary->classes[count - 1];
    return count > 1 && class_summary_requests(rest) == 0 ? count - 1 : count;
}

static void sum_classes(struct summary *summary, const struct simulation_result *result)
{
    const struct simulation_spec *spec = summary->facts.spec;
    latency_set_clear(&summary->merged);
    for (size_t i = 0; i < spec->class_count; i++) {
        latency_merge(&summary->merged, &result->by_class[i]);
        summary->classes[i] = class_of(summary, spec->classes[i].name, &result->by_class[i]);
    }
    const struct latency_set *all = &summary->merged;
    summary->measured = ended(all);
    summary->ttft_s = quantiles_of(&all->ttft);
    summary->tpot_s = quantiles_of(&all->tpot);
    summary->e2e_s = quantiles_of(&all->e2e);
    summary->queue_s = quantiles_of(&all->queue);
    double tokens = (double)(result->window_prompt_tok + result->window_output_tok);
    summary->requests_per_s = ratio((double)result->window_completed, summary->measured_s);
    summary->output_tok_per_s = ratio((double)result->window_output_tok, summary->measured_s);
    summary->total_tok_per_s = ratio(tokens, summary->measured_s);
    summary->attainment = attainment_of(spec, all);
    summary->goodput_requests_per_s =
        spec->slo_count ? ratio((double)all->slo_met, summary->measured_s) : NAN;
}

/* Replicas of such a pool need not have been there at any time. */
static void settle_elastic(struct pool_summary *pool, const struct plane_totals *totals,
                           double simulated_s)
{
    pool->replicas = (uint32_t)totals->ready.max;
    pool->gpus = pool->facts->gpus_per_replica * pool->replicas;
    pool->usd_per_hour = ratio(pool->cost_usd, simulated_s / 3600);
}

static void sum_pools(struct summary *summary, const struct simulation_result *result)
{
    const struct run_facts *facts = &summary->facts;
    histogram_clear(&summary->itl);
    for (size_t i = 0; i < facts->spec->pool_count; i++) {
        const struct pool_result *pool = &result->pools[i];
        summary->pools[i] =
            pool_of(&facts->spec->pools[i], &facts->pools[i], pool, summary->simulated_s);
        if (result->elastic)
            settle_elastic(&summary->pools[i], &result->elastic->pools[i], summary->simulated_s);
        histogram_merge(&summary->itl, &pool->itl);
        summary->prompt_tok += pool->prompt_tok;
        summary->output_tok += pool->output_tok;
        summary->cost_usd += pool->cost_usd;
        summary->usd_per_hour += summary->pools[i].usd_per_hour;
        summary->energy_j += pool->energy_j;
    }
    summary->itl_s = quantiles_of(&summary->itl);
}

static void sum_money(struct summary *summary)
{
    double output = (double)summary->output_tok;
    double tokens = (double)summary->prompt_tok + output;
    double completed = (double)summary->completed;
    summary->usd_per_million_tok = ratio(summary->cost_usd * 1e6, tokens);
    summary->usd_per_million_output_tok = ratio(summary->cost_usd * 1e6, output);
    summary->usd_per_1k_requests = ratio(summary->cost_usd * 1e3, completed);
    summary->requests_per_usd = ratio(completed, summary->cost_usd);
    summary->mean_power_w = ratio(summary->energy_j, summary->simulated_s);
    summary->joules_per_output_tok = ratio(summary->energy_j, output);
}

static void judge_slos(struct summary *summary, const struct simulation_result *result)
{
    const struct simulation_spec *spec = summary->facts.spec;
    summary->slo_kept = true;
    for (size_t i = 0; i < spec->slo_count; i++) {
        const struct slo_result *slo = &result->slos[i];
        int64_t class_index = spec->slos[i].class_index;
        summary->slos[i] = (struct slo_summary){
            .rule = &spec->slos[i],
            .class_name = class_index < 0 ? NULL : spec->classes[class_index].name,
            .requests = slo->requests,
            .met = slo->met,
            .attainment = ratio((double)slo->met, (double)slo->requests),
            .kept = slo->kept,
        };
        summary->slo_kept &= slo->kept;
    }
}

struct summary *summary_create(const struct run_facts *facts,
                               const struct simulation_result *result)
{
    const struct simulation_spec *spec = facts->spec;
    struct arena *arena = arena_create();
    struct summary *summary = ARENA_NEW(arena, struct summary);
    summary->arena = arena;
    summary->facts = *facts;
    summary->classes = ARENA_ARRAY(arena, spec->class_count, struct class_summary);
    summary->pools = ARENA_ARRAY(arena, spec->pool_count, struct pool_summary);
    summary->slos = ARENA_ARRAY(arena, spec->slo_count, struct slo_summary);
    summary->interrupted = result->interrupted;
    summary->simulated_s = result->end_s;
    summary->measured_s = result->measured_s;
    summary->arrived = result->arrived;
    summary->completed = result->completed;
    summary->rejected = result->rejected;
    summary->cancelled = result->cancelled;
    summary->in_flight = result->in_flight;
    summary->skipped = result->skipped;
    summary->events = result->events;
    summary->iterations = result->iterations;
    sum_classes(summary, result);
    sum_pools(summary, result);
    sum_money(summary);
    judge_slos(summary, result);
    summary->models = model_report_sum(summary, result);
    summary->elastic = elastic_summary_create(spec, result, arena);
    if (result->clients) {
        summary->clients = ARENA_NEW(arena, struct client_result);
        *summary->clients = *result->clients;
    }
    if (result->transfers) {
        summary->transfers = ARENA_NEW(arena, struct transfer_summary);
        transfer_summary_fill(summary->transfers, result);
    }
    return summary;
}

void summary_set_pool_cost(struct summary *summary, size_t index, double cost_usd)
{
    struct pool_summary *pool = &summary->pools[index];
    double tokens = (double)(pool->prompt_tok + pool->output_tok);
    pool->cost_usd = cost_usd;
    pool->usd_per_hour = ratio(cost_usd, summary->simulated_s / 3600);
    pool->usd_per_million_tok = ratio(cost_usd * 1e6, tokens);
}

void summary_set_cost(struct summary *summary, double cost_usd)
{
    summary->cost_usd = cost_usd;
    summary->usd_per_hour = ratio(cost_usd, summary->simulated_s / 3600);
    sum_money(summary);
}

void summary_destroy(struct summary *summary)
{
    if (!summary)
        return;
    money_report_free(summary);
    arena_destroy(summary->arena);
}
