/* From what replicas and requests left to the numbers of simulation_result. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/fleet/simulation_parts.h"

void pool_result_clear(struct pool_result *pool)
{
    memset(pool, 0, sizeof *pool);
    histogram_clear(&pool->ttft);
    histogram_clear(&pool->tpot);
    histogram_clear(&pool->e2e);
    histogram_clear(&pool->itl);
}

void latency_set_clear(struct latency_set *set)
{
    *set = (struct latency_set){0};
    histogram_clear(&set->ttft);
    histogram_clear(&set->tpot);
    histogram_clear(&set->e2e);
    histogram_clear(&set->queue);
}

static void sum_up_pool(struct simulation *sim, uint32_t pool)
{
    const struct pool_spec *spec = &sim->spec->pools[pool];
    struct pool_result *result = &sim->result->pools[pool];
    tick_t busy = 0;
    unsigned __int128 sequence_ticks = 0;
    int64_t peak_blocks = 0;
    double slots_taken = 0, slots_held = 0, decode_iterations = 0;
    for (uint32_t i = 0; i < spec->replicas; i++) {
        const struct engine *engine = &sim->engines[sim->first_replica[pool] + i];
        const struct engine_totals *totals = &engine->totals;
        tick_t open = busy_in_run(engine, sim->now);
        busy += totals->busy + open;
        sequence_ticks +=
            totals->sequence_ticks +
            (unsigned __int128)(engine->decodes + engine->run.chunks) * (uint64_t)open;
        result->iterations += totals->iterations;
        result->preemptions += totals->preemptions;
        result->prefill_tok += totals->prefill_tok;
        result->verified += totals->verified;
        result->verified_tok += totals->verified_tok;
        adapter_totals_add(&result->adapters, &engine->adapters.totals);
        result->swaps += totals->swaps;
        slots_taken += (double)totals->slots_taken;
        slots_held += (double)totals->slots_held;
        decode_iterations += (double)engine->token;
        int64_t open_blocks = engine_blocks_at(engine, last_tick(sim));
        peak_blocks = totals->peak_blocks > peak_blocks ? totals->peak_blocks : peak_blocks;
        peak_blocks = open_blocks > peak_blocks ? open_blocks : peak_blocks;
    }
    sharing_sum_up(sim, pool);
    double end_s = tick_to_s(sim->now);
    result->in_flight = result->arrived + result->handed_in + result->moved_in -
                        result->handed_out - result->moved_out - result->completed -
                        result->rejected - result->cancelled;
    result->busy_s = tick_to_s(busy);
    result->mean_batch = busy > 0 ? (double)sequence_ticks / (double)busy : 0;
    result->mean_outstanding = time_stat_mean(&sim->outstanding[pool], sim->now);
    result->max_outstanding = (uint64_t)sim->outstanding[pool].max;
    result->kv_blocks = (uint64_t)sim->configs[pool].kv_blocks;
    result->peak_kv = (double)peak_blocks / (double)sim->configs[pool].kv_blocks;
    double slots = (double)result->kv_blocks * sim->configs[pool].block_tok;
    result->kv_slots_taken = slots_taken > 0 ? slots_taken / (decode_iterations * slots) : NAN;
    result->kv_slots_held = slots_taken > 0 ? slots_held / slots_taken : NAN;
    if (sim->elastic) /* which has counted what was there */
        return;
    result->replica_s = spec->replicas * end_s;
    result->cost_usd = spec->usd_per_hour * result->replica_s / 3600;
    result->energy_j =
        spec->idle_w * result->replica_s + (spec->busy_w - spec->idle_w) * result->busy_s;
}

/* Pools have counted attempts; a request's are counted once. */
static void sum_up_clients(struct simulation *sim)
{
    struct simulation_result *result = sim->result;
    const struct client_result *clients = result->clients;
    clients_judge_unsent(sim);
    result->arrived -= clients->retries;
    result->cancelled = clients->timed_out + clients->stopped;
    result->in_flight += clients_unsent_count(sim);
    result->in_flight -= clients_abandoned_count(sim);
}

/* Records that are not those of requests in flight. */
static uint32_t others_records(const struct simulation *sim)
{
    return disaggregation_shadows(sim) + (sim->clients ? clients_abandoned_count(sim) : 0);
}

/* Whoever has left has given back all memory. */
static void check_memory(const struct simulation *sim)
{
    for (uint32_t i = 0; i < sim->replicas; i++) {
        const struct engine *engine = &sim->engines[i];
        assert(engine->used_blocks == 0 && engine->held_blocks == 0);
        assert(engine->reserved_blocks == 0 && engine->swapped_blocks == 0);
        assert(engine->context_tok == 0 && engine_running(engine) == 0);
    }
}

void sum_up(struct simulation *sim)
{
    struct simulation_result *result = sim->result;
    for (uint32_t i = 0; i < sim->replicas; i++) {
        engine_settle(&sim->engines[i], sim->now);
        engine_line_up(&sim->engines[i]);
        judge_list(sim, sim->engines[i].running.head);
        judge_list(sim, sim->engines[i].swapped.head);
        judge_list(sim, sim->engines[i].queue.head);
        judge_list(sim, sim->engines[i].loading.head);
        judge_list(sim, sim->engines[i].loaded.head);
        judge_list(sim, sim->engines[i].fetching.head);
        judge_list(sim, sim->engines[i].fetched.head);
    }
    for (uint32_t pool = 0; pool < sim->spec->pool_count; pool++) {
        sum_up_pool(sim, pool);
        result->arrived += result->pools[pool].arrived;
        result->completed += result->pools[pool].completed;
        result->rejected += result->pools[pool].rejected;
        result->in_flight += result->pools[pool].in_flight;
        result->iterations += result->pools[pool].iterations;
    }
    if (sim->elastic)
        elastic_sum_up(sim);
    if (sim->clients)
        sum_up_clients(sim);
    if (sim->requests.in_use == 0)
        check_memory(sim);
    assert(result->arrived ==
           result->completed + result->rejected + result->cancelled + result->in_flight);
    assert(result->in_flight + others_records(sim) == sim->requests.in_use);
    if (sim->disaggregation)
        disaggregation_sum_up(sim);
    result->skipped = source_skipped(sim->spec->source);
    result->end_s = tick_to_s(sim->now);
    result->measured_s = fmax(0, result->end_s - sim->spec->warmup_s);
    for (size_t i = 0; i < sim->spec->slo_count; i++) {
        struct slo_result *slo = &result->slos[i];
        double needed = sim->spec->slos[i].percentile / 100 * (double)slo->requests;
        slo->kept = (double)slo->met >= needed * (1 - 1e-12);
    }
}

void simulation_result_free(struct simulation_result *result)
{
    free(result->by_class);
    free(result->pools);
    free(result->slos);
    free(result->transfers);
    free(result->clients);
    elastic_result_free(result->elastic);
    *result = (struct simulation_result){0};
}
