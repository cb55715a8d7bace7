/* A hand-made run of two pools, two classes and two SLO rules, for tests of what is made of
 * results.
 *
 * Every latency is a plain number, so that a test can say what must come out. */
#ifndef TOKENYARD_TESTS_ANALYSIS_SAMPLE_RUN_H
#define TOKENYARD_TESTS_ANALYSIS_SAMPLE_RUN_H

#include <math.h>
#include <stdlib.h>

#include "analysis/summary.h"

struct sample_run {
    struct pool_spec pools[2];
    struct engine_config engine; /* of both; it does nothing */
    struct pool_facts facts_of_pools[2];
    struct deployment_basis basis;
    struct class_rule classes[2];
    struct slo_rule slos[2];
    struct simulation_spec spec;
    struct run_facts facts;
    struct simulation_result result;
};

/* `count` completed requests, spread evenly between 1 and 2 times the given latencies. */
static inline void sample_latencies_add(struct latency_set *set, uint64_t count, double ttft_s,
                                        double tpot_s)
{
    for (uint64_t i = 0; i < count; i++) {
        double stretch = 1 + (double)(i + 1) / (double)count;
        histogram_add(&set->ttft, tick_from_s(ttft_s * stretch), 1);
        histogram_add(&set->tpot, tick_from_s(tpot_s * stretch), 1);
        histogram_add(&set->e2e, tick_from_s((ttft_s + 200 * tpot_s) * stretch), 1);
        histogram_add(&set->queue, tick_from_s(ttft_s * stretch / 4), 1);
    }
    set->completed += count;
    set->prompt_tok += 1000 * count;
    set->output_tok += 200 * count;
}

static inline void sample_run_specify(struct sample_run *run)
{
    run->pools[0] = (struct pool_spec){.name = "fast",
                                       .engine = &run->engine,
                                       .replicas = 2,
                                       .usd_per_hour = 3.0,
                                       .weight = 1,
                                       .busy_w = 700,
                                       .idle_w = 90};
    run->pools[1] = (struct pool_spec){.name = "cheap",
                                       .engine = &run->engine,
                                       .replicas = 4,
                                       .usd_per_hour = 0.5,
                                       .weight = 1,
                                       .busy_w = 300,
                                       .idle_w = 30};
    run->basis = deployment_basis_of(STEP_TIME_GIVEN);
    run->facts_of_pools[0] = (struct pool_facts){"H100-SXM", "p5.48xlarge", 1, &run->basis};
    run->facts_of_pools[1] = (struct pool_facts){"L40S", NULL, 2, &run->basis};
    run->classes[0] = (struct class_rule){.name = "long", .stream = -1};
    run->classes[1] = (struct class_rule){.name = "rest", .stream = -1};
    run->slos[0] = (struct slo_rule){0, 2.0, NAN, NAN, 95};
    run->slos[1] = (struct slo_rule){-1, NAN, 0.05, 60, 99};
    run->spec = (struct simulation_spec){
        .pools = run->pools,
        .pool_count = 2,
        .classes = run->classes,
        .class_count = 2,
        .slos = run->slos,
        .slo_count = 2,
        .seed = 7,
        .horizon_s = INFINITY,
    };
    run->facts = (struct run_facts){"sample", &run->spec, run->facts_of_pools};
}

/* Without results: nothing arrived. */
static inline struct sample_run *sample_run_create_empty(void)
{
    struct sample_run *run = calloc(1, sizeof *run);
    sample_run_specify(run);
    run->result.by_class = calloc(2, sizeof *run->result.by_class);
    run->result.pools = calloc(2, sizeof *run->result.pools);
    run->result.slos = calloc(2, sizeof *run->result.slos);
    for (int i = 0; i < 2; i++) {
        latency_set_clear(&run->result.by_class[i]);
        pool_result_clear(&run->result.pools[i]);
        run->result.slos[i].kept = true;
    }
    return run;
}

/* 1,000 requests in 100 s: 300 long, 700 of the rest of which 100 are rejected. */
static inline struct sample_run *sample_run_create(void)
{
    struct sample_run *run = sample_run_create_empty();
    struct simulation_result *result = &run->result;
    result->arrived = 1010;
    result->completed = 900;
    result->rejected = 100;
    result->in_flight = 10;
    result->skipped = 3;
    result->end_s = result->measured_s = 100;
    result->window_completed = 900;
    result->window_prompt_tok = 900000;
    result->window_output_tok = 180000;
    result->events = 12345;
    result->iterations = 54321;
    sample_latencies_add(&result->by_class[0], 300, 0.4, 0.020);
    sample_latencies_add(&result->by_class[1], 600, 0.1, 0.010);
    result->by_class[0].slo_met = 300;
    result->by_class[1].slo_met = 450;
    result->by_class[1].rejected = 100;
    result->slos[0] = (struct slo_result){.requests = 300, .met = 294, .kept = true};
    result->slos[1] = (struct slo_result){.requests = 1000, .met = 800, .kept = false};
    for (int i = 0; i < 2; i++) {
        struct pool_result *pool = &result->pools[i];
        pool->arrived = i ? 510 : 500;
        pool->completed = i ? 400 : 500;
        pool->rejected = i ? 100 : 0;
        pool->in_flight = i ? 10 : 0;
        pool->preemptions = i ? 17 : 0;
        pool->iterations = 27000;
        pool->prompt_tok = 1000 * pool->completed;
        pool->output_tok = 200 * pool->completed;
        pool->prefill_tok = pool->prompt_tok;
        pool->busy_s = i ? 300 : 150;
        pool->replica_s = 100 * run->pools[i].replicas;
        pool->mean_batch = i ? 12.5 : 31.25;
        pool->peak_kv = i ? 1.0 : 0.625;
        pool->kv_blocks = 10000;
        pool->cost_usd = run->pools[i].usd_per_hour * run->pools[i].replicas * 100 / 3600;
        pool->energy_j = i ? 93000 : 109500;
        histogram_add(&pool->itl, tick_from_s(i ? 0.020 : 0.010), 1000);
    }
    return run;
}

static inline void sample_run_destroy(struct sample_run *run)
{
    free(run->result.by_class);
    free(run->result.pools);
    free(run->result.slos);
    free(run);
}

#endif
