/* What must hold of a trace reader whatever the bytes: it refuses them with a located error, or
 * yields arrivals that keep the promises of workloads/source.h, the same ones after a rewind. */
#ifndef TOKENYARD_TESTS_FUZZ_TRACE_BYTES_H
#define TOKENYARD_TESTS_FUZZ_TRACE_BYTES_H

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim/clock.h"
#include "workloads/trace.h"
#include "workloads/trace_format.h"

struct pass {
    enum source_status end;
    uint64_t requests, digest;
};

static inline void check_arrival(const struct arrival *arrival, double not_before_s)
{
    assert(arrival->time_s >= not_before_s && arrival->time_s <= CLOCK_MAX_S);
    assert(arrival->prompt_tok >= 1 && arrival->output_tok >= 1);
    assert((arrival->blocks == 0) == (arrival->block_tok == 0));
    if (arrival->blocks > 0)
        assert(((uint64_t)arrival->blocks - 1) * arrival->block_tok < arrival->prompt_tok);
}

static inline struct pass read_pass(struct source *source)
{
    struct pass pass = {0};
    struct error error = {0};
    double time_s = 0, last_s = 0;
    while ((pass.end = source_peek(source, &time_s, &error)) == SOURCE_READY) {
        struct arrival arrival;
        source_take(source, &arrival);
        check_arrival(&arrival, last_s);
        last_s = arrival.time_s;
        pass.requests++;
        pass.digest = pass.digest * 31 + (uint64_t)(last_s * 1e3) + arrival.prompt_tok +
                      arrival.output_tok * 7u + arrival.session * 3u + arrival.turn;
        for (uint32_t i = 0; i < arrival.blocks; i++)
            pass.digest = pass.digest * 31 + arrival.hash_ids[i];
    }
    assert((pass.end == SOURCE_FAILED) == (error.code == ERROR_BAD_INPUT));
    assert(pass.end != SOURCE_FAILED || (error.file[0] && error.message[0]));
    return pass;
}

static inline struct pass check_options(const struct trace_options *options)
{
    struct error error = {0};
    struct source *source = trace_open(options, &error);
    if (!source) {
        assert(error.code == ERROR_BAD_INPUT && error.file[0] && error.message[0]);
        return (struct pass){.end = SOURCE_FAILED};
    }
    struct pass first = read_pass(source);
    assert(first.requests > 0 || first.end == SOURCE_FAILED);
    if (first.end == SOURCE_END) {
        assert(source_rewind(source, &error));
        struct pass again = read_pass(source);
        assert(again.end == SOURCE_END && again.digest == first.digest);
    }
    source_destroy(source);
    return first;
}

/* Sorting what is in order must change nothing. */
static inline void check_format(const char *path, enum trace_format format)
{
    struct trace_options options = {.path = path, .format = format};
    struct pass plain = check_options(&options);
    options.sort = true;
    struct pass sorted = check_options(&options);
    if (plain.end == SOURCE_END)
        assert(sorted.end == SOURCE_END && sorted.digest == plain.digest);
    options.zero = TRACE_ZERO_ONE;
    check_options(&options);
}

/* The bytes as a file: the format to be told, and one format of the syntax named. */
static inline void check_trace_bytes(const uint8_t *data, size_t size, enum trace_syntax syntax)
{
    char path[64];
    int file = memfd_create("trace", 0);
    assert(file >= 0 && write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    check_format(path, TRACE_AUTO);
    enum trace_format named = (enum trace_format)(1 + size % (TRACE_FORMAT_COUNT - 1));
    if (trace_layout(named)->syntax == syntax)
        check_options(&(struct trace_options){.path = path, .format = named});
    close(file);
}

#endif
