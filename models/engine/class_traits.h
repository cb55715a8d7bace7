/* What the requests of a class are to an engine, beyond their tokens. Plain values. */
#ifndef TOKENYARD_MODELS_ENGINE_CLASS_TRAITS_H
#define TOKENYARD_MODELS_ENGINE_CLASS_TRAITS_H

#include <stdint.h>

#include "sim/clock.h"

struct class_traits {
    int64_t priority; /* lower is served first, as under vLLM; 0 where nothing is said */
    uint32_t tenant;  /* who the class belongs to, for fair shares: 0, 1, ... */
    double tenant_weight;
    tick_t deadline; /* after the arrival; TICK_NEVER: none */
};

#endif
