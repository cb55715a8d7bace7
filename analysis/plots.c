#include "analysis/plots.h"

#include <assert.h>

#include "analysis/gnuplot.h"
#include "sim/arena.h"
#include "sim/out_file.h"

#define DISTRIBUTION(name, title, latency)                                                         \
    {                                                                                              \
        name, title, offsetof(struct latency_set, latency),                                        \
            offsetof(struct slo_rule, latency##_s), plot_distribution_possible,                    \
            plot_distribution_data, plot_distribution_script,                                      \
    }

static const struct plot plots[] = {
    DISTRIBUTION("ttft", "Time to first token", ttft),
    DISTRIBUTION("tpot", "Time per output token", tpot),
    DISTRIBUTION("e2e", "End-to-end latency", e2e),
    {"load", "Load and queue", 0, 0, plot_timeline_possible, plot_load_data, plot_load_script},
    {"batch", "Batch and KV cache", 0, 0, plot_timeline_possible, plot_batch_data,
     plot_batch_script},
    {"replicas", "Replicas, nodes and money", 0, 0, plot_replicas_possible, plot_replicas_data,
     plot_replicas_script},
    {"pools", "Utilisation and cost", 0, 0, plot_pools_possible, plot_pools_data,
     plot_pools_script},
};

enum { PLOTS = sizeof plots / sizeof plots[0] };
static_assert(PLOTS <= PLOTS_MAX, "plots_outcome has room for all");

typedef void put_text_fn(const struct plot *plot, const struct plot_input *input, FILE *out);

static bool write_part(const char *path, put_text_fn *put, const struct plot *plot,
                       const struct plot_input *input, struct error *error)
{
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return false;
    put(plot, input, out_file_stream(file));
    return out_file_commit(file, error);
}

static bool write_plot(struct arena *arena, const char *folder, const struct plot *plot,
                       const struct plot_input *input, struct error *error)
{
    const char *data = arena_printf(arena, "%s/%s.dat", folder, plot->name);
    const char *script = arena_printf(arena, "%s/%s.gp", folder, plot->name);
    return write_part(data, plot->put_data, plot, input, error) &&
           write_part(script, plot->put_script, plot, input, error);
}

bool plots_write(const char *folder, const struct plot_input *input, struct plots_outcome *outcome,
                 struct error *error)
{
    *outcome = (struct plots_outcome){0};
    if (!out_folder_make(folder, error))
        return false;
    struct arena *arena = arena_create();
    bool ok = true;
    for (size_t i = 0; i < PLOTS && ok; i++) {
        if (!plots[i].possible(&plots[i], input))
            continue;
        ok = write_plot(arena, folder, &plots[i], input, error);
        outcome->names[outcome->count++] = plots[i].name;
    }
    arena_destroy(arena);
    if (ok)
        outcome->drawn =
            gnuplot_draw(folder, outcome->names, outcome->count, outcome->why, sizeof outcome->why);
    return ok;
}
