#include "analysis/plan_trial.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/elastic_report.h"
#include "analysis/plan_quantile.h"
#include "analysis/workers.h"

#define BATCH 8

/* Sums of many prices round. */
#define FORGIVEN 1e-9

/* --- one replication --- */

static uint32_t hours_within(const struct plan_hours *hours, double budget_usd_h)
{
    uint32_t within = 0;
    for (uint32_t h = 0; h < hours->count; h++)
        within += hours->usd[h] <= budget_usd_h * (1 + FORGIVEN);
    return within;
}

static void take_result(const struct plan_trial *trial, const struct simulation_result *result,
                        const struct summary *summary, struct plan_replication *replication)
{
    const struct elastic_result *elastic = result->elastic;
    plan_hours_of(&elastic->usage, trial->on_demand_usd, &replication->hours);
    replication->hours_within = hours_within(&replication->hours, trial->budget_usd_h);
    replication->slo_kept = summary->slo_kept;
    replication->requests_per_s = summary->requests_per_s;
    replication->output_tok_per_s = summary->output_tok_per_s;
    replication->goodput_requests_per_s = summary->goodput_requests_per_s;
    replication->attainment = summary->attainment;
    replication->usd_per_hour = summary->usd_per_hour;
    for (size_t i = 0; i < trial->replay.spec.pool_count; i++)
        replication->interruptions += elastic->pools[i].interruptions;
    replication->refused = elastic->spend.refused;
    replication->shed = elastic->spend.shed;
    replication->lost_requests = elastic->requests.lost;
    replication->moved_requests = elastic->requests.moved;
}

static bool simulate(struct plan_trial *trial, size_t number, struct plan_replication *replication)
{
    struct simulation_spec spec = scenario_spec(trial->replay.scenario, number);
    spec.source = scenario_open_source(trial->replay.scenario, number, &replication->error);
    if (!spec.source)
        return false;
    struct simulation_result result;
    bool ok = simulation_run(&spec, &result, &replication->error);
    source_destroy(spec.source);
    if (!ok)
        return false;
    /* Replication 0 is what is shown, and its summary outlives the specification made here. */
    const struct simulation_spec *shown = number == 0 ? &trial->replay.spec : &spec;
    struct run_facts facts = {trial->replay.scenario->config.name, shown, trial->replay.facts};
    struct summary *summary = summary_create(&facts, &result);
    take_result(trial, &result, summary, replication);
    simulation_result_free(&result);
    if (number == 0)
        trial->replay.summary = summary;
    else
        summary_destroy(summary);
    return true;
}

/* --- batches --- */

static void do_job(struct workers *workers, size_t job)
{
    struct plan_trial *trial = workers->context;
    size_t number = trial->done + job;
    simulate(trial, number, &trial->replications[number]);
    atomic_fetch_add(&workers->done, 1);
}

static bool holds(const struct plan_replication *replication)
{
    return replication->hours_within == replication->hours.count && replication->slo_kept;
}

static bool count_batch(struct plan_trial *trial, size_t size, struct error *error)
{
    for (size_t i = 0; i < size; i++) {
        const struct plan_replication *replication = &trial->replications[trial->done++];
        if (replication->error.code != ERROR_NONE) {
            if (error)
                *error = replication->error;
            return false;
        }
        trial->held += holds(replication);
        trial->over_budget += replication->hours_within < replication->hours.count;
        trial->slo_missed += !replication->slo_kept;
    }
    return true;
}

static bool run_batch(struct plan_trial *trial, struct error *error)
{
    size_t left = trial->asked - trial->done, size = left < BATCH ? left : BATCH;
    struct workers workers = {.jobs = size, .job = do_job, .context = trial, .total = size};
    return workers_run(&workers, error) && count_batch(trial, size, error);
}

static bool can_hold(const struct plan_trial *trial)
{
    return trial->asked - (trial->done - trial->held) >= trial->needed;
}

/* Markets, then one for each pool's nodes that are of none. */
static void take_on_demand_prices(struct plan_trial *trial)
{
    const struct simulation_spec *spec = &trial->replay.spec;
    const struct elastic_spec *elastic = spec->elastic;
    trial->on_demand_usd = ARENA_ARRAY(trial->replay.scenario->arena,
                                       elastic->market_count + spec->pool_count, double);
    double *usd = trial->on_demand_usd;
    for (uint32_t m = 0; m < elastic->market_count; m++)
        *usd++ = market_spec_on_demand_usd(elastic->markets[m]);
    for (size_t i = 0; i < spec->pool_count; i++)
        *usd++ = elastic->pools[i].usd_per_hour / elastic->pools[i].instances_per_node;
}

bool plan_trial_run(const char *path, const struct plan_trial_options *options,
                    struct plan_trial *trial, struct error *error)
{
    *trial = (struct plan_trial){.asked = options->replications,
                                 .needed =
                                     plan_trials_needed(options->replications, options->confidence),
                                 .budget_usd_h = options->budget_usd_h};
    if (!plan_replay_open(path, &trial->replay, error))
        return false;
    take_on_demand_prices(trial);
    trial->replications = calloc(trial->asked, sizeof *trial->replications);
    if (!trial->replications)
        out_of_memory();
    while (trial->done < trial->asked && (options->to_the_end || can_hold(trial)))
        if (!run_batch(trial, error))
            return false;
    trial->holds = trial->held >= trial->needed;
    return true;
}

static double likely_usd(const struct plan_trial *trial, uint32_t hour, double confidence,
                         double *scratch)
{
    for (size_t r = 0; r < trial->done; r++) {
        const struct plan_hours *hours = &trial->replications[r].hours;
        scratch[r] = hour < hours->count ? hours->usd[hour] : 0;
    }
    return plan_quantile(scratch, trial->done, confidence);
}

double plan_trial_highest_usd(const struct plan_trial *trial, double confidence)
{
    uint32_t hours = 0;
    double highest_usd = 0, *scratch = malloc((trial->done + 1) * sizeof *scratch);
    if (!scratch)
        out_of_memory();
    for (size_t r = 0; r < trial->done; r++)
        hours =
            trial->replications[r].hours.count > hours ? trial->replications[r].hours.count : hours;
    for (uint32_t h = 0; h < hours; h++)
        highest_usd = fmax(highest_usd, likely_usd(trial, h, confidence, scratch));
    free(scratch);
    return highest_usd;
}

void plan_trial_clear(struct plan_trial *trial)
{
    for (size_t r = 0; trial->replications && r < trial->asked; r++)
        plan_hours_free(&trial->replications[r].hours);
    free(trial->replications);
    plan_replay_clear(&trial->replay);
    *trial = (struct plan_trial){0};
}
