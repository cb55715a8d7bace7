/* Knative's pod autoscaler (KPA): concurrency, averaged over a stable and over a panic window.
 *
 * Source: knative/serving, pkg/autoscaler/scaling/autoscaler.go, and "Autoscaling" in Knative's
 * documentation (the config map config-autoscaler, for the defaults). Each window asks for
 *
 *   ceil(concurrency / (target x target_utilisation))
 *
 * within a factor of what is ready. Where the panic window asks for panic_threshold times the ready
 * replicas, the scaler panics: until that has been over for a stable window, it follows the larger
 * of the two and takes nothing away. A pool that nothing was asked of for a stable window goes to
 * zero after the grace period. */
#include <math.h>
#include <stdlib.h>

#include "models/elastic/scaler_policy.h"

static const struct config_field knative_fields[] = {
    {.name = "target",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_knative_config, target),
     .preset = "100",
     .min = 0.01,
     .max = 1e9,
     .doc = "requests at once per replica (container-concurrency-target-default)"},
    {.name = "target_utilisation_percent",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_knative_config, target_utilisation_percent),
     .preset = "70",
     .min = 1,
     .max = 100,
     .doc = "share of the target that is aimed at"},
    {.name = "stable_window_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_knative_config, stable_window_s),
     .preset = "60",
     .min = 6,
     .max = 3600,
     .doc = "window over which concurrency is averaged"},
    {.name = "panic_window_percent",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_knative_config, panic_window_percent),
     .preset = "10",
     .min = 1,
     .max = 100,
     .doc = "length of the panic window, of the stable window"},
    {.name = "panic_threshold_percent",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_knative_config, panic_threshold_percent),
     .preset = "200",
     .min = 110,
     .max = 1000,
     .doc = "part of the ready replicas that the panic window must ask for"},
    {.name = "max_scale_up_rate",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_knative_config, max_scale_up_rate),
     .preset = "1000",
     .min = 1.01,
     .max = 1e6,
     .doc = "factor of the ready replicas that it goes to at most at once"},
    {.name = "max_scale_down_rate",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_knative_config, max_scale_down_rate),
     .preset = "2",
     .min = 1.01,
     .max = 1e6,
     .doc = "factor by which the ready replicas are divided at most at once"},
    {.name = "scale_to_zero_grace_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_knative_config, scale_to_zero_grace_s),
     .preset = "30",
     .min = 0,
     .max = 1e6,
     .doc = "time that the last replica stays"},
    SCALER_INTERVAL_FIELD(struct scaler_knative_config, tick_interval_s, "2",
                          "time between decisions, and between samples of the concurrency"),
    {0}};

const struct config_type scaler_knative_type = {.name = "scaler_knative",
                                                .doc = "Parameters of Knative's pod autoscaler",
                                                .size = sizeof(struct scaler_knative_config),
                                                .fields = knative_fields};

struct knative {
    struct scaler scaler;
    double *samples; /* ring of the stable window */
    size_t capacity, count, newest;
    bool started, panics;
    tick_t panicked;   /* last over the threshold */
    int64_t most;      /* replicas asked for since the panic began */
    tick_t idle_since; /* -1: it is not idle */
};

static size_t samples_in(double window_s, const struct scaler_knative_config *config)
{
    return (size_t)fmax(1, round(window_s / config->tick_interval_s));
}

static bool open_knative(struct scaler *scaler)
{
    struct knative *knative = (struct knative *)scaler;
    const struct scaler_knative_config *config = scaler->config;
    knative->capacity = samples_in(config->stable_window_s, config);
    knative->samples = calloc(knative->capacity, sizeof *knative->samples);
    knative->idle_since = -1;
    scaler->next = tick_from_s(config->tick_interval_s);
    return knative->samples;
}

static void close_knative(struct scaler *scaler)
{
    free(((struct knative *)scaler)->samples);
}

static void add_sample(struct knative *knative, double concurrency)
{
    knative->newest = (knative->newest + 1) % knative->capacity;
    knative->samples[knative->newest] = concurrency;
    if (knative->count < knative->capacity)
        knative->count++;
}

static double average(const struct knative *knative, size_t count)
{
    double sum = 0;
    count = count < knative->count ? count : knative->count;
    for (size_t age = 0; age < count; age++)
        sum += knative->samples[(knative->newest + knative->capacity - age) % knative->capacity];
    return sum / (double)count;
}

/* Replicas for the concurrency, before any limit. */
static double needed(const struct scaler_knative_config *config, double concurrency)
{
    return ceil(concurrency / (config->target * config->target_utilisation_percent / 100));
}

static int64_t within_rates(const struct scaler_knative_config *config, double needed_replicas,
                            double ready)
{
    double least = floor(ready / config->max_scale_down_rate);
    double most = ceil(config->max_scale_up_rate * ready);
    return scaler_ceil(fmin(fmax(needed_replicas, least), most));
}

/* Begins, extends or ends the panic. */
static void watch_panic(struct knative *knative, double needed_now, double ready, tick_t now)
{
    const struct scaler_knative_config *config = knative->scaler.config;
    if (needed_now / ready >= config->panic_threshold_percent / 100) {
        knative->panics = true;
        knative->panicked = now;
    } else if (knative->panics && knative->panicked + tick_from_s(config->stable_window_s) < now) {
        knative->panics = false;
        knative->most = 0;
    }
}

static int64_t wanted_replicas(struct knative *knative, double ready, tick_t now)
{
    const struct scaler_knative_config *config = knative->scaler.config;
    double panic_s = config->stable_window_s * config->panic_window_percent / 100;
    double stable = needed(config, average(knative, knative->capacity));
    double panic = needed(config, average(knative, samples_in(panic_s, config)));
    watch_panic(knative, panic, ready, now);
    int64_t wanted = within_rates(config, stable, ready);
    if (!knative->panics)
        return wanted;
    int64_t in_panic = within_rates(config, panic, ready);
    wanted = in_panic > wanted ? in_panic : wanted;
    knative->most = wanted > knative->most ? wanted : knative->most;
    return knative->most;
}

/* One replica stays for the grace period. */
static int64_t hold_last(struct knative *knative, int64_t wanted, int64_t current, tick_t now)
{
    const struct scaler_knative_config *config = knative->scaler.config;
    if (wanted > 0 || current == 0) {
        knative->idle_since = -1;
        return wanted;
    }
    if (knative->idle_since < 0)
        knative->idle_since = now;
    return now - knative->idle_since >= tick_from_s(config->scale_to_zero_grace_s) ? 0 : 1;
}

static struct scaler_decision decide_knative(struct scaler *scaler,
                                             const struct scaler_metrics *metrics, tick_t now)
{
    struct knative *knative = (struct knative *)scaler;
    const struct scaler_knative_config *config = scaler->config;
    scaler->next = now + tick_from_s(config->tick_interval_s);
    add_sample(knative, (double)(metrics->held + metrics->waiting + metrics->running));
    if (!knative->started && metrics->ready > 1) {
        /* It does not know yet what those that run are for, and takes none away. */
        knative->panics = true;
        knative->panicked = now;
        knative->most = metrics->ready;
    }
    knative->started = true;
    double ready = fmax(1, (double)metrics->ready);
    int64_t wanted = wanted_replicas(knative, ready, now);
    wanted = scaler_clamp(&scaler->limits, wanted);
    return (struct scaler_decision){hold_last(knative, wanted, metrics->desired, now),
                                    knative->panics ? "panic" : "stable"};
}

const struct scaler_policy scaler_knative = {.size = sizeof(struct knative),
                                             .open = open_knative,
                                             .close = close_knative,
                                             .decide = decide_knative};
