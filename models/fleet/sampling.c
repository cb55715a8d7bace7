/* The observer's samples of the pools: on its timer, and once more at the end. */
#include <math.h>

#include "models/fleet/simulation_parts.h"

/* Replicas that come and go within the interval may have done more than those there at its end. */
static double share(double part, double whole)
{
    return whole > 0 ? fmin(part / whole, 1) : 0;
}

static void sample_pool(struct simulation *sim, uint32_t pool, tick_t blocks_at)
{
    const struct pool_spec *spec = &sim->spec->pools[pool];
    struct pool_sample *sample = &sim->samples[pool];
    *sample = (struct pool_sample){.arrived = sim->result->pools[pool].arrived,
                                   .completed = sim->result->pools[pool].completed};
    tick_t busy = 0;
    int64_t blocks = 0;
    for (uint32_t i = 0; i < spec->replicas; i++) {
        const struct engine *engine = &sim->engines[sim->first_replica[pool] + i];
        sample->waiting += engine->waiting + engine->swapped_count + engine->load_count;
        sample->running += engine_running(engine);
        blocks += engine_blocks_at(engine, blocks_at);
        busy += engine->totals.busy + busy_in_run(engine, sim->now);
    }
    double interval_s = tick_to_s(sim->now - sim->sampled);
    double busy_s = tick_to_s(busy - sim->sampled_busy[pool]);
    double replicas = spec->replicas;
    if (sim->elastic) {
        sample->nodes = elastic_look(sim, pool);
        replicas = sample->nodes.ready;
    }
    sample->kv_used = share((double)blocks, (double)sim->configs[pool].kv_blocks * replicas);
    sample->busy = share(busy_s, interval_s * replicas);
    sample->power_w = replicas * (spec->idle_w + (spec->busy_w - spec->idle_w) * sample->busy);
    sim->sampled_busy[pool] = busy;
}

/* Returns the seconds until the observer wants the next sample. */
static double sample_pools(struct simulation *sim, tick_t blocks_at)
{
    const struct simulation_observer *observer = &sim->spec->observer;
    for (uint32_t pool = 0; pool < sim->spec->pool_count; pool++)
        sample_pool(sim, pool, blocks_at);
    sim->sampled = sim->now;
    return observer->sample(observer->context, tick_to_s(sim->now), sim->samples,
                            sim->spec->pool_count);
}

void sampling_start(struct simulation *sim)
{
    if (sim->spec->observer.sample)
        event_queue_set(&sim->queue, actor_sampler(sim), PRIORITY_SAMPLE,
                        tick_from_s(sim->spec->sample_interval_s));
}

void sample(struct simulation *sim)
{
    double wait_s = sample_pools(sim, sim->now);
    event_queue_remove(&sim->queue, actor_sampler(sim));
    if (wait_s < CLOCK_MAX_S - tick_to_s(sim->now)) {
        tick_t wait = tick_from_s(wait_s);
        event_queue_set(&sim->queue, actor_sampler(sim), PRIORITY_SAMPLE,
                        sim->now + (wait > 0 ? wait : 1));
    }
}

void sample_end(struct simulation *sim)
{
    if (event_queue_has(&sim->queue, actor_sampler(sim)) && sim->sampled < sim->now)
        sample_pools(sim, last_tick(sim));
}
