/* A ring of snapshots; rates, shares and percentiles from the difference of two of them. */
#include "models/elastic/scaler_history.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

const char *const scaler_metric_names[] = {"waiting",
                                           "waiting_in_replicas",
                                           "running",
                                           "outstanding",
                                           "requests_per_s",
                                           "prompt_tok_per_s",
                                           "output_tok_per_s",
                                           "utilisation_percent",
                                           "kv_used_percent",
                                           "ttft_s",
                                           "tpot_s",
                                           "e2e_s",
                                           "slo_missed_percent",
                                           NULL};

const char *const scaler_aggregate_names[] = {"sum", "average", NULL};

/* Upper bounds of vllm:time_to_first_token_seconds, vllm:time_per_output_token_seconds and
 * vllm:e2e_request_latency_seconds (vllm/v1/metrics/loggers.py, 0.9). What lies beyond the last
 * goes into one bucket more, as Prometheus' le="+Inf". */
static const double ttft_bounds_s[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                       0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10,
                                       20,    40,    80,   160,  640,  2560};
static const double tpot_bounds_s[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                                       0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
static const double e2e_bounds_s[] = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                      30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};

struct bounds {
    const double *upper_s;
    size_t count;
};

#define BOUNDS(array) ((struct bounds){array, sizeof array / sizeof array[0]})

static struct bounds bounds_of(enum scaler_metric metric)
{
    return metric == SCALER_TTFT_S   ? BOUNDS(ttft_bounds_s)
           : metric == SCALER_TPOT_S ? BOUNDS(tpot_bounds_s)
                                     : BOUNDS(e2e_bounds_s);
}

void scaler_observe(struct scaler_histogram *histogram, enum scaler_metric metric, double value_s)
{
    struct bounds bounds = bounds_of(metric);
    size_t bucket = 0;
    while (bucket < bounds.count && value_s > bounds.upper_s[bucket])
        bucket++;
    histogram->counts[bucket]++;
}

/* --- snapshots --- */

struct scaler_snapshot {
    tick_t when;
    struct scaler_metrics metrics;
};

static const struct scaler_snapshot beginning = {0};

bool scaler_history_open(struct scaler_history *history, double window_s, double period_s)
{
    /* One at either end of the window. */
    history->capacity = (size_t)ceil(window_s / period_s) + 2;
    history->ring = calloc(history->capacity, sizeof *history->ring);
    return history->ring;
}

void scaler_history_close(struct scaler_history *history)
{
    free(history->ring);
}

void scaler_history_add(struct scaler_history *history, const struct scaler_metrics *metrics,
                        tick_t now)
{
    if (history->count > 0)
        history->newest = (history->newest + 1) % history->capacity;
    if (history->count < history->capacity)
        history->count++;
    history->ring[history->newest] = (struct scaler_snapshot){now, *metrics};
}

/* The age-th before the newest; what was before all is the beginning, if nothing is forgotten. */
static const struct scaler_snapshot *snapshot(const struct scaler_history *history, size_t age)
{
    if (age >= history->count && history->count < history->capacity)
        return &beginning;
    if (age >= history->count)
        age = history->count - 1;
    return &history->ring[(history->newest + history->capacity - age) % history->capacity];
}

/* The newest snapshot that is at least as old as the window, or else the oldest there is. */
static const struct scaler_snapshot *window_start(const struct scaler_history *history,
                                                  const struct scaler_reading *reading)
{
    if (isnan(reading->window_s))
        return snapshot(history, 1);
    tick_t start = snapshot(history, 0)->when - tick_from_s(reading->window_s);
    size_t age = 1;
    while (age < history->count && snapshot(history, age)->when > start)
        age++;
    return snapshot(history, age);
}

/* --- what a window shows --- */

struct window {
    const struct scaler_metrics *from, *to;
    double length_s;
};

static double rate(const struct window *window, uint64_t from, uint64_t to)
{
    return window->length_s > 0 ? (double)(to - from) / window->length_s : NAN;
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : NAN;
}

/* As histogram_quantile of Prometheus: within a bucket linearly, and the last finite bound for
 * what lies beyond it. */
static double percentile_s(const struct scaler_histogram *from, const struct scaler_histogram *to,
                           enum scaler_metric metric, double percentile)
{
    struct bounds bounds = bounds_of(metric);
    uint64_t total = 0;
    for (size_t i = 0; i <= bounds.count; i++)
        total += to->counts[i] - from->counts[i];
    if (total == 0)
        return NAN;
    double rank = percentile / 100 * (double)total, below = 0;
    for (size_t i = 0; i < bounds.count; i++) {
        double here = (double)(to->counts[i] - from->counts[i]);
        if (here > 0 && below + here >= rank) {
            double lower_s = i > 0 ? bounds.upper_s[i - 1] : 0;
            return lower_s + (bounds.upper_s[i] - lower_s) * (rank - below) / here;
        }
        below += here;
    }
    return bounds.upper_s[bounds.count - 1];
}

/* Of the whole pool: sums of what can be summed up, means of what cannot. */
static double read_window(const struct window *window, const struct scaler_reading *reading)
{
    const struct scaler_metrics *from = window->from, *to = window->to;
    bool shown = to->ready > 0; /* replicas show metrics of their own while they are there */
    switch ((enum scaler_metric)reading->metric) {
    case SCALER_WAITING:
        return (double)(to->held + to->waiting);
    case SCALER_WAITING_IN_REPLICAS:
        return shown ? (double)to->waiting : NAN;
    case SCALER_RUNNING:
        return shown ? (double)to->running : NAN;
    case SCALER_OUTSTANDING:
        return (double)(to->held + to->waiting + to->running);
    case SCALER_REQUESTS_PER_S:
        return rate(window, from->arrived, to->arrived);
    case SCALER_PROMPT_TOK_PER_S:
        return rate(window, from->arrived_prompt_tok, to->arrived_prompt_tok);
    case SCALER_OUTPUT_TOK_PER_S:
        return rate(window, from->output_tok, to->output_tok);
    case SCALER_UTILISATION_PERCENT:
        return shown ? percent(to->busy_s - from->busy_s, to->ready_s - from->ready_s) : NAN;
    case SCALER_KV_USED_PERCENT:
        return percent(to->kv_used, (double)to->ready);
    case SCALER_TTFT_S:
        return percentile_s(&from->ttft, &to->ttft, SCALER_TTFT_S, reading->percentile);
    case SCALER_TPOT_S:
        return percentile_s(&from->tpot, &to->tpot, SCALER_TPOT_S, reading->percentile);
    case SCALER_E2E_S:
        return percentile_s(&from->e2e, &to->e2e, SCALER_E2E_S, reading->percentile);
    case SCALER_SLO_MISSED_PERCENT:
        return percent((double)(to->missed_slo - from->missed_slo),
                       (double)(to->ended - from->ended));
    }
    assert(false && "a metric that does not exist");
    return NAN;
}

static enum scaler_aggregate own_aggregate(int metric)
{
    return metric >= SCALER_UTILISATION_PERCENT ? SCALER_AVERAGE : SCALER_SUM;
}

double scaler_read_as(const struct scaler_history *history, const struct scaler_reading *reading,
                      enum scaler_aggregate aggregate)
{
    const struct scaler_snapshot *now = snapshot(history, 0);
    const struct scaler_snapshot *then = window_start(history, reading);
    struct window window = {&then->metrics, &now->metrics, tick_to_s(now->when - then->when)};
    double value = read_window(&window, reading), ready = (double)now->metrics.ready;
    enum scaler_aggregate own = own_aggregate(reading->metric);
    if (aggregate == own)
        return value;
    if (aggregate == SCALER_SUM)
        return value * ready;
    return ready > 0 ? value / ready : NAN;
}

double scaler_read(const struct scaler_history *history, const struct scaler_reading *reading)
{
    bool own = reading->aggregate < 0;
    return scaler_read_as(history, reading,
                          own ? own_aggregate(reading->metric)
                              : (enum scaler_aggregate)reading->aggregate);
}
