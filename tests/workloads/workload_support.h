/* Workloads from a line of JSON, with ' for " so that tests stay readable. */
#ifndef TOKENYARD_TESTS_WORKLOAD_SUPPORT_H
#define TOKENYARD_TESTS_WORKLOAD_SUPPORT_H

#include <math.h>

#include "tests/support.h"
#include "workloads/workload.h"

struct test_workload {
    struct arena *arena;
    struct json_document *document;
    void *config;
    struct source *source; /* NULL: error says why */
    struct error error;
};

static inline struct test_workload test_workload_try(const char *json, uint64_t seed,
                                                     uint64_t replication)
{
    struct test_workload workload = {.arena = arena_create()};
    char *text = arena_strdup(workload.arena, json);
    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    struct error *error = &workload.error;
    workload.document = json_read_text("test.json", text, strlen(text), error);
    workload.config = arena_alloc(workload.arena, 1, workload_config_type.size);
    if (workload.document &&
        config_read(&workload_config_type, workload.document, json_root(workload.document), "",
                    workload.arena, workload.config, error))
        workload.source =
            workload_open(workload.config, NULL, seed, replication, workload.document, "", error);
    return workload;
}

static inline struct test_workload test_workload_open(const char *json, uint64_t seed)
{
    struct test_workload workload = test_workload_try(json, seed, 0);
    cr_assert_not_null(workload.source, "%s", test_error_text(&workload.error));
    return workload;
}

static inline void test_workload_close(struct test_workload *workload)
{
    source_destroy(workload->source);
    json_free(workload->document);
    arena_destroy(workload->arena);
}

/* Takes up to max arrivals, stopping where the source does, and checks what holds for all of them:
 * time never goes back, lengths are at least 1. */
static inline size_t test_take(struct source *source, struct arrival *arrivals, size_t max,
                               enum source_status *last)
{
    struct error error = {0};
    double time_s = 0, before_s = 0;
    size_t count = 0;
    enum source_status status = SOURCE_READY;
    while (count < max && (status = source_peek(source, &time_s, &error)) == SOURCE_READY) {
        source_take(source, &arrivals[count]);
        cr_assert_eq(arrivals[count].time_s, time_s);
        cr_assert_geq(time_s, before_s);
        cr_assert_geq(arrivals[count].prompt_tok, 1);
        cr_assert_geq(arrivals[count].output_tok, 1);
        before_s = time_s;
        count++;
    }
    cr_assert_neq(status, SOURCE_FAILED, "%s", test_error_text(&error));
    if (last)
        *last = status;
    return count;
}

/* All arrivals of a workload that ends, or its first max. Caller frees. */
static inline struct arrival *test_arrivals(const char *json, uint64_t seed, size_t max,
                                            size_t *count)
{
    struct arrival *arrivals = calloc(max, sizeof *arrivals);
    struct test_workload workload = test_workload_open(json, seed);
    *count = test_take(workload.source, arrivals, max, NULL);
    test_workload_close(&workload);
    return arrivals;
}

struct test_moments {
    double mean, cv;
};

static inline struct test_moments test_moments_of(const double *values, size_t count)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return (struct test_moments){mean, sqrt(squares / (double)count) / mean};
}

/* Mean and cv of the times between arrivals. */
static inline struct test_moments test_intervals(const struct arrival *arrivals, size_t count)
{
    double *gaps_s = calloc(count, sizeof *gaps_s);
    for (size_t i = 1; i < count; i++)
        gaps_s[i - 1] = arrivals[i].time_s - arrivals[i - 1].time_s;
    struct test_moments moments = test_moments_of(gaps_s, count - 1);
    free(gaps_s);
    return moments;
}

#endif
