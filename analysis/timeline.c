#include "analysis/timeline.h"

#include <math.h>

#include "analysis/csv.h"
#include "sim/arena.h"
#include "sim/out_file.h"

/* Runs below 2 s get fewer than 200 rows: nothing of interest happens faster than this. */
static const double first_interval_s = 0.01;

struct timeline {
    struct arena *arena; /* holds it all */
    struct out_file *file;
    const struct pool_spec *specs;
    size_t pool_count;
    const struct elastic_spec *elastic; /* NULL: nothing comes and goes */
    bool every_sample;     /* goes to the file as it comes; otherwise the rows do, in the end */
    double interval_s;     /* between samples */
    uint64_t row_samples;  /* samples that make one row */
    uint64_t open_samples; /* samples in the last row so far */
    size_t count;
    struct timeline_row rows[TIMELINE_ROWS];
    struct timeline_row sample;    /* the latest, by itself */
    uint64_t *arrived, *completed; /* so far, of each pool, at the last sample */
};

static double weighted(double a, double a_weight, double b, double b_weight)
{
    double weight = a_weight + b_weight;
    return weight > 0 ? (a * a_weight + b * b_weight) / weight : b;
}

/* Extends `into` over the interval of `next`, which follows it. */
static void merge_rows(struct timeline_row *into, const struct timeline_row *next, size_t pools)
{
    double into_s = into->end_s - into->start_s, next_s = next->end_s - next->start_s;
    for (size_t i = 0; i < pools; i++) {
        struct timeline_cell *a = &into->pools[i];
        const struct timeline_cell *b = &next->pools[i];
        *a = (struct timeline_cell){
            .waiting = b->waiting,
            .running = b->running,
            .kv_used = b->kv_used,
            .busy = weighted(a->busy, into_s, b->busy, next_s),
            .power_w = weighted(a->power_w, into_s, b->power_w, next_s),
            .arrived = a->arrived + b->arrived,
            .completed = a->completed + b->completed,
            .nodes = b->nodes,
        };
    }
    into->end_s = next->end_s;
}

static void copy_row(struct timeline_row *to, const struct timeline_row *from, size_t pools)
{
    to->start_s = from->start_s;
    to->end_s = from->end_s;
    for (size_t i = 0; i < pools; i++)
        to->pools[i] = from->pools[i];
}

static void halve_rows(struct timeline *timeline)
{
    for (size_t i = 0; i < TIMELINE_ROWS / 2; i++) {
        copy_row(&timeline->rows[i], &timeline->rows[2 * i], timeline->pool_count);
        merge_rows(&timeline->rows[i], &timeline->rows[2 * i + 1], timeline->pool_count);
    }
    timeline->count = TIMELINE_ROWS / 2;
    if (timeline->every_sample)
        timeline->open_samples = timeline->row_samples *= 2; /* the last row is complete */
    else
        timeline->interval_s *= 2;
}

static void keep_sample(struct timeline *timeline)
{
    size_t pools = timeline->pool_count;
    if (timeline->count > 0 && timeline->open_samples < timeline->row_samples) {
        merge_rows(&timeline->rows[timeline->count - 1], &timeline->sample, pools);
        timeline->open_samples++;
    } else {
        copy_row(&timeline->rows[timeline->count++], &timeline->sample, pools);
        timeline->open_samples = 1;
    }
    bool full = timeline->count == TIMELINE_ROWS;
    if (full && timeline->open_samples == timeline->row_samples)
        halve_rows(timeline);
}

static void take_sample(struct timeline *timeline, double time_s, const struct pool_sample *pools)
{
    struct timeline_row *sample = &timeline->sample;
    sample->start_s = sample->end_s;
    sample->end_s = time_s;
    for (size_t i = 0; i < timeline->pool_count; i++) {
        sample->pools[i] = (struct timeline_cell){
            .waiting = pools[i].waiting,
            .running = pools[i].running,
            .kv_used = pools[i].kv_used,
            .busy = pools[i].busy,
            .power_w = pools[i].power_w,
            .arrived = (double)(pools[i].arrived - timeline->arrived[i]),
            .completed = (double)(pools[i].completed - timeline->completed[i]),
            .nodes = pools[i].nodes,
        };
        timeline->arrived[i] = pools[i].arrived;
        timeline->completed[i] = pools[i].completed;
    }
}

double timeline_rate(const struct timeline_row *row, double requests)
{
    double duration_s = row->end_s - row->start_s;
    return duration_s > 0 ? requests / duration_s : 0;
}

static void put_elastic_header(const struct timeline *timeline, size_t pool, FILE *out)
{
    static const char *const columns[] = {"wanted",          "ready",         "spot_nodes",
                                          "on_demand_nodes", "spot_capacity", "usd_per_hour"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        fputc(',', out);
        csv_put_path(out, timeline->specs[pool].name, columns[i]);
    }
}

/* A capacity without limit is an empty field. */
static void put_elastic(const struct plane_view *nodes, FILE *out)
{
    fprintf(out, ",%.9g,%.9g,%.9g,%.9g", nodes->wanted, nodes->ready, nodes->spot_nodes,
            nodes->on_demand_nodes);
    csv_put_number(out, isfinite(nodes->spot_capacity) ? nodes->spot_capacity : NAN);
    csv_put_number(out, nodes->usd_per_hour);
}

static void put_header(const struct timeline *timeline, FILE *out)
{
    static const char *const columns[] = {"waiting", "running",        "kv_used",          "busy",
                                          "power_w", "arrivals_per_s", "completions_per_s"};
    fputs("time_s,waiting,running,power_w,arrivals_per_s,completions_per_s", out);
    for (size_t pool = 0; pool < timeline->pool_count; pool++) {
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
            fputc(',', out);
            csv_put_path(out, timeline->specs[pool].name, columns[i]);
        }
        if (timeline->elastic)
            put_elastic_header(timeline, pool, out);
    }
    fputc('\n', out);
}

static void put_row(const struct timeline *timeline, const struct timeline_row *row, FILE *out)
{
    struct timeline_cell all = {0};
    for (size_t i = 0; i < timeline->pool_count; i++) {
        const struct timeline_cell *pool = &row->pools[i];
        all.waiting += pool->waiting;
        all.running += pool->running;
        all.power_w += pool->power_w;
        all.arrived += pool->arrived;
        all.completed += pool->completed;
    }
    fprintf(out, "%.9g,%.9g,%.9g,%.6g,%.6g,%.6g", row->end_s, all.waiting, all.running, all.power_w,
            timeline_rate(row, all.arrived), timeline_rate(row, all.completed));
    for (size_t i = 0; i < timeline->pool_count; i++) {
        const struct timeline_cell *pool = &row->pools[i];
        fprintf(out, ",%.9g,%.9g,%.6g,%.6g,%.6g,%.6g,%.6g", pool->waiting, pool->running,
                pool->kv_used, pool->busy, pool->power_w, timeline_rate(row, pool->arrived),
                timeline_rate(row, pool->completed));
        if (timeline->elastic)
            put_elastic(&pool->nodes, out);
    }
    fputc('\n', out);
}

double timeline_sample(struct timeline *timeline, double time_s, const struct pool_sample *pools)
{
    take_sample(timeline, time_s, pools);
    if (timeline->every_sample)
        put_row(timeline, &timeline->sample, out_file_stream(timeline->file));
    keep_sample(timeline);
    return timeline->interval_s;
}

double timeline_first_sample_s(const struct timeline *timeline)
{
    return timeline->interval_s;
}

const struct timeline_row *timeline_rows(const struct timeline *timeline, size_t *count)
{
    *count = timeline->count;
    return timeline->rows;
}

static void allocate_cells(struct timeline *timeline)
{
    size_t pools = timeline->pool_count;
    struct timeline_cell *cells =
        ARENA_ARRAY(timeline->arena, (TIMELINE_ROWS + 1) * pools, struct timeline_cell);
    for (size_t i = 0; i < TIMELINE_ROWS; i++)
        timeline->rows[i].pools = cells + i * pools;
    timeline->sample.pools = cells + TIMELINE_ROWS * pools;
    timeline->arrived = ARENA_ARRAY(timeline->arena, pools, uint64_t);
    timeline->completed = ARENA_ARRAY(timeline->arena, pools, uint64_t);
}

struct timeline *timeline_open(const char *path, const struct simulation_spec *spec,
                               double interval_s, struct error *error)
{
    struct out_file *file = out_file_open(path, error);
    if (!file)
        return NULL;
    struct arena *arena = arena_create();
    struct timeline *timeline = ARENA_NEW(arena, struct timeline);
    timeline->arena = arena;
    timeline->file = file;
    timeline->specs = spec->pools;
    timeline->pool_count = spec->pool_count;
    timeline->elastic = spec->elastic;
    timeline->every_sample = !isnan(interval_s);
    timeline->interval_s = timeline->every_sample ? interval_s : first_interval_s;
    timeline->row_samples = 1;
    allocate_cells(timeline);
    put_header(timeline, out_file_stream(file));
    return timeline;
}

bool timeline_commit(struct timeline *timeline, struct error *error)
{
    struct out_file *file = timeline->file;
    timeline->file = NULL;
    for (size_t i = 0; i < timeline->count && !timeline->every_sample; i++)
        put_row(timeline, &timeline->rows[i], out_file_stream(file));
    return out_file_commit(file, error);
}

void timeline_close(struct timeline *timeline)
{
    if (!timeline)
        return;
    out_file_discard(timeline->file);
    arena_destroy(timeline->arena);
}
