#include "models/engine/adapters.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define FIELD(member) offsetof(struct lora_settings, member)

static const struct config_field lora_fields[] = {
    {.name = "adapters",
     .kind = CONFIG_INT,
     .offset = FIELD(adapters),
     .min = 1,
     .max = 100000,
     .doc = "different adapters that requests ask for, each for one"},
    {.name = "zipf",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(zipf),
     .preset = "1",
     .min = 0,
     .max = 10,
     .doc = "exponent of their popularity: the i-th is asked for as 1 / i^zipf; 0: all alike"},
    {.name = "rank",
     .kind = CONFIG_INT,
     .offset = FIELD(rank),
     .preset = "16",
     .min = 1,
     .max = 1024,
     .doc = "rank of every adapter, and of every slot (max_lora_rank)"},
    {.name = "max_loras",
     .kind = CONFIG_INT,
     .offset = FIELD(max_loras),
     .preset = "1",
     .min = 1,
     .max = 4096,
     .doc = "slots on the GPU: adapters in one batch at most"},
    {.name = "max_cpu_loras",
     .kind = CONFIG_INT,
     .offset = FIELD(max_cpu_loras),
     .optional = true,
     .min = 1,
     .max = 100000,
     .doc = "adapters in host memory; null: max_loras"},
    {.name = "load_gb_s",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(load_gb_s),
     .optional = true,
     .min = 0,
     .max = 10000,
     .above_min = true,
     .doc = "bandwidth from host memory to each GPU; null: the GPU's PCIe link"},
    /* A local NVMe drive of a rented machine; a rough figure. */
    {.name = "disk_gb_s",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(disk_gb_s),
     .preset = "2",
     .min = 0,
     .max = 10000,
     .above_min = true,
     .doc = "bandwidth at which an adapter comes to host memory"},
    {0}};

const struct config_type lora_settings_type = {.name = "lora",
                                               .doc = "Low-rank adapters beside the model",
                                               .size = sizeof(struct lora_settings),
                                               .fields = lora_fields};

/* vLLM: max_cpu_loras must be >= max_loras (LoRAConfig). */
bool lora_check(const struct lora_settings *settings, struct error *error)
{
    if (settings->max_cpu_loras == INT64_MIN || settings->max_cpu_loras >= settings->max_loras)
        return true;
    error_set(error, ERROR_BAD_INPUT, "lora.max_cpu_loras (%lld) is below lora.max_loras (%lld)",
              (long long)settings->max_cpu_loras, (long long)settings->max_loras);
    return error_hint(error, "what is in a slot is kept in host memory, too");
}

/* --- what is asked for --- */

struct lora_config *lora_config_create(const struct lora_settings *settings)
{
    size_t adapters = (size_t)settings->adapters;
    struct lora_config *config = calloc(1, sizeof *config + adapters * sizeof *config->cumulative);
    if (!config)
        return NULL;
    config->adapters = (uint32_t)adapters;
    config->max_loras = (uint32_t)settings->max_loras;
    config->max_cpu_loras = settings->max_cpu_loras == INT64_MIN
                                ? config->max_loras
                                : (uint32_t)settings->max_cpu_loras;
    double sum = 0;
    for (uint32_t i = 0; i < config->adapters; i++)
        config->cumulative[i] = sum += pow(i + 1.0, -settings->zipf);
    for (uint32_t i = 0; i < config->adapters; i++)
        config->cumulative[i] /= sum;
    return config;
}

void lora_config_destroy(struct lora_config *config)
{
    free(config);
}

uint32_t lora_adapter_of(const struct lora_config *config, uint32_t draw)
{
    double unit = (draw + 0.5) * 0x1p-32;
    uint32_t low = 0, high = config->adapters - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (config->cumulative[middle] < unit)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- one memory --- */

static bool memory_init(struct adapter_memory *memory, uint32_t capacity, uint32_t adapters)
{
    *memory = (struct adapter_memory){
        .capacity = capacity, .oldest = ADAPTER_NONE, .newest = ADAPTER_NONE};
    memory->has = calloc(adapters, sizeof *memory->has);
    memory->older = malloc(adapters * sizeof *memory->older);
    memory->newer = malloc(adapters * sizeof *memory->newer);
    return memory->has && memory->older && memory->newer;
}

static void memory_free(struct adapter_memory *memory)
{
    free(memory->has);
    free(memory->older);
    free(memory->newer);
}

static void idle_append(struct adapter_memory *memory, uint32_t adapter)
{
    memory->older[adapter] = memory->newest;
    memory->newer[adapter] = ADAPTER_NONE;
    if (memory->newest == ADAPTER_NONE)
        memory->oldest = adapter;
    else
        memory->newer[memory->newest] = adapter;
    memory->newest = adapter;
}

static void idle_remove(struct adapter_memory *memory, uint32_t adapter)
{
    uint32_t older = memory->older[adapter], newer = memory->newer[adapter];
    if (older == ADAPTER_NONE)
        memory->oldest = newer;
    else
        memory->newer[older] = newer;
    if (newer == ADAPTER_NONE)
        memory->newest = older;
    else
        memory->older[newer] = older;
}

/* An idle adapter is about to run. Returns whether it was there. */
static bool memory_take(struct adapter_memory *memory, uint32_t adapter)
{
    if (memory->has[adapter]) {
        idle_remove(memory, adapter);
        return true;
    }
    if (memory->resident == memory->capacity) {
        uint32_t victim = memory->oldest;
        assert(victim != ADAPTER_NONE && "running adapters never fill it: adapters_admit");
        idle_remove(memory, victim);
        memory->has[victim] = false;
        memory->resident--;
    }
    memory->has[adapter] = true;
    memory->resident++;
    return false;
}

/* --- both --- */

bool adapters_init(struct adapters *adapters, const struct lora_config *config)
{
    *adapters = (struct adapters){.config = config};
    adapters->running = calloc(config->adapters, sizeof *adapters->running);
    bool slots = memory_init(&adapters->slots, config->max_loras, config->adapters);
    bool host = memory_init(&adapters->host, config->max_cpu_loras, config->adapters);
    return adapters->running && slots && host;
}

void adapters_free(struct adapters *adapters)
{
    free(adapters->running);
    memory_free(&adapters->slots);
    memory_free(&adapters->host);
    *adapters = (struct adapters){0};
}

fine_t adapters_enter(struct adapters *adapters, uint32_t adapter)
{
    assert(adapters_admit(adapters, adapter));
    struct adapter_totals *totals = &adapters->totals;
    totals->used++;
    if (adapters->running[adapter]++ > 0) {
        totals->in_slot++;
        return 0;
    }
    adapters->in_batch++;
    bool in_host = memory_take(&adapters->host, adapter);
    if (memory_take(&adapters->slots, adapter)) {
        totals->in_slot++;
        return 0;
    }
    totals->in_host += in_host;
    fine_t load = adapters->config->host_load + (in_host ? 0 : adapters->config->disk_load);
    totals->loading += load;
    return load;
}

void adapters_leave(struct adapters *adapters, uint32_t adapter)
{
    assert(adapters->running[adapter] > 0);
    if (--adapters->running[adapter] > 0)
        return;
    adapters->in_batch--;
    idle_append(&adapters->slots, adapter);
    idle_append(&adapters->host, adapter);
}
