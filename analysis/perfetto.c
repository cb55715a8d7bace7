#include "analysis/perfetto.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "sim/arena.h"
#include "sim/json_writer.h"
#include "sim/out_file.h"

struct perfetto {
    struct out_file *file;
    FILE *out;
    const struct simulation_spec *spec;
    uint64_t events;
    uint64_t requests; /* seen so far: the id that ties the phases of one together */
    double cut_s;
};

/* Room for count more events? Once there was none, nothing is taken any more: a trace that is
 * whole up to a time is worth more than one with holes. */
static bool take_room(struct perfetto *trace, uint64_t count, double time_s)
{
    if (trace->events + count > PERFETTO_EVENTS_MAX && isinf(trace->cut_s))
        trace->cut_s = time_s;
    if (!isinf(trace->cut_s))
        return false;
    trace->events += count;
    return true;
}

static double to_us(double seconds)
{
    return seconds * 1e6;
}

void perfetto_span(struct perfetto *trace, const struct iteration_span *span)
{
    if (!take_room(trace, 1, span->start_s))
        return;
    const char *name = span->prefill_tok == 0 ? "decode" : span->decodes == 0 ? "prefill" : "mixed";
    fprintf(trace->out,
            ",\n{\"ph\":\"X\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32
            ",\"ts\":%.3f,\"dur\":%.3f,\"name\":\"%s\",\"args\":{\"batch\":%" PRIu32
            ",\"prefill_tok\":%" PRIu32 ",\"iterations\":%" PRIu64 "}}",
            span->pool, span->replica, to_us(span->start_s), to_us(span->end_s - span->start_s),
            name, span->decodes, span->prefill_tok, span->iterations);
}

/* One phase of the request now at hand, as a begin and an end event. */
static void put_phase(struct perfetto *trace, uint32_t pool, const char *name, double start_s,
                      double end_s)
{
    static const char format[] = ",\n{\"ph\":\"%c\",\"cat\":\"request\",\"id\":%" PRIu64
                                 ",\"pid\":%" PRIu32 ",\"ts\":%.3f,\"name\":\"%s\"}";
    fprintf(trace->out, format, 'b', trace->requests, pool, to_us(start_s), name);
    fprintf(trace->out, format, 'e', trace->requests, pool, to_us(end_s), name);
}

enum { EVENTS_PER_REQUEST = 8, EVENTS_PER_SAMPLE = 3 };

void perfetto_request(struct perfetto *trace, const struct request_record *record)
{
    trace->requests++;
    if (record->rejected || record->timed_out ||
        !take_room(trace, EVENTS_PER_REQUEST, record->arrival_s))
        return;
    double arrival_s = record->arrival_s, end_s = arrival_s + record->e2e_s;
    double started_s = arrival_s + record->queue_s, first_token_s = arrival_s + record->ttft_s;
    fprintf(trace->out,
            ",\n{\"ph\":\"b\",\"cat\":\"request\",\"id\":%" PRIu64 ",\"pid\":%" PRIu32
            ",\"ts\":%.3f,\"name\":\"request\",\"args\":{\"prompt_tok\":%" PRIu32
            ",\"output_tok\":%" PRIu32 ",\"class\":%" PRIu32 ",\"replica\":%" PRIu32
            ",\"preemptions\":%" PRIu32 "}}",
            trace->requests, record->pool, to_us(arrival_s), record->prompt_tok, record->output_tok,
            record->class_index, record->replica, record->preemptions);
    put_phase(trace, record->pool, "queue", arrival_s, started_s);
    put_phase(trace, record->pool, "prefill", started_s, first_token_s);
    put_phase(trace, record->pool, "decode", first_token_s, end_s);
    fprintf(trace->out,
            ",\n{\"ph\":\"e\",\"cat\":\"request\",\"id\":%" PRIu64 ",\"pid\":%" PRIu32
            ",\"ts\":%.3f,\"name\":\"request\"}",
            trace->requests, record->pool, to_us(end_s));
}

void perfetto_sample(struct perfetto *trace, double time_s, const struct pool_sample *pools)
{
    for (size_t i = 0; i < trace->spec->pool_count; i++) {
        if (!take_room(trace, EVENTS_PER_SAMPLE, time_s))
            return;
        double ts = to_us(time_s);
        fprintf(trace->out,
                ",\n{\"ph\":\"C\",\"pid\":%zu,\"ts\":%.3f,\"name\":\"requests\",\"args\":{"
                "\"waiting\":%" PRIu32 ",\"running\":%" PRIu32 "}}",
                i, ts, pools[i].waiting, pools[i].running);
        fprintf(trace->out,
                ",\n{\"ph\":\"C\",\"pid\":%zu,\"ts\":%.3f,\"name\":\"KV cache\",\"args\":{"
                "\"used_percent\":%.6g}}",
                i, ts, pools[i].kv_used * 100);
        fprintf(trace->out,
                ",\n{\"ph\":\"C\",\"pid\":%zu,\"ts\":%.3f,\"name\":\"power\",\"args\":{"
                "\"watts\":%.6g}}",
                i, ts, pools[i].power_w);
    }
}

/* Names processes (kind "process_name") and threads; through the JSON writer, since a pool's name
 * may hold anything. */
static void put_name(struct perfetto *trace, const char *kind, size_t pid, size_t tid,
                     const char *name)
{
    struct json_writer *writer = json_writer_create();
    json_begin_object(writer, NULL);
    json_put_string(writer, "ph", "M");
    json_put_integer(writer, "pid", (int64_t)pid);
    json_put_integer(writer, "tid", (int64_t)tid);
    json_put_string(writer, "name", kind);
    json_begin_object(writer, "args");
    json_put_string(writer, "name", name);
    json_end_object(writer);
    json_end_object(writer);
    fprintf(trace->out, "%s%s", trace->events++ ? "," : "", json_writer_text(writer, NULL));
    json_writer_destroy(writer);
}

static void put_head(struct perfetto *trace)
{
    fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n", trace->out);
    for (size_t pool = 0; pool < trace->spec->pool_count; pool++) {
        put_name(trace, "process_name", pool, 0, trace->spec->pools[pool].name);
        for (uint32_t replica = 0; replica < trace->spec->pools[pool].replicas; replica++) {
            char name[32];
            snprintf(name, sizeof name, "replica %" PRIu32, replica);
            put_name(trace, "thread_name", pool, replica, name);
        }
    }
}

struct perfetto *perfetto_open(const char *path, const struct simulation_spec *spec,
                               struct error *error)
{
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return NULL;
    struct perfetto *trace = calloc(1, sizeof *trace);
    if (!trace)
        out_of_memory();
    trace->file = file;
    trace->out = out_file_stream(file);
    trace->spec = spec;
    trace->cut_s = INFINITY;
    put_head(trace);
    return trace;
}

double perfetto_cut_s(const struct perfetto *trace)
{
    return trace->cut_s;
}

bool perfetto_commit(struct perfetto *trace, struct error *error)
{
    struct out_file *file = trace->file;
    trace->file = NULL;
    bool complete = isinf(trace->cut_s);
    fprintf(trace->out, "\n],\"otherData\":{\"complete\":%s,\"events\":%" PRIu64,
            complete ? "true" : "false", trace->events);
    if (!complete)
        fprintf(trace->out, ",\"cut_s\":%.9g", trace->cut_s);
    fputs("}}\n", trace->out);
    return out_file_commit(file, error);
}

void perfetto_close(struct perfetto *trace)
{
    if (!trace)
        return;
    out_file_discard(trace->file);
    free(trace);
}
