#include "analysis/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/elastic_report.h"
#include "analysis/money_report.h"
#include "analysis/run.h"
#include "analysis/workers.h"

/* --- numbers of a summary --- */

/* Over the pools, by the time they worked. */
static double mean_batch(const struct summary *summary)
{
    double sequences = 0, busy = 0;
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++) {
        const struct pool_summary *pool = &summary->pools[i];
        sequences += pool->mean_batch * pool->utilisation * pool->replicas;
        busy += pool->utilisation * pool->replicas;
    }
    return busy > 0 ? sequences / busy : NAN;
}

/* Over the pools that count them (report_kv_slots), each by what its KV cache has taken. */
static double kv_slots_held(const struct summary *summary)
{
    double taken = 0, held = 0;
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++) {
        const struct pool_summary *pool = &summary->pools[i];
        if (isnan(pool->kv_slots_held))
            continue;
        double blocks = pool->kv_slots_taken * (double)pool->kv_blocks_per_replica * pool->replicas;
        taken += blocks;
        held += blocks * pool->kv_slots_held;
    }
    return taken > 0 ? held / taken : NAN;
}

/* Of the bill; NaN without one. */
static double used_share(const struct summary *summary)
{
    const struct money_summary *money = summary->money;
    if (!money || !money->billed || money->kpis.usd <= 0)
        return NAN;
    return money->kpis.usd_by_category[MONEY_USED] / money->kpis.usd;
}

struct replica_counts {
    double mean, peak; /* ready: over the run, of all pools; and the sum of the pools' most */
};

static struct replica_counts count_replicas(const struct summary *summary)
{
    struct replica_counts counts = {0, 0};
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++) {
        const struct elastic_pool_summary *pool =
            summary->elastic ? &summary->elastic->pools[i] : NULL;
        bool comes_and_goes = pool && pool->elastic;
        counts.mean += comes_and_goes ? pool->mean_replicas : summary->pools[i].replicas;
        counts.peak += comes_and_goes ? pool->peak_replicas : summary->pools[i].replicas;
    }
    return counts;
}

/* Of the pools that come and go, together: the shares are those of the worst of them. */
static void take_elastic(const struct summary *summary, double *values)
{
    const struct elastic_summary *elastic = summary->elastic;
    for (int metric = COMPARE_UP_SHARE; metric <= COMPARE_LOST_REQUESTS; metric++)
        values[metric] = NAN;
    if (!elastic)
        return;
    double nodes = 0, spot = 0, interruptions = 0;
    for (size_t i = 0; i < summary->facts.spec->pool_count; i++) {
        const struct elastic_pool_summary *pool = &elastic->pools[i];
        if (!pool->elastic)
            continue;
        nodes += pool->mean_nodes;
        spot += pool->mean_nodes > 0 ? pool->spot_share * pool->mean_nodes : 0;
        interruptions += (double)pool->totals.interruptions;
        values[COMPARE_UP_SHARE] = fmin(values[COMPARE_UP_SHARE], pool->up_share);
        values[COMPARE_FULL_SHARE] = fmin(values[COMPARE_FULL_SHARE], pool->full_share);
    }
    values[COMPARE_SPOT_SHARE] = nodes > 0 ? spot / nodes : NAN;
    values[COMPARE_INTERRUPTIONS] = interruptions;
    values[COMPARE_HELD_SHARE] =
        summary->arrived > 0 ? (double)elastic->requests.held / (double)summary->arrived : NAN;
    values[COMPARE_MOVED_REQUESTS] = (double)elastic->requests.moved;
    values[COMPARE_LOST_REQUESTS] = (double)elastic->requests.lost;
}

static void take_values(const struct summary *summary, double *values)
{
    struct replica_counts replicas = count_replicas(summary);
    const double taken[COMPARE_METRICS] = {
        [COMPARE_REQUESTS_PER_S] = summary->requests_per_s,
        [COMPARE_GOODPUT_REQUESTS_PER_S] = summary->goodput_requests_per_s,
        [COMPARE_OUTPUT_TOK_PER_S] = summary->output_tok_per_s,
        [COMPARE_TOTAL_TOK_PER_S] = summary->total_tok_per_s,
        [COMPARE_ATTAINMENT] = summary->attainment,
        [COMPARE_TTFT_MEAN_S] = summary->ttft_s.mean,
        [COMPARE_TTFT_P50_S] = summary->ttft_s.p50,
        [COMPARE_TTFT_P99_S] = summary->ttft_s.p99,
        [COMPARE_TPOT_MEAN_S] = summary->tpot_s.mean,
        [COMPARE_TPOT_P50_S] = summary->tpot_s.p50,
        [COMPARE_TPOT_P99_S] = summary->tpot_s.p99,
        [COMPARE_ITL_P99_S] = summary->itl_s.p99,
        [COMPARE_E2E_MEAN_S] = summary->e2e_s.mean,
        [COMPARE_E2E_P50_S] = summary->e2e_s.p50,
        [COMPARE_E2E_P99_S] = summary->e2e_s.p99,
        [COMPARE_MEAN_BATCH] = mean_batch(summary),
        [COMPARE_KV_SLOTS_HELD] = kv_slots_held(summary),
        [COMPARE_USD_PER_MILLION_TOK] = summary->usd_per_million_tok,
        [COMPARE_USD_PER_MILLION_OUTPUT_TOK] = summary->usd_per_million_output_tok,
        [COMPARE_JOULES_PER_OUTPUT_TOK] = summary->joules_per_output_tok,
        [COMPARE_COST_USD] = summary->cost_usd,
        [COMPARE_REQUESTS_PER_USD] = summary->requests_per_usd,
        [COMPARE_USED_SHARE] = used_share(summary),
        [COMPARE_MEAN_REPLICAS] = replicas.mean,
        [COMPARE_PEAK_REPLICAS] = replicas.peak,
        [COMPARE_USD_PER_HOUR] = summary->usd_per_hour};
    memcpy(values, taken, sizeof taken);
    take_elastic(summary, values);
}

/* --- one run --- */

struct compare_jobs {
    const struct compare_request *request;
    struct comparison *comparison;
    struct error *errors; /* [rows] */
};

static bool keep_going(void *context, double time_s, uint64_t completed)
{
    (void)time_s, (void)completed;
    const struct workers *workers = context;
    return !atomic_load(&workers->stop);
}

static bool simulate(const struct scenario *scenario, struct workers *workers,
                     struct compare_row *row, struct error *error)
{
    struct simulation_spec spec = scenario_spec(scenario, 0);
    struct simulation_result result;
    spec.observer = (struct simulation_observer){.context = workers, .proceed = keep_going};
    spec.source = scenario_open_source(scenario, 0, error);
    if (!spec.source)
        return false;
    bool done = simulation_run(&spec, &result, error);
    source_destroy(spec.source);
    if (!done)
        return false;
    const struct run_facts facts = {
        .scenario = scenario->config.name, .spec = &spec, .pools = run_pool_facts(scenario)};
    struct summary *summary = summary_create(&facts, &result);
    bool billed = money_report_make(summary, scenario, &result, NULL, error);
    take_values(summary, row->values);
    row->done = !result.interrupted;
    row->completed = result.completed;
    row->rejected = result.rejected;
    row->shed = result.clients ? result.clients->shed : 0;
    row->lost = result.elastic ? result.elastic->requests.lost : 0;
    row->in_flight = result.in_flight;
    summary_destroy(summary);
    simulation_result_free(&result);
    return billed;
}

/* The user's assignments, the variant's, and the sweep's; returns how many. */
static size_t list_sets(const struct compare_jobs *jobs, size_t variant, char *swept, size_t size,
                        const struct compare_row *row, const char **sets)
{
    const struct scenario_compare *config = jobs->comparison->config;
    const struct config_list *own =
        &((const struct scenario_variant *)config->variants.items)[variant].set;
    size_t count = 0;
    for (size_t i = 0; i < jobs->request->set_count; i++)
        sets[count++] = jobs->request->sets[i];
    for (size_t i = 0; i < own->count; i++)
        sets[count++] = ((const char *const *)own->items)[i];
    if (config->sweep) {
        snprintf(swept, size, "%s=%.17g", config->sweep->set, row->at);
        sets[count++] = swept;
    }
    return count;
}

static bool run_row(const struct compare_jobs *jobs, struct workers *workers, size_t number,
                    struct error *error)
{
    enum { SWEPT_SIZE = 512, SETS_MAX = 400 };
    char swept[SWEPT_SIZE];
    const char *sets[SETS_MAX];
    struct compare_row *row = &jobs->comparison->rows[number];
    size_t count =
        list_sets(jobs, number / jobs->comparison->at_count, swept, sizeof swept, row, sets);
    struct scenario *scenario = scenario_read(jobs->request->path, sets, count, error);
    if (!scenario)
        return false;
    bool done = scenario->pool_count > 0
                    ? simulate(scenario, workers, row, error)
                    : error_set(error, ERROR_BAD_INPUT, "the scenario has no pools to run on");
    scenario_free(scenario);
    return done;
}

static void run_job(struct workers *workers, size_t job)
{
    struct compare_jobs *jobs = workers->context;
    if (!run_row(jobs, workers, job, &jobs->errors[job]))
        atomic_store(&workers->stop, true);
    atomic_fetch_add(&workers->done, 1);
}

/* --- all of them --- */

static void prepare(const struct scenario *scenario, struct comparison *comparison)
{
    const struct scenario_compare *config = scenario->config.compare;
    const struct scenario_variant *variants = config->variants.items;
    size_t at_count = config->sweep ? config->sweep->values.count : 1;
    size_t count = config->variants.count * at_count;
    *comparison =
        (struct comparison){.scenario = scenario,
                            .config = config,
                            .at_count = at_count,
                            .rows = ARENA_ARRAY(scenario->arena, count, struct compare_row)};
    for (size_t i = 0; i < count; i++)
        comparison->rows[i] = (struct compare_row){
            .variant = variants[i / at_count].name,
            .at =
                config->sweep ? ((const double *)config->sweep->values.items)[i % at_count] : NAN};
}

/* The first that went wrong, in the order of the rows. */
static bool tell_error(const struct comparison *comparison, const struct error *errors,
                       size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (errors[i].code == ERROR_NONE)
            continue;
        if (error) {
            *error = errors[i];
            snprintf(error->message, sizeof error->message, "variant \"%.80s\": %.300s",
                     comparison->rows[i].variant, errors[i].message);
        }
        return false;
    }
    return true;
}

bool compare_run(const struct scenario *scenario, const struct compare_request *request,
                 struct comparison *comparison, struct error *error)
{
    prepare(scenario, comparison);
    size_t count = comparison->config->variants.count * comparison->at_count;
    struct compare_jobs jobs = {.request = request,
                                .comparison = comparison,
                                .errors = ARENA_ARRAY(scenario->arena, count, struct error)};
    struct workers workers = {.threads = request->threads,
                              .jobs = count,
                              .job = run_job,
                              .context = &jobs,
                              .total = count,
                              .proceed = request->proceed,
                              .proceed_context = request->context};
    if (!workers_run(&workers, error) || !tell_error(comparison, jobs.errors, count, error))
        return false;
    comparison->interrupted = atomic_load(&workers.stop);
    return true;
}

/* --- claims --- */

static const struct compare_row *row_of(const struct comparison *comparison, const char *variant,
                                        size_t at)
{
    size_t first = 0;
    while (strcmp(comparison->rows[first].variant, variant) != 0)
        first += comparison->at_count;
    return &comparison->rows[first + at];
}

struct ratio_range compare_ratio(const struct comparison *comparison,
                                 const struct scenario_claim *claim)
{
    struct ratio_range range = {NAN, NAN, NAN};
    double best_of = NAN, best_over = NAN;
    for (size_t at = 0; at < comparison->at_count; at++) {
        const struct compare_row *of = row_of(comparison, claim->of, at);
        const struct compare_row *over = row_of(comparison, claim->over, at);
        if (!of->done || !over->done)
            continue;
        double ratio = of->values[claim->metric] / over->values[claim->metric];
        range.least = fmin(range.least, ratio); /* fmin and fmax pass over NaN */
        range.most = fmax(range.most, ratio);
        best_of = fmax(best_of, of->values[claim->metric]);
        best_over = fmax(best_over, over->values[claim->metric]);
    }
    range.best = best_of / best_over;
    return range;
}
