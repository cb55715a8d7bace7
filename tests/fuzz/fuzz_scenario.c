/* Any bytes are refused with an error that says something, or resolved into a scenario; what can be
 * simulated keeps the conservation of requests. */
#include <assert.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scenarios/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPLICAS_MAX = 16, SEQUENCES_MAX = 4096 };

static bool stop_at_once(void *context, double time_s, uint64_t completed)
{
    (void)context, (void)time_s, (void)completed;
    return false;
}

/* Large fleets are right, but no matter for a fuzzer. */
static bool is_small(const struct scenario *scenario)
{
    uint64_t replicas = 0;
    for (size_t i = 0; i < scenario->pool_count; i++) {
        replicas += scenario->pools[i].replicas;
        if (scenario->pools[i].engine->max_sequences > SEQUENCES_MAX)
            return false;
    }
    return replicas <= REPLICAS_MAX;
}

static void simulate(const struct scenario *scenario)
{
    struct error error = {0};
    struct source *source = scenario_open_source(scenario, 0, &error);
    assert(source || error.message[0]);
    if (!source)
        return;
    struct simulation_spec spec = scenario_spec(scenario, 0);
    spec.source = source;
    spec.observer.proceed = stop_at_once;
    struct simulation_result result;
    if (simulation_run(&spec, &result, &error)) {
        assert(result.arrived ==
               result.completed + result.rejected + result.cancelled + result.in_flight);
        simulation_result_free(&result);
    } else {
        assert(error.message[0]);
    }
    source_destroy(source);
}

/* The bytes as a file without a place on a disk. */
static struct scenario *read_bytes(const uint8_t *data, size_t size, struct error *error)
{
    int file = memfd_create("scenario", 0);
    assert(file >= 0 && write(file, data, size) == (ssize_t)size);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    struct scenario *scenario = scenario_read(path, NULL, 0, error);
    close(file);
    return scenario;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gsl_set_error_handler_off();
    struct error error = {0};
    struct scenario *scenario = read_bytes(data, size, &error);
    assert(scenario || error.message[0]);
    if (!scenario)
        return 0;
    cJSON_Delete(scenario_to_json(scenario));
    if (scenario->pool_count > 0 && scenario->config.workload && is_small(scenario))
        simulate(scenario);
    scenario_free(scenario);
    return 0;
}
