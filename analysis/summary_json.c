/* The shape of summary.json. Keys are a promise to whoever reads results by script: add, never
 * rename. */
#include <math.h>

#include "analysis/basis_report.h"
#include "analysis/client_report.h"
#include "analysis/elastic_report.h"
#include "analysis/model_report.h"
#include "analysis/money_report.h"
#include "analysis/prefix_report.h"
#include "analysis/summary.h"
#include "analysis/transfer_report.h"

static void put_count(struct json_writer *writer, const char *key, uint64_t count)
{
    json_put_integer(writer, key, (int64_t)count);
}

void quantiles_put(struct json_writer *writer, const char *key, const struct quantiles *quantiles)
{
    json_begin_object(writer, key);
    json_put_number(writer, "mean", quantiles->mean);
    json_put_number(writer, "p50", quantiles->p50);
    json_put_number(writer, "p90", quantiles->p90);
    json_put_number(writer, "p95", quantiles->p95);
    json_put_number(writer, "p99", quantiles->p99);
    json_put_number(writer, "max", quantiles->max);
    json_end_object(writer);
}

static void put_tokens(struct json_writer *writer, uint64_t prompt_tok, uint64_t output_tok)
{
    json_begin_object(writer, "tokens");
    put_count(writer, "prompt", prompt_tok);
    put_count(writer, "output", output_tok);
    json_end_object(writer);
}

static void put_requests(struct json_writer *writer, const struct summary *summary)
{
    json_begin_object(writer, "requests");
    put_count(writer, "arrived", summary->arrived);
    put_count(writer, "completed", summary->completed);
    put_count(writer, "rejected", summary->rejected);
    put_count(writer, "in_flight", summary->in_flight);
    put_count(writer, "skipped", summary->skipped);
    put_count(writer, "measured", summary->measured);
    json_end_object(writer);
}

static void put_throughput(struct json_writer *writer, const struct summary *summary)
{
    json_begin_object(writer, "throughput");
    json_put_number(writer, "requests_per_s", summary->requests_per_s);
    json_put_number(writer, "output_tokens_per_s", summary->output_tok_per_s);
    json_put_number(writer, "total_tokens_per_s", summary->total_tok_per_s);
    json_end_object(writer);
}

static void put_slo_rule(struct json_writer *writer, const struct slo_summary *slo)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "class", slo->class_name);
    json_put_number(writer, "ttft_s", slo->rule->ttft_s);
    json_put_number(writer, "tpot_s", slo->rule->tpot_s);
    json_put_number(writer, "e2e_s", slo->rule->e2e_s);
    json_put_number(writer, "percentile", slo->rule->percentile);
    put_count(writer, "requests", slo->requests);
    put_count(writer, "met", slo->met);
    json_put_number(writer, "attainment", slo->attainment);
    json_put_bool(writer, "kept", slo->kept);
    json_end_object(writer);
}

static void put_slo(struct json_writer *writer, const struct summary *summary)
{
    json_begin_object(writer, "slo");
    json_put_bool(writer, "kept", summary->slo_kept);
    json_put_number(writer, "attainment", summary->attainment);
    json_put_number(writer, "goodput_requests_per_s", summary->goodput_requests_per_s);
    json_begin_list(writer, "rules");
    for (size_t i = 0; i < summary->facts.spec->slo_count; i++)
        put_slo_rule(writer, &summary->slos[i]);
    json_end_list(writer);
    json_end_object(writer);
}

static void put_cost(struct json_writer *writer, const struct summary *summary)
{
    json_begin_object(writer, "cost");
    json_put_number(writer, "total_usd", summary->cost_usd);
    json_put_number(writer, "usd_per_hour", summary->usd_per_hour);
    json_put_number(writer, "usd_per_million_tokens", summary->usd_per_million_tok);
    json_put_number(writer, "usd_per_million_output_tokens", summary->usd_per_million_output_tok);
    json_put_number(writer, "usd_per_1k_requests", summary->usd_per_1k_requests);
    json_put_number(writer, "requests_per_usd", summary->requests_per_usd);
    json_end_object(writer);
}

static void put_energy(struct json_writer *writer, const struct summary *summary)
{
    json_begin_object(writer, "energy");
    json_put_number(writer, "total_j", summary->energy_j);
    json_put_number(writer, "mean_power_w", summary->mean_power_w);
    json_put_number(writer, "joules_per_output_token", summary->joules_per_output_tok);
    json_end_object(writer);
}

static void put_class(struct json_writer *writer, const struct class_summary *class)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", class->name);
    put_count(writer, "completed", class->completed);
    put_count(writer, "rejected", class->rejected);
    put_tokens(writer, class->prompt_tok, class->output_tok);
    quantiles_put(writer, "ttft_s", &class->ttft_s);
    quantiles_put(writer, "tpot_s", &class->tpot_s);
    quantiles_put(writer, "e2e_s", &class->e2e_s);
    quantiles_put(writer, "queue_s", &class->queue_s);
    json_put_number(writer, "requests_per_s", class->requests_per_s);
    json_put_number(writer, "attainment", class->attainment);
    json_end_object(writer);
}

/* Where the engine counts them (report_kv_slots). */
static void put_kv_slots(struct json_writer *writer, const struct pool_summary *pool)
{
    if (isnan(pool->kv_slots_held))
        return;
    json_begin_object(writer, "kv_slots");
    json_put_number(writer, "taken", pool->kv_slots_taken);
    json_put_number(writer, "held", pool->kv_slots_held);
    json_end_object(writer);
}

/* acceptance: of all drafts, those that were accepted. */
static void put_speculative(struct json_writer *writer, const struct pool_summary *pool)
{
    if (pool->draft_tok == 0)
        return;
    json_begin_object(writer, "speculative");
    json_put_number(writer, "tokens_per_step", pool->tokens_per_step);
    json_put_number(writer, "acceptance", (pool->tokens_per_step - 1) / (double)pool->draft_tok);
    json_end_object(writer);
}

/* Where each request that was let in found its adapter. */
static void put_adapters(struct json_writer *writer, const struct pool_summary *pool)
{
    const struct adapter_totals *adapters = &pool->adapters;
    if (!pool->has_adapters)
        return;
    json_begin_object(writer, "adapters");
    put_count(writer, "used", adapters->used);
    put_count(writer, "in_slot", adapters->in_slot);
    put_count(writer, "in_host", adapters->in_host);
    put_count(writer, "from_disk", adapters->used - adapters->in_slot - adapters->in_host);
    json_put_number(writer, "hit_rate", (double)adapters->in_slot / (double)adapters->used);
    json_put_number(writer, "loading_s", fine_to_s(adapters->loading));
    json_end_object(writer);
}

static void put_pool(struct json_writer *writer, const struct pool_summary *pool)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", pool->name);
    json_put_string(writer, "gpu", pool->facts->gpu);
    json_put_string(writer, "instance", pool->facts->instance);
    put_count(writer, "replicas", pool->replicas);
    json_put_integer(writer, "gpus", pool->gpus);
    put_count(writer, "kv_blocks_per_replica", pool->kv_blocks_per_replica);
    put_count(writer, "arrived", pool->arrived);
    put_count(writer, "completed", pool->completed);
    put_count(writer, "rejected", pool->rejected);
    put_count(writer, "in_flight", pool->in_flight);
    json_put_number(writer, "utilisation", pool->utilisation);
    json_put_number(writer, "mean_batch", pool->mean_batch);
    json_put_number(writer, "mean_outstanding", pool->mean_outstanding);
    put_count(writer, "max_outstanding", pool->max_outstanding);
    json_put_number(writer, "peak_kv", pool->peak_kv);
    put_kv_slots(writer, pool);
    put_count(writer, "preemptions", pool->preemptions);
    if (pool->swaps_kv)
        put_count(writer, "swaps", pool->swaps);
    put_count(writer, "iterations", pool->iterations);
    put_speculative(writer, pool);
    put_adapters(writer, pool);
    put_tokens(writer, pool->prompt_tok, pool->output_tok);
    put_count(writer, "prefill_tokens_computed", pool->prefill_tok);
    json_put_number(writer, "output_tokens_per_s", pool->output_tok_per_s);
    quantiles_put(writer, "ttft_s", &pool->ttft_s);
    quantiles_put(writer, "tpot_s", &pool->tpot_s);
    quantiles_put(writer, "itl_s", &pool->itl_s);
    quantiles_put(writer, "e2e_s", &pool->e2e_s);
    json_put_number(writer, "usd_per_hour", pool->usd_per_hour);
    json_put_number(writer, "cost_usd", pool->cost_usd);
    json_put_number(writer, "usd_per_million_tokens", pool->usd_per_million_tok);
    json_put_number(writer, "energy_j", pool->energy_j);
    json_put_number(writer, "mean_power_w", pool->mean_power_w);
    basis_put(writer, "step_times", pool->facts->basis);
    json_end_object(writer);
}

static void put_lists(struct json_writer *writer, const struct summary *summary)
{
    json_begin_list(writer, "classes");
    for (size_t i = 0; i < summary->facts.spec->class_count; i++)
        put_class(writer, &summary->classes[i]);
    json_end_list(writer);
    json_begin_list(writer, "pools");
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++)
        put_pool(writer, &summary->pools[i]);
    json_end_list(writer);
}

void summary_put_simulator(struct json_writer *writer, const struct summary *summary,
                           const struct simulator_figures *figures)
{
    double ended = (double)(summary->completed + summary->rejected + summary->cancelled);
    json_begin_object(writer, "simulator");
    json_put_number(writer, "requests_per_s",
                    ended / figures->cpu_s); /* null when not measurable */
    put_count(writer, "events", summary->events);
    put_count(writer, "iterations", summary->iterations);
    json_put_number(writer, "cpu_s", figures->cpu_s);
    json_put_number(writer, "wall_s", figures->wall_s);
    put_count(writer, "peak_rss_bytes", figures->peak_rss_bytes);
    json_end_object(writer);
}

void summary_put(struct json_writer *writer, const char *key, const struct summary *summary,
                 const struct simulator_figures *figures)
{
    json_begin_object(writer, key);
    json_put_string(writer, "scenario", summary->facts.scenario);
    put_count(writer, "seed", summary->facts.spec->seed);
    json_put_bool(writer, "interrupted", summary->interrupted);
    json_put_number(writer, "simulated_s", summary->simulated_s);
    json_put_number(writer, "measured_s", summary->measured_s);
    put_requests(writer, summary);
    put_tokens(writer, summary->prompt_tok, summary->output_tok);
    quantiles_put(writer, "ttft_s", &summary->ttft_s);
    quantiles_put(writer, "tpot_s", &summary->tpot_s);
    quantiles_put(writer, "itl_s", &summary->itl_s);
    quantiles_put(writer, "e2e_s", &summary->e2e_s);
    quantiles_put(writer, "queue_s", &summary->queue_s);
    put_throughput(writer, summary);
    put_slo(writer, summary);
    put_cost(writer, summary);
    put_energy(writer, summary);
    put_lists(writer, summary);
    model_report_put(writer, summary);
    transfer_report_put(writer, summary);
    prefix_report_put(writer, summary);
    client_report_put(writer, summary);
    elastic_report_put(writer, summary);
    money_report_put(writer, summary);
    if (figures)
        summary_put_simulator(writer, summary, figures);
    json_end_object(writer);
}
