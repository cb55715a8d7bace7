#include "workloads/arrivals.h"

#include <assert.h>

#include "workloads/arrivals_process.h"

static const struct arrival_process *const processes[ARRIVALS_OPEN_KINDS] = {
    [ARRIVALS_POISSON] = &arrivals_poisson,
    [ARRIVALS_GAMMA] = &arrivals_gamma,
    [ARRIVALS_WEIBULL] = &arrivals_weibull,
    [ARRIVALS_ON_OFF] = &arrivals_on_off,
    [ARRIVALS_DETERMINISTIC] = &arrivals_deterministic,
    [ARRIVALS_CLIENTS] = &arrivals_clients,
};

static const struct arrival_process *process_of(const struct config_variant *config)
{
    assert(config->index >= 0 && config->index < ARRIVALS_OPEN_KINDS);
    return processes[config->index];
}

double arrivals_mean_rate_per_s(const struct config_variant *config)
{
    return process_of(config)->rate_per_s(config->value);
}

struct arrivals *arrivals_create(const struct config_variant *config, double rate_factor,
                                 gsl_rng *rng, struct arena *arena, const struct place *place,
                                 struct error *error)
{
    const struct arrival_process *process = process_of(config);
    if (process->check && !process->check(config->value, rate_factor, place, error))
        return NULL;
    struct arrivals *arrivals = process->create(config->value, rate_factor, arena);
    if (arrivals)
        arrivals->rng = rng;
    else
        error_set(error, ERROR_FAILED, "out of memory");
    return arrivals;
}
