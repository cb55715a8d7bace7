/* Any bytes are refused with an error, or become a workload whose arrivals never go back in time
 * and have lengths of at least 1, and which is the same when played again. Traces are left out:
 * they would open files. */
#include <assert.h>
#include <stdint.h>

#include "workloads/stream_config.h"
#include "workloads/workload.h"

#define ARRIVALS          50
#define FILTERED_ARRIVALS 2 /* each may cost a million draws */
#define SIZE_MAX_BYTES    4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes some arrivals; the sum of their times, to compare by. */
static double play(struct source *source, int arrivals, struct error *error)
{
    double sum_s = 0, time_s, before_s = 0;
    struct arrival arrival;
    for (int i = 0; i < arrivals && source_peek(source, &time_s, error) == SOURCE_READY; i++) {
        source_take(source, &arrival);
        assert(arrival.time_s == time_s && time_s >= before_s);
        assert(arrival.prompt_tok >= 1 && arrival.output_tok >= 1);
        if (arrival.client != ARRIVAL_NO_ID)
            source_ended(source, &(struct arrival_end){arrival.stream, arrival.client,
                                                       arrival.output_tok, time_s});
        before_s = time_s;
        sum_s += time_s;
    }
    return sum_s;
}

static void play_twice(struct source *source, int arrivals)
{
    struct error error = {0};
    double first_s = play(source, arrivals, &error);
    if (error.code == ERROR_NONE && source_rewind(source, &error))
        assert(play(source, arrivals, &error) == first_s);
}

static bool reads_a_file(const struct stream_config *stream)
{
    return stream->trace;
}

static bool is_filtered(const struct stream_config *stream)
{
    return stream->filter;
}

static bool any(const struct stream_config *stream,
                bool (*property)(const struct stream_config *stream))
{
    const struct stream_config *inner = stream->streams.items;
    for (size_t i = 0; i < stream->streams.count; i++)
        if (property(&inner[i]))
            return true;
    return property(stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SIZE_MAX_BYTES)
        return 0;
    struct error error = {0};
    struct json_document *document = json_read_text("fuzz", (const char *)data, size, &error);
    struct arena *arena = arena_create();
    struct workload_config config;
    if (document &&
        config_read(&workload_config_type, document, json_root(document), "", arena, &config,
                    &error) &&
        !any(&config.stream, reads_a_file)) {
        struct source *source = workload_open(&config, ".", 1, 0, document, "", &error);
        assert((source != NULL) == (error.code == ERROR_NONE));
        if (source)
            play_twice(source, any(&config.stream, is_filtered) ? FILTERED_ARRIVALS : ARRIVALS);
        source_destroy(source);
    }
    arena_destroy(arena);
    json_free(document);
    return 0;
}
