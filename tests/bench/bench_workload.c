/* What one arrival of each preset costs. Prints nanoseconds of CPU time per arrival. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "workloads/presets.h"
#include "workloads/workload.h"

#define ARRIVALS 2000000

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Returns the sum of all lengths, so that nothing is optimised away. */
static uint64_t drain(struct source *source, struct error *error)
{
    uint64_t tokens = 0;
    double time_s;
    struct arrival arrival;
    while (source_peek(source, &time_s, error) == SOURCE_READY) {
        source_take(source, &arrival);
        tokens += arrival.prompt_tok + arrival.output_tok;
    }
    return tokens;
}

static bool bench(const char *preset, struct error *error)
{
    char text[256];
    snprintf(text, sizeof text, "{\"preset\": \"%s\", \"rate_per_s\": 1000, \"limit\": %d}", preset,
             ARRIVALS);
    struct json_document *document = json_read_text(preset, text, strlen(text), error);
    struct arena *arena = arena_create();
    void *config = arena_alloc(arena, 1, workload_config_type.size);
    struct source *source = NULL;
    if (document &&
        config_read(&workload_config_type, document, json_root(document), "", arena, config, error))
        source = workload_open(config, NULL, 1, 0, document, "", error);
    if (source) {
        double start_s = cpu_s();
        uint64_t tokens = drain(source, error);
        printf("%-24s %6.1f ns per arrival, %6.1f tokens each\n", preset,
               1e9 * (cpu_s() - start_s) / ARRIVALS, (double)tokens / ARRIVALS);
    }
    source_destroy(source);
    json_free(document);
    arena_destroy(arena);
    return error->code == ERROR_NONE;
}

int main(void)
{
    size_t count;
    const struct preset *presets = preset_list(&count);
    struct error error = {0};
    for (size_t i = 0; i < count; i++)
        if (!bench(presets[i].name, &error)) {
            char text[2048];
            error_format(&error, text, sizeof text);
            fprintf(stderr, "%s\n", text);
            return error.code;
        }
    return 0;
}
