#include "scenarios/pool_hardware.h"

#include <math.h>
#include <string.h>

/* --- names --- */

static bool find_instance(const struct scenario *scenario, const char *name,
                          struct hardware_part *part, struct error *error)
{
    part->instance = NULL;
    if (!name)
        return true;
    const char *nearest;
    part->instance = hardware_instance(scenario->hardware, name, &nearest);
    if (part->instance)
        return true;
    json_member_error(scenario->document, part->pointer, "instance", error,
                      "unknown instance \"%s\"", name);
    return hardware_hint(error, nearest, "instances");
}

static bool find_gpu(const struct scenario *scenario, const char *name, struct hardware_part *part,
                     struct error *error)
{
    const struct instance *instance = part->instance;
    if (!name && !instance) {
        json_error(scenario->document, part->pointer, error, "the pool names no hardware");
        return error_hint(error, "give it a \"gpu\" or an \"instance\"");
    }
    const char *nearest;
    part->gpu = hardware_gpu(scenario->hardware, name ? name : instance->gpu, &nearest);
    if (!part->gpu) {
        json_member_error(scenario->document, part->pointer, "gpu", error, "unknown GPU \"%s\"",
                          name);
        return hardware_hint(error, nearest, "gpus");
    }
    const char *whole = part->gpu->sliced_from ? part->gpu->sliced_from : part->gpu->name;
    if (instance && hardware_gpu(scenario->hardware, whole, &nearest) !=
                        hardware_gpu(scenario->hardware, instance->gpu, &nearest))
        return json_member_error(scenario->document, part->pointer, "gpu", error,
                                 "instance %s has %s GPUs, not %s", instance->name, instance->gpu,
                                 part->gpu->name);
    return true;
}

bool hardware_part_find(const struct scenario *scenario, const char *gpu, const char *instance,
                        struct hardware_part *part, struct error *error)
{
    return find_instance(scenario, instance, part, error) && find_gpu(scenario, gpu, part, error);
}

/* --- prices --- */

static const struct instance *cheapest_with(const struct hardware *hardware, const struct gpu *gpu)
{
    const struct instance *best = NULL;
    const struct gpu *whole =
        gpu->sliced_from ? hardware_gpu(hardware, gpu->sliced_from, NULL) : gpu;
    for (size_t i = 0; i < hardware->instance_count; i++) {
        const struct instance *each = &hardware->instances[i];
        const char *nearest;
        if (hardware_gpu(hardware, each->gpu, &nearest) != whole)
            continue;
        if (!best ||
            each->usd_per_hour * (double)best->gpus < best->usd_per_hour * (double)each->gpus)
            best = each;
    }
    return best;
}

/* Whole instances are rented: as many replicas to an instance as its GPUs hold, or as many
 * instances to a replica as it needs. */
static int64_t instances_needed(const struct instance *instance, int64_t replica_gpus,
                                int64_t replicas)
{
    if (replica_gpus > instance->gpus)
        return replicas * ((replica_gpus + instance->gpus - 1) / instance->gpus);
    int64_t replicas_each = instance->gpus / replica_gpus;
    return (replicas + replicas_each - 1) / replicas_each;
}

/* Each source is named once. */
static void name_source(struct scenario_price *price, const char *source, struct arena *arena)
{
    if (!price->source)
        price->source = source;
    else if (!strstr(price->source, source))
        price->source = arena_printf(arena, "%s; %s", price->source, source);
}

static const char *instance_source(const struct instance *instance, struct arena *arena)
{
    return arena_printf(arena, "%s %s, %s: %s", instance->provider, instance->name, instance->as_of,
                        instance->source);
}

static bool add_cheapest(const struct scenario *scenario, const struct hardware_part *part,
                         double gpus, struct scenario_price *price, struct error *error)
{
    const struct instance *cheapest = cheapest_with(scenario->hardware, part->gpu);
    if (!cheapest) {
        json_error(scenario->document, part->pointer, error, "no price is known for %s",
                   part->gpu->name);
        return error_hint(error, "give this pool \"usd_per_gpu_hour\" or an \"instance\"");
    }
    price->usd_per_hour += cheapest->usd_per_hour / (double)cheapest->gpus * gpus;
    name_source(price,
                arena_printf(scenario->arena,
                             "by the GPU, from the cheapest instance: %s %s, %s: %s",
                             cheapest->provider, cheapest->name, cheapest->as_of, cheapest->source),
                scenario->arena);
    return true;
}

/* The part's slices cost their share of whole GPUs: others may have the rest. */
static bool add_slices(const struct scenario *scenario, const struct hardware_part *part,
                       double usd_per_gpu_hour, double gpus, struct scenario_price *price,
                       struct error *error)
{
    const struct instance *instance = part->instance;
    if (!isnan(usd_per_gpu_hour)) {
        price->usd_per_hour += usd_per_gpu_hour * gpus;
        name_source(price, "the scenario's usd_per_gpu_hour", scenario->arena);
        return true;
    }
    if (!instance)
        return add_cheapest(scenario, part, gpus, price, error);
    price->usd_per_hour += instance->usd_per_hour / (double)instance->gpus * gpus;
    name_source(price, instance_source(instance, scenario->arena), scenario->arena);
    return true;
}

static bool add_part(const struct scenario *scenario, const struct hardware_part *part,
                     int64_t replicas, double usd_per_gpu_hour, struct scenario_price *price,
                     struct error *error)
{
    const struct instance *instance = part->instance;
    double gpus = (double)(part->gpus * replicas);
    if (part->gpu->sliced_from)
        return add_slices(scenario, part, usd_per_gpu_hour, gpus * part->gpu->slice_share, price,
                          error);
    int64_t instances = instance ? instances_needed(instance, part->gpus, replicas) : 0;
    price->instances += instances;
    if (!isnan(usd_per_gpu_hour)) {
        double rented = instance ? (double)(instances * instance->gpus) : gpus;
        price->usd_per_hour += usd_per_gpu_hour * rented;
        name_source(price, "the scenario's usd_per_gpu_hour", scenario->arena);
        return true;
    }
    if (!instance)
        return add_cheapest(scenario, part, gpus, price, error);
    price->usd_per_hour += instance->usd_per_hour * (double)instances;
    name_source(price, instance_source(instance, scenario->arena), scenario->arena);
    return true;
}

bool pool_price(const struct scenario *scenario, const struct hardware_part *parts, size_t count,
                int64_t replicas, double usd_per_gpu_hour, struct scenario_price *price,
                struct error *error)
{
    *price = (struct scenario_price){0};
    for (size_t i = 0; i < count; i++)
        if (!add_part(scenario, &parts[i], replicas, usd_per_gpu_hour, price, error))
            return false;
    return true;
}
