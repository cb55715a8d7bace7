/* What a metrics server sees of a pool: the input of every scaler.
 *
 * The fleet fills a struct scaler_metrics when a scaler wants to be called. Gauges are as they are
 * at that moment. Counters are totals since the start, over all replicas that the pool ever had,
 * and never fall; scalers difference them over windows of their own
 * (models/elastic/scaler_window.h), as rate() does in Prometheus. Latencies are counted in the
 * buckets of vLLM's own histograms, so that a quantile is as coarse as the one a real autoscaler is
 * given.
 *
 * Plain values: copy them, keep them in an array. */
#ifndef TOKENYARD_MODELS_ELASTIC_SCALER_METRICS_H
#define TOKENYARD_MODELS_ELASTIC_SCALER_METRICS_H

#include <stdint.h>

enum scaler_metric {
    SCALER_WAITING,             /* requests in the replicas' queues, and held while none is ready */
    SCALER_WAITING_IN_REPLICAS, /* vllm:num_requests_waiting: absent while no replica is ready */
    SCALER_RUNNING,             /* vllm:num_requests_running */
    SCALER_OUTSTANDING,         /* waiting and running: concurrency as a gateway counts it */
    SCALER_REQUESTS_PER_S,
    SCALER_PROMPT_TOK_PER_S,
    SCALER_OUTPUT_TOK_PER_S,
    SCALER_UTILISATION_PERCENT, /* share of time iterating, as DCGM_FI_DEV_GPU_UTIL shows */
    SCALER_KV_USED_PERCENT,     /* vllm:kv_cache_usage_perc */
    SCALER_TTFT_S,              /* these three: a percentile over the window */
    SCALER_TPOT_S,
    SCALER_E2E_S,
    SCALER_SLO_MISSED_PERCENT, /* of the requests that ended in the window */
};

extern const char *const scaler_metric_names[]; /* NULL ends it */

#define SCALER_BUCKETS 23 /* the longest of vLLM's lists, and one for what lies beyond */

/* How many observations fell into each bucket (not summed up). */
struct scaler_histogram {
    uint64_t counts[SCALER_BUCKETS];
};

/* metric: SCALER_TTFT_S, SCALER_TPOT_S or SCALER_E2E_S. */
void scaler_observe(struct scaler_histogram *histogram, enum scaler_metric metric, double value_s);

struct scaler_metrics {
    /* Replicas that the scaler asked for last, whatever became of it (a Deployment's
     * spec.replicas). */
    int64_t desired;
    /* Those that exist (status.replicas): ready; running but not ready, so without metrics
     * (loading weights, warming up); asked for but not running yet (no node, pulling the image). */
    int64_t ready, unready, pending;

    uint64_t held;    /* requests that wait outside, because no replica is ready */
    uint64_t waiting; /* in the queues of the ready replicas */
    uint64_t running;
    double kv_used; /* shares of the KV cache in use, summed over the ready replicas */

    uint64_t arrived; /* requests, those held among them */
    uint64_t arrived_prompt_tok;
    uint64_t output_tok; /* generated */
    uint64_t ended, missed_slo;
    double busy_s;  /* replica-seconds spent iterating */
    double ready_s; /* replica-seconds ready */
    struct scaler_histogram ttft, tpot, e2e;
};

#endif
