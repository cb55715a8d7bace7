/* What a pool runs on and what that costs: names of the scenario looked up in the catalogue. */
#ifndef TOKENYARD_SCENARIOS_POOL_HARDWARE_H
#define TOKENYARD_SCENARIOS_POOL_HARDWARE_H

#include "scenarios/scenario.h"

/* The hardware of a replica, or of one of its stages. */
struct hardware_part {
    const struct gpu *gpu;
    const struct instance *instance; /* NULL: not rented as a whole */
    int64_t gpus;                    /* of one replica */
    const char *pointer;             /* to what names it in the file */
};

/* Looks the names up (NULL: not given), and fills gpu and instance of the part, whose pointer is
 * set. false when one is unknown, or they contradict. */
bool hardware_part_find(const struct scenario *scenario, const char *gpu, const char *instance,
                        struct hardware_part *part, struct error *error);

/* Of `replicas` replicas, each made of these parts. usd_per_gpu_hour: NaN, or instead of all prices
 * of the catalogue. */
bool pool_price(const struct scenario *scenario, const struct hardware_part *parts, size_t count,
                int64_t replicas, double usd_per_gpu_hour, struct scenario_price *price,
                struct error *error);

#endif
