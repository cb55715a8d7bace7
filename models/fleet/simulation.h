/* One simulation: arrivals through a router into pools of replicas, to numbers.
 *
 * A simulation is a value: no globals, any number run side by side. Requests flow left to right and
 * are counted once: arrived = completed + rejected + cancelled + in_flight, always. Memory is
 * bounded by what is in flight. The same spec gives the same result, bit for bit, also stepwise. */
#ifndef TOKENYARD_MODELS_FLEET_SIMULATION_H
#define TOKENYARD_MODELS_FLEET_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/engine/engine.h"
#include "models/fleet/client_settings.h"
#include "models/fleet/clients.h"
#include "models/fleet/disaggregation.h"
#include "models/fleet/elasticity.h"
#include "models/fleet/router.h"
#include "sim/error.h"
#include "sim/histogram.h"
#include "workloads/source.h"

#define REQUEST_CLASSES_MAX 64

/* First rule that matches names the request's class; the last rule should match all. */
struct class_rule {
    const char *name;
    int64_t stream; /* only requests of this workload stream; -1: any */
    uint32_t prompt_min_tok, prompt_max_tok, output_min_tok, output_max_tok; /* inclusive */
};

/* Initialises a rule that matches every request. */
#define CLASS_RULE_ALL(rule_name)                                                                  \
    {                                                                                              \
        .name = (rule_name), .stream = -1, .prompt_max_tok = UINT32_MAX,                           \
        .output_max_tok = UINT32_MAX                                                               \
    }

/* The first rule that matches; count when none does. */
static inline size_t class_rule_first(const struct class_rule *rules, size_t count, uint32_t stream,
                                      uint32_t prompt_tok, uint32_t output_tok)
{
    size_t i = 0;
    while (i < count &&
           ((rules[i].stream >= 0 && rules[i].stream != stream) ||
            prompt_tok < rules[i].prompt_min_tok || prompt_tok > rules[i].prompt_max_tok ||
            output_tok < rules[i].output_min_tok || output_tok > rules[i].output_max_tok))
        i++;
    return i;
}

/* Bounds on the latency of one class (or all), which `percentile` of its requests must keep. */
struct slo_rule {
    int64_t class_index;          /* -1: every class */
    double ttft_s, tpot_s, e2e_s; /* NaN: not bounded. All that are given must be kept. */
    double percentile;            /* 0..100 */
};

struct pool_spec {
    const char *name;
    const struct engine_config *engine; /* policy, limits, KV blocks, step time */
    uint32_t replicas;                  /* at most, where they come and go */
    double usd_per_hour;                /* of one replica, while it exists */
    uint32_t model;                     /* that it serves; of class_models */
    double weight;         /* relative capacity that least-outstanding routers divide by */
    double busy_w, idle_w; /* electrical power of one replica */
    enum pool_role role;
    struct kv_port port; /* looked at only where a pool has a role */
};

/* What one ended request looked like. Times in seconds; NaN where they do not apply (rejected or
 * timed out). */
struct request_record {
    double arrival_s, queue_s, ttft_s, tpot_s, e2e_s;
    uint32_t prompt_tok, output_tok, class_index, pool, replica, preemptions;
    bool rejected, timed_out, stopped; /* none of them: it completed */
    /* Of one that was prefilled elsewhere: where, and the time from its complete prompt to its KV
     * cache's arrival. Otherwise the highest number, and NaN. */
    uint32_t prefill_pool, prefill_replica;
    double handover_s;
};

/* State of one pool at a sample time. */
struct pool_sample {
    uint32_t waiting, running;
    uint64_t arrived, completed; /* so far */
    struct plane_view nodes;     /* zeros where all replicas exist always */
    double kv_used;              /* share of the pool's KV blocks */
    double power_w;              /* mean over the interval since the last sample */
    double busy;                 /* share of the interval that its replicas were iterating */
};

/* One engine iteration, or a run of k equal-batch ones (fast-forward), of one replica. */
struct iteration_span {
    uint32_t pool, replica;
    double start_s, end_s;
    uint64_t iterations;
    uint32_t decodes;     /* sequences that decode */
    uint32_t prefill_tok; /* prompt tokens processed */
};

/* All optional; NULL costs nothing. */
struct simulation_observer {
    void *context;
    void (*request)(void *context, const struct request_record *record);
    /* Returns the seconds until the next sample (above 0; INFINITY: no more), so that a sampler can
     * slow down as a run of unknown length grows. The end is sampled, too. */
    double (*sample)(void *context, double time_s, const struct pool_sample *pools, size_t count);
    void (*span)(void *context, const struct iteration_span *span);
    /* Called every few thousand events; false stops the simulation, which reports what it has. */
    bool (*proceed)(void *context, double time_s, uint64_t completed);
};

struct simulation_spec {
    struct source *source;
    const struct pool_spec *pools;
    size_t pool_count;
    const struct router_config *router;
    struct output_prediction output_prediction; /* that routers go by */
    /* NULL where no pool has a role; otherwise disaggregation_check has accepted the pools. */
    const struct disaggregation_config *disaggregation;
    const struct class_rule *classes;
    size_t class_count;                /* 1..REQUEST_CLASSES_MAX */
    const struct class_traits *traits; /* [class_count]; NULL: as the engines of the pools say */
    const uint32_t *class_models;   /* [class_count]: what its requests ask for; NULL: all for 0 */
    uint32_t model_count;           /* of them, at most ROUTER_MODELS_MAX; 0 is 1. Some pool serves
                                     * each that is asked for */
    const char *const *model_names; /* [model_count]; for reports */
    const struct client_rule *clients;  /* [class_count]; NULL: nobody gives up */
    const struct elastic_spec *elastic; /* NULL: all replicas exist always */
    const struct slo_rule *slos;
    size_t slo_count;
    uint64_t seed, replication;
    double horizon_s;         /* stop here; INFINITY: when all requests have ended */
    double warmup_s;          /* requests that arrive before it are simulated, not measured */
    double sample_interval_s; /* the first observer.sample is at this time; it asks for the next */
    bool stepwise;            /* simulate every iteration: the oracle of fast-forward */
    struct simulation_observer observer;
};

struct latency_set {
    struct histogram ttft, tpot, e2e, queue;
    uint64_t completed, rejected, timed_out, stopped; /* measured ones */
    uint64_t prompt_tok, output_tok;
    uint64_t slo_met; /* completed or stopped ones that kept every bound that applies to them */
    uint64_t late;    /* measured ones in flight at the end that have broken a bound already */
};

/* As it is before any request: zeros, and empty histograms. */
void latency_set_clear(struct latency_set *set);

struct slo_result {
    uint64_t requests, met; /* measured requests it applies to; rejected ones missed it, and so did
                             * those that are in flight at the end and past it */
    bool kept;              /* met / requests >= percentile; true when there are none */
};

struct pool_result {
    uint64_t arrived, completed, rejected, in_flight, preemptions, iterations;
    uint64_t swaps; /* preemptions that copied the KV cache to host memory */
    /* Means over iterations that decode, of the slots of the KV cache: the share that is taken, and
     * of that the share that holds a token. NaN where the engine does not count them. */
    double kv_slots_taken, kv_slots_held;
    uint64_t cancelled; /* attempts that were given up or stopped; the others count attempts, too */
    uint64_t moved_out, moved_in;    /* begun or waiting here when its replica went, and sent
                                      * elsewhere; the other way round */
    uint64_t handed_out, handed_in;  /* prefilled here, to decode elsewhere; the other way round */
    uint64_t prompt_tok, output_tok; /* of completed requests */
    uint64_t prefill_tok;            /* computed, recomputation included */
    double busy_s;                   /* summed over replicas */
    double mean_batch;               /* sequences per iteration, weighted by time, while busy */
    double mean_outstanding;         /* requests sent there that had not ended, over time */
    uint64_t max_outstanding;
    double peak_kv;                  /* largest share of one replica's KV blocks in use */
    uint64_t kv_blocks;              /* of one replica */
    uint64_t verified, verified_tok; /* decodes of iterations that drafted; what they emitted */
    struct adapter_totals adapters;
    double replica_s; /* summed over replicas: the time that they served */
    double cost_usd;
    double energy_j;
    struct prefix_totals prefix;      /* zeros while no request names what it shares */
    struct histogram ttft, tpot, e2e; /* of the measured requests that it completed */
    struct histogram itl;
};

void pool_result_clear(struct pool_result *pool);

struct simulation_result {
    uint64_t arrived, completed, rejected, cancelled, in_flight;
    uint64_t skipped; /* by the source, see source_skipped */
    /* All that completed after the warm-up, whenever it arrived: what throughput is made of. */
    uint64_t window_completed, window_prompt_tok, window_output_tok;
    bool interrupted;                  /* the observer stopped it */
    double end_s;                      /* simulated time at the end */
    double measured_s;                 /* end_s - warmup_s */
    struct latency_set *by_class;      /* class_count of them */
    struct pool_result *pools;         /* pool_count of them */
    struct slo_result *slos;           /* slo_count of them */
    struct transfer_result *transfers; /* NULL without disaggregation */
    struct client_result *clients;     /* NULL where nobody gives up */
    struct elastic_result *elastic;    /* NULL where all replicas exist always */
    uint64_t events, iterations;
};

/* On success fills result, which the caller frees with simulation_result_free. */
bool simulation_run(const struct simulation_spec *spec, struct simulation_result *result,
                    struct error *error);
void simulation_result_free(struct simulation_result *result);

#endif
