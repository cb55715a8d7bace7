/* Low-rank adapters (LoRA) of one engine: which are in GPU slots, which in host memory.
 *
 * As vLLM does it (vllm/lora, vllm/v1/core/sched/scheduler.py): max_loras slots on the GPU, of the
 * largest rank, and max_cpu_loras adapters in host memory; each evicts the least recently used. All
 * requests that run keep theirs in a slot, so that no more than max_loras different adapters share
 * a batch: a waiting request that would bring one more is passed over until a slot is free. A
 * missing adapter is loaded in the iteration that lets its request in, which takes as much longer.
 *
 * An adapter that runs is used in every iteration; one that does not was last used when its last
 * request left. So recency among those that may go is the order in which they fell idle: a list.
 * Entering and leaving cost O(1); nothing is touched in between. */
#ifndef TOKENYARD_MODELS_ENGINE_ADAPTERS_H
#define TOKENYARD_MODELS_ENGINE_ADAPTERS_H

#include "sim/clock.h"
#include "sim/config.h"

struct lora_settings {
    int64_t adapters; /* that requests ask for */
    double zipf;      /* the i-th most popular is asked for as 1 / i^zipf */
    int64_t rank;
    int64_t max_loras;
    int64_t max_cpu_loras; /* INT64_MIN: max_loras */
    double load_gb_s;      /* host to GPU; NaN: by the GPU */
    double disk_gb_s;
};

extern const struct config_type lora_settings_type;

bool lora_check(const struct lora_settings *settings, struct error *error);

/* What engines know of the adapters; shared by the replicas of a pool. */
struct lora_config {
    uint32_t adapters, max_loras, max_cpu_loras;
    fine_t host_load, disk_load; /* of one adapter: host to GPU, disk to host */
    double cumulative[];         /* [adapters]: the share of requests for it or one before it */
};

/* Without the loads, which are 0. NULL when out of memory. */
struct lora_config *lora_config_create(const struct lora_settings *settings);
void lora_config_destroy(struct lora_config *config); /* NULL is allowed */

/* The adapter that `draw`, one of all 2^32 alike, stands for. */
uint32_t lora_adapter_of(const struct lora_config *config, uint32_t draw);

/* Adapters in one memory. */
struct adapter_memory {
    uint32_t capacity, resident;
    bool *has;               /* [adapters] */
    uint32_t *older, *newer; /* [adapters]: neighbours of idle ones by last use */
    uint32_t oldest, newest; /* ADAPTER_NONE: no idle one */
};

#define ADAPTER_NONE UINT32_MAX

struct adapter_totals {
    uint64_t used;    /* requests let in */
    uint64_t in_slot; /* of these: found their adapter in a slot, ... */
    uint64_t in_host; /* ... in host memory */
    fine_t loading;   /* time that iterations took longer */
};

static inline void adapter_totals_add(struct adapter_totals *to, const struct adapter_totals *more)
{
    to->used += more->used;
    to->in_slot += more->in_slot;
    to->in_host += more->in_host;
    to->loading += more->loading;
}

struct adapters {
    const struct lora_config *config;
    struct adapter_memory slots, host;
    uint32_t *running; /* [adapters]: requests that run with it */
    uint32_t in_batch; /* adapters with at least one */
    struct adapter_totals totals;
};

/* false when out of memory; adapters_free may be called all the same. */
bool adapters_init(struct adapters *adapters, const struct lora_config *config);
void adapters_free(struct adapters *adapters);

/* May a request with it join the batch? */
static inline bool adapters_admit(const struct adapters *adapters, uint32_t adapter)
{
    return adapters->running[adapter] > 0 || adapters->in_batch < adapters->config->max_loras;
}

/* A request with it, admitted, begins to run. Returns the time to load it. */
fine_t adapters_enter(struct adapters *adapters, uint32_t adapter);

/* A request with it no longer runs. */
void adapters_leave(struct adapters *adapters, uint32_t adapter);

#endif
