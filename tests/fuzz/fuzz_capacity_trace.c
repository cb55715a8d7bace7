/* Any bytes, read as recorded capacities, prices and lifetimes: refused with an error that names
 * the file, or a series that keeps the promises of workloads/step_series.h. */
#include <assert.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workloads/capacity_trace.h"
#include "workloads/lifetimes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_series(const struct step_series *series, bool whole)
{
    assert(series->count > 0 && series->points[0].at == 0);
    assert(series->points[series->count - 1].at <= series->end);
    assert(series->end <= tick_from_s(CLOCK_MAX_S));
    for (size_t i = 0; i < series->count; i++) {
        const struct step_point *point = &series->points[i];
        assert(isfinite(point->value) && point->value >= 0);
        assert(!whole || point->value == floor(point->value));
        assert(i == 0 || (point->at > point[-1].at && point->value != point[-1].value));
        assert(step_series_find(series, point->at) == i);
    }
}

static void check_error(const struct error *error)
{
    assert(error->code == ERROR_BAD_INPUT && error->file[0] && error->message[0]);
}

static void check_capacity(const struct capacity_trace_options *options, struct arena *arena)
{
    struct step_series series;
    struct error error = {0};
    if (capacity_trace_read(options, arena, &series, &error))
        check_series(&series, true);
    else
        check_error(&error);
}

static void check_prices(const char *path, const char *zone, struct arena *arena)
{
    struct price_trace_options options = {path, zone, NULL};
    struct step_series series;
    struct error error = {0};
    if (price_trace_read(&options, arena, &series, &error))
        check_series(&series, false);
    else
        check_error(&error);
}

static void check_lifetimes(const char *path, struct arena *arena)
{
    struct lifetimes_options options = {.path = path, .gpus = INT64_MIN, .max_lifetime_s = 86400};
    struct lifetimes lifetimes;
    struct lifetime_fit fit;
    struct error error = {0};
    if (!lifetimes_read(&options, arena, &lifetimes, &error))
        check_error(&error);
    else if (lifetimes_fit(LIFETIME_WEIBULL, &lifetimes, &fit))
        assert(fit.shape > 0 && fit.scale_s > 0 && isfinite(fit.log_likelihood));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct arena *arena = arena_create();
    int file = memfd_create("record", 0);
    assert(file >= 0 && write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    gsl_set_error_handler_off();
    struct capacity_trace_options options = {.path = path, .max_gap_s = INFINITY};
    check_capacity(&options, arena);
    options.sort = true;
    check_capacity(&options, arena);
    options.format = (enum capacity_format)(size % CAPACITY_FORMAT_COUNT);
    options.column = "a";
    options.max_gap_s = 600;
    check_capacity(&options, arena);
    check_prices(path, NULL, arena);
    check_prices(path, "a", arena);
    check_lifetimes(path, arena);
    close(file);
    arena_destroy(arena);
    return 0;
}
